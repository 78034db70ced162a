"""The venue's rate limits: buckets of tokens per signer at the gateway, and per address a queue on the wire; all can be changed."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from polymarket_kit.messages.orders import encode_order
from polymarket_kit.signing.auth import l2_headers
from practice_exchange.app.bootstrap import open_kept
from practice_exchange.app.limits import QUEUE_MAX_S, AddressLimits
from practice_exchange.app.route_table import ROUTES
from practice_exchange.app.server import PracticeServer
from practice_exchange.web.responses import Answer
from practice_exchange.web.route import RouteIndex
from practice_exchange.world.world import World

from .conftest import START
from .trading_user import NOW_S, Venue
from .trading_venue import wallet_of_type

TOO_MANY = b'{"error":"Too Many Requests"}'


def limited(**wanted: object) -> Venue:
    venue = Venue()
    set_limits(venue, **{"on": True, "tier": "standard", **wanted})
    return venue


def set_limits(venue: Venue, **wanted: object) -> Any:
    answer = venue.exchange.handle("POST", "/practice/limits", "", json.dumps(wanted).encode())
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


def ask(venue: Venue, method: str, path: str, body: bytes = b"") -> Answer:
    headers = l2_headers(venue.credentials, venue.key.address, NOW_S, method, path, body)
    return venue.exchange.handle(
        method, f"/clob{path}", "", body, {name.lower(): each for name, each in headers.items()}
    )


def post(venue: Venue, count: int = 0) -> Answer:
    """Post one order, or a batch of some."""
    if not count:
        return ask(venue, "POST", "/order", encode_order(venue.order()))
    return ask(venue, "POST", "/orders", b"[" + b",".join(encode_order(venue.order()) for _ in range(count)) + b"]")


def remaining(answer: Answer) -> int:
    return int(answer.headers["Poly-RateLimit-Remaining"])


@pytest.mark.fidelity(
    "Orders take tokens of their signer's bucket: Standard holds 60 and gains 40 a second; 429 with `Retry-After` when it is empty",
    area="Limits and modes",
    evidence="specification",
    source="rate limits per signer",
)
def test_orders_take_tokens_until_there_are_none() -> None:
    venue = limited()
    first = post(venue)
    assert (first.status, remaining(first), first.headers["Poly-RateLimit-Tier"]) == (200, 59, "Standard")
    for left in range(58, -1, -1):
        assert remaining(post(venue)) == left
    refused = post(venue)
    assert (refused.status, refused.body, refused.headers["Retry-After"]) == (429, TOO_MANY, "1")
    assert int(refused.headers["Poly-RateLimit-Reset"]) == int(venue.machine_s) + 1
    venue.machine_s += 0.5
    assert remaining(post(venue)) == 19
    venue.machine_s += 3600
    assert remaining(post(venue)) == 59, "a bucket holds no more than its size"


@pytest.mark.fidelity(
    "A batch costs as many tokens as it has orders, and is refused whole when they are too few",
    area="Limits and modes",
    evidence="specification",
    source="rate limits per signer",
)
def test_a_batch_is_taken_whole_or_refused_whole() -> None:
    venue = limited()
    for left in (45, 30, 15, 0):
        assert remaining(post(venue, 15)) == left
    venue.machine_s += 0.25
    before = len(venue.trading.venue_engine.engine.open_orders(venue.wallet.funder))
    refused = post(venue, 15)
    assert (refused.status, refused.headers["Poly-RateLimit-Remaining"]) == (429, "10")
    assert len(venue.trading.venue_engine.engine.open_orders(venue.wallet.funder)) == before == 60
    assert remaining(post(venue, 10)) == 0


@pytest.mark.fidelity(
    "Cancels have a bucket of their own, twice the size; cancelling all costs one and one more for each, and may end below zero",
    area="Limits and modes",
    evidence="specification",
    source="rate limits per signer",
)
def test_cancels_have_a_bucket_of_their_own() -> None:
    venue = limited(per_second=10, burst=20)
    placed = [json.loads(post(venue).body)["orderID"] for _ in range(20)]
    assert post(venue).status == 429
    single = ask(venue, "DELETE", "/order", json.dumps({"orderID": placed[0]}).encode())
    assert (single.status, remaining(single)) == (200, 39)
    some = ask(venue, "DELETE", "/orders", json.dumps(placed[1:4]).encode())
    assert remaining(some) == 36
    all_of_them = ask(venue, "DELETE", "/cancel-all")
    assert (len(json.loads(all_of_them.body)["canceled"]), remaining(all_of_them)) == (16, 19)
    for _ in range(19):
        ask(venue, "DELETE", "/cancel-all")
    assert ask(venue, "DELETE", "/cancel-all").status == 429


def test_what_cancelling_all_costs_beyond_the_balance_is_owed() -> None:
    venue = limited(per_second=1, burst=10)
    for _ in range(3):
        for _ in range(10):
            assert post(venue).status == 200
        venue.machine_s += 10
    ask(venue, "DELETE", "/orders", json.dumps(["0x" + "a" * 64] * 18).encode())
    owed = ask(venue, "DELETE", "/cancel-all")
    assert (len(json.loads(owed.body)["canceled"]), remaining(owed)) == (30, 20 - 18 - 31)
    venue.machine_s += 14
    assert ask(venue, "DELETE", "/cancel-all").status == 429
    venue.machine_s += 2
    assert ask(venue, "DELETE", "/cancel-all").status == 200


def test_each_signer_has_buckets_of_its_own_and_reading_costs_nothing() -> None:
    venue = limited(per_second=1, burst=1)
    assert post(venue).status == 200 and post(venue).status == 429
    for _ in range(5):
        listed = ask(venue, "GET", "/data/orders")
        assert listed.status == 200 and "Poly-RateLimit-Remaining" not in listed.headers
    venue.log_in(wallet_of_type(venue.trading, "proxy"))
    assert post(venue).status == 200


@pytest.mark.fidelity(
    "While limits only warn, nothing is refused and the answer says `Poly-RateLimit-Warning: true`",
    area="Limits and modes",
    evidence="official client",
    source="polymarket-client 0.14",
)
def test_limits_that_only_warn() -> None:
    venue = limited(per_second=1, burst=1, enforced=False)
    assert "Poly-RateLimit-Warning" not in post(venue).headers
    warned = post(venue)
    assert (warned.status, warned.headers["Poly-RateLimit-Warning"], remaining(warned)) == (200, "true", -1)


def test_limits_can_be_looked_at_changed_and_switched_off() -> None:
    venue = Venue()
    told = json.loads(venue.exchange.handle("GET", "/practice/limits").body)
    assert told == {
        "on": False,
        "scale": 1.0,
        "queue_max_s": 20.0,
        "enforced": True,
        "tier": "Elite",
        "orders": {"per_second": 600.0, "burst": 900.0},
        "cancels": {"per_second": 1200.0, "burst": 1800.0},
    }
    told = set_limits(venue, on=True, tier="gold", scale=0.5)
    assert (told["on"], told["tier"], told["scale"], told["orders"]["burst"]) == (True, "Gold", 0.5, 600.0)
    assert set_limits(venue, burst=2)["tier"] == "Custom"
    assert [post(venue).status for _ in range(3)] == [200, 200, 429]
    set_limits(venue, on=False)
    plain = post(venue)
    assert plain.status == 200 and "Poly-RateLimit-Remaining" not in plain.headers
    malformed: list[object] = [{"tier": "wood"}, {"burst": 0}, {"per_second": -1}, {"scale": 1e9}, {"limit": 1}, []]
    for nonsense in malformed:
        answer = venue.exchange.handle("POST", "/practice/limits", "", json.dumps(nonsense).encode())
        assert answer.status == 422 and json.loads(answer.body)["error"]


def test_buckets_are_kept_so_that_a_repeated_request_meets_the_same() -> None:
    venue, later = limited(burst=3), Venue()
    post(venue)
    post(venue)
    later.trading.load_state(venue.trading.dump_state())
    later.salt = venue.salt
    assert [post(later).status for _ in range(2)] == [200, 429]


# Per address


@pytest.mark.fidelity(
    "Requests beyond an address's limit wait in a queue; only those that would wait too long are refused",
    area="Limits and modes",
    evidence="specification",
    source="rate limits; how long the queue is is assumed",
)
def test_excess_waits_in_a_queue_of_bounded_length() -> None:
    limits = AddressLimits(RouteIndex(ROUTES).limits)
    waits = [limits.wait_s("1.2.3.4", "GET", "/clob/ok", 1000.0) for _ in range(400)]
    assert waits[:100] == [0.0] * 100
    assert waits[100:103] == pytest.approx([0.1, 0.2, 0.3])
    accepted = [wait for wait in waits if wait <= QUEUE_MAX_S]
    assert len(accepted) == 300, "100 at once and 20 seconds' worth of the queue"
    assert all(wait == pytest.approx(20.1) for wait in waits[300:]), "the refused do not make the queue longer"
    assert limits.wait_s("5.6.7.8", "GET", "/clob/ok", 1000.0) == 0
    assert limits.wait_s("1.2.3.4", "GET", "/clob/time", 1000.0) == 0
    assert limits.wait_s("1.2.3.4", "GET", "/clob/ok", 1050.0) == 0


@pytest.mark.parametrize(
    ("method", "path", "count"),
    [
        ("GET", "/clob/book", 1_500),
        ("POST", "/clob/books", 500),
        ("GET", "/clob/prices-history", 1_000),
        ("GET", "/clob/tick-size/123", 200),
        ("GET", "/clob/data/orders", 500),
        ("GET", "/clob/data/order/0x1", 900),
        ("GET", "/clob/notifications", 125),
        ("GET", "/clob/balance-allowance", 200),
        ("GET", "/clob/balance-allowance/update", 50),
        ("POST", "/clob/auth/api-key", 100),
        ("POST", "/clob/order", 5_000),
        ("DELETE", "/clob/order", 5_000),
        ("DELETE", "/clob/cancel-all", 250),
        ("GET", "/clob/markets/0x1", 9_000),
        ("GET", "/gamma/events/keyset", 500),
        ("GET", "/gamma/markets", 300),
        ("GET", "/gamma/series", 4_000),
        ("GET", "/data/trades", 200),
        ("GET", "/data/closed-positions", 150),
        ("GET", "/elsewhere", 15_000),
    ],
)
def test_each_path_has_its_documented_limit(method: str, path: str, count: int) -> None:
    limits = AddressLimits(RouteIndex(ROUTES).limits)
    waits = [limits.wait_s("a", method, path, 5.0) for _ in range(count + 1)]
    assert not any(waits[:count]) and waits[count] > 0


def test_long_windows_bind_after_the_short_ones() -> None:
    limits, now_s, posted = AddressLimits(RouteIndex(ROUTES).limits), 0.0, 0
    while limits.wait_s("a", "POST", "/clob/orders", now_s) == 0:
        posted += 1
        now_s += 0.005
    assert now_s == pytest.approx(posted * 0.005)
    # 21,000 in ten minutes at once, and what those seconds gained at 35 a second.
    assert posted == pytest.approx(21_000 + now_s * 35, abs=3)


async def test_a_request_over_the_limit_is_answered_late() -> None:
    server = PracticeServer(World(7, 3, START))
    await server.start()
    try:
        async with aiohttp.ClientSession() as client:
            wanted = {"on": True, "scale": 0.1}
            async with client.post(f"{server.url}/practice/limits", json=wanted) as response:
                assert response.status == 200
            began_s = time.monotonic()
            # Ten at once, one more each second.
            statuses = await asyncio.gather(*(status_of(client, f"{server.clob_url}/ok") for _ in range(12)))
            assert statuses == [200] * 12
            assert 1.9 <= time.monotonic() - began_s < 10
            async with client.get(f"{server.url}/practice/limits") as response:
                assert response.status == 200, "the controls have no limits"
    finally:
        await server.stop()


async def test_a_queue_that_is_full_refuses_and_says_when_to_come_back() -> None:
    server = PracticeServer(World(7, 3, START))
    server.exchange.limits.switch(True)
    await server.start()
    try:
        address, now_s = "127.0.0.1", time.monotonic()
        while server.exchange.limits.addresses.wait_s(address, "GET", "/clob/ok", now_s) <= QUEUE_MAX_S:
            pass
        async with aiohttp.ClientSession() as client, client.get(f"{server.clob_url}/ok") as response:
            assert (response.status, await response.read()) == (429, TOO_MANY)
            assert int(response.headers["Retry-After"]) >= 1
    finally:
        await server.stop()


def test_limits_that_are_not_enforced_hinder_nobody() -> None:
    venue = limited(per_second=1, burst=1, scale=0.001, enforced=False)
    assert [post(venue).status for _ in range(30)] == [200] * 30
    assert not venue.exchange.limits.addresses.on
    set_limits(venue, enforced=True)
    assert [venue.exchange.limits.addresses.on, post(venue).status, post(venue).status] == [True, 200, 429]


def test_an_exchange_that_is_opened_as_itself_warns_at_first_and_keeps_what_was_set(tmp_path: Path) -> None:
    path = tmp_path / "world.checkpoint"
    opened = open_kept(path, 7, START)
    told = json.loads(opened.exchange.handle("GET", "/practice/limits").body)
    assert (told["on"], told["enforced"], told["tier"]) == (True, False, "Elite")
    kept = opened.exchange.trading
    assert kept is not None
    opened.exchange.handle("POST", "/practice/limits", "", b'{"enforced": true, "tier": "bronze"}')
    later = Venue()
    later.trading.load_state(kept.dump_state())
    told = json.loads(later.exchange.handle("GET", "/practice/limits").body)
    assert (told["on"], told["enforced"], told["tier"]) == (True, True, "Bronze")
    assert later.exchange.limits.addresses.on


async def status_of(client: aiohttp.ClientSession, url: str) -> int:
    async with client.get(url) as response:
        return response.status
