"""Typed data as the venue's contracts hash, sign and check it (EIP-712 over secp256k1): the ground under orders and log-ins."""

from __future__ import annotations

import re
from functools import lru_cache

from coincurve import PrivateKey, PublicKey
from Crypto.Hash import keccak as _keccak

from polymarket_kit.errors import PrescientError

SIGNATURE_LENGTH = 65
UINT256_MAX = 2**256 - 1
# secp256k1's group order halved: of the two values of s that verify, contracts take the lower one only (EIP-2).
S_MAX = (2**256 - 0x14551231950B75FC4402DA1732FC9BEBF) // 2
_V_OFFSET = 27
_ADDRESS = re.compile(r"0[xX][0-9a-fA-F]{40}")
_BYTES32 = re.compile(r"0[xX][0-9a-fA-F]{64}")
_PRIVATE_KEY = re.compile(r"(?:0[xX])?[0-9a-fA-F]{64}")


class SignatureInvalid(PrescientError):
    """A signature that is malformed, or that does not say what it is held to say. The message tells which."""

    code = "signature_invalid"


def keccak(data: bytes) -> bytes:
    """Return Keccak-256 as Ethereum uses it (the padding from before SHA-3 was fixed): 32 bytes."""
    return _keccak.new(digest_bits=256, data=data).digest()


def uint256(number: int) -> bytes:
    """Return a number as one word. Raises ValueError outside 0..2**256-1."""
    try:
        return number.to_bytes(32, "big")
    except OverflowError as error:
        raise ValueError("number does not fit into 256 bits without a sign") from error


def bytes32(text: str) -> bytes:
    """Return the 32 bytes of ``0x`` and 64 hex digits. Raises ValueError."""
    if _BYTES32.fullmatch(text) is None:
        raise ValueError("expected 0x and 64 hexadecimal digits")
    return bytes.fromhex(text[2:])


def address_bytes(text: str) -> bytes:
    """Return the 20 bytes of an address, whatever the case of its letters. Raises ValueError."""
    if _ADDRESS.fullmatch(text) is None:
        raise ValueError("expected an address: 0x and 40 hexadecimal digits")
    return bytes.fromhex(text[2:])


@lru_cache(maxsize=4_096)
def address_word(text: str) -> bytes:
    """Return an address as one word, 12 zero bytes before it; kept, because few addresses sign many orders."""
    return bytes(12) + address_bytes(text)


@lru_cache(maxsize=4_096)
def checksum_address(address: str | bytes) -> str:
    """Return an address with the case of its letters as its checksum (EIP-55). Raises ValueError for what is none."""
    raw = address if isinstance(address, bytes) else address_bytes(address)
    if len(raw) != 20:
        raise ValueError("an address has 20 bytes")
    digits = raw.hex()
    weights = keccak(digits.encode()).hex()
    cased = (digit.upper() if weight > "7" else digit for digit, weight in zip(digits, weights, strict=False))
    return f"0x{''.join(cased)}"


@lru_cache(maxsize=64)
def domain_separator(name: str, version: str, chain_id: int, contract: str = "") -> bytes:
    """Return the hash that binds a signature to one program on one chain; without ``contract`` the domain has no such field."""
    kind = "EIP712Domain(string name,string version,uint256 chainId"
    kind += ",address verifyingContract)" if contract else ")"
    words = [keccak(kind.encode()), keccak(name.encode()), keccak(version.encode()), uint256(chain_id)]
    if contract:
        words.append(address_word(contract))
    return keccak(b"".join(words))


def typed_digest(separator: bytes, struct_hash: bytes) -> bytes:
    """Return the 32 bytes that are signed."""
    return keccak(b"\x19\x01" + separator + struct_hash)


class SigningKey:
    """A private key and its address. Neither ``repr`` nor an error message shows the key."""

    __slots__ = ("_key", "address")

    def __init__(self, private_key: str | bytes) -> None:
        """Take 32 bytes, or 64 hex digits with or without ``0x``. Raises ValueError without repeating what was given."""
        if isinstance(private_key, str):
            if _PRIVATE_KEY.fullmatch(private_key) is None:
                raise ValueError("a private key has 64 hexadecimal digits, with or without 0x before them")
            private_key = bytes.fromhex(private_key[-64:])
        # The library would pad a shorter one with zeros: a different key, and nobody would notice.
        if len(private_key) != 32:
            raise ValueError("a private key has 32 bytes")
        try:
            self._key = PrivateKey(private_key)
        except ValueError:
            raise ValueError("this private key is outside the curve's range") from None
        self.address = address_of(self._key.public_key)

    def __repr__(self) -> str:
        return f"SigningKey({self.address})"

    def sign(self, digest: bytes) -> bytes:
        """Return r, s and v (27 or 28) in 65 bytes. The same key and digest give the same bytes (RFC 6979); s is the lower one.

        Raises ValueError unless ``digest`` has 32 bytes.
        """
        signature = self._key.sign_recoverable(digest, hasher=None)
        return signature[:64] + bytes((_V_OFFSET + signature[64],))


def address_of(public_key: PublicKey) -> str:
    return _address_of_point(public_key.format(compressed=False))


@lru_cache(maxsize=4_096)
def _address_of_point(point: bytes) -> str:
    """The address of a public key of 65 bytes; kept, because few keys sign many orders."""
    return checksum_address(keccak(point[1:])[12:])


def recover_address(digest: bytes, signature: bytes) -> str:
    """Return the address whose key signed these 32 bytes; for a signature of something else it is another address.

    Raises SignatureInvalid where the contracts would refuse: not 65 bytes, v other than 27 and 28, the higher s, no point.
    """
    if len(signature) != SIGNATURE_LENGTH:
        raise SignatureInvalid(f"a signature has {SIGNATURE_LENGTH} bytes, this one has {len(signature)}")
    recovery = signature[64] - _V_OFFSET
    if recovery not in (0, 1):
        raise SignatureInvalid("a signature ends in 27 or 28")
    if int.from_bytes(signature[32:64], "big") > S_MAX:
        raise SignatureInvalid("a signature has the lower of its two s values")
    try:
        key = PublicKey.from_signature_and_message(signature[:64] + bytes((recovery,)), digest, hasher=None)
    except ValueError as error:
        raise SignatureInvalid("no key can have made this signature") from error
    return address_of(key)


def signature_bytes(text: str) -> bytes:
    """Return the bytes of a signature written as hex with ``0x``. Raises SignatureInvalid."""
    digits = text[2:]
    if text[:2] not in ("0x", "0X") or not digits.isascii() or not digits.isalnum():
        raise SignatureInvalid("a signature is written as 0x and hexadecimal digits")
    try:
        return bytes.fromhex(digits)
    except ValueError as error:
        raise SignatureInvalid("a signature is written as 0x and hexadecimal digits") from error
