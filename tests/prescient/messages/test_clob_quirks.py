"""Books, rules and histories in the forms that must not reach a strategy, and the ones that look odd and are sound."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polymarket_kit.messages.pages import MalformedMessage
from polymarket_kit.model import FeeSchedule, Level
from prescient.adapters.polymarket.messages.clob import (
    decode_books,
    decode_clob_market,
    decode_price_history,
    decode_rules,
    encode_book,
    encode_price_history,
    encode_rules,
    last_trade_text,
    payout_of_winner,
)
from prescient.domain.market import OrderBook, PricePoint, TradingRules

CONDITION = "0x" + "cd" * 32


def book_object(**changes: Any) -> dict[str, Any]:
    plain = {
        "market": CONDITION,
        "asset_id": "123",
        "timestamp": "1778997825875",
        "hash": "",
        "bids": [{"price": "0.39", "size": "5"}, {"price": "0.4", "size": "10.5"}],
        "asks": [{"price": "0.43", "size": "7"}, {"price": "0.42", "size": "100"}],
        "min_order_size": "5",
        "tick_size": "0.01",
        "neg_risk": False,
        "last_trade_price": "0.410",
    } | changes
    return {key: value for key, value in plain.items() if value is not ...}


def levels(*pairs: tuple[str, str]) -> list[dict[str, str]]:
    return [{"price": price, "size": size} for price, size in pairs]


def read(**changes: Any) -> tuple[list[OrderBook], list[tuple[str, str]]]:
    decoded = decode_books([msgspec.Raw(json.dumps(book_object(**changes)).encode())])
    return decoded.items, decoded.skipped


@pytest.mark.parametrize(
    ("changes", "best_bid", "best_ask"),
    [
        ({}, 400_000, 420_000),
        ({"bids": []}, None, 420_000),
        ({"asks": []}, 400_000, None),
        ({"bids": [], "asks": []}, None, None),
        # In no order, in the order of the documents, and with an emptied level.
        ({"bids": levels(("0.4", "1"), ("0.39", "1"))}, 400_000, 420_000),
        ({"bids": levels(("0.1", "1"), ("0.4", "1"), ("0.39", "1"))}, 400_000, 420_000),
        ({"asks": levels(("0.43", "7"), ("0.42", "0"))}, 400_000, 430_000),
        ({"bids": levels(("0.4125", "1"))}, 412_500, 420_000),
    ],
)
def test_sound_books(changes: dict[str, Any], best_bid: int | None, best_ask: int | None) -> None:
    ((book,), skipped) = read(**changes)
    assert (book.best_bid_micro, book.best_ask_micro) == (best_bid, best_ask) and skipped == []
    assert list(book.bids) == sorted(book.bids, reverse=True) and list(book.asks) == sorted(book.asks)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"bids": levels(("0.42", "1"))}, "crossed or locked"),
        ({"bids": levels(("0.5", "1"))}, "crossed or locked"),
        ({"bids": levels(("0", "1"))}, "between 0 and 1"),
        ({"asks": levels(("1", "1"))}, "between 0 and 1"),
        ({"asks": levels(("1.2", "1"))}, "between 0 and 1"),
        ({"asks": levels(("nan", "1"))}, "not finite"),
        ({"asks": levels(("0.5", "-1"))}, "below zero"),
        ({"asks": levels(("0.5", "inf"))}, "not finite"),
        ({"asks": levels(("0.5", "1e30"))}, "out of range"),
        ({"asks": levels(("0.5", "1"), ("0.50", "2"))}, "same price"),
        ({"bids": [{"price": 0.4, "size": "1"}]}, "Expected `str`"),
        ({"bids": None}, "Expected `array`"),
        ({"bids": [{"price": "0.4"}]}, "missing required field"),
        ({"timestamp": "1778997825"}, "not in milliseconds"),
        ({"timestamp": "1778997825875000"}, "not in milliseconds"),
        ({"timestamp": "now"}, "invalid literal"),
        ({"asset_id": ""}, "not a decimal number"),
        ({"asset_id": ...}, "missing required field"),
        ({"market": "0x12"}, "condition id"),
        ({"tick_size": "0"}, "tick is not between"),
        ({"last_trade_price": "1.5"}, "outside 0..1"),
        ({"bids": levels(*[("0.4", "1")] * 10_001)}, "too many levels"),
    ],
)
def test_senseless_books_are_left_out_whole(changes: dict[str, Any], reason: str) -> None:
    books, ((subject, said),) = read(**changes)
    assert books == [] and reason in said and subject in {"123", "book 0", ""}


def test_a_bad_book_leaves_its_neighbours() -> None:
    items = [book_object(asset_id="1"), book_object(asset_id="2", bids=levels(("2", "1"))), book_object(asset_id="3")]
    decoded = decode_books([msgspec.Raw(json.dumps(item).encode()) for item in items])
    assert [book.token_id for book in decoded.items] == ["1", "3"]
    assert [subject for subject, _ in decoded.skipped] == ["2"]


@pytest.mark.parametrize(
    ("micro", "text"),
    [(None, ""), (980_000, "0.980"), (6_000, "0.006"), (2_500, "0.0025"), (500_000, "0.500"), (1_000_000, "1.000")],
)
def test_the_last_trade_keeps_three_decimals(micro: int | None, text: str) -> None:
    assert last_trade_text(micro) == text


grid = st.integers(1, 9_999).map(lambda step: step * 100)
sizes = st.integers(1, 10**13)


@settings(deadline=None)
@given(st.lists(grid, unique=True, min_size=0, max_size=40), st.data())
def test_any_book_survives_being_served_and_read(prices: list[int], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(prices)))
    ordered = sorted(prices)
    made = [Level(price, data.draw(sizes)) for price in ordered]
    last = data.draw(st.none() | grid)
    book = OrderBook(
        "77", CONDITION, tuple(reversed(made[:cut])), tuple(made[cut:]), 1778997825875, 100, 5_000_000, last
    )
    decoded = decode_books([msgspec.Raw(encode_book(book))])
    assert decoded.skipped == []
    again = decoded.items[0]
    assert len(again.hash) == 40
    assert (again.bids, again.asks, again.last_trade_micro) == (book.bids, book.asks, last)


def rules_body(**changes: Any) -> bytes:
    plain = {"c": CONDITION, "t": [{"t": "1", "o": "Yes"}, {"t": "2", "o": "No"}], "mts": 0.01, "mos": 5} | changes
    return json.dumps({key: value for key, value in plain.items() if value is not ...}).encode()


@pytest.mark.parametrize(
    ("changes", "field", "value"),
    [
        ({}, "fees", FeeSchedule()),
        ({"fd": None}, "fees", FeeSchedule()),
        ({"fd": {"r": 0.07, "e": 1, "to": True}}, "fees", FeeSchedule(70_000, 1, True)),
        ({"fd": {"r": "0.25", "e": 2.0}}, "fees", FeeSchedule(250_000, 2, True)),
        ({"fd": {"r": 0, "e": 0, "to": True}}, "fees", "fee exponent 0"),
        ({"fd": {"r": 0.03, "e": 0.5}}, "fees", "fee exponent 0.5"),
        ({}, "accepting_orders", False),
        ({"ao": True}, "accepting_orders", True),
        ({"nr": True}, "negative_risk", True),
        ({"itode": True}, "taker_delay_enabled", True),
        ({"sd": 3}, "seconds_delay", 3),
        ({"gst": "2026-07-24T00:00:16Z"}, "game_start_ms", 1_784_851_216_000),
        ({"gst": "2026-07-24T00:00:16Z", "cbos": True}, "game_start_ms", 1_784_851_216_000),
        ({"gst": "2026-07-24T00:00:16Z", "cbos": False}, "game_start_ms", 0),
        ({"gst": "soon"}, "game_start_ms", 0),
        ({"mts": "0.0025"}, "tick_micro", 2_500),
        ({"mos": 0}, "minimum_size_micro", 0),
        ({"t": [{"t": "1"}, None]}, "token_ids", ("1",)),
        ({"t": []}, "token_ids", "tokens, tick or minimum size"),
        ({"mts": ...}, "tick_micro", "tokens, tick or minimum size"),
        ({"mts": 1}, "tick_micro", "tick is not between"),
        ({"c": ""}, "condition_id", "no condition id"),
        ({"t": {"a": 1}}, "token_ids", "Expected `array`"),
        ({"ao": 1}, "accepting_orders", "Expected `bool"),
    ],
)
def test_rules_in_their_odd_forms(changes: dict[str, Any], field: str, value: Any) -> None:
    if isinstance(value, str):
        with pytest.raises(ValueError, match=value):
            decode_rules(rules_body(**changes))
    else:
        assert getattr(decode_rules(rules_body(**changes)), field) == value


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"c": "0x', b'{"r": ' + b"[" * 100_000, b'{"mts": NaN}'])
def test_rules_that_are_no_json_are_another_error(body: bytes) -> None:
    with pytest.raises(MalformedMessage):
        decode_rules(body)


def test_rules_survive_being_served_and_read() -> None:
    rules = TradingRules(
        CONDITION, ("1", "2"), True, 2_500, 5_000_000, FeeSchedule(40_000, 1), True, True, 3, 1_784_851_216_500
    )
    assert decode_rules(encode_rules(rules, ["Yes", "No"])) == rules
    plain = TradingRules(CONDITION, ("1", "2"), False, 10_000, 5_000_000)
    assert decode_rules(encode_rules(plain, ["Yes", "No"])) == plain
    assert set(json.loads(encode_rules(plain, ["Yes", "No"]))) == {"c", "t", "mts", "mos", "mbf", "tbf", "ao"}


def test_history_is_sorted_and_its_bad_points_are_left_out() -> None:
    points = '{"t": 30, "p": 0.5}, {"t": 10, "p": 0.25}, {"t": 20, "p": 1.5}, {"t": "x", "p": 0.5}, {"t": 40}, '
    points += '{"t": 1778997825875, "p": 0.5}, {"t": 30, "p": 0.51}, {"t": 50, "p": "0.7"}, {"t": 60, "p": null}'
    decoded = decode_price_history(f'{{"history": [{points}]}}'.encode())
    assert decoded.items == [PricePoint(10, 250_000), PricePoint(30, 510_000), PricePoint(50, 700_000)]
    assert [subject for subject, _ in decoded.skipped] == ["point 2", "point 3", "point 4", "point 5", "point 8"]
    assert decode_price_history(encode_price_history(decoded.items)).items == decoded.items
    assert decode_price_history(b'{"history": null}').items == []


@pytest.mark.parametrize("body", [b"[]", b"", b'{"history": 1}', b'{"history": [', b"\xff", b"[" * 100_000])
def test_a_history_that_is_none_is_a_typed_error(body: bytes) -> None:
    with pytest.raises(MalformedMessage):
        decode_price_history(body)


@pytest.mark.parametrize(
    ("winners", "closed", "even", "payouts"),
    [
        ((True, False), True, False, (1_000_000, 0)),
        ((False, True), True, False, (0, 1_000_000)),
        ((False, False), True, True, (500_000, 500_000)),
        ((False, False), True, False, None),
        ((True, True), True, False, None),
        ((True, False), False, False, None),
        ((None, True), True, None, (0, 1_000_000)),
        ((True,), True, False, None),
    ],
)
def test_only_a_closed_market_with_one_winner_pays(
    winners: tuple[bool | None, ...], closed: bool, even: bool | None, payouts: tuple[int, int] | None
) -> None:
    tokens = [{"token_id": str(number), "winner": winner} for number, winner in enumerate(winners)]
    body = json.dumps({"condition_id": CONDITION, "tokens": tokens, "closed": closed, "is_50_50_outcome": even})
    payout = payout_of_winner(decode_clob_market(body.encode()))
    assert (payout.payouts_micro if payout else None) == payouts
