"""The owner of resting orders: it hears and books, takes over anew when anything goes wrong, and never beside another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from polymarket_kit.model import OrderType
from prescient.adapters.clock import SystemClock
from prescient.adapters.memory import MemoryStore
from prescient.domain.errors import StoreUnavailable
from prescient.domain.stream import PrintSeen
from prescient.worker.resting_loop import RestingLoop
from tests.prescient.contract.resting_market import START_S, RestingHarness
from tests.prescient.faults.house import Tripwire

WITHIN_S = 5.0


@asynccontextmanager
async def looping(harness: RestingHarness) -> AsyncIterator[None]:
    """The loop in its task, until the test is done with it."""
    task = asyncio.create_task(
        RestingLoop(harness.context, SystemClock(), sweep_s=0.01, standby_s=0.02, pause_s=0.005).run()
    )
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    deadline = asyncio.get_running_loop().time() + WITHIN_S
    while not await true():
        assert asyncio.get_running_loop().time() < deadline, "it did not happen"
        await asyncio.sleep(0.005)


async def shares_are(harness: RestingHarness, count: int) -> None:
    async def true() -> bool:
        return (await harness.held())[1] == count

    await until(true)


async def is_open(harness: RestingHarness) -> None:
    async def true() -> bool:
        return harness.context.resting is not None and getattr(harness.context.resting, "is_open", False)

    await until(true)


@pytest.fixture
async def harness() -> RestingHarness:
    made = await RestingHarness(MemoryStore()).open()
    assert made.context.resting is not None
    made.context.resting.release()
    return made


async def placed(harness: RestingHarness) -> str:
    """Place an order without listening: the loop does."""
    answer = await harness.try_place()
    return getattr(answer, "order_id", "") or pytest.fail(str(answer))


async def seen(harness: RestingHarness) -> None:
    """Wait until the loop has heard the whole books."""
    assert harness.context.resting is not None
    resting = harness.context.resting

    async def true() -> bool:
        return all(not state.in_gap for state in resting.states().values())

    await until(true)


async def test_it_books_what_the_stream_tells(harness: RestingHarness) -> None:
    async with looping(harness):
        await is_open(harness)
        await placed(harness)
        await seen(harness)
        harness.stream.tell(harness.printed(130))
        await shares_are(harness, 30)
    assert harness.context.resting is not None and harness.context.resting.states() == {}
    assert len(await harness.store.resting_orders()) == 1


async def test_a_booking_that_fails_is_not_lost_twice_and_not_booked_twice(harness: RestingHarness) -> None:
    async with looping(harness):
        await is_open(harness)
        await placed(harness)
        await seen(harness)

        def away() -> None:
            raise StoreUnavailable

        wired = Tripwire(harness.store, "book", away, after=True)
        object.__setattr__(harness.context, "store", wired)
        # Booked, and then taken for failed: all is taken over again, from what is really there.
        harness.stream.tell(harness.printed(130))
        await shares_are(harness, 30)
        await is_open(harness)
        harness.stream.tell(*await harness.stream.books(["11", "12"]))
        await seen(harness)
        harness.stream.tell(harness.printed(15))
        await shares_are(harness, 45)
    assert len(await harness.store.trades(harness.portfolio_id, 10)) == 2


async def test_expired_orders_end_without_any_message(harness: RestingHarness) -> None:
    async with looping(harness):
        await is_open(harness)
        answer = await harness.try_place(order_type=OrderType.GTD, expiration_s=START_S + 200)
        assert getattr(answer, "order_id", "")
        assert len(await harness.store.resting_orders()) == 1
        harness.context.clock.advance(141)  # type: ignore[attr-defined] # the simulated clock

        async def gone() -> bool:
            return await harness.store.resting_orders() == []

        await until(gone)
    assert await harness.held() == (0, 0)


async def test_one_owner_at_a_time(harness: RestingHarness) -> None:
    other = RestingHarness(harness.store.another_process())  # type: ignore[attr-defined] # the memory store's own
    other.portfolio_id = harness.portfolio_id
    # Both count their signals from one.
    other.context.ids.new("signal")
    async with looping(harness):
        await is_open(harness)
        order_id = await placed(harness)
        async with looping(other):
            await asyncio.sleep(0.1)
            assert other.context.resting is not None and other.context.resting.states() == {}
            refused = await other.try_place()
            assert getattr(refused, "code", "") == "not_open"
            # The owner ends, and the other takes over what rests.
            assert harness.context.resting is not None
    other = RestingHarness(harness.store)
    other.portfolio_id = harness.portfolio_id
    async with looping(other):
        await is_open(other)
        assert other.context.resting is not None and order_id in other.context.resting.states()


async def test_a_print_during_a_restart_is_not_credited(harness: RestingHarness) -> None:
    async with looping(harness):
        await is_open(harness)
        await placed(harness)
        await seen(harness)
    missed = harness.printed(500)
    again = RestingHarness(harness.store)
    again.portfolio_id, again.time_ms = harness.portfolio_id, harness.time_ms
    again.stream.tell(missed)
    async with looping(again):
        await is_open(again)
        await seen(again)
        again.stream.tell(PrintSeen("11", 540_000, 110 * 1_000_000, missed.side, missed.time_ms + 1))
        await shares_are(again, 10)


async def test_without_a_stream_it_has_nothing_to_do(harness: RestingHarness) -> None:
    object.__setattr__(harness.context, "stream", None)
    await asyncio.wait_for(RestingLoop(harness.context, SystemClock()).run(), 1)
