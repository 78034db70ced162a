"""Two copies of one seeded exchange: one is only watched, by the paper venue; the other is traded on with the same orders.

Zero latency, a simulated clock, and traders who do not react: what the world's traders do in the watched copy is done
again, order by order, in the traded one, whatever our orders have changed there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from polymarket_kit.model import Level, OrderType, Side
from polymarket_kit.rejections import Rejection
from polymarket_kit.values import MICRO
from practice_exchange.engine.events import Event, LevelChanged, TickChanged, TradeEvent
from practice_exchange.engine.orders import OrderRequest, Placed
from practice_exchange.engine.settlement import TradeStatus
from practice_exchange.venue.venue_engine import VenueEngine
from practice_exchange.world.book import Take
from practice_exchange.world.state import MarketState
from practice_exchange.world.world import World
from prescient.adapters.clock import SimulatedClock
from prescient.adapters.gather import SequentialGather
from prescient.adapters.ids import SequenceIds
from prescient.adapters.memory import MemoryStore
from prescient.adapters.paper import PaperVenue
from prescient.domain.market import OrderBook, TradingRules
from prescient.domain.order import Accepted, Fill, OrderIntent, Refused, Rejected, Unresolved
from prescient.domain.portfolio import NewPortfolio
from prescient.domain.signal import Signal
from prescient.domain.stream import BookSeen, LevelSeen, PrintSeen, StreamEvent, TickSeen
from prescient.paper_matching.queue_model import QueueModel
from prescient.ports.context import TradingContext
from prescient.trading.orders.approve import approve_intent
from prescient.trading.orders.book import book_answer
from prescient.trading.positions.settling import settle_fills
from prescient.trading.resting import restore, send, sweep
from tests.exchange.api.conftest import START
from tests.exchange.api.trading_venue import quiet_market
from tests.fakes import StaticMarketData
from tests.streams import hear

RICH_MICRO = 10_000_000 * MICRO
ACCOUNT = "0x00000000000000000000000000000000000000aa"
Levels = list[tuple[int, int]]


Act = tuple[int, str, MarketState, tuple[Any, ...]]


def write_down(venue_engine: VenueEngine) -> list[Act]:
    """Have a floor's traders' acts written into the list that is returned: when, what, where, with which arguments."""
    acts: list[Act] = []
    requote, take = venue_engine.requote, venue_engine.take

    def requoted(market: MarketState, bids: Levels, asks: Levels) -> None:
        acts.append((venue_engine.now_ms, "quote", market, (market.tick_micro, bids, asks)))
        requote(market, bids, asks)

    def taken(market: MarketState, is_buy: bool, size_micro: int, limit_micro: int) -> Take:
        acts.append((venue_engine.now_ms, "take", market, (market.tick_micro, is_buy, size_micro, limit_micro)))
        return take(market, is_buy, size_micro, limit_micro)

    venue_engine.__dict__.update(requote=requoted, take=taken)
    return acts


@dataclass
class WatchedData(StaticMarketData):
    """The watched copy's books and rules, as they are at this moment."""

    venue_engine: VenueEngine | None = None

    async def books(self, token_ids: Sequence[str]) -> dict[str, OrderBook]:
        return {token_id: self.book(token_id) for token_id in token_ids}

    def book(self, token_id: str) -> OrderBook:
        assert self.venue_engine is not None
        bids, asks = self.venue_engine.engine.levels(token_id)
        market, _ = self.venue_engine.engine.core.tokens[token_id]
        state = market.state
        return OrderBook(
            token_id,
            market.condition_id,
            tuple(Level(*level) for level in bids),
            tuple(Level(*level) for level in asks),
            self.venue_engine.now_ms,
            state.tick_micro,
            state.minimum_size_micro,
        )

    async def rules(self, condition_ids: Sequence[str]) -> dict[str, TradingRules]:
        assert self.venue_engine is not None
        found = {}
        for condition_id in condition_ids:
            state = self.venue_engine.engine.market(condition_id).state
            found[condition_id] = TradingRules(
                condition_id, state.spec.token_ids, True, state.tick_micro, state.minimum_size_micro, state.fees
            )
        return found


@dataclass
class WatchedStream:
    """The engine's events as a stream would tell them, one by one."""

    data: WatchedData
    waiting: list[StreamEvent] = field(default_factory=list)
    followed: set[str] = field(default_factory=set)

    async def follow(self, token_ids: Sequence[str]) -> None:
        for token_id in token_ids:
            if token_id not in self.followed:
                self.followed.add(token_id)
                book = self.data.book(token_id)
                self.waiting.append(BookSeen(book, book.time_ms))

    async def unfollow(self, token_ids: Sequence[str]) -> None:
        self.followed -= set(token_ids)

    def tell(self, events: Sequence[Event]) -> None:
        for event in events:
            self.waiting += self.told(event)

    def told(self, event: Event) -> list[StreamEvent]:
        assert self.data.venue_engine is not None
        if isinstance(event, TradeEvent) and event.status is TradeStatus.MATCHED:
            trade = event.trade
            return [PrintSeen(trade.token_id, trade.price_micro, trade.size_micro, trade.side, event.time_ms)]
        if isinstance(event, LevelChanged):
            tokens = self.data.venue_engine.engine.market(event.condition_id).token_ids
            return [
                LevelSeen(tokens[level.token_index], level.side, level.price_micro, level.size_micro, event.time_ms)
                for level in event.sides()
            ]
        if isinstance(event, TickChanged):
            tokens = self.data.venue_engine.engine.market(event.condition_id).token_ids
            books = [BookSeen(self.data.book(token_id), event.time_ms) for token_id in tokens]
            return [*(TickSeen(token_id, event.new_tick_micro, event.time_ms) for token_id in tokens), *books]
        return []

    def events(self) -> object:
        raise AssertionError("these tests hand the events over by themselves")

    def book(self, token_id: str) -> OrderBook | None:
        return self.data.book(token_id)

    def evidence_age_s(self, token_id: str) -> float | None:
        return 0.0

    async def close(self) -> None:
        return None


@dataclass(frozen=True)
class Outcome:
    """One order's answer: refused with a text, or each match at once as (price, size, dollars, fee)."""

    refused: bool
    matches: tuple[tuple[int, int, int, int], ...] = ()
    text: str = field(default="", compare=False)


@dataclass
class Pair:
    """The two copies, and the paper venue that watches the first."""

    seed: int
    number_of_markets: int = 6
    count: int = 0

    def __post_init__(self) -> None:
        self.world = World(self.seed, 40, START, tick=timedelta(seconds=60))
        self.watched = self.make_floor()
        self.acts = write_down(self.watched)
        twin = World(self.seed, 40, START, tick=timedelta(seconds=60))
        self.moment_ms = self.world.now_ms
        self.traded = VenueEngine(twin, lambda: self.moment_ms)
        self.markets = [market for market in self.world.register.markets.values() if suits(market)]
        self.markets = sorted(self.markets, key=lambda market: -market.daily_volume_micro)[: self.number_of_markets]
        assert len(self.markets) == self.number_of_markets and quiet_market(self.world)
        self.twins = {
            market.condition_id: twin.register.markets_by_condition[market.condition_id] for market in self.markets
        }
        for market in self.markets:
            self.watched.enter(market)
            self.traded.enter(self.twins[market.condition_id])
        self.acts.clear()
        self.traded.engine.deposit(ACCOUNT, RICH_MICRO)
        self.data = WatchedData(venue_engine=self.watched)
        self.clock = SimulatedClock(self.world.now)
        self.store = MemoryStore()

    def make_floor(self) -> VenueEngine:
        return VenueEngine(self.world, lambda: self.world.now_ms)

    def wire(self) -> None:
        """Let the paper venue watch: the engine's own events, one by one."""
        self.stream = WatchedStream(self.data)
        self.watched.listeners.append(self.stream.tell)
        self.make_context(self.stream)

    def make_context(self, stream: Any) -> None:
        # The exchange tells the print before the level.
        venue = PaperVenue(self.data, self.store, self.clock, stream, QueueModel(level_before_print_ms=0))
        self.context = TradingContext(
            self.clock,
            SequenceIds(1),
            SequentialGather(),
            self.data,
            {"paper": venue},
            self.store,
            {},
            resting=venue.resting,
        )

    async def open(self) -> Pair:
        self.wire()
        made = await self.store.create_portfolio(NewPortfolio("Parity", "majority", RICH_MICRO), START)
        self.portfolio_id = made.portfolio_id
        assert self.context.resting is not None
        await restore(self.context)
        for market in self.markets:
            rules = await self.data.rules([market.condition_id])
            await self.context.resting.follow(rules[market.condition_id])  # type: ignore[attr-defined] # paper's own
        await self.listen()
        return self

    async def step(self, minutes: float) -> None:
        """Let the watched world move on, repeat what its traders did, and let the paper venue hear of it."""
        self.world.step(self.world.now + timedelta(minutes=minutes))
        self.watched.advance()
        self.clock.advance((self.world.now - self.clock.now()).total_seconds())
        for moment_ms, kind, market, (tick, *given) in self.acts:
            self.moment_ms = moment_ms
            twin = self.twins[market.condition_id]
            twin.tick_micro = tick
            if kind == "quote":
                self.traded.requote(twin, *given)
            else:
                self.traded.take(twin, *given)
        self.acts.clear()
        self.moment_ms = self.world.now_ms
        self.traded.advance()
        await self.listen()
        await sweep(self.context)
        await settle_fills(self.context)

    async def listen(self) -> None:
        events, self.stream.waiting = self.stream.waiting, []
        for event in events:
            await hear(self.context, event)

    async def order(
        self, market: MarketState, token_index: int, side: Side, order_type: OrderType, **given: int
    ) -> tuple[str, Outcome, Outcome]:
        """Send one order both ways; returns its id, what paper answered and what the exchange did."""
        self.count += 1
        order_id = f"order:{self.count:05d}"
        intent = OrderIntent(
            order_id=order_id,
            portfolio_id=self.portfolio_id,
            signal_id=f"signal:{self.count:05d}",
            condition_id=market.condition_id,
            token_id=market.token_ids[token_index],
            side=side,
            order_type=order_type,
            limit_price_micro=given["price"],
            amount_micro=given.get("amount", 0),
            size_micro=given.get("size", 0),
            post_only=bool(given.get("post_only")),
            expiration_s=given.get("expiration_s", 0),
        )
        paper, real = await self._on_paper(intent, market), self._on_exchange(intent)
        await self.listen()
        return order_id, paper, real

    async def _on_paper(self, intent: OrderIntent, market: MarketState) -> Outcome:
        signal = Signal(
            intent.signal_id, "parity", self.portfolio_id, "parity", str(market.number), intent.condition_id,
            intent.token_id, market.question, "", intent.side, MICRO, None, intent.limit_price_micro, 0, "", "",
            self.clock.now(),
        )  # fmt: skip
        await self.store.save_signals([signal])
        rules = await self.data.rules([intent.condition_id])
        approved = await approve_intent(self.context, intent, rules[intent.condition_id])
        if isinstance(approved, Refused):
            # The gate refuses what the exchange would refuse for want of a balance.
            assert approved.code == "insufficient_shares", approved
            return Outcome(True, text=approved.reason)
        fills: tuple[Fill, ...]
        if intent.order_type in (OrderType.GTC, OrderType.GTD):
            placed = await send(self.context, approved, signal)
            assert not isinstance(placed, Unresolved), placed
            if isinstance(placed, Refused):
                return Outcome(True, text=placed.reason)
            fills = placed.trade.fills if placed.trade else ()
        else:
            answer = await self.context.venues["paper"].submit(approved)
            await book_answer(self.context, approved, answer, signal)
            if isinstance(answer, Rejected):
                return Outcome(True, text=answer.reason)
            assert isinstance(answer, Accepted)
            fills = answer.fills
        return Outcome(False, tuple((one.price_micro, one.size_micro, one.cost_micro, one.fee_micro) for one in fills))

    def _on_exchange(self, intent: OrderIntent) -> Outcome:
        placed = self.traded.place(request_of(intent))
        if isinstance(placed, Rejection):
            return Outcome(True, text=placed.text)
        assert isinstance(placed, Placed)
        trades = [self.traded.engine.core.trades[trade_id] for trade_id in placed.trade_ids]
        return Outcome(False, tuple((one.price_micro, one.size_micro, one.cost_micro, one.fee_micro) for one in trades))

    def filled_on_exchange(self, order_id: str) -> int:
        order = self.traded.engine.order(order_id)
        return order.matched_micro if order is not None else 0

    async def filled_on_paper(self, order_id: str) -> int:
        return sum(fill.size_micro for fill in await self.store.fills(order_id))


def suits(market: MarketState) -> bool:
    """A market with makers on both sides, fees and no delay, far from its end."""
    return bool(
        market.trading
        and market.maker is not None
        and market.fees.kind
        and not market.seconds_delay
        and not market.taker_delay
        and market.end_ms > START.timestamp() * 1000 + 7 * 86_400_000
        and 100_000 < market.book.best_bid_micro < market.book.best_ask_micro < 900_000
    )


def request_of(intent: OrderIntent) -> OrderRequest:
    """The order as a client signs it: amounts whose ratio is the limit, or a hair inside it."""
    price, size = intent.limit_price_micro, intent.size_micro
    if intent.order_type in (OrderType.GTC, OrderType.GTD):
        dollars, shares = size * price // MICRO, size
    elif intent.side is Side.BUY:
        dollars = intent.amount_micro
        shares = dollars * MICRO // price // 100 * 100
    else:
        dollars, shares = size * price // MICRO // 100 * 100, size
    made, taken = (dollars, shares) if intent.side is Side.BUY else (shares, dollars)
    return OrderRequest(
        intent.order_id, ACCOUNT, "", intent.token_id, intent.side, intent.order_type, made, taken,
        intent.expiration_s, intent.post_only,
    )  # fmt: skip
