"""Decodes a raw signed transaction (RLP, EIP-155) and recovers its sender."""

from __future__ import annotations

from typing import NamedTuple

from polymarket_kit.signing.eip712 import SignatureInvalid, checksum_address, keccak, recover_address
from practice_exchange.chain.calldata import Call

# Far above any batch of calls that a client sends.
RAW_MAX_BYTES = 128 * 1024
_FIELDS = 9
_SHORT, _LONG, _LIST, _LONG_LIST = 0x80, 0xB7, 0xC0, 0xF7


class TransactionRefused(ValueError):
    """Bytes that are not a transaction which this chain takes."""


class RawTransaction(NamedTuple):
    """What was signed, by whom, and the transaction's hash."""

    sender: str
    nonce: int
    call: Call
    transaction_hash: str


def read_transaction(text: str, chain_id: int) -> RawTransaction:
    """Read the hex of a signed transaction. Raises TransactionRefused."""
    try:
        raw = bytes.fromhex(text.removeprefix("0x"))
    except ValueError as error:
        raise TransactionRefused("a raw transaction is written as 0x and hexadecimal digits") from error
    if not raw or len(raw) > RAW_MAX_BYTES:
        raise TransactionRefused("a raw transaction has between 1 and 131072 bytes")
    if raw[0] < _LIST:
        raise TransactionRefused("transaction type not supported; sign a legacy transaction with gasPrice")
    fields = _fields(raw)
    nonce, gas_price, gas, target, value, data, v, r, s = fields
    if len(target) != 20:
        raise TransactionRefused("the practice chain makes no contracts; name one in to")
    recovery = int.from_bytes(v, "big") - 35 - 2 * chain_id
    if recovery not in (0, 1):
        raise TransactionRefused(f"invalid sender: the transaction is not signed for chain {chain_id}")
    if len(r) > 32 or len(s) > 32:
        raise TransactionRefused("invalid sender: the signature is too long")
    signed = keccak(_encode([nonce, gas_price, gas, target, value, data, _number(chain_id), b"", b""]))
    signature = r.rjust(32, b"\0") + s.rjust(32, b"\0") + bytes((27 + recovery,))
    try:
        sender = recover_address(signed, signature)
    except SignatureInvalid as error:
        raise TransactionRefused(f"invalid sender: {error}") from error
    call = Call(checksum_address(target), data, int.from_bytes(value, "big"))
    return RawTransaction(sender, int.from_bytes(nonce, "big"), call, f"0x{keccak(raw).hex()}")


def _fields(raw: bytes) -> list[bytes]:
    """The byte strings of one flat list that is all there is. Raises TransactionRefused."""
    start, end = _span(raw, 0, _LIST, _LONG_LIST)
    if end != len(raw):
        raise TransactionRefused("rlp: the transaction is longer or shorter than it says")
    fields = []
    while start < end:
        if raw[start] < _SHORT:
            fields.append(raw[start : start + 1])
            start += 1
            continue
        if raw[start] >= _LIST:
            raise TransactionRefused("rlp: a legacy transaction holds no lists")
        begin, start = _span(raw, start, _SHORT, _LONG)
        if start > end:
            raise TransactionRefused("rlp: a field is longer than the transaction")
        fields.append(raw[begin:start])
    if len(fields) != _FIELDS:
        raise TransactionRefused(f"rlp: a legacy transaction has {_FIELDS} fields, this one has {len(fields)}")
    return fields


def _span(raw: bytes, position: int, short: int, long: int) -> tuple[int, int]:
    """Where the content of the item at a position begins and ends."""
    head = raw[position]
    if head <= long:
        return position + 1, position + 1 + head - short
    width = head - long
    begin = position + 1 + width
    return begin, begin + int.from_bytes(raw[position + 1 : begin], "big")


def _encode(fields: list[bytes]) -> bytes:
    content = b"".join(
        field if len(field) == 1 and field[0] < _SHORT else _head(len(field), _SHORT, _LONG) + field for field in fields
    )
    return _head(len(content), _LIST, _LONG_LIST) + content


def _head(length: int, short: int, long: int) -> bytes:
    if length <= 55:
        return bytes((short + length,))
    width = _number(length)
    return bytes((long + len(width),)) + width


def _number(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8, "big")
