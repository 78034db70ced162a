"""``/prices-history``: a token's price on a grid of minutes, by the venue's observed rules."""

from __future__ import annotations

from bisect import bisect_right

from polymarket_kit.values import MICRO
from practice_exchange.web.query import Query
from practice_exchange.web.responses import Answer, clob_invalid, json_answer
from practice_exchange.world.index import WorldIndex
from practice_exchange.world.state import MarketState

INTERVALS_S = {"1h": 3_600, "6h": 21_600, "1d": 86_400, "1w": 604_800, "1m": 2_592_000, "max": None, "all": None}
# The finest grid, in minutes, that the venue gives for a long interval.
FIDELITY_MIN = {"1m": 10, "1w": 5}
POINTS_MAX = 4_300
# A closed market's prices are on a grid of twelve hours or coarser.
CLOSED_FIDELITY_MIN = 720
# Larger than any second of this century, smaller than any millisecond of it.
SECONDS_MAX = 10_000_000_000


def prices_history(register: WorldIndex, query: Query, now_s: int) -> Answer:
    """Answer with ``{"history":[{"t","p"}]}``; an unknown token has none. Raises WireError."""
    token_id = query.text("market")
    if not token_id:
        raise clob_invalid("invalid filters: 'market' is required")
    interval, fidelity_min = query.text("interval"), _fidelity(query)
    start_s, end_s = _seconds(query, "startTs"), _seconds(query, "endTs")
    if interval and interval not in INTERVALS_S:
        raise clob_invalid("invalid filters: 'interval' is not supported")
    if start_s is None and not interval:
        raise clob_invalid("invalid filters: 'startTs' or 'interval' is required")
    finest = FIDELITY_MIN.get(interval, 1) if start_s is None else 1
    if fidelity_min is not None and fidelity_min < finest:
        raise clob_invalid(f"invalid filters: minimum 'fidelity' for '{interval}' range is {finest}")
    found = register.tokens.get(token_id)
    if found is None:
        return json_answer({"history": []})
    if start_s is None:
        span_s = INTERVALS_S[interval]
        start_s = now_s - span_s if span_s is not None else 0
    step_s = (fidelity_min or finest) * 60
    market, outcome_index = found
    if market.closed and step_s < CLOSED_FIDELITY_MIN * 60:
        return json_answer({"history": []})
    points = grid(market, start_s, now_s if end_s is None else end_s, step_s, now_s)
    return json_answer(
        {"history": [{"t": at, "p": (MICRO - price if outcome_index else price) / MICRO} for at, price in points]}
    )


def grid(market: MarketState, start_s: int, end_s: int, step_s: int, now_s: int) -> list[tuple[int, int]]:
    """The last known price at every step between the bounds, and once more now if now is within them."""
    times, prices = market.history_s, market.history_micro
    if not times:
        return [(now_s, market.book.midpoint_micro)] if start_s <= now_s <= end_s and not market.closed else []
    last_s = min(end_s, now_s)
    moment_s = -(-max(start_s, times[0]) // step_s) * step_s
    moment_s = max(moment_s, last_s // step_s * step_s - (POINTS_MAX - 1) * step_s)
    index = max(bisect_right(times, moment_s) - 1, 0)
    points: list[tuple[int, int]] = []
    while moment_s <= last_s:
        while index + 1 < len(times) and times[index + 1] <= moment_s:
            index += 1
        points.append((moment_s, prices[index]))
        moment_s += step_s
    if start_s <= now_s <= end_s and (not points or points[-1][0] < now_s):
        points.append((now_s, prices[-1]))
    return points


def _fidelity(query: Query) -> int | None:
    text = query.text("fidelity")
    if text == "":
        return None
    if not (text.isascii() and text.isdigit() and int(text[:9]) > 0 and len(text) < 9):
        raise clob_invalid("invalid filters: 'fidelity' must be a number of minutes")
    return int(text)


def _seconds(query: Query, name: str) -> int | None:
    text = query.text(name)
    if text == "":
        return None
    try:
        seconds = int(float(text))
    except (ValueError, OverflowError):
        raise clob_invalid(f"invalid filters: '{name}' must be a time in seconds") from None
    if not 0 <= seconds < SECONDS_MAX:
        raise clob_invalid("invalid filters: 'startTs' and 'endTs' interval is too long")
    return seconds
