"""The practice exchange's own time: it may run faster than ours, or stand still until a test moves it."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta

import aiohttp
import msgspec

from prescient.domain.errors import VenueUnavailable

REFRESH_S = 1.0
TIMEOUT_S = 5.0


class _WorldTime(msgspec.Struct):
    """What ``GET /practice/time`` answers: the world's time, how many of its seconds pass in one of ours, its name."""

    now_ms: int
    speed: float = 1.0
    frozen: bool = False
    source: str = ""


class PracticeClock:
    """Follows the exchange's clock: asked once a second, interpolated in between, never running back."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session: aiohttp.ClientSession | None = None
        self._task: asyncio.Task[None] | None = None
        self._anchor_us = 0
        self._anchor_s = time.monotonic()
        self._speed = 0.0
        self._latest_us = 0
        # Which world it is, so that what is traded on one never mixes with another.
        self.source = ""

    async def start(self) -> None:
        """Read the world's time once and keep following it. Raises VenueUnavailable."""
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_S))
        try:
            await self.refresh()
        except VenueUnavailable:
            await self._session.close()
            raise
        self._task = asyncio.create_task(self._follow(), name="practice-clock")

    async def refresh(self) -> None:
        """Ask the exchange for its time now."""
        assert self._session is not None
        try:
            async with self._session.get(self._url) as response:
                body = await response.read()
            world = msgspec.json.decode(body, type=_WorldTime)
        except (aiohttp.ClientError, TimeoutError, msgspec.MsgspecError) as error:
            raise VenueUnavailable(
                f"The practice exchange does not tell its time ({self._url}). Start it with `prescient practice`."
            ) from error
        self._anchor_us = world.now_ms * 1000
        self._anchor_s = time.monotonic()
        self._speed = 0.0 if world.frozen else world.speed
        self.source = world.source

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    def now(self) -> datetime:
        """The world's present in UTC, aware."""
        elapsed_us = int((time.monotonic() - self._anchor_s) * self._speed * 1_000_000)
        self._latest_us = max(self._latest_us, self._anchor_us + elapsed_us)
        return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=self._latest_us)

    def monotonic_s(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait for seconds of the world's time; in a world that stands still, of ours."""
        await asyncio.sleep(seconds / self._speed if self._speed > 0 else seconds)

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(REFRESH_S)
            try:
                await self.refresh()
            except VenueUnavailable:
                # Between two answers the clock runs on by itself; whoever needs the exchange notices it is away.
                continue
