"""The pool of connections below every method of the store: reads, transactions, bounded retries, one table of errors."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import asyncpg
import msgspec
from sqlalchemy import ClauseElement, event, exc
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from polymarket_kit.errors import PrescientError
from prescient.adapters.postgres.errors import RETRYABLE, sqlstate_of, translated
from prescient.backoff import Backoff
from prescient.domain.errors import StoreUnavailable

CONNECT_TIMEOUT_S = 5.0
# A connection that was cut silently (a pulled cable) is given up after this; the server's own limits come first.
COMMAND_TIMEOUT_S = 60.0
POOL_TIMEOUT_S = 30.0
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
if TYPE_CHECKING:
    Raw = asyncpg.Connection[asyncpg.Record]
else:
    Raw = asyncpg.Connection


async def connect(dsn: str, application: str, **settings: str) -> Raw:
    """Open one connection of our own. Raises what the driver raises."""
    return await asyncpg.connect(
        dsn,
        timeout=CONNECT_TIMEOUT_S,
        command_timeout=COMMAND_TIMEOUT_S,
        server_settings={**SERVER_SETTINGS, "application_name": application, **settings},
    )


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
    """A small pool on one database. Connections lost are replaced, so that work goes on when the database returns."""

    def __init__(self, dsn: str, *, pool_size: int = 5, application: str = "prescient") -> None:
        self.dsn = dsn
        self.application = application
        self._closed = False
        kept = min(pool_size, 3)

        async def creator() -> Raw:
            return await connect(dsn, application)

        self._engine: AsyncEngine = create_async_engine(
            "postgresql+asyncpg://",
            async_creator=creator,
            pool_size=kept,
            max_overflow=pool_size - kept,
            pool_timeout=POOL_TIMEOUT_S,
            # The connection used last has warm caches; the others may idle.
            pool_use_lifo=True,
            json_serializer=json_text,
            json_deserializer=msgspec.json.decode,
        )
        event.listen(self._engine.sync_engine, "checkout", _refuse_dead)
        self._reader = self._engine.execution_options(isolation_level="AUTOCOMMIT")

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """Yield an autocommit connection."""
        self._refuse_closed()
        with database_errors():
            async with self._reader.connect() as connection:
                yield connection

    async def transact(self, work: Callable[[AsyncConnection], Awaitable[Result]]) -> Result:
        """Run work in one transaction, committed whole or not at all.

        The work must touch nothing but the database: after a deadlock, a serialization failure or a lock time-out it
        runs again, at most four times.
        """

        async def once() -> Result:
            async with self._engine.begin() as connection:
                return await work(connection)

        return await self._repeated(once)

    async def transact_raw(self, work: Callable[[Raw], Awaitable[Result]]) -> Result:
        """Like ``transact``, on the driver's own connection: for money, where each statement's time counts."""

        async def once() -> Result:
            async with self._lent() as driver, driver.transaction():
                return await work(driver)

        return await self._repeated(once)

    async def _repeated(self, once: Callable[[], Awaitable[Result]]) -> Result:
        self._refuse_closed()
        with database_errors():
            return await _attempts(once)

    async def rows(self, statement: str, *arguments: object) -> list[asyncpg.Record]:
        """Run one statement by itself and return its rows as the driver reads them: numbers of money as Decimal."""
        async with self.bulk() as connection:
            with database_errors():
                return await connection.fetch(statement, *arguments)

    @asynccontextmanager
    async def bulk(self) -> AsyncIterator[Raw]:
        """Yield the driver's own connection, for COPY and long results; no transaction is open.

        Errors of the body are not translated, because it may wait for other things than the database.
        """
        self._refuse_closed()
        async with self._lent() as driver:
            yield driver

    @asynccontextmanager
    async def _lent(self) -> AsyncIterator[Raw]:
        """Yield the driver's own connection, and discard it when its transaction did not end cleanly.

        After a BEGIN that was cancelled or timed out, whatever the pool's next user commits would be a part of that
        first transaction, and be lost with it.
        """
        with database_errors():
            connection = await self._reader.connect()
        try:
            driver = await driver_of(connection)
            in_order = False
            try:
                yield driver
                in_order = True
            except (PrescientError, asyncpg.PostgresError) as error:
                # Refused by us or by the server, so rolled back.
                in_order = not isinstance(error, StoreUnavailable)
                raise
            finally:
                if not driver.is_closed() and (not in_order or driver.is_in_transaction()):
                    driver.terminate()
        finally:
            await connection.close()

    async def close(self) -> None:
        """Close every connection. Closing twice is no error; using the store afterwards is."""
        self._closed = True
        await self._engine.dispose()

    def _refuse_closed(self) -> None:
        if self._closed:
            raise StoreUnavailable("This store was closed.")


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


async def driver_of(connection: AsyncConnection) -> Raw:
    """Return the driver's connection below SQLAlchemy's."""
    raw = await connection.get_raw_connection()
    driver = raw.driver_connection
    assert driver is not None
    return driver  # type: ignore[no-any-return]  # SQLAlchemy does not know which driver it carries


def compiled(statement: ClauseElement) -> str:
    """Return a query as text with $1, $2, ... in the order of its parameters, to be run by the driver itself.

    What a cycle reads for every order goes this way: it takes a tenth of the time.
    """
    dialect = postgresql.dialect(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call] # it carries no types
    return str(statement.compile(dialect=dialect))


def json_text(value: object) -> str:
    """Write JSON for a jsonb column."""
    return msgspec.json.encode(value).decode()


def _refuse_dead(dbapi_connection: Any, _record: Any, _proxy: Any) -> None:
    # The driver notices a lost server by itself, so asking it costs nothing, where a ping costs a round trip.
    if dbapi_connection.driver_connection.is_closed():
        raise exc.DisconnectionError
