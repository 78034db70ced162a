"""An intent as a client would sign it: its two amounts, by which the venue's rules judge it, and the limit that they carry.

Stands before book.py and queue.py: what passes here is matched or waits there.
"""

from __future__ import annotations

from polymarket_kit.model import OrderType, Side
from polymarket_kit.rejections import Rejection
from polymarket_kit.rules import (
    MARKET_MAKER_STEP_MICRO,
    MARKET_TAKER_STEP_MICRO,
    Amounts,
    admit_market,
    limit_expires_ms,
    market_price,
    refuse_limit,
)
from polymarket_kit.values import MICRO
from prescient.domain.order import OrderIntent

LIMIT_TYPES = (OrderType.GTC, OrderType.GTD)


def amounts_of(intent: OrderIntent) -> Amounts:
    """Return what is signed for an intent. Nothing is mended: what is off the grid or too precise stays so.

    A BUY for shares that must fill at once (a leg of a set) gives whole cents, as every market order does; the venue then
    spends them all, paper takes exactly the shares.
    """
    price, size, buys = intent.limit_price_micro, intent.size_micro, intent.side is Side.BUY
    if intent.order_type in LIMIT_TYPES:
        dollars, shares = size * price // MICRO, size
        return Amounts(dollars, shares) if buys else Amounts(shares, dollars)
    if buys and size:
        cents = size * price // MICRO // MARKET_MAKER_STEP_MICRO * MARKET_MAKER_STEP_MICRO
        return Amounts(max(cents, MARKET_MAKER_STEP_MICRO), size)
    given = intent.amount_micro if buys else size
    taken = given * MICRO // price if buys else given * price // MICRO
    return Amounts(given, taken // MARKET_TAKER_STEP_MICRO * MARKET_TAKER_STEP_MICRO)


def limit_of(intent: OrderIntent, tick_micro: int) -> int:
    """Return the worst price at which the venue lets an accepted intent trade: a market order's own, on the grid."""
    if intent.order_type in LIMIT_TYPES:
        return intent.limit_price_micro
    if intent.side is Side.BUY and intent.size_micro:
        return intent.limit_price_micro // tick_micro * tick_micro
    dollars, shares = amounts_of(intent).dollars_and_shares(intent.side)
    return market_price(intent.side, dollars, shares, tick_micro)


def refuse_intent(intent: OrderIntent, tick_micro: int, now_ms: int) -> Rejection | None:
    """Return the venue's refusal of what an intent says by itself, or None."""
    amounts = amounts_of(intent)
    if intent.order_type not in LIMIT_TYPES:
        limit = admit_market(intent.order_id, intent.side, amounts, tick_micro, intent.expiration_s, intent.post_only)
        return limit if isinstance(limit, Rejection) else None
    refusal = refuse_limit(intent.order_id, intent.side, amounts, tick_micro)
    if refusal is None:
        expires_ms = limit_expires_ms(intent.order_type, intent.expiration_s, now_ms)
        refusal = expires_ms if isinstance(expires_ms, Rejection) else None
    return refusal
