"""The ports that one process trades with, together; ``wiring`` chooses them once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from prescient.domain.errors import UnknownVenue, VenueElsewhere
from prescient.domain.portfolio import Portfolio
from prescient.domain.settlement import ASSUMED_SETTLEMENT, SettlementModel
from prescient.ports.clock import Clock, Gather, Ids
from prescient.ports.market_data import MarketData, MarketStream
from prescient.ports.paper import RestingVenue
from prescient.ports.store import Store
from prescient.ports.strategy import Strategy
from prescient.ports.venue import Venue


@dataclass(frozen=True, slots=True)
class TradingContext:
    """The ports that one process trades with, chosen once in ``wiring``."""

    clock: Clock
    ids: Ids
    gather: Gather
    market_data: MarketData
    # The venues that this process holds, by name.
    venues: Mapping[str, Venue]
    store: Store
    strategies: dict[str, Strategy]
    # What the source of markets is called ("polymarket", "practice seed 7"), for status pages.
    source: str = ""
    # Where orders rest, and what is told of the markets they rest in. None: this source has no stream, so none may rest.
    resting: RestingVenue | None = None
    stream: MarketStream | None = None
    # How the paper venue's trades settle.
    settlement: SettlementModel = ASSUMED_SETTLEMENT
    # Venues that another process of this installation holds, because only that one has their secrets.
    venues_elsewhere: frozenset[str] = frozenset()

    @property
    def venue_names(self) -> list[str]:
        """The venues that a portfolio may have."""
        return sorted({*self.venues, *self.venues_elsewhere})

    def venue_of(self, portfolio: Portfolio) -> Venue:
        """The venue that a portfolio trades at. Raises UnknownVenue, and VenueElsewhere if another process holds it."""
        found = self.venues.get(portfolio.venue)
        if found is not None:
            return found
        if portfolio.venue in self.venues_elsewhere:
            raise VenueElsewhere(portfolio.venue)
        raise UnknownVenue(portfolio.venue, self.venue_names)
