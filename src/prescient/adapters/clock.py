"""Where time comes from: the machine's clock, or one that moves only when told or slept on."""

from __future__ import annotations

import asyncio
import heapq
import time
from datetime import UTC, datetime, timedelta

MICROSECONDS = 1_000_000


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """The present in UTC, aware."""
        return datetime.now(UTC)

    def monotonic_s(self) -> float:
        """Seconds since some fixed moment, unmoved by changes of the wall clock."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class SimulatedClock:
    """A clock for backtests and simulations: the same calls give the same times, whatever the machine does.

    ``sleep`` moves it forward at once. With ``waits`` it does not: sleepers wait until ``advance`` passes their time,
    and wake in the order of their times, then of their calls. Time is counted in whole microseconds, so it never drifts.
    """

    def __init__(self, start: datetime, *, waits: bool = False) -> None:
        if start.tzinfo is None:
            raise ValueError("start needs a time zone; give a time in UTC")
        self._start = start.astimezone(UTC)
        self._elapsed_us = 0
        self._waits = waits
        self._calls = 0
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        """The simulated present in UTC, aware."""
        return self._start + timedelta(microseconds=self._elapsed_us)

    def monotonic_s(self) -> float:
        """Simulated seconds since the start."""
        return self._elapsed_us / MICROSECONDS

    async def sleep(self, seconds: float) -> None:
        delay_us = max(round(seconds * MICROSECONDS), 0)
        if not self._waits:
            self._elapsed_us += delay_us
            await asyncio.sleep(0)
            return
        if delay_us == 0:
            await asyncio.sleep(0)
            return
        self._calls += 1
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._elapsed_us + delay_us, self._calls, woken))
        await woken

    def advance(self, seconds: float) -> None:
        """Move time forward at once and wake all whose time has come. Raises ValueError for a step back."""
        if seconds < 0:
            raise ValueError("time does not run backwards; advance by zero or more seconds")
        self._elapsed_us += round(seconds * MICROSECONDS)
        while self._sleepers and self._sleepers[0][0] <= self._elapsed_us:
            self._wake_next()

    async def run(self, seconds: float) -> None:
        """Move time forward sleeper by sleeper: each sees the very time it asked for, and may sleep again on the way."""
        if seconds < 0:
            raise ValueError("time does not run backwards; run for zero or more seconds")
        end_us = self._elapsed_us + round(seconds * MICROSECONDS)
        await _let_others_run()
        while self._sleepers and self._sleepers[0][0] <= end_us:
            self._elapsed_us = max(self._elapsed_us, self._sleepers[0][0])
            self._wake_next()
            await _let_others_run()
        self._elapsed_us = max(self._elapsed_us, end_us)

    def _wake_next(self) -> None:
        _, _, woken = heapq.heappop(self._sleepers)
        if not woken.done():
            woken.set_result(None)


async def _let_others_run() -> None:
    """Give way often enough that a woken task runs through a few plain awaits to its next sleep."""
    for _ in range(20):
        await asyncio.sleep(0)
