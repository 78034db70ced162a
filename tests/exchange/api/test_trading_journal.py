"""The journal of the practice exchange: cut off, changed with a checkpoint that was never finished, on a full disk."""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from pathlib import Path

import msgspec
import pytest
from py_clob_client_v2.clob_types import OrderArgsV2
from py_clob_client_v2.exceptions import PolyApiException

from practice_exchange.app.checkpoint import CheckpointRefused, checkpoint_path, read_checkpoint
from practice_exchange.app.journal import Journal, Request, journal_path, read_journal

from .trading_kept import SEED, advance, copy_of, engine_bytes, market_of, on_thread, reopen, trade_a_little
from .trading_venue import client_of, trading_of, wallet_of_type


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


async def test_a_world_from_before_it_took_orders_goes_on_and_takes_them(tmp_path: Path) -> None:
    server = reopen(tmp_path)
    await server.start()
    await advance(server, 3_600)
    await server.stop()
    path = checkpoint_path(tmp_path, SEED)
    kept = read_checkpoint(path)
    assert kept is not None
    path.write_bytes(msgspec.msgpack.encode([kept.promise_ms, kept.world]))
    again = reopen(tmp_path)
    assert again.world.now_ms == server.world.now_ms
    await again.start()
    try:
        market, wallet = market_of(again), wallet_of_type(trading_of(again), "proxy")
        client = await on_thread(lambda: client_of(again, wallet))
        assert (await on_thread(lambda: trade_a_little(client, market)))["trades"]
    finally:
        await again.stop()


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


@pytest.mark.skipif(sys.platform == "win32", reason="sizes of files are limited by POSIX")
async def test_an_order_that_cannot_be_written_down_is_not_taken_and_the_next_one_is(tmp_path: Path) -> None:
    import resource

    server = reopen(tmp_path)
    await server.start()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        market, wallet = market_of(server), wallet_of_type(trading_of(server), "eoa")
        client = await on_thread(lambda: client_of(server, wallet))
        args = OrderArgsV2(token_id=market.token_ids[0], price=0.02, size=10, side="BUY")
        orders = await on_thread(lambda: [client.create_order(args) for _ in range(30)])
        for order in orders[:28]:
            await on_thread(partial(client.post_order, order))
        kept = read_checkpoint(checkpoint_path(tmp_path, SEED))
        assert kept is not None
        journal, before = journal_path(checkpoint_path(tmp_path, SEED), kept.number), engine_bytes(server)
        resource.setrlimit(resource.RLIMIT_FSIZE, (journal.stat().st_size + 100, hard))
        with pytest.raises(PolyApiException):
            await on_thread(lambda: client.post_order(orders[28]))
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert engine_bytes(server) == before
        assert (await on_thread(lambda: client.post_order(orders[29])))["status"] == "live"
        left, state = copy_of(tmp_path / "practice", tmp_path / "left" / "practice"), engine_bytes(server)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        await server.stop()
    assert engine_bytes(reopen(left.parent)) == state


def test_a_disk_that_failed_is_asked_again(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "world.journal-1")
    journal.write(Request(1, 1.0, -1, "POST", "/clob/order", "", b"{}", {}))
    journal.close()
    with pytest.raises(OSError):
        journal.make_safe()
    assert journal.unsafe


@pytest.mark.skipif(sys.platform == "win32", reason="files have no modes there")
async def test_only_their_owner_reads_the_files_that_hold_keys(tmp_path: Path) -> None:
    server = reopen(tmp_path)
    await server.start()
    try:
        await advance(server, 60)
        files = list(checkpoint_path(tmp_path, SEED).parent.iterdir())
        modes = {path.name: path.stat().st_mode & 0o777 for path in files if path.suffix != ".lock"}
    finally:
        await server.stop()
    assert len(modes) == 2 and set(modes.values()) == {0o600}
