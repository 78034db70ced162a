"""Clocks: the machine's, and the simulated one that moves only when told or slept on."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone

import pytest

from prescient.adapters.clock import SimulatedClock, SystemClock

START = datetime(2026, 1, 1, tzinfo=UTC)


async def test_the_system_clock_is_in_utc_and_moves_forward_over_a_sleep() -> None:
    clock = SystemClock()
    before, before_s = clock.now(), clock.monotonic_s()
    await clock.sleep(0.01)
    assert before.tzinfo is UTC
    assert clock.now() > before
    assert clock.monotonic_s() - before_s >= 0.009


async def test_a_simulated_sleep_moves_the_clock_by_exactly_its_length() -> None:
    clock = SimulatedClock(START)
    assert clock.now() == clock.now() == START
    for _ in range(1000):
        await clock.sleep(0.1)
    # Summed as floats this would be 99.9999999999986 seconds.
    assert clock.now() == START + timedelta(seconds=100)
    assert clock.monotonic_s() == 100.0


async def test_a_simulated_clock_stands_still_until_told() -> None:
    clock = SimulatedClock(datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))))
    assert clock.now() == START and clock.now().tzinfo is UTC
    clock.advance(3600)
    assert clock.now() == START + timedelta(hours=1)
    await clock.sleep(-5)
    assert clock.now() == START + timedelta(hours=1)
    with pytest.raises(ValueError, match="backwards"):
        clock.advance(-1)
    with pytest.raises(ValueError, match="time zone"):
        SimulatedClock(datetime(2026, 1, 1))  # noqa: DTZ001 - the refusal of just this is what is tested


async def test_waiting_sleepers_wake_in_the_order_of_their_times_then_of_their_calls() -> None:
    clock = SimulatedClock(START, waits=True)
    woken: list[tuple[str, float]] = []

    async def sleeper(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append((name, clock.monotonic_s()))

    tasks = [asyncio.create_task(sleeper(name, s)) for name, s in [("a", 5), ("b", 2), ("c", 5), ("d", 60), ("e", 0)]]
    await clock.run(10)
    assert woken == [("e", 0.0), ("b", 2.0), ("a", 5.0), ("c", 5.0)]
    assert clock.monotonic_s() == 10.0
    clock.advance(100)
    await tasks[3]
    assert woken[-1] == ("d", 110.0)


async def test_a_loop_that_sleeps_again_is_woken_at_each_of_its_times() -> None:
    clock = SimulatedClock(START, waits=True)
    beats: list[float] = []

    async def beat() -> None:
        while True:
            await clock.sleep(300)
            beats.append(clock.monotonic_s())

    task = asyncio.create_task(beat())
    await clock.run(1000)
    assert beats == [300.0, 600.0, 900.0]
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await clock.run(1000)
    assert len(beats) == 3 and clock.monotonic_s() == 2000.0
