"""The venue's order rules as pure checks: grid, precision, minimum sizes (venue document "order rules", 2.9).

The texts are the venue's own, so that paper says what live would say.
"""

from __future__ import annotations

from polymarket_kit.model import OrderType, Side
from polymarket_kit.values import MICRO, micro_to_text
from prescient.domain.market import TradingRules
from prescient.domain.order import OrderIntent, Rejected

MARKETABLE_MINIMUM_MICRO = MICRO
# Market orders: the maker amount has at most two decimals, whatever the tick.
MARKET_AMOUNT_STEP_MICRO = 10_000
# Orders that may rest: sizes have two decimals. One with an end leaves the book early, and must name it well ahead.
SIZE_STEP_MICRO = 10_000
# Decimals of a limit order's dollars by tick: those of the price and the two of the size.
DOLLAR_DECIMALS = {100_000: 3, 10_000: 4, 5_000: 5, 2_500: 6, 1_000: 5, 100: 6}
EXPIRES_EARLY_S = 60
EXPIRATION_AHEAD_S = 180


def floor_to(value_micro: int, step_micro: int) -> int:
    """Round down to a multiple of a step."""
    return value_micro // step_micro * step_micro


def ceil_to(value_micro: int, step_micro: int) -> int:
    """Round up to a multiple of a step."""
    return -(-value_micro // step_micro) * step_micro


def worst_price(side: Side, reference_micro: int, slippage_micro: int, tick_micro: int) -> int:
    """Return the limit for a taker order: the reference moved against us by the slippage, on the grid, inside [tick, 1-tick].

    ``slippage_micro`` is a share of the price (20,000 is 2 %).
    """
    moved = reference_micro * slippage_micro // MICRO
    if side is Side.BUY:
        limit = max(floor_to(reference_micro + moved, tick_micro), ceil_to(reference_micro, tick_micro))
    else:
        limit = min(ceil_to(reference_micro - moved, tick_micro), floor_to(reference_micro, tick_micro))
    return min(max(limit, tick_micro), MICRO - tick_micro)


def check_taker_order(intent: OrderIntent, rules: TradingRules) -> Rejected | None:
    """Return the venue's refusal of a FAK or FOK order, or None."""
    if intent.token_id not in rules.token_ids:
        return Rejected("unknown_token", "Invalid token id")
    if not rules.accepting_orders:
        return Rejected("market_closed", "the market is not accepting orders")
    off_grid = check_grid(intent, rules)
    if off_grid is not None:
        return off_grid
    price = intent.limit_price_micro
    if intent.amount_micro % MARKET_AMOUNT_STEP_MICRO or intent.size_micro % MARKET_AMOUNT_STEP_MICRO:
        return Rejected(
            "amount_precision",
            "invalid amounts, the market buy orders maker amount supports a max accuracy of 2 decimals, "
            "taker amount a max of 4 decimals",
        )
    if intent.side is Side.BUY:
        dollars = intent.amount_micro or intent.size_micro * price // MICRO
        if dollars < MARKETABLE_MINIMUM_MICRO:
            return Rejected(
                "below_minimum", f"invalid amount for a marketable BUY order (${micro_to_text(dollars)}), min size: $1"
            )
    elif intent.size_micro <= 0:
        return Rejected("below_minimum", "invalid amount for a marketable SELL order, nothing to sell")
    return None


def check_limit_order(intent: OrderIntent, rules: TradingRules, now_s: float) -> Rejected | None:
    """Return the venue's refusal of a GTC or GTD order for what it says alone, or None. Its book is another matter."""
    if intent.token_id not in rules.token_ids:
        return Rejected("unknown_token", "Invalid token id")
    if not rules.accepting_orders:
        return Rejected("market_closed", "the market is not accepting orders")
    off_grid = check_grid(intent, rules)
    if off_grid is not None:
        return off_grid
    if intent.amount_micro or intent.size_micro <= 0 or intent.size_micro % SIZE_STEP_MICRO:
        dollars, buys = DOLLAR_DECIMALS.get(rules.tick_micro, 6), intent.side is Side.BUY
        made, taken = (dollars, 2) if buys else (2, dollars)
        return Rejected(
            "amount_precision",
            f"invalid amounts, the {'buy' if buys else 'sell'} orders maker amount supports a max accuracy of {made} decimals, "
            f"taker amount a max of {taken} decimals",
        )
    ends = intent.order_type is OrderType.GTD
    if ends != bool(intent.expiration_s) or (ends and intent.expiration_s < now_s + EXPIRATION_AHEAD_S):
        return Rejected("invalid_expiration", "invalid expiration")
    return None


def check_grid(intent: OrderIntent, rules: TradingRules) -> Rejected | None:
    """Return the venue's refusal of a price that is not on the market's grid, or None."""
    price, tick = intent.limit_price_micro, rules.tick_micro
    if price % tick or not tick <= price <= MICRO - tick:
        return Rejected(
            "price_off_grid",
            f"order {intent.order_id} is invalid. Price ({micro_to_text(price)}) "
            f"breaks minimum tick size rule: {micro_to_text(tick)}",
        )
    return None


def check_crossing(intent: OrderIntent, minimum_size_micro: int, *, crosses: bool) -> Rejected | None:
    """Return the refusal that depends on whether a limit order meets another one at once, or None."""
    if crosses and intent.post_only:
        return Rejected("post_only_crosses", "invalid post-only order: order crosses book")
    if not crosses and intent.size_micro < minimum_size_micro:
        return Rejected(
            "size_too_small",
            f"order {intent.order_id} is invalid. Size ({micro_to_text(intent.size_micro)}) "
            f"lower than the minimum: {micro_to_text(minimum_size_micro)}",
        )
    dollars = intent.size_micro * intent.limit_price_micro // MICRO
    if crosses and intent.side is Side.BUY and dollars < MARKETABLE_MINIMUM_MICRO:
        text = micro_to_text(dollars)
        return Rejected("below_minimum", f"invalid amount for a marketable BUY order (${text}), min size: $1")
    return None
