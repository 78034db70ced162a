"""One market's unified book, aggregated by price: a bid for the first outcome at p is an offer of the second at 1-p.

Kept behind this small class so that a matching engine with single orders can take its place.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from polymarket_kit.values import MICRO


class Take(NamedTuple):
    """What a taker got: shares, dollars and the worst price touched, all in micro."""

    size_micro: int
    notional_micro: int
    last_price_micro: int


class UnifiedBook(msgspec.Struct):
    """Levels in terms of the first outcome, worst level first and best last on both sides, as the wire has them."""

    bid_prices: list[int] = []
    bid_sizes: list[int] = []
    ask_prices: list[int] = []
    ask_sizes: list[int] = []

    @property
    def best_bid_micro(self) -> int:
        """The highest bid, 0 when there is none."""
        return self.bid_prices[-1] if self.bid_prices else 0

    @property
    def best_ask_micro(self) -> int:
        """The lowest ask, 1,000,000 when there is none."""
        return self.ask_prices[-1] if self.ask_prices else MICRO

    @property
    def midpoint_micro(self) -> int:
        """Half way between the best prices; a missing side counts as 0 or 1, as in the venue's catalogue."""
        return (self.best_bid_micro + self.best_ask_micro) // 2

    def quote(self, bid_prices: list[int], bid_sizes: list[int], ask_prices: list[int], ask_sizes: list[int]) -> None:
        """Replace what the makers show. Prices run from the worst level to the best."""
        if bid_prices and ask_prices:
            assert bid_prices[-1] < ask_prices[-1], "a quote may never cross itself"
        self.bid_prices = bid_prices
        self.bid_sizes = bid_sizes
        self.ask_prices = ask_prices
        self.ask_sizes = ask_sizes

    def take(self, is_buy: bool, size_micro: int, limit_micro: int) -> Take:
        """Match a taker of the first outcome against resting levels, best first, up to the limit price."""
        prices, sizes = (self.ask_prices, self.ask_sizes) if is_buy else (self.bid_prices, self.bid_sizes)
        if prices and size_micro < sizes[-1] and (prices[-1] <= limit_micro if is_buy else prices[-1] >= limit_micro):
            sizes[-1] -= size_micro
            return Take(size_micro, size_micro * prices[-1] // MICRO, prices[-1])
        left, notional, last = size_micro, 0, 0
        while left > 0 and prices:
            price = prices[-1]
            if (price > limit_micro) if is_buy else (price < limit_micro):
                break
            matched = min(left, sizes[-1])
            last = price
            left -= matched
            notional += matched * price // MICRO
            if matched == sizes[-1]:
                prices.pop()
                sizes.pop()
            else:
                sizes[-1] -= matched
        return Take(size_micro - left, notional, last)

    def worth_micro(self) -> int:
        """The money behind all resting orders, which is what the venue's catalogue calls liquidity."""
        bids = sum(map(int.__mul__, self.bid_prices, self.bid_sizes))
        asks = MICRO * sum(self.ask_sizes) - sum(map(int.__mul__, self.ask_prices, self.ask_sizes))
        return (bids + asks) // MICRO

    def sides(self, outcome_index: int) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """Bids and asks of one outcome as (price, size), worst first; the second outcome sees the mirror."""
        bids = list(zip(self.bid_prices, self.bid_sizes, strict=True))
        asks = list(zip(self.ask_prices, self.ask_sizes, strict=True))
        if outcome_index == 0:
            return bids, asks
        return [(MICRO - price, size) for price, size in asks], [(MICRO - price, size) for price, size in bids]

    def clear(self) -> None:
        self.quote([], [], [], [])
