"""What a taker would take, price by price, if it were let in: nothing is changed here."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil, floor

from tests.exchange.second_opinion.flow import BUY, PlaceOrder
from tests.exchange.second_opinion.orders import Order, is_market, queue


@dataclass
class Level:
    """What a taker would take at one price, and its own orders that it would come to there."""

    price: Fraction
    takes: list[tuple[Order, int]] = field(default_factory=list)
    own: list[Order] = field(default_factory=list)

    @property
    def size(self) -> int:
        """All shares taken at this price."""
        return sum(size for _, size in self.takes)

    def money(self, side: str) -> int:
        """What the taker pays (rounded up) or is paid (rounded down), once for the price."""
        exact = self.size * self.price
        return ceil(exact) if side == BUY else floor(exact)


@dataclass
class Plan:
    """A taker's levels, and what is then left of it: shares, or the dollars of a market BUY."""

    levels: list[Level]
    left: int

    @property
    def trades(self) -> list[Level]:
        """The levels at which something is traded."""
        return [level for level in self.levels if level.takes]


def walk(order: Order, place: PlaceOrder, book: list[Order]) -> Plan:
    """Walk the queue price by price, until the order's shares (or dollars) are used up."""
    spends = is_market(place) and place.side == BUY
    plan = Plan([], place.maker_amount if spends else order.left)
    crossed = queue(order, book)
    for price in dict.fromkeys(price for price, _ in crossed):
        level = Level(price)
        wanted = floor(plan.left / price) if spends else plan.left
        for maker in [maker for at, maker in crossed if at == price]:
            if not wanted:
                break
            if maker.account == order.account:
                level.own.append(maker)
                continue
            size = min(wanted, maker.left)
            level.takes.append((maker, size))
            wanted -= size
        plan.levels.append(level)
        plan.left -= level.money(BUY) if spends else level.size
    return plan
