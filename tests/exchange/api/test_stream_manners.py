"""How the websockets treat clients that say nothing, say nonsense, say too much or never listen."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket as socket_module
import time
from collections.abc import AsyncIterator

import aiohttp
import pytest

from practice_exchange.app.server import PracticeServer
from practice_exchange.streams.hub import MESSAGE_MAX_BYTES
from practice_exchange.world.world import World

from .conftest import START
from .stream_client import StreamClient, Trader, advance, connect, eventually
from .trading_venue import open_exchange, quiet_market, trading_of

NONSENSE = [
    "",
    "hello",
    "{",
    "null",
    "[]",
    "42",
    '"PING"',
    "{}",
    '{"assets_ids": ["1"]}',
    '{"type": "market"}',
    '{"type": "sports", "assets_ids": ["1"]}',
    '{"type": "market", "assets_ids": "1"}',
    '{"type": "market", "assets_ids": [1, 2]}',
    '{"type": "market", "assets_ids": [null]}',
    '{"type": "market", "assets_ids": ["1"], "level": 4}',
    '{"type": "market", "assets_ids": ["1"], "initial_dump": "yes"}',
    '{"type": "market", "assets_ids": ["1"], "custom_feature_enabled": 1}',
    '{"operation": "delete", "assets_ids": ["1"]}',
    '{"type": "market", "assets_ids": ["1"]} {}',
    '{"type": "market", "assets_ids": ["\\ud800"' + "]" * 3,
    "[" * 100_000,
    '{"a":' * 50_000,
    '{"type": "user", "auth": {}}',
]


@pytest.fixture
async def server() -> AsyncIterator[PracticeServer]:
    async with open_exchange() as served:
        yield served


@pytest.fixture
async def client(server: PracticeServer) -> AsyncIterator[StreamClient]:
    async with connect(server.market_ws_url) as connected:
        yield connected


def tokens_of(server: PracticeServer) -> list[str]:
    assert isinstance(server.world, World)
    return quiet_market(server.world).token_ids


@pytest.mark.fidelity(
    "A PING before the first subscription closes the socket with 1008",
    area="Market stream",
    evidence="field report",
    source="heartbeat before subscription",
)
@pytest.mark.parametrize("channel", ["market", "user"])
async def test_a_ping_before_the_subscription_ends_the_connection(server: PracticeServer, channel: str) -> None:
    async with connect(f"{server.url}/ws/{channel}") as client:
        await client.say("PING")
        assert await client.closed() == (1008, "invalid subscription payload")


@pytest.mark.fidelity(
    "A first message that is no subscription closes the socket with 1008",
    area="Market stream",
    evidence="field report",
    source="heartbeat before subscription",
)
@pytest.mark.parametrize("channel", ["market", "user"])
async def test_nonsense_before_the_subscription_ends_the_connection(server: PracticeServer, channel: str) -> None:
    for nonsense in NONSENSE:
        async with connect(f"{server.url}/ws/{channel}") as client:
            await client.say(nonsense)
            assert (await client.closed())[0] == 1008, nonsense


@pytest.mark.fidelity(
    "A later message that makes no sense is answered with INVALID OPERATION and changes nothing",
    area="Market stream",
    evidence="assumed",
)
@pytest.mark.parametrize("channel", ["market", "user"])
async def test_nonsense_afterwards_is_refused_and_changes_nothing(server: PracticeServer, channel: str) -> None:
    trader = Trader(server)
    async with connect(f"{server.url}/ws/{channel}") as client:
        first = trader.login() if channel == "user" else {"type": "market", "assets_ids": tokens_of(server)}
        await client.say(first)
        await client.rest()
        for nonsense in NONSENSE:
            await client.say(nonsense)
            assert await client.next() == "INVALID OPERATION", nonsense
        await client.socket.send_bytes(json.dumps(first).encode())
        assert await client.next() == "INVALID OPERATION"
        assert isinstance(server.world, World)
        trader.placed(quiet_market(server.world), 2, 10)
        assert len(await client.rest()) == 1


async def test_a_message_of_many_megabytes_ends_the_connection(server: PracticeServer, client: StreamClient) -> None:
    """It is broken off while the client still sends, so the client may not get to read why."""
    await client.subscribe(*tokens_of(server))
    with contextlib.suppress(aiohttp.ClientError, ConnectionError):
        await client.say("x" * (MESSAGE_MAX_BYTES + 1))
    assert (await client.closed())[0] in (1009, 1006)
    async with connect(server.market_ws_url) as another:
        assert len(await another.subscribe(*tokens_of(server))) == 2


async def test_text_that_is_not_utf8_ends_the_connection(server: PracticeServer, client: StreamClient) -> None:
    await client.subscribe(*tokens_of(server))
    await client.socket.send_frame(b"\xff\xfe", aiohttp.WSMsgType.TEXT)
    assert (await client.closed())[0] == 1007


async def test_a_subscription_to_ten_thousand_unknown_tokens_is_answered(client: StreamClient) -> None:
    assert await client.subscribe(*(str(10**76 + number) for number in range(10_000))) == []


@pytest.mark.fidelity(
    "A socket that stays unsubscribed is closed (after 30 seconds here)",
    area="Market stream",
    evidence="field report",
    source="market channel",
)
async def test_a_client_that_says_nothing_is_sent_away(server: PracticeServer) -> None:
    trading_of(server).streams.patience_s = 0.05
    async with connect(server.market_ws_url) as client:
        assert await client.closed() == (1008, "no subscription")


@pytest.mark.fidelity(
    "Who leaves more than 16 MiB unread is cut off",
    area="Market stream",
    evidence="assumed",
)
async def test_a_client_that_never_reads_is_cut_off_and_others_are_not() -> None:
    """Its backlog stays bounded; who reads gets everything."""
    async with open_exchange() as server:
        streams = trading_of(server).streams
        streams.unread_max_bytes = 200_000
        assert isinstance(server.world, World)
        trader, market = Trader(server), quiet_market(server.world)
        async with connect(server.market_ws_url) as reader, connect(server.market_ws_url) as sleeper:
            await reader.subscribe(*market.token_ids)
            await sleeper.say({"assets_ids": market.token_ids, "type": "market"})
            transport = sleeper.socket._response.connection.transport  # type: ignore[union-attr]  # it is connected
            assert isinstance(transport, asyncio.Transport)
            await sleeper.next()
            transport.pause_reading()
            # The system keeps some megabytes for each connection; less is enough to show what happens beyond.
            served = max(streams._open, key=lambda socket: socket.number)
            for end in (transport, served._transport):
                for option in (socket_module.SO_RCVBUF, socket_module.SO_SNDBUF):
                    end.get_extra_info("socket").setsockopt(socket_module.SOL_SOCKET, option, 8_192)
            backlogs = []
            sent = 0
            deadline_s = time.monotonic() + 60
            while len(streams._open) == 2 and time.monotonic() < deadline_s:
                for _ in range(50):
                    trader.cancel(trader.placed(market, 2, 10))
                    sent += 2
                await asyncio.sleep(0)
                backlogs.append(max(s._transport.get_write_buffer_size() for s in streams._open))
                heard = await reader.rest()
                assert len(heard) == 100
            assert len(streams._open) == 1 and sent > 100
            assert max(backlogs) < 200_000 + 100 * 2_000
            trader.placed(market, 2, 10)
            assert len(await reader.rest()) == 1
            transport.abort()


async def test_a_long_step_waits_for_those_who_read_and_not_for_others() -> None:
    async with open_exchange() as server:
        streams = trading_of(server).streams
        streams.backlog_low_bytes, streams.unread_max_bytes = 50_000, 4_000_000
        assert isinstance(server.world, World)
        markets = [market for market in server.world.register.markets.values() if not market.closed]
        tokens = [token_id for market in markets for token_id in market.token_ids]
        async with connect(server.market_ws_url) as reader, connect(server.market_ws_url) as sleeper:
            await reader.subscribe(*tokens)
            await sleeper.subscribe(*tokens)
            transport = sleeper.socket._response.connection.transport  # type: ignore[union-attr]  # it is connected
            assert isinstance(transport, asyncio.Transport)
            transport.pause_reading()
            first, second = streams._open
            await advance(server, 12 * 3_600)
            heard = await reader.rest()
            assert len(heard) > 1_000 and second.too_slow and not first.too_slow
            # Its first books came in one frame, and PONG in another.
            assert first.sent_frames == len(heard) + 2
            transport.abort()


async def test_who_leaves_is_forgotten(server: PracticeServer) -> None:
    streams, trader = trading_of(server).streams, Trader(server)
    async with connect(server.market_ws_url) as market, connect(server.user_ws_url) as user:
        await market.subscribe(*tokens_of(server), custom_feature_enabled=True)
        await user.say(trader.login())
        await user.rest()
        assert len(streams._open) == 2 and streams.market._broadcasters and streams.user._readers
    await eventually(lambda: not streams._open)
    assert not streams.market._broadcasters and not streams.user._readers
    assert not streams.market._custom and not streams.faults._sockets


async def test_the_addresses_speak_websocket_only_and_only_where_orders_are_taken(server: PracticeServer) -> None:
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{server.url}/ws/market") as answer:
            assert answer.status == 400
        reading = PracticeServer(World(7, 5, START))
        await reading.start()
        try:
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await session.ws_connect(reading.market_ws_url)
            assert refused.value.status == 404
        finally:
            await reading.stop()


async def test_the_exchange_says_good_bye() -> None:
    async with open_exchange() as server, connect(server.market_ws_url) as client:
        await client.subscribe(*tokens_of(server))
        began_s = time.monotonic()
        stopping = asyncio.create_task(server.stop())
        assert (await client.closed())[0] == 1001
        await stopping
        assert time.monotonic() - began_s < 5
