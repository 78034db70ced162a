"""Each owner's wallets lie where the official client computes them, and nobody else owns them."""

from __future__ import annotations

import pytest
from eth_utils.address import to_checksum_address
from hypothesis import given, settings
from polymarket._internal import wallet as official
from polymarket.environments import PRODUCTION

from polymarket_kit.signing.eip712 import checksum_address
from polymarket_kit.signing.order_signing import SignatureType
from polymarket_kit.signing.wallets import (
    deposit_wallet,
    owns_wallet,
    proxy_wallet,
    safe_wallet,
    upgradeable_deposit_wallet,
    wallet_of,
)
from tests.kit.official import TEST_ADDRESS, addresses

DERIVATION = PRODUCTION._config.wallet_derivation
KINDS = {
    "EOA": SignatureType.EOA,
    "POLY_PROXY": SignatureType.PROXY,
    "GNOSIS_SAFE": SignatureType.SAFE,
    "DEPOSIT_WALLET": SignatureType.DEPOSIT_WALLET,
}


@pytest.mark.fidelity(
    "Proxy, Safe and deposit wallets have the addresses that the SDK derives from their owner",
    area="Signatures",
    evidence="official client",
    source="polymarket-client 0.14.0",
)
@settings(deadline=None, max_examples=30)
@given(addresses)
def test_all_wallets_are_where_the_official_client_looks_for_them(owner: str) -> None:
    assert proxy_wallet(owner) == official.derive_proxy_wallet_address(owner, DERIVATION)
    assert safe_wallet(owner) == official.derive_safe_wallet_address(owner, DERIVATION)
    assert deposit_wallet(owner) == official.derive_beacon_deposit_wallet_address(owner, DERIVATION)
    assert upgradeable_deposit_wallet(owner) == official.derive_uups_deposit_wallet_address(owner, DERIVATION)


@settings(deadline=None, max_examples=10)
@given(addresses)
def test_the_official_client_takes_each_wallet_for_its_kind(owner: str) -> None:
    for kind in SignatureType:
        wallet = wallet_of(owner, kind)
        named = official.try_classify_wallet_type(signer=owner, wallet=wallet, config=DERIVATION)
        assert named is not None and KINDS[named] is kind
        assert [other for other in SignatureType if owns_wallet(owner, wallet.lower(), other)] == [kind]
        assert not owns_wallet(TEST_ADDRESS, wallet, kind)


def test_the_older_deposit_wallet_is_its_owners_too() -> None:
    older = upgradeable_deposit_wallet(TEST_ADDRESS)
    assert older != deposit_wallet(TEST_ADDRESS)
    assert owns_wallet(TEST_ADDRESS, older, SignatureType.DEPOSIT_WALLET)


def test_what_is_no_address_has_no_wallet() -> None:
    for kind in SignatureType:
        with pytest.raises(ValueError, match="address"):
            wallet_of("0x12", kind)


@settings(deadline=None, max_examples=50)
@given(addresses)
def test_checksums_are_the_official_ones(address: str) -> None:
    expected = to_checksum_address(address)
    assert checksum_address(address) == expected
    assert checksum_address("0X" + address[2:].upper()) == expected
    assert checksum_address(bytes.fromhex(address[2:])) == expected
