"""The venue's engine: the practice world's markets inside the matching engine, where its traders meet users' orders.

One book per market, the engine's. A market enters the engine when the first order for it comes; from then on the levels
of the world's makers are orders of one house account, put up anew whenever the makers quote, and the world's takers
match in the engine as a crowd account, in price-time priority with everybody else. What users take is gone from the
book that all see, and users' resting orders are filled when a taker or a fresh quote crosses them.

Assumed: the house and the crowd never run out of dollars and only ever buy (an offer of one outcome is a bid for the
other), so every share stays backed; they may be smaller than the venue's minimums; makers quoting afresh queue behind
users' orders at the same price.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import cast

import msgspec

from polymarket_kit.model import FeeSchedule, OrderType, Payout, Side
from polymarket_kit.rejections import Rejection
from polymarket_kit.rules import TICKS_MICRO
from polymarket_kit.signing.eip712 import checksum_address
from polymarket_kit.values import MICRO
from practice_exchange.engine.events import DelayOver, Event, LevelChanged, MarketStage, TradeEvent
from practice_exchange.engine.markets import MarketSpec
from practice_exchange.engine.matching import Exchange
from practice_exchange.engine.orders import POINT_MICRO, Order, OrderRequest, OrderState, Placed
from practice_exchange.engine.settlement import Trade, TradeStatus
from practice_exchange.engine.snapshot import load, save
from practice_exchange.venue.engine_book import EngineBook
from practice_exchange.world.book import Take
from practice_exchange.world.history import record_price, record_volume
from practice_exchange.world.state import MarketState
from practice_exchange.world.timestamps import DAY_MS
from practice_exchange.world.traders import print_trade
from practice_exchange.world.world import WorldView

# More than all markets together can ask for; play money.
BOTTOMLESS_MICRO = 10**18
# With more changed levels than this the whole book is read anew.
SINGLE_CHANGES_MAX = 6
# How long orders and trades that are over can still be asked for.
KEPT_MS = 30 * DAY_MS
# At most so many orders that ended; a tenth of a second of every checkpoint.
ENDED_MAX = 50_000


class VenueEngineState(msgspec.Struct):
    """What a checkpoint keeps of the venue's engine. ``gone`` are markets that the world has dropped, but not who traded them."""

    engine: bytes
    trades_of: dict[str, list[int]]
    count: int
    last_ms: int
    gone: list[MarketState]


class VenueEngine:
    """The engine with the world's markets in it. Its time is the exchange's, and never goes back."""

    def __init__(self, world: WorldView, now_ms: Callable[[], int]) -> None:
        self.engine = Exchange()
        self.house, self.crowd = _address(f"{world.seed}/house"), _address(f"{world.seed}/crowd")
        # Every trade of a user by the accounts in it, oldest first.
        self.trades_of: dict[str, list[int]] = {}
        # Called with everything that happened, in order, once the books show it.
        self.listeners: list[Callable[[Sequence[Event]], None]] = []
        # Called after the world has moved by itself, once the engine's markets have followed.
        self.watchers: list[Callable[[], None]] = []
        self._world = world
        self._clock = now_ms
        self._last_ms = world.now_ms
        self._markets: dict[str, MarketState] = {}
        self._quotes: dict[str, list[Order]] = {}
        self._count = 0
        self.ended_max = ENDED_MAX
        # The world's revision that the engine's markets have followed; what we change ourselves needs no following.
        self._followed = -1
        for account_id in (self.house, self.crowd):
            self.engine.deposit(account_id, BOTTOMLESS_MICRO)

    @property
    def now_ms(self) -> int:
        self._last_ms = max(self._last_ms, self._clock(), self._world.now_ms)
        return self._last_ms

    @property
    def busy(self) -> bool:
        """Whether anybody has traded or tried to."""
        return bool(self._markets)

    def advance(self) -> None:
        """Process what is due, and follow each market's lifecycle: new ticks, suspension, close, resolution."""
        self.engine.advance(self.now_ms)
        if self._followed != self._world.revision:
            self._followed = self._world.revision
            for market in list(self._markets.values()):
                self._follow(market)
            for watcher in self.watchers:
                watcher()
        self._publish()

    def enter(self, market: MarketState) -> None:
        """List a market in the engine, with its makers' levels, unless it is listed already."""
        if market.condition_id in self._markets or len(market.token_ids) != 2 or market.tick_micro not in TICKS_MICRO:
            return
        self.engine.list_market(_spec(market, self._group(market), self.now_ms))
        shown, book = market.book, EngineBook()
        book.attach(self, market)
        self._markets[market.condition_id], market.book = market, book
        book.quote(shown.bid_prices, shown.bid_sizes, shown.ask_prices, shown.ask_sizes)
        self._follow(market)
        self._publish()

    def place(self, request: OrderRequest) -> Placed | Rejection:
        """Place a user's order. The venue's taker delay passes in the exchange's time, not in the caller's."""
        answer = self.engine.place(request, self.now_ms)
        if isinstance(answer, Placed) and answer.waits:
            self._last_ms = max(self._last_ms, answer.due_ms)
            self.engine.advance(self._last_ms)
            return self._publish()[request.order_id]
        self._publish()
        return answer

    def prune(self) -> None:
        """Drop orders and trades that ended long ago, and the oldest where many have: a checkpoint holds them all."""
        # What the world's traders have done among themselves, nobody can ask for.
        self.engine.forget_trading_among((self.house, self.crowd))
        self.engine.prune(self.now_ms - KEPT_MS, self.ended_max)

    def find(self, condition_id: str) -> MarketState | None:
        """The market of a condition, in the engine or not; also one that the world has dropped since it was traded."""
        return self._markets.get(condition_id) or self._world.register.markets_by_condition.get(condition_id)

    def market_of(self, condition_id: str) -> MarketState:
        return self._markets[condition_id]

    def dump_state(self) -> VenueEngineState:
        """Everything that a checkpoint must keep beside the world's own state."""
        known = self._world.register.markets_by_condition
        gone = [market for condition_id, market in self._markets.items() if condition_id not in known]
        return VenueEngineState(save(self.engine), self.trades_of, self._count, self._last_ms, gone)

    def load_state(self, kept: VenueEngineState) -> None:
        """Restore dumped state, in the world of the same checkpoint. Raises SnapshotUnusable."""
        self.engine.continue_from(load(kept.engine))
        self.trades_of, self._count, self._last_ms = kept.trades_of, kept.count, kept.last_ms
        gone = {market.condition_id: market for market in kept.gone}
        self._markets, self._quotes = {}, {}
        for condition_id in self.engine.condition_ids():
            market = self._world.register.markets_by_condition.get(condition_id) or gone[condition_id]
            shown, book = market.book, EngineBook()
            book.attach(self, market)
            book.bid_prices, book.bid_sizes = shown.bid_prices, shown.bid_sizes
            book.ask_prices, book.ask_sizes = shown.ask_prices, shown.ask_sizes
            self._markets[condition_id], market.book = market, book
        for order in self.engine.open_orders(self.house):
            self._quotes.setdefault(order.condition_id, []).append(order)

    # What the world's own traders do

    def requote(self, market: MarketState, bids: list[tuple[int, int]], asks: list[tuple[int, int]]) -> None:
        """Replace the house's orders by these levels of the first outcome; what they cross is matched."""
        now_ms = self.now_ms
        self.engine.advance(now_ms)
        self._follow_tick(market)
        self._take_down(market.condition_id, now_ms)
        if self.engine.market(market.condition_id).state.stage in (MarketStage.OPEN, MarketStage.WAITING):
            levels = [(0, price, size) for price, size in bids] + [(1, MICRO - price, size) for price, size in asks]
            self._quotes[market.condition_id] = [
                self._act(market, self.house, token_index, price, size, OrderType.GTC)
                for token_index, price, size in levels
            ]
        self._publish()

    def take(self, market: MarketState, is_buy: bool, size_micro: int, limit_micro: int) -> Take:
        """Match a taker of the world: it buys the first outcome, or the second, which is selling the first."""
        self.engine.advance(self.now_ms)
        self._follow_tick(market)
        tick = market.tick_micro
        limit = min((limit_micro if is_buy else MICRO - limit_micro) // tick * tick, MICRO - tick)
        if limit < tick or self.engine.market(market.condition_id).state.stage is not MarketStage.OPEN:
            self._publish()
            return Take(0, 0, 0)
        order = self._act(market, self.crowd, 0 if is_buy else 1, limit, size_micro, OrderType.FAK)
        notional = last = 0
        for trade_id in order.trade_ids or ():
            trade = self.engine.trade(trade_id)
            assert trade is not None
            last = trade.price_micro if is_buy else MICRO - trade.price_micro
            notional += trade.size_micro * last // MICRO
        self._publish()
        return Take(order.matched_micro, notional, last)

    def _take_down(self, condition_id: str, now_ms: int) -> None:
        """End what the house shows. Nobody can ask for these orders again, so they are not kept as others are."""
        for order in self._quotes.pop(condition_id, []):
            if order.status is OrderState.LIVE:
                self.engine.withdraw_order(order, now_ms)

    def _act(
        self, market: MarketState, account_id: str, token_index: int, price: int, size: int, order_type: OrderType
    ) -> Order:
        """Place an order of the world's traders without the checks that users face."""
        now_ms = self.now_ms
        self._count += 1
        order_id = "0x" + hashlib.sha256(f"{self._world.seed}/{account_id}/{self._count}".encode()).hexdigest()
        order = Order(
            order_id,
            account_id,
            "",
            market.condition_id,
            market.token_ids[token_index],
            Side.BUY,
            order_type,
            token_index,
            price // POINT_MICRO,
            price,
            size,
            0,
            now_ms,
        )
        self.engine.insert(order, now_ms)
        return order

    # Keeping both in step

    def _group(self, market: MarketState) -> str:
        """The negative-risk event whose markets convert into one another; empty for any other market."""
        event = self._world.register.events.get(market.event_number)
        return event.negative_risk_market_id if event is not None and market.negative_risk else ""

    def _follow(self, market: MarketState) -> None:
        """Apply to the engine what the world changed in a market outside its book."""
        condition_id, now_ms = market.condition_id, self.now_ms
        state = self.engine.market(condition_id).state
        if state.stage is MarketStage.RESOLVED:
            return
        if market.closed:
            if market.payouts_micro:
                payout = Payout(condition_id, tuple(market.token_ids), tuple(market.payouts_micro))
                self.engine.resolve_market(payout, now_ms)
            else:
                self.engine.close_market(condition_id, now_ms)
            return
        self._follow_tick(market)
        if market.trading and state.stage is MarketStage.WAITING:
            self.engine.open_market(condition_id, now_ms)
        elif not market.trading and state.stage is MarketStage.OPEN:
            self.engine.suspend_market(condition_id, now_ms)

    def _follow_tick(self, market: MarketState) -> None:
        state = self.engine.market(market.condition_id).state
        if state.tick_micro != market.tick_micro and state.stage is not MarketStage.RESOLVED:
            self.engine.change_tick(market.condition_id, market.tick_micro, self.now_ms)

    def _publish(self) -> dict[str, Placed | Rejection]:
        """Drain the engine's events: record trades, update the books, call the listeners; return the answers of ended delays."""
        answers: dict[str, Placed | Rejection] = {}
        touched: dict[str, list[LevelChanged]] = {}
        events = self.engine.drain_events()
        for event in events:
            if isinstance(event, LevelChanged):
                touched.setdefault(event.condition_id, []).append(event)
            elif isinstance(event, TradeEvent):
                if event.status is TradeStatus.MATCHED:
                    self._record_trade(event.trade)
            elif isinstance(event, DelayOver):
                answers[event.order_id] = event.answer
        for condition_id, changes in touched.items():
            self._show(self._markets[condition_id], changes)
        if events:
            for listener in self.listeners:
                listener(events)
        return answers

    def _record_trade(self, trade: Trade) -> None:
        """Index a trade by its accounts; one that a user's order took part in is also printed."""
        for account_id in dict.fromkeys((trade.account_id, *(maker.account_id for maker in trade.makers))):
            if account_id not in (self.house, self.crowd):
                self.trades_of.setdefault(account_id, []).append(trade.trade_id)
        market = self._markets[trade.condition_id]
        first = trade.token_id == market.token_ids[0]
        price = trade.price_micro if first else MICRO - trade.price_micro
        is_buy = first == (trade.side is Side.BUY)
        if trade.account_id == self.crowd:
            # Its taker prints it as well; whoever looks before that sees the price already.
            market.last_trade_micro, market.last_trade_is_buy = price, is_buy
            return
        print_trade(market, trade.matched_ms, price, trade.size_micro, is_buy)
        record_volume(market.volume, trade.matched_ms, trade.size_micro * price // MICRO)
        if market.maker is not None and trade.account_id != self.house:
            market.maker.inventory_micro += -trade.size_micro if is_buy else trade.size_micro

    def _show(self, market: MarketState, changes: list[LevelChanged]) -> None:
        """Bring a shown book up to date: level by level after an order, as a whole after the makers have quoted."""
        book = cast("EngineBook", market.book)
        if len(changes) <= SINGLE_CHANGES_MAX:
            for change in changes:
                book.change(change.ladder, change.points * POINT_MICRO, change.size_micro)
        else:
            bids, asks = self.engine.levels(market.token_ids[0])
            book.show(
                [(level.price_micro, level.size_micro) for level in bids],
                [(level.price_micro, level.size_micro) for level in asks],
            )
        market.revision += 1
        market.changed_ms = max(market.changed_ms, self.now_ms)
        record_price(market, market.changed_ms // 1000, book.midpoint_micro)
        self._world.revision += 1
        self._followed += 1


def _address(name: str) -> str:
    return checksum_address(hashlib.sha256(f"prescient practice/{name}".encode()).digest()[:20])


def _spec(market: MarketState, group: str, now_ms: int) -> MarketSpec:
    """A market's terms for the engine; ``group`` is its negative-risk event. A game that has begun clears nothing more."""
    fees = FeeSchedule(
        round(market.fees.rate * MICRO),
        int(market.fees.exponent),
        rebate_rate_micro=round(market.fees.rebate_rate * MICRO),
    )
    first, second = market.token_ids
    return MarketSpec(
        market.condition_id,
        (first, second),
        tick_micro=market.tick_micro,
        minimum_size_micro=market.minimum_size * MICRO,
        fees=fees if market.fees.kind else FeeSchedule(),
        taker_delay=market.taker_delay,
        seconds_delay=market.seconds_delay,
        game_start_ms=market.game_start_ms if market.game_start_ms > now_ms else 0,
        waiting=not market.trading,
        event_id=group,
    )
