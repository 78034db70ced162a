"""Leases and heartbeats in PostgreSQL: one price updater among all processes, and a true sign that it lives."""

from __future__ import annotations

import asyncio
import os
import socket
from datetime import datetime
from typing import Any

from prescient.adapters.postgres.lock_session import LockSession
from prescient.adapters.postgres.store.base import StoreBase
from prescient.ports.store import Lease

ASK_AGAIN_S = 0.05

COUNT_EPOCH = """
INSERT INTO leases AS kept (name, epoch, holder, taken_at) VALUES ($1, 1, $2, now())
ON CONFLICT (name) DO UPDATE SET epoch = kept.epoch + 1, holder = excluded.holder, taken_at = excluded.taken_at
"""
BEAT = """
INSERT INTO heartbeats (name, beat_at, detail) VALUES ($1, $2, $3)
ON CONFLICT (name) DO UPDATE SET beat_at = excluded.beat_at, detail = excluded.detail
"""


class LeaseMethods(StoreBase):
    """The part of ``Store`` about one worker among all processes."""

    async def lease(self, name: str, wait_s: float = 0.0) -> Lease | None:
        """Take a lease by an advisory lock, and count its epochs in ``leases`` for people who ask who holds it."""
        lock_name = f"lease:{name}"
        loop = asyncio.get_running_loop()
        end_s = loop.time() + wait_s
        # Asked again and again, because a wait inside the server would keep the one connection from all other locks.
        while (number := await self._lock_session.take(lock_name)) is None:
            if loop.time() >= end_s:
                return None
            await asyncio.sleep(ASK_AGAIN_S)
        holder = f"{socket.gethostname()} process {os.getpid()}"
        try:
            await self._database.rows(COUNT_EPOCH, name, holder)
        except BaseException:
            await self._lock_session.free(lock_name, number)
            raise
        return PostgresLease(self._lock_session, lock_name, number)

    async def beat(self, name: str, now: datetime, detail: dict[str, Any]) -> None:
        await self._database.rows(BEAT, name, now, detail)

    async def heartbeat(self, name: str) -> tuple[datetime, dict[str, Any]] | None:
        row = await self._database.row("SELECT beat_at, detail FROM heartbeats WHERE name = $1", name)
        return None if row is None else (row["beat_at"], row["detail"])

    async def ping(self) -> None:
        """Raises StoreUnavailable."""
        await self._database.value("SELECT 1")

    async def close(self) -> None:
        """Give up leases and connections. Closing twice is no error."""
        await self._lock_session.close()
        await self._database.close()


class PostgresLease:
    """A lease that ends when released, when its process ends, or when its connection is lost."""

    def __init__(self, lock_session: LockSession, lock_name: str, number: int) -> None:
        self._lock_session = lock_session
        self._lock_name = lock_name
        self._number = number

    async def held(self) -> bool:
        return await self._lock_session.holds(self._lock_name, self._number)

    async def release(self) -> None:
        await self._lock_session.free(self._lock_name, self._number)
