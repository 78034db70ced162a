"""The public order-book API: figures agree with the book, refusals have the venue's words, cursors end."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from practice_exchange.app.exchange import PracticeExchange
from practice_exchange.world.state import MarketState

from .conftest import START, Ask

UNKNOWN = "1" * 77
NO_BOOK = {"error": "No orderbook exists for the requested token id"}


def pick(exchange: PracticeExchange, wanted: Any) -> MarketState:
    return next(market for market in exchange.world.register.markets.values() if wanted(market))


@pytest.fixture(scope="module")
def quoted(still: PracticeExchange) -> MarketState:
    return pick(still, lambda m: m.trading and m.book.bid_prices and m.book.ask_prices and m.last_trade_micro)


@pytest.mark.fidelity(
    "`/price` BUY is the best bid and SELL the best ask; `/midpoint` answers `mid`; tick and risk by query and by path",
    area="Market data",
    evidence="field report",
    source="observed in 2026-10",
)
def test_figures_agree_with_the_book(ask: Ask, quoted: MarketState) -> None:
    for token in quoted.token_ids:
        _, book = ask("/clob/book", f"token_id={token}")
        bid, ask_price = book["bids"][-1]["price"], book["asks"][-1]["price"]
        assert ask("/clob/price", f"token_id={token}&side=BUY") == (200, {"price": bid})
        assert ask("/clob/price", f"token_id={token}&side=SELL") == (200, {"price": ask_price})
        middle = ask("/clob/midpoint", f"token_id={token}")[1]["mid"]
        assert float(middle) == pytest.approx((float(bid) + float(ask_price)) / 2)
        spread = ask("/clob/spread", f"token_id={token}")[1]["spread"]
        assert float(spread) == pytest.approx(float(ask_price) - float(bid))
        last = ask("/clob/last-trade-price", f"token_id={token}")[1]
        assert float(last["price"]) == float(book["last_trade_price"]) and last["side"] in ("BUY", "SELL")
        assert ask("/clob/tick-size", f"token_id={token}")[1] == {"minimum_tick_size": float(book["tick_size"])}
        assert ask(f"/clob/tick-size/{token}") == ask("/clob/tick-size", f"token_id={token}")
        assert ask(f"/clob/neg-risk/{token}")[1] == {"neg_risk": quoted.negative_risk}


@pytest.mark.fidelity(
    "Batches leave unknown tokens out; a missing side of `/prices` is SELL",
    area="Market data",
    evidence="field report",
    source="observed in 2026-10",
)
def test_batches_answer_for_known_tokens_only(ask: Ask, quoted: MarketState) -> None:
    first, second = quoted.token_ids
    asked = [{"token_id": first}, {"token_id": UNKNOWN}, {"token_id": second}, {"token_id": first}]
    books = ask("/clob/books", body=asked)[1]
    assert [book["asset_id"] for book in books] == [first, second]
    assert books[0] == ask("/clob/book", f"token_id={first}")[1]
    middles = ask("/clob/midpoints", body=asked)[1]
    assert middles == {token: ask("/clob/midpoint", f"token_id={token}")[1]["mid"] for token in quoted.token_ids}
    assert set(ask("/clob/spreads", body=asked)[1]) == {first, second}
    prices = ask(
        "/clob/prices",
        body=[{"token_id": first, "side": "BUY"}, {"token_id": first, "side": "SELL"}, {"token_id": second}],
    )
    assert list(prices[1][first]) == ["BUY", "SELL"] and list(prices[1][second]) == ["SELL"]
    trades = ask("/clob/last-trades-prices", body=asked[:1])[1]
    assert trades == [{"token_id": first, **ask("/clob/last-trade-price", f"token_id={first}")[1]}]


@pytest.mark.fidelity(
    "Fees follow the market's own schedule; markets without fees have no `fd`",
    area="Fees",
    evidence="recording",
    source="clob-markets of 2026-05-17",
)
def test_fees_follow_the_category(ask: Ask, still: PracticeExchange) -> None:
    crypto = pick(still, lambda m: m.fees.kind == "crypto_fees_v2")
    free = pick(still, lambda m: not m.fees.kind)
    assert ask(f"/clob/clob-markets/{crypto.condition_id}")[1]["fd"] == {"r": 0.07, "e": 1, "to": True}
    assert ask(f"/clob/fee-rate/{crypto.token_ids[0]}")[1] == {"base_fee": 1000}
    info = ask(f"/clob/clob-markets/{free.condition_id}")[1]
    assert not {"fd", "mbf", "tbf"} & set(info)
    assert ask("/clob/fee-rate", f"token_id={free.token_ids[0]}")[1] == {"base_fee": 0}
    event = ask(f"/gamma/events/{free.event_number}")[1]
    assert "geopolitics" in [tag["slug"] for tag in event["tags"]]


@pytest.mark.fidelity(
    "The public paths refuse in the venue's words",
    area="Market data",
    evidence="field report",
    source="observed in 2026-10",
)
@pytest.mark.parametrize(
    ("path", "query", "status", "message"),
    [
        ("/clob/book", f"token_id={UNKNOWN}", 404, NO_BOOK["error"]),
        ("/clob/price", f"token_id={UNKNOWN}&side=BUY", 404, NO_BOOK["error"]),
        ("/clob/midpoint", f"token_id={UNKNOWN}", 404, NO_BOOK["error"]),
        ("/clob/spread", f"token_id={UNKNOWN}", 404, NO_BOOK["error"]),
        ("/clob/last-trade-price", f"token_id={UNKNOWN}", 404, NO_BOOK["error"]),
        ("/clob/book", "", 400, "Invalid token id"),
        ("/clob/book", "token_id=abc", 400, "Invalid token id"),
        ("/clob/price", f"token_id={UNKNOWN}&side=HOLD", 400, "Invalid side"),
        ("/clob/tick-size", f"token_id={UNKNOWN}", 404, "market not found"),
        ("/clob/neg-risk", "", 400, "Invalid token id"),
        ("/clob/fee-rate", f"token_id={UNKNOWN}", 404, "fee rate not found for market"),
        ("/clob/books", "token_ids=1", 400, "Invalid payload"),
        ("/clob/prices", "token_ids=1", 400, "Invalid payload"),
        ("/clob/midpoints", "token_ids=1", 400, "Invalid payload"),
        ("/clob/last-trades-prices", "token_ids=1", 400, "Invalid payload"),
        ("/clob/markets/0x" + "0" * 64, "", 404, "market not found"),
        ("/clob/markets/0x12", "", 400, "Invalid market"),
        ("/clob/clob-markets/0x" + "0" * 64, "", 404, "market not found"),
        (f"/clob/markets-by-token/{UNKNOWN}", "", 404, "market not found"),
        ("/clob/markets", "next_cursor=LTE=", 400, "next item should be greater than or equal to 0"),
        ("/clob/markets", "next_cursor=!", 400, "invalid next_cursor"),
    ],
)
def test_refusals(ask: Ask, path: str, query: str, status: int, message: str) -> None:
    assert ask(path, query) == (status, {"error": message})


@pytest.mark.fidelity(
    "A batch of more than 500 tokens: `Payload exceeds the limit`",
    area="Market data",
    evidence="field report",
    source="observed in 2026-10",
)
def test_payloads_that_are_refused(still: PracticeExchange, ask: Ask) -> None:
    assert ask("/clob/books", body=[{"token_id": "1"}] * 501) == (400, {"error": "Payload exceeds the limit"})
    assert ask("/clob/books", body=[{"token_id": "1"}] * 500) == (200, [])
    for body in (b"", b"{}", b"[1]", b"not json"):
        answer = still.handle("POST", "/clob/books", "", body)
        assert (answer.status, answer.body) == (400, b'{"error":"Invalid payload"}')
    assert ask("/clob/prices", body=[{"token_id": "1", "side": "HOLD"}]) == (400, {"error": "Invalid side"})


@pytest.mark.fidelity(
    "`/`, `/ok`, `/time` and `/version` answer as the clients read them",
    area="Market data",
    evidence="official client",
    source="py-clob-client-v2 1.2.1",
)
def test_the_plain_paths(ask: Ask) -> None:
    assert ask("/clob/") == (200, "OK") and ask("/clob/ok") == (200, "OK") and ask("/clob") == (200, "OK")
    assert ask("/clob/time") == (200, int(START.timestamp()))
    assert ask("/clob/version") == (200, {"version": 2})
    assert ask("/clob/nothing") == (404, "404 page not found\n")


@pytest.mark.fidelity(
    "Market listings have 1,000 a page, cursors of base64, and end with `LTE=`",
    area="Market data",
    evidence="field report",
    source="observed in 2026-10",
)
def test_catalogue_pages_end_with_the_end_cursor(ask: Ask, still: PracticeExchange) -> None:
    for path, wanted in (("markets", False), ("simplified-markets", False), ("sampling-markets", True)):
        seen: list[str] = []
        cursor = ""
        while cursor != "LTE=":
            _, page = ask(f"/clob/{path}", f"next_cursor={cursor}")
            assert page["count"] == len(page["data"]) <= page["limit"] == 1000
            seen += [market["condition_id"] for market in page["data"]]
            cursor = page["next_cursor"]
            assert base64.b64decode(cursor)
        expected = [
            market.condition_id
            for market in still.world.register.markets.values()
            if not wanted or (market.rewards.daily_rate and not market.closed)
        ]
        assert seen == expected and seen
    assert ask("/clob/markets", "next_cursor=MA==")[1] == ask("/clob/markets")[1]


@pytest.mark.fidelity(
    "`/markets-by-token` names both tokens; the primary is not always the first outcome",
    area="Market data",
    evidence="field report",
    source="observed in 2026-10",
)
def test_a_token_leads_to_its_market_but_primary_is_not_always_the_first(ask: Ask, still: PracticeExchange) -> None:
    firsts = 0
    markets = list(still.world.register.markets.values())[:60]
    for market in markets:
        found = ask(f"/clob/markets-by-token/{market.token_ids[1]}")[1]
        assert found["condition_id"] == market.condition_id
        assert {found["primary_token_id"], found["secondary_token_id"]} == set(market.token_ids)
        firsts += found["primary_token_id"] == market.token_ids[0]
    assert 0 < firsts < len(markets)


@pytest.mark.fidelity(
    "Before the first trade the last price is 0.5 and has no side",
    area="Market data",
    evidence="field report",
    source="observed in 2026-10",
)
def test_a_missing_side_counts_as_nothing_or_one(ask: Ask, still: PracticeExchange) -> None:
    empty = pick(still, lambda m: not m.closed and not m.book.bid_prices and not m.book.ask_prices)
    token = empty.token_ids[0]
    book = ask("/clob/book", f"token_id={token}")[1]
    assert book["bids"] == book["asks"] == []
    assert ask("/clob/midpoint", f"token_id={token}")[1] == {"mid": "0.5"}
    assert ask("/clob/price", f"token_id={token}&side=BUY")[1] == {"price": "0"}
    assert ask("/clob/price", f"token_id={token}&side=SELL")[1] == {"price": "1"}
    untraded = pick(still, lambda m: not m.closed and not m.last_trade_micro)
    assert ask("/clob/last-trade-price", f"token_id={untraded.token_ids[1]}")[1] == {"price": "0.5", "side": ""}
    assert ask("/clob/last-trades-prices", body=[{"token_id": untraded.token_ids[1]}]) == (200, [])


@pytest.mark.fidelity(
    "`itode`, `sd` and `gst` tell a market's delays and start",
    area="Market data",
    evidence="specification",
    source="clob-openapi",
)
def test_delays_are_told(ask: Ask, still: PracticeExchange) -> None:
    feed = pick(still, lambda m: m.taker_delay)
    assert ask(f"/clob/clob-markets/{feed.condition_id}")[1]["itode"] is True
    game = pick(still, lambda m: m.seconds_delay)
    info = ask(f"/clob/clob-markets/{game.condition_id}")[1]
    assert info["sd"] == game.seconds_delay and info["gst"].endswith("Z")
    assert ask(f"/gamma/markets/{game.number}")[1]["secondsDelay"] == game.seconds_delay
