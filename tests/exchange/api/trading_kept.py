"""Kept exchanges for the tests of restarts: opened again, copied as a crash would leave them, and weighed."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
from py_clob_client_v2.client import ClobClient
from py_clob_client_v2.clob_types import MarketOrderArgsV2, OrderArgsV2, OrderType

from practice_exchange.app.bootstrap import open_kept
from practice_exchange.app.checkpoint import checkpoint_path
from practice_exchange.app.server import PracticeServer
from practice_exchange.engine.snapshot import save
from practice_exchange.world.state import MarketState
from practice_exchange.world.world import World

from .conftest import START
from .trading_venue import quiet_market, trading_of

SEED = 7


def reopen(folder: Path, speed: float = 0.0) -> PracticeServer:
    return open_kept(checkpoint_path(folder, SEED), SEED, START, speed=speed)


def copy_of(folder: Path, target: Path) -> Path:
    """What a killed process leaves behind is the files as they are now."""
    shutil.copytree(folder, target)
    return target


def market_of(server: PracticeServer) -> MarketState:
    assert isinstance(server.world, World)
    return quiet_market(server.world)


async def on_thread(work: Callable[[], Any]) -> Any:
    return await asyncio.to_thread(work)


async def advance(server: PracticeServer, seconds: float) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{server.url}/practice/advance", json={"seconds": seconds}) as response,
    ):
        assert response.status == 200


def engine_bytes(server: PracticeServer) -> bytes:
    return save(trading_of(server).venue_engine.engine)


def money_in(server: PracticeServer) -> int:
    """All dollars there are: on accounts, behind shares, in the venue's pots."""
    core = trading_of(server).venue_engine.engine.core
    on_accounts = sum(account.collateral.balance_micro for account in core.accounts.values())
    locked = sum(market.state.locked_micro for market in core.markets.values())
    return on_accounts + locked + core.fees_micro + core.rounding_micro


def trade_a_little(client: ClobClient, market: MarketState) -> dict[str, Any]:
    """Rest two orders, cancel one, buy at once; what the client was told."""
    token = market.token_ids[0]

    def rest(price: float) -> str:
        return str(
            client.create_and_post_order(OrderArgsV2(token_id=token, price=price, size=20, side="BUY"))["orderID"]
        )

    resting, canceled = rest(0.02), rest(0.03)
    client.cancel_orders([canceled])
    args = MarketOrderArgsV2(token_id=token, amount=12, side="BUY", order_type=OrderType.FOK)
    bought = client.create_and_post_market_order(args)
    assert bought["status"] == "matched"
    beat = client.post_heartbeat()["heartbeat_id"]
    return {"resting": resting, "canceled": canceled, "trades": bought["tradeIDs"], "beat": beat}
