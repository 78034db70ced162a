"""News of the whole venue on the market websocket, and the number of tokens that one socket can begin with."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from polymarket_kit.values import MICRO
from practice_exchange.app.server import PracticeServer
from practice_exchange.world.state import MarketState
from practice_exchange.world.world import World

from .stream_client import StreamClient, Trader, advance, connect
from .trading_venue import open_exchange, quiet_market

DAY_S = 86_400


@pytest.fixture
async def server() -> AsyncIterator[PracticeServer]:
    async with open_exchange() as served:
        yield served


@pytest.fixture
async def client(server: PracticeServer) -> AsyncIterator[StreamClient]:
    async with connect(server.market_ws_url) as connected:
        yield connected


def world_of(server: PracticeServer) -> World:
    assert isinstance(server.world, World)
    return server.world


def market_of(server: PracticeServer) -> MarketState:
    return quiet_market(world_of(server))


@pytest.mark.fidelity(
    "`new_market` and `market_resolved` of all markets reach every socket with `custom_feature_enabled`",
    area="Market stream",
    evidence="field report",
    source="market channel",
)
async def test_news_of_the_venue_reach_every_socket_that_asked(server: PracticeServer, client: StreamClient) -> None:
    """Also of markets that nobody reads; naming no token at all is enough."""
    known = set(world_of(server).register.markets)
    async with connect(server.market_ws_url) as plain:
        await plain.subscribe(market_of(server).token_ids[0])
        await client.say({"assets_ids": [], "type": "market", "custom_feature_enabled": True})
        assert await client.rest() == []
        await advance(server, 6 * DAY_S)
        news = await client.rest()
        assert not {"new_market", "market_resolved"} & {event["event_type"] for event in await plain.rest()}
    markets = world_of(server).register.markets
    listed = [event for event in news if event["event_type"] == "new_market"]
    assert {int(event["id"]) for event in listed} == set(markets) - known
    market = markets[int(listed[0]["id"])]
    assert listed[0]["market"] == listed[0]["condition_id"] == market.condition_id
    assert listed[0]["assets_ids"] == listed[0]["clob_token_ids"] == market.token_ids
    assert listed[0]["active"] is False and listed[0]["event_message"]["id"] == str(market.event_number)
    assert list(listed[0])[:6] == ["id", "question", "market", "slug", "description", "assets_ids"]
    resolved = [event for event in news if event["event_type"] == "market_resolved"]
    assert len(resolved) > 20 and len({event["id"] for event in resolved}) == len(resolved)
    halves = 0
    for event in resolved:
        market = markets[int(event["id"])]
        assert market.closed and event["assets_ids"] == market.token_ids
        if MICRO not in market.payouts_micro:
            halves += 1
            assert event["winning_asset_id"] == event["winning_outcome"] == ""
            continue
        winner = market.payouts_micro.index(MICRO)
        assert event["winning_asset_id"] == market.token_ids[winner]
        assert event["winning_outcome"] == market.outcomes[winner]
    assert halves > 0


@pytest.mark.fidelity(
    "From 500 tokens on, a socket gets no first books and is not told",
    area="Market stream",
    evidence="field report",
    source="market channel",
)
async def test_too_many_tokens_get_no_first_books_and_are_not_told() -> None:
    async with open_exchange(events=200) as server, connect(server.market_ws_url) as client:
        market = market_of(server)
        others = (other for other in world_of(server).register.markets.values() if not other.closed)
        tokens = [token_id for other in others if other is not market for token_id in other.token_ids][:498]
        assert len(await client.subscribe(*tokens)) == 498
        await client.say({"operation": "subscribe", "assets_ids": market.token_ids})
        assert await client.rest() == []
        Trader(server).placed(market, 2, 10)
        assert [event["event_type"] for event in await client.rest()] == ["price_change"]
