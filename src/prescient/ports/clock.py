"""Time, ids and concurrency for the core: ports, so that a seed reproduces a run exactly."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, Protocol


class Clock(Protocol):
    """Time comes from here alone, so that a run is a plain sequence that a seed reproduces."""

    def now(self) -> datetime:
        """The present in UTC, aware."""

    def monotonic_s(self) -> float:
        """Seconds since some moment in the past; never runs back. For durations."""

    async def sleep(self, seconds: float) -> None:
        """Wait so many seconds of this clock. Cancellation ends it at once."""


class Ids(Protocol):
    """Fresh identifiers."""

    def new(self, kind: str) -> str:
        """Return a fresh id such as ``cycle-01J...``: unique, sortable by time, safe in a URL."""


class Gather(Protocol):
    """Runs independent coroutines side by side (or one by one in a simulation), results in order."""

    async def __call__(self, tasks: Sequence[Callable[[], Awaitable[Any]]], limit: int) -> list[Any]:
        """Run at most ``limit`` at a time; results in the order of ``tasks``. Raises what a task raised."""
