"""What a market-data stream tells, as plain values in order: books, levels, prints, and the gaps between them.

Stands between collect and execute: adapters turn the venue's frames into these, resting paper orders live on them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from polymarket_kit.model import Side
from prescient.domain.market import OrderBook


@dataclass(frozen=True, slots=True)
class BookSeen:
    """A whole book of one token: the start, or everything afresh after a gap. Replaces what was known."""

    book: OrderBook
    time_ms: int


class LevelSeen(NamedTuple):
    """One price of one token's book has a new aggregate size; zero: the price is gone.

    A tuple, for nearly all of a stream is these: it is made in a third of the time.
    """

    token_id: str
    side: Side
    price_micro: int
    size_micro: int
    time_ms: int


@dataclass(frozen=True, slots=True)
class PrintSeen:
    """A trade happened. ``side`` is the taker's, on ``token_id``'s book."""

    token_id: str
    price_micro: int
    size_micro: int
    side: Side
    time_ms: int


@dataclass(frozen=True, slots=True)
class TickSeen:
    """A token's grid changed; orders off the new one are gone and books are to be read afresh."""

    token_id: str
    tick_micro: int
    time_ms: int


@dataclass(frozen=True, slots=True)
class MarketResolvedSeen:
    """A market is resolved: no order rests in it any more."""

    condition_id: str
    time_ms: int


@dataclass(frozen=True, slots=True)
class GapSeen:
    """From here on nothing is known about these tokens, until the next ``BookSeen`` of each. Nothing fills across it."""

    token_ids: tuple[str, ...]
    reason: str
    time_ms: int


StreamEvent = BookSeen | LevelSeen | PrintSeen | TickSeen | MarketResolvedSeen | GapSeen
