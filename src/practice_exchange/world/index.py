"""Lookup tables of events and markets by id, slug, condition and token."""

from __future__ import annotations

from practice_exchange.world import names as words
from practice_exchange.world.state import EventState, MarketState


class WorldIndex:
    """Events in order of their numbers, and what is found by id, slug, condition and token."""

    def __init__(self) -> None:
        self.events: dict[int, EventState] = {}
        self.markets: dict[int, MarketState] = {}
        self.events_by_slug: dict[str, EventState] = {}
        self.markets_by_slug: dict[str, MarketState] = {}
        self.markets_by_condition: dict[str, MarketState] = {}
        # Token id to its market and the index of its outcome.
        self.tokens: dict[str, tuple[MarketState, int]] = {}
        # Tag slug to (id, label).
        self.tags: dict[str, tuple[int, str]] = dict(words.TAGS)

    def tag_ids(self, event: EventState) -> list[int]:
        return [self.tags[slug][0] for slug in event.tags if slug in self.tags]

    def add(self, event: EventState) -> None:
        self.events[event.number] = event
        self.events_by_slug[event.slug] = event
        for market in event.markets:
            self.markets[market.number] = market
            self.markets_by_slug[market.slug] = market
            self.markets_by_condition[market.condition_id] = market
            for index, token_id in enumerate(market.token_ids):
                self.tokens[token_id] = (market, index)

    def remove(self, event: EventState) -> None:
        del self.events[event.number]
        self.events_by_slug.pop(event.slug, None)
        for market in event.markets:
            del self.markets[market.number]
            self.markets_by_slug.pop(market.slug, None)
            self.markets_by_condition.pop(market.condition_id, None)
            for token_id in market.token_ids:
                self.tokens.pop(token_id, None)
