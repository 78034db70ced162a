"""Orders leave as the official client's very bytes and come in from both clients; answers are read as the venue writes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from polymarket.models.clob.account import BalanceAllowance, ClobTrade, OpenOrder
from polymarket.models.clob.api_key import ApiKeyCreds
from polymarket.models.clob.cancel import CancelOrdersResponse
from polymarket.models.clob.order_response import AcceptedOrder, RawOrderResponse, normalize_order_response

from polymarket_kit.messages.order_messages import (
    END_CURSOR,
    ApiKeyMessage,
    BalanceAllowanceMessage,
    CancelAnswer,
    CancelMarketBody,
    CancelOrderBody,
    ErrorMessage,
    MakerOrderMessage,
    OpenOrderMessage,
    PageMessage,
    SendOrderAnswer,
    TradeMessage,
)
from polymarket_kit.messages.orders import (
    INVALID_ORDER,
    OTHER_VERSION,
    OrderMalformed,
    PostedOrder,
    decode_answer,
    decode_answers,
    decode_cancels,
    decode_error,
    decode_open_order,
    decode_open_orders,
    decode_order,
    decode_trades,
    encode_order,
    encode_orders,
    matched_micro,
    split_orders,
)
from polymarket_kit.messages.pages import MalformedMessage
from polymarket_kit.model import OrderType, Side
from polymarket_kit.signing.eip712 import SigningKey
from polymarket_kit.signing.order_signing import (
    STANDARD_EXCHANGE,
    ZERO_BYTES32,
    ContractOrder,
    ExchangeContract,
    order_id,
    sign_order,
)
from tests.kit.official import first_client_body, second_client_body, signed_cases
from tests.kit.test_order_signing import KEY, ORDER
from tests.prescient.messages.recorded import read

OWNER = "f4f247b7-4ac7-ff29-a152-04fda0a8755a"
POSTED = PostedOrder(ORDER, sign_order(ORDER, STANDARD_EXCHANGE, KEY), OWNER)
BODY = encode_order(POSTED)


def compact(content: Any) -> bytes:
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode()


def test_the_known_order_has_its_documented_body() -> None:
    zeros = "0x" + "0" * 64
    assert BODY.decode() == (
        '{"order":{"salt":479249096354,"maker":"0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",'
        '"signer":"0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",'
        '"tokenId":"71321045679252212594626385532706912750332728571942532289631379312455583992563",'
        '"makerAmount":"5200000","takerAmount":"10000000","side":"BUY","expiration":"0","signatureType":0,'
        f'"timestamp":"1777824065000","metadata":"{zeros}","builder":"{zeros}","signature":"{POSTED.signature}"}},'
        f'"owner":"{OWNER}","orderType":"GTC","deferExec":false,"postOnly":false}}'
    )


@pytest.mark.fidelity("`POST /order` takes the clients' own bytes", area="Orders", evidence="official client")
@settings(deadline=None, max_examples=60)
@given(signed_cases(), st.uuids(), st.sampled_from(OrderType), st.integers(0, 2**64), st.booleans(), st.booleans())
def test_every_body_is_the_official_clients_and_comes_back_whole(
    case: tuple[ContractOrder, ExchangeContract, str],
    owner: object,
    order_type: OrderType,
    expiration_s: int,
    post_only: bool,
    defers: bool,
) -> None:
    order, contract, private_key = case
    signature = sign_order(order, contract, SigningKey(private_key))
    posted = PostedOrder(order, signature, str(owner), order_type, expiration_s, post_only, defers)
    body = encode_order(posted)
    assert body == compact(first_client_body(posted))
    assert decode_order(body) == posted
    assert order_id(decode_order(body).order, contract) == order_id(order, contract)
    if order_type in (OrderType.GTC, OrderType.GTD) and not defers:
        assert decode_order(compact(second_client_body(posted))) == posted


def test_a_batch_is_the_official_clients_and_is_read_order_by_order() -> None:
    other = replace(POSTED, order_type=OrderType.FOK)
    body = encode_orders([POSTED, other])
    assert body == compact([first_client_body(POSTED), first_client_body(other)])
    assert [decode_order(raw) for raw in split_orders(body)] == [POSTED, other]
    broken = split_orders(body[:-1] + b',{"order":1}]')
    assert len(broken) == 3 and decode_order(broken[0]) == POSTED
    with pytest.raises(OrderMalformed, match=INVALID_ORDER):
        decode_order(broken[2])


def changed(**fields: Any) -> bytes:
    content = json.loads(BODY)
    content["order"].update(fields)
    return compact(content)


def without(*names: str) -> bytes:
    content = json.loads(BODY)
    for name in names:
        content["order"].pop(name, None)
        content.pop(name, None)
    return compact(content)


@pytest.mark.fidelity("The salt has up to 256 bits", area="Orders", evidence="specification")
def test_a_salt_may_be_a_number_or_a_string_of_any_of_256_bits() -> None:
    assert decode_order(changed(salt="479249096354")) == POSTED
    for salt in (0, 2**53, 2**64 + 1, 2**256 - 1):
        assert decode_order(changed(salt=salt)).order.salt == decode_order(changed(salt=str(salt))).order.salt == salt


@pytest.mark.fidelity("Order type and post-only have defaults", area="Orders", evidence="specification")
def test_what_a_client_may_leave_out_has_its_documented_meaning() -> None:
    assert decode_order(without("metadata", "builder", "expiration", "orderType", "deferExec", "postOnly")) == POSTED
    assert decode_order(changed(metadata="", builder="")).order.metadata == ZERO_BYTES32
    assert decode_order(changed(anything="else", nested={"deep": [1]})) == POSTED


@pytest.mark.parametrize(
    "name",
    [
        *("order", "owner", "salt", "maker", "signer", "tokenId", "makerAmount", "takerAmount"),
        *("side", "signatureType", "timestamp", "signature"),
    ],
)
def test_what_a_client_may_not_leave_out_is_missed(name: str) -> None:
    with pytest.raises(OrderMalformed, match=INVALID_ORDER):
        decode_order(without(name))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("salt", -1), ("salt", 2**256), ("salt", 1.5), ("salt", True), ("salt", None), ("salt", "0x12"), ("salt", "1e3"),
        ("salt", " 1"), ("salt", "١"), ("salt", "9" * 79), ("maker", "0x12"), ("maker", "vitalik.eth"), ("maker", None),
        ("signer", ORDER.signer[2:]), ("tokenId", "0xabc"), ("tokenId", ""), ("tokenId", str(2**256)), ("tokenId", 7),
        ("makerAmount", "-1"), ("makerAmount", "1.5"), ("makerAmount", ""), ("takerAmount", str(2**256)),
        ("side", "buy"), ("side", 0), ("expiration", "never"), ("expiration", ""), ("signatureType", 4),
        ("signatureType", -1), ("signatureType", "0"), ("signatureType", 2**70), ("timestamp", "soon"),
        ("timestamp", ""), ("metadata", "0x1"), ("metadata", "00" * 32), ("builder", "0x" + "zz" * 32),
        ("signature", None), ("signature", 7),
    ],
)  # fmt: skip
def test_a_field_that_cannot_be_is_refused_in_the_venues_words(name: str, value: object) -> None:
    with pytest.raises(OrderMalformed) as caught:
        decode_order(changed(**{name: value}))
    assert str(caught.value) == INVALID_ORDER and caught.value.reason


def read_batch(body: bytes) -> list[PostedOrder]:
    return [decode_order(raw) for raw in split_orders(body)]


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"null",
        b"[]",
        b"{}",
        b"\xff\xfe",
        BODY[:-1],
        BODY + b"x",
        BODY.replace(b'"GTC"', b'"IOC"'),
        b'{"order":' * 100_000,
        BODY.replace(b'"owner":"', b'"owner":"\\ud800'),
        BODY.replace(b"479249096354", b"NaN"),
        BODY.replace(b"479249096354", b"9" * 5_000),
    ],
)
def test_a_body_that_is_no_order_is_refused_whatever_it_is(body: bytes) -> None:
    with pytest.raises(OrderMalformed, match=INVALID_ORDER):
        decode_order(body)
    with pytest.raises(OrderMalformed, match=INVALID_ORDER):
        read_batch(b"[" + body + b"]")


@pytest.mark.parametrize("body", [b"", b"{}", b"null", b"[1", b"7", b"[" * 100_000])
def test_a_batch_that_is_no_array_is_refused(body: bytes) -> None:
    with pytest.raises(OrderMalformed, match=INVALID_ORDER):
        read_batch(body)


def test_an_order_for_the_first_contracts_is_told_its_version() -> None:
    content = json.loads(without("timestamp", "metadata", "builder"))
    content["order"] |= {"taker": ORDER.maker, "nonce": "0", "feeRateBps": "0"}
    with pytest.raises(OrderMalformed, match=OTHER_VERSION):
        decode_order(compact(content))


ANSWER = SendOrderAnswer(order_id="0x12", status="live", success=True)


@pytest.mark.fidelity(
    "Amounts of an answer are decimals",
    area="Orders",
    evidence="field report",
    source="SendOrderResponse as the SDK and builder trades have it",
)
def test_an_answer_is_written_in_the_venues_key_order() -> None:
    assert msgspec.json.encode(ANSWER) == (
        b'{"errorMsg":"","orderID":"0x12","takingAmount":"","makingAmount":"","status":"live",'
        b'"transactionsHashes":[],"tradeIDs":[],"success":true}'
    )


@pytest.mark.parametrize(
    ("answer", "accepted"),
    [
        (ANSWER, True),
        (replace(ANSWER, status="matched", making_amount="5.2", taking_amount="10", trade_ids=["t1"]), True),
        (replace(ANSWER, status="delayed"), True),
        (replace(ANSWER, error_msg="invalid expiration", order_id=""), False),
        (replace(ANSWER, success=False), False),
        (replace(ANSWER, order_id=""), False),
    ],
)
def test_an_answer_is_taken_as_the_official_client_takes_it(answer: SendOrderAnswer, accepted: bool) -> None:
    body = msgspec.json.encode(answer)
    official = normalize_order_response(RawOrderResponse.parse_response(json.loads(body)))
    read_back = decode_answer(body)
    assert read_back == answer and decode_answers(b"[" + body + b"]") == [answer]
    assert read_back.accepted is accepted is isinstance(official, AcceptedOrder)
    if isinstance(official, AcceptedOrder):
        making_micro, taking_micro = matched_micro(read_back)
        assert official.making_amount * 1_000_000 == making_micro
        assert official.taking_amount * 1_000_000 == taking_micro


def test_an_answer_may_leave_out_or_void_its_lists() -> None:
    answer = decode_answer(b'{"orderID":"0x12","status":"live","success":true,"tradeIDs":null}')
    assert answer.accepted and matched_micro(answer) == (0, 0) and not answer.trade_ids


@pytest.mark.parametrize("body", [b"", b"{", b"{}", b"<html>", b'{"error":"not found"}', b"[" * 100_000, b"\xff"])
def test_an_answer_that_cannot_be_read_is_never_taken_for_a_refusal(body: bytes) -> None:
    for decode in (decode_answer, decode_answers, decode_open_order, decode_open_orders, decode_trades, decode_cancels):
        with pytest.raises(MalformedMessage, match="not as documented"):
            decode(body)


MARKET = "0x" + "ab" * 32
OPEN_ORDER = OpenOrderMessage(
    id=order_id(ORDER, STANDARD_EXCHANGE),
    status="LIVE",
    owner=OWNER,
    maker_address=ORDER.maker,
    market=MARKET,
    asset_id=str(ORDER.token_id),
    side=Side.BUY,
    original_size="10",
    size_matched="2.5",
    price="0.52",
    outcome="Yes",
    expiration="1790000000",
    order_type="GTD",
    associate_trades=["t1"],
    created_at=1_777_824_065,
)
TRADE = TradeMessage(
    id="83b5c849-620e-4c23-b63b-2e779c04a6e7",
    taker_order_id="0x" + "01" * 32,
    market=MARKET,
    asset_id=str(ORDER.token_id),
    side=Side.BUY,
    size="2.5",
    fee_rate_bps="0",
    price="0.52",
    status="TRADE_STATUS_MINED",
    match_time="1777824066",
    last_update="1777824067",
    outcome="Yes",
    bucket_index=0,
    owner=OWNER,
    maker_address=ORDER.maker,
    transaction_hash="0x" + "02" * 32,
    maker_orders=[MakerOrderMessage(OPEN_ORDER.id, OWNER, ORDER.maker, "2.5", "0.48", "0", "123", "No", side=Side.BUY)],
    trader_side="TAKER",
)


@pytest.mark.fidelity("Open orders are as the SDK reads them", area="Account", evidence="official client")
def test_an_open_order_is_read_by_the_official_client_as_by_ours() -> None:
    body = msgspec.json.encode(OPEN_ORDER)
    official = OpenOrder.parse_response(json.loads(body))
    assert decode_open_order(body) == OPEN_ORDER
    assert (official.id, official.status, official.side) == (OPEN_ORDER.id, "LIVE", "BUY")
    assert (str(official.original_size), str(official.size_matched), str(official.price)) == ("10", "2.5", "0.52")
    assert official.expires_at is not None and official.expires_at.timestamp() == 1_790_000_000
    assert official.created_at.timestamp() == OPEN_ORDER.created_at
    page = PageMessage(100, 1, END_CURSOR, [OPEN_ORDER])
    assert decode_open_orders(msgspec.json.encode(page)) == page


@pytest.mark.fidelity("Trades are as the SDK reads them", area="Account", evidence="official client")
def test_a_trade_is_read_by_the_official_client_as_by_ours() -> None:
    body = msgspec.json.encode(TRADE)
    assert b"err_msg" not in body and b"match_time_nano" not in body and b"outcome_index" not in body
    official = ClobTrade.parse_response(json.loads(body))
    assert (official.status, official.transaction_hash) == (TRADE.plain_status, TRADE.transaction_hash)
    assert str(official.maker_orders[0].matched_amount) == "2.5" and official.matched_at.timestamp() == 1_777_824_066
    page = PageMessage(100, 1, END_CURSOR, [TRADE])
    assert decode_trades(msgspec.json.encode(page)) == page


@pytest.mark.parametrize("prefix", ["", "ORDER_STATUS_"])
def test_both_spellings_of_a_status_are_one(prefix: str) -> None:
    assert replace(OPEN_ORDER, status=f"{prefix}CANCELED").plain_status == "CANCELED"


@pytest.mark.fidelity("Trades that the venue sent are read whole", area="Account", evidence="recording")
@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_trades_that_the_venue_sent_are_read_whole(recorded_data: Path, number: int) -> None:
    sent = read(recorded_data, f"ws/user_trade{number}.json")
    page = {"limit": 100, "count": 1, "next_cursor": END_CURSOR, "data": [sent]}
    trade = decode_trades(json.dumps(page).encode()).data[0]
    written = msgspec.to_builtins(trade)
    assert {name: written[name] for name in written.keys() & sent.keys() - {"maker_orders"}} == {
        name: sent[name] for name in written.keys() & sent.keys() - {"maker_orders"}
    }
    assert len(trade.maker_orders) == len(sent["maker_orders"])
    for maker, given_maker in zip(trade.maker_orders, sent["maker_orders"], strict=True):
        assert msgspec.to_builtins(maker) == given_maker


@pytest.mark.parametrize("name", ["order_placement", "order_cancel"])
def test_orders_that_the_venue_sent_are_read_whole(recorded_data: Path, name: str) -> None:
    sent = read(recorded_data, f"ws/{name}.json")
    order = decode_open_order(json.dumps(sent).encode())
    assert (order.id, order.price, order.size_matched) == (sent["id"], sent["price"], sent["size_matched"])


def test_cancels_balances_and_keys_are_read_by_the_official_client_as_by_ours() -> None:
    cancels = CancelAnswer(["0x1"], {"0x2": "order already matched"})
    body = msgspec.json.encode(cancels)
    assert body == b'{"canceled":["0x1"],"not_canceled":{"0x2":"order already matched"}}'
    assert decode_cancels(body) == cancels
    official = CancelOrdersResponse.parse_response(json.loads(body))
    assert (list(official.canceled), official.not_canceled) == (cancels.canceled, cancels.not_canceled)
    balance = msgspec.json.encode(BalanceAllowanceMessage("1000000", {"0xSpender": str(2**256 - 1)}))
    parsed = BalanceAllowance.parse_response(json.loads(balance))
    assert (parsed.balance, parsed.allowances) == (1_000_000, {"0xSpender": 2**256 - 1})
    key = ApiKeyMessage("k", "s", "p")
    creds = ApiKeyCreds.parse_response(json.loads(msgspec.json.encode(key)))
    assert (creds.key, creds.secret, creds.passphrase) == ("k", "s", "p")
    assert repr(key) == "ApiKeyMessage(k)"


@pytest.mark.fidelity("Bodies of cancels are the clients' own", area="Cancels", evidence="official client")
def test_bodies_of_cancels_are_the_official_clients() -> None:
    assert msgspec.json.encode(CancelOrderBody("0x1")) == b'{"orderID":"0x1"}'
    assert msgspec.json.encode(CancelMarketBody(MARKET, "7")) == compact({"market": MARKET, "asset_id": "7"})
    assert msgspec.json.encode(CancelMarketBody(asset_id="7")) == b'{"asset_id":"7"}'


def test_an_error_says_only_what_it_has() -> None:
    assert msgspec.json.encode(ErrorMessage("invalid signature")) == b'{"error":"invalid signature"}'
    full = ErrorMessage("post-only mode", "post_only_mode", 79)
    assert decode_error(msgspec.json.encode(full)) == full


@pytest.mark.parametrize("body", [b"<html>\n<b>Just a moment</b>", b"", b"\xff\x00", b'{"error":7}', b"[" * 100_000])
def test_what_is_no_error_of_the_venue_becomes_a_line_of_text(body: bytes) -> None:
    error = decode_error(body)
    assert error.error.isprintable() and len(error.error) <= 200
    assert error.error[:6] == body[:6].decode("utf-8", "replace").replace("\x00", "?")
