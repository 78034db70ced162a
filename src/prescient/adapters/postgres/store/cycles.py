"""Cycles in PostgreSQL: one at a time for each portfolio, once for each key, closed when their process has died."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from prescient.adapters.postgres.errors import UNIQUE_VIOLATION, sqlstate_of
from prescient.adapters.postgres.lock_session import lock_key
from prescient.adapters.postgres.store.base import StoreBase
from prescient.adapters.postgres.store.catalogue_rows import storable_text
from prescient.adapters.postgres.store.rows import report_of
from prescient.adapters.postgres.store.tables import cycle_portfolios, cycles, portfolios
from prescient.domain.cycle import CycleReport, CycleRequest, CycleStatus
from prescient.domain.errors import (
    ConflictError,
    CycleAlreadyRunning,
    CycleInterrupted,
    IdempotencyKeyReused,
    NotFoundError,
    PortfolioNotFound,
)
from prescient.domain.records import Claim

INTERRUPTED = "The process that ran this cycle ended or lost the database. What it booked stays booked, whole."
TRY_LOCK = text("SELECT pg_try_advisory_xact_lock(:key)")


class CycleMethods(StoreBase):
    """The part of ``Store`` about cycles. A running cycle belongs to the process whose anchor holds its lock."""

    async def claim_cycle(self, request: CycleRequest, now: datetime) -> Claim:
        """Raises CycleAlreadyRunning, IdempotencyKeyReused, PortfolioNotFound, ConflictError for an id used before.

        A key sent again answers with the first run's report as it stands, also while that run goes on.
        """
        report = CycleReport(request, CycleStatus.RUNNING, now)
        # Taken before the row can be seen: a running cycle whose lock is free is a dead one.
        if await self._lock_session.take(_lock_name(request.cycle_id)) is None:
            raise _used_before(request.cycle_id)
        try:
            claim = await self._database.transact(lambda connection: _claim(connection, report))
        except BaseException:
            await self._lock_session.free(_lock_name(request.cycle_id))
            raise
        if claim.replayed:
            await self._lock_session.free(_lock_name(request.cycle_id))
        return claim

    async def save_cycle(self, report: CycleReport) -> None:
        """Raises NotFoundError, CycleInterrupted."""

        async def save(connection: AsyncConnection) -> None:
            if not await _save(connection, report):
                raise CycleInterrupted(report.cycle_id)

        await self._lock_session.keep(_lock_name(report.cycle_id))
        await self._database.transact(save)

    async def finish_cycle(self, report: CycleReport) -> None:
        """Raises NotFoundError."""

        async def finish(connection: AsyncConnection) -> None:
            await _save(connection, report)
            await _let_go(connection, report.cycle_id)

        try:
            await self._database.transact(finish)
        finally:
            # Its end could not be written, but it is over: without its lock it is found dead, and closed.
            await self._lock_session.free(_lock_name(report.cycle_id))

    async def cycle(self, cycle_id: str) -> CycleReport:
        """Raises NotFoundError."""
        async with self._database.reading() as connection:
            document = await connection.scalar(select(cycles.c.report).where(cycles.c.cycle_id == cycle_id))
        if document is None:
            raise _unknown(cycle_id)
        return report_of(document)

    async def cycles(self, limit: int) -> list[CycleReport]:
        newest_first = select(cycles.c.report).order_by(cycles.c.started_at.desc(), cycles.c.cycle_id.desc())
        async with self._database.reading() as connection:
            return [report_of(document) for document in await connection.scalars(newest_first.limit(limit))]

    async def close_dead_cycles(self, now: datetime) -> list[str]:
        """Close the running cycles whose lock nobody holds."""

        async def close(connection: AsyncConnection) -> list[str]:
            running = select(cycles.c.cycle_id).where(cycles.c.status == CycleStatus.RUNNING.value)
            closed = []
            for cycle_id in await connection.scalars(running.order_by(cycles.c.cycle_id)):
                if await _close_if_dead(connection, cycle_id, now):
                    closed.append(cycle_id)
            return closed

        return await self._database.transact(close)


async def _claim(connection: AsyncConnection, report: CycleReport) -> Claim:
    request = report.request
    known = await _run_under(connection, request)
    if known is None:
        await _lock_portfolios(connection, request)
        # Again: whoever held the locks may have claimed under this very key.
        known = await _run_under(connection, request)
    if known is not None:
        return Claim(known, replayed=True)
    await _refuse_running(connection, request)
    try:
        async with connection.begin_nested():
            await connection.execute(insert(cycles).values(_values(report)))
    except Exception as error:
        if sqlstate_of(error) != UNIQUE_VIOLATION:
            raise
        # Somebody was faster, with the same key or the same id.
        known = await _run_under(connection, request)
        if known is None:
            raise _used_before(request.cycle_id) from error
        return Claim(known, replayed=True)
    if request.portfolio_ids:
        rows = [
            {"cycle_id": request.cycle_id, "portfolio_id": portfolio_id, "running": True}
            for portfolio_id in dict.fromkeys(request.portfolio_ids)
        ]
        await connection.execute(insert(cycle_portfolios), rows)
    return Claim(report, replayed=False)


async def _run_under(connection: AsyncConnection, request: CycleRequest) -> CycleReport | None:
    """Return the run that has the request's key already. Raises IdempotencyKeyReused when it was asked for something else."""
    if not request.idempotency_key:
        return None
    statement = select(cycles.c.report).where(cycles.c.idempotency_key == request.idempotency_key)
    document = await connection.scalar(statement)
    if document is None:
        return None
    known = report_of(document)
    if _body(known.request) != _body(request):
        raise IdempotencyKeyReused
    return known


async def _lock_portfolios(connection: AsyncConnection, request: CycleRequest) -> None:
    """Let claims on one portfolio come one after the other. Raises PortfolioNotFound."""
    wanted = sorted(set(request.portfolio_ids))
    rows = select(portfolios.c.portfolio_id).where(portfolios.c.portfolio_id.in_(wanted))
    locked = await connection.scalars(rows.order_by(portfolios.c.portfolio_id).with_for_update(key_share=True))
    missing = set(wanted) - set(locked)
    if missing:
        raise PortfolioNotFound(min(missing))


async def _refuse_running(connection: AsyncConnection, request: CycleRequest) -> None:
    """Refuse a second run on portfolios that are locked. Raises CycleAlreadyRunning."""
    wanted = sorted(set(request.portfolio_ids))
    statement = select(cycle_portfolios.c.portfolio_id, cycle_portfolios.c.cycle_id).where(
        cycle_portfolios.c.portfolio_id.in_(wanted), cycle_portfolios.c.running
    )
    running = (await connection.execute(statement.order_by(cycle_portfolios.c.portfolio_id))).first()
    if running is not None:
        raise CycleAlreadyRunning(running.portfolio_id, running.cycle_id)


async def _save(connection: AsyncConnection, report: CycleReport) -> bool:
    """Write a running cycle's report; False if the cycle was closed before. Raises NotFoundError."""
    row = select(cycles.c.status).where(cycles.c.cycle_id == report.cycle_id).with_for_update()
    status = await connection.scalar(row)
    if status is None:
        raise _unknown(report.cycle_id)
    if status != CycleStatus.RUNNING.value:
        return False
    await connection.execute(update(cycles).where(cycles.c.cycle_id == report.cycle_id).values(_values(report)))
    return True


async def _let_go(connection: AsyncConnection, cycle_id: str) -> None:
    held = (cycle_portfolios.c.cycle_id == cycle_id) & cycle_portfolios.c.running
    await connection.execute(update(cycle_portfolios).where(held).values(running=False))


async def _close_if_dead(connection: AsyncConnection, cycle_id: str, now: datetime) -> bool:
    if not await connection.scalar(TRY_LOCK, {"key": lock_key(_lock_name(cycle_id))}):
        return False
    row = select(cycles.c.status, cycles.c.report).where(cycles.c.cycle_id == cycle_id).with_for_update()
    status, document = (await connection.execute(row)).one()
    if status != CycleStatus.RUNNING.value:
        # It ended between our look at the list and our lock.
        return False
    report = report_of(document)
    closed = replace(report, status=CycleStatus.INTERRUPTED, ended_at=now, error=report.error or INTERRUPTED)
    await _save(connection, closed)
    await _let_go(connection, cycle_id)
    return True


def _values(report: CycleReport) -> dict[str, Any]:
    # An error's text comes from outside, and must not keep its cycle from ending.
    error = storable_text(report.error)
    return {
        "cycle_id": report.cycle_id,
        "status": report.status.value,
        "trigger": report.request.trigger,
        "idempotency_key": report.request.idempotency_key,
        "report": replace(report, error=error),
        "error": error,
        "started_at": report.started_at,
        "ended_at": report.ended_at,
    }


def _body(request: CycleRequest) -> CycleRequest:
    """What one idempotency key stands for: all that was asked, but not under which id or by whom."""
    named = () if request.all_active else request.portfolio_ids
    return replace(request, cycle_id="", trigger="", portfolio_ids=named)


def _lock_name(cycle_id: str) -> str:
    return f"cycle:{cycle_id}"


def _unknown(cycle_id: str) -> NotFoundError:
    return NotFoundError(f"Cycle {cycle_id} does not exist. List them: GET /trading/cycles.")


def _used_before(cycle_id: str) -> ConflictError:
    return ConflictError(f"Cycle {cycle_id} ran before. Start another under a new id.")
