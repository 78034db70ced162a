"""What the venue answers when it says no: its own texts with their HTTP status, as values with a stable code.

The practice exchange and the paper venue answer with these, so that one rule has one code and one text everywhere.
"""

from __future__ import annotations

import msgspec

from polymarket_kit.values import micro_to_text

FOK_KILLED = "order couldn't be fully filled. FOK orders are fully filled or killed."
FAK_KILLED = "no orders found to match with FAK order. FAK orders are partially filled or killed if no match is found."
ALREADY_MATCHED = "order already matched"
NOT_FOUND = "Order not found or already canceled"
# The venue's text for a cancel during the taker delay is not documented; this is its own text about that delay.
STILL_DELAYED = "order match delayed due to market conditions"


class Rejection(msgspec.Struct, frozen=True, gc=False):
    """A definitive no. ``code`` is ours and stable, ``text`` the venue's words, ``status`` its HTTP status.

    ``retry_after_s`` is set only in the post-only window after a restart.
    """

    code: str
    text: str
    status: int = 400
    retry_after_s: int = 0


# One text for two rules: the venue has never heard of the token, or its market is closed and its book gone.
NO_ORDERBOOK = "No orderbook exists for the requested token id"
MARKET_NOT_FOUND = Rejection("market_not_found", NO_ORDERBOOK, 404)
MARKET_CLOSED = Rejection("market_closed", NO_ORDERBOOK, 404)
# The market has a book and takes no orders: not yet, or not now.
NOT_READY = Rejection("market_closed", "the market is not yet ready to process new orders")
INVALID_TOKEN = Rejection("unknown_token", "Invalid token id")
INVALID_SIDE = Rejection("invalid_side", "Invalid side")
INVALID_PAYLOAD = Rejection("invalid_order", "Invalid order payload")
INVALID_ORDER_ID = Rejection("invalid_order_id", "Invalid orderID")
INVALID_EXPIRATION = Rejection("invalid_expiration", "invalid expiration")
POST_ONLY_CROSSES = Rejection("post_only_crosses", "invalid post-only order: order crosses book")
# One code, told apart by the text.
KILLED_FOK = Rejection("not_filled", FOK_KILLED)
KILLED_FAK = Rejection("not_filled", FAK_KILLED)
MATCH_DELAYED = Rejection("match_delayed", STILL_DELAYED)
RESTARTING = Rejection("restarting", "service not ready", 425)
DISABLED = Rejection("disabled", "Trading is currently disabled. Check polymarket.com for updates", 503)
CANCEL_ONLY = Rejection(
    "cancel_only", "Trading is currently cancel-only. New orders are not accepted, but cancels are allowed.", 503
)
# Faults of the venue's own machinery: never caused by an order, given out only where a fault is asked for.
ORDER_TIMED_OUT = Rejection("order_timed_out", "order timed out", 500)
COULD_NOT_RUN = Rejection("could_not_run", "could not run the execution", 500)
COULD_NOT_INSERT = Rejection("could_not_insert", "could not insert order", 500)
NO_MATCHING_ORDERS = Rejection("no_matching_orders", "there are no matching orders", 500)
ROUNDING_ISSUES = Rejection("rounding_issues", "the trade contains rounding issues", 500)
FAULTS = (ORDER_TIMED_OUT, COULD_NOT_RUN, COULD_NOT_INSERT, NO_MATCHING_ORDERS, ROUNDING_ISSUES)


def post_only_mode(retry_after_s: int) -> Rejection:
    text = "post-only mode: only post-only orders and cancels are allowed"
    return Rejection("post_only_mode", text, 503, retry_after_s)


def banned(account_id: str) -> Rejection:
    return Rejection("banned", f"'{account_id}' address banned")


def closed_only(account_id: str) -> Rejection:
    return Rejection("closed_only", f"'{account_id}' address in closed only mode")


def duplicated(order_id: str) -> Rejection:
    return Rejection("duplicated", f"order {order_id} is invalid. Duplicated.")


def crosses_the_book(order_id: str) -> Rejection:
    return Rejection("crosses_the_book", f"order {order_id} crosses the book")


def too_many_orders(count: int) -> Rejection:
    return Rejection("too_many_orders", f"Too many orders in payload: {count}, max allowed: 15")


def size_too_small(order_id: str, size_micro: int, minimum_micro: int) -> Rejection:
    text = f"Size ({micro_to_text(size_micro)}) lower than the minimum: {micro_to_text(minimum_micro)}"
    return Rejection("size_too_small", f"order {order_id} is invalid. {text}")


def price_off_grid(order_id: str, dollars_micro: int, shares_micro: int, tick_micro: int) -> Rejection:
    """The venue prints the price that it computed from the two amounts, with 16 decimals."""
    digits = 10**16
    scaled = (2 * dollars_micro * digits + shares_micro) // (2 * shares_micro)
    whole, fraction = divmod(scaled, digits)
    price = f"{whole}.{fraction:016d}".rstrip("0").rstrip(".")
    text = f"Price ({price}) breaks minimum tick size rule: {micro_to_text(tick_micro)}"
    return Rejection("price_off_grid", f"order {order_id} is invalid. {text}")


def amount_precision(kind: str, maker_decimals: int, taker_decimals: int) -> Rejection:
    """``kind`` is "buy", "sell", "market buy" or "market sell"."""
    return Rejection(
        "amount_precision",
        f"invalid amounts, the {kind} orders maker amount supports a max accuracy of {maker_decimals} decimals, "
        f"taker amount a max of {taker_decimals} decimals",
    )


def below_minimum(dollars_micro: int) -> Rejection:
    text = f"invalid amount for a marketable BUY order (${micro_to_text(dollars_micro)}), min size: $1"
    return Rejection("below_minimum", text)


def _shortfall(
    code: str, what: str, held_micro: int, active_micro: int, matched_micro: int, order_micro: int
) -> Rejection:
    parts = [f"{what}: {held_micro}"]
    if active_micro:
        parts.append(f"sum of active orders: {active_micro}")
    if matched_micro:
        parts.append(f"sum of matched orders: {matched_micro}")
    label = "order amount (inc. fees)" if len(parts) > 1 else "order amount"
    parts.append(f"{label}: {order_micro}")
    return Rejection(code, f"not enough balance / allowance: the {what} is not enough -> {', '.join(parts)}")


def balance_too_small(balance_micro: int, active_micro: int, matched_micro: int, order_micro: int) -> Rejection:
    """Amounts in the venue's base units, which are micro; terms of zero are left out."""
    return _shortfall("not_enough_balance", "balance", balance_micro, active_micro, matched_micro, order_micro)


def allowance_too_small(allowance_micro: int, active_micro: int, matched_micro: int, order_micro: int) -> Rejection:
    """As for the balance, with the allowance given to the exchange's contract."""
    return _shortfall("not_enough_allowance", "allowance", allowance_micro, active_micro, matched_micro, order_micro)
