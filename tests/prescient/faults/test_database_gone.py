"""The database is killed at every point of a running cycle: a clear error, nothing half booked, and it heals by itself."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import pytest

from prescient.adapters.postgres.store.store import open_store
from prescient.domain.cycle import CycleStatus
from prescient.domain.errors import StoreUnavailable
from prescient.domain.signal import Step
from prescient.ports.store import Store
from prescient.trading.mark import update_prices
from tests.postgres_fixture import PostgresServer
from tests.prescient.faults.house import CATALOGUE, House, Tripwire, check_books

ENDED_TIMEOUT_S = 20.0


class Crashing:
    """A server that this module may kill: postmaster first, and its children when they notice."""

    def __init__(self, server: PostgresServer) -> None:
        self.server = server
        self.database = server.new_database()
        self.up = True

    @property
    def dsn(self) -> str:
        return self.server.dsn(self.database)

    async def kill(self) -> None:
        self.up = False
        await asyncio.to_thread(self._kill)

    def _kill(self) -> None:
        process = self.server._process
        assert process is not None
        children = psutil.Process(process.pid).children(recursive=True)
        self.server.kill()
        _, left = psutil.wait_procs(children, timeout=ENDED_TIMEOUT_S)
        assert not left

    async def come_back(self) -> None:
        if not self.up:
            await asyncio.to_thread(self.server.launch)
        self.up = True


@pytest.fixture(scope="module")
def own_server() -> Iterator[PostgresServer]:
    folder = Path(tempfile.mkdtemp(prefix="prescient-postgres-"))
    server = PostgresServer(folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
async def crashing(own_server: PostgresServer) -> AsyncIterator[Crashing]:
    crash = Crashing(own_server)
    yield crash
    await crash.come_back()


async def fails_and_heals(
    crashing: Crashing,
    house: House,
    wire: Callable[[Store], Any] = lambda store: store,
    watch: Callable[[list[str]], Awaitable[None]] | None = None,
) -> None:
    """Run a cycle in which the database dies, bring it back, and go on in the same process on the same connections."""
    store = house.store
    house.live_in(house.world, wire(store))
    house.transport.watch = watch
    with pytest.raises(StoreUnavailable, match="Error connecting to database"):
        await house.cycle(cycle_id="dying")
    assert not crashing.up
    with pytest.raises(StoreUnavailable, match="Check that it runs"):
        await house.cycle(cycle_id="while away")

    await crashing.come_back()
    house.live_in(house.world, store)
    house.context.ids.new("skipped")
    healed = await house.cycle(cycle_id="healed")

    assert healed.status is CycleStatus.COMPLETED
    assert healed.total(Step.EXECUTE).count_out > 0
    # Nobody could write its end down when it ended; the next cycle found it dead and closed it.
    dead = await store.cycle("dying")
    assert (dead.status, bool(dead.error)) == (CycleStatus.INTERRUPTED, True)
    await check_books(store, house.clock.now())


POINTS = {
    "collect": ("save_events", 1, False),
    "decide, signals saved": ("save_signals", 1, True),
    "execute, reserved and not booked": ("approve", 3, True),
    "execute, answered and not booked": ("book", 2, False),
    "execute, booked": ("book", 2, True),
    "mark": ("save_marks", 1, False),
    "the very end": ("finish_cycle", 1, False),
}


@pytest.mark.parametrize("point", POINTS)
async def test_the_database_dies_in_the_middle_of_a_cycle(crashing: Crashing, point: str) -> None:
    method, number, after = POINTS[point]
    store = await open_store(crashing.dsn)
    house = House(store, seed=2)
    await house.found()
    await house.cycle(cycle_id="sound")
    house.pass_hours(1)

    def wire(real: Store) -> Any:
        return Tripwire(real, method, crashing.kill, number=number, after=after)

    await fails_and_heals(crashing, house, wire)
    await store.close()


async def test_the_database_dies_while_a_page_is_on_its_way(crashing: Crashing) -> None:
    store = await open_store(crashing.dsn)
    house = House(store, seed=2)
    await house.found()

    async def kill_at_second_page(asked: list[str]) -> None:
        if asked.count(CATALOGUE) == 2:
            await crashing.kill()

    await fails_and_heals(crashing, house, watch=kill_at_second_page)
    await store.close()


async def test_the_database_dies_while_a_booking_is_half_written(crashing: Crashing) -> None:
    """The transaction waits inside for a row that somebody else has locked when the server dies."""
    store = await open_store(crashing.dsn)
    house = House(store, seed=2)
    await house.found()
    blocking = await asyncpg.connect(crashing.dsn)
    tasks: list[asyncio.Task[None]] = []

    async def lock_and_kill_soon() -> None:
        await blocking.execute("BEGIN; SELECT 1 FROM portfolios FOR UPDATE")
        tasks.append(asyncio.create_task(kill_when_it_waits()))

    async def kill_when_it_waits() -> None:
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        for _ in range(1_000):
            if await blocking.fetchval(waiting):
                break
            await asyncio.sleep(0.01)
        await crashing.kill()

    def wire(real: Store) -> Any:
        return Tripwire(real, "book", lock_and_kill_soon, number=2, after=False)

    await fails_and_heals(crashing, house, wire)
    blocking.terminate()
    await store.close()


async def test_the_price_updater_goes_on_when_the_database_is_back(crashing: Crashing) -> None:
    store = await open_store(crashing.dsn)
    house = House(store, seed=2)
    await house.found()
    await house.cycle()
    await crashing.kill()
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="Error connecting to database"):
            await update_prices(house.context)
    await crashing.come_back()
    reports = await update_prices(house.context)
    assert sum(report.count_out for report in reports) > 0
    await check_books(store, house.clock.now())
    await store.close()
