"""How money moves in PostgreSQL: lock the portfolio's row, append to the ledger, bring the cached sums along.

Plain SQL on the driver's connection, because a cycle waits for each of these statements in turn. Amounts go in as
integers of micro-units; multiplying by 0.000001 is exact, where dividing would round.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import asyncpg

from prescient.adapters.postgres.connection import Raw
from prescient.adapters.postgres.store.rows import TERMINAL
from prescient.domain.errors import InvariantBroken, PortfolioNotFound, PositionMoved
from prescient.domain.ledger import Transfer
from prescient.domain.portfolio import Position

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Weaker than FOR UPDATE by one thing only: rows that merely refer to the portfolio may be written beside it.
LOCK = "SELECT 1 FROM portfolios WHERE portfolio_id = $1 FOR NO KEY UPDATE"

# With the numbers of its nine parameters left open, so that it can be a part of a larger statement.
APPEND_FROM = """
INSERT INTO ledger (transfer_id, portfolio_id, group_id, kind, asset, debit, credit, amount, timestamp)
SELECT transfer_id, portfolio_id, group_id, kind, asset, debit, credit, amount * 0.000001, timestamp
  FROM unnest(${}::text[], ${}::bigint[], ${}::text[], ${}::text[], ${}::text[], ${}::text[], ${}::text[],
              ${}::bigint[], ${}::timestamptz[])
       AS given (transfer_id, portfolio_id, group_id, kind, asset, debit, credit, amount, timestamp)
"""
APPEND = APPEND_FROM.format(*range(1, 10))

# Replace a position, bring the portfolio's sums along by what changed, and tell how many shares the ledger has.
WRITE_POSITION = """
WITH before AS (
    SELECT cost, realized_pnl, unrealized_pnl FROM portfolio_positions WHERE portfolio_id = $1 AND token_id = $2
), after AS (
    INSERT INTO portfolio_positions AS kept
           (portfolio_id, token_id, condition_id, market_id, market_question, outcome, size, cost, realized_pnl,
            current_price, current_value, mark_source, marked_at, opened_at, closed_at, status)
    VALUES ($1, $2, $3, $4, $5, $6, $7::bigint * 0.000001, $8::bigint * 0.000001, $9::bigint * 0.000001,
            $10::bigint * 0.000001, $11::bigint * 0.000001, $12, $13, $14, $15, $16)
    ON CONFLICT (portfolio_id, token_id) DO UPDATE
       SET condition_id = excluded.condition_id, market_id = excluded.market_id,
           market_question = excluded.market_question, outcome = excluded.outcome, size = excluded.size,
           cost = excluded.cost, realized_pnl = excluded.realized_pnl, current_price = excluded.current_price,
           current_value = excluded.current_value, mark_source = excluded.mark_source,
           marked_at = excluded.marked_at, opened_at = excluded.opened_at, closed_at = excluded.closed_at,
           status = excluded.status
    RETURNING cost, realized_pnl, unrealized_pnl
)
UPDATE portfolios
   SET total_invested = total_invested + after.cost - coalesce(before.cost, 0),
       realized_pnl = portfolios.realized_pnl + after.realized_pnl - coalesce(before.realized_pnl, 0),
       unrealized_pnl = portfolios.unrealized_pnl + after.unrealized_pnl - coalesce(before.unrealized_pnl, 0),
       updated_at = $17
  FROM after LEFT JOIN before ON true
 WHERE portfolio_id = $1
RETURNING (SELECT (balance * 1000000)::bigint FROM ledger_balances
            WHERE portfolio_id = $1 AND account = 'shares' AND asset = $2)
"""


# How a position stands now, to be compared with what a booking was computed from. Part of a statement that runs after
# the portfolio's row was locked, so that it sees what whoever held the lock has written.
STANDING = """
(SELECT ARRAY[size * 1000000, cost * 1000000, realized_pnl * 1000000, current_value * 1000000,
              coalesce(extract(epoch FROM marked_at) * 1000000, 0)]::bigint[]
   FROM portfolio_positions WHERE portfolio_id = {0} AND token_id = {1})
"""

# The shares of a token that open SELL orders and requests may still take: {0} is the portfolio, {1} the token.
SET_ASIDE = f"""
SELECT coalesce(sum(places.size - places.filled), 0) * 1000000 AS resting,
       coalesce(sum(orders.reserved_shares) FILTER (WHERE places.order_id IS NULL), 0) * 1000000
           + coalesce((SELECT sum((part->>1)::bigint) FROM position_requests, jsonb_array_elements(given) AS part
                        WHERE portfolio_id = {{0}} AND status = 'open' AND part->>0 = {{1}}), 0) AS on_its_way
  FROM orders LEFT JOIN resting_orders AS places USING (order_id)
 WHERE orders.portfolio_id = {{0}} AND orders.token_id = {{1}} AND orders.side = 'SELL'
   AND orders.status NOT IN {TERMINAL}
"""  # noqa: S608 # our own text


def refuse_moved(standing: Sequence[int] | None, before: Position | None) -> None:
    """Raise PositionMoved unless a position stands as it did when a booking was computed from it."""
    if before is None:
        return
    marked_us = 0 if before.mark_time is None else (before.mark_time - EPOCH) // timedelta(microseconds=1)
    figures = before.size_micro, before.cost_micro, before.realized_pnl_micro, before.mark_value_micro, marked_us
    if tuple(standing or (0, 0, 0, 0, 0)) != figures:
        raise PositionMoved(before.token_id)


def refuse_set_aside(before_micro: int, after_micro: int, set_aside_micro: int, token_id: str) -> None:
    """Raise PositionMoved when a booking takes shares that an open SELL order may take: it was computed before that one."""
    if after_micro < before_micro and after_micro < set_aside_micro:
        raise PositionMoved(token_id)


async def lock_portfolio(connection: Raw, portfolio_id: int) -> None:
    """Lock the row that every movement of this portfolio's money locks first. Raises PortfolioNotFound."""
    if await connection.fetchval(LOCK, portfolio_id) is None:
        raise PortfolioNotFound(portfolio_id)


async def append_transfers(connection: Raw, portfolio_id: int, transfers: Sequence[Transfer]) -> None:
    """Append to the ledger; a trigger brings balances and cached cash along, of which only the end counts.

    Raises InvariantBroken for another portfolio's transfer, an id booked before, or an own account below zero.
    """
    if not transfers:
        return
    with ledger_errors(portfolio_id):
        await connection.execute(APPEND, *transfer_columns(portfolio_id, transfers))


def transfer_columns(portfolio_id: int, transfers: Sequence[Transfer]) -> tuple[list[object], ...]:
    """Return the nine parameters of ``APPEND``. Raises InvariantBroken for another portfolio's transfer."""
    for transfer in transfers:
        if transfer.portfolio_id != portfolio_id:
            raise InvariantBroken(f"transfer {transfer.transfer_id} belongs to portfolio {transfer.portfolio_id}")
    return (
        [transfer.transfer_id for transfer in transfers],
        [transfer.portfolio_id for transfer in transfers],
        [transfer.group_id for transfer in transfers],
        [transfer.kind for transfer in transfers],
        [transfer.asset for transfer in transfers],
        [transfer.debit for transfer in transfers],
        [transfer.credit for transfer in transfers],
        [transfer.amount_micro for transfer in transfers],
        [transfer.time for transfer in transfers],
    )


@contextmanager
def ledger_errors(portfolio_id: int) -> Iterator[None]:
    """Turn what the ledger's tables refuse into InvariantBroken."""
    try:
        yield
    except asyncpg.UniqueViolationError as error:
        raise InvariantBroken(f"{error.detail or error} It was booked already; nothing was booked again.") from error
    except asyncpg.CheckViolationError as error:
        raise InvariantBroken(
            f"portfolio {portfolio_id} would have cash, reserved cash or shares below zero; nothing was booked"
        ) from error


async def write_position(connection: Raw, position: Position, now: datetime) -> None:
    """Replace a position and bring the portfolio's sums along.

    Raises InvariantBroken when its size is not what the ledger has: somebody else moved these shares since it was read.
    """
    if position.size_micro < 0 or position.cost_micro < 0:
        raise InvariantBroken(f"position in {position.token_id} has shares or cost below zero; nothing was booked")
    shares = await connection.fetchval(
        WRITE_POSITION,
        position.portfolio_id,
        position.token_id,
        position.condition_id,
        position.market_id,
        position.market_question,
        position.outcome,
        position.size_micro,
        position.cost_micro,
        position.realized_pnl_micro,
        position.mark_price_micro,
        position.mark_value_micro,
        position.mark_source,
        position.mark_time,
        position.opened_at,
        position.closed_at,
        position.status,
        now,
    )
    if (shares or 0) != position.size_micro:
        raise InvariantBroken(
            f"position in {position.token_id} has {position.size_micro} micro-shares, the ledger {shares or 0}; "
            "nothing was booked"
        )
