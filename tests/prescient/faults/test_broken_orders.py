"""Orders and sets that break off in the middle: the next one who looks puts them right, without a restart or after one."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from polymarket_kit.model import Side
from polymarket_kit.values import MICRO
from prescient.administration.portfolios import PortfolioForm, create_portfolio
from prescient.domain.cycle import CycleReport, CycleRequest, CycleStatus
from prescient.domain.errors import CycleInterrupted, StoreUnavailable, VenueUnavailable
from prescient.domain.order import Consumption, OrderStatus
from prescient.domain.signal import Step
from prescient.ports.context import TradingContext
from prescient.ports.store import Store
from prescient.steps.local import LocalCycleSteps
from prescient.trading.cycle import start_cycle
from prescient.trading.recover import recover
from tests.fakes import StaticMarketData, advance, binary_market, context_over, mine
from tests.prescient.contract.store_examples import NOW, fill, filled, funded, later, reserved, signal
from tests.prescient.faults.house import House, Tripwire, check_books
from tests.prescient.trading.test_complete_set import crossed_market


def fails_with(error: BaseException) -> Any:
    def action() -> None:
        raise error

    return action


async def run(context: TradingContext, cycle_id: str) -> CycleReport:
    return await start_cycle(context.store, LocalCycleSteps(context), context.clock, CycleRequest(cycle_id, ()))


async def sets_context(store: Store, error: BaseException) -> tuple[TradingContext, TradingContext]:
    """A context whose venue breaks off at the second leg of a set, and a sound one on the same rows."""
    data = crossed_market()
    sound = context_over(data, store)
    await create_portfolio(sound, PortfolioForm("Sets", 10_000 * MICRO, "complete_set"))
    venue: Any = Tripwire(sound.venues["paper"], "submit", fails_with(error), number=2, after=False)
    return replace(sound, venues={"paper": venue}), context_over(data, store)


async def legs(store: Store) -> list[tuple[Side, int]]:
    return [(trade.side, trade.size_micro) for trade in reversed(await store.trades(1, 10))]


async def test_a_set_whose_second_leg_breaks_the_adapter_waits_until_its_outcome_is_known(store: Store) -> None:
    broken, sound = await sets_context(store, VenueUnavailable("nobody there"))
    report = await run(broken, "broken")
    assert report.total(Step.EXECUTE).dropped == {"outcome_unknown": 1}
    assert await legs(store) == [(Side.BUY, 40 * MICRO)]
    ((_, status),) = await store.open_orders()
    assert status is OrderStatus.UNKNOWN
    await run(sound, "next")
    await mine(sound)
    assert await legs(store) == [(Side.BUY, 40 * MICRO), (Side.SELL, 40 * MICRO)]
    assert await store.positions(1) == []
    await check_books(store, NOW)


async def test_a_set_whose_process_ended_between_its_legs_is_sold_back_by_the_next(store: Store) -> None:
    # Cancelled, as at a stop: like a killed process, it tidies nothing up.
    broken, sound = await sets_context(store, asyncio.CancelledError())
    with pytest.raises(asyncio.CancelledError):
        await run(broken, "broken")
    assert await legs(store) == [(Side.BUY, 40 * MICRO)]
    assert len(await store.open_orders()) == 1
    resolved, _ = await recover(sound)
    assert len(resolved) == 1
    assert len(await store.obligations(1, None, 10)) == 1
    await mine(sound)
    assert await legs(store) == [(Side.BUY, 40 * MICRO), (Side.SELL, 40 * MICRO)]
    assert await store.positions(1) == []
    assert await recover(sound) == ([], [])
    await check_books(store, NOW)


async def test_selling_a_leg_back_is_tried_again_when_that_breaks_off_too(store: Store) -> None:
    broken, sound = await sets_context(store, asyncio.CancelledError())
    with pytest.raises(asyncio.CancelledError):
        await run(broken, "broken")
    await recover(sound)
    away: Any = Tripwire(sound.venues["paper"], "submit", fails_with(VenueUnavailable("away")), after=False)
    # The venue is away when the leg is to be sold: the sale's outcome is unknown, and the leg stays owed.
    await mine(replace(sound, venues={"paper": away}))
    assert len(await store.open_orders()) == len(await store.obligations(1, None, 10)) == 1
    await mine(sound)
    assert await legs(store) == [(Side.BUY, 40 * MICRO)]
    await recover(sound)
    # The market is held, so nothing new is decided on; the execution puts the set right before anything else.
    advance(sound, 10)
    report = await run(sound, "next")
    assert report.status is CycleStatus.COMPLETED
    assert await store.open_orders() == []
    assert await legs(store) == [(Side.BUY, 40 * MICRO), (Side.SELL, 40 * MICRO)]
    assert await store.positions(1) == []
    await mine(sound)
    assert await store.obligations(1, None, 10) == []
    await check_books(store, NOW)


async def test_what_an_order_took_and_never_booked_is_there_for_the_next(store: Store) -> None:
    """The venue's memory of what we took must not keep shares that were never ours."""
    data = StaticMarketData()
    data.add(binary_market(1), [("0.54", "300")], [("0.55", "50")])
    wired: Any = Tripwire(store, "book", fails_with(StoreUnavailable()), after=False)
    context = context_over(data, wired)
    config = {"trade_size_usd": 22}
    await create_portfolio(context, PortfolioForm("One", 1_000 * MICRO, strategy_config=config))
    with pytest.raises(StoreUnavailable):
        await run(context, "broken")
    assert await store.trades(1, 10) == []
    await run(context, "next")
    # 22 / 0.55 = 40 of the 50 shares: all there again.
    assert await legs(store) == [(Side.BUY, 40 * MICRO)]
    await check_books(store, NOW)


async def test_orders_booked_in_another_order_than_they_matched_keep_the_latest_memory(store: Store) -> None:
    one = await funded(store)
    made = [signal(number, one.portfolio_id) for number in (1, 2)]
    orders = [await reserved(store, each, 20 * MICRO) for each in made]
    answers = [
        replace(
            filled(order, each, [fill(500_000, 10 * MICRO)], time=later(seconds=number)),
            position=None,
            consumption=Consumption("yes", "asks", {500_000: (10 * number * MICRO, 90 * MICRO)}),
        )
        for number, (order, each) in enumerate(zip(orders, made, strict=True), start=1)
    ]
    for answer in reversed(answers):
        await store.book(answer, later(seconds=9))
    assert (await store.consumption("yes", "asks")).levels == {500_000: (20 * MICRO, 90 * MICRO)}


async def test_a_cycle_whose_end_cannot_be_written_blocks_nobody(postgres_store: Store) -> None:
    """The process lives on and so does its lock's connection; without care its portfolios would wait for its end."""
    house = House(postgres_store, seed=2)
    await house.found()
    unable: Any = Tripwire(postgres_store, "snapshot", fails_with(StoreUnavailable()), after=False)
    house.live_in(house.world, unable)
    database: Any = postgres_store._database  # type: ignore[attr-defined]  # its transactions fail for a moment
    real = database.transact

    async def failing(work: Any) -> Any:
        raise StoreUnavailable

    async def cut() -> None:
        database.transact = failing

    unable._action = cut
    with pytest.raises(StoreUnavailable):
        await house.cycle(cycle_id="endless")
    database.transact = real
    assert (await postgres_store.cycle("endless")).status is CycleStatus.RUNNING
    house.live_in(house.world, postgres_store)
    assert (await house.cycle(cycle_id="next")).status is CycleStatus.COMPLETED
    assert (await postgres_store.cycle("endless")).status is CycleStatus.INTERRUPTED
    await check_books(postgres_store, house.clock.now())


async def test_a_cycle_that_was_taken_for_dead_stops_at_its_next_step(postgres_dsn: str, postgres_store: Store) -> None:
    """Its connection was lost for a while, another process closed it: two must not run on one portfolio."""
    house = House(postgres_store, seed=2)
    await house.found()

    async def lose_the_lock_and_close() -> None:
        lock_session: Any = postgres_store._lock_session  # type: ignore[attr-defined]  # as when its connection is cut
        lock_session._connection.terminate()
        for _ in range(500):
            if await postgres_store.close_dead_cycles(house.clock.now()):
                return
            await asyncio.sleep(0.01)
        raise AssertionError("never found dead")

    wired: Any = Tripwire(postgres_store, "save_screened", lose_the_lock_and_close, after=True)
    house.live_in(house.world, wired)
    with pytest.raises(CycleInterrupted, match="closed meanwhile"):
        await house.cycle(cycle_id="lost")
    assert (await postgres_store.cycle("lost")).status is CycleStatus.INTERRUPTED
    assert await postgres_store.trades(None, 10) == []
    await check_books(postgres_store, house.clock.now())
