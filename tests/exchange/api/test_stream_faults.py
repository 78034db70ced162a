"""The faults of the websockets: what their clients then hear, and that all is well again afterwards."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from practice_exchange.app.server import PracticeServer
from practice_exchange.streams.faults import StreamFaults
from practice_exchange.world.state import MarketState
from practice_exchange.world.world import World

from .stream_client import StreamClient, Trader, connect
from .trading_venue import open_exchange, quiet_market, trading_of


@pytest.fixture
async def server() -> AsyncIterator[PracticeServer]:
    async with open_exchange() as served:
        yield served


@pytest.fixture
async def client(server: PracticeServer) -> AsyncIterator[StreamClient]:
    async with connect(server.market_ws_url) as connected:
        yield connected


@pytest.fixture
def faults(server: PracticeServer) -> StreamFaults:
    return trading_of(server).streams.faults


@pytest.fixture
def market(server: PracticeServer) -> MarketState:
    assert isinstance(server.world, World)
    return quiet_market(server.world)


def sizes(events: list[dict[str, Any]]) -> list[str]:
    return [event["price_changes"][0]["size"] for event in events]


async def test_a_stalled_socket_is_silent_but_answers_pings(
    server: PracticeServer, client: StreamClient, faults: StreamFaults, market: MarketState
) -> None:
    trader = Trader(server)
    await client.subscribe(*market.token_ids)
    async with connect(server.market_ws_url) as other:
        await other.subscribe(*market.token_ids)
        seen = faults.sockets()
        assert [(one.number, one.channel, one.tokens, one.stalled) for one in seen] == [
            (1, "market", 2, False),
            (2, "market", 2, False),
        ]
        assert faults.stall_sockets("market", 1) == 1
        trader.placed(market, 2, 10)
        assert await client.rest() == []
        assert len(await other.rest()) == 1
        assert [one.stalled for one in faults.sockets()] == [True, False]
        assert faults.resume_sockets("market") == 2
        trader.placed(market, 2, 10)
        # What happened meanwhile is lost: there is no replay.
        assert len(await client.rest()) == 1
        assert faults.stall_sockets("user") == 0


async def test_a_stalled_token_is_left_out_while_all_others_come(
    server: PracticeServer, client: StreamClient, faults: StreamFaults, market: MarketState
) -> None:
    trader, (first, second) = Trader(server), market.token_ids
    await client.subscribe(first, second, custom_feature_enabled=True)
    faults.stall_token(first)
    trader.placed(market, market.book.best_ask_micro // 10_000, 10)
    trader.placed(market, market.book.best_bid_micro // 10_000 + 1, 10)
    events = await client.rest()
    named = {event["asset_id"] for event in events if "asset_id" in event}
    named |= {change["asset_id"] for event in events for change in event.get("price_changes", ())}
    assert named == {second}
    assert {event["event_type"] for event in events} == {"price_change", "book", "best_bid_ask"}
    async with connect(server.market_ws_url) as other:
        assert [book["asset_id"] for book in await other.subscribe(first, second)] == [second]
    faults.clear()
    trader.placed(market, 2, 10)
    (event,) = await client.rest()
    assert [change["asset_id"] for change in event["price_changes"]] == [first, second]


async def test_first_books_that_never_come(
    server: PracticeServer, client: StreamClient, faults: StreamFaults, market: MarketState
) -> None:
    faults.skip_snapshots = 1
    await client.say({"assets_ids": [market.token_ids[0]], "type": "market"})
    assert await client.rest() == []
    Trader(server).placed(market, 2, 10)
    assert len(await client.rest()) == 1
    await client.say({"assets_ids": [market.token_ids[1]], "operation": "subscribe"})
    assert len(await client.next()) == 1


async def test_a_subscription_that_is_partly_forgotten(
    server: PracticeServer, client: StreamClient, faults: StreamFaults
) -> None:
    assert isinstance(server.world, World)
    tokens = [t for m in server.world.register.markets.values() if not m.closed for t in m.token_ids][:100]
    faults.lost_share = 0.3
    books = await client.subscribe(*tokens)
    assert 50 < len(books) < 90
    faults.lost_share = 1.0
    await client.say({"assets_ids": [tokens[0], tokens[-1], "1"], "operation": "subscribe"})
    assert await client.rest() == []
    faults.clear()
    await client.say({"assets_ids": tokens, "operation": "subscribe"})
    again = await client.next()
    assert {book["asset_id"] for book in (*books, *again)} == set(tokens)


async def test_frames_that_come_twice(
    server: PracticeServer, client: StreamClient, faults: StreamFaults, market: MarketState
) -> None:
    trader = Trader(server)
    await client.subscribe(*market.token_ids)
    faults.doubled_share = 1.0
    trader.placed(market, 2, 10)
    trader.placed(market, 2, 10)
    events = await client.rest()
    assert len(events) == 4 and events[0] == events[1] != events[2] == events[3]
    faults.clear()
    trader.placed(market, 2, 10)
    assert len(await client.rest()) == 1


async def test_frames_that_change_places(
    server: PracticeServer, client: StreamClient, faults: StreamFaults, market: MarketState
) -> None:
    trader = Trader(server)
    await client.subscribe(*market.token_ids)
    faults.reordered_share = 1.0
    ids = [trader.placed(market, 4, 10) for _ in range(5)]
    events = await client.rest()
    grown = sizes(events)
    start = float(grown[1])
    assert [float(size) - start for size in grown] == [10, 0, 30, 20]
    # The fifth waits for another frame, or for the end of the fault.
    faults.clear()
    assert [float(size) - start for size in sizes(await client.rest())] == [40]
    trader.cancel(ids[0])
    assert [float(size) - start for size in sizes(await client.rest())] == [30]


async def test_some_frames_change_places_the_same_way_for_the_same_seed() -> None:
    heard = []
    for _ in range(2):
        async with open_exchange() as server, connect(server.market_ws_url) as client:
            assert isinstance(server.world, World)
            market, trader = quiet_market(server.world), Trader(server)
            await client.subscribe(*market.token_ids)
            faults = trading_of(server).streams.faults
            faults.reordered_share = faults.doubled_share = 0.3
            for _ in range(40):
                trader.placed(market, 4, 10)
            heard.append(sizes(await client.rest()))
    assert heard[0] == heard[1]
    in_order = sorted(set(heard[0]), key=float)
    assert len(heard[0]) > len(in_order) > 30
    assert list(dict.fromkeys(heard[0])) != in_order


@pytest.mark.parametrize("channel", ["market", "user"])
async def test_a_connection_that_breaks(server: PracticeServer, faults: StreamFaults, channel: str) -> None:
    trader = Trader(server)
    async with connect(f"{server.url}/ws/{channel}") as client:
        await client.say(trader.login() if channel == "user" else {"type": "market", "assets_ids": []})
        await client.rest()
        assert faults.drop_sockets("market") + faults.drop_sockets("user") == 1
        assert await client.closed() == (1006, "")


async def test_the_user_channel_stalls_and_doubles_as_well(
    server: PracticeServer, faults: StreamFaults, market: MarketState
) -> None:
    trader = Trader(server)
    async with connect(server.user_ws_url) as user:
        await user.say(trader.login())
        await user.rest()
        faults.doubled_share = 1.0
        resting = trader.placed(market, 2, 10)
        events = await user.rest()
        assert [event["id"] for event in events] == [resting] * 2
        faults.stall_sockets("user")
        trader.cancel(resting)
        assert await user.rest() == []
