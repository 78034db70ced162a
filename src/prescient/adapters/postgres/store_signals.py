"""Signals in PostgreSQL: what the strategies proposed, in the order they did, and whether it was traded."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import exists, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from prescient.adapters.postgres.part import StorePart
from prescient.adapters.postgres.rows import SIGNAL, signal_of, signal_values
from prescient.adapters.postgres.tables import orders, portfolios, signals
from prescient.domain.errors import PortfolioNotFound
from prescient.domain.signal import Signal

# Rows turned into statements between two turns of the event loop.
CHUNK_ROWS = 200


class SignalMethods(StorePart):
    """The part of ``Store`` about signals."""

    async def save_signals(self, given: Sequence[Signal]) -> None:
        """Save all of them or none; one that is known already stays as it was. Raises PortfolioNotFound."""
        if not given:
            return
        wanted = {signal.portfolio_id for signal in given}
        rows = [signal_values(signal) for signal in given]

        async def save(connection: AsyncConnection) -> None:
            known = select(portfolios.c.portfolio_id).where(portfolios.c.portfolio_id.in_(sorted(wanted)))
            missing = wanted - set(await connection.scalars(known))
            if missing:
                raise PortfolioNotFound(min(missing))
            statement = insert(signals).on_conflict_do_nothing(index_elements=["signal_id"])
            for start in range(0, len(rows), CHUNK_ROWS):
                await connection.execute(statement, rows[start : start + CHUNK_ROWS])

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
        statement = select(*SIGNAL).order_by(signals.c.sequence).limit(limit)
        if cycle_id is not None:
            statement = statement.where(signals.c.cycle_id == cycle_id)
        if portfolio_id is not None:
            statement = statement.where(signals.c.portfolio_id == portfolio_id)
        if signal_ids is not None:
            statement = statement.where(signals.c.signal_id.in_(list(signal_ids)))
        if pending_only:
            ordered = exists().where(orders.c.signal_id == signals.c.signal_id, orders.c.signal_id != "")
            statement = statement.where(~ordered)
        async with self._database.reading() as connection:
            return [signal_of(row) for row in await connection.execute(statement)]
