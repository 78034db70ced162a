"""One token's live book: sizes by price, the best price cached, late messages recognized."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable

from polymarket_kit.model import Level, Side
from prescient.adapters.polymarket.messages.stream_messages import NO_ASK, NO_BID
from prescient.domain.market import OrderBook

# A side that names more prices than this is no book of the venue (its finest grid has 9,999).
PRICES_MAX = 20_000


class BookSide:
    """Bids or asks. ``best`` is in micro, ``empty`` when there is none.

    Each price has its size and the time of its last message, removed ones included, since the last whole book: the venue
    numbers no messages, so a late one is recognized by being older than what its price already has.
    """

    __slots__ = ("_entries", "_order", "_sign", "base_ms", "best", "empty")

    def __init__(self, sign: int, empty: int) -> None:
        # (size, time) by price; a size of zero is a removed price.
        self._entries: dict[int, tuple[int, int]] = {}
        # The time of the last whole side.
        self.base_ms = 0
        self.best = empty
        self.empty = empty
        # Ascending for bids, negated and ascending for asks: the best is always the last.
        self._order: list[int] = []
        self._sign = sign

    def __len__(self) -> int:
        """Prices in the table, removed ones included."""
        return len(self._entries)

    def put(self, price_micro: int, size_micro: int, time_ms: int) -> bool | None:
        """Set one price's size, zero to remove it; returns whether that changed anything, None if it came too late."""
        entries = self._entries
        old, said_ms = entries.get(price_micro) or (0, self.base_ms)
        if time_ms < said_ms:
            return None
        entries[price_micro] = (size_micro, time_ms)
        if size_micro == old:
            return False
        if size_micro and old:
            return True
        order, key = self._order, price_micro * self._sign
        if size_micro:
            insort(order, key)
        elif order[-1] == key:
            order.pop()
        else:
            del order[bisect_left(order, key)]
            return True
        self.best = order[-1] * self._sign if order else self.empty
        return True

    def replace(self, levels: Iterable[Level], time_ms: int) -> list[tuple[int, int]]:
        """Load a whole side as of a time, keeping later changes; return (price, new size) of every difference."""
        before = self._entries
        later = {price: entry for price, entry in before.items() if entry[1] > time_ms}
        fresh = {price: (size, time_ms) for price, size in levels} | later
        differences = [(price, 0) for price, (size, _) in before.items() if size and price not in fresh]
        differences += [(price, size) for price, (size, _) in fresh.items() if before.get(price, (0, 0))[0] != size]
        self._entries, self.base_ms = fresh, time_ms
        self._order = sorted(price * self._sign for price, (size, _) in fresh.items() if size)
        self.best = self._order[-1] * self._sign if self._order else self.empty
        return differences

    def clear(self) -> None:
        self._entries, self._order, self.base_ms, self.best = {}, [], 0, self.empty

    def levels(self) -> tuple[Level, ...]:
        """All levels, best first."""
        entries, sign = self._entries, self._sign
        return tuple(Level(key * sign, entries[key * sign][0]) for key in reversed(self._order))


class StreamBook:
    """Both sides of a token, the time of its last whole book, and that of its newest message."""

    __slots__ = ("asks", "base_ms", "bids", "time_ms")

    def __init__(self) -> None:
        self.bids = BookSide(1, NO_BID)
        self.asks = BookSide(-1, NO_ASK)
        # None: there is no whole book yet; changes are collected and applied to it when it comes.
        self.base_ms: int | None = None
        self.time_ms = 0

    @property
    def crossed(self) -> bool:
        """Whether bids and asks meet, which means that a change was missed."""
        return self.bids.best >= self.asks.best

    @property
    def too_large(self) -> bool:
        return len(self.bids) > PRICES_MAX or len(self.asks) > PRICES_MAX

    def load(self, book: OrderBook) -> list[tuple[Side, int, int]]:
        """Load a whole book, keeping later changes; return (side, price, size) of every difference to before."""
        differences = [(Side.BUY, price, size) for price, size in self.bids.replace(book.bids, book.time_ms)]
        differences += [(Side.SELL, price, size) for price, size in self.asks.replace(book.asks, book.time_ms)]
        self.base_ms = book.time_ms
        self.time_ms = max(self.time_ms, book.time_ms)
        return differences

    def clear(self) -> None:
        """Drop everything, the times too."""
        self.bids.clear()
        self.asks.clear()
        self.base_ms, self.time_ms = None, 0

    def same(self, book: OrderBook) -> bool:
        """Whether a book has the same levels. Times and hashes are not compared: the venue has changed how it hashes."""
        return self.bids.levels() == book.bids and self.asks.levels() == book.asks
