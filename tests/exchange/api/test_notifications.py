"""What an account is told unasked: orders that were filled, cancelled or failed, markets that were resolved; until it is read."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from practice_exchange.engine.settlement import SettlementPlan

from .trading_user import NOW_S, Venue
from .trading_venue import wallet_of_type


def told(venue: Venue, query: str = "signature_type=0") -> list[dict[str, Any]]:
    status, notifications = venue.send("GET", "/notifications", query=query)
    assert status == 200
    return list(notifications)


@pytest.mark.fidelity(
    "Notifications tell of cancelled orders (type 1) and fills (type 2), with the order's sizes and the owner's API key",
    area="Account",
    evidence="specification",
    source="OpenAPI, GET /notifications",
)
def test_an_order_that_is_cancelled_or_filled_is_told() -> None:
    venue = Venue()
    gone = venue.post(venue.order(2, 10))[1]["orderID"]
    venue.send("DELETE", "/cancel-all")
    ask = venue.market.book.best_ask_micro // 10_000
    filled = venue.post(venue.order(ask, 10))[1]
    first, second = told(venue)
    assert (first["type"], first["owner"], first["timestamp"]) == (1, venue.credentials.key, NOW_S)
    assert first["payload"] | {"question": "", "market_slug": ""} == {
        "asset_id": venue.market.token_ids[0],
        "market": venue.market.condition_id,
        "order_id": gone,
        "side": "BUY",
        "type": "GTC",
        "price": "0.02",
        "original_size": "10",
        "matched_size": "0",
        "remaining_size": "10",
        "outcome": venue.market.outcomes[0],
        "outcome_index": 0,
        "transaction_hash": "",
        "trade_id": "",
        "question": "",
        "market_slug": "",
        "icon": "",
        "image": "",
        "eventSlug": "",
        "seriesSlug": "",
    }
    assert (second["type"], second["payload"]["order_id"]) == (2, filled["orderID"])
    assert (second["payload"]["matched_size"], second["payload"]["remaining_size"]) == ("10", "0")
    assert second["payload"]["trade_id"] == filled["tradeIDs"][0]
    assert second["id"] > first["id"]


@pytest.mark.fidelity(
    "A notification that was read, by its id, is told no more",
    area="Account",
    evidence="specification",
    source="OpenAPI",
)
def test_what_was_read_is_told_no_more() -> None:
    venue = Venue()
    for _ in range(3):
        venue.post(venue.order())
    venue.send("DELETE", "/cancel-all")
    ids = [each["id"] for each in told(venue)]
    assert len(ids) == 3
    assert venue.send("DELETE", "/notifications", query=f"ids={ids[0]},{ids[2]},9999") == (200, "OK")
    assert [each["id"] for each in told(venue)] == [ids[1]]
    for nonsense in ("", "ids=", "ids=1,x", "ids=-1"):
        assert venue.send("DELETE", "/notifications", query=nonsense) == (400, {"error": "Invalid ids"})
    assert len(told(venue)) == 1


def test_each_wallet_has_its_own_and_nobody_drops_anothers() -> None:
    venue = Venue()
    venue.post(venue.order())
    venue.send("DELETE", "/cancel-all")
    [mine] = told(venue)
    assert told(venue, "signature_type=1") == []
    assert venue.send("GET", "/notifications", query="signature_type=9") == (400, {"error": "Invalid signature_type"})
    venue.log_in(wallet_of_type(venue.trading, "proxy"))
    assert told(venue, "signature_type=1") == []
    venue.send("DELETE", "/notifications", query=f"ids={mine['id']}")
    first = wallet_of_type(venue.trading, "eoa").funder
    assert [each.id for each in venue.trading.notifications.unread(first)] == [mine["id"]]


@pytest.mark.fidelity(
    "Whoever holds shares of a market is told of its resolution (type 4), with the market as the order-book API lists it",
    area="Account",
    evidence="official client",
    source="polymarket-client 0.14",
)
def test_a_resolution_is_told_to_whoever_holds_shares() -> None:
    venue = Venue()
    ask = venue.market.book.best_ask_micro // 10_000
    assert venue.post(venue.order(ask, 10))[1]["status"] == "matched"
    body = json.dumps({"kind": "end", "market": venue.market.condition_id}).encode()
    assert venue.exchange.handle("POST", "/practice/faults", "", body).status == 201
    venue.world.step(venue.world.now + timedelta(days=6))
    venue.trading.advance()
    resolved = [each for each in venue.trading.notifications.unread(venue.wallet.funder) if each.type == 4]
    assert len(resolved) == 1 and resolved[0].owner == ""
    market = venue.exchange.handle("GET", f"/clob/markets/{venue.market.condition_id}")
    assert bytes(resolved[0].payload) == market.body  # type: ignore[arg-type]  # a market's payload is JSON as written
    others = wallet_of_type(venue.trading, "safe").funder
    assert venue.trading.notifications.unread(others) == []


def test_a_fill_that_fails_to_settle_is_told() -> None:
    venue = Venue()
    venue.trading.venue_engine.engine.core.settlement_policy = lambda trade: SettlementPlan(fails=True)
    ask = venue.market.book.best_ask_micro // 10_000
    venue.post(venue.order(ask, 10))
    venue.world.step(venue.world.now + timedelta(minutes=1))
    venue.trading.advance()
    assert [each.type for each in venue.trading.notifications.unread(venue.wallet.funder)] == [2, 8]


def test_notifications_are_kept_and_counted_on() -> None:
    venue, later = Venue(), Venue()
    venue.post(venue.order())
    venue.send("DELETE", "/cancel-all")
    later.trading.load_state(venue.trading.dump_state())
    assert told(later) == told(venue)
    later.post(later.order(3, 20))
    later.send("DELETE", "/cancel-all")
    first, second = told(later)
    assert second["id"] > first["id"]
