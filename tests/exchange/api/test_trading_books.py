"""The book that everybody sees is the engine's, after whatever users and the world's traders do."""

from __future__ import annotations

from datetime import timedelta
from random import Random

import pytest

from polymarket_kit.model import OrderType, Side
from polymarket_kit.rejections import Rejection
from practice_exchange.engine.orders import OrderRequest, Placed
from practice_exchange.venue.venue_engine import VenueEngine
from practice_exchange.world.state import MarketState
from practice_exchange.world.world import World

from .conftest import START

USER = "0x" + "1" * 40


def shown(market: MarketState) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    bids, asks = market.book.sides(0)
    return bids[::-1], asks[::-1]


def in_engine(venue_engine: VenueEngine, market: MarketState) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    bids, asks = venue_engine.engine.levels(market.token_ids[0])
    return [(price, size) for price, size in bids], [(price, size) for price, size in asks]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_is_shown_is_what_the_engine_holds(seed: int) -> None:
    world, random = World(seed, 20, START), Random(seed)
    venue_engine = VenueEngine(world, lambda: world.now_ms)
    venue_engine.engine.deposit(USER, 10**12)
    markets = [market for market in world.register.markets.values() if market.trading][:6]
    for market in markets:
        venue_engine.enter(market)
    open_ids: list[str] = []
    matched = 0
    for number in range(400):
        market = random.choice(markets)
        draw = random.random()
        if draw < 0.15 and open_ids:
            venue_engine.engine.cancel(USER, open_ids.pop(random.randrange(len(open_ids))), venue_engine.now_ms)
            venue_engine.advance()
        elif draw < 0.25:
            world.step(world.now + timedelta(minutes=random.randrange(1, 90)))
            venue_engine.advance()
        else:
            order_id = f"0x{number:064x}"
            cents, size, first = random.randrange(1, 100), random.randrange(5, 40), random.random() < 0.5
            venue_engine.place(
                OrderRequest(
                    order_id,
                    USER,
                    "key",
                    market.token_ids[0 if first else 1],
                    Side.BUY,
                    OrderType.GTC,
                    cents * size * 10_000,
                    size * 1_000_000,
                )
            )
            open_ids.append(order_id)
        for each in markets:
            assert shown(each) == in_engine(venue_engine, each), number
        matched = len(venue_engine.trades_of.get(USER, ()))
    assert matched > 20, "users and the world have met"


def test_of_many_orders_that_ended_the_oldest_are_let_go_and_their_ids_stay_taken() -> None:
    world = World(1, 20, START)
    venue_engine = VenueEngine(world, lambda: world.now_ms)
    venue_engine.engine.deposit(USER, 10**12)
    venue_engine.ended_max = 10
    market = next(market for market in world.register.markets.values() if market.trading)
    venue_engine.enter(market)
    requests = [
        OrderRequest(f"0x{number:064x}", USER, "key", market.token_ids[0], Side.BUY, OrderType.GTC, 50_000, 5_000_000)
        for number in range(31)
    ]
    for request in requests[:-1]:
        world.step(world.now + timedelta(seconds=1))
        assert isinstance(venue_engine.place(request), Placed)
        venue_engine.engine.cancel(USER, request.order_id, venue_engine.now_ms)
        venue_engine.advance()
    assert isinstance(venue_engine.place(requests[-1]), Placed)
    venue_engine.prune()
    known = [request.order_id for request in requests if venue_engine.engine.order(request.order_id) is not None]
    assert known == [request.order_id for request in requests[-11:]], "ten that ended and the one that rests"
    again = venue_engine.place(requests[0])
    assert isinstance(again, Rejection) and "Duplicated" in again.text


def test_what_the_worlds_traders_did_among_themselves_is_let_go_and_what_users_did_stays() -> None:
    world = World(1, 20, START)
    venue_engine = VenueEngine(world, lambda: world.now_ms)
    venue_engine.engine.deposit(USER, 10**12)
    markets = [market for market in world.register.markets.values() if market.trading and not market.taker_delay][:6]
    for number, market in enumerate(markets):
        venue_engine.enter(market)
        bid_micro = market.book.best_bid_micro
        terms = (market.token_ids[0], Side.BUY, OrderType.GTC, bid_micro * 20, 20_000_000)
        assert isinstance(venue_engine.place(OrderRequest(f"0x{number:064x}", USER, "key", *terms)), Placed)
    for _ in range(48):
        world.step(world.now + timedelta(hours=1))
        venue_engine.advance()
    core = venue_engine.engine.core
    mine = {number for numbers in venue_engine.trades_of.values() for number in numbers}
    assert mine and set(core.trades) > mine, "users and the world's traders have traded, and the latter with each other"
    before = {market.condition_id: shown(market) for market in markets}
    venue_engine.prune()
    assert set(core.trades) >= mine
    assert all(trade_id in mine or trade_id not in core.settled for trade_id in core.trades)
    assert {core.orders[order_id].account_id for order_id in core.closed} == {USER}
    assert {market.condition_id: in_engine(venue_engine, market) for market in markets} == before
