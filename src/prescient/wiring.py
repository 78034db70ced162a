"""Composes the system: the one module that knows every adapter, and imports each when it is needed.

| row | Clock | MarketData | Venue | Store |
|---|---|---|---|---|
| practice | the practice exchange's | practice exchange | paper | PostgreSQL |
| polymarket | system | Polymarket | paper | PostgreSQL |
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prescient.service_table import LOOPBACK, STEP_SERVICES

if TYPE_CHECKING:
    from pathlib import Path

    from prescient.adapters.postgres.server.embedded import EmbeddedPostgres
    from prescient.adapters.postgres.server.types import ConnectionInfo
    from prescient.domain.records import ComponentHealth
    from prescient.domain.settlement import SettlementModel
    from prescient.paper_matching.queue_model import QueueModel
    from prescient.ports.clock import Clock
    from prescient.ports.context import TradingContext
    from prescient.ports.market_data import MarketData, MarketStream
    from prescient.ports.steps import CycleSteps
    from prescient.ports.store import Store
    from prescient.ports.strategy import Strategy
    from prescient.settings import Settings

POLYMARKET_GAMMA_URL = "https://gamma-api.polymarket.com"
POLYMARKET_CLOB_URL = "https://clob.polymarket.com"
POLYMARKET_STREAM_URL = "wss://ws-subscriptions-clob.polymarket.com/ws/market"
# A recorded source of markets: nothing changes there, so it has no stream.
CATALOGUE = "catalogue-"
# The practice world whose database has the runbook's name.
FIRST_SEED = 7


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """All that depends on where markets come from, for one installation. Whoever needs to know asks here."""

    # As the database records it; each source has a database of its own, so that they never mix.
    name: str
    # As people are told.
    title: str
    database_suffix: str
    gamma_url: str
    clob_url: str
    stream_url: str
    # Where our own practice exchange listens, which sets the clock and is started with everything else; None: the source
    # is somebody else's, and has to be reached over the network.
    practice_port: int | None
    # How long before its trade a level's change may be told; see QueueModel.
    level_before_print_ms: int
    # Whether messages are stamped with the time that this machine's clock shows.
    in_our_time: bool


def _practice(settings: Settings) -> SourceInfo:
    """The practice exchange tells a trade before the level that it changed."""
    url = practice_url(settings)
    return SourceInfo(
        name=f"practice-{settings.seed}",
        title=f"practice exchange, seed {settings.seed}",
        database_suffix="" if settings.seed == FIRST_SEED else f"_practice_{settings.seed}",
        gamma_url=f"{url}/gamma",
        clob_url=f"{url}/clob",
        stream_url=f"ws://{LOOPBACK}:{settings.practice_port}/ws/market",
        practice_port=settings.practice_port,
        level_before_print_ms=0,
        in_our_time=False,
    )


def _polymarket(_: Settings) -> SourceInfo:
    """In which order Polymarket tells a trade and its level is not known: the cautious reading."""
    return SourceInfo(
        name="polymarket",
        title="Polymarket's public data",
        database_suffix="_polymarket",
        gamma_url=POLYMARKET_GAMMA_URL,
        clob_url=POLYMARKET_CLOB_URL,
        stream_url=POLYMARKET_STREAM_URL,
        practice_port=None,
        level_before_print_ms=1_000,
        in_our_time=True,
    )


SOURCES: dict[str, Callable[[Settings], SourceInfo]] = {"practice": _practice, "polymarket": _polymarket}


def source_info(settings: Settings) -> SourceInfo:
    """The row of the source that PRESCIENT_VENUE names."""
    return SOURCES[settings.venue](settings)


def database_name(settings: Settings) -> str:
    """The database of this source: Polymarket and every practice world but the first have names of their own."""
    if not settings.uses_embedded_postgres:
        return settings.postgres_db
    return f"{settings.postgres_db}{source_info(settings).database_suffix}"


def database_server(settings: Settings) -> str:
    """Which server holds the database, for people; the same server has one name."""
    if settings.uses_embedded_postgres:
        return "the embedded server"
    host = "localhost" if settings.postgres_host in (LOOPBACK, "::1") else settings.postgres_host.lower()
    return f"{host}:{settings.postgres_port}"


def database_of_home(settings: Settings) -> str:
    """Which database a home works with, whatever its source of markets, which may add a suffix to the name."""
    return f"{settings.postgres_db} on {database_server(settings)}"


# The venues that the worker alone holds, because they need secrets; a live venue is one more (decision 8).
WORKER_VENUES: frozenset[str] = frozenset()


@asynccontextmanager
async def open_context(settings: Settings, *, venue_wanted: bool = True) -> AsyncIterator[TradingContext]:
    """Connect everything that one process trades with, and close it in the opposite order.

    Without the venue the context serves for looking after portfolios while nothing else runs; its time is the machine's.
    Raises StoreUnavailable, VenueUnavailable (practice only: Polymarket is first asked when it is needed).
    """
    from prescient.adapters.gather import ConcurrentGather
    from prescient.adapters.ids import SystemIds
    from prescient.adapters.paper import PaperVenue
    from prescient.adapters.recent import RecentMarketData
    from prescient.ports.context import TradingContext

    async with AsyncExitStack() as stack:
        clock, source = (
            await _open_clock(settings, stack) if venue_wanted else (system_clock(), source_info(settings).name)
        )
        market_data = _market_data(settings, clock)
        stack.push_async_callback(market_data.close)
        store = await open_store(settings, source=source if venue_wanted else None)
        stack.push_async_callback(store.close)
        stream = None
        if venue_wanted and not source.startswith(CATALOGUE):
            stream = await stack.enter_async_context(open_stream(settings, clock))
        venue = PaperVenue(market_data, store, clock, stream, _queue_model(settings))
        yield TradingContext(
            clock=clock,
            ids=SystemIds(),
            gather=ConcurrentGather(),
            market_data=RecentMarketData(market_data, clock),
            venues={venue.name: venue},
            store=store,
            strategies=strategies(settings),
            source=source,
            resting=venue.resting,
            stream=stream,
            settlement=_settlement_model(settings),
            venues_elsewhere=WORKER_VENUES,
        )


def _queue_model(settings: Settings) -> QueueModel:
    from prescient.paper_matching.queue_model import QueueModel

    return QueueModel(level_before_print_ms=source_info(settings).level_before_print_ms)


def _settlement_model(settings: Settings) -> SettlementModel:
    """In a world that stands still, nothing would ever be mined: there trades settle at once unless told otherwise."""
    from prescient.domain.settlement import ASSUMED_SETTLEMENT, SettlementModel

    wait_s = settings.settlement_s
    if wait_s is None:
        wait_s = 0.0 if settings.frozen else ASSUMED_SETTLEMENT.mined_after_s
    return SettlementModel(mined_after_s=wait_s, failed_share=settings.failed_fills)


def local_cycle_steps(context: TradingContext) -> CycleSteps:
    """Return the cycle's steps, run in this process."""
    from prescient.steps.local import LocalCycleSteps

    return LocalCycleSteps(context)


@asynccontextmanager
async def open_remote_cycle_steps(settings: Settings) -> AsyncIterator[CycleSteps]:
    """Yield the cycle's steps, requested from the services that run them."""
    from prescient.adapters.http_steps import HttpCycleSteps

    cycle_steps = HttpCycleSteps(_step_service_urls(settings))
    try:
        yield cycle_steps
    finally:
        await cycle_steps.close()


@asynccontextmanager
async def open_health(settings: Settings) -> AsyncIterator[Callable[[], Awaitable[dict[str, ComponentHealth]]]]:
    """Yield a function that asks the four step services for their state over HTTP."""
    from prescient.adapters.http_health import HttpHealth

    urls = _step_service_urls(settings)
    health = HttpHealth({service.key: urls[service.name] for service in STEP_SERVICES})
    try:
        yield health
    finally:
        await health.close()


def _step_service_urls(settings: Settings) -> dict[str, str]:
    return {service.name: f"http://{LOOPBACK}:{settings.port(service.name)}" for service in STEP_SERVICES}


def strategies(settings: Settings) -> dict[str, Strategy]:
    """The built-in strategies and the user's own by name; a user's file may replace a built-in one."""
    from prescient.adapters.strategy_files import load_strategies
    from prescient.strategies import BUILT_IN

    return {strategy.name: strategy for strategy in (*BUILT_IN, *load_strategies(settings.strategy_files))}


def gamma_url(settings: Settings) -> str:
    """Return the base URL of the catalogue."""
    return settings.gamma_url or source_info(settings).gamma_url


def clob_url(settings: Settings) -> str:
    """Return the base URL of books and rules."""
    return settings.clob_url or source_info(settings).clob_url


def stream_url(settings: Settings) -> str:
    """Return the URL of the market stream."""
    return settings.stream_url or source_info(settings).stream_url


@asynccontextmanager
async def open_stream(settings: Settings, clock: Clock) -> AsyncIterator[MarketStream]:
    """Open the source's market stream, verified against a REST client of its own: a cached one could not verify it.

    Sockets live in our time whatever the world's clock says.
    """
    from prescient.adapters.polymarket.stream.assets import StreamLimits
    from prescient.adapters.polymarket.stream.stream import PolymarketStream

    witness = _market_data(settings, clock)
    limits = StreamLimits() if source_info(settings).in_our_time else StreamLimits(future_s=None)
    stream = PolymarketStream(
        url=stream_url(settings), books=witness.books, clock=clock, timer=system_clock(), limits=limits
    )
    try:
        yield stream
    finally:
        await stream.close()
        await witness.close()


def practice_url(settings: Settings) -> str:
    return f"http://{LOOPBACK}:{settings.practice_port}"


def embedded_server(home: Path, port: int, database: str) -> EmbeddedPostgres:
    """The database server of one home. Only the supervisor (and restore) starts and stops it."""
    from prescient.adapters.postgres.server.embedded import EmbeddedPostgres

    return EmbeddedPostgres(home, port, database=database)


def data_folders(settings: Settings) -> tuple[Path, ...]:
    """Where this installation writes: its home, and the database's folder, which may lie elsewhere."""
    if not settings.uses_embedded_postgres:
        return (settings.home,)
    server = embedded_server(settings.home, settings.embedded_postgres_port, database_name(settings))
    return settings.home, server.status().data_folder


def connection(settings: Settings, database: str | None = None) -> ConnectionInfo:
    """How to reach this installation's database, embedded or external, or another one of the same server."""
    from prescient.adapters.postgres.server.embedded import connection_of
    from prescient.adapters.postgres.server.types import ConnectionInfo

    if settings.uses_embedded_postgres:
        return connection_of(settings.home, database or database_name(settings))
    return ConnectionInfo(
        host=settings.postgres_host,
        port=settings.postgres_port,
        database=database or settings.postgres_db,
        user=settings.postgres_user,
        password=settings.postgres_password.get_secret_value(),
    )


async def open_store(settings: Settings, database: str | None = None, *, source: str | None) -> Store:
    """Bring the schema up to date (several processes at once do it once), check the source of markets, and connect.

    ``database`` names another one than the installation's own, such as one being restored. ``source`` None takes the
    database whatever it holds. Raises OtherSource, SchemaTooNew, StoreUnavailable.
    """
    from prescient.adapters.postgres.migrate import migrate
    from prescient.adapters.postgres.source import claim_source
    from prescient.adapters.postgres.store.store import open_store as open_postgres_store

    dsn = connection(settings, database).dsn()
    await migrate(dsn)
    if source is not None:
        await claim_source(dsn, source)
    return await open_postgres_store(dsn)


async def recorded_source(settings: Settings, database: str | None = None) -> str | None:
    """Which source of markets a database holds, None for one that is new or not there. Raises StoreUnavailable."""
    from prescient.adapters.postgres.source import recorded_source as read_source

    return await read_source(connection(settings, database).dsn())


def client_program(name: str) -> Path:
    """The path of ``psql``, ``pg_dump`` or ``pg_restore`` that came with the product."""
    from prescient.adapters.postgres.server import embedded

    return {"psql": embedded.psql_path, "pg_dump": embedded.pg_dump_path, "pg_restore": embedded.pg_restore_path}[
        name
    ]()


async def _open_clock(settings: Settings, stack: AsyncExitStack) -> tuple[Clock, str]:
    """The clock, and the source of markets: the practice exchange itself says which world it plays."""
    info = source_info(settings)
    if info.practice_port is None:
        return system_clock(), info.name
    from prescient.adapters.practice_clock import PracticeClock

    clock = PracticeClock(f"{practice_url(settings)}/practice/time")
    await clock.start()
    stack.push_async_callback(clock.close)
    return clock, clock.source or info.name


def system_clock() -> Clock:
    """The machine's own clock, which paces what happens in our time whatever the clock of the world says."""
    from prescient.adapters.clock import SystemClock

    return SystemClock()


def _market_data(settings: Settings, clock: Clock) -> MarketData:
    from prescient.adapters.gather import ConcurrentGather
    from prescient.adapters.polymarket import PolymarketData

    return PolymarketData(
        gamma_url=gamma_url(settings), clob_url=clob_url(settings), clock=clock, gather=ConcurrentGather()
    )


def load_context_modules() -> None:
    """Import what ``open_context`` will want, for a process that has time while the database starts."""
    import prescient.adapters.paper
    import prescient.adapters.polymarket
    import prescient.adapters.postgres.migrate
    import prescient.adapters.postgres.store.store
    import prescient.adapters.practice_clock  # noqa: F401


async def schema_versions(settings: Settings) -> tuple[str | None, str]:
    """The schema's version in the database (None: empty) and the one this program knows. Raises StoreUnavailable."""
    from prescient.adapters.postgres.migrate import HEAD, schema_version

    return await schema_version(connection(settings).dsn()), HEAD


def admin_connection(settings: Settings) -> ConnectionInfo:
    """The login that may create and rename databases: the embedded server's superuser, or the account that was given."""
    from prescient.adapters.postgres.server.embedded import connection_of

    if settings.uses_embedded_postgres:
        return connection_of(settings.home, "postgres", superuser=True)
    return connection(settings, "postgres")
