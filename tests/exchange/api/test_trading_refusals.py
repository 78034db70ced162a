"""Every refusal about who asks and what was signed, in the venue's words, from bodies made by this project's own signing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from polymarket_kit.messages.orders import PostedOrder, encode_order
from polymarket_kit.model import OrderType, Side
from polymarket_kit.signing.auth import ApiCredentials, l1_headers, l2_headers
from polymarket_kit.signing.eip712 import SigningKey
from polymarket_kit.signing.order_signing import contract_for, order_id, sign_order
from practice_exchange.engine.orders import Mode, Restriction
from practice_exchange.venue.accounts import PracticeWallet

from .trading_user import MACHINE_S, NOW_S, Venue
from .trading_venue import WALLET_TYPES, quiet_market, wallet_of_type

Change = Callable[[PostedOrder], PostedOrder]


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


@pytest.mark.fidelity(
    "Every forgery is refused for each kind of wallet",
    area="Signatures",
    evidence="specification",
    source="error codes",
)
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


@pytest.mark.fidelity(
    "Negative-risk orders are signed for their own contract",
    area="Signatures",
    evidence="field report",
    source="rs-clob-client-v2 issue 21",
)
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
    assert len(venue.send("GET", "/auth/api-keys", headers=good)[1]["apiKeys"]) == 2
    assert venue.send("GET", "/auth/api-keys", headers={**good, header: other[header]}) == refused


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


@pytest.mark.fidelity("A log-in is good for a minute either way", area="Log-in", evidence="assumed")
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
    account, engine = venue.trading.venue_engine.engine.account(venue.wallet.funder), venue.trading.venue_engine.engine
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
