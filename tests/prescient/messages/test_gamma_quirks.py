"""Every odd form that the catalogue is known to take, one row each; what is malformed costs itself and nothing else."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from polymarket_kit.messages.pages import MalformedMessage, split_page
from polymarket_kit.model import NO_FEES
from prescient.adapters.polymarket.messages.dates import time_from_wire
from prescient.adapters.polymarket.messages.gamma import decode_events, decode_market_states, decode_markets
from prescient.domain.market import Market, Resolution

CONDITION = "0x" + "ab" * 32
TOKENS = ("7" * 77, "8" * 77)


def market_object(**changes: Any) -> dict[str, Any]:
    """A sound market with changes; a change to ``...`` removes the key."""
    plain = {
        "id": "1",
        "question": "Will it?",
        "conditionId": CONDITION,
        "slug": "will-it",
        "outcomes": '["Yes", "No"]',
        "outcomePrices": '["0.745", "0.255"]',
        "clobTokenIds": json.dumps(TOKENS),
        "active": True,
        "closed": False,
        "acceptingOrders": True,
        "enableOrderBook": True,
        "volume": "1000.5",
        "liquidity": "10",
        "orderPriceMinTickSize": 0.001,
        "orderMinSize": 5,
        "umaResolutionStatuses": "[]",
    } | changes
    return {key: value for key, value in plain.items() if value is not ...}


def event_object(*markets: Any, **changes: Any) -> dict[str, Any]:
    return {"id": "9", "title": "T", "slug": "t", "active": True, "closed": False, "markets": list(markets)} | changes


def one(**changes: Any) -> Market:
    decoded = decode_markets([msgspec.Raw(json.dumps(market_object(**changes)).encode())])
    assert decoded.skipped == []
    return decoded.items[0]


def refused(**changes: Any) -> str:
    decoded = decode_markets([msgspec.Raw(json.dumps(market_object(**changes)).encode())])
    assert decoded.items == []
    return decoded.skipped[0][1]


@pytest.mark.parametrize(
    ("changes", "prices"),
    [
        ({}, (745_000, 255_000)),
        ({"outcomePrices": ["0.745", "0.255"]}, (745_000, 255_000)),
        ({"outcomePrices": [0.745, 0.255]}, (745_000, 255_000)),
        ({"outcomePrices": [1, 0]}, (1_000_000, 0)),
        ({"outcomePrices": "[0.745, 0.255]"}, (745_000, 255_000)),
        ({"outcomePrices": None}, (None, None)),
        ({"outcomePrices": ""}, (None, None)),
        ({"outcomePrices": "[]"}, (None, None)),
        ({"outcomePrices": ...}, (None, None)),
        ({"outcomePrices": '["0", "0"]'}, (None, None)),
        ({"outcomePrices": '["0.000000999", "0.999999001"]'}, (0, 999_999)),
        ({"outcomes": ["Up", "Down"], "clobTokenIds": list(TOKENS)}, (745_000, 255_000)),
    ],
)
def test_lists_come_as_strings_arrays_or_not_at_all(
    changes: dict[str, Any], prices: tuple[int | None, int | None]
) -> None:
    market = one(**changes)
    assert tuple(outcome.price_micro for outcome in market.outcomes) == prices
    assert tuple(outcome.token_id for outcome in market.outcomes) == TOKENS


def test_a_market_of_three_outcomes_is_kept_and_never_pays_by_guess() -> None:
    changes = {
        "outcomes": '["A", "B", "C"]',
        "outcomePrices": '["1", "0", "0"]',
        "clobTokenIds": '["1", "2", "3"]',
        "closed": True,
        "umaResolutionStatus": "resolved",
    }
    assert len(one(**changes).outcomes) == 3
    ((state, claimed),) = decode_market_states([msgspec.Raw(json.dumps(market_object(**changes)).encode())]).items
    assert state.payout is None and claimed is None


@pytest.mark.parametrize(
    ("changes", "field", "value"),
    [
        ({"volume": ..., "volumeNum": 12.25}, "volume_micro", 12_250_000),
        ({"volume": "", "volumeNum": "12.25"}, "volume_micro", 12_250_000),
        ({"volume": 12.25}, "volume_micro", 12_250_000),
        ({"volume": ...}, "volume_micro", 0),
        ({"volume24hr": 0.1}, "volume_24h_micro", 100_000),
        ({"liquidity": None, "liquidityNum": 3}, "liquidity_micro", 3_000_000),
        ({"orderPriceMinTickSize": "0.0025"}, "tick_micro", 2_500),
        ({"orderPriceMinTickSize": ...}, "tick_micro", 10_000),
        ({"orderMinSize": ...}, "minimum_size_micro", 5_000_000),
        ({"orderMinSize": "15"}, "minimum_size_micro", 15_000_000),
        ({"bestBid": 0, "bestAsk": 1}, "best_bid_micro", None),
        ({"bestBid": 0, "bestAsk": 1}, "best_ask_micro", None),
        ({"bestBid": 0.4, "bestAsk": "0.41"}, "best_ask_micro", 410_000),
        ({"lastTradePrice": 0}, "last_trade_micro", None),
        ({"secondsDelay": 3}, "seconds_delay", 3),
        ({"secondsDelay": None}, "seconds_delay", 0),
        ({"id": 7}, "market_id", "7"),
        ({"feeSchedule": None}, "fees", NO_FEES),
        ({"active": None}, "tradable", False),
        ({"acceptingOrders": ...}, "tradable", False),
        ({"enableOrderBook": ...}, "tradable", False),
        ({"ready": False, "funded": False}, "tradable", True),
        ({"umaResolutionStatus": "proposed"}, "resolution", Resolution.PROPOSED),
        ({"umaResolutionStatuses": '["proposed", "disputed"]'}, "resolution", Resolution.DISPUTED),
        ({"umaResolutionStatuses": ["proposed"]}, "resolution", Resolution.PROPOSED),
        ({"umaResolutionStatuses": None}, "resolution", Resolution.OPEN),
        ({"umaResolutionStatus": "posed"}, "resolution", Resolution.OPEN),
        # Said to be resolved while still open: not final.
        ({"umaResolutionStatus": "resolved"}, "resolution", Resolution.PROPOSED),
        ({"closed": True}, "resolution", Resolution.ENDED),
        ({"closed": True, "umaResolutionStatus": "resolved"}, "resolution", Resolution.RESOLVED),
        ({"category": "Coronavirus"}, "category", "coronavirus"),
        ({"feeType": "sports_fees_v2"}, "category", "sports"),
        ({"question": ...}, "question", ""),
    ],
)
def test_fields_in_their_odd_forms(changes: dict[str, Any], field: str, value: Any) -> None:
    assert getattr(one(**changes), field) == value


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-07-24 00:00:16+00", datetime(2026, 7, 24, 0, 0, 16, tzinfo=UTC)),
        ("2026-07-24T00:00:16Z", datetime(2026, 7, 24, 0, 0, 16, tzinfo=UTC)),
        ("2026-07-24T02:00:16+02:00", datetime(2026, 7, 24, 0, 0, 16, tzinfo=UTC)),
        ("2026-07-24T00:00:16.1Z", datetime(2026, 7, 24, 0, 0, 16, 100_000, tzinfo=UTC)),
        ("2026-07-24T00:00:16.123456789Z", datetime(2026, 7, 24, 0, 0, 16, 123_456, tzinfo=UTC)),
        ("2026-07-24", datetime(2026, 7, 24, tzinfo=UTC)),
        ("2026-07-24T00:00:16", datetime(2026, 7, 24, 0, 0, 16, tzinfo=UTC)),
        ("", None),
        (None, None),
        ("soon", None),
        ("0000-00-00", None),
        ("2026-02-30", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("9999-12-31T23:59:59-12:00", None),
        ("1e18", None),
        ("2026-07-24T00:00:16." + "1" * 1_000_000, None),
    ],
)
def test_dates(text: str | None, time: datetime | None) -> None:
    read = time_from_wire(text)
    assert read == time
    assert read is None or read.tzinfo is UTC


def test_the_end_is_the_exact_one_or_else_the_day() -> None:
    assert one(endDate="2026-07-24T12:00:00Z", endDateIso="2026-07-25").end_time == datetime(
        2026, 7, 24, 12, tzinfo=UTC
    )
    assert one(endDateIso="2026-07-25").end_time == datetime(2026, 7, 25, tzinfo=UTC)
    assert one(eventStartTime="2026-07-25T10:00:00Z").game_start_time == datetime(2026, 7, 25, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"volume": "-1"}, "below zero"),
        ({"liquidity": "nan"}, "not finite"),
        ({"liquidity": "1e30"}, "out of range"),
        ({"volume": "lots"}, "not a decimal number"),
        ({"volume": "9" * 50}, "too many characters"),
        ({"outcomePrices": '["1.2", "-0.2"]'}, "outside 0..1"),
        ({"outcomePrices": '["0.5"]'}, "differ in number"),
        ({"outcomePrices": "[0.5"}, "truncated"),
        ({"outcomePrices": '{"a": 1}'}, "Expected `array`"),
        ({"outcomes": '["Yes"]'}, "differ in number"),
        ({"outcomes": None}, "differ in number"),
        ({"outcomes": '["Yes", "N\\u0000"]'}, "NUL"),
        ({"clobTokenIds": ""}, "no token ids"),
        ({"clobTokenIds": ...}, "no token ids"),
        ({"clobTokenIds": '["0x12", "13"]'}, "not a decimal number"),
        ({"clobTokenIds": '["\u0661\u0662", "13"]'}, "not a decimal number"),
        ({"clobTokenIds": [12.5, 13]}, "not a decimal number"),
        ({"clobTokenIds": ["1" * 79, "2"]}, "longer than 256 bits"),
        ({"conditionId": ""}, "no condition id"),
        ({"conditionId": "0x12"}, "not 0x and 64 digits"),
        ({"conditionId": CONDITION[:-1] + "\n"}, "not 0x and 64 digits"),
        ({"bestAsk": 1.01}, "outside 0..1"),
        ({"orderPriceMinTickSize": 0}, "tick is not between"),
        ({"orderMinSize": -5}, "below zero"),
        ({"feeSchedule": {"rate": 0.03, "exponent": 0.5}}, "fee exponent 0.5 is not supported"),
        ({"feeSchedule": {"rate": 0.03, "exponent": "x"}}, "could not convert"),
        ({"feeSchedule": {"rate": 1.5, "exponent": 1}}, "above one"),
        ({"secondsDelay": 1e9}, "out of range"),
        ({"question": "a\u0000b"}, "NUL"),
        ({"question": "a" * 20_001}, "too long"),
        ({"active": "yes"}, "Expected `bool"),
        ({"id": ...}, "missing required field"),
        ({"id": ""}, "id is empty"),
        ({"outcomes": json.dumps(["x" * 10_001, "No"])}, "too long"),
    ],
)
def test_malformed_markets_are_left_out_with_their_reason(changes: dict[str, Any], reason: str) -> None:
    assert reason in refused(**changes)


def test_states_of_held_markets_do_not_depend_on_what_only_trading_needs() -> None:
    changes = {"closed": True, "umaResolutionStatus": "resolved", "outcomePrices": '["0.5", "0.5"]'}
    broken = market_object(**changes, feeSchedule={"rate": 0.03, "exponent": 0.5}, volume="-3", bestAsk=7)
    ((state, _),) = decode_market_states([msgspec.Raw(json.dumps(broken).encode())]).items
    assert state.payout is not None and state.payout.payouts_micro == (500_000, 500_000)


@pytest.mark.parametrize(
    "prices",
    [
        '["0", "0"]',
        '["0.999", "0.001"]',
        '["0.58", "0.42"]',
        '["1", "1"]',
        '["1"]',
        '["0.5", "0"]',
        "",
        '["0.3", "0.7"]',
    ],
)
def test_prices_that_are_not_final_pay_nothing(prices: str) -> None:
    plain = market_object(closed=True, umaResolutionStatus="resolved", outcomePrices=prices)
    ((state, claimed),) = decode_market_states([msgspec.Raw(json.dumps(plain).encode())]).items
    assert state.resolution is Resolution.RESOLVED and state.payout is None and claimed is None


def test_a_malformed_market_leaves_its_event_and_neighbours() -> None:
    sound, bad = market_object(), market_object(id="2", volume=[1])
    worse = '{"id": "3", "volume": NaN}'
    body = json.dumps({"events": [event_object(sound, bad), event_object(id="10")]})[:-2]
    body += ', {"id": "11", "title": "N", "markets": [' + worse + ", " + json.dumps(market_object(id="4")) + "]}]}"
    decoded = decode_events(split_page(body.encode()).items)
    assert [(event.event_id, [m.market_id for m in event.markets]) for event in decoded.items] == [
        ("9", ["1"]),
        ("10", []),
        ("11", ["4"]),
    ]
    assert [subject for subject, _ in decoded.skipped] == ["2", "3"]


@pytest.mark.parametrize(
    ("item", "name"),
    [
        ('{"id": "5", "title": 7, "markets": []}', "5"),
        ('{"id": "6", "volume": -1}', "6"),
        ('{"id": "7", "volume": 1e999}', "7"),
        ('{"id": "8", "volume": NaN}', "8"),
        ('{"id": "8", "title": "\\ud800"}', "8"),
        ('{"title": "no id"}', "item 1"),
        ('"text"', "item 1"),
        ("null", "item 1"),
        ('{"id": "8", "markets": {}}', "8"),
        ('{"id": "8", "tags": [1]}', "8"),
        ('{"id": "8", "title": "\\u0000"}', "8"),
        ('{"id": "8", "x": ' + "9" * 5_000 + ', "title": 1}', "item 1"),
        ('{"id": "\\ud800\\u0000", "title": 1}', "??"),
    ],
)
def test_a_malformed_event_leaves_the_page(item: str, name: str) -> None:
    good = json.dumps(event_object(market_object()))
    decoded = decode_events(split_page(f'{{"events": [{good}, {item}, {good}]}}'.encode()).items)
    assert len(decoded.items) == 2
    ((subject, reason),) = decoded.skipped
    assert subject == name and reason.startswith("event: ") and len(reason) < 220


def test_an_event_that_is_not_utf_8_leaves_the_page() -> None:
    good = json.dumps(event_object(market_object())).encode()
    page = split_page(b'{"events": [' + good + b', {"id": "8", "title": "\xff\xfe"}], "next_cursor": "c"}')
    decoded = decode_events(page.items)
    assert len(decoded.items) == 1 and len(decoded.skipped) == 1 and page.next_cursor == "c"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html><body>Bad gateway</body></html>",
        b'{"events": [{"id": "1"}, {"id"',
        b'{"events": null}',
        b'{"error": "no"}',
        b'{"events": {"id": "1"}}',
        b'"OK"',
        b"null",
        b"\xff\xfe\x00",
        b'{"events": []} {"events": []}',
        b"[" * 200_000,
        b'{"events": ' + b"[" * 200_000,
        b'{"other": NaN}',
        b'{"events": [], "next_cursor": 7}',
        b'{"events": [], "next_cursor": "\x80"}',
        b'{"events": [], "next_cursor": "\\ud800"}',
        b'{"events": [], "next_cursor": "' + b"M" * 1_001 + b'"}',
    ],
)
def test_an_answer_that_is_no_page_is_one_typed_error(body: bytes) -> None:
    with pytest.raises(MalformedMessage):
        split_page(body)


def test_an_item_nested_without_end_costs_itself() -> None:
    deep = '{"id": "8", "x": ' + "[" * 900 + "]" * 900 + ', "tags": 1}'
    decoded = decode_events(split_page(f'{{"events": [{deep}, {json.dumps(event_object())}]}}'.encode()).items)
    assert [event.event_id for event in decoded.items] == ["9"] and len(decoded.skipped) == 1


def test_a_placeholder_needs_an_augmented_event() -> None:
    def placeholder(market: dict[str, Any], augmented: bool) -> bool:
        event = event_object(market, negRiskAugmented=augmented)
        decoded = decode_events([msgspec.Raw(json.dumps(event).encode())])
        return decoded.items[0].markets[0].placeholder

    assert placeholder(market_object(groupItemTitle="Company H"), augmented=True)
    assert placeholder(market_object(groupItemTitle="Anna", active=False), augmented=True)
    assert placeholder(market_object(groupItemTitle="Other", negRiskOther=True), augmented=True)
    assert not placeholder(market_object(groupItemTitle="Malcolm X"), augmented=True)
    assert not placeholder(market_object(groupItemTitle="Company H"), augmented=False)
