"""Order ids and signatures are the official clients' byte for byte, for every wallet and contract; any change shows."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from polymarket._internal.protocol import is_v2_position_id

from polymarket_kit.model import Side
from polymarket_kit.signing.eip712 import SignatureInvalid, SigningKey, signature_bytes
from polymarket_kit.signing.order_signing import (
    AMOY,
    EXCHANGES,
    NEGATIVE_RISK_EXCHANGE,
    OUTCOME_EXCHANGE,
    STANDARD_EXCHANGE,
    WRAPPED_LENGTH,
    ContractOrder,
    ExchangeContract,
    SignatureType,
    contract_for,
    order_digest,
    order_id,
    order_salt,
    order_struct_hash,
    recover_order_signer,
    sign_order,
    verify_order,
)
from tests.kit.official import (
    CONTRACTS,
    GROUP_ORDER,
    TEST_ADDRESS,
    TEST_KEY,
    TOKEN_ID,
    first_client_hash_and_signature,
    second_client_signature,
    signed_cases,
)

WALLET = "0x1111111111111111111111111111111111111111"
OTHER = "0x2222222222222222222222222222222222222222"
KEY = SigningKey(TEST_KEY)
ORDER = ContractOrder(
    salt=479249096354,
    maker=TEST_ADDRESS,
    signer=TEST_ADDRESS,
    token_id=TOKEN_ID,
    maker_amount_micro=5_200_000,
    taker_amount_micro=10_000_000,
    side=Side.BUY,
    signature_type=SignatureType.EOA,
    timestamp_ms=1_777_824_065_000,
)
BY_TYPE = {
    SignatureType.EOA: ORDER,
    SignatureType.PROXY: replace(ORDER, maker=WALLET, signature_type=SignatureType.PROXY),
    SignatureType.SAFE: replace(ORDER, maker=WALLET, signature_type=SignatureType.SAFE),
    SignatureType.DEPOSIT_WALLET: replace(
        ORDER, maker=WALLET, signer=WALLET, signature_type=SignatureType.DEPOSIT_WALLET
    ),
}


@pytest.mark.fidelity(
    "A known order has its known id and signature, for both exchange contracts",
    area="Signatures",
    evidence="official client",
    source="py-clob-client-v2 1.2.1",
)
@pytest.mark.parametrize(
    ("contract", "expected_id", "expected_signature"),
    [
        (
            STANDARD_EXCHANGE,
            "0xe4dd0af45ef19a5e892139328dbee9bf2544e863a49cbe48be066e2099c60bf5",
            "0x3cdf9f9224f1081fcfcdcd3d3f1d650edbca0a320b4b8f84ffde904a0afae820"
            "682bf08d67045555f5de15a55062954610ceccb3463624a1a03151b40e7d11541b",
        ),
        (
            NEGATIVE_RISK_EXCHANGE,
            "0x77f734fae7ece1009ac06e6fc8b351248b750bf52fb73cc43eda649421e3777d",
            "0xeb708b688d53349c518ed8c154fd2ca7a3ecf185bf8eb9a94f8aee405287adc6"
            "3bdb4baee3e65afb70184c5be7dc899ef0802291a22eb12d32847f2c5b3e3d871c",
        ),
    ],
)
def test_the_known_order_has_its_known_id_and_signature(
    contract: ExchangeContract, expected_id: str, expected_signature: str
) -> None:
    assert order_id(ORDER, contract) == expected_id
    assert sign_order(ORDER, contract, KEY) == expected_signature
    assert recover_order_signer(ORDER, expected_signature, contract) == TEST_ADDRESS


@pytest.mark.fidelity(
    "Order ids and plain EIP-712 signatures are those of the clients, for any order",
    area="Signatures",
    evidence="official client",
    source="both official clients",
)
@settings(deadline=None, max_examples=80)
@given(signed_cases())
def test_id_and_signature_are_those_of_both_official_clients(case: tuple[ContractOrder, ExchangeContract, str]) -> None:
    order, contract, private_key = case
    key = SigningKey(private_key)
    signature = sign_order(order, contract, key)
    assert (order_id(order, contract), signature) == first_client_hash_and_signature(order, contract, private_key)
    assert signature == second_client_signature(order, contract, private_key)
    verify_order(order, signature, contract, key.address)
    assert sign_order(order, contract, SigningKey(private_key)) == signature


@pytest.mark.fidelity(
    "Types 0, 1 and 2 are signed plainly by the owner, type 3 is wrapped (ERC-7739), for every exchange contract",
    area="Signatures",
    evidence="official client",
    source="both official clients",
)
@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: f"{contract.chain_id}-{contract.address[:6]}")
@pytest.mark.parametrize("kind", SignatureType, ids=lambda kind: kind.name)
def test_every_wallet_signs_for_every_contract_as_the_official_clients_do(
    kind: SignatureType, contract: ExchangeContract
) -> None:
    order = BY_TYPE[kind]
    signature = sign_order(order, contract, KEY)
    assert (order_id(order, contract), signature) == first_client_hash_and_signature(order, contract, TEST_KEY)
    assert signature == second_client_signature(order, contract, TEST_KEY)
    verify_order(order, signature, contract, TEST_ADDRESS.lower())
    assert len(signature_bytes(signature)) == (WRAPPED_LENGTH if kind is SignatureType.DEPOSIT_WALLET else 65)


CHANGES: dict[str, Callable[[ContractOrder], ContractOrder]] = {
    "salt": lambda order: replace(order, salt=order.salt + 1),
    "maker": lambda order: replace(order, maker=OTHER),
    "signer": lambda order: replace(order, signer=OTHER),
    "token_id": lambda order: replace(order, token_id=order.token_id ^ 1),
    "maker_amount": lambda order: replace(order, maker_amount_micro=order.maker_amount_micro - 1),
    "taker_amount": lambda order: replace(order, taker_amount_micro=order.taker_amount_micro + 1),
    "side": lambda order: replace(order, side=Side.SELL),
    "signature_type": lambda order: replace(order, signature_type=SignatureType(order.signature_type ^ 1)),
    "timestamp": lambda order: replace(order, timestamp_ms=order.timestamp_ms + 1),
    "metadata": lambda order: replace(order, metadata="0x" + "00" * 31 + "01"),
    "builder": lambda order: replace(order, builder="0x01" + "00" * 31),
}


@pytest.mark.fidelity(
    "Every signed field is under the id and the signature",
    area="Signatures",
    evidence="specification",
    source="EIP-712 order of the second contracts",
)
@pytest.mark.parametrize("kind", SignatureType, ids=lambda kind: kind.name)
@pytest.mark.parametrize("field", CHANGES)
def test_a_changed_field_changes_the_id_and_breaks_the_signature(field: str, kind: SignatureType) -> None:
    order = BY_TYPE[kind]
    signature = sign_order(order, STANDARD_EXCHANGE, KEY)
    changed = CHANGES[field](order)
    assert order_digest(changed, STANDARD_EXCHANGE) != order_digest(order, STANDARD_EXCHANGE)
    with pytest.raises(SignatureInvalid):
        verify_order(changed, signature, STANDARD_EXCHANGE, TEST_ADDRESS)
    try:
        signed_by = recover_order_signer(changed, signature, STANDARD_EXCHANGE)
    except SignatureInvalid:
        return
    assert signed_by != TEST_ADDRESS


@pytest.mark.fidelity(
    "A signature is good for one exchange contract on one chain",
    area="Signatures",
    evidence="specification",
    source="EIP-712 domain",
)
@pytest.mark.parametrize("kind", SignatureType, ids=lambda kind: kind.name)
def test_a_signature_holds_for_one_contract_and_one_chain_alone(kind: SignatureType) -> None:
    order = BY_TYPE[kind]
    for contract in CONTRACTS:
        signature = sign_order(order, contract, KEY)
        for other in CONTRACTS:
            if other != contract:
                assert order_id(order, other) != order_id(order, contract)
                with pytest.raises(SignatureInvalid):
                    verify_order(order, signature, other, TEST_ADDRESS)


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(SignatureType), st.data())
def test_no_changed_byte_of_a_signature_passes(kind: SignatureType, data: st.DataObject) -> None:
    order = BY_TYPE[kind]
    raw = bytearray(signature_bytes(sign_order(order, STANDARD_EXCHANGE, KEY)))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(SignatureInvalid):
        verify_order(order, f"0x{raw.hex()}", STANDARD_EXCHANGE, TEST_ADDRESS)


@pytest.mark.parametrize("kind", SignatureType, ids=lambda kind: kind.name)
def test_another_owner_is_told_apart(kind: SignatureType) -> None:
    order, thief = BY_TYPE[kind], SigningKey("0x" + "42" * 32)
    signature = sign_order(order, STANDARD_EXCHANGE, KEY)
    with pytest.raises(SignatureInvalid):
        verify_order(order, signature, STANDARD_EXCHANGE, thief.address)
    if kind is SignatureType.DEPOSIT_WALLET:
        # Anyone can wrap a signature around someone else's wallet: it is the owner's address that decides.
        forged = sign_order(order, STANDARD_EXCHANGE, thief)
        assert recover_order_signer(order, forged, STANDARD_EXCHANGE) == thief.address
        with pytest.raises(SignatureInvalid, match="would have signed"):
            verify_order(order, forged, STANDARD_EXCHANGE, TEST_ADDRESS)
    else:
        with pytest.raises(ValueError, match="as its signer"):
            sign_order(order, STANDARD_EXCHANGE, thief)


@pytest.mark.fidelity(
    "Maker and signer are the same for types 0 and 3",
    area="Signatures",
    evidence="specification",
    source="signature types",
)
@pytest.mark.parametrize("kind", [SignatureType.EOA, SignatureType.DEPOSIT_WALLET], ids=lambda kind: kind.name)
def test_maker_and_signer_that_must_be_one_are_one(kind: SignatureType) -> None:
    order = BY_TYPE[kind]
    signature = sign_order(order, STANDARD_EXCHANGE, KEY)
    changed = replace(order, maker=OTHER)
    with pytest.raises(ValueError, match="maker and signer"):
        sign_order(changed, STANDARD_EXCHANGE, KEY)
    with pytest.raises(SignatureInvalid, match="maker and signer"):
        verify_order(changed, signature, STANDARD_EXCHANGE, TEST_ADDRESS)


def high_s(raw: bytes) -> bytes:
    """The other signature that the curve accepts for the same digest: who takes both can be sent one order twice."""
    s = GROUP_ORDER - int.from_bytes(raw[32:64], "big")
    return raw[:32] + s.to_bytes(32, "big") + bytes((27 + 28 - raw[64],))


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (high_s, "lower of its two s"),
        (lambda raw: raw[:64] + bytes((raw[64] - 27,)), "27 or 28"),
        (lambda raw: raw[:64] + b"\x1d", "27 or 28"),
        (lambda raw: raw[:64], "65 bytes"),
        (lambda raw: raw + b"\x00", "65 bytes"),
        (lambda raw: bytes(64) + b"\x1b", "no key"),
        (lambda raw: b"\xff" * 32 + raw[32:], "no key"),
    ],
)
def test_what_the_contracts_refuse_is_refused(broken: Callable[[bytes], bytes], reason: str) -> None:
    raw = signature_bytes(sign_order(ORDER, STANDARD_EXCHANGE, KEY))
    with pytest.raises(SignatureInvalid, match=reason):
        recover_order_signer(ORDER, f"0x{broken(raw).hex()}", STANDARD_EXCHANGE)


@pytest.mark.parametrize("text", ["", "0x", "0x0", "ab" * 65, "0x" + "zz" * 65, "0x" + "12 " * 65, "0x" + "١" * 130])
def test_text_that_is_no_signature_is_refused(text: str) -> None:
    with pytest.raises(SignatureInvalid):
        recover_order_signer(ORDER, text, STANDARD_EXCHANGE)


@pytest.mark.fidelity(
    "Each part of a deposit wallet's wrapped signature is checked",
    area="Signatures",
    evidence="specification",
    source="deposit wallets",
)
@pytest.mark.parametrize(
    ("part", "reason"),
    [
        (slice(65, 97), "another exchange contract"),
        (slice(97, 129), "another order"),
        (slice(129, -2), "another type"),
        (slice(-2, None), "another type"),
    ],
)
def test_each_part_of_a_wrapped_signature_is_checked(part: slice, reason: str) -> None:
    order = BY_TYPE[SignatureType.DEPOSIT_WALLET]
    raw = bytearray(signature_bytes(sign_order(order, STANDARD_EXCHANGE, KEY)))
    assert bytes(raw[65:97]) == STANDARD_EXCHANGE.separator
    assert bytes(raw[97:129]) == order_struct_hash(order)
    raw[part] = bytes(len(raw[part]))
    with pytest.raises(SignatureInvalid, match=reason):
        recover_order_signer(order, f"0x{raw.hex()}", STANDARD_EXCHANGE)


def test_a_plain_signature_does_not_pass_for_a_wrapped_one_nor_the_reverse() -> None:
    plain, wrapped = BY_TYPE[SignatureType.SAFE], BY_TYPE[SignatureType.DEPOSIT_WALLET]
    with pytest.raises(SignatureInvalid, match=f"{WRAPPED_LENGTH} bytes"):
        recover_order_signer(wrapped, sign_order(plain, STANDARD_EXCHANGE, KEY), STANDARD_EXCHANGE)
    with pytest.raises(SignatureInvalid, match="65 bytes"):
        recover_order_signer(plain, sign_order(wrapped, STANDARD_EXCHANGE, KEY), STANDARD_EXCHANGE)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"salt": -1}, "256 bits"),
        ({"maker_amount_micro": 2**256}, "256 bits"),
        ({"maker": "0x12"}, "address"),
        ({"signer": "f39Fd6e51aad88F6F4ce6aB8827279cffFb92266"}, "address"),
        ({"metadata": "0x1"}, "64 hexadecimal"),
        ({"builder": ""}, "64 hexadecimal"),
    ],
)
def test_a_field_out_of_range_is_said_and_never_hashed(change: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        sign_order(replace(ORDER, **change), STANDARD_EXCHANGE, KEY)


def test_each_order_goes_to_its_own_contract() -> None:
    assert contract_for(TOKEN_ID, negative_risk=False) is STANDARD_EXCHANGE
    assert contract_for(TOKEN_ID, negative_risk=True) is NEGATIVE_RISK_EXCHANGE
    position = (1 << 248) | (0xABCDEF << 104) | 1
    assert contract_for(position, negative_risk=False) is OUTCOME_EXCHANGE
    assert contract_for(position, negative_risk=True) is OUTCOME_EXCHANGE
    assert contract_for(position, negative_risk=False, chain_id=AMOY) is EXCHANGES[AMOY][2]
    with pytest.raises(ValueError, match="not on 1"):
        contract_for(TOKEN_ID, negative_risk=False, chain_id=1)


@pytest.mark.fidelity(
    "Position ids of the next protocol go to the exchange of version 3",
    area="Signatures",
    evidence="official client",
    source="polymarket-client 0.14.0",
)
@settings(deadline=None)
@given(st.integers(0, 2**256 - 1), st.booleans())
def test_positions_of_the_second_protocol_are_told_apart_as_the_official_client_does(
    token_id: int, cleared: bool
) -> None:
    token_id = token_id & ~(((1 << 64) - 1) << 40) if cleared else token_id
    assert (contract_for(token_id, False) is OUTCOME_EXCHANGE) == is_v2_position_id(str(token_id))


SECRET = b"an install secret of one computer"


def test_the_salt_is_the_low_bits_of_an_hmac_over_intent_and_attempt() -> None:
    digest = hmac.new(SECRET, b"intent-7" + b"\x00\x00\x00\x01", hashlib.sha256).hexdigest()
    assert order_salt(SECRET, "intent-7", 1) == int(digest[-13:], 16)


@settings(deadline=None)
@given(st.binary(min_size=16), st.text(st.characters(codec="utf-8")), st.integers(0, 2**32 - 1))
def test_a_salt_survives_json_readers_that_know_only_doubles(secret: bytes, intent_id: str, attempt: int) -> None:
    salt = order_salt(secret, intent_id, attempt)
    assert 0 <= salt < 2**52 and int(float(salt)) == salt


def test_attempts_intents_and_installs_have_salts_of_their_own() -> None:
    pairs = [("a", 0), ("a", 1), ("a1", 0), ("b", 0), ("a", 11), ("a1", 1)]
    salts = {order_salt(secret, *pair) for pair in pairs for secret in (SECRET, SECRET + b"2")}
    assert len(salts) == 2 * len(pairs)


@pytest.mark.parametrize(("secret", "attempt"), [(b"short", 0), (SECRET, -1), (SECRET, 2**32)])
def test_a_weak_secret_and_an_impossible_attempt_are_refused(secret: bytes, attempt: int) -> None:
    with pytest.raises(ValueError):
        order_salt(secret, "intent-7", attempt)
