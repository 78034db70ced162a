"""One book per market for both tokens: two ladders of bids, one per token, with single orders in price-time priority.

A SELL of one token at p is a bid for the other at 1-p, so every order is a bid on one of two ladders. Two bids meet when
their prices sum to a dollar or more. Best prices are then always the highest, on both ladders.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterator

from polymarket_kit.model import Level as PriceLevel
from practice_exchange.engine.orders import POINT_MICRO, POINTS, Order, OrderState

LIVE = OrderState.LIVE
# A level whose queue is longer than twice its orders, plus this, is swept clean of those that have gone.
DEAD_ALLOWED = 32


class Level:
    """The orders at one price, oldest first. A cancelled one stays in the queue until it is met or swept."""

    __slots__ = ("count", "queue", "size_micro")

    def __init__(self) -> None:
        self.queue: deque[Order] = deque()
        self.count = 0
        self.size_micro = 0

    def sweep(self) -> None:
        """Forget the orders that have gone."""
        self.queue = deque(order for order in self.queue if order.status is LIVE)


class Ladder:
    """All bids for one token. ``points`` are the prices in use, ascending: the best is the last."""

    __slots__ = ("levels", "points")

    def __init__(self) -> None:
        self.levels: dict[int, Level] = {}
        self.points: list[int] = []

    def open_level(self, points: int) -> Level:
        """Make a price that nobody uses yet."""
        level = self.levels[points] = Level()
        insort(self.points, points)
        return level

    def add(self, order: Order) -> int:
        """Append an order to its price level; return the level's new size."""
        level = self.levels.get(order.points) or self.open_level(order.points)
        level.queue.append(order)
        level.count += 1
        level.size_micro += order.size_micro - order.matched_micro
        return level.size_micro

    def remove(self, points: int, size_micro: int) -> int:
        """Remove an order whose status is already final; return the level's new size."""
        level = self.levels[points]
        level.size_micro = total_micro = level.size_micro - size_micro
        level.count = count = level.count - 1
        if count == 0:
            assert total_micro == 0
            self.drop(points)
        elif len(level.queue) > 2 * count + DEAD_ALLOWED:
            level.sweep()
        return total_micro

    def drop(self, points: int) -> None:
        """Forget an empty price."""
        del self.levels[points]
        prices = self.points
        if prices[-1] == points:
            prices.pop()
        else:
            del prices[bisect_left(prices, points)]

    def orders(self) -> Iterator[Order]:
        """All resting orders, best price first, then by time."""
        for points in reversed(self.points):
            for order in self.levels[points].queue:
                if order.status is LIVE:
                    yield order


def token_levels(ladders: tuple[Ladder, Ladder], token_index: int) -> tuple[list[PriceLevel], list[PriceLevel]]:
    """One token's bids and asks, best first, as its own book shows them; the other token's is the mirror."""
    own, other = ladders[token_index], ladders[1 - token_index]
    bids = [PriceLevel(points * POINT_MICRO, own.levels[points].size_micro) for points in reversed(own.points)]
    asks = [
        PriceLevel((POINTS - points) * POINT_MICRO, other.levels[points].size_micro)
        for points in reversed(other.points)
    ]
    return bids, asks
