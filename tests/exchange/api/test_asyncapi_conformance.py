"""Every frame of both websockets validates against the venue's own AsyncAPI files, save for the listed exceptions."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from practice_exchange.app.server import PracticeServer
from practice_exchange.world.world import World

from .deviations import DEVIATIONS
from .specifications import Frames
from .stream_client import Trader, advance, connect
from .trading_venue import open_exchange, quiet_market, trading_of

DAY_S = 86_400
# Frames of one kind that are looked at; they are all written by the same lines.
JUDGED_MAX = 300
# What the files call the events by.
MARKET_MESSAGES = {
    "book": "book",
    "price_change": "priceChange",
    "last_trade_price": "lastTradePrice",
    "tick_size_change": "tickSizeChange",
    "best_bid_ask": "bestBidAsk",
    "new_market": "newMarket",
    "market_resolved": "marketResolved",
}
USER_MESSAGES = {"order": "order", "trade": "trade"}
FROM_CLIENTS = {
    "subscriptionRequest",
    "subscriptionRequestUpdate",
    "userSubscriptionRequest",
    "userSubscriptionRequestUpdate",
    "ping",
}


@pytest.fixture
async def server() -> AsyncIterator[PracticeServer]:
    async with open_exchange() as served:
        yield served


def judged(frames: Frames, names: dict[str, str], heard: list[dict[str, Any]]) -> tuple[set[tuple[str, str]], set[str]]:
    """The faults of what was heard, by event, and the events that there were."""
    faults: set[tuple[str, str]] = set()
    seen: Counter[str] = Counter()
    for event in heard:
        kind = event["event_type"]
        seen[kind] += 1
        if seen[kind] <= JUDGED_MAX:
            faults |= {(kind, fault) for fault in frames.faults(names[kind], event)}
    return faults, set(seen)


def expected(frames: Frames) -> set[tuple[str, str]]:
    return {(each.operation, each.where) for each in DEVIATIONS if each.file == frames.file}


@pytest.mark.fidelity(
    "The market channel sends all its events in the documented form, and answers PING with PONG",
    area="Market stream",
    evidence="specification",
    source="asyncapi, with the exceptions below",
)
async def test_the_market_channel_is_as_documented(server: PracticeServer, recorded_data: Path) -> None:
    frames, world = Frames(recorded_data, "asyncapi"), server.world
    assert isinstance(world, World)
    tokens = [token for each in world.register.markets.values() if not each.closed for token in each.token_ids]
    async with connect(server.market_ws_url) as client:
        request = {"assets_ids": tokens, "type": "market", "custom_feature_enabled": True, "initial_dump": True}
        assert frames.faults("subscriptionRequest", request) == set()
        await client.say(request)
        market, trader = quiet_market(world), Trader(server)
        trader.placed(market, market.book.best_ask_micro // 10_000, 10)
        trader.placed(market, 3, 10)
        await client.rest()
        for _ in range(40):
            await advance(server, DAY_S / 2)
            await client.rest()
            if {event["event_type"] for event in client.heard} == set(MARKET_MESSAGES):
                break
        faults, seen = judged(frames, MARKET_MESSAGES, client.heard)
        assert seen == set(MARKET_MESSAGES)
        assert faults == expected(frames)
        assert set(frames.messages()) == {*MARKET_MESSAGES.values(), "pong"} | (set(frames.messages()) & FROM_CLIENTS)
        assert frames.messages()["pong"]["payload"]["const"] == "PONG"


@pytest.mark.fidelity(
    "The user channel sends orders and trades in the documented form",
    area="User stream",
    evidence="specification",
    source="asyncapi-user, with the exceptions below",
)
async def test_the_user_channel_is_as_documented(server: PracticeServer, recorded_data: Path) -> None:
    frames = Frames(recorded_data, "asyncapi-user")
    assert isinstance(server.world, World)
    market, trader, venue_engine = quiet_market(server.world), Trader(server), trading_of(server).venue_engine
    async with connect(server.user_ws_url) as client:
        assert frames.faults("userSubscriptionRequest", trader.login()) == set()
        await client.say(trader.login())
        await client.rest()
        resting = trader.placed(market, 3, 10)
        trader.placed(market, market.book.best_ask_micro // 10_000, 10)
        trader.cancel(resting)
        trader.placed(market, market.book.best_ask_micro // 10_000, 5, order_type="FAK")
        trader.order(market, 2, 100, order_type="FOK")
        made = trader.placed(market, market.book.best_bid_micro // 10_000 + 1, 20)
        venue_engine.take(market, False, 15_000_000, 10_000)
        await advance(server, 60)
        await client.rest()
        faults, seen = judged(frames, USER_MESSAGES, client.heard)
        assert seen == set(USER_MESSAGES)
        assert faults == expected(frames)
        sides = {(event["trader_side"], event["status"]) for event in client.heard if event["event_type"] == "trade"}
        assert {side for side, _ in sides} == {"TAKER", "MAKER"}
        assert {status for _, status in sides} >= {"MATCHED", "MINED", "CONFIRMED"}
        assert {event["type"] for event in client.heard if event["event_type"] == "order"} == {
            "PLACEMENT",
            "UPDATE",
            "CANCELLATION",
        }
        assert made in {event["id"] for event in client.heard}
        assert set(frames.messages()) - FROM_CLIENTS == {*USER_MESSAGES, "pong"}
