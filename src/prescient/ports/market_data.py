"""What the venue publishes: catalogue, books, rules and results on request, and the market stream."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from prescient.domain.market import Event, MarketState, OrderBook, PricePoint, TradingRules
from prescient.domain.stream import StreamEvent


@dataclass(slots=True)
class EventPage:
    """One page of the catalogue, decoded. ``skipped`` lists (id, reason) of malformed items that were left out."""

    events: list[Event]
    skipped: list[tuple[str, str]]


class MarketData(Protocol):
    """What the venue publishes. Raises VenueUnavailable after bounded retries; never invents a price."""

    def active_events(self) -> AsyncIterator[EventPage]:
        """All active, open events with their markets, page by page; pages are fetched ahead."""

    async def books(self, token_ids: Sequence[str]) -> dict[str, OrderBook]:
        """Fresh books by token id; tokens without a book are absent."""

    async def rules(self, condition_ids: Sequence[str]) -> dict[str, TradingRules]:
        """What the venue enforces now, by condition id; unknown ones are absent."""

    async def price_history(self, token_id: str, start_s: int, end_s: int, fidelity_min: int) -> tuple[PricePoint, ...]:
        """Prices from ``start_s`` to ``end_s`` (Unix seconds), one each ``fidelity_min`` minutes, oldest first."""

    async def market_states(self, condition_ids: Sequence[str]) -> dict[str, MarketState]:
        """Resolution state of markets by condition id, closed ones included; unknown ones are absent."""

    async def close(self) -> None:
        """Close connections. Nothing may be asked afterwards."""


class MarketStream(Protocol):
    """What the venue publishes as it happens. Reconnects by itself; whatever it may have missed, it tells as a gap."""

    async def follow(self, token_ids: Sequence[str]) -> None:
        """Follow these tokens from now on, beside those followed already."""

    async def unfollow(self, token_ids: Sequence[str]) -> None:
        """Stop following these tokens; unknown ones are ignored."""

    def events(self) -> AsyncIterator[StreamEvent]:
        """Everything about the followed tokens, in order; ends when the stream is closed."""

    def book(self, token_id: str) -> OrderBook | None:
        """The book as last told, or None while there is a gap."""

    def evidence_age_s(self, token_id: str) -> float | None:
        """Seconds since anything proved this token's book right (an event, an equal REST book); None: never."""

    async def close(self) -> None:
        """End ``events`` and close the sockets."""
