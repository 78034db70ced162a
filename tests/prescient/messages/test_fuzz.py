"""Recorded answers, broken in every way a byte or a field can break: only the typed errors come out, and no nonsense goes in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from polymarket_kit.messages.pages import MalformedMessage, split_page
from polymarket_kit.values import MICRO, MICRO_MAX
from prescient.adapters.polymarket.messages.clob import decode_books, decode_price_history, decode_rules
from prescient.adapters.polymarket.messages.gamma import decode_events, decode_market_states, decode_markets
from prescient.domain.market import Event, Market, OrderBook, PricePoint, TradingRules
from tests.prescient.messages.recorded import all_events, all_markets, read

THOROUGH = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

HOSTILE: list[Any] = [
    None,
    True,
    -1,
    0,
    10**30,
    1.7976931348623157e308,
    float("nan"),
    float("inf"),
    "",
    "nan",
    "-Infinity",
    "1e999",
    "1E+999999",
    "9" * 10_000,
    "0." + "9" * 60,
    "\x00",
    "\ud800",
    "\u202eabc",
    "[",
    "[[[[",
    '["0.5"]',
    '["\\ud800", "1"]',
    "[NaN, 1]",
    [],
    {},
    [[[]]],
    ["0.5", "0.5", "0.5"],
    {"rate": -1, "exponent": 1e308},
    {"r": "x"},
    "9999-12-31T23:59:59-23:59",
    "2026-07-24 00:00:16+99",
]


def places_in(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in children:
        found += places_in(child, (*path, key))
    return found


def changed(node: Any, path: tuple[Any, ...], value: Any) -> Any:
    copy = json.loads(json.dumps(node))
    target = copy
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    return copy


@st.composite
def broken(draw: st.DrawFn, plain: Any) -> bytes:
    """The JSON of a recorded answer with one to three values replaced, then perhaps bytes cut, flipped or put in."""
    for _ in range(draw(st.integers(0, 3))):
        places = places_in(plain)
        if places:
            plain = changed(plain, draw(st.sampled_from(places)), draw(st.sampled_from(HOSTILE)))
    body = bytearray(json.dumps(plain).encode())
    for _ in range(draw(st.integers(0, 2))):
        place = draw(st.integers(0, len(body) - 1)) if body else 0
        kind = draw(st.sampled_from(["cut", "flip", "insert", "drop"]))
        if kind == "cut":
            del body[place:]
        elif kind == "flip" and body:
            body[place] = draw(st.integers(0, 255))
        elif kind == "insert":
            body[place:place] = draw(st.binary(max_size=4))
        else:
            del body[place : place + draw(st.integers(1, 50))]
    return bytes(body)


def check_amount(micro: int) -> None:
    assert type(micro) is int and 0 <= micro <= MICRO_MAX


def check_market(market: Market) -> None:
    for amount in (market.liquidity_micro, market.volume_micro, market.volume_24h_micro, market.minimum_size_micro):
        check_amount(amount)
    assert 0 < market.tick_micro < MICRO
    for price in (market.best_bid_micro, market.best_ask_micro, market.last_trade_micro):
        assert price is None or 0 < price <= MICRO
    assert market.outcomes and all(outcome.token_id.isdecimal() for outcome in market.outcomes)
    assert all(outcome.price_micro is None or 0 <= outcome.price_micro <= MICRO for outcome in market.outcomes)
    assert 0 <= market.fees.rate_micro <= MICRO and 1 <= market.fees.exponent <= 8
    for text in (market.market_id, market.question, market.slug, market.category, market.group_title):
        text.encode()
        assert "\x00" not in text


def check_event(event: Event) -> None:
    for amount in (event.liquidity_micro, event.volume_micro, event.volume_24h_micro):
        check_amount(amount)
    "".join((event.title, event.slug, *event.tags)).encode()
    for market in event.markets:
        check_market(market)


def check_skipped(skipped: list[tuple[str, str]]) -> None:
    for subject_id, reason in skipped:
        assert len(subject_id) <= 80 and 0 < len(reason) <= 220
        assert "\x00" not in subject_id + reason
        (subject_id + reason).encode()


@pytest.fixture(scope="module")
def event_page(recorded_data: Path) -> Any:
    events = sorted(all_events(recorded_data)["catalog"], key=lambda event: len(json.dumps(event)))
    return {"events": events[:3], "next_cursor": "MTAw"}


@pytest.fixture(scope="module")
def market_page(recorded_data: Path) -> Any:
    markets = all_markets(recorded_data)
    return [*markets["btc"][:2], *markets["gamma_market_closed_nonbinary_legacy"]]


@pytest.fixture(scope="module")
def book_page(recorded_data: Path) -> Any:
    books = read(recorded_data, "clob/books-fed-decision-2026-05-17.json")
    return [book | {"bids": book["bids"][-4:], "asks": book["asks"][-4:]} for book in books[:2]]


@THOROUGH
@given(data=st.data())
def test_broken_event_pages(event_page: Any, data: st.DataObject) -> None:
    try:
        page = split_page(data.draw(broken(event_page)))
    except MalformedMessage:
        return
    decoded = decode_events(page.items)
    assert len(decoded.items) <= len(page.items)
    for event in decoded.items:
        check_event(event)
    check_skipped(decoded.skipped)


@THOROUGH
@given(data=st.data())
def test_broken_market_pages(market_page: Any, data: st.DataObject) -> None:
    try:
        page = split_page(data.draw(broken(market_page)))
    except MalformedMessage:
        return
    decoded, states = decode_markets(page.items), decode_market_states(page.items)
    assert len(decoded.items) + len(decoded.skipped) == len(page.items) == len(states.items) + len(states.skipped)
    for market in decoded.items:
        check_market(market)
    for state, claimed in states.items:
        assert state.payout is None or sum(state.payout.payouts_micro) == MICRO
        assert claimed is None or state.payout is None
    check_skipped(decoded.skipped + states.skipped)


@THOROUGH
@given(data=st.data())
def test_broken_books(book_page: Any, data: st.DataObject) -> None:
    try:
        page = split_page(data.draw(broken(book_page)))
    except MalformedMessage:
        return
    decoded = decode_books(page.items)
    assert len(decoded.items) + len(decoded.skipped) == len(page.items)
    for book in decoded.items:
        check_book(book)
    check_skipped(decoded.skipped)


def check_book(book: OrderBook) -> None:
    for level in (*book.bids, *book.asks):
        assert 0 < level.price_micro < MICRO and 0 < level.size_micro <= MICRO_MAX
    prices = [level.price_micro for level in (*reversed(book.bids), *book.asks)]
    assert prices == sorted(set(prices))
    assert 0 < book.tick_micro < MICRO


@THOROUGH
@given(data=st.data())
def test_broken_rules(recorded_data: Path, data: st.DataObject) -> None:
    plain = read(recorded_data, "clob/clob-markets-fed-decision-2026-05-17.json")[0]
    try:
        rules = decode_rules(data.draw(broken(plain)))
    except (MalformedMessage, ValueError):
        return
    assert isinstance(rules, TradingRules) and 0 < rules.tick_micro < MICRO
    check_amount(rules.minimum_size_micro)


@THOROUGH
@given(data=st.data())
def test_broken_histories(data: st.DataObject) -> None:
    plain = {"history": [{"t": 1_697_875_200 + 60 * step, "p": 0.5 + step / 100} for step in range(5)]}
    try:
        decoded = decode_price_history(data.draw(broken(plain)))
    except MalformedMessage:
        return
    assert all(isinstance(point, PricePoint) and 0 <= point.price_micro <= MICRO for point in decoded.items)
    assert decoded.items == sorted(decoded.items)


@THOROUGH
@given(st.binary(max_size=200))
def test_any_bytes_are_a_page_or_the_typed_error(body: bytes) -> None:
    try:
        page = split_page(body)
    except MalformedMessage:
        return
    check_skipped(decode_events(page.items).skipped)
