"""What version 0.1 has kept, opened by the program as it is now: a database, a practice world, a strategy of a user."""

from __future__ import annotations

import gzip
import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from py_clob_client_v2.clob_types import MarketOrderArgsV2, OrderArgsV2, OrderType

from tests.kept import exchange, opening
from tests.running import Installation

DATA = Path(__file__).with_name("data")
TIMEOUT_S = 30.0
BY_HAND, CHEAPEST = 3, 2
WIDE = {"min_market_conviction": 0, "max_market_conviction": 0.95}
NO_FLOORS = {"event_min_liquidity": 0, "event_min_volume": 0, "min_liquidity": 0, "min_volume": 0}


def recorded(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))
    return found


def plain(value: Any) -> Any:
    """As JSON gives it back."""
    return json.loads(json.dumps(value))


@pytest.fixture
async def dsn(empty_dsn: str) -> str:
    """A database with what was dumped, and nothing else done to it."""
    connection = await asyncpg.connect(empty_dsn)
    try:
        await connection.execute(gzip.decompress((DATA / "database.sql.gz").read_bytes()).decode())
    finally:
        await connection.close()
    return empty_dsn


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with the practice world as the killed process left it, and the user's strategy."""
    world = tmp_path / opening.PRACTICE_FOLDER
    world.mkdir()
    for packed in (DATA / "practice").iterdir():
        (world / packed.stem).write_bytes(gzip.decompress(packed.read_bytes()))
    shutil.copy(DATA / "cheapest.txt", tmp_path / "cheapest.py")
    return tmp_path


@contextmanager
def system(home: Path, dsn: str, *services: str) -> Iterator[tuple[Installation, dict[str, Any]]]:
    """The practice exchange and these services (all if none is named) on what was kept."""
    place = opening.settings_of(dsn, home)
    login = {
        "POSTGRES_HOST": place.postgres_host,
        "POSTGRES_PORT": str(place.postgres_port),
        "POSTGRES_USER": place.postgres_user,
        "POSTGRES_DB": place.postgres_db,
    }
    at = Installation(home, extra={**login, "PRESCIENT_STRATEGIES": str(home / "cheapest.py")})
    with exchange.running(at.environment) as known:
        try:
            for service in services or ("all",):
                at.start("serve", service)
            at.wait_ready(*services)
            yield at, known
        finally:
            at.kill_everything()


def asked(at: Installation, what: str, body: Any = None) -> Any:
    status, answer = at.call(what, body)
    assert status == 200, (what, status, answer)
    return answer


def told_time() -> datetime:
    return datetime.fromtimestamp(recorded("practice")["continued_ms"] / 1000, UTC)


# --- the database


def test_every_kind_of_order_was_kept() -> None:
    kept = recorded("database")
    statuses = {status for _, status in kept["orders"]}
    ended = {"FILLED", "CANCELED", "EXPIRED", "REJECTED", "REFUSED"}
    assert statuses == {"APPROVED", "OPEN", "PARTIALLY_FILLED", *ended}
    assert {status for _, status in kept["cycles"]} == {"completed", "running"}
    assert {position["status"] for position in kept["positions"]} == {"open", "closed"}
    assert {portfolio["status"] for portfolio in kept["portfolios"]} == {"active", "paused", "archived"}
    assert kept["pending"] and kept["history"] and kept["decisions"] and kept["unanswered"]
    assert {order["filled"] > 0 for order in kept["resting"]} == {True, False}


async def test_the_database_is_brought_up_to_date_and_holds_the_same_to_the_micro(dsn: str, home: Path) -> None:
    kept = recorded("database")
    assert await opening.rows(dsn, opening.SCHEMA_VERSION) == [[kept["schema"]]]
    async with opening.opened(dsn, home) as store:
        found = plain(await opening.books(store))
        for part, value in found.items():
            assert value == kept[part], part
        orders = [[name, opening.STATUS_NOW.get(status, status)] for name, status in kept["orders"]]
        assert await opening.rows(dsn, opening.ORDERS) == orders
        assert await opening.rows(dsn, opening.ENTRIES) == kept["entries"]
        await opening.check_identities(store, told_time())


@pytest.mark.slow
async def test_the_system_goes_on_where_it_was_killed(dsn: str, home: Path) -> None:
    kept = recorded("database")
    resting = {order["id"]: order for order in kept["resting"]}
    with system(home, dsn) as (at, _):
        async with opening.opened(dsn, home) as store:
            # Before the services answer, what was half-done is resolved: not filled, and its reservation given back.
            assert await opening.unanswered(store) == []
            statuses = dict(await opening.rows(dsn, opening.ORDERS))
            canceled = opening.STATUS_NOW.get("CANCELED", "CANCELED")
            assert {statuses[order_id] for order_id in kept["unanswered"]} == {canceled}
            cycles = dict((await opening.books(store))["cycles"])
            assert [cycles[name] for name, status in kept["cycles"] if status == "running"] == ["interrupted"]
            wait_for_resting(at, set(resting))
            check_money(kept, await opening.books(store))
            # What rests lives: it can be taken off, and others may come.
            far = min(resting, key=lambda name: (resting[name]["side"] != "BUY", resting[name]["price"]))
            gone = asked(at, f"DELETE 8003 /paper-trading/orders/{far}")
            assert gone["status"] == canceled
            new = asked(at, "POST 8003 /paper-trading/orders", new_order(at))
            assert new["status"] == "OPEN" and new["accepted"]
            wait_for_resting(at, set(resting) - {far} | {new["order_id"]})
            after = reserved(await opening.books(store))
            held = sum(order["held"] for order in kept["resting"]) - resting[far]["held"]
            assert after[BY_HAND] > held and {after[number] for number in after if number != BY_HAND} == {0}
            done = asked(at, "POST 8004 /trading/run-full-cycle", {**NO_FLOORS, **WIDE})
            assert done["status"] == "completed"
            await opening.check_identities(store, told_time())


def check_money(kept: dict[str, Any], found: dict[str, Any]) -> None:
    """All that a portfolio owns is what it was; only what still rests is reserved."""
    held: dict[int, int] = {}
    for order in kept["resting"]:
        held[order["portfolio"]] = held.get(order["portfolio"], 0) + order["held"]
    for before, after in zip(kept["portfolios"], found["portfolios"], strict=True):
        assert after["cash"] == before["cash"]
        assert after["reserved"] == held.get(before["id"], 0)
    shares = [(each["portfolio"], each["token"], each["size"], each["cost"]) for each in kept["positions"]]
    assert [(each["portfolio"], each["token"], each["size"], each["cost"]) for each in found["positions"]] == shares


def reserved(books: dict[str, Any]) -> dict[int, int]:
    return {portfolio["id"]: portfolio["reserved"] for portfolio in books["portfolios"]}


def new_order(at: Installation) -> dict[str, Any]:
    first = asked(at, f"GET 8003 /paper-trading/orders?portfolio_id={BY_HAND}")["orders"][0]
    market = {"market": first["condition_id"], "outcome": first["token_id"]}
    return {"portfolio_id": BY_HAND, **market, "side": "BUY", "price": 0.02, "size": 20}


def wait_for_resting(at: Installation, order_ids: set[str]) -> None:
    """Wait until whoever owns what rests has taken it over."""
    deadline_s = time.monotonic() + TIMEOUT_S
    while True:
        listed = asked(at, "GET 8003 /paper-trading/orders")["orders"]
        if {order["order_id"] for order in listed if not order["in_gap"]} == order_ids:
            return
        assert time.monotonic() < deadline_s, listed
        time.sleep(0.2)


# --- the practice world


@pytest.mark.slow
def test_the_practice_world_goes_on_from_its_checkpoint_and_journal(home: Path) -> None:
    kept = recorded("practice")
    environment = Installation(home).environment
    with exchange.running(environment, "--port", "0") as known:
        # Time never runs back: not behind what was told before the kill, nor elsewhere than it went on at first.
        assert exchange.now_ms(known) == kept["continued_ms"] > kept["now_ms"]
        seen = {each["wallet_type"]: plain(exchange.seen(known, each)) for each in known["wallets"]}
        assert seen == kept["wallets"]
        listed = {order[0] for wallet in seen.values() for order in wallet["orders"]}
        assert set(kept["rests"]) <= listed
        value = exchange.ask(f"{known['data_url']}/value?user={kept['stranger'][0]['user']}")
        assert value == kept["stranger"]
        traded = trade(known, kept)
    with exchange.running(environment, "--port", "0") as again:
        assert exchange.now_ms(again) >= kept["continued_ms"]
        eoa = exchange.wallet_named(again, "eoa")
        assert plain(exchange.seen(again, eoa)) == traded


def trade(known: dict[str, Any], kept: dict[str, Any]) -> dict[str, Any]:
    """Buy at once, rest an order, take another off; what the wallet sees of itself then."""
    eoa, before = exchange.wallet_named(known, "eoa"), kept["wallets"]["eoa"]
    client = exchange.client_of(known, eoa)
    args = MarketOrderArgsV2(token_id=kept["token"], amount=11, side="BUY", price=0.99, order_type=OrderType.FOK)
    bought = client.create_and_post_market_order(args)
    assert bought["status"] == "matched"
    # Until it is mined.
    exchange.ask(f"{known['clob_url'].removesuffix('/clob')}/practice/advance", {"seconds": 60})
    resting = client.create_and_post_order(OrderArgsV2(token_id=kept["token"], price=0.02, size=10, side="BUY"))
    gone = before["orders"][0][0]
    assert client.cancel_orders([gone])["canceled"] == [gone]
    after: dict[str, Any] = plain(exchange.seen(known, eoa))
    left = {order[0] for order in before["orders"]} - {gone}
    assert {order[0] for order in after["orders"]} == left | {resting["orderID"]}
    assert len(after["trades"]) == len(before["trades"]) + len(bought["tradeIDs"])
    assert int(after["dollars"]) <= int(before["dollars"]) - 11_000_000
    return after


# --- the strategy


@pytest.mark.slow
def test_a_users_strategy_is_loaded_and_decides(dsn: str, home: Path) -> None:
    with system(home, dsn, "markets", "strategy") as (at, known):
        listed = {each["name"]: each for each in asked(at, "GET 8002 /strategy/strategies")["strategies"]}
        cheapest = listed["cheapest"]
        assert cheapest["description"] == "Buys the cheaper outcome while it costs less than a limit."
        (own,) = [parameter for parameter in cheapest["parameters"] if not parameter["common"]]
        told = {name: own[name] for name in ("name", "type", "default", "minimum", "maximum")}
        assert told == {"name": "price_max", "type": "number", "default": 0.45, "minimum": 0, "maximum": 1}
        asked(at, "POST 8001 /markets/export-filtered-markets-db", {**NO_FLOORS, **WIDE})
        made = asked(at, "POST 8002 /strategy/generate-signals", {"portfolio_id": CHEAPEST, **WIDE})
        assert made["signals_generated"] > 0 and made["dropped"]["too_dear"] > 0
        for signal in made["signals"]:
            assert (signal["reason"], signal["action"]) == ("cheapest ask", "BUY")
            asks = exchange.ask(f"{known['clob_url']}/book?token_id={signal['token_id']}")["asks"]
            assert signal["price"] == min(float(level["price"]) for level in asks) <= 0.6
