"""ABI words, and the contract calls that the venue's clients send decoded into plain actions; others are refused by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from polymarket_kit.signing import contracts
from polymarket_kit.signing.eip712 import checksum_address, keccak, uint256

WORD = 32
# No call that the venue's clients make comes near this many entries; more is an attempt to keep us busy.
ITEMS_MAX = 1_000


class MalformedData(ValueError):
    """Call data that is not what its selector promises."""


def selector(signature: str) -> bytes:
    """The four bytes that name a function, from its signature: ``approve(address,uint256)``."""
    return keccak(signature.encode())[:4]


class Words:
    """A reader of call data from ``start`` on; offsets in it count from there. Raises MalformedData beyond its end."""

    def __init__(self, data: bytes, start: int = 0) -> None:
        self._data = data
        self._start = start

    def number(self, index: int) -> int:
        return int.from_bytes(self._word(index), "big")

    def small(self, index: int) -> int:
        """A number that counts or points at something."""
        number = self.number(index)
        if number > len(self._data):
            raise MalformedData("an offset or a length points beyond the call's data")
        return number

    def address(self, index: int) -> str:
        word = self._word(index)
        if any(word[:12]):
            raise MalformedData("an address has more than 20 bytes")
        return checksum_address(word[12:])

    def flag(self, index: int) -> bool:
        number = self.number(index)
        if number > 1:
            raise MalformedData("a truth value is neither 0 nor 1")
        return number == 1

    def hash(self, index: int) -> str:
        return f"0x{self._word(index).hex()}"

    def numbers(self, index: int) -> list[int]:
        """An array of numbers."""
        items = self.items(index)
        return [items.number(position) for position in range(self.length(index))]

    def addresses(self, index: int) -> list[str]:
        items = self.items(index)
        return [items.address(position) for position in range(self.length(index))]

    def length(self, index: int) -> int:
        """How many entries the array at an index has."""
        count = Words(self._data, self._start + self.small(index)).small(0)
        if count > ITEMS_MAX:
            raise MalformedData(f"an array has more than {ITEMS_MAX} entries")
        return count

    def items(self, index: int) -> Words:
        """A reader of the entries of an array; offsets in it count from its first entry."""
        return Words(self._data, self._start + self.small(index) + WORD)

    def inside(self, index: int) -> Words:
        """A reader of what lies at an offset."""
        return Words(self._data, self._start + self.small(index))

    def text(self, index: int) -> bytes:
        """A byte string."""
        start = self._start + self.small(index)
        length = Words(self._data, start).small(0)
        begin = start + WORD
        if begin + length > len(self._data):
            raise MalformedData("a byte string is shorter than it says")
        return self._data[begin : begin + length]

    def _word(self, index: int) -> bytes:
        begin = self._start + WORD * index
        word = self._data[begin : begin + WORD]
        if len(word) != WORD:
            raise MalformedData("the call's data ends too early")
        return word


def number_answer(number: int) -> str:
    """A number, or a truth value, as a contract returns it."""
    return f"0x{uint256(int(number)).hex()}"


def numbers_answer(numbers: Sequence[int]) -> str:
    """An array of numbers as a contract returns it."""
    words = [WORD, len(numbers), *numbers]
    return "0x" + b"".join(map(uint256, words)).hex()


APPROVE = selector("approve(address,uint256)")
TRANSFER = selector("transfer(address,uint256)")
APPROVE_ALL = selector("setApprovalForAll(address,bool)")
SPLIT = selector("splitPosition(address,bytes32,bytes32,uint256[],uint256)")
MERGE = selector("mergePositions(address,bytes32,bytes32,uint256[],uint256)")
REDEEM = selector("redeemPositions(address,bytes32,bytes32,uint256[])")
CONVERT = selector("convertPositions(bytes32,uint256,uint256)")
MULTISEND = selector("multiSend(bytes)")
PROXY = selector("proxy((uint8,address,uint256,bytes)[])")
ALLOWANCE = selector("allowance(address,address)")
IS_APPROVED = selector("isApprovedForAll(address,address)")
BALANCE = selector("balanceOf(address,uint256)")
BALANCES = selector("balanceOfBatch(address[],uint256[])")
BOTH_OUTCOMES = [1, 2]
NO_PARENT = "0x" + "00" * 32
_MULTISEND_HEAD = 1 + 20 + WORD + WORD


class CallRefused(ValueError):
    """A call that would not go through; the message is the reason, as a chain gives it for a reverted call."""


class Call(NamedTuple):
    """One call: a contract's address, the data, and the chain's own money sent along."""

    to: str
    data: bytes
    value: int = 0


class Approve(msgspec.Struct, frozen=True, tag=True):
    """Let ``spender`` take so many of the sender's dollars."""

    spender: str
    amount: int


class ApproveAll(msgspec.Struct, frozen=True, tag=True):
    """Let ``operator`` move all of the sender's shares, or no longer."""

    token: str
    operator: str
    approved: bool


class TransferDollars(msgspec.Struct, frozen=True, tag=True):
    recipient: str
    amount_micro: int


class Split(msgspec.Struct, frozen=True, tag=True):
    condition_id: str
    amount_micro: int
    adapter: str


class Merge(msgspec.Struct, frozen=True, tag=True):
    condition_id: str
    amount_micro: int
    adapter: str


class Redeem(msgspec.Struct, frozen=True, tag=True):
    condition_id: str
    adapter: str


class Convert(msgspec.Struct, frozen=True, tag=True):
    """Turn NO shares of a negative-risk event's questions into YES of all others; bit i of ``index_set`` is question i."""

    market_id: str
    index_set: int
    amount_micro: int
    adapter: str


Action = Approve | ApproveAll | TransferDollars | Split | Merge | Redeem | Convert


def read_call(call: Call) -> Action:
    """Return what a call asks for. Raises CallRefused for everything that the venue's clients do not send."""
    readers = _READERS.get(call.to.lower())
    if readers is None:
        raise CallRefused(f"there is no contract at {call.to} on the practice chain")
    if call.value:
        raise CallRefused(f"{call.to} takes no native money")
    reader = readers.get(call.data[:4])
    if reader is None:
        raise CallRefused(f"{call.to} has no function 0x{call.data[:4].hex()} on the practice chain")
    try:
        return reader(call, Words(call.data, 4))
    except MalformedData as error:
        raise CallRefused(str(error)) from error


def _approve(call: Call, words: Words) -> Action:
    return Approve(words.address(0), words.number(1))


def _transfer(call: Call, words: Words) -> Action:
    return TransferDollars(words.address(0), words.number(1))


def _approve_all(call: Call, words: Words) -> Action:
    return ApproveAll(checksum_address(call.to), words.address(0), words.flag(1))


def _split(call: Call, words: Words) -> Action:
    return Split(_condition(words), words.number(4), checksum_address(call.to))


def _merge(call: Call, words: Words) -> Action:
    return Merge(_condition(words), words.number(4), checksum_address(call.to))


def _redeem(call: Call, words: Words) -> Action:
    return Redeem(_condition(words), checksum_address(call.to))


def _convert(call: Call, words: Words) -> Action:
    return Convert(words.hash(0), words.number(1), words.number(2), checksum_address(call.to))


def _condition(words: Words) -> str:
    """The condition of a split, merge or redemption, which here is always of dollars into both outcomes."""
    if words.address(0) != checksum_address(contracts.DOLLARS):
        raise CallRefused("positions are made of and paid in pUSD")
    if words.hash(1) != NO_PARENT or words.numbers(3) != BOTH_OUTCOMES:
        raise CallRefused("partition must be [1, 2] without a parent collection")
    return words.hash(2)


_Reader = Callable[[Call, Words], Action]
_POSITIONS: dict[bytes, _Reader] = {SPLIT: _split, MERGE: _merge, REDEEM: _redeem}
_READERS: dict[str, dict[bytes, _Reader]] = {
    contracts.DOLLARS.lower(): {APPROVE: _approve, TRANSFER: _transfer},
    contracts.SHARES.lower(): {APPROVE_ALL: _approve_all},
    contracts.OUTCOME_SHARES.lower(): {APPROVE_ALL: _approve_all},
    contracts.STANDARD_ADAPTER.lower(): _POSITIONS,
    contracts.NEGATIVE_RISK_ADAPTER.lower(): _POSITIONS | {CONVERT: _convert},
    contracts.OLDER_NEGATIVE_RISK_ADAPTER.lower(): {CONVERT: _convert},
}


def multisend_calls(data: bytes) -> list[Call]:
    """The calls of a Safe's batch. Raises CallRefused."""
    if data[:4] != MULTISEND:
        raise CallRefused(f"the multisend contract has no function 0x{data[:4].hex()}")
    try:
        packed = Words(data, 4).text(0)
    except MalformedData as error:
        raise CallRefused(str(error)) from error
    calls, position = [], 0
    while position < len(packed):
        head = packed[position : position + _MULTISEND_HEAD]
        if len(head) < _MULTISEND_HEAD or head[0] != 0:
            raise CallRefused("a batch holds plain calls only")
        length = int.from_bytes(head[53:], "big")
        position += _MULTISEND_HEAD
        inner = packed[position : position + length]
        if len(inner) != length:
            raise CallRefused("a batch is shorter than it says")
        calls.append(Call(checksum_address(head[1:21]), inner, int.from_bytes(head[21:53], "big")))
        position += length
    return calls


def proxy_calls(data: bytes) -> list[Call]:
    """The calls that a proxy's owner has the factory pass on. Raises CallRefused."""
    if data[:4] != PROXY:
        raise CallRefused(f"the proxy factory has no function 0x{data[:4].hex()}")
    calls = []
    try:
        words = Words(data, 4)
        items = words.items(0)
        for index in range(words.length(0)):
            item = items.inside(index)
            if item.number(0) != 1:
                raise CallRefused("a proxy makes plain calls only")
            calls.append(Call(item.address(1), item.text(3), item.number(2)))
    except MalformedData as error:
        raise CallRefused(str(error)) from error
    return calls
