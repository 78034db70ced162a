"""Selects, sorts and pages the events and markets that a catalogue request asks for."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec

from practice_exchange.gamma.fill import event_liquidity_micro, event_volume_micro, market_liquidity_micro
from practice_exchange.web.query import Query
from practice_exchange.web.responses import gamma_invalid
from practice_exchange.world.history import volumes_micro
from practice_exchange.world.index import WorldIndex
from practice_exchange.world.state import EventState, MarketState

OFFSET_MAX = 2_000
DEFAULT_LIMIT = 20
# The offset listings cut longer pages to these silently; the keyset listings refuse them.
EVENTS_LIMIT_MAX = 500
MARKETS_LIMIT_MAX = 100

Item = TypeVar("Item", EventState, MarketState)
Test = Callable[[Any], bool]
Figure = Callable[[Any], float]

EVENT_FIGURES: dict[str, Figure] = {
    "id": lambda event: event.number,
    "liquidity": event_liquidity_micro,
    "liquidityClob": event_liquidity_micro,
    "volume": event_volume_micro,
    "volume24hr": lambda event: sum(volumes_micro(m.volume, m.changed_ms)[0] for m in event.markets),
    "volume1wk": lambda event: sum(volumes_micro(m.volume, m.changed_ms)[1] for m in event.markets),
    "volume1mo": lambda event: sum(volumes_micro(m.volume, m.changed_ms)[2] for m in event.markets),
    "volume1yr": event_volume_micro,
    "startDate": lambda event: event.listed_ms,
    "creationDate": lambda event: event.listed_ms,
    "endDate": lambda event: event.end_ms,
    "createdAt": lambda event: event.created_ms,
    "updatedAt": lambda event: max(market.changed_ms for market in event.markets),
    "closedTime": lambda event: event.closed_ms,
    "commentCount": lambda event: event.comment_count,
}
MARKET_FIGURES: dict[str, Figure] = {
    "id": lambda market: market.number,
    "liquidity": market_liquidity_micro,
    "liquidityNum": market_liquidity_micro,
    "volume": lambda market: market.volume.total_micro,
    "volumeNum": lambda market: market.volume.total_micro,
    "volume24hr": lambda market: volumes_micro(market.volume, market.changed_ms)[0],
    "volume1wk": lambda market: volumes_micro(market.volume, market.changed_ms)[1],
    "volume1mo": lambda market: volumes_micro(market.volume, market.changed_ms)[2],
    "volume1yr": lambda market: market.volume.total_micro,
    "startDate": lambda market: market.listed_ms,
    "endDate": lambda market: market.end_ms,
    "createdAt": lambda market: market.created_ms,
    "updatedAt": lambda market: market.changed_ms,
    "closedTime": lambda market: market.closed_ms,
    "lastTradePrice": lambda market: market.last_trade_micro,
    "bestBid": lambda market: market.book.best_bid_micro,
    "bestAsk": lambda market: market.book.best_ask_micro,
    "spread": lambda market: market.book.best_ask_micro - market.book.best_bid_micro,
}


def select_events(register: WorldIndex, query: Query) -> list[EventState]:
    """The events that pass the query's filters, in its order. Raises WireError."""
    numbers, slugs = query.wholes("id"), query.all("slug")
    found: Sequence[EventState] = list(register.events.values())
    if numbers:
        found = [register.events[number] for number in dict.fromkeys(numbers) if number in register.events]
    if slugs:
        wanted = frozenset(slugs)
        found = [event for event in found if event.slug in wanted]
    tests = _switches(query, ("active", "closed", "archived", "featured"))
    tests += _tag_tests(register, query, lambda event: event)
    tests += _ranges(query, "liquidity", event_liquidity_micro) + _ranges(query, "volume", event_volume_micro)
    tests += _dates(query)
    return order([item for item in found if all(test(item) for test in tests)], query, EVENT_FIGURES)


def select_markets(register: WorldIndex, query: Query) -> list[MarketState]:
    """The markets that pass the query's filters, in its order. Closed ones only on request. Raises WireError."""
    found: Sequence[MarketState] = list(register.markets.values())
    numbers = query.wholes("id")
    if numbers:
        found = [register.markets[number] for number in dict.fromkeys(numbers) if number in register.markets]
    for name, index in (("slug", register.markets_by_slug), ("condition_ids", register.markets_by_condition)):
        if query.all(name):
            named = {index[key].number for key in query.all(name) if key in index}
            found = [market for market in found if market.number in named]
    if query.all("clob_token_ids"):
        named = {register.tokens[key][0].number for key in query.all("clob_token_ids") if key in register.tokens}
        found = [market for market in found if market.number in named]
    tests = _switches(query, ("active", "archived"))
    closed = query.switch("closed", False)
    tests.append(lambda market: market.closed == closed)
    tests += _tag_tests(register, query, lambda market: register.events[market.event_number])
    tests += _ranges(query, "liquidity_num", market_liquidity_micro)
    tests += _ranges(query, "volume_num", lambda market: market.volume.total_micro)
    tests += _dates(query)
    fine = query.switch("decimalized")
    if fine is not None:
        tests.append(lambda market: (market.tick_micro < 10_000) == fine)
    return order([item for item in found if all(test(item) for test in tests)], query, MARKET_FIGURES)


def order(items: list[Item], query: Query, figures: dict[str, Figure]) -> list[Item]:
    """Sort by the query's figures, ids decide ties. Ascending unless the query says otherwise."""
    names = [name.strip() for name in query.text("order").split(",") if name.strip()]
    if not all(name in figures for name in names):
        raise gamma_invalid("order fields are not valid")
    if not names:
        return sorted(items, key=figures["id"])
    descending = not query.switch("ascending", True)
    return sorted(items, key=lambda item: sort_key(item, names, figures), reverse=descending)


def sort_key(item: Item, names: list[str], figures: dict[str, Figure]) -> tuple[float, ...]:
    return (*(figures[name](item) for name in names), item.number)


def offset_page(items: list[Item], query: Query, limit_max: int, keyset_path: str) -> list[Item]:
    """The page that limit and offset mean. Raises WireError beyond the venue's cap."""
    limit, offset = query.whole("limit"), query.whole("offset") or 0
    if offset > OFFSET_MAX:
        raise gamma_invalid(f"offset too large, use {keyset_path} for deeper pagination")
    length = min(DEFAULT_LIMIT if limit is None else limit, limit_max)
    return items[offset : offset + length]


def keyset_page(
    items: list[Item], query: Query, limit_max: int, figures: dict[str, Figure]
) -> tuple[list[Item], str | None]:
    """The page after the query's cursor, and the cursor for the next, None at the end. Raises WireError."""
    if "offset" in query:
        raise gamma_invalid("offset is not supported, use after_cursor instead")
    limit = query.whole("limit")
    limit = DEFAULT_LIMIT if limit is None else limit
    if not 1 <= limit <= limit_max:
        raise gamma_invalid(f"limit must be between 1 and {limit_max}")
    names = [name.strip() for name in query.text("order").split(",") if name.strip()] or ["id"]
    descending = "order" in query and not query.switch("ascending", True)
    start = 0
    if query.text("after_cursor"):
        after = _read_cursor(query.text("after_cursor"), len(names) + 1)
        start = _first_beyond(items, after, lambda item: sort_key(item, names, figures), descending)
    page = items[start : start + limit]
    if start + limit >= len(items):
        return page, None
    return page, urlsafe_b64encode(msgspec.json.encode(sort_key(page[-1], names, figures))).decode()


def _first_beyond(
    items: list[Item], after: tuple[float, ...], key_of: Callable[[Item], tuple[float, ...]], descending: bool
) -> int:
    """Where the sorted items begin that come after a key, even if the item of that key has moved or gone."""
    low, high = 0, len(items)
    while low < high:
        middle = (low + high) // 2
        key = key_of(items[middle])
        if (key < after) if descending else (key > after):
            high = middle
        else:
            low = middle + 1
    return low


def _read_cursor(text: str, length: int) -> tuple[float, ...]:
    try:
        values = msgspec.json.decode(urlsafe_b64decode(text), type=tuple[float, ...])
    except (ValueError, msgspec.MsgspecError):
        raise gamma_invalid("after_cursor is invalid") from None
    if len(values) != length:
        raise gamma_invalid("after_cursor is invalid")
    return values


def _switches(query: Query, names: tuple[str, ...]) -> list[Test]:
    wanted = {name: query.switch(name) for name in names}
    return [_equals(name, value) for name, value in wanted.items() if value is not None]


def _tag_tests(register: WorldIndex, query: Query, event_of: Callable[[Any], EventState]) -> list[Test]:
    tests: list[Test] = []
    slug, wanted = query.text("tag_slug"), frozenset(query.wholes("tag_id"))
    if slug:
        tests.append(lambda item: slug in event_of(item).tags)
    if wanted:
        tests.append(lambda item: not wanted.isdisjoint(register.tag_ids(event_of(item))))
    excluded = frozenset(query.wholes("exclude_tag_id"))
    if excluded:
        tests.append(lambda item: excluded.isdisjoint(register.tag_ids(event_of(item))))
    return tests


def _ranges(query: Query, name: str, figure: Figure) -> list[Test]:
    """Dollar bounds, both ends included."""
    tests: list[Test] = []
    lowest, highest = query.number(f"{name}_min"), query.number(f"{name}_max")
    if lowest is not None:
        tests.append(lambda item: figure(item) >= lowest * 1_000_000)
    if highest is not None:
        tests.append(lambda item: figure(item) <= highest * 1_000_000)
    return tests


def _dates(query: Query) -> list[Test]:
    tests: list[Test] = []
    for name, field in (("start_date", "listed_ms"), ("end_date", "end_ms")):
        earliest, latest = query.moment_ms(f"{name}_min"), query.moment_ms(f"{name}_max")
        if earliest is not None:
            tests.append(_at_least(field, earliest))
        if latest is not None:
            tests.append(_at_most(field, latest))
    return tests


def _equals(field: str, wanted: bool) -> Test:
    return lambda item: bool(getattr(item, field) == wanted)


def _at_least(field: str, bound: int) -> Test:
    return lambda item: bool(getattr(item, field) >= bound)


def _at_most(field: str, bound: int) -> Test:
    return lambda item: bool(getattr(item, field) <= bound)
