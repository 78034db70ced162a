"""Why something did or did not happen: every reason of the product with its text, in one enumeration.

A code is stable for programs and stored with each decision; a strategy of your own may add codes that are not here.
"""

from __future__ import annotations

from enum import StrEnum

# Before a reason for which a leg of a set, bought alone, could not be sold again.
SELL_BACK_PREFIX = "unwind_"


class Reason(StrEnum):
    """A code and what it means for a person: ``{number}`` is the number that decided, ``{setting}`` the setting."""

    text: str

    def __new__(cls, code: str, text: str) -> Reason:
        member = str.__new__(cls, code)
        member._value_ = code
        member.text = text
        return member

    # Events and markets (filter, screen)
    EVENT_NOT_ACTIVE = "event_not_active", "the event is not active any more"
    EVENT_LIQUIDITY_LOW = "event_liquidity_low", "the event's liquidity of ${number} is below {setting}"
    EVENT_VOLUME_LOW = "event_volume_low", "the event's volume of ${number} is below {setting}"
    MARKET_NOT_TRADABLE = "market_not_tradable", "the venue does not take orders on it: {number}"
    MARKET_PLACEHOLDER = "market_placeholder", "it is a placeholder whose meaning can still change"
    LIQUIDITY_LOW = "liquidity_low", "its liquidity of ${number} is below {setting}"
    VOLUME_LOW = "volume_low", "its volume of ${number} is below {setting}"
    PRICE_MISSING = "price_missing", "the catalogue has no price for it"
    CONVICTION_LOW = "conviction_low", "its highest outcome price {number} is below {setting}"
    CONVICTION_HIGH = "conviction_high", "its highest outcome price {number} is above {setting}"
    KEPT = "kept", "it passed the market filter"

    # Strategies (decide)
    MARKET_TYPE_NOT_WANTED = "market_type_not_wanted", "its tags ({number}) are not among {setting}"
    ALREADY_HELD = "already_held", "the portfolio holds this market already ({setting} is off)"
    NO_MAJORITY = "no_majority", "no outcome is above 50 % (highest {number})"
    NO_BOOK = "no_book", "the venue has no order book for it"
    NO_ASK = "no_ask", "nobody sells in its order book"
    SCORE_LOW = "score_low", "the strategy's score {number} is below {setting}"
    FRESH_PRICE_LOW = "fresh_price_low", "the price at which one could buy now, {number}, is below {setting}"
    FRESH_PRICE_HIGH = "fresh_price_high", "the price at which one could buy now, {number}, is above {setting}"
    HISTORY_SHORT = "history_short", "only {number} points of price history, fewer than {setting}"
    NO_UPWARD_DRIFT = "no_upward_drift", "no outcome drifts upward (best score {number})"
    NOT_BINARY = "not_binary", "it has {number} outcomes, not two"
    SET_TOO_DEAR = "set_too_dear", "a complete set costs {number} with fees; the profit is below {setting}"
    STRATEGY_ERROR = "strategy_error", "the strategy itself failed: {number} ({setting})"
    SIGNAL = "signal", "the strategy wanted it"

    # The risk gate
    PORTFOLIO_NOT_ACTIVE = "portfolio_not_active", "the portfolio is {number}"
    PRICE_OUT_OF_RANGE = "price_out_of_range", "the limit price {number} is not between 0 and 1"
    INSUFFICIENT_CASH = "insufficient_cash", "the trade costs more than the cash available (${number}); lower {setting}"
    INSUFFICIENT_SHARES = "insufficient_shares", "more shares ({number}) than the portfolio has free"
    NOT_MINED = "not_mined", "its shares are not mined yet; what is owed with them waits until they are"
    TOO_MANY_TRADES = "too_many_trades", "the cycle's orders were used up after {number} ({setting})"
    ALREADY_ORDERED = "already_ordered", "this signal has an order already"
    GROUP_LEG_FAILED = "group_leg_failed", "another leg of the same set was not filled"

    # The venue
    UNKNOWN_TOKEN = "unknown_token", "the venue does not know this token"
    MARKET_NOT_FOUND = "market_not_found", "the venue does not know the market any more"
    MARKET_CLOSED = "market_closed", "the market closed between decision and order"
    PRICE_OFF_GRID = "price_off_grid", "the price is not on the market's price grid: {number}"
    AMOUNT_PRECISION = "amount_precision", "the amount has more decimals than the venue takes: {number}"
    BELOW_MINIMUM = "below_minimum", "the order was below the venue's minimum: {number}"
    SIZE_TOO_SMALL = "size_too_small", "the size is below the market's minimum for resting orders: {number}"
    INVALID_EXPIRATION = "invalid_expiration", "the venue refuses this expiration: {number}"
    INVALID_ORDER = "invalid_order", "the venue refuses this combination of options: {number}"
    POST_ONLY_CROSSES = "post_only_crosses", "it would have matched at once, and it was to rest only: {number}"
    NOT_FILLED = "not_filled", "nothing was offered within the price limit: {number}"
    NO_STREAM = "no_stream", "orders cannot rest here: this source of markets has no stream"
    NOT_DONE = "not_done", "the change of positions did not happen: {number}"
    NOT_OPEN = "not_open", "the process that keeps resting orders is starting or is another one: {number}"
    OUTCOME_UNKNOWN = (
        "outcome_unknown",
        "the venue's answer was lost; it is asked again before the next order: {number}",
    )
    GROUP_SUSPENDED = "group_suspended", "it waits until the outcome of another leg of its set is known"
    NOT_PREPARED = "not_prepared", "the order could not be made ready, and nothing was sent: {number}"
    VENUE_UNAVAILABLE = "venue_unavailable", "the venue did not answer, and nothing was placed: {number}"
    INTERNAL_ERROR = "internal_error", "an error on our side stopped it: {number}"

    # What became of it
    FILLED = "filled", "traded for ${number}"
    PARTIALLY_FILLED = "partially_filled", "traded in part, for ${number}; the book held no more within the price limit"
    RESTING = "resting", "nothing matched at once; the order rests"
