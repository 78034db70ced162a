"""The connection that holds the advisory locks of one process: they end with the process, however it ends."""

from __future__ import annotations

import asyncio
import hashlib
import itertools

import asyncpg

from prescient.adapters.postgres.connection import Raw, connect, database_errors
from prescient.domain.errors import StoreUnavailable

# A holder that cannot reach the server for this long must assume that its lock is lost.
PROBE_TIMEOUT_S = 5.0


def lock_key(name: str) -> int:
    """Return the signed 64-bit key of a lock's name; locks of one database share one space of keys."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big", signed=True)


class LockSession:
    """Takes and frees locks by name. The connection is opened by the first lock that is asked for.

    Each acquisition has its own number, so that a holder who lost a lock does not take a later acquisition for its own.
    """

    def __init__(self, dsn: str, application: str) -> None:
        self._dsn = dsn
        self._application = f"{application} locks"
        self._connection: Raw | None = None
        self._held: dict[str, int] = {}
        self._numbers = itertools.count(1)
        # The driver serves one caller at a time.
        self._one_at_a_time = asyncio.Lock()
        self._closed = False

    async def take(self, name: str) -> int | None:
        """Take a lock and return the acquisition's number, or None while anyone, this process included, holds it.

        Raises StoreUnavailable.
        """
        async with self._one_at_a_time:
            with database_errors():
                connection = await self._ready()
                if name in self._held:
                    return None
                taken = await _asked(connection, "SELECT pg_try_advisory_lock($1)", lock_key(name))
            if not taken:
                return None
            self._held[name] = next(self._numbers)
            return self._held[name]

    async def keep(self, name: str) -> None:
        """Take a lock again if it went with a lost connection and nobody else has it. Raises StoreUnavailable."""
        if name not in self._held or self._connection is None or self._connection.is_closed():
            await self.take(name)

    async def free(self, name: str, number: int | None = None) -> None:
        """Free a lock that we hold, or only the acquisition of that number; a lock lost with its connection is free already."""
        async with self._one_at_a_time:
            if name not in self._held or (number is not None and self._held[name] != number):
                return
            del self._held[name]
            connection = self._connection
            if connection is None or connection.is_closed():
                return
            with database_errors():
                await _asked(connection, "SELECT pg_advisory_unlock($1)", lock_key(name))

    async def holds(self, name: str, number: int) -> bool:
        """Return whether we certainly hold that acquisition: its connection answers now. Never raises."""
        async with self._one_at_a_time:
            connection = self._connection
            if self._held.get(name) != number or connection is None or connection.is_closed():
                return False
            try:
                with database_errors():
                    await connection.fetchval("SELECT 1", timeout=PROBE_TIMEOUT_S)
            except StoreUnavailable:
                # Whether the server released it cannot be known here, so nobody may rely on it.
                connection.terminate()
                return False
            return True

    async def close(self) -> None:
        """Free everything by closing the connection. Closing twice is no error."""
        self._closed = True
        async with self._one_at_a_time:
            connection, self._connection = self._connection, None
            self._held.clear()
            if connection is None or connection.is_closed():
                return
            try:
                await connection.close(timeout=PROBE_TIMEOUT_S)
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                connection.terminate()

    async def _ready(self) -> Raw:
        if self._closed:
            raise StoreUnavailable("This store was closed.")
        if self._connection is None or self._connection.is_closed():
            # What was held was lost with the old connection, and another process may hold it by now.
            self._held.clear()
            self._connection = await connect(self._dsn, self._application)
        return self._connection


async def _asked(connection: Raw, statement: str, key: int) -> object:
    """Run a lock statement. When its answer is lost the connection is closed: it may hold a lock that nobody knows of."""
    try:
        return await connection.fetchval(statement, key)
    except asyncpg.PostgresError:
        raise
    except BaseException:
        connection.terminate()
        raise
