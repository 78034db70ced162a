"""Signals in PostgreSQL: what the strategies proposed, in the order they did, and whether it was traded."""

from __future__ import annotations

from collections.abc import Sequence

from prescient.adapters.postgres.connection import Raw, json_text
from prescient.adapters.postgres.store.base import StoreBase
from prescient.adapters.postgres.store.rows import SIGNAL, signal_of, where
from prescient.domain.errors import PortfolioNotFound
from prescient.domain.signal import Signal

# Signals written as JSON between two turns of the event loop.
CHUNK_ROWS = 500

# A whole cycle's signals as one parameter, field by field as the class names them.
SAVE = """
INSERT INTO trading_signals (signal_id, cycle_id, portfolio_id, strategy, market_id, condition_id, token_id,
                             market_question, outcome, action, score, catalogue_price, price, size, group_id, reason,
                             timestamp)
SELECT signal_id, cycle_id, portfolio_id, strategy, market_id, condition_id, token_id, market_question, outcome, side,
       score_micro * 0.000001, catalogue_price_micro * 0.000001, price_micro * 0.000001, size_micro * 0.000001,
       group_id, reason, time
  FROM ROWS FROM (json_to_recordset($1::json) AS (
           signal_id text, cycle_id text, portfolio_id bigint, strategy text, market_id text, condition_id text,
           token_id text, market_question text, outcome text, side text, score_micro bigint,
           catalogue_price_micro bigint, price_micro bigint, size_micro bigint, group_id text, reason text,
           time timestamptz)) WITH ORDINALITY
 ORDER BY ordinality
ON CONFLICT (signal_id) DO NOTHING
"""
UNKNOWN_PORTFOLIO = """
SELECT min(wanted) FROM unnest($1::bigint[]) AS wanted
 WHERE NOT EXISTS (SELECT FROM portfolios WHERE portfolio_id = wanted)
"""
# A refusal is an order as well.
PENDING = """
NOT EXISTS (SELECT FROM orders WHERE orders.signal_id = trading_signals.signal_id AND orders.signal_id <> '')
"""


class SignalMethods(StoreBase):
    """The part of ``Store`` about signals."""

    async def save_signals(self, given: Sequence[Signal]) -> None:
        """Save all of them or none; one that is known already stays as it was. Raises PortfolioNotFound."""
        if not given:
            return
        wanted = sorted({signal.portfolio_id for signal in given})

        async def save(connection: Raw) -> None:
            unknown = await connection.fetchval(UNKNOWN_PORTFOLIO, wanted)
            if unknown is not None:
                raise PortfolioNotFound(unknown)
            for start in range(0, len(given), CHUNK_ROWS):
                await connection.execute(SAVE, json_text(given[start : start + CHUNK_ROWS]))

        await self._database.transact(save)

    async def signals(
        self,
        *,
        cycle_id: str | None = None,
        portfolio_id: int | None = None,
        signal_ids: Sequence[str] | None = None,
        pending_only: bool = False,
        limit: int = 1000,
    ) -> list[Signal]:
        """Return signals as they were saved, the first ``limit``; pending is what has no order, refused ones included."""
        clause, values = where(
            ("cycle_id = {}", cycle_id),
            ("portfolio_id = {}", portfolio_id),
            ("signal_id = ANY({}::text[])", signal_ids),
            (PENDING, pending_only),
        )
        as_saved = f"SELECT {SIGNAL} FROM trading_signals {clause} ORDER BY sequence LIMIT ${len(values) + 1}"  # noqa: S608 # our own text
        return [signal_of(row) for row in await self._database.rows(as_saved, *values, limit)]
