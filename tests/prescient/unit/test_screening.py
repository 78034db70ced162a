"""The two filters: below, at and above each bound, and the reason that is recorded."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from polymarket_kit.values import MICRO
from prescient.domain.market import Event, Market, Outcome
from prescient.domain.screening import Drop, EventFilter, MarketFilter, screen_event, screen_market
from tests.fakes import binary_market

EVENT = Event("1", "Event", "event", True, False, 10_000 * MICRO, 50_000 * MICRO)
MARKET = replace(binary_market(1), liquidity_micro=10_000 * MICRO, volume_micro=50_000 * MICRO)


def priced(*prices: int | None) -> Market:
    return replace(MARKET, outcomes=tuple(Outcome(str(n), str(n), price) for n, price in enumerate(prices)))


@pytest.mark.parametrize(
    ("changes", "drop"),
    [
        ({}, None),
        ({"liquidity_micro": 10_000 * MICRO + 1, "volume_micro": 50_000 * MICRO + 1}, None),
        ({"liquidity_micro": 10_000 * MICRO - 1}, Drop("event_liquidity_low", "9999.999999", "event_min_liquidity")),
        ({"volume_micro": 50_000 * MICRO - 1}, Drop("event_volume_low", "49999.999999", "event_min_volume")),
        ({"active": False}, Drop("event_not_active")),
        ({"closed": True}, Drop("event_not_active")),
        # Of several reasons the first is recorded.
        ({"closed": True, "liquidity_micro": 0, "volume_micro": 0}, Drop("event_not_active")),
        ({"liquidity_micro": 0, "volume_micro": 0}, Drop("event_liquidity_low", "0", "event_min_liquidity")),
    ],
)
def test_events(changes: dict[str, Any], drop: Drop | None) -> None:
    assert screen_event(replace(EVENT, **changes), EventFilter()) == drop


@pytest.mark.parametrize(
    ("market", "drop"),
    [
        (priced(500_000, 500_000), None),
        (priced(600_000, 400_000), None),
        (priced(400_000, 600_000), None),
        (priced(550_000, None), None),
        (priced(499_999, 499_999), Drop("conviction_low", "0.499999", "min_market_conviction")),
        (priced(600_001, 399_999), Drop("conviction_high", "0.600001", "max_market_conviction")),
        (priced(399_999, 600_001), Drop("conviction_high", "0.600001", "max_market_conviction")),
        (priced(1_000_000, 0), Drop("conviction_high", "1", "max_market_conviction")),
        (priced(None, None), Drop("price_missing")),
        (priced(), Drop("price_missing")),
        (replace(MARKET, liquidity_micro=10_000 * MICRO - 1), Drop("liquidity_low", "9999.999999", "min_liquidity")),
        (replace(MARKET, liquidity_micro=10_000 * MICRO + 1), None),
        (replace(MARKET, volume_micro=50_000 * MICRO - 1), Drop("volume_low", "49999.999999", "min_volume")),
        (replace(MARKET, volume_micro=50_000 * MICRO + 1), None),
        (replace(MARKET, placeholder=True), Drop("market_placeholder")),
        (replace(MARKET, active=False), Drop("market_not_tradable", "not active")),
        (replace(MARKET, closed=True), Drop("market_not_tradable", "closed")),
        (replace(MARKET, active=False, closed=True), Drop("market_not_tradable", "not active, closed")),
        (replace(MARKET, accepting_orders=False), Drop("market_not_tradable", "not accepting orders")),
        (replace(MARKET, order_book_enabled=False), Drop("market_not_tradable", "no order book")),
    ],
)
def test_markets(market: Market, drop: Drop | None) -> None:
    assert screen_market(market, MarketFilter()) == drop
    assert screen_market(market.figures, MarketFilter()) == drop


def test_the_bounds_are_those_of_the_request() -> None:
    open_wide = MarketFilter(0, 0, 0, MICRO)
    assert screen_market(replace(priced(1_000_000, 0), liquidity_micro=0, volume_micro=0), open_wide) is None
    assert screen_event(replace(EVENT, liquidity_micro=0, volume_micro=0), EventFilter(0, 0)) is None
    narrow = MarketFilter(min_market_conviction_micro=550_000, max_market_conviction_micro=550_000)
    assert screen_market(priced(550_000, 450_000), narrow) is None
    assert screen_market(priced(550_001, 449_999), narrow) == Drop(
        "conviction_high", "0.550001", "max_market_conviction"
    )
