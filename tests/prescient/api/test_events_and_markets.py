"""The Events and Markets services: what is collected, filtered, screened and shown, and what each leaves in the store."""

from __future__ import annotations

import pytest

from prescient.ports.context import TradingContext
from tests.prescient.api.conftest import Clients
from tests.prescient.api.world import SmallMarketData


@pytest.fixture
async def collected(clients: Clients) -> dict[str, object]:
    answer = await clients["events"].post("/events/export")
    assert answer.status_code == 200, answer.text
    found: dict[str, object] = answer.json()
    return found


async def test_export_writes_all_active_events(collected: dict[str, object], clients: Clients) -> None:
    assert (collected["events"], collected["markets"], collected["skipped"]) == (3, 5, 1)
    assert str(collected["cycle_id"]).startswith("cycle-")
    assert collected["message"] == "3 events with 5 markets exported, 1 left out as malformed"
    listed = (await clients["events"].get("/events")).json()
    assert [item["event_id"] for item in listed["events"]] == ["100", "200", "300"]
    assert listed["events"][0]["volume"] == 500000.0
    assert listed["events"][0]["tags"] == ["politics"]
    assert listed["next_offset"] is None


async def test_export_takes_a_cycle_id(clients: Clients) -> None:
    assert (await clients["events"].post("/events/export", json={"cycle_id": "cycle-9"})).json()[
        "cycle_id"
    ] == "cycle-9"


async def test_events_come_in_pages(collected: dict[str, object], clients: Clients) -> None:
    first = (await clients["events"].get("/events?limit=2")).json()
    assert (first["count"], first["next_offset"]) == (2, 2)
    second = (await clients["events"].get("/events?limit=2&offset=2")).json()
    assert ([item["event_id"] for item in second["events"]], second["next_offset"]) == (["300"], None)


async def test_an_event_shows_its_markets(collected: dict[str, object], clients: Clients) -> None:
    body = (await clients["events"].get("/events/100")).json()
    assert [item["market_id"] for item in body["markets"]] == ["1", "2", "3"]
    assert (await clients["events"].get("/events/999")).json()["code"] == "not_found"


async def test_what_is_no_longer_listed_is_shown_only_when_asked_for(
    collected: dict[str, object], clients: Clients, market_data: SmallMarketData
) -> None:
    del market_data.events[2]
    await clients["events"].post("/events/export")
    active = (await clients["events"].get("/events")).json()
    everything = (await clients["events"].get("/events?active_only=false")).json()
    assert (active["count"], everything["count"]) == (2, 3)
    assert (await clients["events"].get("/events/300")).json()["active"] is False
    assert (await clients["markets"].get("/markets")).json()["count"] == 4
    assert (await clients["markets"].get("/markets?active_only=false")).json()["count"] == 5


async def test_filter_counts_by_reason_and_records_nothing_without_a_cycle(
    collected: dict[str, object], clients: Clients, context: TradingContext
) -> None:
    body = (await clients["events"].get("/events/filter?event_min_volume=450000&event_min_liquidity=10000")).json()
    assert (body["total"], body["passed"], body["dropped"]) == (3, 1, {"event_volume_low": 2})
    assert body["settings"] == {"event_volume_low": "event_min_volume"}
    assert [item["event_id"] for item in body["events"]] == ["100"]
    assert body["report"]["name"] == "Filter Events"
    assert await context.store.decisions() == []


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_filter_with_a_cycle_records_each_dropped_event(
    collected: dict[str, object], clients: Clients, context: TradingContext, method: str
) -> None:
    fields: dict[str, str | int] = {"cycle_id": "cycle-1", "event_min_volume": 450000, "limit": 0}
    params, content = (fields, None) if method == "GET" else (None, fields)
    body = (await clients["events"].request(method, "/events/filter", params=params, json=content)).json()
    assert (body["total"], body["passed"], body["events"]) == (3, 1, [])
    recorded = await context.store.decisions(cycle_id="cycle-1")
    assert sorted((item.subject_id, item.code, item.number) for _, _, item in recorded) == [
        ("200", "event_volume_low", "400000"),
        ("300", "event_volume_low", "100"),
    ]


@pytest.mark.parametrize("how", ["GET url", "POST url", "POST body"])
async def test_screen_keeps_markets_and_says_why_it_dropped_the_rest(
    collected: dict[str, object], clients: Clients, context: TradingContext, how: str
) -> None:
    method, _, where = how.partition(" ")
    fields = {"min_liquidity": 5, "max_market_conviction": 0.7}
    params, content = (fields, None) if where == "url" else (None, fields)
    path = "/markets/export-filtered-markets-db"
    body = (await clients["markets"].request(method, path, params=params, json=content)).json()
    assert (body["total"], body["passed"], body["dropped"]) == (4, 3, {"conviction_high": 1})
    assert [item["market_id"] for item in body["markets"]] == ["1", "3", "4"]
    assert [item.market_id for item in await context.store.screened(body["cycle_id"])] == ["1", "3", "4"]
    seen = (await clients["markets"].get("/markets/1/snapshots")).json()
    assert [(row["source"], row["best_bid"], row["best_ask"]) for row in seen["snapshots"]] == [
        ("cycle", 0.44, 0.45),
        ("cycle", 0.54, 0.55),
    ]
    assert seen["snapshots"][0]["bid_depth"] == 5060.0
    assert (await clients["markets"].get("/markets/1/snapshots?limit=1")).json()["count"] == 1


async def test_markets_are_listed_above_floors_and_of_one_event(collected: dict[str, object], clients: Clients) -> None:
    async def listed(**filters: object) -> list[str]:
        body = (
            await clients["markets"].get("/markets", params={name: str(item) for name, item in filters.items()})
        ).json()
        return [item["market_id"] for item in body["markets"]]

    assert await listed() == ["1", "2", "3", "4", "5"]
    assert await listed(min_liquidity=5.5) == ["1", "2", "4", "5"]
    assert await listed(event_id="100", limit=2, offset=1) == ["2", "3"]
    assert await listed(min_volume=90001) == []


@pytest.mark.parametrize("name", ["4", "0xc4", "will-4-happen"])
async def test_a_market_is_found_by_each_of_its_names(
    collected: dict[str, object], clients: Clients, name: str
) -> None:
    body = (await clients["markets"].get(f"/markets/{name}")).json()
    assert (body["market_id"], body["conviction"], body["tradable"]) == ("4", 0.56, True)
    assert [(item["name"], item["price"]) for item in body["outcomes"]] == [("Yes", 0.44), ("No", 0.56)]
    assert (body["taker_fee_rate"], body["tick"]) == (0.05, 0.01)


async def test_a_book_is_fresh_and_exact(
    collected: dict[str, object], clients: Clients, market_data: SmallMarketData
) -> None:
    market_data.asked.clear()
    body = (await clients["markets"].get("/markets/1/book?levels=1")).json()
    assert market_data.asked == ["books"]
    assert [(item["outcome"], item["best_bid"], item["best_ask"], item["midpoint"]) for item in body["books"]] == [
        ("Yes", 0.54, 0.55, 0.545),
        ("No", 0.44, 0.45, 0.445),
    ]
    assert body["books"][0]["asks"] == [{"price": 0.55, "size": 60.0}]
    market_data.events.clear()
    assert (await clients["markets"].get("/markets/1/book")).json()["books"] == []
    market_data.away = True
    away = await clients["markets"].get("/markets/1/book")
    assert (away.status_code, away.json()["code"]) == (502, "venue_unavailable")


@pytest.mark.parametrize("path", ["/markets/9", "/markets/9/book", "/markets/9/snapshots"])
async def test_an_unknown_market_is_404(clients: Clients, path: str) -> None:
    assert (await clients["markets"].get(path)).json()["code"] == "not_found"


@pytest.mark.parametrize("service", ["events", "markets", "strategy", "paper-trading", "controller"])
async def test_health(clients: Clients, service: str) -> None:
    body = (await clients[service].get("/health")).json()
    assert body.pop("version")
    assert body == {"status": "ok", "service": service, "database": "ok", "source": "small world"}
