"""How a taker order meets a book: level by level, best first, at the makers' prices, minus what we took before.

The paper venue and, later, the backtest use it as it stands. Time is an argument, nothing is fetched.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from polymarket_kit.fees import taker_fee
from polymarket_kit.model import FeeSchedule, Level, Side
from polymarket_kit.values import MICRO, divide_down, multiply_down, multiply_up
from prescient.domain.market import OrderBook
from prescient.domain.order import Consumption, Fill


@dataclass(frozen=True, slots=True)
class Walk:
    """What a taker order got. ``complete`` means nothing that could still be bought or sold was left over."""

    fills: tuple[Fill, ...]
    complete: bool
    # Shares taken by price, in the walked book's own prices.
    taken: dict[int, int]

    @property
    def size_micro(self) -> int:
        return sum(fill.size_micro for fill in self.fills)

    @property
    def cost_micro(self) -> int:
        return sum(fill.cost_micro for fill in self.fills)

    @property
    def fee_micro(self) -> int:
        return sum(fill.fee_micro for fill in self.fills)


def walk(
    levels: Sequence[Level],
    side: Side,
    limit_price_micro: int,
    fees: FeeSchedule,
    *,
    amount_micro: int = 0,
    size_micro: int = 0,
) -> Walk:
    """Take levels (best first) up to the limit, for dollars (BUY only) or for shares.

    A BUY pays rounded up, a SELL is paid rounded down, each match's fee is the venue's own. Price improvement is
    the taker's: each match happens at the level's price.
    """
    assert (amount_micro == 0) != (size_micro == 0)
    assert side is Side.BUY or size_micro > 0
    dollars_left, shares_left = amount_micro, size_micro
    fills: list[Fill] = []
    taken: dict[int, int] = {}
    complete = False
    for price, available in levels:
        worse = price > limit_price_micro if side is Side.BUY else price < limit_price_micro
        if worse:
            break
        wanted = divide_down(dollars_left, price) if amount_micro else shares_left
        size = min(wanted, available)
        if size > 0:
            cost = multiply_up(size, price) if side is Side.BUY else multiply_down(size, price)
            fills.append(Fill(price, size, cost, taker_fee(fees, size, price)))
            taken[price] = taken.get(price, 0) + size
            dollars_left -= cost if amount_micro else 0
            shares_left -= size if size_micro else 0
        if size == wanted:
            complete = True
            break
    result = Walk(tuple(fills), complete, taken)
    assert not amount_micro or 0 <= result.cost_micro <= amount_micro
    assert not size_micro or 0 <= result.size_micro <= size_micro
    return result


def book_side(book: OrderBook, side: Side, first_token_id: str) -> tuple[str, bool]:
    """Name the side of the unified book that an order takes from, and whether this book is its mirror.

    One market has one book: a NO ask at p is a YES bid at 1-p, so taking either takes the same shares.
    """
    mirrored = book.token_id != first_token_id
    takes_asks = (side is Side.BUY) != mirrored
    return ("asks" if takes_asks else "bids"), mirrored


def without_own(levels: Sequence[Level], memory: Consumption, mirrored: bool) -> tuple[list[Level], Consumption]:
    """Subtract what we already took, and forget it at levels that grew since we last saw them.

    The venue's book does not know about paper fills: it still shows the shares that we took. They stay taken until
    a later book shows the level with more on it, which can only be somebody's new order.
    """
    remaining: list[Level] = []
    kept: dict[int, tuple[int, int]] = {}
    for price, displayed in levels:
        key = MICRO - price if mirrored else price
        taken, seen = memory.levels.get(key, (0, 0))
        if displayed > seen:
            taken = 0
        if taken:
            kept[key] = (min(taken, displayed), displayed)
        left = displayed - taken
        if left > 0:
            remaining.append(Level(price, left))
    return remaining, Consumption(memory.token_id, memory.side, kept)


def with_taken(memory: Consumption, levels: Sequence[Level], taken: dict[int, int], mirrored: bool) -> Consumption:
    """Add what a walk took to the memory, with the size that the level displayed at that moment."""
    displayed = dict(levels)
    result = dict(memory.levels)
    for price, size in taken.items():
        key = MICRO - price if mirrored else price
        before, _ = result.get(key, (0, 0))
        result[key] = (before + size, displayed[price])
        assert result[key][0] <= displayed[price]
    return Consumption(memory.token_id, memory.side, result)


def with_level(memory: Consumption, price_micro: int, displayed_micro: int, deeper: Sequence[Level]) -> Consumption:
    """Take in that one level has changed, message by message: what we took stays taken until the level grows.

    When others take from a level of which we took before, they would not have found those shares: what the level can no
    longer hold against us moves on to the next worse levels, ``deeper``, as their orders would have. Prices are those of
    the memory, the first token's.
    """
    taken, seen = memory.levels.get(price_micro, (0, 0))
    if not taken:
        return memory
    levels = dict(memory.levels)
    del levels[price_micro]
    if displayed_micro > seen:
        return Consumption(memory.token_id, memory.side, levels)
    kept = min(taken, displayed_micro)
    if kept:
        levels[price_micro] = kept, displayed_micro
    excess = taken - kept
    for price, displayed in deeper:
        if excess == 0:
            break
        before, _ = levels.get(price, (0, 0))
        moved = min(excess, max(displayed - before, 0))
        if moved:
            levels[price] = before + moved, displayed
        excess -= moved
    return Consumption(memory.token_id, memory.side, levels)
