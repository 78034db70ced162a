"""Where an owner's wallets lie: the venue's proxies, Safes and deposit wallets, computed from the owner's address (CREATE2).

The official client tells a wallet's kind by these addresses, and the contracts accept a signer for a wallet by them.
"""

from __future__ import annotations

from functools import lru_cache

from polymarket_kit.signing.eip712 import address_bytes, address_word, checksum_address, keccak
from polymarket_kit.signing.order_signing import SignatureType

PROXY_FACTORY = "0xaB45c5A4B0c941a2F231C04C3f49182e1A254052"
PROXY_IMPLEMENTATION = "0x44e999d5c2F66Ef0861317f9A4805AC2e90aEB4f"
SAFE_FACTORY = "0xaacFeEa03eb1561C4e67d661e40682Bd20E3541b"
SAFE_CODE_HASH = bytes.fromhex("2bce2127ff07fb632d16c8347c4ebf501f4841168bed00d9e6ef715ddb6fcecf")
DEPOSIT_WALLET_FACTORY = "0x00000000000Fb5C9ADea0298D729A0CB3823Cc07"
DEPOSIT_WALLET_IMPLEMENTATION = "0x58CA52ebe0DadfdF531Cde7062e76746de4Db1eB"
DEPOSIT_WALLET_BEACON = "0x7A18EDfe055488A3128f01F563e5B479D92ffc3a"

_PROXY_CODE = (
    "3d3d606380380380913d393d73{}5af4602a57600080fd5b602d8060366000396000f3"
    "363d3d373d3d3d363d73{}5af43d82803e903d91602b57fd5bf352e831dd"
)
_UPGRADEABLE_HEAD = 0x61003D3D8160233D3973
_UPGRADEABLE_TAIL = (
    "60095155f3363d3d373d3d363d7f360894a13ba1a3210667c828492db98dca3e2076"
    "cc3735a920a3ca505d382bbc545af43d6000803e6038573d6000fd5b3d6000f3"
)
_BEACON_HEAD = 0x6100523D8160233D3973
_BEACON_TAIL = (
    "60195155f3363d3d373d3d363d602036600436635c60da"
    "1b60e01b36527fa3f0ad74e5423aebfd80d3ef4346578335a9a72aeaee59ff6c"
    "b3582b35133d50545afa5036515af43d6000803e604d573d6000fd5b3d6000f3"
)


@lru_cache(maxsize=4_096)
def wallet_of(owner: str, signature_type: SignatureType) -> str:
    """Return the address that funds this owner's orders of this type; of deposit wallets the beacon one. Raises ValueError."""
    if signature_type == SignatureType.EOA:
        return checksum_address(owner)
    if signature_type == SignatureType.PROXY:
        return proxy_wallet(owner)
    if signature_type == SignatureType.SAFE:
        return safe_wallet(owner)
    return deposit_wallet(owner)


def owns_wallet(owner: str, wallet: str, signature_type: SignatureType) -> bool:
    """Whether orders of this type made by ``wallet`` may be signed by ``owner``. Raises ValueError for what is no address."""
    address = checksum_address(wallet)
    if signature_type == SignatureType.DEPOSIT_WALLET:
        return address in (wallet_of(owner, signature_type), upgradeable_deposit_wallet(owner))
    return address == wallet_of(owner, signature_type)


def proxy_wallet(owner: str) -> str:
    """Return the proxy of an owner who signed up by e-mail (before 2026)."""
    code = bytes.fromhex(_PROXY_CODE.format(PROXY_FACTORY[2:].lower(), PROXY_IMPLEMENTATION[2:].lower()))
    # The constructor's arguments: an empty byte string.
    code_hash = keccak(code + (32).to_bytes(32, "big") + bytes(32))
    return _create2(PROXY_FACTORY, keccak(address_bytes(owner)), code_hash)


def safe_wallet(owner: str) -> str:
    """Return the Safe of an owner who signed up with a browser wallet."""
    return _create2(SAFE_FACTORY, keccak(address_word(owner)), SAFE_CODE_HASH)


def deposit_wallet(owner: str) -> str:
    """Return the deposit wallet that the factory makes today, whose code follows a beacon."""
    return _deposit_wallet(owner, _BEACON_HEAD, DEPOSIT_WALLET_BEACON, _BEACON_TAIL)


@lru_cache(maxsize=4_096)
def upgradeable_deposit_wallet(owner: str) -> str:
    """Return the deposit wallet that the factory made before it had a beacon."""
    return _deposit_wallet(owner, _UPGRADEABLE_HEAD, DEPOSIT_WALLET_IMPLEMENTATION, _UPGRADEABLE_TAIL)


def _deposit_wallet(owner: str, head: int, target: str, tail: str) -> str:
    """Both kinds are minimal proxies whose code carries its length, its target and its arguments."""
    arguments = address_word(DEPOSIT_WALLET_FACTORY) + address_word(owner)
    start = (head + (len(arguments) << 56)).to_bytes(10, "big")
    code_hash = keccak(start + address_bytes(target) + bytes.fromhex(tail) + arguments)
    return _create2(DEPOSIT_WALLET_FACTORY, keccak(arguments), code_hash)


def _create2(factory: str, salt: bytes, code_hash: bytes) -> str:
    return checksum_address(keccak(b"\xff" + address_bytes(factory) + salt + code_hash)[12:])
