"""Handlers of the public order-book API (CLOB): books, prices, market rules and price history."""

from __future__ import annotations

from base64 import b64decode, b64encode
from bisect import bisect_right
from collections.abc import Callable
from typing import Any

import msgspec

from polymarket_kit.values import MICRO, micro_to_text
from practice_exchange.books.render import ClobRenderer
from practice_exchange.web.query import Query
from practice_exchange.web.responses import Answer, clob_invalid, clob_missing, json_answer, raw_answer
from practice_exchange.web.route import Request
from practice_exchange.world.index import WorldIndex
from practice_exchange.world.state import MarketState
from practice_exchange.world.timestamps import SECOND_MS
from practice_exchange.world.world import WorldView

PAGE_LENGTH = 1_000
END_CURSOR = "LTE="
BATCH_MAX = 500
NO_BOOK = "No orderbook exists for the requested token id"
SIDES = ("BUY", "SELL")


class ClobRoutes:
    """Handlers of the order-book API that need no login. They raise WireError."""

    def __init__(self, world: WorldView, renderer: ClobRenderer, now_ms: Callable[[], int]) -> None:
        self._world = world
        self._register = world.register
        self._render = renderer
        self._now_ms = now_ms

    def ok(self, request: Request) -> Answer:
        """Whether the exchange answers."""
        return json_answer("OK")

    def time(self, request: Request) -> Answer:
        """The exchange's time in seconds."""
        return json_answer(self._now_ms() // SECOND_MS)

    def version(self, request: Request) -> Answer:
        """The version of orders that are taken."""
        return json_answer({"version": 2})

    def prices_history(self, request: Request) -> Answer:
        """A token's price over time."""
        return prices_history(self._register, request.query, self._now_ms() // SECOND_MS)

    # --- one token

    def book(self, request: Request) -> Answer:
        """A token's book, best levels last."""
        market, outcome_index = self._with_book(request)
        return raw_answer(self._render.book(market, outcome_index))

    def price(self, request: Request) -> Answer:
        """The best price of a side."""
        side = request.query.text("side").upper()
        if side not in SIDES:
            raise clob_invalid("Invalid side")
        return json_answer({"price": _best(*self._with_book(request), side)})

    def midpoint(self, request: Request) -> Answer:
        """The middle of the book."""
        return json_answer({"mid": _middle(*self._with_book(request))})

    def spread(self, request: Request) -> Answer:
        """The spread."""
        return json_answer({"spread": _spread(*self._with_book(request))})

    def last_trade_price(self, request: Request) -> Answer:
        """The last trade."""
        return json_answer(_last_trade(*self._with_book(request)))

    def _with_book(self, request: Request) -> tuple[MarketState, int]:
        token_id = request.query.text("token_id")
        if not is_number(token_id):
            raise clob_invalid("Invalid token id")
        found = self._find_book(token_id)
        if found is None:
            raise clob_missing(NO_BOOK)
        return found

    def _find_book(self, token_id: str) -> tuple[MarketState, int] | None:
        """The market with the token's book; a closed market has none."""
        found = self._register.tokens.get(token_id)
        return None if found is None or found[0].closed or not found[0].order_book_enabled else found

    def tick_size(self, request: Request) -> Answer:
        """The smallest step of a price."""
        return json_answer({"minimum_tick_size": self._with_rules(request).tick_micro / MICRO})

    def neg_risk(self, request: Request) -> Answer:
        """Whether the market's outcomes exclude one another."""
        return json_answer({"neg_risk": self._with_rules(request).negative_risk})

    def fee_rate(self, request: Request) -> Answer:
        """The base fee of the first contracts."""
        market = self._with_rules(request, "fee rate not found for market")
        return json_answer({"base_fee": 1000 if market.fees.kind else 0})

    def _with_rules(self, request: Request, missing: str = "market not found") -> MarketState:
        """The market of the token that the path names, or else the query."""
        token_id = request.name or request.query.text("token_id")
        if not is_number(token_id):
            raise clob_invalid("Invalid token id")
        found = self._register.tokens.get(token_id)
        if found is None:
            raise clob_missing(missing)
        return found[0]

    # --- many tokens

    def refuse_batch(self, request: Request) -> Answer:
        """Refused: this batch is asked with POST."""
        raise clob_invalid("Invalid payload")

    def books(self, request: Request) -> Answer:
        """Books of many tokens."""
        pieces = []
        for token_id in dict.fromkeys(str(item.get("token_id", "")) for item in _read_batch(request.body)):
            found = self._find_book(token_id)
            if found is not None:
                pieces.append(self._render.book(*found))
        return raw_answer(b"[" + b",".join(pieces) + b"]")

    def prices(self, request: Request) -> Answer:
        """Prices of many tokens."""
        prices: dict[str, dict[str, str]] = {}
        for item in _read_batch(request.body):
            token_id, side = str(item.get("token_id", "")), str(item.get("side") or "SELL").upper()
            if side not in SIDES:
                raise clob_invalid("Invalid side")
            found = self._find_book(token_id)
            if found is not None:
                prices.setdefault(token_id, {})[side] = _best(*found, side)
        return json_answer(prices)

    def midpoints(self, request: Request) -> Answer:
        """Middles of many tokens."""
        return self._batch(request, _middle)

    def spreads(self, request: Request) -> Answer:
        """Spreads of many tokens."""
        return self._batch(request, _spread)

    def _batch(self, request: Request, figure: Callable[[MarketState, int], str]) -> Answer:
        figures: dict[str, str] = {}
        for item in _read_batch(request.body):
            token_id = str(item.get("token_id", ""))
            found = self._find_book(token_id)
            if found is not None:
                figures[token_id] = figure(*found)
        return json_answer(figures)

    def last_trades_prices(self, request: Request) -> Answer:
        """Last trades of many tokens.

        Tokens without a trade are left out: specification and SDK know no empty side here, as they do for one token.
        """
        trades = []
        for item in _read_batch(request.body):
            token_id = str(item.get("token_id", ""))
            found = self._find_book(token_id)
            if found is not None and found[0].last_trade_micro:
                trades.append({"token_id": token_id, **_last_trade(*found)})
        return json_answer(trades)

    # --- markets

    def market(self, request: Request) -> Answer:
        """One market."""
        return raw_answer(self._render.market(self._by_condition(request.name)))

    def market_info(self, request: Request) -> Answer:
        """What orders of a market must obey."""
        return raw_answer(self._render.info(self._by_condition(request.name)))

    def markets(self, request: Request) -> Answer:
        """All markets, by page."""
        return self._page(request, self._render.market, lambda market: True)

    def simplified_markets(self, request: Request) -> Answer:
        """All markets in short, by page."""
        return self._page(request, self._render.simplified, lambda market: True)

    def sampling_markets(self, request: Request) -> Answer:
        """Markets with rewards, by page."""
        return self._page(request, self._render.market, _rewarded)

    def sampling_simplified_markets(self, request: Request) -> Answer:
        """Markets with rewards in short, by page."""
        return self._page(request, self._render.simplified, _rewarded)

    def _by_condition(self, condition_id: str) -> MarketState:
        market = self._register.markets_by_condition.get(condition_id)
        if market is not None:
            return market
        digits = condition_id.removeprefix("0x")
        if len(digits) != 64 or any(digit not in "0123456789abcdefABCDEF" for digit in digits):
            raise clob_invalid("Invalid market")
        raise clob_missing("market not found")

    def market_of_token(self, request: Request) -> Answer:
        """The market of a token."""
        found = self._register.tokens.get(request.name)
        if found is None:
            raise clob_missing("market not found")
        market = found[0]
        # The venue's "primary" token is not always the first outcome; who relies on that should notice here.
        primary, secondary = market.token_ids[:: 1 if market.number % 3 else -1]
        return json_answer(
            {"condition_id": market.condition_id, "primary_token_id": primary, "secondary_token_id": secondary}
        )

    def _page(
        self, request: Request, render: Callable[[MarketState], bytes], wanted: Callable[[MarketState], bool]
    ) -> Answer:
        start = read_cursor(request.query.text("next_cursor"))
        markets = [market for market in self._register.markets.values() if wanted(market)]
        page = markets[start : start + PAGE_LENGTH]
        ends = start + PAGE_LENGTH >= len(markets)
        cursor = END_CURSOR if ends else b64encode(str(start + PAGE_LENGTH).encode()).decode()
        tail = f'],"next_cursor":"{cursor}","limit":{PAGE_LENGTH},"count":{len(page)}}}'
        return raw_answer(b'{"data":[' + b",".join([render(market) for market in page]) + tail.encode())


def _read_batch(body: bytes) -> list[dict[str, Any]]:
    try:
        asked = msgspec.json.decode(body, type=list[dict[str, Any]])
    except msgspec.MsgspecError:
        raise clob_invalid("Invalid payload") from None
    if len(asked) > BATCH_MAX:
        raise clob_invalid("Payload exceeds the limit")
    return asked


def read_cursor(text: str, malformed: str = "invalid next_cursor") -> int:
    """Return where a page begins. Raises WireError; ``malformed`` is the text for what is no cursor at all."""
    if text == "":
        return 0
    try:
        start = int(b64decode(text, validate=True))
    except ValueError:
        raise clob_invalid(malformed) from None
    if start < 0:
        raise clob_invalid("next item should be greater than or equal to 0")
    return start


def is_number(token_id: str) -> bool:
    return token_id.isascii() and token_id.isdigit() and len(token_id) <= 78


def _ends(market: MarketState, outcome_index: int) -> tuple[int, int]:
    """Best bid and ask of an outcome; a missing side counts as 0 or 1."""
    bid, ask = market.book.best_bid_micro, market.book.best_ask_micro
    return (bid, ask) if outcome_index == 0 else (MICRO - ask, MICRO - bid)


def _best(market: MarketState, outcome_index: int, side: str) -> str:
    """BUY names the best bid and SELL the best ask."""
    return micro_to_text(_ends(market, outcome_index)[SIDES.index(side)])


def _middle(market: MarketState, outcome_index: int) -> str:
    bid, ask = _ends(market, outcome_index)
    return micro_to_text((bid + ask) // 2)


def _spread(market: MarketState, outcome_index: int) -> str:
    bid, ask = _ends(market, outcome_index)
    return micro_to_text(ask - bid)


def _last_trade(market: MarketState, outcome_index: int) -> dict[str, str]:
    """The market's last trade, in terms of the first outcome for both tokens; before the first trade 0.5 and no side."""
    if not market.last_trade_micro:
        return {"price": "0.5", "side": ""}
    return {"price": micro_to_text(market.last_trade_micro), "side": "BUY" if market.last_trade_is_buy else "SELL"}


def _rewarded(market: MarketState) -> bool:
    return bool(market.rewards.daily_rate) and not market.closed


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
