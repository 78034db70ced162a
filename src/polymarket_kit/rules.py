"""The venue's order rules, written once: ticks, precision, minimums, expirations, and the order in which they are checked.

Pure checks that answer with the venue's own refusal or None (venue documents "order rules" and "error codes").
"""

from __future__ import annotations

from typing import NamedTuple

from polymarket_kit.model import OrderType, Side
from polymarket_kit.rejections import (
    INVALID_EXPIRATION,
    INVALID_PAYLOAD,
    KILLED_FAK,
    KILLED_FOK,
    POST_ONLY_CROSSES,
    Rejection,
    amount_precision,
    below_minimum,
    price_off_grid,
    size_too_small,
)
from polymarket_kit.values import MICRO, MICRO_MAX

# An order is judged by its two signed amounts, for these are all that the venue has of it. It passes, in this order: the
# state of its market; ``refuse_limit`` and ``limit_expires_ms``, or ``admit_market``; the money behind it;
# ``refuse_at_book``; and, if it must fill, ``killed``. That decides which of two broken rules is told. The venue does not
# document it; what was seen of it, the grid before the precision of a limit order, is kept.


class Rounding(NamedTuple):
    """How many decimals price, size and dollars of a limit order have at a tick."""

    price: int
    size: int
    amount: int


# By tick, in micro-dollars; the venue has no other ticks.
ROUNDING = {
    100_000: Rounding(1, 2, 3),
    10_000: Rounding(2, 2, 4),
    5_000: Rounding(3, 2, 5),
    2_500: Rounding(4, 2, 6),
    1_000: Rounding(3, 2, 5),
    100: Rounding(4, 2, 6),
}
TICKS_MICRO = tuple(ROUNDING)
DOLLAR_DECIMALS_MAX = 6
# Sizes of limit orders have two decimals at every tick.
SIZE_STEP_MICRO = 10_000
# Market orders, whatever the tick: what is given has two decimals, what is taken four.
MARKET_MAKER_STEP_MICRO = 10_000
MARKET_TAKER_DECIMALS_MAX = 4
MARKET_TAKER_STEP_MICRO = 10 ** (6 - MARKET_TAKER_DECIMALS_MAX)
# How long a marketable order waits in a market with a taker delay (crypto; since 2026-09-04, 50 ms before that).
TAKER_DELAY_MS = 150
# The least that a BUY may be for which meets another order at once.
MARKETABLE_MINIMUM_MICRO = MICRO
# A GTD order names its end at least this far ahead, and leaves the book this much before it.
EXPIRATION_AHEAD_S = 180
EXPIRES_EARLY_S = 60


class Amounts(NamedTuple):
    """What an order gives and what it takes, in micro. A BUY gives dollars and takes shares, a SELL the other way round."""

    maker_micro: int
    taker_micro: int

    def dollars_and_shares(self, side: Side) -> tuple[int, int]:
        return (self.maker_micro, self.taker_micro) if side is Side.BUY else (self.taker_micro, self.maker_micro)


def on_grid(price_micro: int, tick_micro: int) -> bool:
    """Whether a price is a multiple of the tick, from one tick to a dollar less one tick, both included."""
    return price_micro % tick_micro == 0 and tick_micro <= price_micro <= MICRO - tick_micro


def refuse_limit(order_id: str, side: Side, amounts: Amounts, tick_micro: int) -> Rejection | None:
    """Return what is wrong with a limit order's amounts, or None.

    The price is dollars by shares and must be on the grid exactly. The grid comes before the precision: that is the
    refusal seen for amounts that break both. On the grid and with a size of two decimals the dollars have no more
    decimals than the tick allows, so only the size is looked at.
    """
    dollars, shares = amounts.dollars_and_shares(side)
    if not (0 < dollars <= MICRO_MAX and 0 < shares <= MICRO_MAX):
        return INVALID_PAYLOAD
    price, rest = divmod(dollars * MICRO, shares)
    if rest or not on_grid(price, tick_micro):
        return price_off_grid(order_id, dollars, shares, tick_micro)
    if shares % SIZE_STEP_MICRO:
        decimals = ROUNDING[tick_micro].amount if tick_micro in ROUNDING else DOLLAR_DECIMALS_MAX
        return amount_precision("buy", decimals, 2) if side is Side.BUY else amount_precision("sell", 2, decimals)
    return None


def limit_expires_ms(
    order_type: OrderType,
    expiration_s: int,
    now_ms: int,
    ahead_ms: int = EXPIRATION_AHEAD_S * 1000,
    early_ms: int = EXPIRES_EARLY_S * 1000,
) -> int | Rejection:
    """Return when a limit order leaves the book by itself (0: never), or the refusal of its expiration.

    A GTD order names its end, and a GTC order none.
    """
    if order_type is not OrderType.GTD:
        return INVALID_EXPIRATION if expiration_s else 0
    expiration_ms = expiration_s * 1000
    return INVALID_EXPIRATION if expiration_ms < now_ms + ahead_ms else expiration_ms - early_ms


def admit_market(
    order_id: str,
    side: Side,
    amounts: tuple[int, int],
    tick_micro: int,
    expiration_s: int = 0,
    post_only: bool = False,  # by position: this is on the exchange's busy path
) -> int | Rejection:
    """Return the worst grid price at which a market order (FOK, FAK) may trade, or what is wrong with it by itself.

    ``amounts`` as in ``Amounts``. Such an order cannot rest, so it has no end and is never post-only.
    """
    if expiration_s:
        return INVALID_EXPIRATION
    if post_only:
        return INVALID_PAYLOAD
    made, taken = amounts
    dollars, shares = (made, taken) if side is Side.BUY else (taken, made)
    if not (0 < dollars <= MICRO_MAX and 0 < shares <= MICRO_MAX):
        return INVALID_PAYLOAD
    if made % MARKET_MAKER_STEP_MICRO or taken % MARKET_TAKER_STEP_MICRO:
        return amount_precision("market buy" if side is Side.BUY else "market sell", 2, MARKET_TAKER_DECIMALS_MAX)
    price = market_price(side, dollars, shares, tick_micro)
    if not tick_micro <= price <= MICRO - tick_micro:
        return price_off_grid(order_id, dollars, shares, tick_micro)
    return price


def market_price(side: Side, dollars_micro: int, shares_micro: int, tick_micro: int) -> int:
    """Return the worst grid price inside a market order's own limit: down for a BUY, up for a SELL.

    Dollars by shares is nearly always off the grid. An order whose shares were rounded up has a limit a hair below the
    price that was meant, and never fills there. The result may lie outside the grid's two ends.
    """
    scaled, step = dollars_micro * MICRO, shares_micro * tick_micro
    return (scaled // step if side is Side.BUY else -(-scaled // step)) * tick_micro


def refuse_at_book(
    order_id: str,
    side: Side,
    order_type: OrderType,
    dollars_micro: int,
    shares_micro: int,
    minimum_size_micro: int,
    marketable_minimum_micro: int = MARKETABLE_MINIMUM_MICRO,
    *,
    crosses: bool,
    post_only: bool = False,
) -> Rejection | None:
    """Return the refusal that depends on whether an order meets another one at once, or None.

    The minimum size is for orders that rest, the dollar for a BUY that meets something: the venue refuses neither a small
    sale nor a small order that fills. A market order that meets nothing is killed, however small it is.
    """
    if not crosses:
        if order_type is OrderType.FOK or order_type is OrderType.FAK:
            return killed(order_type)
        too_small = shares_micro < minimum_size_micro
        return size_too_small(order_id, shares_micro, minimum_size_micro) if too_small else None
    if post_only:
        return POST_ONLY_CROSSES
    if side is Side.BUY and dollars_micro < marketable_minimum_micro:
        return below_minimum(dollars_micro)
    return None


def killed(order_type: OrderType) -> Rejection:
    """The end of a market order that got nothing, or of a FOK that would not get all."""
    return KILLED_FOK if order_type is OrderType.FOK else KILLED_FAK
