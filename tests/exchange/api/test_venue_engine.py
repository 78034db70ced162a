"""Users and the world's own traders meet in one book: queues, fills, money, the life of a market, and an untouched world."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from polymarket_kit.model import OrderType, Side
from polymarket_kit.rules import TAKER_DELAY_MS
from practice_exchange.app.exchange import PracticeExchange
from practice_exchange.clob.trading_routes import TradingSide
from practice_exchange.engine.events import MarketStage
from practice_exchange.engine.orders import Order, OrderRequest, OrderState, Placed
from practice_exchange.venue.engine_book import EngineBook
from practice_exchange.venue.venue_engine import BOTTOMLESS_MICRO, VenueEngine
from practice_exchange.world.book import UnifiedBook
from practice_exchange.world.state import MarketState
from practice_exchange.world.timestamps import DAY_MS
from practice_exchange.world.world import World

from .conftest import START
from .trading_venue import quiet_market

USER = "0x" + "ab" * 20
FUNDS = 10**12


class User:
    """One user on a floor of its own; orders go in as the gateway hands them on."""

    def __init__(self, events: int = 60) -> None:
        self.world = World(7, events, START)
        self.venue_engine = VenueEngine(self.world, lambda: self.world.now_ms)
        self.venue_engine.engine.deposit(USER, FUNDS)
        self.count = 0

    def place(
        self, market: MarketState, price_micro: int, size: int, side: Side = Side.BUY, outcome: int = 0, **more: Any
    ) -> Order:
        self.count += 1
        dollars, shares = price_micro * size, size * 1_000_000
        made, taken = (dollars, shares) if side is Side.BUY else (shares, dollars)
        order_type = more.pop("order_type", OrderType.GTC)
        order_id = f"order {self.count}"
        self.venue_engine.enter(market)
        request = OrderRequest(order_id, USER, "key", market.token_ids[outcome], side, order_type, made, taken, **more)
        answer = self.venue_engine.place(request)
        assert isinstance(answer, Placed), answer
        order = self.venue_engine.engine.order(order_id)
        assert order is not None
        return order

    def step(self, **span: float) -> None:
        self.world.step(self.world.now + timedelta(**span))
        self.venue_engine.advance()

    def check(self) -> None:
        """Nothing is lost or made: dollars in accounts, behind shares, taken as fees and lost to rounding are all there were."""
        core = self.venue_engine.engine.core
        held = sum(account.collateral.balance_micro for account in core.accounts.values())
        locked = sum(market.state.locked_micro for market in core.markets.values())
        assert held + locked + core.fees_micro + core.rounding_micro == FUNDS + 2 * BOTTOMLESS_MICRO
        for market in self.world.register.markets.values():
            if isinstance(market.book, EngineBook):
                bids, asks = self.venue_engine.engine.levels(market.token_ids[0])
                assert market.book.sides(0) == (
                    [(level.price_micro, level.size_micro) for level in reversed(bids)],
                    [(level.price_micro, level.size_micro) for level in reversed(asks)],
                )


def levels(book: UnifiedBook) -> list[list[int]]:
    return [list(book.bid_prices), list(book.bid_sizes), list(book.ask_prices), list(book.ask_sizes)]


def test_a_market_enters_the_engine_with_the_very_levels_that_it_showed() -> None:
    user = User()
    for market in list(user.world.register.markets.values())[:200]:
        shown = levels(market.book)
        user.venue_engine.enter(market)
        assert levels(market.book) == shown or market.closed
    user.check()


def test_what_a_user_takes_is_gone_for_all_and_what_rests_is_seen_by_all() -> None:
    user = User()
    market = quiet_market(user.world)
    ask, there, revision = market.book.best_ask_micro, market.book.ask_sizes[-1], market.revision
    order = user.place(market, ask, 10)
    assert order.status is OrderState.MATCHED and market.book.ask_sizes[-1] == there - 10_000_000
    assert market.revision > revision and market.tape[-1][1:] == (ask, 10_000_000, True)
    bid = market.book.best_bid_micro
    there = market.book.bid_sizes[-1]
    # A BUY of the second outcome is an offer of the first; one of the first is seen as an offer of the second.
    user.place(market, bid, 7)
    assert market.book.bid_sizes[-1] == there + 7_000_000
    there = market.book.ask_sizes[0]
    user.place(market, 1_000_000 - market.book.ask_prices[0], 9, outcome=1)
    assert market.book.ask_sizes[0] == there + 9_000_000
    user.check()


@pytest.mark.fidelity("Who rests waits for those before him", area="Matching", evidence="assumed")
def test_a_resting_order_waits_behind_the_makers_and_is_filled_by_a_taker_of_the_world() -> None:
    user = User()
    market = quiet_market(user.world)
    bid, ahead = market.book.best_bid_micro, market.book.bid_sizes[-1]
    order = user.place(market, bid, 20)
    assert market.book.take(False, ahead, bid).size_micro == ahead
    assert order.matched_micro == 0
    got = market.book.take(False, 15_000_000, bid)
    assert (got.size_micro, got.last_price_micro) == (15_000_000, bid)
    assert order.matched_micro == 15_000_000 and order.status is OrderState.LIVE
    assert user.venue_engine.trades_of[USER] == order.trade_ids
    user.step(seconds=30)
    assert user.venue_engine.engine.account(USER).holding(market.token_ids[0]).balance_micro >= 15_000_000
    user.check()


def test_a_fresh_quote_that_crosses_a_resting_order_fills_it_at_its_own_price() -> None:
    user = User()
    market = quiet_market(user.world)
    bid = market.book.best_bid_micro
    order = user.place(market, bid, 20)
    market.book.quote([bid - 50_000], [30_000_000], [bid - 20_000], [50_000_000])
    assert order.status is OrderState.MATCHED and order.trade_ids is not None
    trade = user.venue_engine.engine.trade(order.trade_ids[0])
    assert trade is not None and [maker.price_micro for maker in trade.makers if maker.account_id == USER] == [bid]
    assert (market.book.best_ask_micro, market.book.ask_sizes[-1]) == (bid - 20_000, 30_000_000)
    user.check()


def test_days_of_trading_beside_the_world_keep_every_dollar() -> None:
    user = User(40)
    markets = [market for market in user.world.register.markets.values() if market.trading and market.book.bid_prices]
    orders: list[Order] = []
    for _ in range(12):
        for market in markets[:25]:
            if market.trading and market.book.bid_prices and market.book.ask_prices:
                orders.append(user.place(market, market.book.best_bid_micro, 12))
                orders.append(user.place(market, market.tick_micro, 100))
                ask = market.book.best_ask_micro
                if ask < 1_000_000:
                    orders.append(user.place(market, ask, 6 * 1_000_000 // ask))
        user.step(hours=6)
        user.check()
    assert sum(order.status is OrderState.MATCHED for order in orders) > 100
    rested = [order for order in orders if order.matched_micro and order.created_ms < order.closed_ms]
    assert rested, "no resting order was ever filled by the world"
    core = user.venue_engine.engine.core
    shown = sum(len(market.book.bid_prices) + len(market.book.ask_prices) for market in markets)
    assert len(core.orders) < len(orders) + shown + 2 * len(core.trades), "quotes that are gone are kept"
    user.step(days=31)
    user.venue_engine.prune()
    assert not [
        order for order in core.orders.values() if order.closed_ms and order.closed_ms < user.world.now_ms - 30 * DAY_MS
    ]
    user.check()


def test_a_delay_of_milliseconds_passes_within_the_call_and_one_of_seconds_does_not() -> None:
    user = User(300)
    trading = [m for m in user.world.register.markets.values() if m.trading and m.book.ask_prices]
    short = next(market for market in trading if market.taker_delay and market.book.ask_sizes[-1] > 20_000_000)
    before_ms = user.venue_engine.now_ms
    assert user.place(short, short.book.best_ask_micro, 10).status is OrderState.MATCHED
    assert user.venue_engine.now_ms == before_ms + TAKER_DELAY_MS
    long = next(market for market in trading if market.seconds_delay and market.book.ask_sizes[-1] > 20_000_000)
    order = user.place(long, long.book.best_ask_micro, 10)
    statuses = [order.status]
    user.world.step(user.world.now + timedelta(seconds=long.seconds_delay + 1))
    user.venue_engine.advance()
    statuses.append(order.status)
    assert statuses[0] is OrderState.DELAYED
    assert statuses[1] in (OrderState.MATCHED, OrderState.LIVE)
    user.check()


def test_a_market_that_ends_takes_no_orders_and_pays_out_when_it_is_resolved() -> None:
    user = User()
    market = min(
        (market for market in user.world.register.markets.values() if market.trading and market.book.bid_prices),
        key=lambda market: market.end_ms,
    )
    order = user.place(market, market.tick_micro, 100)
    stage = user.venue_engine.engine.market(market.condition_id).state
    while not market.closed:
        user.step(hours=1)
        assert stage.stage is not MarketStage.OPEN or market.trading
    assert stage.stage is MarketStage.RESOLVED and stage.payouts_micro == tuple(market.payouts_micro)
    assert order.status is not OrderState.LIVE
    assert levels(market.book) == [[], [], [], []]
    user.check()


@pytest.mark.fidelity(
    "An expired order is a cancelled one",
    area="Orders",
    evidence="specification",
    source="order types",
)
def test_an_order_with_an_end_leaves_the_book_a_minute_early() -> None:
    user = User()
    market = quiet_market(user.world)
    order = user.place(market, 10_000, 10, order_type=OrderType.GTD, expiration_s=int(START.timestamp()) + 600)
    user.step(seconds=539)
    statuses = [order.status]
    user.step(seconds=1)
    statuses.append(order.status)
    assert statuses == [OrderState.LIVE, OrderState.CANCELED_EXPIRED_ORDER]
    user.check()


def test_a_world_in_which_nobody_trades_is_the_same_with_and_without_the_trading_side() -> None:
    plain, trading = World(7, 30, START), World(7, 30, START)
    exchange = PracticeExchange(trading, trading=TradingSide(trading, lambda: trading.now_ms))
    for _ in range(6):
        for world in (plain, trading):
            world.step(world.now + timedelta(hours=4))
        assert exchange.handle("GET", "/clob/time").status == 200
    assert plain.save() == trading.save()


def test_a_world_with_orders_is_kept_with_the_book_that_was_seen() -> None:
    user = User()
    market = quiet_market(user.world)
    user.place(market, 10_000, 10)
    again = World.load(user.world.save())
    kept = again.register.markets_by_condition[market.condition_id]
    assert levels(kept.book) == levels(market.book) and type(kept.book) is UnifiedBook
