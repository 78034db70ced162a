"""The catalogue's filters, orders, pages and refusals, as the venue documents and shows them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from practice_exchange.app.exchange import PracticeExchange

from .conftest import Ask, every_event

Item = dict[str, Any]


@pytest.mark.fidelity(
    "Keyset pages hold everything once",
    area="Catalogue",
    evidence="specification",
    source="gamma-openapi",
)
def test_keyset_pages_hold_everything_once(still: PracticeExchange) -> None:
    events = every_event(still)
    assert [event["id"] for event in events] == [str(number) for number in sorted(still.world.register.events)]


@pytest.mark.fidelity(
    "The last keyset page has no cursor",
    area="Catalogue",
    evidence="specification",
    source="gamma-openapi",
)
def test_keyset_ends_without_a_cursor(ask: Ask) -> None:
    status, page = ask("/gamma/events/keyset", "limit=500")
    assert status == 200 and list(page) == ["events"]
    status, page = ask("/gamma/events/keyset", "limit=10")
    assert list(page) == ["events", "next_cursor"] and len(page["events"]) == 10


@pytest.mark.fidelity(
    "Keyset listings follow `order` and `ascending`",
    area="Catalogue",
    evidence="specification",
    source="gamma-openapi",
)
@pytest.mark.parametrize("direction", ["true", "false"])
def test_keyset_follows_an_order(ask: Ask, still: PracticeExchange, direction: str) -> None:
    seen: list[tuple[float, str]] = []
    cursor = ""
    while True:
        after = f"&after_cursor={cursor}" if cursor else ""
        _, page = ask("/gamma/markets/keyset", f"limit=100&order=volumeNum&ascending={direction}{after}")
        seen += [(market["volumeNum"], market["id"]) for market in page["markets"]]
        if "next_cursor" not in page:
            break
        cursor = page["next_cursor"]
    assert [volume for volume, _ in seen] == sorted((volume for volume, _ in seen), reverse=direction == "false")
    is_open = [market for market in still.world.register.markets.values() if not market.closed]
    assert len({number for _, number in seen}) == len(seen) == len(is_open)


def test_offset_pages_meet_the_keyset(ask: Ask) -> None:
    _, keyset = ask("/gamma/events/keyset", "limit=60")
    _, first = ask("/gamma/events", "limit=40")
    _, second = ask("/gamma/events", "limit=20&offset=40")
    assert first + second == keyset["events"]
    _, usual = ask("/gamma/events")
    assert usual == first[:20]


@pytest.mark.fidelity(
    "`/markets` leaves closed markets out unless asked; `/events` does not",
    area="Catalogue",
    evidence="specification",
    source="changelog of 2026-04-09",
)
def test_listings_of_markets_leave_closed_ones_out_and_of_events_do_not(ask: Ask, still: PracticeExchange) -> None:
    closed = [market for market in still.world.register.markets.values() if market.closed]
    assert closed
    number = closed[0].number
    assert ask("/gamma/markets", f"id={number}") == (200, [])
    assert [market["id"] for market in ask("/gamma/markets", f"id={number}&closed=true")[1]] == [str(number)]
    assert ask("/gamma/markets", f"condition_ids={closed[0].condition_id}")[1] == []
    assert ask(f"/gamma/markets/{number}")[1]["closed"] is True
    states = {event["closed"] for event in ask("/gamma/events", "limit=500")[1]}
    assert states == {True, False}


@pytest.mark.fidelity(
    "Events are filtered by state, tag, liquidity, volume and dates",
    area="Catalogue",
    evidence="specification",
    source="gamma-openapi",
)
@pytest.mark.parametrize(
    ("query", "passes"),
    [
        ("closed=true", lambda event: event["closed"]),
        ("closed=false", lambda event: not event["closed"]),
        ("active=true", lambda event: event["active"]),
        ("archived=true", lambda event: False),
        ("tag_slug=crypto", lambda event: any(tag["slug"] == "crypto" for tag in event["tags"])),
        ("tag_id=2", lambda event: any(tag["slug"] == "politics" for tag in event["tags"])),
        ("exclude_tag_id=1", lambda event: all(tag["slug"] != "sports" for tag in event["tags"])),
        ("liquidity_min=10000", lambda event: event["liquidity"] >= 10_000),
        ("liquidity_max=10000", lambda event: event["liquidity"] <= 10_000),
        ("volume_min=50000", lambda event: event["volume"] >= 50_000),
        ("volume_max=50000", lambda event: event["volume"] <= 50_000),
        ("end_date_min=2026-01-10T00:00:00Z", lambda event: event["endDate"] >= "2026-01-10"),
        ("end_date_max=2026-01-10", lambda event: event["endDate"] <= "2026-01-10T00:00:00Z"),
        ("start_date_min=2026-01-01T00:00:00%2B00:00", lambda event: event["startDate"] >= "2026-01-01"),
        ("tag_slug=nothing", lambda event: False),
    ],
)
def test_event_filters(ask: Ask, still: PracticeExchange, query: str, passes: Any) -> None:
    everything = every_event(still)
    _, found = ask("/gamma/events", f"limit=500&{query}")
    assert found == [event for event in everything if passes(event)]
    assert query.startswith(("archived", "tag_slug=nothing")) or len(found) > 0


@pytest.mark.fidelity(
    "Markets are filtered by figures; `decimalized` is the tick",
    area="Catalogue",
    evidence="field report",
    source="observed in 2026-10",
)
@pytest.mark.parametrize(
    ("query", "passes"),
    [
        ("active=false", lambda market: not market["active"]),
        ("liquidity_num_min=100000", lambda market: market.get("liquidityNum", 0) >= 100_000),
        ("volume_num_max=1000", lambda market: market["volumeNum"] <= 1_000),
        ("decimalized=true", lambda market: market["orderPriceMinTickSize"] == 0.001),
        ("decimalized=false", lambda market: market["orderPriceMinTickSize"] == 0.01),
    ],
)
def test_market_filters(ask: Ask, query: str, passes: Any) -> None:
    found: list[Item] = []
    cursor = ""
    while True:
        _, page = ask("/gamma/markets/keyset", f"limit=100&{query}&after_cursor={cursor}")
        found += page["markets"]
        cursor = page.get("next_cursor", "")
        if not cursor:
            break
    assert found and all(passes(market) for market in found)


@pytest.mark.fidelity("Arrays are repeated keys", area="Catalogue", evidence="specification", source="gamma-openapi")
def test_repeated_keys_name_several(ask: Ask) -> None:
    _, markets = ask("/gamma/markets", "limit=4&order=liquidityNum&ascending=false")
    wanted = {market["id"] for market in markets[:3]}
    for name, key in (("id", "id"), ("slug", "slug"), ("condition_ids", "conditionId"), ("id[]", "id")):
        query = "&".join(f"{name}={market[key]}" for market in markets[:3])
        assert {market["id"] for market in ask("/gamma/markets", query)[1]} == wanted
    tokens = "&".join(f"clob_token_ids={json.loads(market['clobTokenIds'])[1]}" for market in markets[:3])
    assert {market["id"] for market in ask("/gamma/markets", tokens)[1]} == wanted
    _, events = ask("/gamma/events", "limit=2")
    assert ask("/gamma/events", f"id={events[1]['id']}&id={events[0]['id']}")[1] == events
    assert ask("/gamma/events", f"slug={events[1]['slug']}")[1] == [events[1]]


def test_one_event_or_market_by_id_and_slug(ask: Ask) -> None:
    _, events = ask("/gamma/events", "limit=1")
    event = events[0]
    assert ask(f"/gamma/events/{event['id']}") == (200, event)
    assert ask(f"/gamma/events/slug/{event['slug']}") == (200, event)
    market = event["markets"][0]
    assert ask(f"/gamma/markets/{market['id']}") == (200, market)
    assert ask(f"/gamma/markets/slug/{market['slug']}") == (200, market)
    tag = event["tags"][0]
    assert ask(f"/gamma/tags/{tag['id']}") == (200, tag)
    assert ask(f"/gamma/tags/slug/{tag['slug']}") == (200, tag)
    assert tag in ask("/gamma/tags")[1]


@pytest.mark.fidelity(
    "Nonsense is refused with 422 and a reason; so are snake_case orders and offsets in keyset listings",
    area="Catalogue",
    evidence="field report",
    source="observed in 2026-10",
)
@pytest.mark.parametrize(
    ("path", "query", "message"),
    [
        ("/gamma/events", "offset=2001", "offset too large, use /events/keyset for deeper pagination"),
        ("/gamma/markets", "offset=2001", "offset too large, use /markets/keyset for deeper pagination"),
        ("/gamma/events", "order=volume_24hr", "order fields are not valid"),
        ("/gamma/markets", "order=liquidity_num", "order fields are not valid"),
        ("/gamma/markets/keyset", "order=volumeNum,nothing", "order fields are not valid"),
        ("/gamma/events/keyset", "limit=501", "limit must be between 1 and 500"),
        ("/gamma/markets/keyset", "limit=101", "limit must be between 1 and 100"),
        ("/gamma/events/keyset", "limit=0", "limit must be between 1 and 500"),
        ("/gamma/events/keyset", "offset=0", "offset is not supported, use after_cursor instead"),
        ("/gamma/events/keyset", "after_cursor=@@@", "after_cursor is invalid"),
        ("/gamma/events/keyset", "after_cursor=WzEsMiwzXQ==", "after_cursor is invalid"),
        ("/gamma/events", "limit=-1", "limit is invalid"),
        ("/gamma/events", "limit=ten", "limit is invalid"),
        ("/gamma/events", "active=perhaps", "active is invalid"),
        ("/gamma/events", "id=abc", "id is invalid"),
        ("/gamma/events", "liquidity_min=nan", "liquidity_min is invalid"),
        ("/gamma/events", "volume_max=much", "volume_max is invalid"),
        ("/gamma/events", "end_date_min=tomorrow", "end_date_min is invalid"),
        ("/gamma/events/abc", "", "id is invalid"),
        ("/gamma/public-search", "", "q is required"),
    ],
)
def test_nonsense_is_refused(ask: Ask, path: str, query: str, message: str) -> None:
    assert ask(path, query) == (422, {"type": "validation error", "error": message})


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/gamma/events/999999999", "id not found"),
        ("/gamma/markets/999999999", "id not found"),
        ("/gamma/events/slug/nothing", "slug not found"),
        ("/gamma/markets/slug/nothing", "slug not found"),
        ("/gamma/tags/999999999", "id not found"),
    ],
)
def test_unknown_names_are_not_found(ask: Ask, path: str, message: str) -> None:
    assert ask(path) == (404, {"type": "not found error", "error": message})


def test_other_paths_and_methods(still: PracticeExchange, ask: Ask) -> None:
    assert ask("/gamma/status") == (200, "OK")
    assert ask("/gamma/nothing") == (404, "404 page not found\n")
    assert ask("/nothing") == (404, "404 page not found\n")
    assert still.handle("POST", "/gamma/events").status == 405


@pytest.mark.fidelity(
    "The offset cap is 2,000",
    area="Catalogue",
    evidence="field report",
    source="observed in 2026-10",
)
def test_the_offset_cap_itself_is_allowed_and_long_pages_are_cut(ask: Ask) -> None:
    assert ask("/gamma/events", "offset=2000") == (200, [])
    assert len(ask("/gamma/markets", "limit=1000")[1]) == 100


def test_search_finds_words_in_titles_and_questions(ask: Ask) -> None:
    _, found = ask("/gamma/public-search", "q=bitcoin&limit_per_type=2")
    assert list(found) == ["events", "pagination"]
    assert 0 < len(found["events"]) <= 2
    assert found["pagination"]["hasMore"] is (found["pagination"]["totalResults"] > 2)
    _, second = ask("/gamma/public-search", "q=bitcoin&limit_per_type=1&page=2")
    assert second["events"] == found["events"][1:2]
    assert ask("/gamma/public-search", "q=zzzz")[1] == {
        "events": [],
        "pagination": {"hasMore": False, "totalResults": 0},
    }
