"""A market in the engine: its terms, its one book, its complete sets, and its fees by price."""

from __future__ import annotations

import msgspec

from polymarket_kit.fees import FEE_STEP_MICRO, FeeTerms, fee_terms
from polymarket_kit.model import NO_FEES, FeeSchedule, Side
from polymarket_kit.rules import TICKS_MICRO
from practice_exchange.engine.events import MarketStage
from practice_exchange.engine.orders import POINT_MICRO, POINTS
from practice_exchange.engine.settlement import Trade
from practice_exchange.engine.unified import Ladder

# The valid prices of each tick: from one tick to a dollar less one tick.
GRIDS = {
    tick // POINT_MICRO: frozenset(range(tick // POINT_MICRO, POINTS, tick // POINT_MICRO)) for tick in TICKS_MICRO
}


class MarketSpec(msgspec.Struct, frozen=True):
    """A market as listed. ``token_ids[0]`` is the first outcome; ``event_id`` groups negative-risk markets, else empty.

    ``seconds_delay`` is the sports delay, ``taker_delay`` says whether marketable orders wait out the taker delay.
    ``game_start_ms`` above zero clears the book at that moment.
    """

    condition_id: str
    token_ids: tuple[str, str]
    tick_micro: int = 10_000
    minimum_size_micro: int = 5_000_000
    fees: FeeSchedule = NO_FEES
    event_id: str = ""
    taker_delay: bool = False
    seconds_delay: int = 0
    game_start_ms: int = 0
    waiting: bool = False

    def __post_init__(self) -> None:
        if self.tick_micro not in TICKS_MICRO:
            raise ValueError(f"tick_micro: {self.tick_micro} is none of the venue's ticks {TICKS_MICRO}")
        if self.token_ids[0] == self.token_ids[1]:
            raise ValueError(f"token_ids: market {self.condition_id} needs two different tokens")
        if not self.fees.taker_only:
            raise ValueError(f"fees: market {self.condition_id} charges makers, which the venue does not do")


class LastTrade(msgspec.Struct, frozen=True, gc=False):
    """The last match in the taker's terms."""

    token_index: int
    side: Side
    price_micro: int


class MarketState(msgspec.Struct):
    """What a market remembers beside its orders.

    ``locked_micro`` is the dollars behind its shares: one for each complete set until resolution, then what is still to
    be redeemed. ``fees_micro`` is what takers paid since rebates were last paid, ``rebate_weights`` each maker's part.
    """

    spec: MarketSpec
    tick_micro: int
    minimum_size_micro: int
    fees: FeeSchedule
    stage: MarketStage
    locked_micro: int = 0
    payouts_micro: tuple[int, ...] = ()
    fees_micro: int = 0
    rebate_weights: dict[str, int] = {}
    last_trade: LastTrade | None = None


class Market:
    """The live form of a market: its state, its two ladders and what the hot path needs at hand."""

    def __init__(self, state: MarketState, taker_delay_ms: int) -> None:
        self.state = state
        self.condition_id = state.spec.condition_id
        self.token_ids = state.spec.token_ids
        self.ladders = (Ladder(), Ladder())
        self.delay_ms = state.spec.seconds_delay * 1000 or (taker_delay_ms if state.spec.taker_delay else 0)
        self.fee_terms: dict[int, FeeTerms] = {}
        self.last_match: Trade | None = None
        self.refresh()

    def refresh(self) -> None:
        """Take over a changed stage or changed terms."""
        self.is_open = self.state.stage is MarketStage.OPEN
        self.minimum_size_micro = self.state.minimum_size_micro
        self.tick_points = self.state.tick_micro // POINT_MICRO
        self.grid = GRIDS[self.tick_points]
        self.has_fees = self.state.fees.rate_micro != 0
        self.fee_terms.clear()

    @property
    def last_trade(self) -> LastTrade | None:
        """The last match, also after a restart."""
        return self.dump_state().last_trade

    def dump_state(self) -> MarketState:
        """The state, brought up to date with what the hot path keeps elsewhere."""
        match = self.last_match
        if match is not None:
            token_index = self.token_ids.index(match.token_id)
            self.state.last_trade = LastTrade(token_index, match.side, match.price_micro)
        return self.state

    def fee(self, size_micro: int, points: int) -> int:
        """The taker's fee in micro-dollars: ``taker_fee`` of the kit with all that depends on the price kept ready."""
        if not self.has_fees:
            return 0
        terms = self.fee_terms.get(points)
        if terms is None:
            terms = self.fee_terms[points] = fee_terms(self.state.fees, points * POINT_MICRO)
        factor, half, divisor = terms
        exact = size_micro * factor
        return (exact + half) // divisor * FEE_STEP_MICRO if exact >= divisor else 0


def state_of(spec: MarketSpec) -> MarketState:
    stage = MarketStage.WAITING if spec.waiting else MarketStage.OPEN
    return MarketState(spec, spec.tick_micro, spec.minimum_size_micro, spec.fees, stage)


def dollars_up(size_micro: int, points: int) -> int:
    """Size times price, rounded up: what a BUY is charged."""
    return -(-size_micro * points // POINTS)


def dollars_down(size_micro: int, points: int) -> int:
    """Size times price, rounded down: what a SELL is paid."""
    return size_micro * points // POINTS
