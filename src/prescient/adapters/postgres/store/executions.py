"""Executions that are handed over, in PostgreSQL: each is claimed once, and withdrawn only while nobody has claimed it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import asyncpg
import msgspec

from prescient.adapters.postgres.connection import Raw
from prescient.adapters.postgres.lock_session import lock_key
from prescient.adapters.postgres.store.base import StoreBase
from prescient.adapters.postgres.store.rows import step_of
from prescient.domain.cycle import StepReport
from prescient.domain.errors import InvariantBroken, NotFoundError
from prescient.domain.execution import ExecutionRequest, owner_lease

ASK = """
INSERT INTO execution_requests (request_id, venue, cycle_id, portfolio_id, signal_ids, requested_at)
VALUES ($1, $2, $3, $4, $5, $6)
"""

COLUMNS = """
request_id, venue, cycle_id, portfolio_id, signal_ids, requested_at, claimed_by, claimed_at, ended_at,
report::text AS report, error::text AS error
"""

READ = f"SELECT {COLUMNS} FROM execution_requests WHERE request_id = $1"  # noqa: S608 # our own text

# A lease is an advisory lock of this database; a key of 64 bits shows as two halves.
OWNED = """
EXISTS (SELECT FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
         WHERE locktype = 'advisory' AND granted AND datname = current_database() AND objsubid = 1
           AND classid::bigint = {0}::bigint AND objid::bigint = {1}::bigint)
"""

WITHDRAW = (
    "UPDATE execution_requests SET ended_at = $2 WHERE request_id = $1 AND claimed_at IS NULL AND ended_at IS NULL"
)
WITHDRAW_UNOWNED = f"{WITHDRAW} AND NOT {OWNED.format('$3', '$4')}"

CLAIM = f"""
UPDATE execution_requests SET claimed_by = $2, claimed_at = $3
 WHERE request_id = (SELECT request_id FROM execution_requests
                      WHERE venue = $1 AND claimed_at IS NULL AND ended_at IS NULL
                      ORDER BY requested_at, request_id LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING {COLUMNS}
"""  # noqa: S608 # our own text

END = """
UPDATE execution_requests SET report = $2::text::jsonb, error = $3::text::jsonb, ended_at = $4
 WHERE request_id = $1 AND claimed_at IS NOT NULL AND ended_at IS NULL
"""

ABANDONED = """
SELECT request_id FROM execution_requests WHERE venue = $1 AND claimed_at IS NOT NULL AND ended_at IS NULL
 ORDER BY requested_at, request_id
"""


class ExecutionMethods(StoreBase):
    """The part of ``Store`` about executions that are handed over."""

    async def ask_execution(self, request: ExecutionRequest) -> None:
        signal_ids = None if request.signal_ids is None else list(request.signal_ids)
        about = request.venue, request.cycle_id, request.portfolio_id, signal_ids, request.requested_at

        async def write(connection: Raw) -> None:
            try:
                await connection.execute(ASK, request.request_id, *about)
            except asyncpg.UniqueViolationError as error:
                raise InvariantBroken(f"execution {request.request_id} is asked for already") from error

        await self._database.transact(write)

    async def execution(self, request_id: str) -> ExecutionRequest:
        rows = await self._database.rows(READ, request_id)
        if not rows:
            raise NotFoundError(f"Execution {request_id} was never asked for.")
        return _request_of(rows[0])

    async def withdraw_execution(self, request_id: str, now: datetime, *, only_if_unowned: bool = False) -> bool:
        async def write(connection: Raw) -> bool:
            if not only_if_unowned:
                return str(await connection.execute(WITHDRAW, request_id, now)) == "UPDATE 1"
            venue = await connection.fetchval("SELECT venue FROM execution_requests WHERE request_id = $1", request_id)
            status = await connection.execute(WITHDRAW_UNOWNED, request_id, now, *_halves(str(venue)))
            return str(status) == "UPDATE 1"

        return await self._database.transact(write)

    async def claim_execution(self, venue: str, owner: str, now: datetime) -> ExecutionRequest | None:
        async def write(connection: Raw) -> Any:
            return await connection.fetchrow(CLAIM, venue, owner, now)

        row = await self._database.transact(write)
        return None if row is None else _request_of(row)

    async def end_execution(
        self, request_id: str, report: StepReport | None, error: tuple[str, str] | None, now: datetime
    ) -> None:
        texts = [None if one is None else msgspec.json.encode(one).decode() for one in (report, error)]

        async def write(connection: Raw) -> None:
            await connection.execute(END, request_id, *texts, now)

        await self._database.transact(write)

    async def abandoned_executions(self, venue: str) -> list[str]:
        return [row["request_id"] for row in await self._database.rows(ABANDONED, venue)]

    async def is_owned(self, venue: str) -> bool:
        rows = await self._database.rows(f"SELECT {OWNED.format('$1', '$2')} AS owned", *_halves(venue))
        return bool(rows[0]["owned"])


def _halves(venue: str) -> tuple[int, int]:
    """The lock of a venue's lease as ``pg_locks`` shows it."""
    key = lock_key(f"lease:{owner_lease(venue)}") & (2**64 - 1)
    return key >> 32, key & (2**32 - 1)


def _request_of(row: Any) -> ExecutionRequest:
    error = None if row["error"] is None else msgspec.json.decode(row["error"], type=tuple[str, str])
    return ExecutionRequest(
        request_id=row["request_id"],
        venue=row["venue"],
        cycle_id=row["cycle_id"],
        portfolio_id=row["portfolio_id"],
        signal_ids=None if row["signal_ids"] is None else tuple(row["signal_ids"]),
        requested_at=row["requested_at"],
        claimed_by=row["claimed_by"],
        claimed_at=row["claimed_at"],
        ended_at=row["ended_at"],
        report=None if row["report"] is None else step_of(msgspec.json.decode(row["report"])),
        error=error,
    )
