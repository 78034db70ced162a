"""Accounts, orders and trades over a restart: stopped in order, cut off at any moment, killed while clients trade."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from py_clob_client_v2.client import ClobClient
from py_clob_client_v2.clob_types import AssetType, BalanceAllowanceParams, MarketOrderArgsV2, OrderArgsV2, OrderType

from polymarket_kit.signing.eip712 import checksum_address
from practice_exchange.app.checkpoint import checkpoint_path, read_checkpoint
from practice_exchange.app.server import PracticeServer
from practice_exchange.clob.trading_routes import decode_state, encode_state
from practice_exchange.engine.snapshot import load, save
from practice_exchange.world.state import MarketState
from tests.running import Installation

from .conftest import START
from .trading_kept import SEED, advance, copy_of, engine_bytes, market_of, money_in, on_thread, reopen, trade_a_little
from .trading_venue import client_of, trading_of, wallet_of_type


def seen_by(client: ClobClient, market: MarketState) -> dict[str, Any]:
    """Everything that an account may ask about itself."""
    token = market.token_ids[0]
    dollars = BalanceAllowanceParams(asset_type=AssetType.COLLATERAL)
    shares = BalanceAllowanceParams(asset_type=AssetType.CONDITIONAL, token_id=token)
    book: Any = client.get_order_book(token)
    return {
        "orders": client.get_open_orders(),
        "trades": client.get_trades(),
        "dollars": client.get_balance_allowance(dollars)["balance"],
        "shares": client.get_balance_allowance(shares)["balance"],
        "keys": client.get_api_keys(),
        "book": (book["bids"], book["asks"]),
    }


async def test_a_stop_and_a_start_change_nothing_that_a_client_can_see(tmp_path: Path) -> None:
    first = reopen(tmp_path)
    await first.start()
    market, wallet = market_of(first), wallet_of_type(trading_of(first), "deposit_wallet")
    client = await on_thread(lambda: client_of(first, wallet))
    told = await on_thread(lambda: trade_a_little(client, market))
    await advance(first, 30)
    before, money = await on_thread(lambda: seen_by(client, market)), money_in(first)
    state = engine_bytes(first)
    await first.stop()

    second = reopen(tmp_path)
    assert engine_bytes(second) == state
    assert money_in(second) == money
    await second.start()
    try:
        again = await on_thread(
            lambda: ClobClient(
                second.clob_url, 137, key=wallet.private_key, creds=client.creds, signature_type=3, funder=wallet.funder
            )
        )
        assert await on_thread(lambda: seen_by(again, market)) == before
        assert [order["id"] for order in before["orders"]] == [told["resting"]]
        # The chain of heartbeats goes on, and what rested can be cancelled.
        assert (await on_thread(lambda: again.post_heartbeat(told["beat"])))["heartbeat_id"]
        gone = await on_thread(again.cancel_all)
        assert gone["canceled"] == [told["resting"]]
    finally:
        await second.stop()


async def test_a_crash_takes_nothing_that_was_answered(tmp_path: Path) -> None:
    server = reopen(tmp_path / "home")
    await server.start()
    try:
        market, wallet = market_of(server), wallet_of_type(trading_of(server), "eoa")
        client = await on_thread(lambda: client_of(server, wallet))
        started_with = read_checkpoint(checkpoint_path(tmp_path / "home", SEED))
        told = await on_thread(lambda: trade_a_little(client, market))
        assert read_checkpoint(checkpoint_path(tmp_path / "home", SEED)) == started_with, "no checkpoint since"
        state, money = engine_bytes(server), money_in(server)
        left = copy_of(tmp_path / "home", tmp_path / "left")
    finally:
        await server.stop()
    again = reopen(left)
    assert engine_bytes(again) == state
    assert money_in(again) == money
    orders = trading_of(again).venue_engine.engine.open_orders(wallet.funder)
    assert [order.order_id for order in orders] == [told["resting"]]


@pytest.mark.parametrize("crash", [False, True])
async def test_what_the_data_api_and_the_chain_tell_survives(tmp_path: Path, crash: bool) -> None:
    server = reopen(tmp_path / "home")
    await server.start()
    market, wallet = market_of(server), wallet_of_type(trading_of(server), "safe")
    client = await on_thread(lambda: client_of(server, wallet))
    await on_thread(lambda: trade_a_little(client, market))
    await advance(server, 30)
    stranger = "0x" + "5" * 40
    async with aiohttp.ClientSession() as session:
        for body in ({"address": wallet.funder, "usd": 250.5}, {"address": stranger, "usd": 7, "approve": True}):
            async with session.post(f"{server.url}/practice/deposit", json=body) as response:
                assert response.status == 200
    before = await told_by(server, wallet.funder, stranger)
    assert len(before["activity"]) == 3 and len(before["positions"]) == 1
    folder = tmp_path / "home"
    if crash:
        folder = copy_of(folder, tmp_path / "left")
    await server.stop()
    again = reopen(folder)
    await again.start()
    try:
        assert await told_by(again, wallet.funder, stranger) == before
    finally:
        await again.stop()


async def told_by(server: PracticeServer, user: str, stranger: str) -> dict[str, Any]:
    """What the Data API and a node say of two accounts."""
    call = {"jsonrpc": "2.0", "id": 1, "method": "eth_getTransactionCount", "params": [user, "latest"]}
    told: dict[str, Any] = {}
    asked = {
        "activity": f"user={user}&excludeDepositsWithdrawals=false",
        "positions": f"user={user}",
        "value": f"user={stranger}",
    }
    async with aiohttp.ClientSession() as session:
        for name, query in asked.items():
            async with session.get(f"{server.url}/data/{name}?{query}") as response:
                assert response.status == 200
                told[name] = await response.json()
        async with session.post(f"{server.url}/rpc", json=call) as response:
            told["count"] = await response.json()
    core = trading_of(server).venue_engine.engine.core
    told["balances"] = [core.accounts[checksum_address(each)].collateral.balance_micro for each in (user, stranger)]
    return told


async def test_a_crash_while_the_world_trades_with_users_repeats_it_to_the_same_end(tmp_path: Path) -> None:
    """Users' orders rest in the way of the world's traders, at a speed at which these come all the time."""
    server = reopen(tmp_path / "home", speed=3_600.0)
    await server.start()
    copies: list[tuple[Path, bytes]] = []
    try:
        market, wallet = market_of(server), wallet_of_type(trading_of(server), "safe")
        client = await on_thread(lambda: client_of(server, wallet))
        token = market.token_ids[0]
        for number in range(6):
            bid, ask = market.book.best_bid_micro, market.book.best_ask_micro

            def quote(bid: int = bid, ask: int = ask) -> None:
                client.create_and_post_order(OrderArgsV2(token_id=token, price=bid / 1e6, size=30, side="BUY"))
                args = MarketOrderArgsV2(token_id=token, amount=5, side="BUY", order_type=OrderType.FAK)
                client.create_and_post_market_order(args)

            if market.trading and 20_000 < bid < ask < 980_000:
                await on_thread(quote)
            await asyncio.sleep(0.7)
            # Nothing else runs between these two lines: one moment.
            if server.checkpoint_writer.slices < 0:
                state = engine_bytes(server)
                copies.append((copy_of(tmp_path / "home", tmp_path / f"left-{number}"), state))
        filled = len(trading_of(server).venue_engine.trades_of[wallet.funder])
    finally:
        await server.stop()
    assert filled >= 3 and len(copies) >= 3
    for left, state in copies:
        again = repeated(left)
        assert settled(engine_bytes(again)) == settled(state), left.name


def repeated(folder: Path) -> PracticeServer:
    """What was kept, repeated to its end, but not moved on to the moment that was promised."""
    path = checkpoint_path(folder, SEED)
    kept = read_checkpoint(path)
    assert kept is not None
    path.write_bytes(msgspec.msgpack.encode(msgspec.structs.replace(kept, promise_ms=0)))
    return reopen(folder)


def settled(state: bytes) -> bytes:
    """An engine when all that is due has happened: whether somebody has looked in between must not matter."""
    exchange = load(state)
    exchange.advance(int(START.timestamp() * 1000) + 10 * 86_400_000)
    exchange.drain_events()
    return save(exchange)


async def test_orders_that_come_while_checkpoints_are_taken_are_neither_lost_nor_doubled(tmp_path: Path) -> None:
    server = reopen(tmp_path / "home")
    await server.start()
    try:
        market, wallet = market_of(server), wallet_of_type(trading_of(server), "eoa")
        client = await on_thread(lambda: client_of(server, wallet))
        args = OrderArgsV2(token_id=market.token_ids[0], price=0.02, size=10, side="BUY")
        orders = await on_thread(lambda: [client.create_order(args) for _ in range(160)])
        first = read_checkpoint(checkpoint_path(tmp_path / "home", SEED))

        def post_all(part: list[Any]) -> list[str]:
            return [client.post_order(order)["orderID"] for order in part]

        posting = [asyncio.create_task(asyncio.to_thread(post_all, orders[start::4])) for start in range(4)]
        while not all(task.done() for task in posting):
            await advance(server, 0)
        accepted = {order_id for task in posting for order_id in await task}
        last = read_checkpoint(checkpoint_path(tmp_path / "home", SEED))
        state, money = engine_bytes(server), money_in(server)
        left = copy_of(tmp_path / "home", tmp_path / "left")
    finally:
        await server.stop()
    assert first is not None and last is not None and last.number >= first.number + 3, "checkpoints fell in between"
    again = reopen(left)
    assert engine_bytes(again) == state and money_in(again) == money
    found = {order.order_id for order in trading_of(again).venue_engine.engine.open_orders(wallet.funder)}
    assert found == accepted and len(found) == 160


async def test_a_heartbeat_that_stopped_cancels_once_and_for_all(tmp_path: Path) -> None:
    server = reopen(tmp_path / "home")
    await server.start()
    try:
        market, wallet = market_of(server), wallet_of_type(trading_of(server), "eoa")
        client = await on_thread(lambda: client_of(server, wallet))
        await on_thread(lambda: trade_a_little(client, market))
        assert len(trading_of(server).venue_engine.engine.open_orders(wallet.funder)) == 1
        server.clock.hold(machine_s=server.clock.machine_s() + 11)
        trading_of(server).advance()
        server.clock.release()
        assert trading_of(server).venue_engine.engine.open_orders(wallet.funder) == []
        state = engine_bytes(server)
        left = copy_of(tmp_path / "home", tmp_path / "left")
    finally:
        await server.stop()
    again = reopen(left)
    assert engine_bytes(again) == state


async def test_a_restart_is_no_silence_of_the_client(tmp_path: Path) -> None:
    server = reopen(tmp_path)
    await server.start()
    market, wallet = market_of(server), wallet_of_type(trading_of(server), "eoa")
    client = await on_thread(lambda: client_of(server, wallet))
    told = await on_thread(lambda: trade_a_little(client, market))
    await server.stop()
    # As if it had been down for a day.
    kept = read_checkpoint(checkpoint_path(tmp_path, SEED))
    assert kept is not None
    state = decode_state(kept.trading)
    for heartbeat in state.pulses:
        heartbeat.last_s -= 86_400
    kept = msgspec.structs.replace(kept, trading=encode_state(state))
    checkpoint_path(tmp_path, SEED).write_bytes(msgspec.msgpack.encode(kept))
    again = reopen(tmp_path)
    trading_of(again).advance()
    orders = trading_of(again).venue_engine.engine.open_orders(wallet.funder)
    assert [order.order_id for order in orders] == [told["resting"]]


@pytest.mark.slow
def test_kill_9_while_clients_post_orders(tmp_path: Path) -> None:
    """Every order that a client was told is accepted is there after each kill, and every dollar too."""
    installation = Installation(tmp_path / "home")
    accepted: list[str] = []
    dollars: list[str] = []
    for _ in range(3):
        process = subprocess.Popen(
            [sys.executable, "-m", "prescient", "practice", "--json", "--port", "0"],
            env=installation.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            assert process.stdout is not None
            known = json.loads(process.stdout.readline())
            wallet = known["wallets"][0]
            client = ClobClient(known["clob_url"], 137, key=wallet["private_key"])
            client.set_api_creds(client.create_or_derive_api_key())
            assert {order["id"] for order in client.get_open_orders()} == set(accepted)
            dollars.append(
                client.get_balance_allowance(BalanceAllowanceParams(asset_type=AssetType.COLLATERAL))["balance"]
            )
            token = first_token(client)
            for number in range(10):
                args = OrderArgsV2(token_id=token, price=0.01, size=10 + number, side="BUY")
                accepted.append(client.create_and_post_order(args)["orderID"])
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
    assert dollars == ["10000000000"] * 3


def first_token(client: ClobClient) -> str:
    markets = client.get_sampling_markets()["data"]
    open_ones = [market for market in markets if market["accepting_orders"] and not market["closed"]]
    return str(max(open_ones, key=lambda market: market["end_date_iso"] or "")["tokens"][0]["token_id"])
