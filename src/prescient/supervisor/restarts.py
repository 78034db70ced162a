"""Decides when a process that died is restarted and when it is given up; it has no clock of its own."""

from __future__ import annotations

from collections import deque

from prescient.backoff import Backoff

# The library behind it costs the supervisor 5 ms and half a mebibyte, which is less than another copy is worth.
BACKOFF = Backoff(first_s=0.5, most_s=30.0)
DEATHS_MAX = 5
WINDOW_S = 60.0
FULL_DISK_PAUSE_S = 5.0


class Restarts:
    """Doubles the pause with each death; gives up after five deaths in a minute, and starts over after a minute without one."""

    def __init__(self) -> None:
        self._deaths: deque[float] = deque()
        self.count = 0

    def delay_after_death(self, now_s: float, *, disk_full: bool = False) -> float | None:
        """Record a death and return the seconds until the next start, or None to give up.

        Deaths on a full disk are none of the process's own: it is tried again until there is room.
        """
        if disk_full:
            self.count += 1
            return FULL_DISK_PAUSE_S
        while self._deaths and now_s - self._deaths[0] > WINDOW_S:
            self._deaths.popleft()
        self._deaths.append(now_s)
        self.count += 1
        if len(self._deaths) >= DEATHS_MAX:
            return None
        return BACKOFF.pause_s(len(self._deaths))
