"""A small venue to test the services on: four markets in three events, real books, and switches for what goes wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from polymarket_kit.model import FeeSchedule, Level
from polymarket_kit.values import MICRO
from prescient.adapters.clock import SimulatedClock
from prescient.adapters.gather import ConcurrentGather
from prescient.adapters.ids import SequenceIds
from prescient.adapters.memory import MemoryStore
from prescient.adapters.paper import PaperVenue
from prescient.domain.errors import VenueUnavailable
from prescient.domain.market import Event, Market, MarketState, OrderBook, Outcome, PricePoint, Resolution, TradingRules
from prescient.domain.settlement import SettlementModel
from prescient.ports.clock import Clock
from prescient.ports.context import TradingContext
from prescient.ports.market_data import EventPage
from prescient.strategies import BUILT_IN
from tests.streams import FedStream

NOW = datetime(2026, 5, 17, 12, 0, tzinfo=UTC)
FEES = FeeSchedule(rate_micro=50_000)


def market(
    market_id: str, event_id: str, yes_micro: int, *, liquidity: int = 40_000, volume: int = 90_000, title: str = ""
) -> Market:
    """A binary market whose tokens are ``<id>-yes`` and ``<id>-no``."""
    return Market(
        market_id=market_id,
        event_id=event_id,
        condition_id=f"0xc{market_id}",
        question=title or f"Will {market_id} happen?",
        slug=f"will-{market_id}-happen",
        outcomes=(
            Outcome(f"{market_id}-yes", "Yes", yes_micro),
            Outcome(f"{market_id}-no", "No", MICRO - yes_micro),
        ),
        active=True,
        closed=False,
        accepting_orders=True,
        order_book_enabled=True,
        liquidity_micro=liquidity * MICRO,
        volume_micro=volume * MICRO,
        volume_24h_micro=1_000 * MICRO,
        tick_micro=10_000,
        minimum_size_micro=5 * MICRO,
        fees=FEES,
    )


def event(event_id: str, *markets: Market, liquidity: int = 100_000, volume: int = 500_000) -> Event:
    return Event(
        event_id=event_id,
        title=f"Event {event_id}",
        slug=f"event-{event_id}",
        active=True,
        closed=False,
        liquidity_micro=liquidity * MICRO,
        volume_micro=volume * MICRO,
        tags=("politics",),
        markets=markets,
    )


def default_events() -> list[Event]:
    """Two markets inside the default band, one above it, one too thin, and an event that is too small."""
    return [
        event(
            "100", market("1", "100", 550_000), market("2", "100", 970_000), market("3", "100", 550_000, liquidity=5)
        ),
        event("200", market("4", "200", 440_000), volume=400_000),
        event("300", market("5", "300", 550_000), volume=100),
    ]


def book(token_id: str, price_micro: int) -> OrderBook:
    """Two levels on each side, one tick around the price: 60 shares, then 5,000."""
    near, far = 60 * MICRO, 5_000 * MICRO
    return OrderBook(
        token_id=token_id,
        condition_id=f"0xc{token_id.split('-')[0]}",
        bids=(Level(price_micro - 10_000, near), Level(price_micro - 20_000, far)),
        asks=(Level(price_micro, near), Level(price_micro + 10_000, far)),
        time_ms=1_779_019_200_000,
        tick_micro=10_000,
        minimum_size_micro=5 * MICRO,
        last_trade_micro=price_micro,
        hash=f"hash-{token_id}",
    )


@dataclass
class SmallMarketData:
    """The MarketData port over a list of events. ``away`` makes it fail as an unreachable venue does."""

    events: list[Event] = field(default_factory=default_events)
    states: dict[str, MarketState] = field(default_factory=dict)
    skipped: list[tuple[str, str]] = field(default_factory=lambda: [("bad-1", "no markets")])
    away: bool = False
    asked: list[str] = field(default_factory=list)

    def _ask(self, what: str) -> None:
        self.asked.append(what)
        if self.away:
            raise VenueUnavailable("The venue does not answer. Try again in a minute.")

    def _markets(self) -> list[Market]:
        return [item for parent in self.events for item in parent.markets]

    async def active_events(self) -> AsyncIterator[EventPage]:
        self._ask("events")
        yield EventPage(self.events[:1], self.skipped)
        yield EventPage(self.events[1:], [])

    async def books(self, token_ids: Sequence[str]) -> dict[str, OrderBook]:
        self._ask("books")
        prices = {outcome.token_id: outcome.price_micro for item in self._markets() for outcome in item.outcomes}
        return {token: book(token, price) for token in token_ids if (price := prices.get(token)) is not None}

    async def rules(self, condition_ids: Sequence[str]) -> dict[str, TradingRules]:
        self._ask("rules")
        return {
            item.condition_id: TradingRules(
                item.condition_id, (item.outcomes[0].token_id, item.outcomes[1].token_id), True, 10_000, 5 * MICRO, FEES
            )
            for item in self._markets()
            if item.condition_id in condition_ids
        }

    async def price_history(self, token_id: str, start_s: int, end_s: int, fidelity_min: int) -> tuple[PricePoint, ...]:
        self._ask("history")
        return tuple(PricePoint(start_s + 3_600 * hour, 400_000 + 6_000 * hour) for hour in range(24))

    async def market_states(self, condition_ids: Sequence[str]) -> dict[str, MarketState]:
        self._ask("states")
        open_state = {item: MarketState(item, Resolution.OPEN, closed=False) for item in condition_ids}
        return {**open_state, **{item: state for item, state in self.states.items() if item in condition_ids}}

    async def close(self) -> None:
        self.asked.append("close")


def small_context(
    store: MemoryStore | None = None,
    market_data: SmallMarketData | None = None,
    clock: Clock | None = None,
    settlement_s: float = 0.0,
) -> TradingContext:
    """A context on which the same calls always give the same ids, times and numbers; trades settle at once."""
    data = market_data or SmallMarketData()
    kept = store or MemoryStore()
    time = clock or SimulatedClock(NOW)
    stream = FedStream(data)
    venue = PaperVenue(data, kept, time, stream)
    assert venue.resting is not None
    # Nobody else keeps what rests in this world.
    venue.resting.is_open = True
    return TradingContext(
        clock=time,
        ids=SequenceIds(7),
        gather=ConcurrentGather(),
        market_data=data,
        venues={"paper": venue},
        store=kept,
        strategies={strategy.name: strategy for strategy in BUILT_IN},
        source="small world",
        resting=venue.resting,
        stream=stream,
        settlement=SettlementModel(mined_after_s=settlement_s),
    )
