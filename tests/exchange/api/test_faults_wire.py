"""On the wire: faults that take time, connections that break, clients that are slow, bodies too large, weather from a seed."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from py_clob_client_v2.clob_types import OrderArgs, PartialCreateOrderOptions
from py_clob_client_v2.exceptions import PolyApiException

from polymarket_kit.messages.orders import encode_order, encode_orders
from polymarket_kit.signing.auth import l2_headers
from practice_exchange.app.server import PracticeServer
from practice_exchange.world.world import World

from .conftest import START
from .stream_client import Trader, connect
from .test_faults_requests import control, hash_of
from .trading_http import HttpUser, funded_wallet, hear, serve_in_thread
from .trading_user import NOW_S, Venue
from .trading_venue import client_of, open_exchange, quiet_market, trading_of, wallet_of_type


@pytest.fixture
async def server() -> AsyncIterator[PracticeServer]:
    async with open_exchange(20) as served:
        yield served


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as session:
        yield session


def order_fault(server: PracticeServer, kind: str, path: str = "/clob/ok", **fields: object) -> None:
    body = json.dumps({"kind": kind, "path": path, **fields}).encode()
    assert server.exchange.handle("POST", "/practice/faults", "", body).status == 201


async def timed(client: aiohttp.ClientSession, url: str) -> tuple[int, float]:
    began_s = time.monotonic()
    async with client.get(url) as response:
        await response.read()
        return response.status, time.monotonic() - began_s


@pytest.mark.parametrize("kind", ["slow", "held"])
async def test_a_request_may_take_its_time_while_others_do_not(
    server: PracticeServer, client: aiohttp.ClientSession, kind: str
) -> None:
    order_fault(server, kind, seconds=1)
    waiting = asyncio.create_task(timed(client, f"{server.clob_url}/ok"))
    await asyncio.sleep(0.1)
    status, quick_s = await timed(client, f"{server.clob_url}/ok")
    assert status == 200 and quick_s < 0.8
    status, slow_s = await waiting
    assert status == 200 and slow_s >= 0.99


async def test_a_held_order_is_taken_when_it_is_let_through_and_a_slow_one_at_once(
    server: PracticeServer, client: aiohttp.ClientSession
) -> None:
    user = AsyncUser(server, client)
    await user.log_in()
    first, second = user.venue.order(), user.venue.order()
    order_fault(server, "held", "/clob/order", seconds=0.6)
    order_fault(server, "slow", "/clob/order", seconds=0.6)
    for posted, at_once in ((first, False), (second, True)):
        waiting = asyncio.create_task(user.post(encode_order(posted)))
        await asyncio.sleep(0.2)
        assert (trading_of(server).venue_engine.engine.order(hash_of(posted)) is not None) is at_once
        assert (await waiting)["status"] == "live"


async def test_a_late_order_is_taken_although_nobody_asks_again(
    server: PracticeServer, client: aiohttp.ClientSession
) -> None:
    user = AsyncUser(server, client)
    await user.log_in()
    posted = user.venue.order()
    order_fault(server, "late", "/clob/order", seconds=0.3)
    assert await user.post(encode_order(posted)) == {"error": "order timed out"}
    engine = trading_of(server).venue_engine.engine
    assert engine.order(hash_of(posted)) is None
    for _ in range(100):
        await asyncio.sleep(0.05)
        if engine.order(hash_of(posted)) is not None:
            return
    raise AssertionError("the order never came")


async def test_hanging_up_is_at_once_and_before_or_after_the_deed(
    server: PracticeServer, client: aiohttp.ClientSession
) -> None:
    user = AsyncUser(server, client)
    await user.log_in()
    for kind, done in (("reset", False), ("hang_up", True)):
        posted = user.venue.order()
        order_fault(server, kind, "/clob/order")
        with pytest.raises(aiohttp.ClientConnectionError):
            await user.post(encode_order(posted))
        assert (trading_of(server).venue_engine.engine.order(hash_of(posted)) is not None) is done


def test_the_official_client_loses_an_answer_and_the_order_rests_all_the_same() -> None:
    with serve_in_thread(20) as server:
        client = client_of(server, wallet_of_type(trading_of(server), "eoa"))
        assert isinstance(server.world, World)
        market = quiet_market(server.world)
        arguments = OrderArgs(token_id=market.token_ids[0], price=0.02, size=10, side="BUY")
        options = PartialCreateOrderOptions(tick_size="0.01", neg_risk=False)
        control(server.exchange, "POST", {"kind": "hang_up", "path": "/clob/order", "method": "POST"})
        with pytest.raises(PolyApiException) as caught:
            client.create_and_post_order(arguments, options)
        assert caught.value.status_code is None
        assert len(client.get_open_orders()) == 1


# Weather


class AsyncUser:
    """A venue's user over a shared session."""

    def __init__(self, server: PracticeServer, client: aiohttp.ClientSession) -> None:
        self.server, self.client = server, client
        self.venue = Venue.__new__(Venue)
        self.venue.trading, self.venue.exchange = trading_of(server), server.exchange
        assert isinstance(server.world, World)
        self.venue.world, self.venue.salt = server.world, 0
        self.venue.market = quiet_market(server.world)

    async def log_in(self) -> None:
        wallet = wallet_of_type(self.venue.trading, "eoa")
        self.venue.log_in(wallet)

    async def post(self, body: bytes) -> Any:
        headers = l2_headers(self.venue.credentials, self.venue.key.address, NOW_S, "POST", "/order", body)
        async with self.client.post(f"{self.server.clob_url}/order", data=body, headers=headers) as response:
            return await response.json()


def answers_in_weather(seed: int, rate: float, requests: int = 400) -> list[tuple[int, int]]:
    """Status and length of what a fixed row of requests is answered in the weather of a seed."""
    venue = Venue()
    assert control(venue, "POST", {"seed": seed, "rate": rate})[0] == 201
    heard = []
    for number in range(requests):
        path = ("/clob/ok", "/gamma/events/keyset", "/clob/data/orders")[number % 3]
        answer = venue.exchange.handle("GET", path, "limit=5")
        heard.append((answer.status, len(answer.body)))
    return heard


def test_the_same_seed_is_the_same_weather() -> None:
    clear, first, again, other = (
        answers_in_weather(7, 0),
        answers_in_weather(7, 0.1),
        answers_in_weather(7, 0.1),
        answers_in_weather(8, 0.1),
    )
    assert first == again and first != other
    struck = sum(mine != usual for mine, usual in zip(first, clear, strict=True))
    assert 15 <= struck <= 60, "about a tenth, but for faults that do not show in an answer"


def test_weather_falls_where_and_how_it_is_told() -> None:
    venue = Venue()
    assert control(venue, "POST", {"seed": 1, "rate": 1, "path": "/clob/*", "kinds": ["429", "425"]})[0] == 201
    assert venue.exchange.handle("GET", "/gamma/events", "limit=1").status == 200
    assert {venue.exchange.handle("GET", "/clob/ok").status for _ in range(20)} == {429}, "a read meets no restart"
    posts = {venue.exchange.handle("POST", "/clob/order", "", b"{}").status for _ in range(20)}
    assert posts == {429, 425}
    told = control(venue, "GET")[1]
    assert told["weather"]["requests"] == 40 and sum(told["struck"].values()) == 40
    assert venue.exchange.handle("GET", "/practice/time").status == 200, "the controls stay dry"
    control(venue, "DELETE")
    assert venue.exchange.handle("GET", "/clob/ok").status == 200


@pytest.mark.parametrize(
    "body", [{"seed": 1}, {"seed": 1, "rate": 2}, {"seed": 1, "rate": 0.1, "kinds": ["tick"]}, {"seed": "x", "rate": 0}]
)
def test_senseless_weather_is_refused(body: object) -> None:
    status, answer = control(Venue(), "POST", body)
    assert status == 422 and answer["error"]


async def test_a_client_trades_through_a_day_of_weather(server: PracticeServer, client: aiohttp.ClientSession) -> None:
    """Whatever is lost on the way, the exchange has each order once or not at all, and is well again when it clears."""
    user = AsyncUser(server, client)
    await user.log_in()
    control(
        server.exchange,
        "POST",
        {"seed": 5, "rate": 0.5, "kinds": ["429", "500", "refused", "reset", "hang_up", "twice", "garbage"]},
    )
    orders = [user.venue.order() for _ in range(60)]
    for posted in orders:
        try:
            await user.post(encode_order(posted))
        except (aiohttp.ClientError, json.JSONDecodeError):
            continue
    control(server.exchange, "DELETE")
    engine = trading_of(server).venue_engine.engine
    taken = [posted for posted in orders if engine.order(hash_of(posted)) is not None]
    assert 30 < len(taken) < 60
    for posted in orders:
        answer = await user.post(encode_order(posted))
        assert (posted in taken) is ("error" in answer and "Duplicated" in answer["error"])
    assert len(engine.open_orders(user.venue.wallet.funder)) == 60


# What a bad client sends


@pytest.fixture(scope="module")
def user() -> Any:
    with serve_in_thread(20) as served:
        yield HttpUser(served, funded_wallet(served, "bad client"))


@pytest.mark.fidelity(
    "A body of 10 MB is refused with 413",
    area="Limits and modes",
    evidence="assumed",
    source="the venue does not document its bound; it is 1 MiB here",
)
@pytest.mark.parametrize("path", ["/order", "/orders", "/books"])
def test_a_body_of_ten_megabytes_is_refused(user: HttpUser, path: str) -> None:
    heard = user.hear("POST", path, b"[" + b" " * 10_000_000 + b"]")
    assert (heard.status, heard.body) == (413, {"error": "Request Entity Too Large"})
    assert user.hear("GET", "/ok").status == 200


async def test_a_body_in_pieces_is_counted_too(server: PracticeServer, client: aiohttp.ClientSession) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b" " * 65_536

    async with client.post(f"{server.clob_url}/books", data=pieces()) as response:
        assert response.status == 413


@pytest.mark.fidelity(
    "A batch has at most 15 orders: `Too many orders in payload: 16, max allowed: 15`",
    area="Rejections",
    evidence="specification",
    source="error codes",
)
def test_a_batch_of_sixteen_is_refused_whole(user: HttpUser) -> None:
    orders = [user.order() for _ in range(16)]
    refused = user.send("POST", "/orders", encode_orders(orders))
    assert refused == (400, {"error": "Too many orders in payload: 16, max allowed: 15"})
    assert user.send("GET", "/data/orders")[1]["data"] == []
    assert len(user.send("POST", "/orders", encode_orders(orders[:15]))[1]) == 15


@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b"[" * 50_000, b'{"a":' * 5_000, b"null", b'"text"', b"1e999"])
@pytest.mark.parametrize(("method", "path"), [("POST", "/order"), ("POST", "/orders"), ("DELETE", "/orders")])
def test_what_is_no_json_is_refused_politely(user: HttpUser, method: str, path: str, body: bytes) -> None:
    heard = user.hear(method, path, body)
    assert heard.status == 400 and heard.body["error"]
    assert hear(user.server, "POST", "/clob/books", body).status == 400


async def test_slow_clients_hinder_nobody_and_are_cut_off() -> None:
    server = PracticeServer(World(7, 5, START), trading=True)
    server.body_wait_s, server.idle_wait_s = 0.5, 1.0
    await server.start()
    try:
        halves = [
            b"GET /clob/ok HT",
            b"POST /clob/order HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{",
            b"",
        ]
        open_ones = [await asyncio.open_connection("127.0.0.1", server.port) for _ in halves for _ in range(10)]
        for number, (_, writer) in enumerate(open_ones):
            writer.write(halves[number % 3])
        async with aiohttp.ClientSession() as client:
            for _ in range(20):
                status, took_s = await timed(client, f"{server.clob_url}/ok")
                assert status == 200 and took_s < 0.5
        async with asyncio.timeout(10):
            answers = await asyncio.gather(*(reader.read() for reader, _ in open_ones))
        # Who began a body is told; the others have not asked anything yet.
        assert [answer[9:12] for answer in answers[1::3]] == [b"408"] * 10
        assert all(answer == b"" or answer.startswith(b"HTTP/1.1 4") for answer in answers)
        for _, writer in open_ones:
            writer.close()
    finally:
        await server.stop()


# Streams


async def test_troubles_of_the_websockets_are_ordered_and_cleared(server: PracticeServer) -> None:
    assert isinstance(server.world, World)
    market = quiet_market(server.world)
    tokens = list(market.token_ids)
    streams = trading_of(server).streams.faults
    order_fault(server, "missing_snapshot", count=1)
    async with connect(server.market_ws_url) as heard:
        await heard.say({"assets_ids": tokens, "type": "market"})
        assert await heard.rest() == [], "no first books"
        order_fault(server, "stalled_socket", channel="market")
        assert [seen.stalled for seen in streams.sockets()] == [True]
        control(server.exchange, "DELETE", {"kind": "stalled_socket"})
        assert [seen.stalled for seen in streams.sockets()] == [False]
        order_fault(server, "dropped_socket", channel="market")
        with pytest.raises(AssertionError):
            await heard.next()
    order_fault(server, "stalled_token", token_id=tokens[0])
    order_fault(server, "stalled_token", token_id=tokens[1])
    order_fault(server, "doubled_frames", rate=0.5)
    order_fault(server, "reordered_frames", rate=0.25)
    order_fault(server, "lost_tokens", rate=0.05)
    assert streams.stalled_tokens == set(tokens)
    assert (streams.doubled_share, streams.reordered_share, streams.lost_share) == (0.5, 0.25, 0.05)
    kinds = [fault["kind"] for fault in control(server.exchange, "GET")[1]["faults"]]
    assert kinds == [
        "missing_snapshot",
        "stalled_token",
        "stalled_token",
        "doubled_frames",
        "reordered_frames",
        "lost_tokens",
    ]
    assert control(server.exchange, "DELETE")[1]["faults"] == []
    assert not streams.stalled_tokens and not streams.busy and streams.lost_share == 0


async def test_frames_may_be_lost_or_no_json(server: PracticeServer) -> None:
    assert isinstance(server.world, World)
    market, trader = quiet_market(server.world), Trader(server)
    async with connect(server.market_ws_url) as heard:
        await heard.subscribe(*market.token_ids)
        order_fault(server, "missing_frames")
        trader.placed(market, 2, 10)
        assert await heard.rest() == []
        control(server.exchange, "DELETE", {"kind": "missing_frames"})
        order_fault(server, "garbled_frames")
        trader.placed(market, 3, 10)
        cut = await heard.next()
        assert isinstance(cut, str) and cut.startswith("{") and cut.endswith("{")
        control(server.exchange, "DELETE")
        trader.placed(market, 4, 10)
        assert (await heard.until("price_change"))["price_changes"][0]["price"] == "0.04"


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"kind": "stalled_token"}, "needs a token_id"),
        ({"kind": "stalled_socket", "channel": "sports"}, "market or user"),
        ({"kind": "doubled_frames", "rate": 2}, "between 0 and 1"),
    ],
)
def test_senseless_troubles_of_streams_are_refused(fault: dict[str, object], said: str) -> None:
    venue = Venue()
    status, answer = control(venue, "POST", fault)
    assert status == 422 and said in answer["error"]
    assert control(venue, "GET")[1]["faults"] == []
