"""Books: one per market seen from two sides, on the grid, never crossed, with the venue's own hash."""

from __future__ import annotations

import json
from datetime import timedelta
from hashlib import sha1
from pathlib import Path
from typing import Any

import pytest

from polymarket_kit.values import MICRO, parse_micro
from practice_exchange.app.exchange import PracticeExchange
from practice_exchange.app.recorded import Catalogue
from practice_exchange.books.render import book_json
from practice_exchange.world.book import UnifiedBook
from practice_exchange.world.world import World

from .conftest import START, asking

KEYS = [
    "market",
    "asset_id",
    "timestamp",
    "hash",
    "bids",
    "asks",
    "min_order_size",
    "tick_size",
    "neg_risk",
    "last_trade_price",
]


def all_books(exchange: PracticeExchange) -> dict[str, dict[str, Any]]:
    ask, tokens = asking(exchange), list(exchange.world.register.tokens)
    books: dict[str, dict[str, Any]] = {}
    for start in range(0, len(tokens), 500):
        status, page = ask("/clob/books", body=[{"token_id": token} for token in tokens[start : start + 500]])
        assert status == 200
        books.update({book["asset_id"]: book for book in page})
    return books


def recomputed_hash(book: dict[str, Any]) -> str:
    """The venue's recipe, written here a second time: SHA-1 of the compact JSON with an empty hash."""
    text = json.dumps({**{key: book[key] for key in KEYS}, "hash": ""}, separators=(",", ":"), ensure_ascii=False)
    return sha1(text.encode()).hexdigest()


@pytest.fixture(scope="module")
def lived() -> PracticeExchange:
    world = World(3, 80, START, tick=timedelta(hours=3))
    world.step(START + timedelta(days=2))
    return PracticeExchange(world)


@pytest.mark.fidelity(
    "The best level is last on both sides; prices lie on the tick grid; the other token's book is the mirror",
    area="Market data",
    evidence="recording",
    source="books of 2026-05-17",
)
@pytest.mark.parametrize("hours", [0, 1, 26])
def test_every_book_is_on_the_grid_uncrossed_and_mirrored(hours: int) -> None:
    world = World(5, 80, START)
    world.step(START + timedelta(hours=hours))
    books = all_books(PracticeExchange(world))
    assert len(books) > 150
    for market in world.register.markets.values():
        if market.closed:
            continue
        first, second = (books[token_id] for token_id in market.token_ids)
        check_grid(first)
        assert mirrored(first["bids"]) == second["asks"]
        assert mirrored(first["asks"]) == second["bids"]
        assert first["timestamp"] == second["timestamp"]
        assert int(first["timestamp"]) <= world.now_ms


def check_grid(book: dict[str, Any]) -> None:
    tick = parse_micro(book["tick_size"])
    bids, asks = ([parse_micro(level["price"]) for level in book[side]] for side in ("bids", "asks"))
    assert bids == sorted(set(bids)) and asks == sorted(set(asks), reverse=True), "the best level is last, none twice"
    assert all(tick <= price <= MICRO - tick and price % tick == 0 for price in bids + asks)
    assert not bids or not asks or bids[-1] < asks[-1]
    sizes = [parse_micro(level["size"]) for level in book["bids"] + book["asks"]]
    assert all(size > 0 and size % 10_000 == 0 for size in sizes)


def mirrored(levels: list[dict[str, str]]) -> list[dict[str, str]]:
    return [
        {"price": f"{1 - float(level['price']):.6f}".rstrip("0").rstrip("."), "size": level["size"]} for level in levels
    ]


@pytest.mark.fidelity(
    "Served books carry a hash that a client can recompute",
    area="Market data",
    evidence="official client",
    source="py-clob-client-v2 1.2.1, generate_orderbook_summary_hash",
)
def test_served_hashes_recompute(lived: PracticeExchange) -> None:
    books = all_books(lived)
    assert len(books) > 100
    for book in books.values():
        assert list(book) == KEYS
        assert book["hash"] == recomputed_hash(book)


@pytest.mark.fidelity(
    "From levels alone the served book is the recorded one, hash included",
    area="Market data",
    evidence="recording",
    source="books of 2026-05-17",
)
def test_recorded_books_are_rebuilt_bit_for_bit(recorded_data: Path) -> None:
    """From the levels alone our writer makes the ten recorded books again, hashes included."""
    files = [
        recorded_data / "gamma/event-fed-decision-2026-05-17.json",
        recorded_data / "clob/books-fed-decision-2026-05-17.json",
    ]
    catalogue = Catalogue.load(files, START)
    recorded = json.loads(files[1].read_bytes())
    assert len(recorded) == 10
    for book in recorded:
        market, outcome_index = catalogue.register.tokens[book["asset_id"]]
        market.changed_ms = int(book["timestamp"])
        market.last_trade_micro = parse_micro(book["last_trade_price"])
        assert json.loads(book_json(market, outcome_index)) == book
        assert recomputed_hash(book) == book["hash"]


def test_a_book_changes_hash_and_time_only_when_it_changes() -> None:
    world = World(3, 60, START)
    exchange = PracticeExchange(world)
    before = all_books(exchange)
    world.step(START + timedelta(minutes=30))
    after = all_books(exchange)
    moved = [token for token in after if token in before and after[token] != before[token]]
    assert moved
    for token in moved:
        assert after[token]["hash"] != before[token]["hash"]
        assert int(after[token]["timestamp"]) > int(before[token]["timestamp"])


@pytest.mark.fidelity(
    "Ticks change from 0.01 to 0.001 near the ends",
    area="Market data",
    evidence="specification",
    source="tick_size_change",
)
def test_ticks_become_finer_near_the_ends_and_never_coarser() -> None:
    world = World(5, 120, START, tick=timedelta(hours=6))
    ticks = {number: market.tick_micro for number, market in world.register.markets.items()}
    world.step(START + timedelta(days=4))
    refined = 0
    for number, before in ticks.items():
        market = world.register.markets[number]
        assert market.tick_micro in (before, 1_000)
        refined += market.tick_micro < before
        if not market.closed and market.tick_micro == 10_000 and market.trading and market.maker is not None:
            assert 20_000 < market.book.midpoint_micro < 980_000
    assert refined > 5


def test_a_taker_walks_levels_from_the_best_to_the_limit() -> None:
    book = UnifiedBook([480_000, 500_000], [30_000_000, 10_000_000], [560_000, 540_000], [7_000_000, 5_000_000])
    take = book.take(True, 8_000_000, 560_000)
    assert (take.size_micro, take.notional_micro, take.last_price_micro) == (8_000_000, 2_700_000 + 1_680_000, 560_000)
    assert book.best_ask_micro == 560_000 and book.ask_sizes == [4_000_000]
    assert book.take(True, 8_000_000, 550_000).size_micro == 0
    take = book.take(False, 50_000_000, 490_000)
    assert (take.size_micro, take.notional_micro) == (10_000_000, 5_000_000)
    assert book.best_bid_micro == 480_000


def test_a_crossed_quote_is_refused() -> None:
    with pytest.raises(AssertionError):
        UnifiedBook().quote([500_000], [1], [500_000], [1])


def test_liquidity_is_the_money_behind_the_recorded_books(recorded_data: Path) -> None:
    """The venue's figure and the sum over its own books of the same minutes agree within a percent."""
    files = [
        recorded_data / "gamma/event-fed-decision-2026-05-17.json",
        recorded_data / "clob/books-fed-decision-2026-05-17.json",
    ]
    catalogue = Catalogue.load(files, START)
    for market in catalogue.register.markets.values():
        assert market.book.worth_micro() == pytest.approx(market.told_liquidity_micro, rel=0.01)
