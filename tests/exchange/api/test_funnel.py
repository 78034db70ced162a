"""The default world feeds the default cycle: enough markets pass its filters, with books that can be traded."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import msgspec
import pytest

from polymarket_kit.values import MICRO
from practice_exchange.app.exchange import PracticeExchange
from practice_exchange.world.world import World
from prescient.adapters.polymarket.messages.clob import decode_books
from prescient.adapters.polymarket.messages.gamma import decode_events
from prescient.domain.market import Event, Market
from prescient.domain.screening import EventFilter, MarketFilter, screen_event, screen_market

from .conftest import START


def screened(exchange: PracticeExchange) -> list[tuple[Event, Market]]:
    """What the default filters let through, read from the wire as the product reads it."""
    body = exchange.handle("GET", "/gamma/events", "limit=500&active=true&closed=false").body
    decoded = decode_events(msgspec.json.decode(body, type=list[msgspec.Raw]))
    assert not decoded.skipped
    passed = [event for event in decoded.items if screen_event(event, EventFilter()) is None]
    return [(e, m) for e in passed for m in e.markets if screen_market(m, MarketFilter()) is None]


def check_funnel(found: list[tuple[Event, Market]]) -> None:
    assert len(found) >= 25
    assert sum(bool({"politics", "crypto"} & set(event.tags)) for event, _ in found) >= 8


def test_enough_markets_pass_the_default_filters(still: PracticeExchange) -> None:
    check_funnel(screened(still))


def test_enough_markets_pass_days_later() -> None:
    world = World(7, 300, START, tick=timedelta(hours=12))
    world.step(START + timedelta(days=4))
    check_funnel(screened(PracticeExchange(world)))


def test_their_books_are_tight_and_deep(still: PracticeExchange) -> None:
    found = screened(still)
    tokens = [{"token_id": market.outcomes[0].token_id} for _, market in found]
    body = still.handle("POST", "/clob/books", "", msgspec.json.encode(tokens)).body
    books = decode_books(msgspec.json.decode(body, type=list[msgspec.Raw])).items
    assert len(books) == len(found)
    spreads = Counter(
        (book.best_ask_micro - book.best_bid_micro) // book.tick_micro
        for book in books
        if book.best_ask_micro is not None and book.best_bid_micro is not None
    )
    assert spreads[1] + spreads[2] > 0.8 * len(books)
    depth = [sum(level.price_micro * level.size_micro for level in book.asks[:3]) // MICRO**2 for book in books]
    assert sum(dollars > 100 for dollars in depth) > 0.9 * len(books)


def test_the_world_also_has_what_one_would_rather_not_trade(still: PracticeExchange) -> None:
    markets = list(still.world.register.markets.values())
    is_open = [market for market in markets if not market.closed and market.active]
    assert any(not m.book.bid_prices and not m.book.ask_prices for m in is_open)
    assert any(bool(m.book.bid_prices) != bool(m.book.ask_prices) for m in is_open)
    assert any(m.book.best_ask_micro - m.book.best_bid_micro > 5 * m.tick_micro for m in is_open if m.book.bid_prices)
    assert any(not m.accepting_orders and m.end_ms > still.world.now_ms for m in is_open)
    assert any(m.closed for m in markets) and any(m.placeholder for m in markets)
    assert any(m.seconds_delay for m in markets) and any(m.taker_delay for m in markets)
    assert any(m.negative_risk_other for m in markets)
    assert {m.tick_micro for m in is_open} == {1_000, 10_000}
    amounts = sorted(m.volume.total_micro for m in is_open)
    assert amounts[-1] > 30 * amounts[len(amounts) // 2], "money has a heavy tail"


def test_every_category_is_there(still: PracticeExchange) -> None:
    categories = {event.category for event in still.world.register.events.values()}
    wanted = {"politics", "sports", "crypto", "economics", "finance", "culture", "weather", "tech", "geopolitics"}
    assert wanted <= categories


@pytest.mark.parametrize("breadth", [1.0, 3.0])
def test_a_wide_catalogue_for_measuring(breadth: float) -> None:
    world = World(7, 60, START, static=True, breadth=breadth)
    before = world.save()
    world.step(START + timedelta(hours=3))
    assert world.now == START + timedelta(hours=3)
    assert len(world.register.events) == 60
    markets = len(world.register.markets)
    assert markets > 300 if breadth == 3.0 else markets < 300
    assert World.load(before).register.markets.keys() == world.register.markets.keys()
