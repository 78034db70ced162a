"""Who is asking: the venue's two log-ins as headers, made by a client and checked by a server. No clock: times are arguments.

L1 is a signature of the wallet's key and makes API keys; L2 is an HMAC under such a key over each request's exact bytes.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from functools import lru_cache

import msgspec

from polymarket_kit.errors import PrescientError
from polymarket_kit.signing.eip712 import (
    SignatureInvalid,
    SigningKey,
    address_bytes,
    address_word,
    checksum_address,
    domain_separator,
    keccak,
    recover_address,
    signature_bytes,
    typed_digest,
    uint256,
)

L1_REFUSED = "Invalid L1 Request headers"
L2_REFUSED = "Unauthorized/Invalid api key"
SERVER_SECRET_BYTES_MIN = 16
_CLAIM = "This message attests that I control the given wallet"
_CLAIM_TYPE_HASH = keccak(b"ClobAuth(address address,string timestamp,uint256 nonce,string message)")
_CLAIM_HASH = keccak(_CLAIM.encode())
# Numbers in headers: seconds and nonces, in at most as many digits as 256 bits can need.
_DIGITS_MAX = 78


class NotAuthenticated(PrescientError):
    """A request that does not prove who sends it (HTTP 401). ``reason`` is for logs; the message is the venue's own."""

    code = "not_authenticated"

    def __init__(self, text: str, reason: str) -> None:
        super().__init__(text)
        self.reason = reason


class ApiCredentials(msgspec.Struct, frozen=True):
    """An API key with its two secrets. ``repr`` shows neither."""

    key: str
    secret: str
    passphrase: str

    def __repr__(self) -> str:
        return f"ApiCredentials({self.key})"


class WalletClaim(msgspec.Struct, frozen=True):
    """What an L1 log-in has proven: this address, at this time, for the API key of this number."""

    address: str
    timestamp_s: int
    nonce: int


class SignedRequest(msgspec.Struct, frozen=True):
    """The L2 headers of a request, read but not yet checked: ``api_key`` says whose credentials to check them with."""

    address: str
    api_key: str
    passphrase: str
    timestamp: str
    signature: str

    def __repr__(self) -> str:
        return f"SignedRequest({self.address}, {self.api_key})"

    @property
    def timestamp_s(self) -> int:
        return int(self.timestamp)


def claim_digest(address: str, timestamp: str, nonce: int, chain_id: int) -> bytes:
    """Return what L1 signs. The timestamp is hashed as text, so it must be the header's own. Raises ValueError."""
    parts = (_CLAIM_TYPE_HASH, address_word(address), keccak(timestamp.encode()), uint256(nonce), _CLAIM_HASH)
    return typed_digest(domain_separator("ClobAuthDomain", "1", chain_id), keccak(b"".join(parts)))


def l1_headers(key: SigningKey, timestamp_s: int, nonce: int = 0, *, chain_id: int) -> dict[str, str]:
    """Return the headers of a request that makes or derives an API key. Raises ValueError for a negative nonce."""
    timestamp = str(timestamp_s)
    signature = key.sign(claim_digest(key.address, timestamp, nonce, chain_id))
    return {
        "POLY_ADDRESS": key.address,
        "POLY_SIGNATURE": f"0x{signature.hex()}",
        "POLY_TIMESTAMP": timestamp,
        "POLY_NONCE": str(nonce),
    }


def read_l1(headers: Mapping[str, str], chain_id: int) -> WalletClaim:
    """Return what these headers prove; their names are lower case. How old they may be is the caller's rule.

    Raises NotAuthenticated when a header is missing or malformed, or when another key signed.
    """
    timestamp, nonce = headers.get("poly_timestamp", ""), headers.get("poly_nonce") or "0"
    try:
        address = checksum_address(headers.get("poly_address", ""))
        seconds, number = _whole(timestamp), _whole(nonce)
        signature = signature_bytes(headers.get("poly_signature", ""))
        signed_by = recover_address(claim_digest(address, timestamp, number, chain_id), signature)
    except (ValueError, SignatureInvalid) as error:
        raise NotAuthenticated(L1_REFUSED, str(error)) from error
    if signed_by != address:
        raise NotAuthenticated(L1_REFUSED, f"{address} did not sign this")
    return WalletClaim(address, seconds, number)


def l2_signature(secret: str, timestamp: str, method: str, path: str, body: bytes = b"") -> str:
    """Return the HMAC of a request: ``path`` without its query, ``body`` the very bytes that are sent.

    Raises ValueError when the secret is not base64.
    """
    message = f"{timestamp}{method}{path}".encode() + body
    digest = hmac.digest(secret_bytes(secret), message, hashlib.sha256)
    return base64.urlsafe_b64encode(digest).decode()


def l2_headers(
    credentials: ApiCredentials, address: str, timestamp_s: int, method: str, path: str, body: bytes = b""
) -> dict[str, str]:
    """Return the headers of an account's request. ``address`` is the key's own (EOA), never the wallet that it funds from."""
    timestamp = str(timestamp_s)
    return {
        "POLY_ADDRESS": address,
        "POLY_SIGNATURE": l2_signature(credentials.secret, timestamp, method, path, body),
        "POLY_TIMESTAMP": timestamp,
        "POLY_API_KEY": credentials.key,
        "POLY_PASSPHRASE": credentials.passphrase,
    }


def read_l2(headers: Mapping[str, str]) -> SignedRequest:
    """Return the L2 headers, whose names are lower case. Raises NotAuthenticated when one is missing or malformed."""
    try:
        address = checksum_address(headers.get("poly_address", ""))
        timestamp = headers.get("poly_timestamp", "")
        _whole(timestamp)
    except ValueError as error:
        raise NotAuthenticated(L2_REFUSED, str(error)) from error
    key, passphrase = headers.get("poly_api_key", ""), headers.get("poly_passphrase", "")
    signature = headers.get("poly_signature", "")
    if not (key and passphrase and signature):
        raise NotAuthenticated(L2_REFUSED, "a POLY header is missing")
    return SignedRequest(address, key, passphrase, timestamp, signature)


def verify_l2(
    request: SignedRequest, credentials: ApiCredentials, address: str, method: str, path: str, body: bytes = b""
) -> None:
    """Check a request against the key that it names and the address that key belongs to, in constant time.

    All is compared before anything is said, and what is said does not tell which part was wrong. Raises NotAuthenticated.
    """
    expected = l2_signature(credentials.secret, request.timestamp, method, path, body)
    same = _same(request.signature, expected)
    same &= _same(request.passphrase, credentials.passphrase)
    same &= _same(request.api_key, credentials.key)
    same &= _same(request.address, checksum_address(address))
    if not same:
        raise NotAuthenticated(L2_REFUSED, "signature, passphrase, key or address do not match")


@lru_cache(maxsize=1_024)
def secret_bytes(secret: str) -> bytes:
    """Return an API secret's bytes: base64 in either alphabet, with or without its padding. Raises ValueError."""
    plain = secret.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("the API secret is not base64; copy it again, or derive the API key anew") from None


def derive_credentials(server_secret: bytes, address: str, nonce: int) -> ApiCredentials:
    """Return the API key that a server which keeps none gives this address for this nonce: the same one every time.

    Raises ValueError for a server secret of less than 16 bytes, an address that is none, or a nonce out of range.
    """
    if len(server_secret) < SERVER_SECRET_BYTES_MIN:
        raise ValueError(f"the server secret needs at least {SERVER_SECRET_BYTES_MIN} bytes")
    who = address_bytes(address) + uint256(nonce)
    key, secret, passphrase = (
        hmac.digest(server_secret, label + who, hashlib.sha256) for label in (b"key", b"secret", b"passphrase")
    )
    return ApiCredentials(_as_uuid(key), base64.urlsafe_b64encode(secret).decode(), passphrase.hex())


def _as_uuid(raw: bytes) -> str:
    """Write 16 bytes in the form of a UUID, which is all that the venue's keys have in common with one."""
    digits = raw[:16].hex()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _whole(text: str) -> int:
    """Return a whole number of decimal digits alone. Raises ValueError."""
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX):
        raise ValueError("expected a whole number in a POLY header")
    return int(text)


def _same(given: str, expected: str) -> bool:
    """Compare in constant time; as bytes, because the library refuses text beyond ASCII."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode("utf-8"))
