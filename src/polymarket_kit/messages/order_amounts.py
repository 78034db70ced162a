"""A price and a size become an order's two amounts, and back: the venue's rounding by tick (its rules, 2.9), in whole numbers.

Amounts are micro-units, which are the wire's base units. The official V2 client does the same in floats and loses a
cent on one size in seventeen (16.90 becomes 16.89); tests name each difference.
"""

from __future__ import annotations

from polymarket_kit.model import Side
from polymarket_kit.rules import (
    MARKET_MAKER_STEP_MICRO,
    MARKET_TAKER_DECIMALS_MAX,
    ROUNDING,
    SIZE_STEP_MICRO,
    Amounts,
    Rounding,
    on_grid,
)
from polymarket_kit.values import MICRO, MICRO_MAX, micro_to_text


def limit_amounts(side: Side, price_micro: int, size_micro: int, tick_micro: int) -> Amounts:
    """Return the amounts of a limit order (GTC, GTD): the size rounded down to two decimals, times the price.

    The dollars are exact: two decimals times the price's are never more than the tick's dollars may have, so the
    rounding that the venue describes for more has nothing to do. Raises ValueError for a price off the grid, for a tick
    that the venue does not have, and for a size that leaves nothing or is out of range.
    """
    check_price(price_micro, tick_micro)
    shares = _rounded_down(size_micro, SIZE_STEP_MICRO, "size")
    dollars = shares * price_micro // MICRO
    return Amounts(dollars, shares) if side == Side.BUY else Amounts(shares, dollars)


def market_amounts(side: Side, price_micro: int, amount_micro: int, tick_micro: int) -> Amounts:
    """Return the amounts of a market order (FAK, FOK) whose worst price is ``price_micro``.

    ``amount_micro`` is what is given: dollars for a BUY, shares for a SELL; it is rounded down to two decimals. What is
    taken is rounded down to the tick's decimals, four at most. Fewer shares for the same dollars is a higher limit, never
    one below the ask that was meant, and by less than a tick unless the amount is tiny; fewer dollars is a lower one.
    Raises ValueError as for a limit order, and when what is taken rounds to nothing.
    """
    check_price(price_micro, tick_micro)
    given = _rounded_down(amount_micro, MARKET_MAKER_STEP_MICRO, "amount")
    step = 10 ** (6 - min(ROUNDING[tick_micro].amount, MARKET_TAKER_DECIMALS_MAX))
    # The venue's rule rounds up four places further first. No quotient by a grid price, whose denominator is below
    # 10,000, lies so close under the next step that this would carry it there, so one rounding down is the same.
    whole, part = (given * MICRO, price_micro) if side == Side.BUY else (given * price_micro, MICRO)
    taken = whole // (part * step) * step
    if taken == 0:
        raise ValueError(f"amount {micro_to_text(amount_micro)} is too small: what it takes rounds to nothing")
    return Amounts(given, taken)


def price_of_amounts(side: Side, amounts: Amounts, tick_micro: int) -> int | None:
    """Return the price that the venue computes from an order's amounts, dollars by shares, or None when it is off the grid.

    Exact for limit orders. A market order's price is nearly always off it: the venue takes the next grid price inside it.
    Raises ValueError for a tick that the venue does not have.
    """
    _rounding(tick_micro)
    dollars, shares = amounts if side == Side.BUY else (amounts.taker_micro, amounts.maker_micro)
    if shares <= 0:
        return None
    price, rest = divmod(dollars * MICRO, shares)
    return None if rest or not on_grid(price, tick_micro) else price


def check_price(price_micro: int, tick_micro: int) -> None:
    """Raise ValueError unless a price lies on the grid, between one tick and one less a tick, both included."""
    _rounding(tick_micro)
    if not on_grid(price_micro, tick_micro):
        price, tick, last = (micro_to_text(micro) for micro in (price_micro, tick_micro, MICRO - tick_micro))
        raise ValueError(f"price {price} is not on this market's grid: multiples of {tick} from {tick} to {last}")


def _rounding(tick_micro: int) -> Rounding:
    rounding = ROUNDING.get(tick_micro)
    if rounding is None:
        raise ValueError(f"the venue has no tick of {micro_to_text(tick_micro)}")
    return rounding


def _rounded_down(amount_micro: int, step_micro: int, name: str) -> int:
    rounded = amount_micro // step_micro * step_micro
    if not 0 < rounded <= MICRO_MAX:
        raise ValueError(f"{name} {micro_to_text(amount_micro)} must be at least 0.01 and within the venue's range")
    return rounded
