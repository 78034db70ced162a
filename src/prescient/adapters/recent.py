"""Market data with a memory of two seconds, so that the portfolios of one cycle look at one fetch.

Decisions and marks read through it; the venue that fills orders never does: it asks for the book of that very moment.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Sequence
from typing import Generic, TypeVar

from prescient.domain.market import MarketState, OrderBook, PricePoint, TradingRules
from prescient.ports.clock import Clock
from prescient.ports.market_data import EventPage, MarketData

# Well below the five seconds that a decision's book may be old.
MAX_AGE_S = 2.0
ENTRIES_MAX = 50_000

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class _Recent(Generic[K, V]):
    """What was asked for lately. None is remembered too: the venue has no such thing."""

    def __init__(self, clock: Clock, max_age_s: float) -> None:
        self._clock = clock
        self._max_age_s = max_age_s
        self._kept: dict[K, tuple[float, V | None]] = {}
        self._begun_s = clock.monotonic_s()

    async def get(self, keys: Sequence[K], fetch: Callable[[Sequence[K]], Awaitable[dict[K, V]]]) -> dict[K, V]:
        """Answer from memory, and fetch the rest in one go."""
        now_s = self._clock.monotonic_s()
        self._forget(now_s)
        kept = self._kept
        missing = [key for key in keys if key not in kept or now_s - kept[key][0] > self._max_age_s]
        if missing:
            fetched = await fetch(missing)
            # Dated by when they were asked for: the answer is at least as young.
            kept.update({key: (now_s, fetched.get(key)) for key in missing})
        found = {key: kept[key][1] for key in keys}
        return {key: value for key, value in found.items() if value is not None}

    def _forget(self, now_s: float) -> None:
        """Start anew when all that is kept is old, or when it is too much."""
        if now_s - self._begun_s > self._max_age_s or len(self._kept) > ENTRIES_MAX:
            self._kept = {key: entry for key, entry in self._kept.items() if now_s - entry[0] <= self._max_age_s}
            if len(self._kept) > ENTRIES_MAX:
                self._kept = {}
            self._begun_s = now_s


class RecentMarketData:
    """Books, resolution states and price histories are fetched once and shared for ``max_age_s``."""

    def __init__(self, source: MarketData, clock: Clock, max_age_s: float = MAX_AGE_S) -> None:
        self._source = source
        self._books: _Recent[str, OrderBook] = _Recent(clock, max_age_s)
        self._states: _Recent[str, MarketState] = _Recent(clock, max_age_s)
        self._histories: _Recent[tuple[str, int, int, int], tuple[PricePoint, ...]] = _Recent(clock, max_age_s)

    async def books(self, token_ids: Sequence[str]) -> dict[str, OrderBook]:
        return await self._books.get(token_ids, self._source.books)

    async def market_states(self, condition_ids: Sequence[str]) -> dict[str, MarketState]:
        return await self._states.get(condition_ids, self._source.market_states)

    async def price_history(self, token_id: str, start_s: int, end_s: int, fidelity_min: int) -> tuple[PricePoint, ...]:
        key = (token_id, start_s, end_s, fidelity_min)

        async def fetch(
            _: Sequence[tuple[str, int, int, int]],
        ) -> dict[tuple[str, int, int, int], tuple[PricePoint, ...]]:
            return {key: await self._source.price_history(token_id, start_s, end_s, fidelity_min)}

        return (await self._histories.get([key], fetch))[key]

    def active_events(self) -> AsyncIterator[EventPage]:
        return self._source.active_events()

    async def rules(self, condition_ids: Sequence[str]) -> dict[str, TradingRules]:
        return await self._source.rules(condition_ids)

    async def close(self) -> None:
        await self._source.close()
