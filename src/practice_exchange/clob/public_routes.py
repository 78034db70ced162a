"""The public order-book API (CLOB): books, prices, market rules and price history. Trading routes will stand beside it."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable
from typing import Any

import msgspec

from polymarket_kit.values import MICRO, micro_to_text
from practice_exchange.books.render import ClobRenderer
from practice_exchange.clob.price_history import prices_history
from practice_exchange.web.query import Query
from practice_exchange.web.responses import Answer, clob_invalid, clob_missing, json_answer, page_not_found, raw_answer
from practice_exchange.world.state import MarketState
from practice_exchange.world.timestamps import SECOND_MS
from practice_exchange.world.world import WorldView

PAGE_LENGTH = 1_000
END_CURSOR = "LTE="
BATCH_MAX = 500
NO_BOOK = "No orderbook exists for the requested token id"
SIDES = ("BUY", "SELL")
# Batch forms exist as POST only; their GET forms are documented and refuse everything.
BATCH_PATHS = frozenset({"/books", "/prices", "/midpoints", "/spreads", "/last-trades-prices"})


class ClobRoutes:
    """Answers the public paths of the order-book API. Raises WireError."""

    def __init__(self, world: WorldView, renderer: ClobRenderer, now_ms: Callable[[], int]) -> None:
        self._world = world
        self._register = world.register
        self._render = renderer
        self._now_ms = now_ms
        self._gets: dict[str, Callable[[Query], Answer]] = {
            "": lambda query: json_answer("OK"),
            "/ok": lambda query: json_answer("OK"),
            "/time": lambda query: json_answer(self._now_ms() // SECOND_MS),
            "/version": lambda query: json_answer({"version": 2}),
            "/book": self._book,
            "/price": self._price,
            "/midpoint": lambda query: json_answer({"mid": _middle(*self._with_book(query))}),
            "/spread": lambda query: json_answer({"spread": _spread(*self._with_book(query))}),
            "/last-trade-price": lambda query: json_answer(_last_trade(*self._with_book(query))),
            "/prices-history": lambda query: prices_history(self._register, query, self._now_ms() // SECOND_MS),
            "/markets": lambda query: self._page(query, self._render.market, lambda market: True),
            "/simplified-markets": lambda query: self._page(query, self._render.simplified, lambda market: True),
            "/sampling-markets": lambda query: self._page(query, self._render.market, _rewarded),
            "/sampling-simplified-markets": lambda query: self._page(query, self._render.simplified, _rewarded),
        }
        self._posts: dict[str, Callable[[list[dict[str, Any]]], Answer]] = {
            "/books": self._books,
            "/prices": self._prices,
            "/midpoints": lambda asked: self._batch(asked, _middle),
            "/spreads": lambda asked: self._batch(asked, _spread),
            "/last-trades-prices": self._last_trades,
        }
        # Token rules: by query or by path.
        self._rules: dict[str, Callable[[MarketState], dict[str, object]]] = {
            "tick-size": lambda market: {"minimum_tick_size": market.tick_micro / MICRO},
            "neg-risk": lambda market: {"neg_risk": market.negative_risk},
            "fee-rate": lambda market: {"base_fee": 1000 if market.fees.kind else 0},
        }

    def answer(self, method: str, path: str, query: Query, body: bytes) -> Answer:
        path = path.rstrip("/")
        if method == "POST" and path in self._posts:
            return self._posts[path](_read_batch(body))
        if method not in ("GET", "HEAD"):
            raise page_not_found()
        if path in BATCH_PATHS:
            raise clob_invalid("Invalid payload")
        route = self._gets.get(path)
        if route is not None:
            return route(query)
        kind, _, name = path.strip("/").partition("/")
        return self._named(kind, name, query)

    def _named(self, kind: str, name: str, query: Query) -> Answer:
        if kind in self._rules:
            return self._rule(kind, name or query.text("token_id"))
        if kind == "markets" and name:
            return raw_answer(self._render.market(self._by_condition(name)))
        if kind == "clob-markets" and name:
            return raw_answer(self._render.info(self._by_condition(name)))
        if kind == "markets-by-token" and name:
            return self._by_token(name)
        raise page_not_found()

    # --- one token

    def _book(self, query: Query) -> Answer:
        market, outcome_index = self._with_book(query)
        return raw_answer(self._render.book(market, outcome_index))

    def _price(self, query: Query) -> Answer:
        side = query.text("side").upper()
        if side not in SIDES:
            raise clob_invalid("Invalid side")
        return json_answer({"price": _best(*self._with_book(query), side)})

    def _with_book(self, query: Query) -> tuple[MarketState, int]:
        token_id = query.text("token_id")
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

    def _rule(self, kind: str, token_id: str) -> Answer:
        if not is_number(token_id):
            raise clob_invalid("Invalid token id")
        found = self._register.tokens.get(token_id)
        if found is None:
            raise clob_missing("fee rate not found for market" if kind == "fee-rate" else "market not found")
        return json_answer(self._rules[kind](found[0]))

    # --- many tokens

    def _books(self, asked: list[dict[str, Any]]) -> Answer:
        pieces = []
        for token_id in dict.fromkeys(str(item.get("token_id", "")) for item in asked):
            found = self._find_book(token_id)
            if found is not None:
                pieces.append(self._render.book(*found))
        return raw_answer(b"[" + b",".join(pieces) + b"]")

    def _prices(self, asked: list[dict[str, Any]]) -> Answer:
        prices: dict[str, dict[str, str]] = {}
        for item in asked:
            token_id, side = str(item.get("token_id", "")), str(item.get("side") or "SELL").upper()
            if side not in SIDES:
                raise clob_invalid("Invalid side")
            found = self._find_book(token_id)
            if found is not None:
                prices.setdefault(token_id, {})[side] = _best(*found, side)
        return json_answer(prices)

    def _batch(self, asked: list[dict[str, Any]], figure: Callable[[MarketState, int], str]) -> Answer:
        figures: dict[str, str] = {}
        for item in asked:
            token_id = str(item.get("token_id", ""))
            found = self._find_book(token_id)
            if found is not None:
                figures[token_id] = figure(*found)
        return json_answer(figures)

    def _last_trades(self, asked: list[dict[str, Any]]) -> Answer:
        """Tokens without a trade are left out: specification and SDK know no empty side here, as they do for one token."""
        trades = []
        for item in asked:
            token_id = str(item.get("token_id", ""))
            found = self._find_book(token_id)
            if found is not None and found[0].last_trade_micro:
                trades.append({"token_id": token_id, **_last_trade(*found)})
        return json_answer(trades)

    # --- markets

    def _by_condition(self, condition_id: str) -> MarketState:
        market = self._register.markets_by_condition.get(condition_id)
        if market is not None:
            return market
        digits = condition_id.removeprefix("0x")
        if len(digits) != 64 or any(digit not in "0123456789abcdefABCDEF" for digit in digits):
            raise clob_invalid("Invalid market")
        raise clob_missing("market not found")

    def _by_token(self, token_id: str) -> Answer:
        found = self._register.tokens.get(token_id)
        if found is None:
            raise clob_missing("market not found")
        market = found[0]
        # The venue's "primary" token is not always the first outcome; who relies on that should notice here.
        primary, secondary = market.token_ids[:: 1 if market.number % 3 else -1]
        return json_answer(
            {"condition_id": market.condition_id, "primary_token_id": primary, "secondary_token_id": secondary}
        )

    def _page(
        self, query: Query, render: Callable[[MarketState], bytes], wanted: Callable[[MarketState], bool]
    ) -> Answer:
        start = read_cursor(query.text("next_cursor"))
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
