"""The shared back-off: how the pauses grow, and that retries are bounded and choosy."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest

from prescient.adapters.clock import SimulatedClock
from prescient.backoff import Backoff

BACKOFF = Backoff(first_s=0.5, most_s=30.0)


def test_pauses_double_up_to_the_most() -> None:
    pauses = [BACKOFF.pause_s(failures) for failures in (1, 2, 3, 6, 7, 8, 5_000)]
    assert pauses == [0.5, 1.0, 2.0, 16.0, 30.0, 30.0, 30.0]


def test_a_first_pause_above_the_most_is_cut() -> None:
    assert Backoff(first_s=5.0, most_s=1.0).pause_s(1) == 1.0


def test_no_failure_has_no_pause() -> None:
    with pytest.raises(AssertionError):
        BACKOFF.pause_s(0)


def failing(times: int, error: Exception) -> Callable[[], Awaitable[int]]:
    """Return a call that fails so often and then returns how often it was made."""
    made = 0

    async def call() -> int:
        nonlocal made
        made += 1
        if made <= times:
            raise error
        return made

    return call


async def retried(call: Callable[[], Awaitable[int]], clock: SimulatedClock, seen: list[tuple[int, str]]) -> int:
    return await BACKOFF.retry(
        call,
        attempts=4,
        retry_on=lambda error: isinstance(error, OSError),
        sleep=clock.sleep,
        on_retry=lambda attempts, error: seen.append((attempts, str(error))),
    )


async def test_a_call_is_repeated_until_it_succeeds() -> None:
    clock, seen = SimulatedClock(datetime(2026, 5, 17, tzinfo=UTC)), list[tuple[int, str]]()
    assert await retried(failing(3, OSError("away")), clock, seen) == 4
    assert clock.monotonic_s() == 0.5 + 1.0 + 2.0
    assert seen == [(1, "away"), (2, "away"), (3, "away")]


async def test_the_last_attempt_raises_its_own_error() -> None:
    clock = SimulatedClock(datetime(2026, 5, 17, tzinfo=UTC))
    with pytest.raises(OSError, match="away"):
        await retried(failing(4, OSError("away")), clock, [])
    assert clock.monotonic_s() == 3.5


@pytest.mark.parametrize("error", [ValueError("wrong"), asyncio.CancelledError()])
async def test_what_is_not_worth_a_retry_is_raised_at_once(error: Exception) -> None:
    clock = SimulatedClock(datetime(2026, 5, 17, tzinfo=UTC))
    with pytest.raises(type(error)):
        await retried(failing(1, error), clock, [])
    assert clock.monotonic_s() == 0.0
