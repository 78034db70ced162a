"""Frames of both websockets have the fields that recorded ones have, and values of the same kind."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from practice_exchange.world.world import World

from .stream_client import Trader, advance, connect
from .trading_venue import open_exchange, quiet_market

# What the venue has added since the recordings were made.
NEWER = {"last_trade_price": {"transaction_hash"}, "maker_orders": {"outcome_index", "side"}}
NUMBER, DIGITS, HASH = re.compile(r"[0-9]+(\.[0-9]+)?"), re.compile(r"[0-9]+"), re.compile(r"0x[0-9a-f]{64}")


def recorded(recorded_data: Path, name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((recorded_data / "ws" / f"{name}.json").read_bytes())
    return content


def alike(mine: object, theirs: object) -> bool:
    """Whether two values are of one kind: a number as text, a hash, other text, a list, an integer, or nothing."""
    if isinstance(mine, str) and isinstance(theirs, str):
        return all(bool(kind.fullmatch(mine)) == bool(kind.fullmatch(theirs)) for kind in (NUMBER, DIGITS, HASH))
    return type(mine) is type(theirs)


async def hear_everything() -> dict[str, dict[str, Any]]:
    """The first frame of each kind of a small session, by event; orders by their type as well."""
    async with (
        open_exchange() as server,
        connect(server.market_ws_url) as market_client,
        connect(server.user_ws_url) as user,
    ):
        assert isinstance(server.world, World)
        trader, market = Trader(server), quiet_market(server.world)
        await market_client.subscribe(*market.token_ids)
        await user.say(trader.login())
        await user.rest()
        trader.cancel(trader.placed(market, 2, 5))
        trader.placed(market, market.book.best_ask_micro // 10_000, 5)
        market.tick_micro = 1_000
        server.world.revision += 1
        await advance(server, 10)
        heard = [*await market_client.rest(), *user.heard, *await user.rest()]
    return {event["event_type"] + event.get("type", ""): event for event in reversed(heard)}


@pytest.mark.fidelity(
    "Orders and trades of the user channel have the recorded fields and kinds of values",
    area="User stream",
    evidence="recording",
    source="frames of 2024-09 to 2025-11",
)
async def test_frames_have_the_recorded_fields(recorded_data: Path) -> None:
    heard = await hear_everything()
    pairs = {
        "order_placement": "orderPLACEMENT",
        "order_cancel": "orderCANCELLATION",
        "user_trade3": "tradeTRADE",
        "last_trade_price": "last_trade_price",
        "tick_size_change": "tick_size_change",
        "price_change_v2": "price_change",
    }
    for name, kind in pairs.items():
        theirs, mine = recorded(recorded_data, name), heard[kind]
        assert set(mine) - NEWER.get(kind, set()) == set(theirs), name
        differing = {field for field, value in theirs.items() if not alike(mine[field], value)}
        # Numbers may have decimals or none.
        assert differing <= {"price", "size", "size_matched"}, (name, differing)
    trade, sample = heard["tradeTRADE"], recorded(recorded_data, "user_trade3")
    assert set(trade["maker_orders"][0]) - NEWER["maker_orders"] == set(sample["maker_orders"][0]) - {"side"}
    change = heard["price_change"]["price_changes"][0]
    assert set(change) == set(recorded(recorded_data, "price_change_v2")["price_changes"][0])
    book = recorded(recorded_data, "book")
    assert set(heard["book"]) >= set(book) - {"buys", "sells"}
