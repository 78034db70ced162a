"""Recorded books, rules and market records of the exchange: decoded, hashed, and written back byte for byte."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from polymarket_kit.messages.pages import split_page
from polymarket_kit.values import MICRO, parse_micro
from prescient.adapters.polymarket.messages.clob import (
    book_hash,
    decode_books,
    decode_clob_markets,
    decode_price_history,
    decode_rules,
    encode_book,
    encode_books,
    encode_rules,
    payout_of_winner,
)
from prescient.adapters.polymarket.messages.clob_messages import BookMessage
from prescient.domain.market import OrderBook
from tests.prescient.messages.recorded import all_books, raw, read, recorded_calls


def test_recorded_books_decode_best_level_first(recorded_data: Path) -> None:
    plain = all_books(recorded_data)
    decoded = decode_books(raw(plain))
    assert decoded.skipped == [] and len(decoded.items) == len(plain) == 11
    for book, original in zip(decoded.items, plain, strict=True):
        assert (book.token_id, book.condition_id, book.hash) == (
            original["asset_id"],
            original["market"],
            original["hash"],
        )
        bids = sorted(((parse_micro(bid["price"]), parse_micro(bid["size"])) for bid in original["bids"]), reverse=True)
        asks = sorted((parse_micro(ask["price"]), parse_micro(ask["size"])) for ask in original["asks"])
        assert list(book.bids) == bids and list(book.asks) == asks
        assert book.best_bid_micro is not None and book.best_ask_micro is not None
        assert book.best_bid_micro < book.best_ask_micro
        assert str(book.time_ms) == original["timestamp"]
        assert book.last_trade_micro == parse_micro(original["last_trade_price"])
        assert book.negative_risk is original["neg_risk"]


@pytest.mark.fidelity(
    "The hash of a book is SHA-1 over its compact JSON, its own hash empty",
    area="Market data",
    evidence="recording",
    source="books of 2026-05-17 and 2026-06-20",
)
def test_recorded_hashes_recompute(recorded_data: Path) -> None:
    for original in all_books(recorded_data):
        message = msgspec.convert(original, BookMessage)
        assert book_hash(message) == original["hash"]
        changed = original | {"bids": original["bids"][:-1]}
        assert book_hash(msgspec.convert(changed, BookMessage)) != original["hash"]


@pytest.mark.fidelity(
    "Recorded books are written again byte for byte",
    area="Market data",
    evidence="recording",
    source="books of 2026-05-17",
)
def test_recorded_books_are_rebuilt_byte_for_byte(recorded_data: Path) -> None:
    plain = all_books(recorded_data)
    books = decode_books(raw(plain)).items
    for book, original in zip(books, plain, strict=True):
        assert encode_book(book) == json.dumps(original, separators=(",", ":")).encode()
    assert json.loads(encode_books(books)) == plain


@pytest.mark.fidelity(
    "Both tokens of a market show one book, mirrored, with one time",
    area="Market data",
    evidence="recording",
    source="books of 2026-05-17",
)
def test_both_tokens_of_a_market_show_one_book(recorded_data: Path) -> None:
    books = decode_books(raw(read(recorded_data, "clob/books-fed-decision-2026-05-17.json"))).items
    by_market: dict[str, list[OrderBook]] = {}
    for book in books:
        by_market.setdefault(book.condition_id, []).append(book)
    assert len(by_market) == 5
    for yes, no in by_market.values():
        assert yes.time_ms == no.time_ms
        assert [(MICRO - level.price_micro, level.size_micro) for level in yes.bids] == list(no.asks)
        assert [(MICRO - level.price_micro, level.size_micro) for level in yes.asks] == list(no.bids)


def test_recorded_rules_decode_and_are_written_back(recorded_data: Path) -> None:
    plain = read(recorded_data, "clob/clob-markets-fed-decision-2026-05-17.json")
    assert len(plain) == 5
    for original in plain:
        rules = decode_rules(json.dumps(original).encode())
        assert rules.condition_id == original["c"]
        assert rules.token_ids == tuple(token["t"] for token in original["t"])
        assert rules.accepting_orders and rules.negative_risk and not rules.taker_delay_enabled
        assert (rules.tick_micro, rules.minimum_size_micro, rules.seconds_delay) == (1_000, 5_000_000, 0)
        assert (rules.fees.rate_micro, rules.fees.exponent, rules.fees.taker_only) == (50_000, 1, True)
        written = json.loads(encode_rules(rules, [token["o"] for token in original["t"]]))
        assert written == {key: original[key] for key in ("c", "t", "mts", "mos", "mbf", "tbf", "ao", "nr", "fd")}


def test_recorded_market_records_name_their_winner(recorded_data: Path) -> None:
    plain = read(recorded_data, "clob/markets-page-2024.json")
    page = split_page(json.dumps(plain).encode())
    assert page.next_cursor == plain["next_cursor"] == "MTAw"
    decoded = decode_clob_markets(page.items)
    assert decoded.skipped == [] and len(decoded.items) == len(plain["data"]) == 100
    settled = 0
    for market, original in zip(decoded.items, plain["data"], strict=True):
        winners = [token["token_id"] for token in original["tokens"] if token["winner"]]
        payout = payout_of_winner(market)
        if payout is None:
            assert not original["closed"] or len(winners) != 1
            continue
        settled += 1
        if original["is_50_50_outcome"]:
            assert not winners and set(payout.payouts_micro) == {500_000}
        else:
            assert payout.of(winners[0]) == MICRO
    assert settled == 24


def test_the_recorded_empty_history_is_empty(recorded_data: Path) -> None:
    original = recorded_calls(recorded_data)["CLOB GET /prices-history"]
    decoded = decode_price_history(json.dumps(original).encode())
    assert decoded.items == [] and decoded.skipped == []
