"""The base of background loops: one process works, failures are retried with back-off, and the lease is given back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, MutableMapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from structlog.testing import capture_logs

from prescient.adapters.clock import SimulatedClock
from prescient.adapters.memory import MemoryStore
from prescient.backoff import Backoff
from prescient.domain.errors import StoreUnavailable, VenueUnavailable
from prescient.ports.store import Lease
from prescient.worker.leased_loop import LeasedLoop

NOW = datetime(2026, 5, 17, 12, 0, tzinfo=UTC)
INTERVAL_S, STANDBY_S = 60.0, 5.0
Log = list[MutableMapping[str, Any]]


class SwitchedStore(MemoryStore):
    """A memory store whose leases can be unreachable for a while."""

    away = False

    async def lease(self, name: str, wait_s: float = 0.0) -> Lease | None:
        if self.away:
            raise StoreUnavailable
        return await super().lease(name, wait_s)


class Loop(LeasedLoop):
    """Records when its rounds began, and fails with ``error`` while there is one."""

    def __init__(self, store: MemoryStore, clock: SimulatedClock) -> None:
        super().__init__(
            "counting",
            store,
            clock,
            interval_s=INTERVAL_S,
            standby_s=STANDBY_S,
            backoff=Backoff(first_s=2.0, most_s=30.0),
        )
        self.rounds_s: list[float] = []
        self.take_overs = 0
        self.error: Exception | None = None
        self.error_of_take_over: Exception | None = None
        self.error_of_report: Exception | None = None
        self.reported: list[Exception] = []
        self.takes_s = 0.0
        self.lasts = False

    async def taken_over(self) -> None:
        self.take_overs += 1
        if self.error_of_take_over is not None:
            raise self.error_of_take_over

    async def round(self) -> None:
        self.rounds_s.append(self._timer.monotonic_s())
        if self.error is not None:
            raise self.error
        if self.takes_s:
            await self._timer.sleep(self.takes_s)
        while self.lasts:
            await self._timer.sleep(1.0)
            self.made_progress()
            await self.check_lease()

    async def round_failed(self, error: Exception) -> None:
        self.reported.append(error)
        if self.error_of_report is not None:
            raise self.error_of_report


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(NOW, waits=True)


@pytest.fixture
def store() -> SwitchedStore:
    return SwitchedStore()


@pytest.fixture
def loop(store: SwitchedStore, clock: SimulatedClock) -> Loop:
    return Loop(store, clock)


@pytest.fixture
def logged() -> Iterator[Log]:
    with capture_logs() as entries:
        yield entries


@asynccontextmanager
async def running(loop: LeasedLoop) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(loop.run())
    try:
        yield task
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_rounds_begin_an_interval_apart_however_long_they_take(loop: Loop, clock: SimulatedClock) -> None:
    loop.takes_s = 10.0
    async with running(loop):
        await clock.run(130)
    assert loop.rounds_s == [0.0, 60.0, 120.0]


async def test_a_round_longer_than_its_interval_is_followed_by_a_short_pause(loop: Loop, clock: SimulatedClock) -> None:
    loop.takes_s = 100.0
    async with running(loop):
        await clock.run(110)
    assert loop.rounds_s == [0.0, 101.0]


async def test_the_next_round_may_be_due_at_another_time(store: SwitchedStore, clock: SimulatedClock) -> None:
    class Hourly(Loop):
        def next_due_s(self) -> float:
            return 3600.0

    loop = Hourly(store, clock)
    async with running(loop):
        await clock.run(3601)
    assert loop.rounds_s == [0.0, 3600.0]


@pytest.mark.parametrize("error", [StoreUnavailable(), VenueUnavailable("away"), ZeroDivisionError("a bug")])
async def test_failures_are_retried_with_growing_pauses_and_never_end_the_loop(
    loop: Loop, clock: SimulatedClock, logged: Log, error: Exception
) -> None:
    loop.error = error
    async with running(loop) as task:
        await clock.run(2 + 4 + 8 + 16 + 30 + 30)
        assert loop.rounds_s == [0.0, 2.0, 6.0, 14.0, 30.0, 60.0, 90.0]
        loop.error = None
        await clock.run(30)
        loop.error = error
        await clock.run(INTERVAL_S + 2)
        assert loop.rounds_s[-3:] == [120.0, 180.0, 182.0], "a success lets the next failure count as the first"
        assert not task.done()
    assert loop.reported == [error] * 9
    failures = [line for line in logged if line["event"] == "round failed"]
    assert [line["loop"] for line in failures] == ["counting"] * 9
    foreseen = getattr(error, "code", "")
    for line in failures:
        assert line.get("code", "") == foreseen
        assert (line.get("exc_info") is error) is (not foreseen), (
            "only what was not foreseen is logged with its traceback"
        )


async def test_a_report_of_a_failure_that_fails_ends_nothing(loop: Loop, clock: SimulatedClock, logged: Log) -> None:
    loop.error, loop.error_of_report = ValueError("a bug"), KeyError("another")
    async with running(loop) as task:
        await clock.run(6)
        assert not task.done()
    assert len(loop.rounds_s) == 3
    assert sum(line["event"] == "failure not recorded" for line in logged) == 3


async def test_a_store_away_at_the_start_is_waited_for(loop: Loop, store: SwitchedStore, clock: SimulatedClock) -> None:
    store.away = True
    async with running(loop):
        await clock.run(10)
        assert loop.rounds_s == []
        store.away = False
        await clock.run(10)
        assert loop.rounds_s == [14.0]


async def test_of_two_processes_one_works_and_the_other_takes_over(
    loop: Loop, store: SwitchedStore, clock: SimulatedClock, logged: Log
) -> None:
    other = Loop(store.another_process(), clock)
    async with running(other):
        async with running(loop):
            await clock.run(59)
            assert (other.rounds_s, loop.rounds_s) == ([0.0], [])
            assert sum("standing by" in line["event"] for line in logged) == 1
        assert loop.take_overs == 0
    async with running(loop):
        await clock.run(1)
    assert len(loop.rounds_s) == 1 and loop.take_overs == 1, "the lease was not given back when the loop was cancelled"


async def test_a_take_over_that_failed_is_repeated_before_any_round(loop: Loop, clock: SimulatedClock) -> None:
    loop.error_of_take_over = StoreUnavailable()
    async with running(loop):
        await clock.run(1)
        assert (loop.take_overs, loop.rounds_s) == (1, [])
        loop.error_of_take_over = None
        await clock.run(1)
        assert (loop.take_overs, loop.rounds_s) == (2, [2.0])
        await clock.run(INTERVAL_S)
        assert (loop.take_overs, len(loop.rounds_s)) == (2, 2)


async def test_a_long_round_ends_when_the_lease_is_lost(loop: Loop, clock: SimulatedClock, logged: Log) -> None:
    loop.lasts = True
    async with running(loop):
        await clock.run(10)
        assert loop.rounds_s == [0.0]
        await loop.release()
        await clock.run(1)
        assert logged[-1]["code"] == "lease_lost"
        await clock.run(2)
        assert loop.rounds_s == [0.0, 13.0] and loop.take_overs == 2


async def test_a_heartbeat_bears_the_name_of_the_loop(loop: Loop, store: SwitchedStore, clock: SimulatedClock) -> None:
    await clock.run(7)
    await loop.beat({"done": 3})
    assert await store.heartbeat("counting") == (clock.now(), {"done": 3})
