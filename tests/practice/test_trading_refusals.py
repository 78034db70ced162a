"""Every refusal about who asks and what was signed, in the venue's words, from bodies made by this project's own signing."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from prescient.domain.market import Side
from prescient.domain.order import OrderType
from prescient.exchange.orders import Mode, Restriction
from prescient.surfaces.practice.exchange import PracticeExchange
from prescient.surfaces.practice.state import MarketState, Rewards
from prescient.surfaces.practice.trading.accounts import PracticeWallet
from prescient.surfaces.practice.trading.routes import TradingSide
from prescient.surfaces.practice.world import World
from prescient.wire.auth import ApiCredentials, l1_headers, l2_headers
from prescient.wire.eip712 import SigningKey
from prescient.wire.order_signing import ContractOrder, SignatureType, contract_for, order_id, sign_order
from prescient.wire.orders import PostedOrder, encode_order

from .conftest import START
from .trading_venue import WALLET_TYPES, quiet_market, wallet_of_type

NOW_S = int(START.timestamp())
MACHINE_S = 1_900_000_000
Change = Callable[[PostedOrder], PostedOrder]


class Venue:
    """An exchange without sockets, a wallet that has logged in, and orders as it would post them."""

    def __init__(self, wallet_type: str = "eoa") -> None:
        self.world = World(7, 60, START)
        self.machine_s = float(MACHINE_S)
        self.trading = TradingSide(self.world, lambda: self.world.now_ms, machine_s=lambda: self.machine_s)
        self.exchange = PracticeExchange(self.world, trading=self.trading)
        self.market = quiet_market(self.world)
        self.salt = 0
        self.log_in(wallet_of_type(self.trading, wallet_type))

    def log_in(self, wallet: PracticeWallet) -> None:
        self.wallet, self.key = wallet, SigningKey(wallet.private_key)
        status, made = self.send("POST", "/auth/api-key", headers=l1_headers(self.key, NOW_S, chain_id=137))
        assert status == 200
        self.credentials = ApiCredentials(made["apiKey"], made["secret"], made["passphrase"])

    def send(self, method: str, path: str, body: bytes = b"", query: str = "", **given: Any) -> tuple[int, Any]:
        headers = given.get("headers")
        if headers is None:
            headers = l2_headers(self.credentials, self.key.address, NOW_S, method, path, body)
        small = {name.lower(): value for name, value in headers.items()}
        answer = self.exchange.handle(method, f"/clob{path}", query, body, small)
        return answer.status, json.loads(answer.body)

    def order(
        self, price_cents: int = 2, size: int = 10, market: MarketState | None = None, **changes: Any
    ) -> PostedOrder:
        """A signed BUY that rests far below the market."""
        self.salt += 1
        market = market or self.market
        token_id = int(market.token_ids[0])
        kind = SignatureType(self.wallet.signature_type)
        signer = self.wallet.funder if kind is SignatureType.DEPOSIT_WALLET else self.wallet.address
        order = ContractOrder(
            self.salt,
            self.wallet.funder,
            signer,
            token_id,
            price_cents * size * 10_000,
            size * 1_000_000,
            Side.BUY,
            kind,
            NOW_S * 1000,
        )
        order = msgspec.structs.replace(order, **changes)
        signature = sign_order(order, contract_for(token_id, market.negative_risk), self.key)
        return PostedOrder(order, signature, self.credentials.key, OrderType.GTC, 0, False, False)

    def post(self, posted: PostedOrder) -> tuple[int, Any]:
        return self.send("POST", "/order", encode_order(posted))


def changed(**fields: Any) -> Change:
    return lambda posted: msgspec.structs.replace(posted, **fields)


def order_changed(**fields: Any) -> Change:
    return lambda posted: msgspec.structs.replace(posted, order=msgspec.structs.replace(posted.order, **fields))


def spoilt(posted: PostedOrder) -> PostedOrder:
    digits = posted.signature
    return msgspec.structs.replace(posted, signature=digits[:20] + ("0" if digits[20] != "0" else "1") + digits[21:])


STRANGER = SigningKey("11" * 32)
SIGNER = "the order signer address has to be the address of the API KEY"
DEPOSIT = "maker address not allowed, please use the deposit wallet flow"
SIGNATURE = "invalid signature"
FORGERIES: list[tuple[str, Change, str]] = [
    (
        "owner",
        changed(owner="00000000-0000-0000-0000-000000000000"),
        "the order owner has to be the owner of the API KEY",
    ),
    ("signer", order_changed(signer=STRANGER.address), SIGNER),
    ("signature", spoilt, SIGNATURE),
    ("no signature", changed(signature="0x"), SIGNATURE),
    ("salt", order_changed(salt=999), SIGNATURE),
    ("amount", order_changed(taker_amount_micro=20_000_000), SIGNATURE),
    ("side", order_changed(side=Side.SELL), SIGNATURE),
    ("time", order_changed(timestamp_ms=1), SIGNATURE),
]


@pytest.mark.parametrize("wallet_type", WALLET_TYPES)
def test_a_forged_order_is_refused_and_the_true_one_taken(wallet_type: str) -> None:
    venue = Venue(wallet_type)
    posted = venue.order()
    for name, change, text in FORGERIES:
        assert venue.post(change(posted)) == (400, {"error": text}), name
    status, answer = venue.post(posted)
    contract = contract_for(posted.order.token_id, False)
    assert (status, answer["status"], answer["orderID"]) == (200, "live", order_id(posted.order, contract))
    assert venue.post(posted) == (400, {"error": f"order {answer['orderID']} is invalid. Duplicated."})


def test_a_signature_for_the_other_contract_is_refused() -> None:
    venue = Venue()
    other = quiet_market(venue.world, negative_risk=True)
    posted = venue.order(market=other)
    wrong = sign_order(posted.order, contract_for(posted.order.token_id, False), venue.key)
    assert venue.post(msgspec.structs.replace(posted, signature=wrong)) == (400, {"error": SIGNATURE})
    assert venue.post(posted)[0] == 200


def test_wallets_of_others_and_fresh_wallets_are_refused() -> None:
    venue = Venue("proxy")
    other = wallet_of_type(venue.trading, "safe")
    assert venue.post(order_changed(maker=other.funder)(venue.order())) == (400, {"error": DEPOSIT})
    key = STRANGER
    venue.log_in(PracticeWallet("11" * 32, key.address, key.address, "eoa", 0))
    assert venue.post(venue.order()) == (400, {"error": DEPOSIT})
    venue.trading.fund(key.address, 1_000_000)
    text = "not enough balance / allowance: the balance is not enough -> balance: 1000000, order amount: "
    status, answer = venue.post(venue.order(price_cents=20))
    assert status == 400 and answer["error"].startswith(text)


@pytest.mark.parametrize("header", ["POLY_ADDRESS", "POLY_SIGNATURE", "POLY_TIMESTAMP"])
def test_a_log_in_with_the_key_is_refused_when_a_part_is_missing_or_wrong(header: str) -> None:
    venue = Venue()
    good = l1_headers(venue.key, NOW_S, 3, chain_id=137)
    refused = (401, {"error": "Invalid L1 Request headers"})
    assert venue.send("POST", "/auth/api-key", headers={**good, header: ""}) == refused
    other = l1_headers(STRANGER, NOW_S + 1, 3, chain_id=137)
    assert venue.send("POST", "/auth/api-key", headers={**good, header: other[header]}) == refused
    assert venue.send("GET", "/auth/derive-api-key", headers=good) == (400, {"error": "Could not derive api key!"})
    assert venue.send("POST", "/auth/api-key", headers=good)[0] == 200
    assert venue.send("POST", "/auth/api-key", headers=good) == (400, {"error": "Could not create api key"})
    assert venue.send("GET", "/auth/derive-api-key", headers=good)[0] == 200


@pytest.mark.parametrize(
    "header", ["POLY_ADDRESS", "POLY_SIGNATURE", "POLY_TIMESTAMP", "POLY_API_KEY", "POLY_PASSPHRASE"]
)
def test_a_request_is_refused_when_a_part_of_its_log_in_is_missing_or_wrong(header: str) -> None:
    venue = Venue()
    good = l2_headers(venue.credentials, venue.key.address, NOW_S, "GET", "/data/orders")
    other = l2_headers(ApiCredentials("a", "AAAA", "b"), STRANGER.address, NOW_S + 1, "GET", "/data/orders")
    refused = (401, {"error": "Unauthorized/Invalid api key"})
    for wrong in ("", other[header]):
        assert venue.send("GET", "/data/orders", headers={**good, header: wrong}) == refused
    assert venue.send("GET", "/data/trades", headers=good) == refused
    assert venue.send("GET", "/data/orders", query="market=0x1", headers=good)[0] == 200


@pytest.mark.parametrize(
    ("seconds", "status"),
    [(NOW_S, 200), (NOW_S - 60, 200), (NOW_S + 61, 401), (MACHINE_S + 60, 200), (MACHINE_S - 61, 401), (0, 401)],
)
def test_a_log_in_is_good_near_either_clock(seconds: int, status: int) -> None:
    venue = Venue()
    headers = l2_headers(venue.credentials, venue.key.address, seconds, "GET", "/data/orders")
    assert venue.send("GET", "/data/orders", headers=headers)[0] == status
    assert venue.send("POST", "/auth/api-key", headers=l1_headers(venue.key, seconds, 9, chain_id=137))[0] == status


def test_a_body_that_is_changed_under_its_log_in_is_refused() -> None:
    venue = Venue()
    body = encode_order(venue.order())
    headers = l2_headers(venue.credentials, venue.key.address, NOW_S, "POST", "/order", body)
    assert venue.send("POST", "/order", body + b" ", headers=headers)[0] == 401
    assert venue.send("POST", "/order", body, headers=headers)[0] == 200


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "Invalid order payload"),
        (b"{", "Invalid order payload"),
        (b"[]", "Invalid order payload"),
        (b'{"order": 1}', "Invalid order payload"),
    ],
)
def test_what_is_no_order_is_refused(body: bytes, text: str) -> None:
    assert Venue().send("POST", "/order", body) == (400, {"error": text})


def test_rules_of_the_book_answer_in_the_venues_words() -> None:
    venue = Venue()
    ask_cents = venue.market.book.best_ask_micro // 10_000

    def refusal(posted: PostedOrder) -> tuple[int, str]:
        status, answer = venue.post(posted)
        return status, answer["error"].replace(
            order_id(posted.order, contract_for(posted.order.token_id, False)), "{id}"
        )

    unknown = quiet_market(venue.world)
    nowhere = venue.order(market=unknown, token_id=12345)
    assert refusal(nowhere) == (404, "No orderbook exists for the requested token id")
    assert refusal(venue.order(size=4)) == (400, "order {id} is invalid. Size (4) lower than the minimum: 5")
    off_grid = venue.order(maker_amount_micro=123_000)
    assert refusal(off_grid) == (400, "order {id} is invalid. Price (0.0123) breaks minimum tick size rule: 0.01")
    crossing = changed(post_only=True)(venue.order(price_cents=ask_cents))
    assert refusal(crossing) == (400, "invalid post-only order: order crosses book")
    tiny = venue.order(price_cents=ask_cents, size=1)
    assert refusal(tiny)[1].startswith("invalid amount for a marketable BUY order ($")
    late = changed(order_type=OrderType.GTD, expiration_s=NOW_S + 179)(venue.order())
    assert refusal(late) == (400, "invalid expiration")
    much = venue.order(price_cents=ask_cents, size=1_000_000_0)
    assert refusal(much)[1].startswith(
        "not enough balance / allowance: the balance is not enough -> balance: 10000000000, "
    )
    all_of_it = changed(order_type=OrderType.FOK)(venue.order(price_cents=2))
    assert refusal(all_of_it) == (400, "order couldn't be fully filled. FOK orders are fully filled or killed.")
    some_of_it = changed(order_type=OrderType.FAK)(venue.order(price_cents=2))
    assert refusal(some_of_it)[1].startswith("no orders found to match with FAK order.")


def test_restrictions_and_modes_answer_in_the_venues_words() -> None:
    venue = Venue()
    account, engine = venue.trading.floor.engine.account(venue.wallet.funder), venue.trading.floor.engine
    account.restriction = Restriction.BANNED
    assert venue.post(venue.order()) == (400, {"error": f"'{venue.wallet.funder}' address banned"})
    account.restriction = Restriction.CLOSED_ONLY
    assert venue.post(venue.order()) == (400, {"error": f"'{venue.wallet.funder}' address in closed only mode"})
    assert venue.send("GET", "/auth/ban-status/closed-only") == (200, {"closed_only": True})
    account.restriction = Restriction.NONE
    for mode, status, start in (
        (Mode.RESTARTING, 425, "service not ready"),
        (Mode.CANCEL_ONLY, 503, "Trading is currently cancel-only."),
        (Mode.DISABLED, 503, "Trading is currently disabled."),
        (Mode.POST_ONLY, 503, "post-only mode: only post-only orders and cancels are allowed"),
    ):
        engine.set_mode(mode, venue.world.now_ms, venue.world.now_ms + 60_000 if mode is Mode.POST_ONLY else 0)
        got, answer = venue.post(venue.order())
        assert got == status and answer["error"].startswith(start)


def test_a_batch_takes_fifteen_and_tells_each_its_own_fate() -> None:
    venue = Venue()
    good, bad = venue.order(), spoilt(venue.order())
    body = b"[" + encode_order(good) + b"," + encode_order(bad) + b"]"
    status, answers = venue.send("POST", "/orders", body)
    assert status == 200 and [answer["status"] for answer in answers] == ["live", ""]
    assert (answers[1]["errorMsg"], answers[1]["orderID"], answers[1]["success"]) == (SIGNATURE, "", True)
    many = b"[" + b",".join(encode_order(venue.order()) for _ in range(16)) + b"]"
    assert venue.send("POST", "/orders", many) == (400, {"error": "Too many orders in payload: 16, max allowed: 15"})


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
    assert venue.send("DELETE", "/cancel-market-orders", b"{}") == (400, {"error": "Invalid payload"})


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


NONSENSE = [
    b"",
    b"null",
    b"0",
    b'"x"',
    b"[]",
    b"{}",
    b"[null]",
    b"[[]]",
    b'{"orderID":null}',
    b'{"heartbeat_id":7}',
    b"\xff\xfe",
    b"[" * 5_000,
    b'{"order":{"salt":' + b"9" * 5_000 + b"}}",
    b'["' + b"0" * 70 + b'"]',
    b'{"market":"\\ud800"}',
]


@pytest.mark.parametrize("body", NONSENSE, ids=lambda body: body[:20].decode("latin-1"))
def test_nonsense_is_never_the_servers_fault(body: bytes) -> None:
    venue = Venue()
    for method in ("GET", "POST", "PUT", "DELETE", "PATCH"):
        for path in (
            "/order",
            "/orders",
            "/cancel-all",
            "/cancel-market-orders",
            "/data/orders",
            "/data/trades",
            "/data/order/x",
            "/balance-allowance",
            "/balance-allowance/update",
            "/notifications",
            "/v1/heartbeats",
            "/order-scoring",
            "/orders-scoring",
            "/auth/api-keys",
            "/auth/nothing",
        ):
            query = "next_cursor=%00&after=-1&before=x&asset_type=COLLATERAL&signature_type=9&id=&market=%ff"
            status, answer = venue.send(method, path, body, query)
            assert status in (200, 400, 404), (method, path, status)
            assert status == 200 or answer["error"]


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("asset_type=GOLD", "Invalid asset type"),
        ("asset_type=CONDITIONAL", "Invalid token id"),
        ("asset_type=CONDITIONAL&token_id=x", "Invalid token id"),
        ("asset_type=COLLATERAL&signature_type=4", "Invalid signature type"),
    ],
)
def test_a_balance_of_nothing_is_refused(query: str, text: str) -> None:
    assert Venue().send("GET", "/balance-allowance", query=query) == (400, {"error": text})


def test_each_wallet_of_a_key_has_its_own_balance() -> None:
    venue = Venue("deposit_wallet")
    for number, balance in (("0", "0"), ("1", "0"), ("2", "0"), ("3", "10000000000")):
        query = f"asset_type=COLLATERAL&signature_type={number}"
        assert venue.send("GET", "/balance-allowance", query=query)[1]["balance"] == balance


def test_an_order_near_the_middle_of_a_rewarded_market_scores() -> None:
    venue = Venue()
    market = quiet_market(venue.world)
    market.rewards = Rewards(minimum_size=10, maximum_spread=10.0, daily_rate=5)
    bid = market.book.best_bid_micro // 10_000
    near, small, far = venue.order(bid, 10), venue.order(bid, 9), venue.order(2, 100)
    ids = [venue.post(posted)[1]["orderID"] for posted in (near, small, far)]
    body = json.dumps([*ids, "unknown"]).encode()
    scoring = dict(zip([*ids, "unknown"], [True, False, False, False], strict=True))
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
