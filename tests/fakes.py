"""Small real implementations of the ports for tests: a market that stands still until a test moves it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from polymarket_kit.model import FeeSchedule, Level, Payout
from polymarket_kit.values import MICRO
from prescient.adapters.clock import SimulatedClock
from prescient.adapters.gather import SequentialGather
from prescient.adapters.ids import SequenceIds
from prescient.adapters.memory import MemoryStore
from prescient.adapters.paper import PaperVenue
from prescient.domain.market import Event, Market, MarketState, OrderBook, Outcome, PricePoint, Resolution, TradingRules
from prescient.ports.context import TradingContext
from prescient.ports.market_data import EventPage
from prescient.ports.store import Store
from prescient.strategies import BUILT_IN
from prescient.trading.obligations import settling_round

START = datetime(2026, 5, 17, 6, 5, tzinfo=UTC)
FIVE_PERCENT = FeeSchedule(rate_micro=50_000)


@dataclass
class StaticMarketData:
    """A venue that publishes exactly what the test put in."""

    events: list[Event] = field(default_factory=list)
    book_by_token: dict[str, OrderBook] = field(default_factory=dict)
    rules_by_condition: dict[str, TradingRules] = field(default_factory=dict)
    states: dict[str, MarketState] = field(default_factory=dict)
    history: dict[str, tuple[PricePoint, ...]] = field(default_factory=dict)
    skipped: list[tuple[str, str]] = field(default_factory=list)

    async def active_events(self) -> AsyncIterator[EventPage]:
        yield EventPage(list(self.events), list(self.skipped))

    async def books(self, token_ids: Sequence[str]) -> dict[str, OrderBook]:
        return {token: self.book_by_token[token] for token in token_ids if token in self.book_by_token}

    async def rules(self, condition_ids: Sequence[str]) -> dict[str, TradingRules]:
        known = self.rules_by_condition
        return {condition: known[condition] for condition in condition_ids if condition in known}

    async def price_history(self, token_id: str, start_s: int, end_s: int, fidelity_min: int) -> tuple[PricePoint, ...]:
        return tuple(point for point in self.history.get(token_id, ()) if start_s <= point.time_s <= end_s)

    async def market_states(self, condition_ids: Sequence[str]) -> dict[str, MarketState]:
        return {condition: self.states[condition] for condition in condition_ids if condition in self.states}

    async def close(self) -> None:
        return None

    def add(self, market: Market, bids: list[tuple[str, str]], asks: list[tuple[str, str]]) -> None:
        """List a binary market in an event of its own, with a YES book best level first and its NO mirror."""
        yes, no = (outcome.token_id for outcome in market.outcomes)
        book = OrderBook(
            yes,
            market.condition_id,
            levels(bids),
            levels(asks),
            1,
            market.tick_micro,
            market.minimum_size_micro,
            hash="h",
        )
        self.set_book(book, no)
        self.rules_by_condition[market.condition_id] = TradingRules(
            market.condition_id, (yes, no), True, market.tick_micro, market.minimum_size_micro, market.fees
        )
        self.states[market.condition_id] = MarketState(market.condition_id, Resolution.OPEN, closed=False)
        self.events.append(
            Event(
                market.event_id,
                f"Event of {market.question}",
                f"event-{market.event_id}",
                active=True,
                closed=False,
                liquidity_micro=market.liquidity_micro,
                volume_micro=market.volume_micro,
                tags=("politics",),
                markets=(market,),
            )
        )

    def set_book(self, book: OrderBook, other_token: str) -> None:
        """Put a book and its mirror in place."""
        self.book_by_token[book.token_id] = book
        self.book_by_token[other_token] = replace(
            book, token_id=other_token, bids=mirrored(book.asks), asks=mirrored(book.bids)
        )

    def resolve(self, market: Market, payouts_micro: tuple[int, int]) -> None:
        """Close a market for good: no book any more, a final payout."""
        tokens = tuple(outcome.token_id for outcome in market.outcomes)
        payout = Payout(market.condition_id, tokens, payouts_micro)
        self.states[market.condition_id] = MarketState(
            market.condition_id, Resolution.RESOLVED, closed=True, payout=payout
        )
        for token in tokens:
            self.book_by_token.pop(token, None)


def levels(pairs: list[tuple[str, str]]) -> tuple[Level, ...]:
    """Levels from decimal texts, as the venue writes them."""
    return tuple(Level(round(float(price) * MICRO), round(float(size) * MICRO)) for price, size in pairs)


def mirrored(side: tuple[Level, ...]) -> tuple[Level, ...]:
    return tuple(Level(MICRO - level.price_micro, level.size_micro) for level in side)


def binary_market(number: int, price_micro: int = 550_000, fees: FeeSchedule = FIVE_PERCENT) -> Market:
    """A tradable market that passes the default filters."""
    return Market(
        market_id=f"m{number}",
        event_id=f"e{number}",
        condition_id=f"0xc{number}",
        question=f"Will it happen, case {number}?",
        slug=f"will-it-happen-{number}",
        outcomes=(
            Outcome(f"{number}1", "Yes", price_micro),
            Outcome(f"{number}2", "No", MICRO - price_micro),
        ),
        active=True,
        closed=False,
        accepting_orders=True,
        order_book_enabled=True,
        liquidity_micro=20_000 * MICRO,
        volume_micro=90_000 * MICRO,
        volume_24h_micro=5_000 * MICRO,
        tick_micro=10_000,
        minimum_size_micro=5 * MICRO,
        fees=fees,
    )


def advance(context: TradingContext, seconds: float) -> None:
    """Let time pass on a context's simulated clock."""
    assert isinstance(context.clock, SimulatedClock)
    context.clock.advance(seconds)


async def mine(context: TradingContext) -> None:
    """Let time pass until all that matched is mined and confirmed, and have what is owed carried out."""
    advance(context, 10)
    await settling_round(context)


def context_over(market_data: StaticMarketData, store: Store | None = None, start: datetime = START) -> TradingContext:
    """A context with a simulated clock, the memory store and the real paper venue."""
    clock = SimulatedClock(start)
    kept: Store = store or MemoryStore()
    return TradingContext(
        clock=clock,
        ids=SequenceIds(1),
        gather=SequentialGather(),
        market_data=market_data,
        venues={"paper": PaperVenue(market_data, kept, clock)},
        store=kept,
        strategies={strategy.name: strategy for strategy in BUILT_IN},
        source="test",
    )
