"""Market data with a short memory for books, so that several portfolios of one cycle look at one fetch.

Decisions and marks read through it; the venue that fills orders never does: it asks for the book of that very moment.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from prescient.domain.market import MarketState, OrderBook, PricePoint, TradingRules
from prescient.ports import Clock, EventPage, MarketData

# Well below the five seconds that a decision's book may be old.
MAX_AGE_S = 2.0
BOOKS_MAX = 50_000


class RecentBooks:
    """Answers from books fetched at most ``max_age_s`` ago, and fetches the rest."""

    def __init__(self, source: MarketData, clock: Clock, max_age_s: float = MAX_AGE_S) -> None:
        self._source = source
        self._clock = clock
        self._max_age_s = max_age_s
        # None: asked, and the venue has no book for it.
        self._books: dict[str, tuple[float, OrderBook | None]] = {}

    async def books(self, token_ids: Sequence[str]) -> dict[str, OrderBook]:
        now_s = self._clock.monotonic_s()
        self._books = {token: kept for token, kept in self._books.items() if now_s - kept[0] <= self._max_age_s}
        missing = [token for token in token_ids if token not in self._books]
        if missing:
            fetched = await self._source.books(missing)
            # Dated by when they were asked for: the answer is at least as young.
            self._books.update({token: (now_s, fetched.get(token)) for token in missing})
        known = self._books
        found = {token: known[token][1] for token in token_ids}
        if len(known) > BOOKS_MAX:
            self._books = {}
        return {token: book for token, book in found.items() if book is not None}

    def active_events(self) -> AsyncIterator[EventPage]:
        return self._source.active_events()

    async def rules(self, condition_ids: Sequence[str]) -> dict[str, TradingRules]:
        return await self._source.rules(condition_ids)

    async def price_history(self, token_id: str, start_s: int, end_s: int, fidelity_min: int) -> tuple[PricePoint, ...]:
        return await self._source.price_history(token_id, start_s, end_s, fidelity_min)

    async def market_states(self, condition_ids: Sequence[str]) -> dict[str, MarketState]:
        return await self._source.market_states(condition_ids)

    async def close(self) -> None:
        await self._source.close()
