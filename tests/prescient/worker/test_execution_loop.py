"""Executions handed over: over both stores, two processes of which one holds the venue and the other is asked for a cycle."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace

import pytest

from polymarket_kit.model import Side
from polymarket_kit.values import MICRO
from prescient.adapters.clock import SystemClock
from prescient.adapters.memory import MemoryStore
from prescient.adapters.postgres.store.store import open_store
from prescient.domain.cycle import CycleStatus
from prescient.domain.errors import ExecutionFailed, ExecutionInterrupted, VenueElsewhere, VenueOwnerAway
from prescient.domain.execution import owner_lease
from prescient.domain.signal import Step
from prescient.ports.context import TradingContext
from prescient.ports.store import Store
from prescient.steps.hand_over import execute_next, execute_where_the_venue_is, take_over
from prescient.trading.execute import execute_signals
from prescient.trading.mark import update_prices
from prescient.trading.obligations import settling_round
from prescient.trading.orders.sell_back import owe_sell_backs
from prescient.worker.execution_loop import ExecutionLoop
from tests.fakes import StaticMarketData, advance, binary_market, context_over
from tests.prescient.faults.house import check_books
from tests.prescient.trading.test_cycle import portfolio_of, run
from tests.venues import ScriptedVenue

OpenStore = Callable[[], Awaitable[Store]]


@pytest.fixture(params=["memory", "postgres"])
async def open_process(request: pytest.FixtureRequest) -> AsyncIterator[OpenStore]:
    """Opens the same rows once more: a process of its own."""
    opened: list[Store] = []
    first = MemoryStore()
    dsn = request.getfixturevalue("postgres_dsn") if request.param == "postgres" else ""

    async def another() -> Store:
        opened.append(await open_store(dsn) if dsn else first.another_process())
        return opened[-1]

    yield another
    for store in opened:
        await store.close()


@dataclass
class TwoProcesses:
    """The one that is asked holds no venue; the worker holds the scripted one."""

    asked: TradingContext
    worker: TradingContext
    venue: ScriptedVenue
    portfolio_id: int

    def loop(self) -> ExecutionLoop:
        return ExecutionLoop(self.worker, "scripted", SystemClock())


@pytest.fixture
async def two(open_process: OpenStore) -> TwoProcesses:
    data = StaticMarketData()
    data.add(binary_market(1), [("0.54", "500")], [("0.55", "500")])
    worker = context_over(data, await open_process())
    venue = ScriptedVenue(worker.venues["paper"], worker.clock)
    worker = replace(worker, venues={"scripted": venue})
    asked = replace(context_over(data, await open_process()), clock=SystemClock())
    asked = replace(asked, venues_elsewhere=frozenset({"scripted"}))
    portfolio_id = await portfolio_of(asked, venue="scripted")
    return TwoProcesses(asked, worker, venue, portfolio_id)


async def test_a_cycle_is_executed_where_the_venue_is(two: TwoProcesses) -> None:
    loop = two.loop()
    assert not await two.asked.store.is_owned("scripted")
    await loop.attempt()
    assert await two.asked.store.is_owned("scripted")
    working = asyncio.create_task(loop.run())
    try:
        report = await run(two.asked)
    finally:
        working.cancel()
        await asyncio.wait([working])
    assert report.status is CycleStatus.COMPLETED
    assert report.total(Step.EXECUTE).count_out == 1
    (trade,) = await two.asked.store.trades(two.portfolio_id, 10)
    assert report.total(Step.EXECUTE).amounts["amount_micro"] == trade.amount_micro == 100 * MICRO
    assert len(two.venue.world.arrived) == 1
    await check_books(two.asked.store, two.asked.clock.now())


async def test_without_an_owner_nothing_is_sent_and_the_signals_stay_pending(two: TwoProcesses) -> None:
    with pytest.raises(VenueOwnerAway, match="nothing was sent"):
        await run(two.asked)
    (signal,) = await two.asked.store.signals(portfolio_id=two.portfolio_id, pending_only=True)
    assert two.venue.world.arrived == []
    # Also later: the row is withdrawn.
    assert not await execute_next(two.worker, "scripted", "worker")
    with pytest.raises(VenueElsewhere):
        await execute_signals(two.asked, signal.cycle_id, two.portfolio_id)


async def asking(two: TwoProcesses) -> asyncio.Task[object]:
    """Ask for an execution and wait until its row is there; the caller holds the lease."""
    task: asyncio.Task[object] = asyncio.create_task(execute_where_the_venue_is(two.asked, "cycle", two.portfolio_id))
    await asyncio.sleep(0.3)
    assert not task.done()
    return task


async def test_a_cycle_cancelled_while_it_waits_withdraws_its_request(two: TwoProcesses) -> None:
    lease = await two.worker.store.lease(owner_lease("scripted"))
    assert lease is not None
    task = await asking(two)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not await execute_next(two.worker, "scripted", "worker")


async def test_a_claimed_request_goes_on_and_an_owner_that_ends_is_told(two: TwoProcesses) -> None:
    lease = await two.worker.store.lease(owner_lease("scripted"))
    assert lease is not None
    task = await asking(two)
    claimed = await two.worker.store.claim_execution("scripted", "worker", two.worker.clock.now())
    assert claimed is not None and claimed.claimed_by == "worker"
    assert not await two.asked.store.withdraw_execution(claimed.request_id, two.asked.clock.now())
    assert not await two.asked.store.withdraw_execution(claimed.request_id, two.asked.clock.now(), only_if_unowned=True)
    await lease.release()
    with pytest.raises(ExecutionInterrupted):
        await task
    assert await two.worker.store.abandoned_executions("scripted") == [claimed.request_id]
    await take_over(two.worker, "scripted")
    assert await two.worker.store.abandoned_executions("scripted") == []
    ended = await two.asked.store.execution(claimed.request_id)
    assert ended.error is not None and ended.error[0] == "execution_interrupted"


async def test_an_error_of_the_worker_is_told_to_whoever_asked(two: TwoProcesses) -> None:
    lease = await two.worker.store.lease(owner_lease("scripted"))
    busy = await two.worker.store.lease(f"execute:{two.portfolio_id}")
    assert lease is not None and busy is not None
    task = await asking(two)
    async with asyncio.TaskGroup() as group:
        executing = group.create_task(execute_next(two.worker, "scripted", "worker"))
        with pytest.raises(ExecutionFailed, match="execution_running"):
            await task
    assert executing.result()


async def test_a_lost_answer_is_asked_about_again_without_another_execution(two: TwoProcesses) -> None:
    loop = ExecutionLoop(two.worker, "scripted", SystemClock(), resolve_interval_s=0)
    await loop.attempt()
    two.venue.always("submit", "lose")
    working = asyncio.create_task(loop.run())
    try:
        await run(two.asked)
        assert len(two.venue.world.arrived) == 1
        two.venue.well()
        for _ in range(500):
            if await two.asked.store.trades(two.portfolio_id, 10):
                break
            await asyncio.sleep(0.01)
    finally:
        working.cancel()
        await asyncio.wait([working])
    (trade,) = await two.asked.store.trades(two.portfolio_id, 10)
    assert trade.amount_micro == 100 * MICRO
    assert len(two.venue.world.arrived) == 1
    await check_books(two.asked.store, two.asked.clock.now())


async def looked_after(two: TwoProcesses) -> None:
    """One attempt of a loop that has just begun: every job of it is due."""
    loop = two.loop()
    await loop.attempt()
    await loop.release()


async def with_shares(two: TwoProcesses) -> None:
    """Have a cycle buy, and its trade mined."""
    loop = two.loop()
    await loop.attempt()
    working = asyncio.create_task(loop.run())
    try:
        await run(two.asked)
    finally:
        working.cancel()
        await asyncio.wait([working])
    advance(two.worker, 10)


async def test_the_owner_of_a_venue_marks_and_redeems_what_is_held_there(two: TwoProcesses) -> None:
    await with_shares(two)
    data = two.worker.market_data
    assert isinstance(data, StaticMarketData)
    await looked_after(two)
    (held,) = await two.asked.store.positions(two.portfolio_id)
    assert held.mark_source == "bids" and held.mark_time == two.worker.clock.now()
    before = await two.asked.store.portfolio(two.portfolio_id)
    data.resolve(binary_market(1), (MICRO, 0))
    # Who does not hold the venue can neither have it pay nor say that it did.
    await update_prices(two.asked)
    assert len(await two.asked.store.positions(two.portfolio_id)) == 1
    await looked_after(two)
    assert await two.asked.store.positions(two.portfolio_id) == []
    after = await two.asked.store.portfolio(two.portfolio_id)
    assert after.cash_micro == before.cash_micro + held.size_micro
    assert two.venue.calls["redeem"] == 1
    await looked_after(two)
    assert two.venue.calls["redeem"] == 1
    await check_books(two.asked.store, two.worker.clock.now())


async def test_prices_are_left_to_the_owner_of_a_venue_while_there_is_one(two: TwoProcesses) -> None:
    await with_shares(two)
    lease = await two.worker.store.lease(owner_lease("scripted"))
    assert lease is not None
    assert await update_prices(two.asked) == []
    await lease.release()
    # Without an owner a price is better than none.
    assert [report.count_out for report in await update_prices(two.asked)] == [1]


async def test_a_lone_leg_is_sold_back_by_the_owner_of_its_venue(two: TwoProcesses) -> None:
    await with_shares(two)
    (signal,) = await two.asked.store.signals(portfolio_id=two.portfolio_id)
    await owe_sell_backs(two.worker, signal)
    advance(two.worker, 10)
    two.asked = replace(two.asked, clock=two.worker.clock)
    assert await settling_round(two.asked) == 0
    (owed,) = await two.asked.store.obligations(None, None, 10)
    assert owed.attempts == 0
    await looked_after(two)
    sides = [trade.side for trade in await two.asked.store.trades(two.portfolio_id, 10)]
    assert sides == [Side.SELL, Side.BUY]
    await check_books(two.asked.store, two.worker.clock.now())


async def booked_by(two: TwoProcesses, loop: ExecutionLoop) -> None:
    """Run a cycle whose answer is lost, and wait until the loop has booked what became of its order."""
    two.venue.on("submit", 1, "lose")
    working = asyncio.create_task(loop.run())
    try:
        report = await run(two.asked)
        assert report.total(Step.EXECUTE).dropped == {"outcome_unknown": 1}
        async with asyncio.timeout(20):
            while await two.asked.store.open_orders():
                if two.venue.world.telling:
                    two.venue.world.news.put_nowait(None)
                await asyncio.sleep(0.05)
    finally:
        working.cancel()
        await asyncio.wait([working])
    (trade,) = await two.asked.store.trades(two.portfolio_id, 10)
    assert trade.amount_micro == 100 * MICRO
    assert len(two.venue.world.arrived) == 1
    await check_books(two.asked.store, two.asked.clock.now())


async def test_the_owner_of_a_venue_books_what_it_tells(two: TwoProcesses) -> None:
    loop = two.loop()
    await loop.attempt()
    await booked_by(two, loop)
    assert two.venue.calls["updates"] == 1


async def test_after_its_updates_broke_off_the_owner_asks_about_open_orders(two: TwoProcesses) -> None:
    two.venue.world.telling = dict.fromkeys(range(1, 20), "lose")
    loop = two.loop()
    await loop.attempt()
    await booked_by(two, loop)
    assert two.venue.calls["updates"] > 1


async def test_who_has_lost_the_lease_of_a_venue_listens_no_more(two: TwoProcesses) -> None:
    loop = two.loop()
    await loop.attempt()
    await asyncio.sleep(0.1)
    assert two.venue.calls["updates"] == 1
    await loop.release()
    other = await two.asked.store.lease(owner_lease("scripted"))
    assert other is not None
    await loop.attempt()
    await asyncio.sleep(0.1)
    assert two.venue.calls["updates"] == 1
    await other.release()
    await loop.attempt()
    await asyncio.sleep(0.1)
    assert two.venue.calls["updates"] == 2
    await loop.release()
