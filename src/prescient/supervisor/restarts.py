"""When a process that died is started again, and when it is given up: arithmetic without a clock of its own."""

from __future__ import annotations

from collections import deque

FIRST_DELAY_S = 0.5
DELAY_MAX_S = 30.0
DEATHS_MAX = 5
WINDOW_S = 60.0


class Restarts:
    """Doubles the wait with each death; who dies five times in a minute is given up, who lives a minute starts afresh."""

    def __init__(self) -> None:
        self._deaths: deque[float] = deque()
        self.count = 0

    def delay_after_death(self, now_s: float) -> float | None:
        """Record a death and return the seconds until the next start, or None to give up."""
        while self._deaths and now_s - self._deaths[0] > WINDOW_S:
            self._deaths.popleft()
        self._deaths.append(now_s)
        self.count += 1
        if len(self._deaths) >= DEATHS_MAX:
            return None
        return float(min(FIRST_DELAY_S * 2 ** (len(self._deaths) - 1), DELAY_MAX_S))
