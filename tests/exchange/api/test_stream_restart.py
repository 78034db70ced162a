"""Readers of a market bring it into the trading floor; after a crash it is there again, and its course is the same."""

from __future__ import annotations

from pathlib import Path

from .stream_client import connect, rest_book
from .trading_kept import advance, copy_of, engine_bytes, market_of, reopen
from .trading_venue import trading_of


async def test_what_was_read_before_a_crash_goes_on_the_same(tmp_path: Path) -> None:
    first = reopen(tmp_path / "home")
    await first.start()
    market = market_of(first)
    try:
        async with connect(first.market_ws_url) as client:
            await client.subscribe(*market.token_ids)
            await advance(first, 7_200)
            assert {event["event_type"] for event in await client.rest()} >= {"price_change"}
            # No order was ever placed: reading alone brought the market there.
            assert list(trading_of(first).venue_engine.engine.core.markets) == [market.condition_id]
        crashed = copy_of(tmp_path / "home", tmp_path / "crashed")
        state = engine_bytes(first)
        books = [await rest_book(first, token_id) for token_id in market.token_ids]
    finally:
        await first.stop()

    second = reopen(crashed)
    assert engine_bytes(second) == state
    await second.start()
    try:
        async with connect(second.market_ws_url) as client:
            again = await client.subscribe(*market.token_ids)
            for book, seen in zip(books, again, strict=True):
                assert (seen["bids"], seen["asks"], seen["hash"]) == (book["bids"], book["asks"], book["hash"])
    finally:
        await second.stop()
