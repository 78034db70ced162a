"""Both log-ins are the official clients' byte for byte; nothing that was changed on its way gets in; secrets stay unseen."""

from __future__ import annotations

import json
import uuid
from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest
from eth_account import Account
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from polymarket._internal.hmac import build_hmac_signature as second_client_hmac
from polymarket._internal.l1_auth import sign_api_key_auth
from py_clob_client_v2.clob_types import ApiCreds, RequestArgs
from py_clob_client_v2.headers.headers import create_level_1_headers, create_level_2_headers
from py_clob_client_v2.signer import Signer

from polymarket_kit.signing.auth import (
    L1_REFUSED,
    L2_REFUSED,
    ApiCredentials,
    NotAuthenticated,
    WalletClaim,
    derive_credentials,
    l1_headers,
    l2_headers,
    l2_signature,
    read_l1,
    read_l2,
    secret_bytes,
    verify_l2,
)
from polymarket_kit.signing.eip712 import SigningKey
from tests.kit.official import TEST_ADDRESS, TEST_KEY, private_keys, uint256s

KEY = SigningKey(TEST_KEY)
SERVER_SECRET = b"what a practice exchange keeps for itself"
CREDENTIALS = derive_credentials(SERVER_SECRET, TEST_ADDRESS, 0)
NOW_S = 1_700_000_000
BODY = b'{"order":{"salt":1},"owner":"key"}'

# Header values as a server gets them: Latin-1 text, no line ends.
header_values = st.text(st.characters(max_codepoint=255, exclude_categories=["Cc"]), max_size=80)


def received(headers: dict[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


@pytest.mark.fidelity(
    "A known L1 claim has its known signature",
    area="Log-in",
    evidence="official client",
    source="py-clob-client-v2 1.2.1",
)
def test_the_known_claim_has_its_known_signature() -> None:
    headers = l1_headers(KEY, NOW_S, chain_id=137)
    assert headers["POLY_SIGNATURE"] == (
        "0x659ed4b28ae28e0f038fdf0023c00863c9559caacb9ebc83f44eea87059a099a"
        "36f1e1dee110e7faa1c4f65d17489b2da1333ebef78bbe2116d81207b975052d1c"
    )
    assert read_l1(received(headers), 137) == WalletClaim(TEST_ADDRESS, NOW_S, 0)


@pytest.mark.fidelity(
    "L1 claims are signed as the clients sign them",
    area="Log-in",
    evidence="official client",
    source="both official clients",
)
@settings(deadline=None, max_examples=40)
@given(private_keys, st.integers(0, 10**12), uint256s, st.sampled_from([137, 80_002, 31_337]))
def test_a_claim_is_that_of_both_official_clients(private_key: str, time_s: int, nonce: int, chain_id: int) -> None:
    headers = l1_headers(SigningKey(private_key), time_s, nonce, chain_id=chain_id)
    assert headers == create_level_1_headers(Signer(private_key, chain_id), nonce, time_s)
    account = Account.from_key(private_key)
    second = sign_api_key_auth(account, chain_id=chain_id, timestamp=time_s, nonce=nonce)
    assert (headers["POLY_ADDRESS"], headers["POLY_SIGNATURE"]) == (second.address, second.signature)
    assert read_l1(received(headers), chain_id) == WalletClaim(account.address, time_s, nonce)


CLAIM = received(l1_headers(KEY, NOW_S, 3, chain_id=137))


def test_an_address_in_any_case_is_the_same_claim() -> None:
    lower = {**CLAIM, "poly_address": TEST_ADDRESS.lower()}
    assert read_l1(lower, 137) == read_l1(CLAIM, 137) == WalletClaim(TEST_ADDRESS, NOW_S, 3)


def test_a_claim_without_a_nonce_is_for_the_first_key() -> None:
    headers = received(l1_headers(KEY, NOW_S, chain_id=137))
    del headers["poly_nonce"]
    assert read_l1(headers, 137).nonce == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("poly_address", "0x1111111111111111111111111111111111111111"),
        ("poly_address", "nobody"),
        ("poly_address", ""),
        ("poly_timestamp", str(NOW_S + 1)),
        ("poly_timestamp", f"0{NOW_S}"),
        ("poly_timestamp", f"+{NOW_S}"),
        ("poly_timestamp", "١٧"),
        ("poly_timestamp", ""),
        ("poly_timestamp", "9" * 5_000),
        ("poly_nonce", "4"),
        ("poly_nonce", "-3"),
        ("poly_nonce", str(2**256)),
        ("poly_signature", CLAIM["poly_signature"][:-2] + "1c"),
        ("poly_signature", CLAIM["poly_signature"] + "00"),
        ("poly_signature", "0x"),
        ("poly_signature", ""),
    ],
)
def test_a_changed_claim_is_refused_in_the_venues_words(name: str, value: str) -> None:
    assert CLAIM[name] != value
    with pytest.raises(NotAuthenticated) as caught:
        read_l1({**CLAIM, name: value}, 137)
    assert str(caught.value) == L1_REFUSED and caught.value.reason


def test_a_claim_for_another_chain_is_refused() -> None:
    with pytest.raises(NotAuthenticated, match=L1_REFUSED):
        read_l1(CLAIM, 80_002)


@pytest.mark.fidelity(
    "Known requests have their known HMAC",
    area="Log-in",
    evidence="official client",
    source="py-clob-client-v2 1.2.1",
)
def test_known_requests_have_their_known_hmac() -> None:
    secret = "A" * 43 + "="
    assert l2_signature(secret, "1700000000", "POST", "/order", b'{"a":1}') == (
        "cLK0Q2Ed2O7DADp_5dDi2ytUgLoAal-l_plGYO-Tnzs="
    )
    assert l2_signature(secret, "1700000000", "GET", "/data/orders") == "m6lGS9WyES7JjpAYNd7zIdW5bfHxAAI_pIa1St9vLO4="


@pytest.mark.fidelity(
    "L2 is an HMAC over time, method, path without query, and the very bytes of the body",
    area="Log-in",
    evidence="official client",
    source="both official clients",
)
@settings(deadline=None)
@given(
    st.binary(min_size=1, max_size=64).map(lambda raw: urlsafe_b64encode(raw).decode()),
    st.integers(0, 10**12),
    st.sampled_from(["GET", "POST", "DELETE", "PUT"]),
    st.sampled_from(["/order", "/data/orders", "/balance-allowance"]),
    st.dictionaries(st.text(st.characters(codec="utf-8")), st.integers() | st.text(st.characters(codec="utf-8"))),
)
def test_an_hmac_is_that_of_both_official_clients(
    secret: str, time_s: int, method: str, path: str, content: dict[str, int | str]
) -> None:
    body = json.dumps(content, separators=(",", ":"), ensure_ascii=False)
    credentials = ApiCredentials("key", secret, "passphrase")
    headers = l2_headers(credentials, TEST_ADDRESS, time_s, method, path, body.encode())
    assert headers["POLY_SIGNATURE"] == second_client_hmac(
        secret=secret, timestamp=time_s, method=method, path=path, body=body
    )
    official = create_level_2_headers(
        Signer(TEST_KEY, 137), ApiCreds("key", secret, "passphrase"), RequestArgs(method, path, body, body), time_s
    )
    # The first client hashes quotation marks where it sends apostrophes: the exact bytes are what counts here.
    assert (headers == official) == ("'" not in body)
    verify_l2(read_l2(received(headers)), credentials, TEST_ADDRESS.lower(), method, path, body.encode())


def test_a_request_without_body_is_that_of_the_official_client() -> None:
    creds = ApiCreds(CREDENTIALS.key, CREDENTIALS.secret, CREDENTIALS.passphrase)
    official = create_level_2_headers(Signer(TEST_KEY, 137), creds, RequestArgs("GET", "/data/orders"), NOW_S)
    assert l2_headers(CREDENTIALS, TEST_ADDRESS, NOW_S, "GET", "/data/orders") == official


@pytest.mark.parametrize("form", ["+/+/+/==", "-_-_-_==", "+/+/+/", "-_-_-_"])
def test_a_secret_is_read_in_every_form_that_the_official_clients_read(form: str) -> None:
    assert secret_bytes(form) == urlsafe_b64decode("-_-_-_==")


@pytest.mark.parametrize("secret", ["not base64!", "Z9Z9Z", "é" * 4, "AAAA\n"])
def test_a_secret_that_is_none_is_refused_without_being_shown(secret: str) -> None:
    with pytest.raises(ValueError, match="not base64") as caught:
        l2_signature(secret, "1", "GET", "/")
    assert secret not in str(caught.value) and caught.value.__suppress_context__


REQUEST = received(l2_headers(CREDENTIALS, TEST_ADDRESS, NOW_S, "POST", "/order", BODY))


def check(headers: dict[str, str], method: str = "POST", path: str = "/order", body: bytes = BODY) -> None:
    verify_l2(read_l2(headers), CREDENTIALS, TEST_ADDRESS, method, path, body)


def test_the_untouched_request_gets_in() -> None:
    check(REQUEST)
    assert read_l2(REQUEST).timestamp_s == NOW_S


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("poly_address", "0x1111111111111111111111111111111111111111"),
        ("poly_address", "nobody"),
        ("poly_api_key", str(uuid.UUID(int=7))),
        ("poly_passphrase", CREDENTIALS.passphrase[:-1]),
        ("poly_passphrase", CREDENTIALS.passphrase + "0"),
        ("poly_timestamp", str(NOW_S + 1)),
        ("poly_timestamp", "now"),
        ("poly_signature", REQUEST["poly_signature"].lower()),
        ("poly_signature", REQUEST["poly_signature"].rstrip("=")),
    ],
)
def test_a_changed_header_is_refused_in_the_venues_words(name: str, value: str) -> None:
    with pytest.raises(NotAuthenticated) as caught:
        check({**REQUEST, name: value})
    assert str(caught.value) == L2_REFUSED and caught.value.reason


@pytest.mark.parametrize("name", REQUEST)
def test_every_header_is_needed(name: str) -> None:
    for headers in ({**REQUEST, name: ""}, {key: value for key, value in REQUEST.items() if key != name}):
        with pytest.raises(NotAuthenticated, match=L2_REFUSED):
            check(headers)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("post", "/order", BODY),
        ("DELETE", "/order", BODY),
        ("POST", "/orders", BODY),
        ("POST", "/order?a=1", BODY),
        ("POST", "/order", BODY + b" "),
        ("POST", "/order", BODY.replace(b":", b": ")),
        ("POST", "/order", b""),
    ],
)
def test_one_other_byte_of_the_request_is_refused(method: str, path: str, body: bytes) -> None:
    with pytest.raises(NotAuthenticated, match=L2_REFUSED):
        check(REQUEST, method, path, body)


@settings(deadline=None)
@given(st.sampled_from(sorted(REQUEST)), header_values)
def test_no_header_of_a_stranger_raises_anything_else(name: str, value: str) -> None:
    if REQUEST[name] != value:
        with pytest.raises(NotAuthenticated):
            check({**REQUEST, name: value})


@settings(deadline=None)
@given(st.sampled_from(sorted(CLAIM)), header_values)
def test_no_claim_of_a_stranger_raises_anything_else(name: str, value: str) -> None:
    changed = {**CLAIM, name: value}
    try:
        claim = read_l1(changed, 137)
    except NotAuthenticated:
        return
    # Another spelling of the same: digits after zeros, letters of another case.
    assert claim == read_l1(CLAIM, 137)


@pytest.mark.fidelity(
    "API keys follow from address and nonce",
    area="Log-in",
    evidence="specification",
    source="authentication",
)
def test_an_api_key_is_the_same_for_the_same_wallet_and_number() -> None:
    again = derive_credentials(SERVER_SECRET, TEST_ADDRESS.lower(), 0)
    assert again == CREDENTIALS
    assert str(uuid.UUID(CREDENTIALS.key)) == CREDENTIALS.key
    assert len(urlsafe_b64decode(CREDENTIALS.secret)) == 32 and len(bytes.fromhex(CREDENTIALS.passphrase)) == 32


def test_every_wallet_number_and_server_has_keys_of_its_own() -> None:
    other = "0x1111111111111111111111111111111111111111"
    made = [
        derive_credentials(secret, address, nonce)
        for secret in (SERVER_SECRET, SERVER_SECRET + b"2")
        for address in (TEST_ADDRESS, other)
        for nonce in (0, 1, 256)
    ]
    parts = [part for each in made for part in (each.key, each.secret, each.passphrase)]
    assert len(set(parts)) == 3 * len(made)


@pytest.mark.parametrize(
    ("secret", "address", "nonce"),
    [(b"short", TEST_ADDRESS, 0), (SERVER_SECRET, "0x12", 0), (SERVER_SECRET, TEST_ADDRESS, -1)],
)
def test_what_no_key_can_be_made_of_is_refused(secret: bytes, address: str, nonce: int) -> None:
    with pytest.raises(ValueError):
        derive_credentials(secret, address, nonce)


def test_no_secret_is_ever_shown() -> None:
    shown = [repr(CREDENTIALS), repr(read_l2(REQUEST)), repr(KEY), repr(replace(CREDENTIALS, key="other"))]
    for text in shown:
        for hidden in (CREDENTIALS.secret, CREDENTIALS.passphrase, REQUEST["poly_signature"], TEST_KEY[2:]):
            assert hidden not in text


@pytest.mark.parametrize(
    "private_key", ["", "0x12", "zz" * 32, "0x" + "00" * 32, "ff" * 32, b"\x01" * 31, b"\x00" * 32]
)
def test_a_private_key_that_is_none_is_refused_without_being_shown(private_key: str | bytes) -> None:
    with pytest.raises(ValueError) as caught:
        SigningKey(private_key)
    assert caught.value.__cause__ is None
    assert not private_key or str(private_key) not in str(caught.value)


def test_a_private_key_is_read_with_and_without_its_prefix() -> None:
    assert SigningKey(TEST_KEY[2:]).address == SigningKey(bytes.fromhex(TEST_KEY[2:])).address == TEST_ADDRESS
