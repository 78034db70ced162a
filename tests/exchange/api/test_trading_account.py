"""What an account may ask about itself: its orders page by page, balances, scoring, heartbeats, and orders after faults."""

from __future__ import annotations

import json

import pytest

from polymarket_kit.messages.orders import encode_order
from polymarket_kit.signing.auth import l2_headers
from polymarket_kit.signing.order_signing import contract_for, order_id
from practice_exchange.world.state import Rewards

from .trading_user import NOW_S, Venue
from .trading_venue import quiet_market, wallet_of_type


def test_others_neither_see_nor_cancel_an_order() -> None:
    venue = Venue()
    _, answer = venue.post(venue.order())
    mine = answer["orderID"]
    venue.log_in(wallet_of_type(venue.trading, "safe"))
    assert venue.send("GET", f"/data/order/{mine}") == (404, {"error": "Order not found"})
    assert venue.send("GET", "/data/orders")[1]["data"] == []
    body = json.dumps({"orderID": mine}).encode()
    missing = {"canceled": [], "not_canceled": {mine: "Order not found or already canceled"}}
    assert venue.send("DELETE", "/order", body) == (200, missing)
    assert venue.send("DELETE", "/cancel-all")[1]["canceled"] == []
    assert venue.send("DELETE", "/order", b'{"orderID":"x"}') == (400, {"error": "Invalid orderID"})
    assert venue.send("DELETE", "/cancel-market-orders", b"{}") == (400, {"error": "Invalid order payload"})


@pytest.mark.fidelity(
    "Open orders come by page to `LTE=`",
    area="Account",
    evidence="specification",
    source="clob-openapi",
)
def test_open_orders_come_in_pages_to_the_end() -> None:
    venue = Venue()
    for _ in range(101):
        assert venue.post(venue.order(price_cents=1, size=5))[0] == 200
    _, first = venue.send("GET", "/data/orders", query="next_cursor=MA==")
    _, second = venue.send("GET", "/data/orders", query=f"next_cursor={first['next_cursor']}")
    assert (first["limit"], first["count"], second["count"], second["next_cursor"]) == (100, 100, 1, "LTE=")
    assert len({order["id"] for order in first["data"] + second["data"]}) == 101
    text = "next item should be greater than or equal to 0"
    assert venue.send("GET", "/data/orders", query="next_cursor=LTE=") == (400, {"error": text})


@pytest.mark.fidelity(
    "A missed heartbeat cancels the API key's orders after ten seconds",
    area="Limits and modes",
    evidence="specification",
    source="heartbeats",
)
def test_a_heartbeat_that_stops_takes_the_keys_orders_along() -> None:
    venue = Venue()
    assert venue.post(venue.order())[1]["status"] == "live"
    venue.machine_s += 60
    assert len(venue.send("GET", "/data/orders")[1]["data"]) == 1
    assert venue.send("POST", "/v1/heartbeats", b'{"heartbeat_id":""}')[0] == 200
    venue.machine_s += 10
    assert len(venue.send("GET", "/data/orders")[1]["data"]) == 1
    venue.machine_s += 1
    assert venue.send("GET", "/data/orders")[1]["data"] == []


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("asset_type=GOLD", "Invalid asset type"),
        ("asset_type=CONDITIONAL", "Invalid token id"),
        ("asset_type=CONDITIONAL&token_id=x", "Invalid token id"),
        ("asset_type=COLLATERAL&signature_type=4", "Invalid signature_type"),
    ],
)
def test_a_balance_of_nothing_is_refused(query: str, text: str) -> None:
    assert Venue().send("GET", "/balance-allowance", query=query) == (400, {"error": text})


@pytest.mark.fidelity(
    "`signature_type` chooses the wallet whose balance is told",
    area="Account",
    evidence="specification",
    source="clob-openapi",
)
def test_each_wallet_of_a_key_has_its_own_balance() -> None:
    venue = Venue("deposit_wallet")
    for number, balance in (("0", "0"), ("1", "0"), ("2", "0"), ("3", "10000000000")):
        query = f"asset_type=COLLATERAL&signature_type={number}"
        assert venue.send("GET", "/balance-allowance", query=query)[1]["balance"] == balance


@pytest.mark.fidelity(
    "Orders score near the middle and from the least size on",
    area="Account",
    evidence="specification",
    source="liquidity rewards",
)
def test_an_order_near_the_middle_of_a_rewarded_market_scores() -> None:
    venue = Venue()
    market = quiet_market(venue.world)
    market.rewards = Rewards(minimum_size=10, maximum_spread=10.0, daily_rate=5)
    bid = market.book.best_bid_micro // 10_000
    near, small, far = venue.order(bid, 10), venue.order(bid, 9), venue.order(2, 100)
    ids = [venue.post(posted)[1]["orderID"] for posted in (near, small, far)]
    unknown = "0x" + "a" * 64
    body = json.dumps([*ids, unknown]).encode()
    scoring = dict(zip([*ids, unknown], [True, False, False, False], strict=True))
    assert venue.send("POST", "/orders-scoring", body) == (200, scoring)
    assert venue.send("GET", "/order-scoring", query=f"order_id={ids[0]}") == (200, {"scoring": True})


@pytest.mark.parametrize(("kind", "status"), [("429", 429), ("html", 403)])
def test_an_order_that_is_stopped_at_the_gate_is_not_in_the_book(kind: str, status: int) -> None:
    venue = Venue()
    venue.exchange.handle("POST", "/practice/faults", "", json.dumps({"path": "/clob/order", "kind": kind}).encode())
    posted = venue.order()
    assert venue.exchange.handle("POST", "/clob/order", "", encode_order(posted)).status == status
    assert venue.send("GET", "/data/orders")[1]["data"] == []
    assert venue.post(posted)[0] == 200


def test_an_order_that_is_answered_with_an_error_may_be_in_the_book() -> None:
    venue = Venue()
    venue.exchange.handle("POST", "/practice/faults", "", b'{"path": "/clob/order", "kind": "500", "count": 1}')
    posted = venue.order()
    headers = l2_headers(venue.credentials, venue.key.address, NOW_S, "POST", "/order", encode_order(posted))
    small = {name.lower(): value for name, value in headers.items()}
    assert venue.exchange.handle("POST", "/clob/order", "", encode_order(posted), small).status == 500
    mine = order_id(posted.order, contract_for(posted.order.token_id, False))
    assert [order["id"] for order in venue.send("GET", "/data/orders")[1]["data"]] == [mine]
    assert venue.post(posted) == (400, {"error": f"order {mine} is invalid. Duplicated."})


@pytest.mark.fidelity(
    "The first heartbeat may carry an id of the client's own; a refused one does not extend the deadline",
    area="Limits and modes",
    evidence="specification",
    source="clob-openapi, HeartbeatRequest; the SDK's manual",
)
def test_the_first_heartbeat_may_bring_an_id_and_a_refused_one_does_not_count() -> None:
    venue = Venue()
    assert venue.post(venue.order())[1]["status"] == "live"
    first = b'{"heartbeat_id":"550e8400-e29b-41d4-a716-446655440000"}'
    status, answer = venue.send("POST", "/v1/heartbeats", first)
    assert status == 200
    venue.machine_s += 6
    text = "Invalid Heartbeat ID"
    refused = {"heartbeat_id": answer["heartbeat_id"], "error_msg": text, "error": text}
    assert venue.send("POST", "/v1/heartbeats", first) == (400, refused)
    venue.machine_s += 5
    assert venue.send("GET", "/data/orders")[1]["data"] == []
    assert venue.send("POST", "/v1/heartbeats", first)[0] == 200
