"""One token's book as the stream keeps it: sizes by price, the best always at hand, late messages told from news."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable

from prescient.domain.market import Level, OrderBook, Side
from prescient.wire.stream_messages import NO_ASK, NO_BID

# A side that names more prices than this is no book of the venue (its finest grid has 9,999).
PRICES_MAX = 20_000


class BookSide:
    """Bids or asks. ``best`` is in micro, ``empty`` when there is none.

    ``times`` holds when each price was last changed, gone ones included, since the last whole book: the venue numbers
    nothing, so a change older than what a price already has is how a late message is known.
    """

    __slots__ = ("_order", "_sign", "best", "empty", "sizes", "times")

    def __init__(self, sign: int, empty: int) -> None:
        self.sizes: dict[int, int] = {}
        self.times: dict[int, int] = {}
        self.best = empty
        self.empty = empty
        # Ascending for bids, negated and ascending for asks: the best is always the last.
        self._order: list[int] = []
        self._sign = sign

    def put(self, price_micro: int, size_micro: int, time_ms: int) -> bool:
        """Set one price's size, zero to remove it; returns whether that changed anything."""
        self.times[price_micro] = time_ms
        sizes, order = self.sizes, self._order
        if size_micro:
            old = sizes.get(price_micro)
            if old == size_micro:
                return False
            sizes[price_micro] = size_micro
            if old is not None:
                return True
            insort(order, price_micro * self._sign)
            self.best = order[-1] * self._sign
            return True
        if sizes.pop(price_micro, None) is None:
            return False
        key = price_micro * self._sign
        if order[-1] == key:
            order.pop()
            self.best = order[-1] * self._sign if order else self.empty
        else:
            del order[bisect_left(order, key)]
        return True

    def replace(self, levels: Iterable[Level], time_ms: int) -> list[tuple[int, int]]:
        """Take a whole side as of a time, keep what changed later; returns (price, new size) of every difference."""
        before, fresh = self.sizes, dict(levels)
        later = {price: changed_ms for price, changed_ms in self.times.items() if changed_ms > time_ms}
        for price in later:
            size = before.get(price)
            if size is None:
                fresh.pop(price, None)
            else:
                fresh[price] = size
        differences = [(price, 0) for price in before if price not in fresh]
        differences += [(price, size) for price, size in fresh.items() if before.get(price) != size]
        self.sizes, self.times = fresh, later
        self._order = sorted(price * self._sign for price in fresh)
        self.best = self._order[-1] * self._sign if self._order else self.empty
        return differences

    def clear(self) -> None:
        self.sizes, self.times, self._order, self.best = {}, {}, [], self.empty

    def levels(self) -> tuple[Level, ...]:
        """All levels, best first."""
        sizes, sign = self.sizes, self._sign
        return tuple(Level(key * sign, sizes[key * sign]) for key in reversed(self._order))

    def same(self, levels: tuple[Level, ...]) -> bool:
        return self.sizes == dict(levels)


class StreamBook:
    """Both sides of a token, the time of its last whole book, and that of its newest message."""

    __slots__ = ("asks", "base_ms", "bids", "time_ms")

    def __init__(self) -> None:
        self.bids = BookSide(1, NO_BID)
        self.asks = BookSide(-1, NO_ASK)
        # None: there is no whole book yet; changes are collected, to be laid over it when it comes.
        self.base_ms: int | None = None
        self.time_ms = 0

    @property
    def crossed(self) -> bool:
        """Whether bids and asks meet: then something was missed."""
        return self.bids.best >= self.asks.best

    @property
    def overfull(self) -> bool:
        return len(self.bids.times) > PRICES_MAX or len(self.asks.times) > PRICES_MAX

    def load(self, book: OrderBook) -> list[tuple[Side, int, int]]:
        """Take a whole book, laying later changes over it; returns (side, price, size) of every difference to before."""
        differences = [(Side.BUY, price, size) for price, size in self.bids.replace(book.bids, book.time_ms)]
        differences += [(Side.SELL, price, size) for price, size in self.asks.replace(book.asks, book.time_ms)]
        self.base_ms = book.time_ms
        self.time_ms = max(self.time_ms, book.time_ms)
        return differences

    def clear(self) -> None:
        """Forget everything, the times too."""
        self.bids.clear()
        self.asks.clear()
        self.base_ms, self.time_ms = None, 0

    def same(self, book: OrderBook) -> bool:
        """Whether a book has the same levels. Times and hashes are not compared: contents prove, hashes change their recipe."""
        return self.bids.same(book.bids) and self.asks.same(book.asks)
