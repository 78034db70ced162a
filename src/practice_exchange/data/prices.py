"""Price history in the newer form of the Data API: a window or an interval in buckets of seconds, or one exact moment."""

from __future__ import annotations

from bisect import bisect_right

from polymarket_kit.values import MICRO
from practice_exchange.clob.price_history import FIDELITY_MIN, INTERVALS_S, grid
from practice_exchange.data.params import Params
from practice_exchange.world.state import MarketState

WINDOW_MAX_S = 15 * 86_400
BUCKET_MAX_S = 86_400
# Intervals that reach far back have coarser buckets at least.
LONG = {"max": 600, "all": 600} | {name: minutes * 60 for name, minutes in FIDELITY_MIN.items()}
Row = dict[str, object]


def price_rows(market: MarketState, outcome_index: int, params: Params, now_s: int) -> list[Row]:
    """The rows of ``/v2/prices-history``, oldest first. Raises WireError (400)."""
    interval, start, as_of = params.text("interval").lower(), params.text("start"), params.text("as_of")
    if sum(map(bool, (interval, start, as_of))) != 1:
        raise params.refuse("provide exactly one of interval, start, or as_of", "interval")
    if as_of:
        return _at(market, outcome_index, params.whole("as_of", 0))
    if interval and interval not in INTERVALS_S:
        raise params.refuse(f"interval must be one of {', '.join(INTERVALS_S)}", "interval")
    least_s = LONG.get(interval, 60)
    bucket_s = params.whole("bucket_seconds", least_s)
    if not least_s <= bucket_s <= BUCKET_MAX_S:
        raise params.refuse(f"bucket_seconds must be between {least_s} and {BUCKET_MAX_S}", "bucket_seconds")
    start_s, end_s = params.whole("start", 0), params.whole("end", now_s)
    if start and not 0 <= end_s - start_s <= WINDOW_MAX_S:
        raise params.refuse("the window must not end before start or exceed 15 days", "end")
    if interval:
        span_s = INTERVALS_S[interval]
        start_s, end_s = 0 if span_s is None else now_s - span_s, now_s
    points = grid(market, start_s, end_s, bucket_s, now_s)
    return [_row(at_s, price_micro, outcome_index, bucket_s) for at_s, price_micro in points]


def _at(market: MarketState, outcome_index: int, moment_s: int) -> list[Row]:
    """The last price at a moment, or nothing from before there was one."""
    index = bisect_right(market.history_s, moment_s) - 1
    if index < 0:
        return []
    return [_row(market.history_s[index], market.history_micro[index], outcome_index, 0)]


def _row(at_s: int, price_micro: int, outcome_index: int, resolution_s: int) -> Row:
    price = (MICRO - price_micro if outcome_index else price_micro) / MICRO
    return {"timestamp": at_s, "price": price, "resolution_seconds": resolution_s}
