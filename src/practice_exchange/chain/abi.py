"""ABI decoding and encoding: words of 32 bytes, and arrays and byte strings by their offset."""

from __future__ import annotations

from collections.abc import Sequence

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
