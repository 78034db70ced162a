"""Both recorded catalogues through a whole cycle: the funnel's counts are those that plain counting in the raw JSON finds."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from polymarket_kit.values import MICRO
from practice_exchange.app.recorded import Catalogue
from prescient.adapters.clock import SimulatedClock
from prescient.adapters.gather import SequentialGather
from prescient.adapters.ids import SequenceIds
from prescient.adapters.memory import MemoryStore
from prescient.adapters.paper import PaperVenue
from prescient.adapters.polymarket import PolymarketData
from prescient.administration.portfolios import PortfolioForm, create_portfolio
from prescient.domain.cycle import CycleRequest, CycleStatus
from prescient.domain.screening import EventFilter, MarketFilter
from prescient.domain.signal import Step
from prescient.ports.context import TradingContext
from prescient.steps.local import LocalCycleSteps
from prescient.strategies import BUILT_IN
from prescient.trading.cycle import start_cycle
from tests.prescient.simulation.run import InMemoryTransport

Item = dict[str, Any]
CASES = [
    ("gamma-events-2025-12-11.json.gz", datetime(2025, 12, 11, 6, 30, tzinfo=UTC), 117),
    ("gamma-markets-2026-03-25.json.gz", datetime(2026, 3, 25, 12, 0, tzinfo=UTC), 436),
]


def grouped(content: Any) -> list[tuple[Item, list[Item]]]:
    """The recorded events with their markets, whichever way round the recording lists them."""
    if isinstance(content, dict):
        return [(event, event["markets"]) for event in content["markets"]]
    events: dict[str, tuple[Item, list[Item]]] = {}
    for market in content:
        events.setdefault(market["events"][0]["id"], (market["events"][0], []))[1].append(market)
    return list(events.values())


def funnel_by_hand(content: Any, floor: float, volume: float, top: float) -> dict[str, int]:
    """Count what passes the filters, straight from the JSON."""
    counts = dict.fromkeys(("events", "big", "markets", "tradable", "liquid", "traded", "in_band"), 0)
    for event, markets in grouped(content):
        if not event.get("active") or event.get("closed") or event.get("archived"):
            continue
        counts["events"] += 1
        if event.get("liquidity", 0) < floor or event.get("volume", 0) < volume:
            continue
        counts["big"] += 1
        deployed = [market for market in markets if market.get("clobTokenIds") and is_supported(market)]
        tradable = [market for market in deployed if is_tradable(market, event)]
        liquid = [market for market in tradable if float(market.get("liquidity", 0)) >= floor]
        traded = [market for market in liquid if float(market.get("volume", 0)) >= volume]
        band = [market for market in traded if 0.5 <= max(map(float, json.loads(market["outcomePrices"]))) <= top]
        for name, passed in zip(list(counts)[2:], (deployed, tradable, liquid, traded, band), strict=True):
            counts[name] += len(passed)
    return counts


def is_supported(market: Item) -> bool:
    """Deployed, and with a fee whose curve is known (one recorded market has exponent 0.5: it is left out by name)."""
    return bool(market.get("conditionId")) and float((market.get("feeSchedule") or {}).get("exponent", 1)) >= 1


def is_tradable(market: Item, event: Item) -> bool:
    gates = (
        market.get("active"),
        not market.get("closed"),
        market.get("acceptingOrders"),
        market.get("enableOrderBook"),
    )
    # An augmented negative-risk event lists placeholders whose meaning can still change.
    placeholder = event.get("negRiskAugmented") and event.get("enableNegRisk") and market.get("negRiskOther")
    return all(gates) and not placeholder


@pytest.mark.parametrize(
    ("floor", "volume", "top"), [(10_000, 50_000, 0.6), (1_000, 5_000, 0.9)], ids=["default", "wide"]
)
@pytest.mark.parametrize(("name", "now", "events"), CASES, ids=["events", "markets"])
async def test_a_whole_cycle_counts_what_the_raw_json_holds(
    recorded_data: Path, name: str, now: datetime, events: int, floor: int, volume: int, top: float
) -> None:
    path = recorded_data / "catalog" / name
    content = json.loads(gzip.decompress(path.read_bytes()))
    assert len(grouped(content)) == events
    by_hand = funnel_by_hand(content, floor, volume, top)

    clock, store = SimulatedClock(now), MemoryStore()
    data = PolymarketData(
        gamma_url="http://practice/gamma",
        clob_url="http://practice/clob",
        clock=clock,
        transport=InMemoryTransport(Catalogue.load([path], now).exchange()),
    )
    context = TradingContext(
        clock=clock,
        ids=SequenceIds(1),
        gather=SequentialGather(),
        market_data=data,
        venues={"paper": PaperVenue(data, store, clock)},
        store=store,
        strategies={strategy.name: strategy for strategy in BUILT_IN},
    )
    form = PortfolioForm("Recorded", 10_000 * MICRO)
    portfolio = await create_portfolio(context, form)
    request = CycleRequest(
        "cycle-1",
        (),
        EventFilter(floor * MICRO, volume * MICRO),
        MarketFilter(floor * MICRO, volume * MICRO, 500_000, round(top * MICRO)),
    )
    report = await start_cycle(store, LocalCycleSteps(context), clock, request)

    assert report.status is CycleStatus.COMPLETED
    screen = report.total(Step.SCREEN)
    assert report.total(Step.COLLECT).count_out == by_hand["events"]
    assert report.total(Step.FILTER).count_out == by_hand["big"]
    assert screen.count_in == by_hand["markets"]
    assert screen.count_out == by_hand["in_band"]
    assert screen.dropped["liquidity_low"] == by_hand["tradable"] - by_hand["liquid"]
    assert screen.dropped["volume_low"] == by_hand["liquid"] - by_hand["traded"]
    not_tradable = screen.dropped["market_not_tradable"] + screen.dropped["market_placeholder"]
    assert not_tradable == by_hand["markets"] - by_hand["tradable"]
    assert by_hand["in_band"] >= (5 if top > 0.6 else 0)
    # Every trade lies inside the band, at the price that was really on offer.
    for trade in await store.trades(portfolio.portfolio_id, 1000):
        assert 490_000 <= trade.price_micro <= round(top * MICRO) * 102 // 100
    await store.snapshot(portfolio.portfolio_id, "", clock.now())
