"""Check and reserve in PostgreSQL: what risk relies on is read under the lock of the transaction that reserves."""

from __future__ import annotations

from datetime import datetime

from prescient.adapters.postgres.connection import Raw
from prescient.adapters.postgres.store.base import StoreBase
from prescient.adapters.postgres.store.facts import columns_of, given
from prescient.adapters.postgres.store.money import APPEND_FROM, SET_ASIDE, ledger_errors, transfer_columns
from prescient.domain.errors import InvariantBroken, PortfolioNotFound
from prescient.domain.ledger import reservation
from prescient.domain.order import ApprovedOrder, OrderIntent, OrderStatus, Refused
from prescient.domain.order_state import approved, refused
from prescient.domain.portfolio import PortfolioStatus
from prescient.domain.risk import ALREADY_ORDERED, Check, Holdings, refuse_overdrawn

LOCK_AND_READ = """
SELECT status, (current_balance * 1000000)::bigint AS cash, (reserved_balance * 1000000)::bigint AS reserved
  FROM portfolios WHERE portfolio_id = $1 FOR NO KEY UPDATE
"""

# What a portfolio's trades still have to settle: shares of one token that were bought, and proceeds of all sales.
UNMINED = """
SELECT (coalesce(sum(size) FILTER (WHERE side = 'BUY' AND token_id = $2), 0) * 1000000)::bigint AS shares,
       (coalesce(sum(cost - fee) FILTER (WHERE side = 'SELL'), 0) * 1000000)::bigint AS cash
  FROM trade_settlements WHERE portfolio_id = $1 AND state = 'matched'
"""

# A statement of its own behind the lock: one that waits for a lock sees other tables as they were before it waited.
HOLDINGS = f"""
SELECT coalesce((SELECT size * 1000000 FROM portfolio_positions WHERE portfolio_id = $1 AND token_id = $2), 0)::bigint
           AS held,
       (aside.resting + aside.on_its_way)::bigint AS set_aside,
       (SELECT count(*) FROM portfolio_positions WHERE portfolio_id = $1 AND size > 0) AS open_positions,
       EXISTS (SELECT FROM orders WHERE signal_id = $3 AND signal_id <> '') AS ordered, unmined.shares, unmined.cash
  FROM ({SET_ASIDE.format("$1", "$2")}) AS aside, ({UNMINED}) AS unmined
"""  # noqa: S608 # our own text

# The order, its facts and the cash set aside for it, in one round trip: none without the others. A conflict on the
# order's or the signal's id inserts nothing and returns no row. It is for a format with what else is inserted.
PLACE_WITH = f"""
WITH placed AS (
    INSERT INTO orders (order_id, portfolio_id, signal_id, condition_id, token_id, side, order_type, limit_price,
                        amount, size, group_id, status, reserved_cash, reserved_shares, reason, refusal_code,
                        refusal_limit, refusal_number, created_at, updated_at, post_only, expiration_s)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8::bigint * 0.000001, $9::bigint * 0.000001, $10::bigint * 0.000001, $11, $12,
            $13::bigint * 0.000001, $14::bigint * 0.000001, $15, $16, $17, $18, $19, $19, $20, $21)
    ON CONFLICT DO NOTHING
    RETURNING order_id
), told AS (
    INSERT INTO order_facts (order_id, fact_id, kind, at, data)
    SELECT order_id, fact_id, kind, at, data::jsonb FROM placed, {given(22)}
){{0}}
SELECT order_id FROM placed
"""  # noqa: S608 # our own text
PLACE = PLACE_WITH.format("")
PLACE_AND_RESERVE = PLACE_WITH.format(
    f", appended AS ({APPEND_FROM.format(*range(26, 35))} WHERE EXISTS (SELECT FROM placed))"
)

NOT_REFUSED = Refused("", "")


class ApprovalMethods(StoreBase):
    """The part of ``Store`` that approves: check and reserve are one transaction."""

    async def approve(self, intent: OrderIntent, check: Check, now: datetime) -> ApprovedOrder | Refused:
        """Ask ``check`` about the portfolio as it is under the lock, and commit the order or its refusal.

        Raises PortfolioNotFound, and InvariantBroken for a verdict beyond what there is or an order id of another
        signal.
        """

        async def work(connection: Raw) -> ApprovedOrder | Refused:
            holdings = await _lock_holdings(connection, intent)
            if holdings is None:
                return ALREADY_ORDERED
            verdict = check(holdings)
            if isinstance(verdict, ApprovedOrder):
                refuse_overdrawn(verdict, intent, holdings)
            if not await _place(connection, intent, verdict, now):
                raise InvariantBroken(
                    f"order {intent.order_id} exists already for another signal; nothing was reserved"
                )
            return verdict

        return await self._database.transact(work)


async def _lock_holdings(connection: Raw, intent: OrderIntent) -> Holdings | None:
    """Lock the portfolio and read what an order of it relies on; None if its signal has an order or a refusal."""
    portfolio = await connection.fetchrow(LOCK_AND_READ, intent.portfolio_id)
    if portfolio is None:
        raise PortfolioNotFound(intent.portfolio_id)
    token = await connection.fetchrow(HOLDINGS, intent.portfolio_id, intent.token_id, intent.signal_id)
    assert token is not None
    if token["ordered"]:
        return None
    return Holdings(
        portfolio_id=intent.portfolio_id,
        status=PortfolioStatus(portfolio["status"]),
        cash_micro=portfolio["cash"],
        reserved_micro=portfolio["reserved"],
        held_micro=token["held"],
        set_aside_micro=token["set_aside"],
        settling_shares_micro=token["shares"],
        settling_cash_micro=token["cash"],
        open_positions=token["open_positions"],
    )


async def _place(connection: Raw, intent: OrderIntent, verdict: ApprovedOrder | Refused, now: datetime) -> bool:
    """Insert the order with its reservation, or its refusal; False if the order or its signal's order exists."""
    if isinstance(verdict, Refused):
        row = _order_row(intent, OrderStatus.REFUSED, 0, 0, verdict, now)
        row += columns_of(refused(intent, verdict.code, now))
        return await connection.fetchval(PLACE, *row) is not None
    cash_micro = verdict.reserved_cash_micro
    row = _order_row(intent, OrderStatus.APPROVED, cash_micro, verdict.reserved_shares_micro, NOT_REFUSED, now)
    row += columns_of(approved(verdict, now))
    transfers = reservation(intent.portfolio_id, intent.order_id, cash_micro, now)
    assert sum(transfer.amount_micro for transfer in transfers) == cash_micro
    if not transfers:
        return await connection.fetchval(PLACE, *row) is not None
    with ledger_errors(intent.portfolio_id):
        columns = transfer_columns(intent.portfolio_id, transfers)
        return await connection.fetchval(PLACE_AND_RESERVE, *row, *columns) is not None


def _order_row(
    intent: OrderIntent, status: OrderStatus, cash_micro: int, shares_micro: int, refusal: Refused, now: datetime
) -> tuple[object, ...]:
    return (
        intent.order_id,
        intent.portfolio_id,
        intent.signal_id,
        intent.condition_id,
        intent.token_id,
        intent.side.value,
        intent.order_type.value,
        intent.limit_price_micro,
        intent.amount_micro,
        intent.size_micro,
        intent.group_id,
        status.value,
        cash_micro,
        shares_micro,
        refusal.reason,
        refusal.code,
        refusal.limit,
        refusal.number,
        now,
        intent.post_only,
        intent.expiration_s,
    )
