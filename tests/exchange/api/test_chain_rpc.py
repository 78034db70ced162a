"""The practice chain over JSON-RPC: the calls that clients make, transactions of an own key, and everything that is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from eth_account import Account
from hypothesis import given
from hypothesis import strategies as st

from polymarket_kit.signing.contracts import (
    ADAPTERS,
    DOLLARS,
    NEGATIVE_RISK_ADAPTER,
    OLDER_NEGATIVE_RISK_ADAPTER,
    SHARES,
    STANDARD_ADAPTER,
)
from polymarket_kit.signing.eip712 import address_word, bytes32, checksum_address, keccak, uint256
from practice_exchange.chain import calldata
from practice_exchange.chain.calldata import MalformedData, Words, selector
from practice_exchange.chain.draft import balance_of
from practice_exchange.chain.raw_transaction import TransactionRefused, read_transaction
from practice_exchange.engine.accounts import COLLATERAL

from .chain_user import ChainUser, pair_data, redeem_data, split_data
from .trading_venue import quiet_market

STRANGER = checksum_address("0x" + "ab" * 20)
TEN = 10_000_000


@pytest.fixture
def user() -> ChainUser:
    return ChainUser()


def dollars(user: ChainUser, account_id: str = "") -> int:
    return balance_of(user.trading.venue_engine, account_id or user.wallet.funder, COLLATERAL)


def word(text: str) -> int:
    return int(text, 16)


@pytest.mark.fidelity(
    "The chain answers exactly the methods that the official clients call, and refuses others by name",
    area="Chain and relayer",
    evidence="official client",
    source="polymarket-client 0.14.0: its JSON-RPC client",
)
def test_methods(user: ChainUser) -> None:
    assert word(user.result("eth_chainId")) == 137
    assert word(user.result("eth_gasPrice")) > 0
    assert word(user.result("eth_getTransactionCount", user.wallet.address, "pending")) == 0
    before = word(user.result("eth_getBlockByNumber", "latest", False)["timestamp"])
    assert before == user.world.now_ms // 1000
    user.pass_time(30)
    assert word(user.result("eth_getBlockByNumber", "latest", False)["timestamp"]) == before + 30
    assert user.result("eth_getTransactionReceipt", "0x" + "00" * 32) is None
    for method in ("eth_getLogs", "eth_getBalance", "eth_getCode", "net_version", "debug_traceCall", ""):
        error = user.call(method)["error"]
        assert error["code"] == -32601 and method in error["message"]


def test_requests_that_are_none(user: ChainUser) -> None:
    def send(body: bytes, method: str = "POST") -> Any:
        return user.exchange.handle(method, "/rpc", "", body)

    codes = {b"": -32700, b"[": -32700, b"{}": -32600, b"7": -32600, b"[]": -32600, b'{"method":7}': -32600}
    for body, code in codes.items():
        assert json.loads(send(body).body)["error"]["code"] == code, body
    assert json.loads(send(b"[" * 50_000).body)["error"]["code"] == -32700
    assert json.loads(send(json.dumps([{"method": "eth_chainId"}] * 201).encode()).body)["error"]["code"] == -32600
    assert send(b"", "GET").status == 405
    bad = ("eth_getTransactionCount", "eth_call", "eth_estimateGas", "eth_sendRawTransaction", "eth_getBlockByNumber")
    for method in (*bad, "eth_getTransactionReceipt"):
        for params in ([], [7], [{"to": 7}], ["0x12"], [None]):
            answer = user.call(method, *params)
            assert answer.get("error", {}).get("code") in (-32602, -32000) or answer["result"] is None, (method, params)


def test_a_batch_is_answered_one_by_one(user: ChainUser) -> None:
    requests: list[dict[str, Any]] = [
        {"jsonrpc": "2.0", "id": number, "method": "eth_chainId", "params": []} for number in (3, 1)
    ]
    requests.append({"jsonrpc": "2.0", "id": 2, "method": "eth_mine", "params": []})
    answers = json.loads(user.exchange.handle("POST", "/rpc", "", json.dumps(requests).encode()).body)
    assert [(answer["id"], answer.get("result")) for answer in answers] == [(3, "0x89"), (1, "0x89"), (2, None)]


def test_balances_and_approvals_are_read(user: ChainUser) -> None:
    owner, market = user.wallet.address, user.market
    user.split(market, TEN)
    first, second = map(int, market.token_ids)

    def read(to: str, data: bytes) -> list[int]:
        raw = bytes.fromhex(user.result("eth_call", {"to": to, "data": f"0x{data.hex()}"}, "latest")[2:])
        return [int.from_bytes(raw[start : start + 32], "big") for start in range(0, len(raw), 32)]

    assert read(DOLLARS, calldata.ALLOWANCE + address_word(owner) + address_word(STANDARD_ADAPTER)) == [2**256 - 1]
    assert read(DOLLARS, calldata.ALLOWANCE + address_word(STRANGER) + address_word(STANDARD_ADAPTER)) == [0]
    assert read(SHARES, calldata.IS_APPROVED + address_word(owner) + address_word(STANDARD_ADAPTER)) == [1]
    assert read(SHARES, calldata.IS_APPROVED + address_word(STRANGER) + address_word(STANDARD_ADAPTER)) == [0]
    assert read(SHARES, calldata.BALANCE + address_word(owner) + uint256(first)) == [TEN]
    owners, tokens = (uint256(2), *[address_word(owner)] * 2), (uint256(2), uint256(first), uint256(second))
    batch = calldata.BALANCES + b"".join((uint256(64), uint256(64 + 96), *owners, *tokens))
    assert read(OLDER_NEGATIVE_RISK_ADAPTER, batch) == read(SHARES, batch) == [32, 2, TEN, TEN]
    for to, data in ((DOLLARS, b"abcd"), (STRANGER, calldata.ALLOWANCE), (SHARES, calldata.BALANCES + uint256(2**255))):
        error = user.call("eth_call", {"to": to, "data": f"0x{data.hex()}"}, "latest")["error"]
        assert error["code"] == 3 and "execution reverted" in error["message"]


@pytest.mark.fidelity(
    "A transaction of an own key is taken once, in the order of its nonces, for this chain alone",
    area="Chain and relayer",
    evidence="specification",
    source="EIP-155; error texts as public nodes give them",
)
def test_transactions_are_taken_in_order(user: ChainUser) -> None:
    market = user.market
    data = split_data(market.condition_id, TEN)
    raw = user.sign(STANDARD_ADAPTER, data)
    named = user.result("eth_sendRawTransaction", raw)
    assert named == f"0x{keccak(bytes.fromhex(raw[2:])).hex()}"
    receipt = user.result("eth_getTransactionReceipt", named)
    assert receipt["status"] == "0x1" and receipt["from"] == user.wallet.address and receipt["to"] == STANDARD_ADAPTER
    assert user.call("eth_sendRawTransaction", raw)["error"]["message"] == "already known"
    low = user.transact(STANDARD_ADAPTER, data, nonce=0, gas=7)
    assert low["error"]["message"] == "nonce too low: next nonce 1, tx nonce 0"
    assert "nonce too high" in user.transact(STANDARD_ADAPTER, data, nonce=5)["error"]["message"]
    assert "not signed for chain 137" in user.transact(STANDARD_ADAPTER, data, chainId=1)["error"]["message"]
    typed = {"maxFeePerGas": 10**9, "maxPriorityFeePerGas": 1, "gas": 9, "to": STANDARD_ADAPTER, "data": data}
    signed = Account.from_key(user.wallet.private_key).sign_transaction(
        typed | {"nonce": 1, "value": 0, "chainId": 137}
    )
    assert "type not supported" in user.call("eth_sendRawTransaction", signed.raw_transaction.hex())["error"]["message"]
    assert dollars(user) == 10_000_000_000 - TEN
    assert word(user.result("eth_getTransactionCount", user.wallet.address, "latest")) == 1


def test_a_changed_transaction_is_somebody_elses(user: ChainUser) -> None:
    """A flipped bit in what was signed makes another sender of it, who has nothing here."""
    raw = bytearray.fromhex(user.sign(STANDARD_ADAPTER, split_data(user.market.condition_id, TEN))[2:])
    raw[-80] ^= 1
    assert "error" in user.call("eth_sendRawTransaction", f"0x{raw.hex()}")
    assert dollars(user) == 10_000_000_000


@given(st.binary(max_size=300))
def test_no_bytes_break_the_reader_of_transactions(raw: bytes) -> None:
    with pytest.raises(TransactionRefused):
        read_transaction(f"0x{raw.hex()}", 137)


@given(st.binary(max_size=400), st.sampled_from([calldata.MULTISEND, calldata.PROXY]))
def test_no_bytes_break_the_readers_of_batches(data: bytes, function: bytes) -> None:
    reader = calldata.multisend_calls if function == calldata.MULTISEND else calldata.proxy_calls
    with suppress(calldata.CallRefused):
        assert all(call.to for call in reader(function + data))
    with pytest.raises(MalformedData):
        Words(data).number(len(data) // 32)


REVERTS: dict[str, tuple[Callable[[ChainUser], tuple[str, bytes]], str]] = {
    "more dollars than there are": (lambda user: (STANDARD_ADAPTER, split_of(user, 10**14)), "exceeds balance"),
    "nothing": (lambda user: (STANDARD_ADAPTER, split_of(user, 0)), "above zero"),
    "more shares than there are": (
        lambda user: (STANDARD_ADAPTER, split_data(user.market.condition_id, 1, calldata.MERGE)),
        "subtraction overflow",
    ),
    "no result yet": (lambda user: (STANDARD_ADAPTER, redeem_data(user.market.condition_id)), "not received yet"),
    "no such market": (lambda user: (STANDARD_ADAPTER, split_data("0x" + "12" * 32, TEN)), "not prepared yet"),
    "the other adapter": (lambda user: (NEGATIVE_RISK_ADAPTER, split_of(user, TEN)), "not the one of this market"),
    "other collateral": (
        lambda user: (STANDARD_ADAPTER, split_of(user, TEN).replace(address_word(DOLLARS), address_word(STRANGER))),
        "pUSD",
    ),
    "other partition": (lambda user: (STANDARD_ADAPTER, split_of(user, TEN)[:-32] + uint256(3)), "partition"),
    "data too short": (lambda user: (STANDARD_ADAPTER, split_of(user, TEN)[:-32]), "ends too early"),
    "no such function": (lambda user: (DOLLARS, selector("mint(uint256)") + uint256(1)), "has no function"),
    "no such contract": (lambda user: (STRANGER, b""), "no contract at"),
    "no address": (lambda user: (DOLLARS, calldata.APPROVE + uint256(2**255) + uint256(1)), "more than 20 bytes"),
    "no truth value": (lambda user: (SHARES, pair_data(calldata.APPROVE_ALL, STRANGER, 2)), "neither 0 nor 1"),
    "conversion of no event": (
        lambda user: (NEGATIVE_RISK_ADAPTER, calldata.CONVERT + bytes(32) + uint256(1) + uint256(TEN)),
        "cannot be converted",
    ),
    "a list without end": (
        lambda user: (STANDARD_ADAPTER, split_of(user, TEN)[:-96] + uint256(2**200) + bytes(64)),
        "points beyond",
    ),
}


def split_of(user: ChainUser, amount_micro: int) -> bytes:
    return split_data(user.market.condition_id, amount_micro)


@pytest.mark.fidelity(
    "What would revert is told with its reason by the gas estimate, is not taken, and changes nothing",
    area="Chain and relayer",
    evidence="assumed",
    source="reasons of the public contracts where known; a real chain would mine the failure",
)
@pytest.mark.parametrize("name", REVERTS)
def test_what_reverts_is_told(user: ChainUser, name: str) -> None:
    make, reason = REVERTS[name]
    to, data = make(user)
    estimate = {"from": user.wallet.address, "to": to, "data": f"0x{data.hex()}", "value": "0x0"}
    for answer in (user.call("eth_estimateGas", estimate), user.transact(to, data)):
        assert answer["error"]["code"] == 3 and answer["error"]["message"].startswith("execution reverted")
        assert reason in answer["error"]["message"]
    assert word(user.result("eth_getTransactionCount", user.wallet.address, "pending")) == 0
    assert dollars(user) == 10_000_000_000 and user.told("/activity") == user.told("/positions") == []
    with_value = user.call("eth_estimateGas", estimate | {"to": DOLLARS, "value": "0x1"})
    assert "takes no native money" in with_value["error"]["message"]


def test_who_has_not_approved_cannot_split_or_merge(user: ChainUser) -> None:
    market = user.market
    adapter = ADAPTERS[market.negative_risk]
    user.split(market, TEN)
    assert "error" not in user.transact(DOLLARS, pair_data(calldata.APPROVE, adapter, 3))
    assert "insufficient allowance" in user.split(market, 4)["error"]["message"]
    assert "error" not in user.split(market, 3)
    assert "error" not in user.transact(SHARES, pair_data(calldata.APPROVE_ALL, adapter, 0))
    assert "need operator approval" in user.merge(market, TEN)["error"]["message"]


@pytest.mark.fidelity(
    "Money that is moved away takes the orders that relied on it along",
    area="Chain and relayer",
    evidence="assumed",
    source="",
)
def test_money_moved_away_cancels_orders(user: ChainUser) -> None:
    placed = user.post(user.order(2, 1_000))[1]
    assert placed["status"] == "live"
    rest = dollars(user) - 5_000_000
    assert "error" not in user.transact(DOLLARS, pair_data(calldata.TRANSFER, STRANGER, rest))
    assert user.send("GET", "/data/orders")[1]["data"] == []
    assert (dollars(user), dollars(user, STRANGER)) == (5_000_000, rest)


@pytest.mark.fidelity(
    "Converted NO pay as the whole event does: the resolution leaves nobody richer than the winner",
    area="Chain and relayer",
    evidence="assumed",
    source="",
)
def test_conversions_survive_the_resolution(user: ChainUser) -> None:
    market = quiet_market(user.world, negative_risk=True)
    event = user.world.register.events[market.event_number]
    for each in event.markets:
        assert "error" not in user.split(each, TEN)
    spent = len(event.markets) * TEN
    data = calldata.CONVERT + bytes32(event.negative_risk_market_id) + uint256(0b111) + uint256(TEN)
    assert "error" not in user.transact(NEGATIVE_RISK_ADAPTER, data)
    assert dollars(user) == 10_000_000_000 - spent + 2 * TEN
    user.pass_time((event.end_ms - user.world.now_ms) // 1000 + 40 * 86_400)
    assert all(each.closed for each in event.markets)
    for each in event.markets:
        assert "error" not in user.redeem(each)
    # Three NO became two dollars each and YES of all others; every set is worth a dollar in the end.
    winners = [each for each in event.markets if each.payouts_micro[0]]
    assert len(winners) == 1
    assert dollars(user) == 10_000_000_000
    realized = sum(row["realizedPnl"] for row in user.told("/closed-positions", "limit=50"))
    assert realized == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("deposit", {}),
        ("deposit", {"address": "0x12", "usd": 1}),
        ("deposit", {"address": STRANGER, "usd": 0}),
        ("deposit", {"address": STRANGER, "usd": -5}),
        ("deposit", {"address": STRANGER, "usd": 1e300}),
        ("deposit", {"address": STRANGER, "usd": 1e-9}),
        ("deposit", {"address": STRANGER, "usd": "much"}),
        ("deposit", {"address": STRANGER, "usd": 5, "cents": 3}),
        ("withdraw", {"address": STRANGER, "usd": 5}),
        ("relayer-key", {"address": "me"}),
    ],
)
def test_controls_of_money_refuse_nonsense(user: ChainUser, name: str, content: dict[str, object]) -> None:
    status, body = user.control(name, **content)
    assert status == 422 and body["error"]


def test_play_money_comes_and_goes(user: ChainUser) -> None:
    status, told = user.control("deposit", address=STRANGER, usd=12.345678)
    assert status == 200 and told["balance_usd"] == 12.345678
    owner = told["address"]
    assert user.control("withdraw", address=owner, usd=20)[0] == 422
    assert user.control("withdraw", address=owner, usd=12)[1]["balance_usd"] == 0.345678
    assert user.trading.approvals.allowance(owner, STANDARD_ADAPTER) == 0
    assert user.control("deposit", address=owner, usd=1, approve=True)[0] == 200
    assert user.trading.approvals.allowance(owner, STANDARD_ADAPTER) == 2**256 - 1
