"""The price updater: one among all processes, every interval, through whatever goes wrong; and recovery before serving."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from polymarket_kit.values import MICRO
from prescient.adapters.clock import SimulatedClock
from prescient.adapters.memory import MemoryStore
from prescient.adapters.memory.tables import Tables
from prescient.administration.portfolios import PortfolioForm, create_portfolio
from prescient.domain.cycle import CycleRequest
from prescient.domain.errors import StoreUnavailable
from prescient.ports.context import TradingContext
from prescient.steps.local import LocalCycleSteps
from prescient.trading.cycle import start_cycle
from prescient.worker.leased_loop import is_alive
from prescient.worker.price_updater import NAME, PriceUpdater, recover_patiently
from tests.prescient.api.world import NOW, SmallMarketData, small_context

Log = list[MutableMapping[str, Any]]


class SwitchedStore(MemoryStore):
    """A memory store that can be away for a while, and counts its prunings."""

    away = False
    prunings = 0

    @property
    def _tables(self) -> Tables:
        if self.away:
            raise StoreUnavailable
        return super()._tables

    async def prune(self, now: datetime, decisions_days: int, snapshots_days: int) -> None:
        self.prunings += 1
        assert (decisions_days, snapshots_days) == (14, 30)
        await super().prune(now, decisions_days, snapshots_days)


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(NOW, waits=True)


@pytest.fixture
def store() -> SwitchedStore:
    return SwitchedStore()


@pytest.fixture
def market_data() -> SmallMarketData:
    return SmallMarketData()


@pytest.fixture
async def context(store: SwitchedStore, market_data: SmallMarketData, clock: SimulatedClock) -> TradingContext:
    """A context whose portfolio holds two positions."""
    context = small_context(store, market_data, clock)
    await create_portfolio(context, PortfolioForm("Main", 10_000 * MICRO))
    await start_cycle(store, LocalCycleSteps(context), clock, CycleRequest("cycle-1", ()))
    assert len(await store.positions(None)) == 2
    market_data.asked.clear()
    return context


@asynccontextmanager
async def running(context: TradingContext, **options: Any) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(PriceUpdater(context, **options).run())
    try:
        yield task
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


def rounds(market_data: SmallMarketData) -> int:
    return market_data.asked.count("states")


async def detail(context: TradingContext) -> dict[str, Any]:
    beat = await context.store.heartbeat(NAME)
    assert beat is not None
    return beat[1]


async def test_it_says_that_it_started_and_runs_every_interval(
    context: TradingContext, clock: SimulatedClock, market_data: SmallMarketData, logged: Log
) -> None:
    async with running(context) as task:
        await clock.run(0)
        assert logged[0]["event"] == "Price updater started with 300s interval"
        assert rounds(market_data) == 1
        await clock.run(299)
        assert rounds(market_data) == 1
        await clock.run(601)
        assert rounds(market_data) == 4
        beat = await context.store.heartbeat(NAME)
        assert beat is not None
        assert beat[0] == NOW + timedelta(seconds=900)
        assert beat[1] == {
            "last_run": (NOW + timedelta(seconds=900)).isoformat(),
            "portfolios": 1,
            "positions": 2,
            "error": "",
            "interval_s": 300,
        }
        assert not task.done()
    assert await context.store.lease(NAME) is not None, "the lease was not given back"


async def test_it_names_its_own_interval(context: TradingContext, clock: SimulatedClock, logged: Log) -> None:
    async with running(context, interval_s=7):
        await clock.run(0)
    assert logged[0]["event"] == "Price updater started with 7s interval"


async def test_only_one_updates_and_the_other_takes_over(
    context: TradingContext, store: SwitchedStore, clock: SimulatedClock, market_data: SmallMarketData, logged: Log
) -> None:
    other_data = SmallMarketData()
    other = replace(context, store=store.another_process(), market_data=other_data)
    async with running(context):
        await clock.run(0)
        async with running(other):
            await clock.run(1000)
            assert (rounds(market_data), rounds(other_data)) == (4, 0)
            assert [line["event"] for line in logged].count("another process holds the lease; standing by") == 1
            await store.close()
            await clock.run(15)
            assert rounds(other_data) == 1
            await clock.run(300)
            assert rounds(other_data) == 2


@pytest.mark.parametrize("kind", ["venue", "bug"])
async def test_a_round_that_fails_is_tried_again_sooner_and_then_later(
    context: TradingContext, clock: SimulatedClock, market_data: SmallMarketData, logged: Log, kind: str
) -> None:
    class Buggy(SmallMarketData):
        def _ask(self, what: str) -> None:
            self.asked.append(what)
            if self.away:
                raise ZeroDivisionError("secret")

    data = market_data if kind == "venue" else Buggy()
    data.away = True
    async with running(replace(context, market_data=data)) as task:
        await clock.run(0)
        assert rounds(data) == 1
        # Pauses of 2, 4, 8, ... seconds, never more than the interval.
        for pause_s, expected in (
            (2, 2),
            (4, 3),
            (8, 4),
            (16, 5),
            (32, 6),
            (64, 7),
            (128, 8),
            (256, 9),
            (300, 10),
            (300, 11),
        ):
            await clock.run(pause_s)
            assert rounds(data) == expected
        failure = await detail(context)
        assert (
            failure["error"]
            == {
                "venue": "The venue does not answer. Try again in a minute.",
                "bug": "ZeroDivisionError: see the log",
            }[kind]
        )
        assert [line["event"] for line in logged].count("round failed") == 11
        data.away = False
        await clock.run(300)
        healed = await detail(context)
        assert (healed["error"], healed["positions"]) == ("", 2)
        await clock.run(300)
        assert rounds(data) == 13
        assert not task.done()


async def test_it_goes_on_when_the_database_comes_back(
    context: TradingContext, store: SwitchedStore, clock: SimulatedClock, market_data: SmallMarketData, logged: Log
) -> None:
    async with running(context) as task:
        await clock.run(0)
        store.away = True
        await clock.run(600)
        assert rounds(market_data) == 1
        assert not task.done()
        assert any(line.get("code") == "database_unavailable" for line in logged)
        store.away = False
        await clock.run(300)
        assert rounds(market_data) >= 2
        assert (await detail(context))["error"] == ""


async def test_it_prunes_once_a_day(context: TradingContext, store: SwitchedStore, clock: SimulatedClock) -> None:
    async with running(context, interval_s=3600):
        await clock.run(3600 * 11)
        assert store.prunings == 1
        await clock.run(3600 * 24)
        assert store.prunings == 2


@pytest.mark.parametrize(
    ("age_s", "interval_s", "alive"),
    [(0, 300, True), (899.9, 300, True), (900, 300, False), (29.9, 5, True), (30, 5, False), (-5, 5, True)],
)
def test_alive_means_a_beat_within_three_intervals_and_at_least_thirty_seconds(
    age_s: float, interval_s: float, alive: bool
) -> None:
    assert is_alive(NOW - timedelta(seconds=age_s), NOW, interval_s) is alive


def test_nothing_is_alive_without_a_beat() -> None:
    assert not is_alive(None, NOW, 300)


async def test_recovery_closes_the_cycles_of_dead_processes(context: TradingContext, store: SwitchedStore) -> None:
    dead = store.another_process()
    await dead.claim_cycle(CycleRequest("cycle-dead", (1,)), NOW)
    await dead.close()
    await recover_patiently(context)
    assert (await store.cycle("cycle-dead")).status.value == "interrupted"


async def test_recovery_waits_for_the_database(
    context: TradingContext, store: SwitchedStore, clock: SimulatedClock
) -> None:
    store.away = True
    task = asyncio.create_task(recover_patiently(context))
    await clock.run(3)
    assert not task.done()
    store.away = False
    await clock.run(4)
    await task


async def test_recovery_gives_up_after_five_attempts(
    context: TradingContext, store: SwitchedStore, clock: SimulatedClock
) -> None:
    store.away = True
    task = asyncio.create_task(recover_patiently(context))
    await clock.run(2 + 4 + 8 + 15.9)
    assert not task.done()
    await clock.run(0.2)
    with pytest.raises(StoreUnavailable):
        await task
