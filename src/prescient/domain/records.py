"""Small answers of the ports: what a claim, a snapshot row, a service's health and a collection say."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from prescient.domain.cycle import CycleReport


@dataclass(frozen=True, slots=True)
class Claim:
    """The answer to asking for a cycle: it is ours to run, or it ran before under this key."""

    report: CycleReport
    replayed: bool


@dataclass(frozen=True, slots=True)
class MarketSnapshot:
    """One ``market_snapshots`` row: an outcome's best prices and depth at one moment. ``source`` is "cycle" or "mark"."""

    time: datetime
    source: str
    market_id: str
    token_id: str
    best_bid_micro: int | None
    best_ask_micro: int | None
    bid_depth_micro: int
    ask_depth_micro: int
    catalogue_price_micro: int | None


@dataclass(frozen=True, slots=True)
class ComponentHealth:
    """Whether one of our services answers, and what it said if it does not work."""

    online: bool
    url: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Collected:
    """What collect hands on: counts; the rows lie in the store."""

    events: int
    markets: int
    skipped: int
    closed: int = 0
