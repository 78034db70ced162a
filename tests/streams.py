"""A market stream that a test feeds: what is followed gets its books, all else is what the test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from prescient.adapters.paper import PaperVenue
from prescient.adapters.paper.resting import PaperResting
from prescient.domain.booking import OrderUpdate
from prescient.domain.market import OrderBook
from prescient.domain.stream import BookSeen, StreamEvent
from prescient.ports.context import TradingContext
from prescient.ports.market_data import MarketData
from prescient.ports.store import Store
from prescient.trading.orders.updates import book_update
from tests.fakes import StaticMarketData, context_over


@dataclass
class FedStream:
    """Tells the market data's books of what is followed, then what ``tell`` is given."""

    market_data: MarketData
    followed: list[str] = field(default_factory=list)
    waiting: asyncio.Queue[StreamEvent | None] = field(default_factory=asyncio.Queue)

    async def follow(self, token_ids: Sequence[str]) -> None:
        for token_id in token_ids:
            if token_id not in self.followed:
                self.followed.append(token_id)
                self.tell(*await self.books([token_id]))

    async def unfollow(self, token_ids: Sequence[str]) -> None:
        self.followed = [token_id for token_id in self.followed if token_id not in token_ids]

    async def books(self, token_ids: Sequence[str]) -> list[BookSeen]:
        known = await self.market_data.books(token_ids)
        return [BookSeen(book, book.time_ms) for book in known.values()]

    def tell(self, *events: StreamEvent) -> None:
        for event in events:
            self.waiting.put_nowait(event)

    async def events(self) -> AsyncIterator[StreamEvent]:
        while (event := await self.waiting.get()) is not None:
            yield event

    def told(self) -> list[StreamEvent]:
        """Everything that waits, taken out."""
        found = []
        while not self.waiting.empty():
            event = self.waiting.get_nowait()
            if event is not None:
                found.append(event)
        return found

    def book(self, token_id: str) -> OrderBook | None:
        return None

    def evidence_age_s(self, token_id: str) -> float | None:
        return 0.0 if token_id in self.followed else None

    async def close(self) -> None:
        self.waiting.put_nowait(None)


def streaming_context(market_data: StaticMarketData, store: Store | None = None) -> tuple[TradingContext, FedStream]:
    """A context whose paper venue lets orders rest, and the stream that feeds it."""
    context, stream = context_over(market_data, store), FedStream(market_data)
    venue = PaperVenue(market_data, context.store, context.clock, stream)
    return replace(context, venues={"paper": venue}, resting=venue.resting, stream=stream), stream


async def hear(context: TradingContext, event: StreamEvent) -> list[OrderUpdate]:
    """Have paper hear one event and book what it did to our orders, as its loop does; returns that."""
    assert isinstance(context.resting, PaperResting)
    booked = []
    async with aclosing(context.resting.heard(event)) as updates:
        async for update in updates:
            await book_update(context, update)
            booked.append(update)
    return booked
