"""Accounts, orders and trades over a restart: stopped in order, cut off at any moment, killed while clients trade."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from py_clob_client_v2.client import ClobClient
from py_clob_client_v2.clob_types import AssetType, BalanceAllowanceParams, MarketOrderArgsV2, OrderArgsV2, OrderType

from prescient.exchange.snapshot import load, save
from prescient.surfaces.practice.checkpoint import CheckpointRefused, checkpoint_path, read_checkpoint
from prescient.surfaces.practice.journal import Journal, Request, journal_path, read_journal
from prescient.surfaces.practice.opening import open_kept
from prescient.surfaces.practice.server import PracticeServer
from prescient.surfaces.practice.state import MarketState
from prescient.surfaces.practice.world import World
from tests.running import Installation

from .conftest import START
from .trading_venue import client_of, quiet_market, trading_of, wallet_of_type

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
    return save(trading_of(server).floor.engine)


def money_in(server: PracticeServer) -> int:
    """All dollars there are: on accounts, behind shares, in the venue's pots."""
    core = trading_of(server).floor.engine.core
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
    orders = trading_of(again).floor.engine.open_orders(wallet.funder)
    assert [order.order_id for order in orders] == [told["resting"]]


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
            if server._slices < 0:
                state = engine_bytes(server)
                copies.append((copy_of(tmp_path / "home", tmp_path / f"left-{number}"), state))
        filled = len(trading_of(server).floor.trades_of[wallet.funder])
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


async def test_a_record_that_was_cut_off_was_never_answered(tmp_path: Path) -> None:
    server = reopen(tmp_path / "home")
    await server.start()
    try:
        market, wallet = market_of(server), wallet_of_type(trading_of(server), "eoa")
        client = await on_thread(lambda: client_of(server, wallet))
        await on_thread(lambda: trade_a_little(client, market))
        before = engine_bytes(server)
        args = OrderArgsV2(token_id=market.token_ids[0], price=0.04, size=20, side="BUY")
        await on_thread(lambda: client.create_and_post_order(args))
        left = copy_of(tmp_path / "home", tmp_path / "left")
    finally:
        await server.stop()
    path = checkpoint_path(left, SEED)
    kept = read_checkpoint(path)
    assert kept is not None
    journal = journal_path(path, kept.number)
    journal.write_bytes(journal.read_bytes()[:-5])
    assert engine_bytes(reopen(left)) == before


async def test_a_crash_between_a_checkpoint_and_its_file_repeats_both_journals(tmp_path: Path) -> None:
    """The journal has been changed, the file not yet written: the old checkpoint and two journals tell everything."""
    server = reopen(tmp_path / "home")
    await server.start()
    path = checkpoint_path(tmp_path / "home", SEED)
    try:
        market, wallet = market_of(server), wallet_of_type(trading_of(server), "eoa")
        client = await on_thread(lambda: client_of(server, wallet))
        args = OrderArgsV2(token_id=market.token_ids[0], price=0.04, size=20, side="BUY")
        await on_thread(lambda: client.create_and_post_order(args))
        kept = read_checkpoint(path)
        assert kept is not None
        old_file, old_journal = path.read_bytes(), journal_path(path, kept.number).read_bytes()
        await advance(server, 0)
        newer = read_checkpoint(path)
        assert newer is not None and newer.number == kept.number + 1
        assert not journal_path(path, kept.number).exists()
        await on_thread(lambda: client.create_and_post_order(args))
        state = engine_bytes(server)
        left = copy_of(tmp_path / "home", tmp_path / "left")
    finally:
        await server.stop()
    checkpoint_path(left, SEED).write_bytes(old_file)
    journal_path(checkpoint_path(left, SEED), kept.number).write_bytes(old_journal)
    assert engine_bytes(reopen(left)) == state


def test_a_journal_of_something_else_stops_the_start(tmp_path: Path) -> None:
    path = checkpoint_path(tmp_path, SEED)

    async def once() -> None:
        server = reopen(tmp_path)
        await server.start()
        await server.stop()

    asyncio.run(once())
    kept = read_checkpoint(path)
    assert kept is not None
    broken = msgspec.structs.replace(kept, trading=b"\x01nonsense")
    path.write_bytes(msgspec.msgpack.encode(broken))
    with pytest.raises(CheckpointRefused, match="Move the file and its journals away"):
        reopen(tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="sizes of files are limited by POSIX")
def test_a_full_disk_leaves_no_half_record(tmp_path: Path) -> None:
    import resource

    journal = Journal(tmp_path / "world.journal-1")
    record = Request(1, 2.0, -1, "POST", "/clob/order", "", b"x" * 100, {"poly_address": "0x1"})
    journal.write(record)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        # The next record fits by half, as on a disk that is filling up.
        resource.setrlimit(resource.RLIMIT_FSIZE, (journal.size_bytes * 3 // 2, hard))
        with pytest.raises(OSError, match="File too large"):
            journal.write(record)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    journal.write(record)
    journal.close()
    assert list(read_journal(journal.path)) == [record, record]


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
