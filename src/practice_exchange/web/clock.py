"""The exchange's time as clients see it: continuous between two steps of the world, and monotonic."""

from __future__ import annotations

import sys
import time

# The world takes a step this often.
TICK_S = 1.0


class WorldClock:
    """Tells the world's time as an anchor plus what has passed since, at ``speed`` of its seconds in one of ours.

    While the world moves, time stands at the end of the step. With ``speed`` 0 it moves by steps alone.
    """

    def __init__(self, now_ms: int, speed: float) -> None:
        self.speed = speed
        self._anchor_ms = now_ms
        self._anchor_s: float | None = None
        # No time beyond this is reported before the next checkpoint, so that a crash cannot make time run back.
        self.promise_ms = sys.maxsize
        # While set, both clocks stand: one request happens at one moment, now and when it is repeated after a crash.
        self._held_ms: int | None = None
        self._held_s = 0.0

    def now_ms(self) -> int:
        """The world's time in milliseconds since 1970."""
        if self._held_ms is not None:
            return self._held_ms
        if self._anchor_s is None:
            return self._anchor_ms
        passed_s = min(time.monotonic() - self._anchor_s, TICK_S)
        return max(self._anchor_ms, min(self._anchor_ms + int(passed_s * self.speed * 1000), self.promise_ms))

    def machine_s(self) -> float:
        """This machine's clock, in seconds since 1970."""
        return time.time() if self._held_ms is None else self._held_s

    def hold(self, now_ms: int | None = None, machine_s: float | None = None) -> None:
        """Stop both clocks, here or at these times, until ``release``."""
        machine_s = self.machine_s() if machine_s is None else machine_s
        self._held_ms, self._held_s = self.now_ms() if now_ms is None else now_ms, machine_s

    def release(self) -> None:
        self._held_ms = None

    def stand(self, until_ms: int) -> int:
        """Stop at the end of a step that begins; returns that time, which is never before a reported one."""
        self._anchor_ms, self._anchor_s = max(until_ms, self._anchor_ms), None
        return self._anchor_ms

    def resume(self) -> None:
        """Run again from where it stopped, unless time moves by steps alone."""
        self._anchor_s = time.monotonic() if self.speed > 0 else None

    def promise(self, from_ms: int, reach_s: float) -> int:
        """The moment that will not be passed before the next checkpoint, ``reach_s`` of our seconds ahead."""
        return max(self._anchor_ms, from_ms) + int(reach_s * self.speed * 1000)
