"""The digests that the owner of a Safe, of a proxy or of a deposit wallet signs for the relayer."""

from __future__ import annotations

from collections.abc import Sequence

from polymarket_kit.signing.eip712 import (
    SIGNATURE_LENGTH,
    SignatureInvalid,
    address_bytes,
    address_word,
    domain_separator,
    keccak,
    recover_address,
    typed_digest,
    uint256,
)
from practice_exchange.chain.calldata import Call

_SAFE_DOMAIN = keccak(b"EIP712Domain(uint256 chainId,address verifyingContract)")
_SAFE_TYPE = keccak(
    b"SafeTx(address to,uint256 value,bytes data,uint8 operation,uint256 safeTxGas,uint256 baseGas,uint256 gasPrice,"
    b"address gasToken,address refundReceiver,uint256 nonce)"
)
_CALL_FIELDS = "Call(address target,uint256 value,bytes data)"
_CALL_TYPE = keccak(_CALL_FIELDS.encode())
_BATCH_TYPE = keccak(f"Batch(address wallet,uint256 nonce,uint256 deadline,Call[] calls){_CALL_FIELDS}".encode())
# A Safe tells a signature of a message from one of typed data by four added to its last byte.
_MESSAGE_MARK = 4


def message_digest(content: bytes) -> bytes:
    """What a wallet signs when it is shown 32 bytes as a message (EIP-191)."""
    return keccak(b"\x19Ethereum Signed Message:\n32" + content)


def safe_digest(safe: str, call: Call, operation: int, nonce: int, chain_id: int) -> bytes:
    """The hash of a Safe's transaction that pays nobody for its gas."""
    separator = keccak(_SAFE_DOMAIN + uint256(chain_id) + address_word(safe))
    what = address_word(call.to) + uint256(call.value) + keccak(call.data) + uint256(operation)
    return typed_digest(separator, keccak(_SAFE_TYPE + what + bytes(32 * 5) + uint256(nonce)))


def safe_signer(digest: bytes, signature: bytes) -> str:
    """Who signed a Safe's transaction, as typed data or as a message. Raises SignatureInvalid."""
    if len(signature) != SIGNATURE_LENGTH:
        raise SignatureInvalid(f"a signature has {SIGNATURE_LENGTH} bytes, this one has {len(signature)}")
    last = signature[-1]
    if last in (27 + _MESSAGE_MARK, 28 + _MESSAGE_MARK):
        return recover_address(message_digest(digest), signature[:-1] + bytes((last - _MESSAGE_MARK,)))
    return recover_address(digest, signature)


def proxy_digest(owner: str, factory: str, data: bytes, gas_limit: int, nonce: int, hub: str, relay: str) -> bytes:
    """What a proxy's owner signs: a message about one relayed call that pays neither relayer nor gas."""
    fees = uint256(0) + uint256(0) + uint256(gas_limit)
    relayed = b"rlx:" + address_bytes(owner) + address_bytes(factory) + data + fees + uint256(nonce)
    return message_digest(keccak(relayed + address_bytes(hub) + address_bytes(relay)))


def batch_digest(wallet: str, calls: Sequence[Call], nonce: int, deadline_s: int, chain_id: int) -> bytes:
    """The typed data of a deposit wallet's batch."""
    hashes = b"".join(
        keccak(_CALL_TYPE + address_word(call.to) + uint256(call.value) + keccak(call.data)) for call in calls
    )
    words = (_BATCH_TYPE, address_word(wallet), uint256(nonce), uint256(deadline_s), keccak(hashes))
    return typed_digest(domain_separator("DepositWallet", "1", chain_id, wallet), keccak(b"".join(words)))
