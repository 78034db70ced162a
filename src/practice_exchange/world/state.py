"""The state of the practice world as plain structs: what checkpoints hold and what responses are made from."""

from __future__ import annotations

import msgspec

from practice_exchange.world.book import UnifiedBook

# The stages of a market's life. An ended market takes no orders; a closed one has paid out.
OPEN = "open"
ENDED = "ended"
PROPOSED = "proposed"
DISPUTED = "disputed"
RESOLVED = "resolved"


class Fees(msgspec.Struct, frozen=True):
    """A category's fee schedule; ``kind`` empty means fee-free."""

    kind: str = ""
    rate: float = 0.0
    rebate_rate: float = 0.0
    exponent: int | float = 1


class Belief(msgspec.Struct):
    """A hidden truth and how likely each of its ways looks to the informed, as log weights.

    The informed watch a noisy signal whose strength grows towards ``end_ms``, so their probabilities are a
    martingale under the prior that drew ``winner``, and arrive near 0 or 1 at the end.
    """

    weights: list[float]
    winner: int
    strength: float
    end_ms: int
    # Before this moment (a kick-off) hardly anything becomes known.
    quiet_until_ms: int = 0


class Maker(msgspec.Struct):
    """How the makers of one market quote: the shape of their ladder and what they have taken on."""

    half_spread_micro: int
    bid_offsets: list[int]
    bid_shape: list[int]
    ask_offsets: list[int]
    ask_shape: list[int]
    # The sizes that they put up now, in micro: the shape times how generous they were last time they looked at it.
    bid_sizes: list[int] = []
    ask_sizes: list[int] = []
    # Shares at a usual best level, in micro: the measure for what they have taken on.
    near_micro: int = 0
    inventory_micro: int = 0


class Volume(msgspec.Struct):
    """Dollars traded, in micro: in all, by hour of the last day and by day of the last month."""

    total_micro: int = 0
    hour: int = 0
    by_hour: list[int] = []
    by_day: list[int] = []


class Rewards(msgspec.Struct, frozen=True):
    minimum_size: int = 0
    maximum_spread: float = 0.0
    daily_rate: int = 0


class MarketState(msgspec.Struct):
    """One question with two outcomes. Prices are of the first outcome, in micro-dollars."""

    number: int
    event_number: int
    condition_id: str
    question_id: str
    question: str
    slug: str
    description: str
    outcomes: list[str]
    token_ids: list[str]
    created_ms: int
    listed_ms: int
    end_ms: int
    tick_micro: int
    book: UnifiedBook
    volume: Volume
    fees: Fees
    # Which belief of the event decides this market, and which of its ways mean "yes": first <= winner < beyond.
    belief: int = 0
    first: int = 0
    beyond: int = 1
    maker: Maker | None = None
    daily_volume_micro: int = 0
    minimum_size: int = 5
    rewards: Rewards = Rewards()
    group_title: str = ""
    group_threshold: int = 0
    active: bool = True
    accepting_orders: bool = True
    order_book_enabled: bool = True
    closed: bool = False
    archived: bool = False
    restricted: bool = True
    placeholder: bool = False
    negative_risk: bool = False
    negative_risk_other: bool = False
    negative_risk_request_id: str = ""
    seconds_delay: int = 0
    taker_delay: bool = False
    game_start_ms: int = 0
    sports_kind: str = ""
    resolution_source: str = ""
    # Where the market is in its life, and how it will end: decided when it is listed, told when it is resolved.
    stage: str = OPEN
    next_stage_ms: int = 0
    void: bool = False
    disputes: int = 0
    uma_statuses: list[str] = []
    payouts_micro: list[int] = []
    closed_ms: int = 0
    changed_ms: int = 0
    revision: int = 0
    last_trade_micro: int = 0
    last_trade_is_buy: bool = True
    # The latest prints: (moment ms, price micro, size micro, taker bought the first outcome).
    tape: list[tuple[int, int, int, bool]] = []
    # What a recording told; -1 where the world counts for itself.
    told_liquidity_micro: int = -1
    history_s: list[int] = []
    history_micro: list[int] = []

    @property
    def trading(self) -> bool:
        """Whether simulated traders visit it."""
        return self.stage == OPEN and self.active and self.accepting_orders and not self.closed


class EventState(msgspec.Struct):
    """A group of markets about one happening, with the beliefs that will decide them."""

    number: int
    recipe: str
    category: str
    title: str
    slug: str
    description: str
    tags: list[str]
    created_ms: int
    listed_ms: int
    end_ms: int
    markets: list[MarketState]
    beliefs: list[Belief] = []
    negative_risk: bool = False
    negative_risk_market_id: str = ""
    negative_risk_augmented: bool = False
    series: str = ""
    resolution_source: str = ""
    active: bool = True
    closed: bool = False
    archived: bool = False
    featured: bool = False
    closed_ms: int = 0
    game_start_ms: int = 0
    comment_count: int = 0
    told_liquidity_micro: int = -1
    told_volume_micro: int = -1
    # Mean time between two visits of traders, the last visit, and when something happens next.
    pace_ms: int = 0
    last_ms: int = 0
    due_ms: int = 0
    # Its own stream of randomness: a list of the generator's 625 words; empty once nothing is random any more.
    randomness: list[int] = []
    randomness_spare: float | None = None
    # Whether its recipe has been listed again since it ended.
    replaced: bool = False
