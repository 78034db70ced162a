"""Faults of single requests: what is done, what the client learns, and that ordered faults are checked against the catalogue."""

from __future__ import annotations

import json
from typing import Any

import pytest

from polymarket_kit.messages.orders import PostedOrder, encode_order
from polymarket_kit.signing.auth import l2_headers
from polymarket_kit.signing.order_signing import contract_for, order_id
from practice_exchange.app.exchange import PracticeExchange
from practice_exchange.faults.kinds import KINDS, Group
from practice_exchange.web.responses import Answer
from practice_exchange.world.world import World

from .conftest import START
from .trading_user import NOW_S, Venue


def control(venue: Venue | PracticeExchange, method: str, body: object = None) -> tuple[int, Any]:
    exchange = venue.exchange if isinstance(venue, Venue) else venue
    content = b"" if body is None else json.dumps(body).encode()
    answer = exchange.handle(method, "/practice/faults", "", content)
    return answer.status, json.loads(answer.body)


def order_fault(venue: Venue, kind: str, path: str = "/clob/order", **fields: Any) -> None:
    status, answer = control(venue, "POST", {"kind": kind, "path": path, **fields})
    assert status == 201, answer


def ask(venue: Venue, method: str, path: str, body: bytes = b"", query: str = "") -> Answer:
    headers = l2_headers(venue.credentials, venue.key.address, NOW_S, method, path, body)
    small = {name.lower(): value for name, value in headers.items()}
    return venue.exchange.handle(method, f"/clob{path}", query, body, small)


def post(venue: Venue, posted: PostedOrder) -> Answer:
    return ask(venue, "POST", "/order", encode_order(posted))


def hash_of(posted: PostedOrder) -> str:
    return order_id(posted.order, contract_for(posted.order.token_id, False))


def open_ids(venue: Venue) -> list[str]:
    return [order["id"] for order in json.loads(ask(venue, "GET", "/data/orders").body)["data"]]


STOPPED: list[tuple[str, dict[str, Any], int, str]] = [
    ("429", {"retry_after_s": 7}, 429, "Too Many Requests"),
    ("html", {}, 403, "Just a moment"),
    ("portal", {}, 200, "<!DOCTYPE html>"),
    ("redirect", {}, 302, ""),
    ("401", {}, 401, "Unauthorized/Invalid api key"),
    ("403", {}, 403, "Trading restricted in your region, please refer to available regions"),
    ("425", {}, 425, "service not ready"),
    ("refused", {"status": 503, "text": "no upstream"}, 503, "no upstream"),
    ("refused", {}, 500, "Internal server error"),
    ("reset", {}, -1, ""),
    ("404", {}, 404, "Order not found"),
    ("version", {}, 400, "order_version_mismatch"),
    ("empty_id", {"text": "could not insert order"}, 200, '"orderID":""'),
]


@pytest.mark.parametrize(("kind", "fields", "status", "text"), STOPPED)
def test_what_is_stopped_does_not_happen(kind: str, fields: dict[str, Any], status: int, text: str) -> None:
    venue = Venue()
    order_fault(venue, kind, **fields)
    posted = venue.order()
    answer = post(venue, posted)
    assert answer.status == status and text in answer.body.decode()
    assert open_ids(venue) == []
    assert json.loads(post(venue, posted).body)["status"] == "live", (
        "the fault is used up, and the order was never seen"
    )


SPOILT: list[tuple[str, dict[str, Any], int, str]] = [
    ("500", {}, 500, "Internal server error"),
    ("500", {"text": "order timed out"}, 500, "order timed out"),
    ("500", {"text": "could not run the execution"}, 500, "could not run the execution"),
    ("500", {"text": "could not insert order"}, 500, "could not insert order"),
    ("500", {"text": "there are no matching orders"}, 500, "there are no matching orders"),
    ("500", {"text": "the trade contains rounding issues"}, 500, "the trade contains rounding issues"),
    ("silence", {}, 0, ""),
    ("hang_up", {}, -1, ""),
    ("half", {}, 200, '{"errorMsg":""'),
    ("garbage", {}, 200, '{"errorMsg":""'),
    ("slow", {}, 200, '"status":"live"'),
]


@pytest.mark.parametrize(("kind", "fields", "status", "text"), SPOILT)
def test_what_is_spoilt_has_happened(kind: str, fields: dict[str, Any], status: int, text: str) -> None:
    venue = Venue()
    order_fault(venue, kind, **fields)
    posted = venue.order()
    answer = post(venue, posted)
    assert answer.status == status and text in answer.body.decode()
    assert open_ids(venue) == [hash_of(posted)]
    assert b"Duplicated" in post(venue, posted).body


def test_half_an_answer_promises_the_whole_and_garbage_does_not() -> None:
    venue = Venue()
    order_fault(venue, "half", "/clob/data/orders")
    order_fault(venue, "garbage", "/clob/data/orders")
    whole = len(ask(venue, "GET", "/data/trades").body)
    half, garbage = ask(venue, "GET", "/data/orders"), ask(venue, "GET", "/data/orders")
    assert (half.headers["Content-Length"], len(half.body)) == (str(whole), whole // 2)
    assert "Content-Length" not in garbage.headers and len(garbage.body) == whole // 2


@pytest.mark.parametrize(("kind", "status"), [("late", 500), ("held", 0)])
def test_an_order_may_be_taken_after_its_posting_failed(kind: str, status: int) -> None:
    venue = Venue()
    order_fault(venue, kind, seconds=5)
    posted = venue.order()
    assert post(venue, posted).status == status
    venue.machine_s += 4.9
    assert open_ids(venue) == []
    venue.machine_s += 0.2
    assert open_ids(venue) == [hash_of(posted)]


def test_a_late_order_meets_the_exchange_of_then() -> None:
    venue = Venue()
    order_fault(venue, "late", seconds=5)
    first, second = venue.order(), venue.order()
    post(venue, first)
    venue.exchange.handle("POST", "/practice/mode", "", b'{"mode":"disabled"}')
    venue.machine_s += 6
    assert open_ids(venue) == []
    venue.exchange.handle("POST", "/practice/mode", "", b'{"mode":"open"}')
    order_fault(venue, "late", seconds=5)
    post(venue, second)
    control(venue, "DELETE")
    venue.machine_s += 6
    assert open_ids(venue) == [], "what was cleared never comes"


def test_a_request_that_is_repeated_on_the_way_is_a_duplicate() -> None:
    venue = Venue()
    order_fault(venue, "twice")
    posted = venue.order()
    answer = post(venue, posted)
    assert answer.status == 400 and b"Duplicated" in answer.body
    assert open_ids(venue) == [hash_of(posted)]


def test_a_cancel_may_be_refused_order_by_order() -> None:
    venue = Venue()
    placed = [json.loads(post(venue, venue.order()).body)["orderID"] for _ in range(2)]
    order_fault(venue, "cancel_refused", method="DELETE", count=3)
    reason = "order match delayed due to market conditions"
    one = ask(venue, "DELETE", "/order", json.dumps({"orderID": placed[0]}).encode())
    assert json.loads(one.body) == {"canceled": [], "not_canceled": {placed[0]: reason}}
    order_fault(venue, "cancel_refused", "/clob/orders", text="later")
    both = ask(venue, "DELETE", "/orders", json.dumps(placed).encode())
    assert json.loads(both.body) == {"canceled": [], "not_canceled": dict.fromkeys(placed, "later")}
    assert json.loads(post(venue, venue.order()).body)["status"] == "live", "only requests of its method are struck"
    order_fault(venue, "cancel_refused", "/clob/cancel-*", count=3)
    mine = open_ids(venue)
    everything = json.loads(ask(venue, "DELETE", "/cancel-all").body)
    assert everything == {"canceled": [], "not_canceled": dict.fromkeys(mine, reason)}
    market = json.dumps({"market": venue.market.condition_id}).encode()
    assert json.loads(ask(venue, "DELETE", "/cancel-market-orders", market).body) == everything
    other = json.dumps({"market": "0x1"}).encode()
    assert json.loads(ask(venue, "DELETE", "/cancel-market-orders", other).body)["not_canceled"] == {}
    assert open_ids(venue) == mine and set(placed) < set(mine)


def test_each_leg_of_a_batch_may_be_refused_with_success() -> None:
    venue = Venue()
    order_fault(venue, "empty_id", "/clob/orders")
    body = b"[" + b",".join(encode_order(venue.order()) for _ in range(3)) + b"]"
    legs = json.loads(ask(venue, "POST", "/orders", body).body)
    assert [(leg["success"], leg["orderID"], leg["errorMsg"]) for leg in legs] == [
        (True, "", "could not insert order")
    ] * 3
    assert open_ids(venue) == []


# Pages


def test_pages_may_be_missing_short_stuck_or_repeated() -> None:
    venue = Venue()
    for _ in range(4):
        post(venue, venue.order())
    whole = json.loads(ask(venue, "GET", "/data/orders").body)
    for kind in ("missing_page", "short_page", "stuck_cursor"):
        order_fault(venue, kind, "/clob/data/orders")
    missing, short, stuck = (json.loads(ask(venue, "GET", "/data/orders").body) for _ in range(3))
    assert (missing["data"], missing["count"], missing["next_cursor"]) == ([], 0, "LTE=")
    assert (short["data"], short["count"]) == (whole["data"][:2], 2)
    assert (stuck["data"], stuck["next_cursor"]) == (whole["data"], "MA==")
    order_fault(venue, "stuck_cursor", "/clob/data/orders")
    asked = ask(venue, "GET", "/data/orders", query="next_cursor=Mg==")
    assert json.loads(asked.body)["next_cursor"] == "Mg=="
    order_fault(venue, "repeat", "/clob/data/orders", count=2)
    first = ask(venue, "GET", "/data/orders").body
    ask(venue, "DELETE", "/cancel-all")
    assert ask(venue, "GET", "/data/orders").body == first, "a stale page"
    assert json.loads(ask(venue, "GET", "/data/orders").body)["data"] == []


def test_the_catalogues_pages_can_be_spoilt_too() -> None:
    exchange = PracticeExchange(World(7, 20, START))
    whole = json.loads(exchange.handle("GET", "/gamma/events/keyset", "limit=10").body)
    for kind in ("missing_page", "short_page", "stuck_cursor"):
        control(exchange, "POST", {"kind": kind, "path": "/gamma/events*"})
    missing = json.loads(exchange.handle("GET", "/gamma/events/keyset", "limit=10").body)
    assert (missing["events"], missing["next_cursor"]) == ([], whole["next_cursor"])
    short = json.loads(exchange.handle("GET", "/gamma/events/keyset", "limit=10").body)
    assert short["events"] == whole["events"][:5]
    after = f"limit=10&after_cursor={whole['next_cursor']}"
    stuck = json.loads(exchange.handle("GET", "/gamma/events/keyset", after).body)
    assert stuck["next_cursor"] == whole["next_cursor"] and stuck["events"] != whole["events"]
    control(exchange, "POST", {"kind": "short_page", "path": "/gamma/events"})
    assert len(json.loads(exchange.handle("GET", "/gamma/events", "limit=10").body)) == 5


def test_numbers_may_be_impossible() -> None:
    venue = Venue()
    order_fault(venue, "lies", "/clob/book")
    token = venue.market.token_ids[0]
    book = json.loads(venue.exchange.handle("GET", "/clob/book", f"token_id={token}").body)
    assert {level["price"] for level in book["bids"]} == {"1.2"} and {level["size"] for level in book["asks"]} == {"-5"}
    order_fault(venue, "lies", "/clob/ok")
    assert venue.exchange.handle("GET", "/clob/ok").body == b'"OK"', "what has no numbers stays as it is"


def test_sizes_may_be_off_by_a_little() -> None:
    venue = Venue()
    post(venue, venue.order(2, 10))
    order_fault(venue, "dust", "/clob/data/orders", shares=0.009)
    order_fault(venue, "dust", "/clob/data/orders", shares=-0.011)
    told = [json.loads(ask(venue, "GET", "/data/orders").body)["data"][0] for _ in range(3)]
    assert [(each["size_matched"], each["price"]) for each in told] == [("0.009", "0.02"), ("0", "0.02"), ("0", "0.02")]
    order_fault(venue, "dust", "/clob/book", shares=0.009)
    query = f"token_id={venue.market.token_ids[0]}"
    off, true = (json.loads(venue.exchange.handle("GET", "/clob/book", query).body) for _ in range(2))
    for mine, truth in zip(off["bids"], true["bids"], strict=True):
        assert float(mine["size"]) == pytest.approx(float(truth["size"]) + 0.009) and mine["price"] == truth["price"]


# The catalogue and its control


def test_every_kind_is_told_with_what_it_imitates_and_its_bounds() -> None:
    answer = json.loads(Venue().exchange.handle("GET", "/practice/faults/catalogue").body)
    told = {kind["name"]: kind for kind in answer["kinds"]}
    assert set(told) == set(KINDS) and len(told) > 40
    for kind in told.values():
        assert kind["does"].endswith(".") and kind["imitates"] and kind["group"] in set(Group)
        for parameter in kind["parameters"]:
            assert parameter["does"].endswith(".")
            if parameter["lowest"] is not None:
                assert parameter["lowest"] <= parameter["default"] <= parameter["highest"]


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if kind.is_single_use])
def test_every_kind_that_strikes_is_used_up_by_its_request(name: str) -> None:
    venue = Venue()
    order_fault(venue, name, "/clob/data/orders")
    struck = ask(venue, "GET", "/data/orders")
    assert ask(venue, "GET", "/data/orders").status == 200
    assert control(venue, "GET")[1]["struck"] == {name: 1}
    assert struck.status in (-1, 0, 200, 302, 400, 401, 403, 404, 425, 429, 500)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "there is no kind ''"),
        ({"kind": "meteor"}, "Choose one of: 429"),
        ({"kind": "429", "seconds": 3}, "429 has no seconds; it takes retry_after_s"),
        ({"kind": "429", "retry_after_s": 99_999}, "between 0 and 3600"),
        ({"kind": "held", "seconds": 121}, "between 0 and 120"),
        ({"kind": "500", "status": 200}, "between 500 and 599"),
        ({"kind": "500", "count": 0}, "count must be between"),
        ({"kind": "failed_settlement", "rate": 1.1}, "between 0 and 1"),
        ({"kind": "429", "cuont": 2}, "cuont"),
        ({"kind": 429}, "Send a fault such as"),
        ([], "Send a fault such as"),
    ],
)
def test_senseless_faults_are_refused_with_what_would_do(body: object, said: str) -> None:
    venue = Venue()
    status, answer = control(venue, "POST", body)
    assert status == 422 and said in answer["error"]
    assert control(venue, "GET")[1]["faults"] == []


def test_one_kind_is_cleared_and_the_others_stay() -> None:
    venue = Venue()
    for kind in ("429", "500", "retrying"):
        order_fault(venue, kind)
    assert [fault["kind"] for fault in control(venue, "DELETE", {"kind": "429"})[1]["faults"]] == ["500", "retrying"]
    status, answer = control(venue, "DELETE", {"kind": "meteor"})
    assert status == 422 and "meteor" in answer["error"]
    assert control(venue, "DELETE")[1] == {"faults": [], "weather": None, "struck": {}}


def test_faults_of_the_trading_side_need_one() -> None:
    exchange = PracticeExchange(World(7, 3, START))
    for kind in ("failed_settlement", "tick", "stalled_token"):
        status, answer = control(exchange, "POST", {"kind": kind})
        assert status == 422 and "takes orders" in answer["error"]
