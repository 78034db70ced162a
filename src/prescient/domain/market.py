"""Events, markets, outcomes and order books as the cycle hands them from collect to execute."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from polymarket_kit.model import NO_FEES, FeeSchedule, Level, Payout, Side


class Resolution(StrEnum):
    """Where a market stands between its last trade and its payout (venue document "resolution")."""

    OPEN = "open"
    ENDED = "ended"
    PROPOSED = "proposed"
    DISPUTED = "disputed"
    RESOLVED = "resolved"


@dataclass(slots=True)
class Outcome:
    """One tradable token. ``price_micro`` is the catalogue's cached price, never used for a fill."""

    token_id: str
    name: str
    price_micro: int | None


@dataclass(slots=True)
class Market:
    """One question with its outcomes, as the venue's catalogue describes it. Amounts in micro-dollars."""

    market_id: str
    event_id: str
    condition_id: str
    question: str
    slug: str
    outcomes: tuple[Outcome, ...]
    active: bool
    closed: bool
    accepting_orders: bool
    order_book_enabled: bool
    liquidity_micro: int
    volume_micro: int
    volume_24h_micro: int
    tick_micro: int
    minimum_size_micro: int
    fees: FeeSchedule = NO_FEES
    negative_risk: bool = False
    best_bid_micro: int | None = None
    best_ask_micro: int | None = None
    last_trade_micro: int | None = None
    end_time: datetime | None = None
    game_start_time: datetime | None = None
    seconds_delay: int = 0
    resolution: Resolution = Resolution.OPEN
    category: str = ""
    group_title: str = ""
    # An augmented negative-risk event lists placeholders and an "Other" whose meaning can still change.
    placeholder: bool = False

    @property
    def tradable(self) -> bool:
        """Whether the venue takes orders now. ``ready`` and ``funded`` are no gates (they are false on live markets)."""
        return self.active and not self.closed and self.accepting_orders and self.order_book_enabled

    @property
    def conviction_micro(self) -> int | None:
        """The highest outcome price, or None when the catalogue has no price."""
        prices = [outcome.price_micro for outcome in self.outcomes if outcome.price_micro is not None]
        return max(prices, default=None)

    @property
    def figures(self) -> MarketFigures:
        return MarketFigures(
            self.market_id,
            self.active,
            self.closed,
            self.accepting_orders,
            self.order_book_enabled,
            self.placeholder,
            self.liquidity_micro,
            self.volume_micro,
            [outcome.price_micro for outcome in self.outcomes],
        )

    def outcome_of(self, token_id: str) -> Outcome | None:
        return next((outcome for outcome in self.outcomes if outcome.token_id == token_id), None)


class MarketFigures(NamedTuple):
    """What screening asks of a market, without its texts and tokens: a catalogue has tens of thousands of them."""

    market_id: str
    active: bool
    closed: bool
    accepting_orders: bool
    order_book_enabled: bool
    placeholder: bool
    liquidity_micro: int
    volume_micro: int
    outcome_prices_micro: Sequence[int | None]

    @property
    def tradable(self) -> bool:
        """As ``Market.tradable``."""
        return self.active and not self.closed and self.accepting_orders and self.order_book_enabled

    @property
    def conviction_micro(self) -> int | None:
        """As ``Market.conviction_micro``."""
        return max((price for price in self.outcome_prices_micro if price is not None), default=None)


@dataclass(slots=True)
class Event:
    """A group of markets about one happening. ``tags`` are the venue's slugs ("politics", "crypto")."""

    event_id: str
    title: str
    slug: str
    active: bool
    closed: bool
    liquidity_micro: int
    volume_micro: int
    volume_24h_micro: int = 0
    start_time: datetime | None = None
    end_time: datetime | None = None
    negative_risk: bool = False
    tags: tuple[str, ...] = ()
    markets: tuple[Market, ...] = ()


@dataclass(frozen=True, slots=True)
class OrderBook:
    """One outcome's book, best level first on both sides (the wire has it last)."""

    token_id: str
    condition_id: str
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    time_ms: int
    tick_micro: int
    minimum_size_micro: int
    last_trade_micro: int | None = None
    negative_risk: bool = False
    hash: str = ""

    @property
    def best_bid_micro(self) -> int | None:
        return self.bids[0].price_micro if self.bids else None

    @property
    def best_ask_micro(self) -> int | None:
        return self.asks[0].price_micro if self.asks else None

    @property
    def midpoint_micro(self) -> int | None:
        if not self.bids or not self.asks:
            return None
        return (self.bids[0].price_micro + self.asks[0].price_micro) // 2

    def levels_against(self, side: Side) -> tuple[Level, ...]:
        """The levels that an order of this side would take, best first."""
        return self.asks if side is Side.BUY else self.bids


@dataclass(frozen=True, slots=True)
class TradingRules:
    """What the venue enforces for one market now, read fresh before an order (``/clob-markets``)."""

    condition_id: str
    token_ids: tuple[str, ...]
    accepting_orders: bool
    tick_micro: int
    minimum_size_micro: int
    fees: FeeSchedule = NO_FEES
    negative_risk: bool = False
    taker_delay_enabled: bool = False
    seconds_delay: int = 0
    # When the venue clears the book, at the start of a game; 0: it does not.
    game_start_ms: int = 0


class PricePoint(NamedTuple):
    """One point of a token's price history."""

    time_s: int
    price_micro: int


@dataclass(frozen=True, slots=True)
class MarketState:
    """What settlement and marking need to know of a held market."""

    condition_id: str
    resolution: Resolution
    closed: bool
    payout: Payout | None = None
    market_id: str = ""
    extra: dict[str, str] = field(default_factory=dict)
