"""Every served object looks like the recorded ones: no unknown key, none missing, same types, same order."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from practice_exchange.app.exchange import PracticeExchange
from practice_exchange.world.world import World

from .conftest import START, asking, every_event

Item = dict[str, Any]
# JSON has one kind of number: a recorded 1 and a recorded 0.5 are the same field.
# Sent since the autumn of 2026, after the recordings: the official client needs it before it splits or redeems.
NEWER_KEYS = frozenset({"version"})
KINDS = {
    int: "number",
    float: "number",
    str: "text",
    bool: "switch",
    list: "list",
    dict: "object",
    type(None): "nothing",
}
# What the venue documents but none of the recordings that are compared here happens to hold.
DOCUMENTED_INFO_KEYS = {"gst", "sd", "itode"}


@pytest.fixture(scope="module")
def lived() -> PracticeExchange:
    """A world with markets in every stage of their life."""
    world = World(7, 150, START, tick=timedelta(hours=6))
    world.step(START + timedelta(days=3))
    return PracticeExchange(world)


@pytest.fixture(scope="module")
def events(lived: PracticeExchange) -> list[Item]:
    return every_event(lived)


@pytest.fixture(scope="module")
def recorded_events(recorded_data: Path) -> list[Item]:
    wrapped = json.loads(gzip.decompress((recorded_data / "catalog/gamma-events-2025-12-11.json.gz").read_bytes()))
    listed = [market["events"][0] for market in recorded_listing(recorded_data)]
    return [one(recorded_data / "gamma/event-fed-decision-2026-05-17.json"), *wrapped["markets"], *listed]


@pytest.fixture(scope="module")
def recorded_markets(recorded_data: Path, recorded_events: list[Item]) -> list[Item]:
    nested = [market for event in recorded_events for market in event.get("markets", [])]
    calls = json.loads((recorded_data / "clob/recorded-calls-2026-06-20.json").read_bytes())["results"]
    sample = [call["sampleData"][0] for call in calls if call["label"] == "Gamma GET /markets"]
    single = [one(path) for path in sorted((recorded_data / "gamma").glob("gamma_market_closed_binary*.json"))]
    lines = gzip.decompress((recorded_data / "gamma/btc-5m-markets-2026-07-24.jsonl.gz").read_bytes()).splitlines()
    feeds = [json.loads(line)["raw"] for line in lines[:5]]
    return [*recorded_listing(recorded_data), *nested, *sample, *single, *feeds]


def recorded_listing(recorded_data: Path) -> list[Item]:
    content = (recorded_data / "catalog/gamma-markets-2026-03-25.json.gz").read_bytes()
    items: list[Item] = json.loads(gzip.decompress(content))
    return items


def one(path: Path) -> Item:
    item = json.loads(path.read_bytes())
    only: Item = item[0] if isinstance(item, list) else item
    return only


def kinds_by_key(items: Iterable[Item]) -> dict[str, set[str]]:
    kinds: dict[str, set[str]] = {}
    for item in items:
        for key, value in item.items():
            kinds.setdefault(key, set()).add(KINDS[type(value)])
    return kinds


def order_pairs(items: Iterable[Item]) -> set[tuple[str, str]]:
    """Which key comes directly before which; recordings that went through a database are sorted by length and left out."""
    natural = [list(item) for item in items if list(item)[:2] != ["id", "new"]]
    return {pair for keys in natural for pair in pairwise(keys)}


def compare(served: list[Item], recorded: list[Item], mandatory: set[str], *, ordered: bool = True) -> None:
    known = kinds_by_key(recorded)
    pairs = order_pairs(recorded) if ordered else set()
    for item in served:
        assert set(item) - NEWER_KEYS <= set(known), f"unknown keys {set(item) - set(known)}"
        assert mandatory <= set(item), f"missing keys {mandatory - set(item)}"
        for key, value in item.items():
            if key in NEWER_KEYS:
                continue
            assert KINDS[type(value)] in known[key], f"{key} is {value!r}, recorded as {known[key]}"
        place = {key: number for number, key in enumerate(item)}
        wrong = [(a, b) for a, b in pairs if a in place and b in place and place[a] > place[b]]
        assert not wrong, f"out of order: {wrong}"


def always(items: list[Item]) -> set[str]:
    """The keys that every one of these has."""
    return set.intersection(*(set(item) for item in items))


@pytest.mark.fidelity(
    "Events have the recorded keys, types and order, and leave out what is empty",
    area="Catalogue",
    evidence="recording",
    source="events of 2025-12-11 and 2026-05-17",
)
def test_events_look_like_recorded_ones(events: list[Item], recorded_events: list[Item]) -> None:
    mandatory = always(recorded_events) | {"markets", "tags", "endDate", "resolutionSource"}
    compare(events, recorded_events, mandatory)
    assert any("closedTime" in event for event in events)
    assert any("negRiskMarketID" in event for event in events)
    assert any(event["negRiskAugmented"] for event in events)


@pytest.mark.fidelity(
    "Markets have the recorded keys, types and order",
    area="Catalogue",
    evidence="recording",
    source="markets of 2026-03-25 and 2026-07-24",
)
def test_markets_look_like_recorded_ones(events: list[Item], recorded_markets: list[Item]) -> None:
    markets = [market for event in events for market in event["markets"]]
    tradable = [m for m in recorded_markets if m["active"] and not m["closed"]]
    compare(markets, recorded_markets, always(recorded_markets) - {"events"})
    is_open = [market for market in markets if market["active"] and not market["closed"]]
    compare(is_open, recorded_markets, always(tradable) - {"events", "seriesColor"})
    assert any("bestBid" not in market for market in markets)
    stages = {market.get("umaResolutionStatus") for market in markets}
    assert stages >= {None, "resolved"} and stages & {"proposed", "disputed"}


def test_listed_markets_carry_their_event(lived: PracticeExchange, recorded_data: Path) -> None:
    status, markets = asking(lived)("/gamma/markets", "limit=100")
    assert status == 200 and len(markets) == 100
    recorded = [market["events"][0] for market in recorded_listing(recorded_data)]
    compare([market["events"][0] for market in markets], recorded, always(recorded))
    _, tagged = asking(lived)("/gamma/markets", "limit=5&include_tag=true")
    assert all(market["tags"] and "slug" in market["tags"][0] for market in tagged)


@pytest.mark.fidelity(
    "`outcomes`, `outcomePrices` and `clobTokenIds` are JSON inside strings",
    area="Catalogue",
    evidence="recording",
    source="markets of 2026-03-25",
)
def test_json_inside_strings_is_json(events: list[Item]) -> None:
    for market in (market for event in events for market in event["markets"]):
        outcomes, tokens = json.loads(market["outcomes"]), json.loads(market["clobTokenIds"])
        assert len(outcomes) == len(tokens) == 2
        assert all(isinstance(token, str) and token.isdigit() and 60 < len(token) < 79 for token in tokens)
        assert isinstance(json.loads(market["umaResolutionStatuses"]), list)
        if "outcomePrices" in market:
            assert '", "' in market["outcomePrices"], "the venue writes a blank after the comma"
            assert sum(float(price) for price in json.loads(market["outcomePrices"])) == pytest.approx(1)
        assert float(market["volume"]) == pytest.approx(market["volumeNum"])


def test_tags_series_fees_and_rewards(
    events: list[Item], recorded_events: list[Item], recorded_markets: list[Item]
) -> None:
    def parts(items: Iterable[Item], name: str) -> list[Item]:
        return [part for item in items for part in item.get(name) or []]

    compare(parts(events, "tags"), parts(recorded_events, "tags"), {"id", "label", "slug"})
    compare(parts(events, "series"), parts(recorded_events, "series"), {"id", "ticker", "slug", "title"})
    markets = [market for event in events for market in event["markets"]]
    compare(parts(markets, "clobRewards"), parts(recorded_markets, "clobRewards"), {"rewardsDailyRate"})
    fees = [market["feeSchedule"] for market in recorded_markets if "feeSchedule" in market]
    compare([m["feeSchedule"] for m in markets if "feeSchedule" in m], fees, always(fees), ordered=False)
    free = [market for market in markets if market["feeType"] is None]
    assert free and all("feeSchedule" not in m and "takerBaseFee" not in m and not m["feesEnabled"] for m in free)


@pytest.mark.fidelity(
    "`/clob-markets` has the recorded one-letter keys",
    area="Market data",
    evidence="recording",
    source="clob-markets of 2026-05-17",
)
def test_rules_look_like_recorded_ones(lived: PracticeExchange, recorded_data: Path) -> None:
    recorded = json.loads((recorded_data / "clob/clob-markets-fed-decision-2026-05-17.json").read_bytes())
    ask = asking(lived)
    served = [ask(f"/clob/clob-markets/{condition}")[1] for condition in lived.world.register.markets_by_condition]
    known = kinds_by_key(recorded)
    for info in served:
        assert set(info) <= set(known) | DOCUMENTED_INFO_KEYS
        assert always(recorded) - {"nr", "fd", "mbf", "tbf"} <= set(info)
        assert all(KINDS[type(info[key])] in known[key] for key in info if key in known)
        assert [sorted(token) for token in info["t"]] == [["o", "t"], ["o", "t"]]
    for key in (*DOCUMENTED_INFO_KEYS, "nr", "fd"):
        assert any(key in info for info in served) and not all(key in info for info in served)
    assert all(info[key] is True for info in served for key in ("nr", "itode") if key in info)


@pytest.mark.fidelity(
    "`/markets` of the order book has the recorded keys in their order",
    area="Market data",
    evidence="recording",
    source="a page of 2024",
)
def test_order_book_catalogue_looks_like_the_recorded_page(lived: PracticeExchange, recorded_data: Path) -> None:
    recorded = json.loads((recorded_data / "clob/markets-page-2024.json").read_bytes())
    status, page = asking(lived)("/clob/markets")
    assert status == 200
    assert list(page) == list(recorded)
    for market in page["data"]:
        assert list(market) == list(recorded["data"][0])
        assert list(market["rewards"]) == ["rates", "min_size", "max_spread"]
        assert [list(token) for token in market["tokens"]] == [["token_id", "outcome", "price", "winner"]] * 2


def test_every_money_figure_of_an_event_is_the_sum_over_its_markets(events: list[Item]) -> None:
    for event in events:
        markets = event["markets"]
        assert event["liquidity"] == pytest.approx(sum(market.get("liquidityNum", 0) for market in markets), abs=0.01)
        assert event["volume"] == pytest.approx(sum(market["volumeNum"] for market in markets), abs=0.01)
