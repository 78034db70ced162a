"""Settlements in PostgreSQL: begun in a booking's transaction, carried on by rounds, and undone when a trade fails."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import asyncpg

from polymarket_kit.model import Side
from prescient.adapters.postgres.connection import Raw
from prescient.adapters.postgres.store.base import StoreBase
from prescient.adapters.postgres.store.facts import columns_of
from prescient.adapters.postgres.store.money import (
    STANDING,
    append_transfers,
    lock_portfolio,
    refuse_moved,
    write_position,
)
from prescient.adapters.postgres.store.rows import value_of
from prescient.domain.errors import InvariantBroken
from prescient.domain.order_state import Fact
from prescient.domain.settlement import Reversal, SettlementState, TradeSettlement

COLUMNS = """trade_id, order_id, portfolio_id, token_id, side, first_number, fill_count, size, cost, fee, cost_basis,
             mark_value, matched_at, mines_at, confirms_at, fails, state, settled_at"""

SETTLEMENT = """
trade_id, order_id, portfolio_id, token_id, side, first_number, fill_count,
(size * 1000000)::bigint AS size_micro,
(cost * 1000000)::bigint AS cost_micro,
(fee * 1000000)::bigint AS fee_micro,
(cost_basis * 1000000)::bigint AS cost_basis_micro,
(mark_value * 1000000)::bigint AS mark_value_micro,
matched_at, mines_at, confirms_at, fails, state, settled_at
"""

BEGIN = f"""
INSERT INTO trade_settlements ({COLUMNS})
VALUES ($1, $2, $3, $4, $5, $6, $7, $8::bigint * 0.000001, $9::bigint * 0.000001, $10::bigint * 0.000001,
        $11::bigint * 0.000001, $12::bigint * 0.000001, $13, $14, $15, $16, $17, $18)
"""  # noqa: S608 # our own text

DUE = f"""
SELECT {SETTLEMENT} FROM trade_settlements
 WHERE state IN ('matched', 'mined') AND CASE state WHEN 'matched' THEN mines_at ELSE confirms_at END <= $1
   AND ($2::bigint IS NULL OR portfolio_id = $2)
 ORDER BY portfolio_id, mines_at, trade_id LIMIT $3
"""  # noqa: S608 # our own text

ADVANCE = """
UPDATE trade_settlements AS kept SET state = given.state, settled_at = $2
  FROM unnest($3::text[], $4::text[]) AS given (trade_id, state)
 WHERE kept.trade_id = given.trade_id AND kept.portfolio_id = $1 AND kept.state IN ('matched', 'mined')
"""

TELL = """
INSERT INTO order_facts (order_id, fact_id, kind, at, data)
SELECT order_id, fact_id, kind, at, data::jsonb
  FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::text[])
       AS given (order_id, fact_id, kind, at, data)
    ON CONFLICT DO NOTHING
"""

STANDS = f"""
SELECT state, {STANDING.format("portfolio_id", "token_id")} AS standing FROM trade_settlements WHERE trade_id = $1
"""  # noqa: S608 # our own text

FAIL = """
WITH failed AS (
    UPDATE trade_settlements SET state = 'failed', settled_at = $2 WHERE trade_id = $1
)
UPDATE trades SET status = 'failed', realized_pnl = 0 WHERE trade_id = $1
"""


class SettlementMethods(StoreBase):
    """The part of ``Store`` about trades on their way to the chain."""

    async def due_settlements(self, now: datetime, portfolio_id: int | None, limit: int) -> list[TradeSettlement]:
        rows = await self._database.rows(DUE, now, portfolio_id, limit)
        return [_settlement_of(row) for row in rows]

    async def save_settled(self, portfolio_id: int, settled: Sequence[TradeSettlement], now: datetime) -> None:
        """Keep how far trades have settled. Raises PortfolioNotFound."""
        assert all(one.portfolio_id == portfolio_id for one in settled)
        assert all(one.state is not SettlementState.FAILED for one in settled)

        async def advance(connection: Raw) -> None:
            await lock_portfolio(connection, portfolio_id)
            ids, states = [one.trade_id for one in settled], [one.state.value for one in settled]
            await connection.execute(ADVANCE, portfolio_id, now, ids, states)
            await _tell(connection, [fact for one in settled for fact in one.facts()])

        if settled:
            await self._database.transact(advance)

    async def reverse(self, reversal: Reversal, now: datetime) -> bool:
        """Undo a failed trade once. Raises PortfolioNotFound, PositionMoved, InvariantBroken."""
        failed = reversal.settlement

        async def undo(connection: Raw) -> bool:
            await lock_portfolio(connection, failed.portfolio_id)
            found = await connection.fetchrow(STANDS, failed.trade_id)
            if found is None:
                raise InvariantBroken(f"trade {failed.trade_id} never began to settle; nothing was undone")
            if found["state"] != SettlementState.MATCHED.value:
                return False
            refuse_moved(found["standing"], reversal.before)
            await append_transfers(connection, failed.portfolio_id, reversal.transfers)
            await write_position(connection, reversal.after, now)
            await connection.execute(FAIL, failed.trade_id, now)
            await _tell(connection, failed.facts())
            return True

        return await self._database.transact(undo)


async def begin_settlement(connection: Raw, one: TradeSettlement) -> None:
    """Write the settlement of a trade that is being booked. Part of the booking's transaction."""
    try:
        await connection.execute(
            BEGIN,
            one.trade_id,
            one.order_id,
            one.portfolio_id,
            one.token_id,
            one.side.value,
            one.first_number,
            one.fill_count,
            one.size_micro,
            one.cost_micro,
            one.fee_micro,
            one.cost_basis_micro,
            one.mark_value_micro,
            one.matched_at,
            one.mines_at,
            one.confirms_at,
            one.fails,
            one.state.value,
            one.settled_at,
        )
    except asyncpg.ForeignKeyViolationError as error:
        raise InvariantBroken(f"the settlement of trade {one.trade_id} is not of a booked trade") from error


def _settlement_of(record: asyncpg.Record) -> TradeSettlement:
    return value_of(TradeSettlement, record, side=Side(record["side"]), state=SettlementState(record["state"]))


async def _tell(connection: Raw, facts: Sequence[Fact]) -> None:
    await connection.execute(TELL, [fact.order_id for fact in facts], *columns_of(facts))
