"""The database goes away and comes back, processes die, transactions collide: what the store says and does then."""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from prescient.adapters.postgres.store.store import PostgresStore, open_store
from prescient.domain.cycle import CycleStatus
from prescient.domain.errors import CycleAlreadyRunning, StoreUnavailable
from tests.postgres_fixture import PostgresServer
from tests.prescient.contract.store_examples import (
    NOW,
    USD,
    cycle_request,
    event,
    fill,
    filled,
    funded,
    later,
    market,
    pages,
    reserved,
    signal,
)

CLAIM_AND_WAIT = """
import asyncio, sys
from datetime import UTC, datetime
from prescient.adapters.postgres.store.store import open_store
from prescient.domain.cycle import CycleRequest

async def main():
    store = await open_store(sys.argv[1])
    await store.claim_cycle(CycleRequest("cycle-1", (1,)), datetime(2026, 5, 17, tzinfo=UTC))
    assert await store.lease("updater") is not None
    print("claimed", flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def own_server() -> Iterator[PostgresServer]:
    """A server that this module may kill."""
    folder = Path(tempfile.mkdtemp(prefix="prescient-postgres-"))
    server = PostgresServer(folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
async def crashing(own_server: PostgresServer) -> AsyncIterator[PostgresStore]:
    """A store on a server that the test may kill and launch again."""
    store = await open_store(own_server.dsn(own_server.new_database()))
    yield store
    await store.close()


@pytest.fixture
async def store(postgres_dsn: str) -> AsyncIterator[PostgresStore]:
    opened = await open_store(postgres_dsn)
    yield opened
    await opened.close()


async def test_work_goes_on_by_itself_when_the_database_is_back(
    own_server: PostgresServer, crashing: PostgresStore
) -> None:
    one = await funded(crashing)
    await asyncio.gather(*(crashing.portfolios() for _ in range(5)))
    await asyncio.to_thread(own_server.kill)
    calls: list[Any] = [
        crashing.ping(),
        crashing.portfolio(one.portfolio_id),
        crashing.save_events(pages([event(1)]), "c", NOW),
        crashing.snapshot(one.portfolio_id, "c", NOW),
        crashing.claim_cycle(cycle_request("cycle-1", one.portfolio_id), NOW),
        crashing.lease("updater"),
        crashing.beat("updater", NOW, {}),
    ]
    for call in calls:
        with pytest.raises(StoreUnavailable, match="Error connecting to database"):
            await call
    await asyncio.to_thread(own_server.launch)
    # Not one call fails on a connection of before.
    await asyncio.gather(*(crashing.portfolios() for _ in range(5)))
    assert (await crashing.portfolio(one.portfolio_id)) == one
    assert await crashing.lease("updater") is not None
    assert not (await crashing.claim_cycle(cycle_request("cycle-1", one.portfolio_id), NOW)).replayed


async def test_an_order_lost_between_reservation_and_booking_is_still_open_after_a_crash(
    own_server: PostgresServer, crashing: PostgresStore
) -> None:
    one = await funded(crashing)
    made = signal(1, one.portfolio_id)
    order = await reserved(crashing, made, 10 * USD)
    booking = filled(order, made, [fill(500_000, 10 * USD)])
    await asyncio.to_thread(own_server.kill)
    with pytest.raises(StoreUnavailable):
        await crashing.book(booking, NOW)
    await asyncio.to_thread(own_server.launch)
    assert [open_order for open_order, _ in await crashing.open_orders()] == [order]
    await crashing.book(booking, NOW)
    assert await crashing.open_orders() == []
    assert (await crashing.snapshot(one.portfolio_id, "c", NOW)).value_micro == one.initial_balance_micro


async def test_a_running_cycle_stays_ours_over_a_restart_of_the_database(
    own_server: PostgresServer, crashing: PostgresStore
) -> None:
    one = await funded(crashing)
    claim = await crashing.claim_cycle(cycle_request("cycle-1", one.portfolio_id), NOW)
    await asyncio.to_thread(own_server.kill)
    await asyncio.to_thread(own_server.launch)
    await crashing.save_cycle(claim.report)
    assert await crashing.close_dead_cycles(later(hours=1)) == []
    await crashing.finish_cycle(replace(claim.report, status=CycleStatus.COMPLETED))
    assert (await crashing.cycle("cycle-1")).status is CycleStatus.COMPLETED


async def test_a_lease_ends_with_its_connection_and_is_not_mistaken_for_a_later_one(
    own_server: PostgresServer, crashing: PostgresStore
) -> None:
    lease = await crashing.lease("updater")
    assert lease is not None and await lease.held()
    await asyncio.to_thread(own_server.kill)
    assert not await lease.held()
    await asyncio.to_thread(own_server.launch)
    again = await crashing.lease("updater")
    assert again is not None and await again.held()
    assert not await lease.held()
    await lease.release()
    assert await again.held()


async def test_a_killed_process_leaves_its_cycle_to_be_closed_and_its_lease_free(
    store: PostgresStore, postgres_dsn: str
) -> None:
    one = await funded(store)
    program = [sys.executable, "-c", CLAIM_AND_WAIT, postgres_dsn]
    process = await asyncio.create_subprocess_exec(*program, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        assert await process.stdout.readline() == b"claimed\n"
        assert await store.close_dead_cycles(NOW) == []
        assert await store.lease("updater") is None
        with pytest.raises(CycleAlreadyRunning):
            await store.claim_cycle(cycle_request("cycle-2", one.portfolio_id), NOW)
    finally:
        process.kill()
        await process.wait()
    # The server notices the closed connection a moment later.
    for _ in range(500):
        if await store.close_dead_cycles(NOW):
            break
        await asyncio.sleep(0.02)
    assert (await store.cycle("cycle-1")).status is CycleStatus.INTERRUPTED
    assert not (await store.claim_cycle(cycle_request("cycle-2", one.portfolio_id), NOW)).replayed
    assert await store.lease("updater") is not None


async def test_epochs_of_a_lease_are_counted(store: PostgresStore, postgres_dsn: str) -> None:
    for _ in range(2):
        lease = await store.lease("updater")
        assert lease is not None
        await lease.release()
    connection = await asyncpg.connect(postgres_dsn)
    try:
        row = await connection.fetchrow("SELECT epoch, holder FROM leases WHERE name = 'updater'")
    finally:
        await connection.close()
    assert row is not None and row["epoch"] == 2 and "process" in row["holder"]


async def test_a_deadlock_is_resolved_by_running_one_of_the_two_again(store: PostgresStore) -> None:
    first, second = await funded(store, "One"), await funded(store, "Two")
    meeting = asyncio.Barrier(2)
    runs = 0

    async def lock_both(portfolio_ids: list[int]) -> None:
        met = False

        async def work(connection: Any) -> None:
            nonlocal met, runs
            runs += 1
            update = "UPDATE portfolios SET description = description || 'x' WHERE portfolio_id = $1"
            await connection.execute(update, portfolio_ids[0])
            if not met:
                met = True
                await meeting.wait()
            await connection.execute(update, portfolio_ids[1])

        await store._database.transact(work)

    ids = [first.portfolio_id, second.portfolio_id]
    await asyncio.gather(lock_both(ids), lock_both(ids[::-1]))
    assert runs == 3
    assert [one.description for one in await store.portfolios()] == ["xx", "xx"]


async def test_a_closed_store_says_so(postgres_dsn: str) -> None:
    store = await open_store(postgres_dsn)
    await store.lease("updater")
    await store.close()
    await store.close()
    for call in (store.ping(), store.portfolios(), store.lease("updater"), store.prune(NOW, 14, 3)):
        with pytest.raises(StoreUnavailable, match="closed"):
            await call


async def test_the_listings_own_errors_pass_as_they_are(store: PostgresStore) -> None:
    # A network error of the venue's adapter must not be told as one of the database.
    for error in (ConnectionResetError("the venue hung up"), TimeoutError("the venue sleeps")):
        with pytest.raises(type(error), match="the venue"):
            await store.save_events(pages([event(1, market(1, "1"))], error=error), "c", NOW)
    await store.ping()
