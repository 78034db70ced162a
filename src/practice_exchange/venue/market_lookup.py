"""Market facts for the Data API: a token's market, event and present price."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from polymarket_kit.values import MICRO
from practice_exchange.venue.venue_engine import VenueEngine
from practice_exchange.world.state import EventState, MarketState
from practice_exchange.world.timestamps import day_text
from practice_exchange.world.world import WorldView

NO_OUTCOME = 999


class Facts(NamedTuple):
    """A token's market and which of its outcomes it is."""

    market: MarketState
    event: EventState | None
    outcome_index: int

    @property
    def outcome(self) -> str:
        return self.market.outcomes[self.outcome_index]

    @property
    def opposite_outcome(self) -> str:
        return self.market.outcomes[1 - self.outcome_index]

    @property
    def opposite_token(self) -> str:
        return self.market.token_ids[1 - self.outcome_index]

    @property
    def event_slug(self) -> str:
        return self.event.slug if self.event is not None else ""

    @property
    def end_date(self) -> str:
        return day_text(self.market.end_ms)

    @property
    def resolved(self) -> bool:
        """Whether shares can be redeemed, for a dollar or for nothing."""
        return bool(self.market.payouts_micro)

    @property
    def price_micro(self) -> int:
        """What a share is worth now: the payout, or the middle of the book."""
        if self.market.payouts_micro:
            return self.market.payouts_micro[self.outcome_index]
        middle = self.market.book.midpoint_micro
        return middle if self.outcome_index == 0 else MICRO - middle


class MarketLookup:
    """Finds facts by token and by condition, also of markets that the world has dropped."""

    def __init__(self, world: WorldView, venue_engine: VenueEngine) -> None:
        self._register = world.register
        self._venue_engine = venue_engine

    def of_token(self, token_id: str) -> Facts:
        """The facts of a token that the world has, or that somebody has had."""
        found = self._register.tokens.get(token_id)
        if found is not None:
            return self._facts(*found)
        condition_id = self.condition_of(token_id)
        market = self._venue_engine.market_of(condition_id)
        return self._facts(market, market.token_ids.index(token_id))

    def token(self, token_id: str) -> tuple[MarketState, int] | None:
        """The market and outcome of a token of the world, or None."""
        return self._register.tokens.get(token_id)

    def of_market(self, market: MarketState, outcome_index: int = 0) -> Facts:
        return self._facts(market, outcome_index)

    def of_condition(self, condition_id: str) -> Facts | None:
        """The facts of a market, or None for a condition that is none (an event's, or nothing at all)."""
        market = self._venue_engine.find(condition_id)
        return None if market is None else self._facts(market, 0)

    def markets(self) -> Iterable[MarketState]:
        """All markets of the world."""
        return self._register.markets.values()

    @property
    def crowd(self) -> str:
        """The address under which the world's own traders trade."""
        return self._venue_engine.crowd

    def condition_of(self, token_id: str) -> str:
        found = self._register.tokens.get(token_id)
        return (
            found[0].condition_id if found is not None else self._venue_engine.engine.listed(token_id)[0].condition_id
        )

    def _facts(self, market: MarketState, outcome_index: int) -> Facts:
        return Facts(market, self._register.events.get(market.event_number), outcome_index)
