"""Rate limits for our own requests, below what the venue allows one address."""

from __future__ import annotations

from dataclasses import dataclass

from prescient.ports.clock import Clock


@dataclass(frozen=True, slots=True)
class Rate:
    """At most ``burst`` requests at once and ``per_second`` in the long run."""

    per_second: float
    burst: int


# The venue counts over ten seconds: each rate keeps burst + 10 x per_second below its documented limit
# (Gamma /events 500, /markets 300; CLOB /books 500, /prices-history 1,000, everything else 9,000).
GAMMA_EVENTS = Rate(40, 40)
GAMMA_MARKETS = Rate(20, 40)
CLOB_BOOKS = Rate(40, 40)
CLOB_HISTORY = Rate(80, 80)
CLOB_OTHER = Rate(400, 400)


class TokenBucket:
    """A token bucket: a caller that finds it empty sleeps until its turn."""

    def __init__(self, rate: Rate, clock: Clock) -> None:
        self._interval_s = 1 / rate.per_second
        self._allowance_s = (rate.burst - 1) * self._interval_s
        self._clock = clock
        self._next_s = clock.monotonic_s() - self._allowance_s

    async def acquire(self) -> None:
        """Wait for a token. Callers are served in order."""
        now_s = self._clock.monotonic_s()
        place_s = max(self._next_s, now_s - self._allowance_s)
        self._next_s = place_s + self._interval_s
        if place_s > now_s:
            await self._clock.sleep(place_s - now_s)

    def pause(self, seconds: float) -> None:
        """Let nobody through for a while, because the venue asked for that."""
        self._next_s = max(self._next_s, self._clock.monotonic_s() + seconds)
