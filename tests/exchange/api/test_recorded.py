"""Recorded catalogues: every object is served as it was recorded, books with their hashes, the rest built around it."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from practice_exchange.app.recorded import Catalogue, CatalogueUnreadable
from practice_exchange.world.timestamps import to_ms

from .conftest import asking, every_event
from .test_books import recomputed_hash

NOW = datetime(2026, 5, 17, 6, 5, tzinfo=UTC)
FED = (
    "gamma/event-fed-decision-2026-05-17.json",
    "clob/books-fed-decision-2026-05-17.json",
    "clob/clob-markets-fed-decision-2026-05-17.json",
)
Item = dict[str, Any]


def load(folder: Path, *names: str) -> Catalogue:
    return Catalogue.load([folder / name for name in names], NOW)


def test_the_recorded_event_with_its_exact_books_and_rules(recorded_data: Path) -> None:
    ask = asking(load(recorded_data, *FED).exchange())
    event, books, infos = (json.loads((recorded_data / name).read_bytes()) for name in FED)
    assert ask("/gamma/events/101772") == (200, event)
    assert ask("/gamma/events") == (200, [event])
    assert ask("/gamma/events/keyset", "active=true&closed=false&tag_slug=economic-policy") == (
        200,
        {"events": [event]},
    )
    for book in books:
        status, served = ask("/clob/book", f"token_id={book['asset_id']}")
        assert status == 200 and served == book and list(served) == list(book)
        assert recomputed_hash(served) == book["hash"]
    assert ask("/clob/books", body=[{"token_id": book["asset_id"]} for book in books]) == (200, books)
    for info in infos:
        assert ask(f"/clob/clob-markets/{info['c']}") == (200, info)
    assert ask("/clob/time") == (200, int(NOW.timestamp()))
    last = books[7]
    assert ask("/clob/price", f"token_id={last['asset_id']}&side=SELL")[1] == {"price": last["asks"][-1]["price"]}


def test_values_pass_through_to_the_last_digit(recorded_data: Path) -> None:
    served = load(recorded_data, *FED).exchange().handle("GET", "/gamma/events/101772").body
    for text in (b'"volume":31056779.914250713', b'"volume":"5613436.783344906"', b'"liquidity":3810565.20365,'):
        assert text in served


def test_a_recorded_listing_of_events(recorded_data: Path) -> None:
    name = "catalog/gamma-events-2025-12-11.json.gz"
    recorded: list[Item] = json.loads(gzip.decompress((recorded_data / name).read_bytes()))["markets"]
    exchange = load(recorded_data, name).exchange()
    assert every_event(exchange) == sorted(recorded, key=lambda event: int(event["id"]))
    ask = asking(exchange)
    rich = [event for event in recorded if event["liquidity"] >= 1e6]
    assert {event["id"] for event in ask("/gamma/events", "liquidity_min=1000000&limit=500")[1]} == {
        e["id"] for e in rich
    }
    market = next(m for event in recorded for m in event["markets"] if m["active"] and not m["closed"])
    served = ask("/gamma/markets", f"id={market['id']}&include_tag=true")[1][0]
    assert served.pop("events")[0]["title"] and served.pop("tags")
    assert served == market


def test_a_recorded_listing_of_markets(recorded_data: Path) -> None:
    name = "catalog/gamma-markets-2026-03-25.json.gz"
    recorded: list[Item] = json.loads(gzip.decompress((recorded_data / name).read_bytes()))
    exchange = load(recorded_data, name).exchange()
    ask = asking(exchange)
    served: list[Item] = []
    for offset in range(0, len(recorded), 100):
        served += ask("/gamma/markets", f"limit=100&offset={offset}")[1]
    assert served == sorted(recorded, key=lambda market: int(market["id"]))
    events = every_event(exchange)
    assert len(events) == len({market["events"][0]["id"] for market in recorded})
    for event in events:
        assert event["markets"] and all("events" not in market for market in event["markets"])
    first = recorded[0]["events"][0]
    assert {key: value for key, value in ask(f"/gamma/events/{first['id']}")[1].items() if key != "markets"} == first


def test_books_built_around_recorded_prices(recorded_data: Path) -> None:
    name = "catalog/gamma-markets-2026-03-25.json.gz"
    recorded: list[Item] = json.loads(gzip.decompress((recorded_data / name).read_bytes()))
    ask = asking(load(recorded_data, name).exchange())
    for market in recorded:
        tokens = json.loads(market["clobTokenIds"])
        first, second = (ask("/clob/book", f"token_id={token}")[1] for token in tokens)
        assert recomputed_hash(first) == first["hash"] and recomputed_hash(second) == second["hash"]
        bid = float(first["bids"][-1]["price"]) if first["bids"] else 0.0
        ask_price = float(first["asks"][-1]["price"]) if first["asks"] else 1.0
        assert (bid, ask_price) == pytest.approx((market.get("bestBid", 0), market["bestAsk"]))
        assert float(ask("/clob/midpoint", f"token_id={tokens[0]}")[1]["mid"]) == pytest.approx((bid + ask_price) / 2)
        money = sum(float(level["price"]) * float(level["size"]) for level in first["bids"] + second["bids"])
        if market["liquidityNum"] > 1000 and first["bids"] and first["asks"]:
            assert money == pytest.approx(market["liquidityNum"], rel=0.05)


def test_closed_recorded_markets_by_line(recorded_data: Path) -> None:
    exchange = load(recorded_data, "gamma/btc-5m-markets-2026-07-24.jsonl.gz").exchange()
    ask = asking(exchange)
    assert ask("/gamma/markets") == (200, [])
    _, page = ask("/gamma/markets", "closed=true&limit=100")
    assert len(page) == 100 and {market["outcomePrices"] for market in page} == {'["1", "0"]', '["0", "1"]'}
    clob = ask(f"/clob/markets/{page[0]['conditionId']}")[1]
    winner = json.loads(page[0]["outcomePrices"]).index("1")
    assert clob["closed"] and [token["winner"] for token in clob["tokens"]] == [winner == 0, winner == 1]
    assert ask("/clob/book", f"token_id={clob['tokens'][0]['token_id']}")[0] == 404


def test_every_gamma_recording_loads(recorded_data: Path) -> None:
    for path in sorted((recorded_data / "gamma").iterdir()):
        catalogue = Catalogue.load([path], NOW)
        assert every_event(catalogue.exchange()), path.name


def test_the_clock_moves_and_the_prices_do_not(recorded_data: Path) -> None:
    catalogue = load(recorded_data, *FED)
    exchange = catalogue.exchange()
    before = exchange.handle("GET", "/gamma/events").body
    for _ in catalogue.step_slices(to_ms(NOW + timedelta(days=1))):
        pass
    assert asking(exchange)("/clob/time")[1] == int(NOW.timestamp()) + 86_400
    assert exchange.handle("GET", "/gamma/events").body == before


def test_recorded_changes_make_a_short_history(recorded_data: Path) -> None:
    ask = asking(load(recorded_data, *FED).exchange())
    event = json.loads((recorded_data / FED[0]).read_bytes())
    token = json.loads(event["markets"][0]["clobTokenIds"])[0]
    history = ask("/clob/prices-history", f"market={token}&interval=1w&fidelity=60")[1]["history"]
    assert history[-1]["p"] == pytest.approx(0.0055) and history[0]["p"] == pytest.approx(0.0175)


@pytest.mark.parametrize("content", [b"", b"{", b'{"what": 1}', b"[1]", b'{"title": "x", "markets": [{}], "id": "1"}'])
def test_other_files_are_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "strange.json"
    path.write_bytes(content)
    with pytest.raises(CatalogueUnreadable, match=r"strange\.json"):
        Catalogue.load([path], NOW)
    with pytest.raises(CatalogueUnreadable, match="missing"):
        Catalogue.load([tmp_path / "missing.json"], NOW)
