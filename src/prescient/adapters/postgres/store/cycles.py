"""Cycles in PostgreSQL: one at a time for each portfolio, once for each key, closed when their process has died."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import asyncpg

from prescient.adapters.postgres.connection import Raw
from prescient.adapters.postgres.lock_session import lock_key
from prescient.adapters.postgres.store.base import StoreBase
from prescient.adapters.postgres.store.catalogue_rows import storable_text
from prescient.adapters.postgres.store.rows import report_of
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
TRY_LOCK = "SELECT pg_try_advisory_xact_lock($1)"
ONE = "SELECT report FROM cycles WHERE cycle_id = $1"
LATEST = "SELECT report FROM cycles ORDER BY started_at DESC, cycle_id DESC LIMIT $1"
RUNNING = "SELECT cycle_id FROM cycles WHERE status = $1 ORDER BY cycle_id"
OF_KEY = "SELECT report FROM cycles WHERE idempotency_key = $1"
LOCK = "SELECT status, report FROM cycles WHERE cycle_id = $1 FOR UPDATE"
LOCK_PORTFOLIOS = """
SELECT portfolio_id FROM portfolios WHERE portfolio_id = ANY($1::bigint[]) ORDER BY portfolio_id FOR NO KEY UPDATE
"""
HELD = """
SELECT portfolio_id, cycle_id FROM cycle_portfolios WHERE portfolio_id = ANY($1::bigint[]) AND running
 ORDER BY portfolio_id LIMIT 1
"""
INSERT = """
INSERT INTO cycles (cycle_id, status, trigger, idempotency_key, report, error, started_at, ended_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""
HOLD = """
INSERT INTO cycle_portfolios (cycle_id, portfolio_id, running)
SELECT $1, portfolio_id, true FROM unnest($2::bigint[]) AS asked (portfolio_id)
"""
UPDATE = """
UPDATE cycles
   SET status = $2, trigger = $3, idempotency_key = $4, report = $5, error = $6, started_at = $7, ended_at = $8
 WHERE cycle_id = $1
"""
LET_GO = "UPDATE cycle_portfolios SET running = false WHERE cycle_id = $1 AND running"


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

        async def save(connection: Raw) -> None:
            if not await _save(connection, report):
                raise CycleInterrupted(report.cycle_id)

        await self._lock_session.keep(_lock_name(report.cycle_id))
        await self._database.transact(save)

    async def finish_cycle(self, report: CycleReport) -> None:
        """Raises NotFoundError."""

        async def finish(connection: Raw) -> None:
            await _save(connection, report)
            await _let_go(connection, report.cycle_id)

        try:
            await self._database.transact(finish)
        finally:
            # Its end could not be written, but it is over: without its lock it is found dead, and closed.
            await self._lock_session.free(_lock_name(report.cycle_id))

    async def cycle(self, cycle_id: str) -> CycleReport:
        """Raises NotFoundError."""
        row = await self._database.row(ONE, cycle_id)
        if row is None:
            raise _unknown(cycle_id)
        return report_of(row["report"])

    async def cycles(self, limit: int) -> list[CycleReport]:
        return [report_of(row["report"]) for row in await self._database.rows(LATEST, limit)]

    async def close_dead_cycles(self, now: datetime) -> list[str]:
        """Close the running cycles whose lock nobody holds."""

        async def close(connection: Raw) -> list[str]:
            running = [row["cycle_id"] for row in await connection.fetch(RUNNING, CycleStatus.RUNNING.value)]
            return [cycle_id for cycle_id in running if await _close_if_dead(connection, cycle_id, now)]

        return await self._database.transact(close)


async def _claim(connection: Raw, report: CycleReport) -> Claim:
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
        async with connection.transaction():
            await connection.execute(INSERT, *_columns_of(report))
    except asyncpg.UniqueViolationError as error:
        # Somebody was faster, with the same key or the same id.
        known = await _run_under(connection, request)
        if known is None:
            raise _used_before(request.cycle_id) from error
        return Claim(known, replayed=True)
    await connection.execute(HOLD, request.cycle_id, sorted(set(request.portfolio_ids)))
    return Claim(report, replayed=False)


async def _run_under(connection: Raw, request: CycleRequest) -> CycleReport | None:
    """Return the run that has the request's key already. Raises IdempotencyKeyReused when it was asked for something else."""
    if not request.idempotency_key:
        return None
    row = await connection.fetchrow(OF_KEY, request.idempotency_key)
    if row is None:
        return None
    known = report_of(row["report"])
    if _body(known.request) != _body(request):
        raise IdempotencyKeyReused
    return known


async def _lock_portfolios(connection: Raw, request: CycleRequest) -> None:
    """Let claims on one portfolio come one after the other. Raises PortfolioNotFound."""
    wanted = sorted(set(request.portfolio_ids))
    locked = await connection.fetch(LOCK_PORTFOLIOS, wanted)
    missing = set(wanted) - {row["portfolio_id"] for row in locked}
    if missing:
        raise PortfolioNotFound(min(missing))


async def _refuse_running(connection: Raw, request: CycleRequest) -> None:
    """Refuse a second run on portfolios that are locked. Raises CycleAlreadyRunning."""
    wanted = sorted(set(request.portfolio_ids))
    running = await connection.fetchrow(HELD, wanted)
    if running is not None:
        raise CycleAlreadyRunning(running["portfolio_id"], running["cycle_id"])


async def _save(connection: Raw, report: CycleReport) -> bool:
    """Write a running cycle's report; False if the cycle was closed before. Raises NotFoundError."""
    row = await connection.fetchrow(LOCK, report.cycle_id)
    if row is None:
        raise _unknown(report.cycle_id)
    if row["status"] != CycleStatus.RUNNING.value:
        return False
    await connection.execute(UPDATE, *_columns_of(report))
    return True


async def _let_go(connection: Raw, cycle_id: str) -> None:
    await connection.execute(LET_GO, cycle_id)


async def _close_if_dead(connection: Raw, cycle_id: str, now: datetime) -> bool:
    if not await connection.fetchval(TRY_LOCK, lock_key(_lock_name(cycle_id))):
        return False
    row = await connection.fetchrow(LOCK, cycle_id)
    assert row is not None
    if row["status"] != CycleStatus.RUNNING.value:
        # It ended between our look at the list and our lock.
        return False
    report = report_of(row["report"])
    closed = replace(report, status=CycleStatus.INTERRUPTED, ended_at=now, error=report.error or INTERRUPTED)
    await _save(connection, closed)
    await _let_go(connection, cycle_id)
    return True


def _columns_of(report: CycleReport) -> tuple[object, ...]:
    """Return a report as the parameters of INSERT and UPDATE."""
    # An error's text comes from outside, and must not keep its cycle from ending.
    error = storable_text(report.error)
    return (
        report.cycle_id,
        report.status.value,
        report.request.trigger,
        report.request.idempotency_key,
        replace(report, error=error),
        error,
        report.started_at,
        report.ended_at,
    )


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
