"""What an order's signature covers, its hash (the venue's order id), and signatures of all four kinds of wallet, made and checked.

The order id is known before anything is sent, and the same order signed twice is the same bytes: an order whose fate is
unknown can be looked up, and its whole body rebuilt. Source: the venue's V2 exchange contracts and its official clients.
"""

from __future__ import annotations

import hashlib
import hmac
from enum import IntEnum
from functools import lru_cache

import msgspec

from polymarket_kit.model import Side
from polymarket_kit.signing.eip712 import (
    SIGNATURE_LENGTH,
    SignatureInvalid,
    SigningKey,
    address_word,
    bytes32,
    checksum_address,
    domain_separator,
    keccak,
    recover_address,
    signature_bytes,
    typed_digest,
    uint256,
)

POLYGON = 137
AMOY = 80_002
ZERO_BYTES32 = "0x" + "00" * 32
SALT_BITS = 52
SALT_SECRET_BYTES_MIN = 16
ATTEMPT_MAX = 2**32 - 1

ORDER_TYPE = (
    "Order(uint256 salt,address maker,address signer,uint256 tokenId,uint256 makerAmount,uint256 takerAmount,"
    "uint8 side,uint8 signatureType,uint256 timestamp,bytes32 metadata,bytes32 builder)"
)
_NESTED_TYPE = (
    "TypedDataSign(Order contents,string name,string version,uint256 chainId,address verifyingContract,bytes32 salt)"
)
_ORDER_TYPE_HASH = keccak(ORDER_TYPE.encode())
_NESTED_TYPE_HASH = keccak((_NESTED_TYPE + ORDER_TYPE).encode())
_WALLET_NAME_HASH = keccak(b"DepositWallet")
_WALLET_VERSION_HASH = keccak(b"1")
# What follows the two hashes in a wrapped signature: the signed type, and its length in two bytes.
_WRAP_TAIL = ORDER_TYPE.encode() + len(ORDER_TYPE).to_bytes(2, "big")
WRAPPED_LENGTH = SIGNATURE_LENGTH + 64 + len(_WRAP_TAIL)
# Position ids of the venue's second protocol leave these bits zero; a token id is a hash, in which they are not.
_OUTCOME_POSITION_BITS = (2**64 - 1) << 40
_SIDE_WORD = {Side.BUY: uint256(0), Side.SELL: uint256(1)}


class SignatureType(IntEnum):
    """Whose signature an order carries.

    For all but the deposit wallet the signer is the key's own address: it is the maker (EOA), or it owns the maker's
    wallet (proxy, Safe). A deposit wallet is maker and signer, and its owner's signature is wrapped (ERC-7739).
    """

    EOA = 0
    PROXY = 1
    SAFE = 2
    DEPOSIT_WALLET = 3


_TYPE_WORD = {kind: uint256(kind) for kind in SignatureType}


class ExchangeContract(msgspec.Struct, frozen=True):
    """One of the venue's exchange contracts, with the separator that binds signatures to it."""

    chain_id: int
    address: str
    version: str
    separator: bytes


class ContractOrder(msgspec.Struct, frozen=True, gc=False):
    """The fields of an order that are signed, amounts in micro-units. Expiration and order type are not among them.

    A BUY makes dollars and takes shares, a SELL the other way round. ``metadata`` and ``builder`` are 32 bytes in hex.
    """

    salt: int
    maker: str
    signer: str
    token_id: int
    maker_amount_micro: int
    taker_amount_micro: int
    side: Side
    signature_type: SignatureType
    timestamp_ms: int
    metadata: str = ZERO_BYTES32
    builder: str = ZERO_BYTES32


def exchange_contract(address: str, version: str = "2", chain_id: int = POLYGON) -> ExchangeContract:
    """Return an exchange contract with its separator. Raises ValueError for what is no address."""
    separator = domain_separator("Polymarket CTF Exchange", version, chain_id, address)
    return ExchangeContract(chain_id, address, version, separator)


_STANDARD, _NEGATIVE_RISK = "0xE111180000d2663C0091e4f400237545B87B996B", "0xe2222d279d744050d28e00520010520000310F59"
STANDARD_EXCHANGE = exchange_contract(_STANDARD)
NEGATIVE_RISK_EXCHANGE = exchange_contract(_NEGATIVE_RISK)
OUTCOME_EXCHANGE = exchange_contract("0xe3333700cA9d93003F00f0F71f8515005F6c00Aa", version="3")
# Standard, negative risk, outcome positions; by chain.
EXCHANGES = {
    POLYGON: (STANDARD_EXCHANGE, NEGATIVE_RISK_EXCHANGE, OUTCOME_EXCHANGE),
    AMOY: (
        exchange_contract(_STANDARD, chain_id=AMOY),
        exchange_contract(_NEGATIVE_RISK, chain_id=AMOY),
        exchange_contract("0x9fE6e61422AdB6F610d8597F9684b16912D50C3D", version="3", chain_id=AMOY),
    ),
}


def contract_for(token_id: int, negative_risk: bool, chain_id: int = POLYGON) -> ExchangeContract:
    """Return the contract that an order for this token is signed for. Raises ValueError for a chain the venue is not on."""
    contracts = EXCHANGES.get(chain_id)
    if contracts is None:
        raise ValueError(f"the venue is on chains {', '.join(map(str, EXCHANGES))}, not on {chain_id}")
    standard, negative, outcome = contracts
    if is_outcome_position(token_id):
        return outcome
    return negative if negative_risk else standard


def is_outcome_position(token_id: int) -> bool:
    """Whether this id is a position of the venue's second protocol, which trades on the exchange of version 3."""
    return token_id & _OUTCOME_POSITION_BITS == 0


@lru_cache(maxsize=256)
def _word(text: str) -> bytes:
    """Thirty-two bytes from hex; metadata and builder codes are nearly always the same few."""
    return bytes32(text)


def order_struct_hash(order: ContractOrder) -> bytes:
    """Return the hash of the order alone, the same for every contract. Raises ValueError for a field out of range."""
    return keccak(
        b"".join(
            (
                _ORDER_TYPE_HASH,
                uint256(order.salt),
                address_word(order.maker),
                address_word(order.signer),
                uint256(order.token_id),
                uint256(order.maker_amount_micro),
                uint256(order.taker_amount_micro),
                _SIDE_WORD[order.side],
                _TYPE_WORD[order.signature_type],
                uint256(order.timestamp_ms),
                _word(order.metadata),
                _word(order.builder),
            )
        )
    )


def order_digest(order: ContractOrder, contract: ExchangeContract) -> bytes:
    """Return the 32 bytes that are the order's id, for all signature types. Raises ValueError for a field out of range."""
    return typed_digest(contract.separator, order_struct_hash(order))


def order_id(order: ContractOrder, contract: ExchangeContract) -> str:
    """Return the order's id as the venue writes it: ``0x`` and 64 hex digits."""
    return f"0x{order_digest(order, contract).hex()}"


def order_salt(install_secret: bytes, intent_id: str, attempt: int) -> int:
    """Return the salt of an attempt at an intent: the low 52 bits of HMAC-SHA256, so that JSON numbers hold it exactly.

    The attempt is hashed as four bytes after the id, so that no two pairs run together. Raises ValueError for a secret
    of less than 16 bytes and for an attempt outside 0..2**32-1.
    """
    if len(install_secret) < SALT_SECRET_BYTES_MIN:
        raise ValueError(f"the install secret needs at least {SALT_SECRET_BYTES_MIN} bytes")
    if not 0 <= attempt <= ATTEMPT_MAX:
        raise ValueError("attempt must lie in 0..2**32-1")
    digest = hmac.digest(install_secret, intent_id.encode() + attempt.to_bytes(4, "big"), hashlib.sha256)
    return int.from_bytes(digest, "big") & ((1 << SALT_BITS) - 1)


def sign_order(order: ContractOrder, contract: ExchangeContract, key: SigningKey) -> str:
    """Return the signature as the venue takes it, wrapped for a deposit wallet. Deterministic.

    Raises ValueError when this key cannot sign for the order's maker and signer, or a field is out of range.
    """
    fault = signer_fault(order)
    if fault:
        raise ValueError(fault)
    struct_hash = order_struct_hash(order)
    if order.signature_type == SignatureType.DEPOSIT_WALLET:
        inner = key.sign(_nested_digest(struct_hash, order.signer, contract))
        return f"0x{(inner + contract.separator + struct_hash + _WRAP_TAIL).hex()}"
    if checksum_address(order.signer) != key.address:
        raise ValueError(f"the order names {order.signer} as its signer, and this key is {key.address}")
    return f"0x{key.sign(typed_digest(contract.separator, struct_hash)).hex()}"


def recover_order_signer(order: ContractOrder, signature: str, contract: ExchangeContract) -> str:
    """Return the address whose key signed exactly this order for exactly this contract.

    That is to be the order's signer, or the owner of its deposit wallet: another address means a wrong key or a changed
    order. Raises SignatureInvalid for a malformed signature, and for a wrapped one that is about something else.
    """
    struct_hash = order_struct_hash(order)
    return _recover(order, signature, contract, struct_hash, typed_digest(contract.separator, struct_hash))


def _recover(
    order: ContractOrder, signature: str, contract: ExchangeContract, struct_hash: bytes, digest: bytes
) -> str:
    raw = signature_bytes(signature)
    if order.signature_type == SignatureType.DEPOSIT_WALLET:
        return recover_address(_nested_digest(struct_hash, order.signer, contract), _unwrap(raw, struct_hash, contract))
    return recover_address(digest, raw)


def verify_order(order: ContractOrder, signature: str, contract: ExchangeContract, owner: str) -> str:
    """Check that ``owner``, the address that the API key belongs to, signed this order, as the contracts do; return its id.

    Whether a proxy, a Safe or a deposit wallet belongs to that owner is known by its derivation (wallets.py), not here.
    Raises SignatureInvalid, with the reason, when not.
    """
    fault = signer_fault(order)
    if fault:
        raise SignatureInvalid(fault)
    expected = checksum_address(owner)
    if order.signature_type != SignatureType.DEPOSIT_WALLET and checksum_address(order.signer) != expected:
        raise SignatureInvalid(f"the order's signer is {order.signer}, not {expected}")
    struct_hash = order_struct_hash(order)
    digest = typed_digest(contract.separator, struct_hash)
    signed_by = _recover(order, signature, contract, struct_hash, digest)
    if signed_by != expected:
        raise SignatureInvalid(f"{signed_by} would have signed this, not {expected}")
    return f"0x{digest.hex()}"


def signer_fault(order: ContractOrder) -> str:
    """Return what is wrong with the order's maker and signer for its signature type, or "". Raises ValueError for no address."""
    same = checksum_address(order.maker) == checksum_address(order.signer)
    if order.signature_type == SignatureType.EOA and not same:
        return "maker and signer of an order of type 0 are the same address"
    if order.signature_type == SignatureType.DEPOSIT_WALLET and not same:
        return "maker and signer of an order of type 3 are both the deposit wallet"
    return ""


def _nested_digest(struct_hash: bytes, wallet: str, contract: ExchangeContract) -> bytes:
    """What a deposit wallet's owner signs: the order inside the wallet's own domain, under the exchange's separator (ERC-7739)."""
    nested = keccak(
        b"".join(
            (
                _NESTED_TYPE_HASH,
                struct_hash,
                _WALLET_NAME_HASH,
                _WALLET_VERSION_HASH,
                uint256(contract.chain_id),
                address_word(wallet),
                bytes(32),
            )
        )
    )
    return typed_digest(contract.separator, nested)


def _unwrap(raw: bytes, struct_hash: bytes, contract: ExchangeContract) -> bytes:
    """Return the owner's signature from a wrapped one, once everything around it says what it must."""
    if len(raw) != WRAPPED_LENGTH:
        raise SignatureInvalid(f"a deposit wallet's signature has {WRAPPED_LENGTH} bytes, this one has {len(raw)}")
    inner, separator, contents, tail = raw[:65], raw[65:97], raw[97:129], raw[129:]
    if separator != contract.separator:
        raise SignatureInvalid("the wrapped signature is for another exchange contract or chain")
    if contents != struct_hash:
        raise SignatureInvalid("the wrapped signature is about another order")
    if tail != _WRAP_TAIL:
        raise SignatureInvalid("the wrapped signature names another type than the venue's order")
    return inner
