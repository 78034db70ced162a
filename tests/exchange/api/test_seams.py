"""Where the practice exchange is known not to be the venue: each difference pinned, so that it cannot move unseen."""

from __future__ import annotations

import json
from datetime import timedelta

import msgspec
import pytest

from polymarket_kit.messages.orders import encode_order
from polymarket_kit.model import OrderType
from practice_exchange.venue.venue_engine import BOTTOMLESS_MICRO
from practice_exchange.world.state import MarketState

from .test_venue_engine import User
from .trading_http import hear, serve_in_thread
from .trading_user import MACHINE_S, NOW_S, Venue
from .trading_venue import quiet_market


def best_ask_cents(market: MarketState) -> int:
    return market.book.best_ask_micro // 10_000


@pytest.mark.fidelity(
    "The call that posts an order to a market with a taker delay takes 150 ms longer",
    area="Matching",
    evidence="specification",
    source="changelog of 2026-09-04, by several notes that quote it",
    seam="the 150 ms pass in the exchange's time, the answer comes at once",
)
def test_the_taker_delay_passes_in_the_exchanges_time_alone() -> None:
    user = User(300)
    market = next(
        market
        for market in user.world.register.markets.values()
        if market.trading and market.taker_delay and market.book.ask_prices and market.book.ask_sizes[-1] > 20_000_000
    )
    before_ms = user.venue_engine.now_ms
    user.place(market, market.book.best_ask_micro, 10)
    assert user.venue_engine.now_ms == before_ms + 150


@pytest.mark.fidelity(
    "The catalogue's prices are seconds to minutes old",
    area="Catalogue",
    evidence="field report",
    source="users of the venue",
    seam="they are those of the book at that moment",
)
def test_the_catalogue_is_as_fresh_as_the_book() -> None:
    venue = Venue()
    ask = best_ask_cents(venue.market)
    venue.post(venue.order(price_cents=ask))
    answer = venue.exchange.handle("GET", f"/gamma/markets/{venue.market.number}")
    told = json.loads(answer.body)
    assert told["lastTradePrice"] == ask / 100
    assert told["bestAsk"] == venue.market.book.best_ask_micro / 1_000_000


@pytest.mark.fidelity(
    "A new market stands in the catalogue minutes before the order book knows it",
    area="Catalogue",
    evidence="field report",
    source="nautilus_trader's manual",
    seam="both know it at the same moment",
)
def test_a_new_market_is_in_the_order_book_at_once() -> None:
    venue = Venue()
    known = set(venue.world.register.markets)
    venue.world.step(venue.world.now + timedelta(days=4))
    fresh = [market for number, market in venue.world.register.markets.items() if number not in known]
    assert fresh
    for market in fresh:
        assert venue.exchange.handle("GET", f"/gamma/markets/{market.number}").status == 200
        assert venue.exchange.handle("GET", f"/clob/clob-markets/{market.condition_id}").status == 200


@pytest.mark.fidelity(
    "The venue's time is everybody's time",
    area="Orders",
    evidence="assumed",
    source="its servers keep UTC",
    seam="expirations are measured in the exchange's own time, which may stand still or run fast; log-ins are good near either",
)
def test_expirations_are_measured_in_the_exchanges_time() -> None:
    venue = Venue()
    assert MACHINE_S - NOW_S > 86_400

    def until(seconds: int) -> int:
        posted = msgspec.structs.replace(venue.order(), order_type=OrderType.GTD, expiration_s=seconds)
        return venue.send("POST", "/order", encode_order(posted))[0]

    assert until(NOW_S + 180) == until(MACHINE_S + 180) == 200
    assert until(NOW_S + 179) == 400


@pytest.mark.fidelity(
    "Market makers have money and minimums as everybody has",
    area="Matching",
    evidence="specification",
    source="order rules",
    seam="the practice world's makers and takers never run out, and may show less than five shares",
)
def test_the_worlds_own_traders_never_run_out() -> None:
    user = User()
    market = quiet_market(user.world)
    user.venue_engine.enter(market)
    bid, ask = market.book.best_bid_micro, market.book.best_ask_micro
    market.book.quote([bid], [1_000_000], [ask], [2_000_000])
    assert (market.book.bid_sizes[-1], market.book.ask_sizes[-1]) == (1_000_000, 2_000_000)
    for account_id in (user.venue_engine.house, user.venue_engine.crowd):
        assert user.venue_engine.engine.account(account_id).collateral.balance_micro > BOTTOMLESS_MICRO // 2


@pytest.mark.fidelity(
    "A maker that leaves its order alone keeps its place in the queue",
    area="Matching",
    evidence="assumed",
    seam="the practice world's makers put all their orders up anew, behind users' orders at the same price",
)
def test_makers_who_quote_afresh_go_behind_users() -> None:
    user = User()
    market = quiet_market(user.world)
    book = market.book
    order = user.place(market, book.best_bid_micro, 20)
    book = market.book
    book.quote(book.bid_prices, book.bid_sizes, book.ask_prices, book.ask_sizes)
    book.take(False, 20_000_000, order.price_micro)
    assert order.matched_micro == 20_000_000


@pytest.mark.fidelity(
    "A trade names the API key of each maker",
    area="Account",
    evidence="specification",
    source="clob-openapi, Trade",
    seam="the practice world's own traders have no API key: their owner is empty",
)
def test_the_worlds_makers_have_no_api_key() -> None:
    venue = Venue()
    venue.post(venue.order(price_cents=best_ask_cents(venue.market)))
    (trade,) = venue.send("GET", "/data/trades")[1]["data"]
    assert [maker["owner"] for maker in trade["maker_orders"]] == [""] * len(trade["maker_orders"])
    assert trade["owner"] == venue.credentials.key


@pytest.mark.fidelity(
    "A builder's code adds the builder's fee to the taker's",
    area="Fees",
    evidence="specification",
    source="builder fees",
    seam="the code is taken and signed, and adds nothing",
)
def test_a_builders_code_adds_no_fee() -> None:
    spent = []
    for builder in ("0x" + "0" * 64, "0x" + "12" * 32):
        venue = Venue()
        venue.post(venue.order(price_cents=best_ask_cents(venue.market), builder=builder))
        venue.trading.venue_engine.engine.advance(venue.world.now_ms + 60_000)
        account = venue.trading.venue_engine.engine.account(venue.wallet.funder)
        spent.append(10_000_000_000 - account.collateral.balance_micro)
    assert spent[0] == spent[1] > 0


@pytest.mark.fidelity(
    "Prices of crypto and sports, comments and perpetuals have websockets and paths of their own",
    area="Market stream",
    evidence="specification",
    source="real-time data socket, sports socket",
    seam="answered with 404",
)
def test_sockets_of_other_news_are_not_there() -> None:
    with serve_in_thread(20) as server:
        for path in ("/rtds", "/sports/ws", "/ws/sports", "/perps/v1/instruments"):
            assert hear(server, "GET", path).status == 404
