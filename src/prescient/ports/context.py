"""The ports that one process trades with, together; ``wiring`` chooses them once."""

from __future__ import annotations

from dataclasses import dataclass

from prescient.ports.clock import Clock, Gather, Ids
from prescient.ports.market_data import MarketData, MarketStream
from prescient.ports.store import Store
from prescient.ports.strategy import Strategy
from prescient.ports.venue import RestingVenue, Venue


@dataclass(frozen=True, slots=True)
class TradingContext:
    """The ports that one process trades with, chosen once in ``wiring``."""

    clock: Clock
    ids: Ids
    gather: Gather
    market_data: MarketData
    venue: Venue
    store: Store
    strategies: dict[str, Strategy]
    # What the source of markets is called ("polymarket", "practice seed 7"), for status pages.
    source: str = ""
    # Where orders rest, and what is told of the markets they rest in. None: this source has no stream, so none may rest.
    resting: RestingVenue | None = None
    stream: MarketStream | None = None
