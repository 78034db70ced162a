"""Why something did or did not go on, in PostgreSQL: one row per dropped event and per market, kept for days."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from prescient.adapters.postgres.connection import Raw
from prescient.adapters.postgres.store.base import StoreBase
from prescient.adapters.postgres.store.partitions import PARTITIONED, append_rows, days_ahead, drop_before, ensure_days
from prescient.adapters.postgres.store.rows import value_of, where
from prescient.domain.signal import Decision, Step

# The columns of a decision are its fields.
COLUMNS = ("timestamp", "cycle_id", *Decision._fields)
READ = ", ".join(COLUMNS)
CHUNK_ROWS = 5000

PRUNE_SCREENED = """
DELETE FROM cycle_markets USING cycles WHERE cycles.cycle_id = cycle_markets.cycle_id AND cycles.started_at < $1
"""


class DecisionMethods(StoreBase):
    """The part of ``Store`` that answers "why did it not trade?", and its retention."""

    async def save_decisions(self, cycle_id: str, decisions: Sequence[Decision], now: datetime) -> None:
        """Append decisions, which may be tens of thousands."""
        rows: list[tuple[object, ...]] = []
        for start in range(0, len(decisions), CHUNK_ROWS):
            rows += [(now, cycle_id, *decision) for decision in decisions[start : start + CHUNK_ROWS]]
            await asyncio.sleep(0)
        if rows:
            day = now.astimezone(UTC).date()
            await self._database.transact(lambda connection: append_rows(connection, "decisions", COLUMNS, rows, day))

    async def decisions(
        self,
        *,
        cycle_id: str | None = None,
        subject_id: str | None = None,
        portfolio_id: int | None = None,
        limit: int = 200,
    ) -> list[tuple[str, datetime, Decision]]:
        """Return (cycle id, time, decision), the one made last first."""
        clause, values = where(
            ("cycle_id = {}", cycle_id),
            ("subject_id = {}", subject_id),
            ("(portfolio_id IS NULL OR portfolio_id = {})", portfolio_id),
        )
        # By time first: connections that save side by side draw their sequence numbers in turns.
        newest_first = f"SELECT {READ} FROM decisions {clause} ORDER BY timestamp DESC, sequence DESC"  # noqa: S608 # our own text
        rows = await self._database.rows(f"{newest_first} LIMIT ${len(values) + 1}", *values, limit)
        return [(row["cycle_id"], row["timestamp"], value_of(Decision, row, step=Step(row["step"]))) for row in rows]

    async def prune(self, now: datetime, decisions_days: int, snapshots_days: int) -> None:
        """Drop whole days past their time, and make room for the clock's day and those ahead."""
        kept_days = dict(zip(PARTITIONED, (decisions_days, snapshots_days), strict=True))
        for name, days in kept_days.items():
            first_kept = (now - timedelta(days=days)).astimezone(UTC).date()

            async def drop(connection: Raw, name: str = name, first_kept: date = first_kept) -> None:
                await drop_before(connection, name, first_kept)
                await ensure_days(connection, name, days_ahead(now))

            await self._database.transact(drop)
        oldest = now - timedelta(days=decisions_days)
        await self._database.transact(lambda connection: connection.execute(PRUNE_SCREENED, oldest))
