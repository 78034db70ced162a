"""The pool of connections below every method of the store: reads, transactions, bounded retries, one table of errors."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

import asyncpg
import msgspec
from asyncpg.pool import PoolConnectionProxy

from polymarket_kit.errors import PrescientError
from prescient.adapters.postgres.errors import RETRYABLE, sqlstate_of, translated
from prescient.backoff import Backoff
from prescient.domain.errors import StoreUnavailable

CONNECT_TIMEOUT_S = 5.0
# A connection that was cut silently (a pulled cable) is given up after this; the server's own limits come first.
COMMAND_TIMEOUT_S = 60.0
POOL_TIMEOUT_S = 30.0
CLOSE_TIMEOUT_S = 5.0
ATTEMPTS_MAX = 4
BACKOFF = Backoff(first_s=0.04, most_s=0.16)
SERVER_SETTINGS = {
    "statement_timeout": "30s",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "10s",
    "timezone": "UTC",
    "jit": "off",
}

Result = TypeVar("Result")
# A connection of our own, or one that the pool lends.
if TYPE_CHECKING:
    Raw = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]
else:
    Raw = asyncpg.Connection | PoolConnectionProxy


async def connect(dsn: str, application: str, **settings: str) -> asyncpg.Connection[asyncpg.Record]:
    """Open one connection of our own. Raises what the driver raises."""
    return await asyncpg.connect(dsn, **_options(application, **settings))


def _options(application: str, **settings: str) -> dict[str, Any]:
    return {
        "timeout": CONNECT_TIMEOUT_S,
        "command_timeout": COMMAND_TIMEOUT_S,
        "server_settings": {**SERVER_SETTINGS, "application_name": application, **settings},
    }


@contextmanager
def database_errors() -> Any:
    """Turn the driver's exceptions into the domain's."""
    try:
        yield
    except Exception as error:
        domain_error = translated(error)
        if domain_error is None:
            raise
        raise domain_error from error


class Database:
    """A small pool on one database. Connections lost are replaced, so that work goes on when the database returns.

    A statement by itself goes to ``rows``, ``row`` or ``value``, several that belong together to ``transact``, COPY and
    what waits for others between its statements to ``bulk``. Every method raises StoreUnavailable.
    """

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        """Take a pool that ``open_database`` made."""
        self._pool = pool
        self._closed = False

    async def rows(self, statement: str, *arguments: object) -> list[asyncpg.Record]:
        """Run one statement and return its rows."""
        with database_errors():
            async with self.bulk() as connection:
                return await connection.fetch(statement, *arguments)

    async def row(self, statement: str, *arguments: object) -> asyncpg.Record | None:
        """Run one statement and return its first row."""
        with database_errors():
            async with self.bulk() as connection:
                return await connection.fetchrow(statement, *arguments)

    async def value(self, statement: str, *arguments: object) -> Any:
        """Run one statement and return the first column of its first row; None if there is no row."""
        with database_errors():
            async with self.bulk() as connection:
                return await connection.fetchval(statement, *arguments)

    async def transact(self, work: Callable[[Raw], Awaitable[Result]]) -> Result:
        """Run work in one transaction, committed whole or not at all.

        The work must touch nothing but the database: after a deadlock, a serialization failure or a lock time-out it
        runs again, at most four times.
        """

        async def once() -> Result:
            async with self.bulk() as connection, connection.transaction():
                return await work(connection)

        with database_errors():
            return await _attempts(once)

    @asynccontextmanager
    async def bulk(self) -> AsyncIterator[Raw]:
        """Lend a connection without a transaction, and discard it when one was begun and did not end cleanly.

        After a BEGIN that was cancelled or timed out, whatever the pool's next user commits would be a part of that
        first transaction, and be lost with it. Errors of the body are not translated, because it may wait for other
        things than the database.
        """
        if self._closed:
            raise StoreUnavailable("This store was closed.")
        with database_errors():
            connection = await self._pool.acquire(timeout=POOL_TIMEOUT_S)
        in_order = False
        try:
            yield connection
            in_order = True
        except (PrescientError, asyncpg.PostgresError) as error:
            # Refused by us or by the server, so rolled back.
            in_order = not isinstance(error, StoreUnavailable)
            raise
        finally:
            # What the driver says of a lost connection, which the pool has taken back already, is no news here.
            with suppress(asyncpg.InterfaceError):
                if not in_order or connection.is_in_transaction():
                    connection.terminate()
            await self._pool.release(connection)

    async def close(self) -> None:
        """Close every connection. Closing twice is no error; using the store afterwards is."""
        self._closed = True
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self._pool.close()
        except TimeoutError:
            # Somebody still works on a connection, or the server does not answer.
            self._pool.terminate()


async def open_database(dsn: str, *, pool_size: int, application: str) -> Database:
    """Make a pool of at most this many connections; each is opened when it is needed."""
    pool = await asyncpg.create_pool(
        dsn, min_size=0, max_size=pool_size, init=_read_json, reset=_leave, **_options(application)
    )
    assert pool is not None
    return Database(pool)


async def _attempts(once: Callable[[], Awaitable[Result]]) -> Result:
    # A loop of our own around the shared pauses: the library's costs every transaction 20 microseconds.
    for attempt in range(1, ATTEMPTS_MAX):
        try:
            return await once()
        except Exception as error:
            if sqlstate_of(error) not in RETRYABLE:
                raise
        await asyncio.sleep(BACKOFF.pause_s(attempt) * random.uniform(0.5, 1))
    return await once()


async def _read_json(connection: Raw) -> None:
    """Let jsonb columns be read and written as the values that they hold."""
    await connection.set_type_codec(
        "jsonb", schema="pg_catalog", format="binary", encoder=_jsonb_bytes, decoder=_jsonb_value
    )


def _jsonb_bytes(value: object) -> bytes:
    # One byte for the version of the format, which is 1 since there is jsonb.
    return b"\x01" + msgspec.json.encode(value)


def _jsonb_value(data: bytes) -> Any:
    return msgspec.json.decode(data[1:])


async def _leave(_connection: Raw) -> None:
    # What a transaction sets ends with it, so nothing is to be reset: that would cost every loan a round trip.
    return


def json_text(value: object) -> str:
    """Write JSON for a parameter that the server takes apart by itself."""
    return msgspec.json.encode(value).decode()
