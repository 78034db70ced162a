"""The market stream in calm weather: books rebuilt, changes told once, terms and evidence, follow and unfollow."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from polymarket_kit.messages.pages import split_page
from polymarket_kit.model import Side
from polymarket_kit.values import MICRO
from prescient.adapters.clock import SystemClock
from prescient.adapters.polymarket.messages.clob import decode_books
from prescient.adapters.polymarket.stream.stream import PolymarketStream
from prescient.domain.market import OrderBook
from prescient.domain.stream import BookSeen, GapSeen, LevelSeen, MarketResolvedSeen, PrintSeen, TickSeen
from tests.prescient.polymarket.fake_stream import SHORT, FakeStreamVenue, Market, eventually, streaming


async def test_books_of_both_tokens_follow_every_change() -> None:
    venue = FakeStreamVenue()
    market = venue.markets[0]
    async with streaming(venue) as (stream, consumer):
        await stream.follow(venue.tokens)
        await eventually(lambda: consumer.has_all(venue))
        await venue.change(market, Side.BUY, "0.41", "7.25")
        await venue.change(market, Side.SELL, "0.42", "0")
        await venue.change(market, Side.SELL, "0.45", "3")
        await eventually(lambda: consumer.has_all(venue))
        levels = [event for event in consumer.of(LevelSeen) if event.token_id == market.no]
    assert [(level.side, level.price_micro, level.size_micro) for level in levels] == [
        (Side.SELL, 590_000, 7_250_000),
        (Side.BUY, 580_000, 0),
        (Side.BUY, 550_000, 3 * MICRO),
    ]
    assert [level.time_ms for level in levels] == sorted(level.time_ms for level in levels)
    assert len(consumer.of(BookSeen)) == 4 and not consumer.of(GapSeen)
    assert stream.counts["best price mismatches"] == 0


async def test_a_book_carries_what_only_rest_knows() -> None:
    venue = FakeStreamVenue(1)
    async with streaming(venue) as (stream, consumer):
        await stream.follow([venue.markets[0].yes])
        await eventually(lambda: bool(consumer.of(BookSeen)))
        book = stream.book(venue.markets[0].yes)
    assert book is not None
    assert (book.minimum_size_micro, book.negative_risk, book.tick_micro) == (15 * MICRO, True, 10_000)
    assert book.condition_id == venue.markets[0].condition
    assert venue.connections[0].tokens == {venue.markets[0].yes: None}
    assert json.loads(venue.connections[0].said[0]) == {
        "assets_ids": [venue.markets[0].yes],
        "type": "market",
        "custom_feature_enabled": True,
        "initial_dump": True,
        "level": 2,
    }


async def test_a_repeat_says_nothing_new() -> None:
    venue = FakeStreamVenue(1)
    market = venue.markets[0]
    async with streaming(venue) as (stream, consumer):
        await stream.follow(venue.tokens)
        await eventually(lambda: consumer.has_all(venue))
        frame, trade = market.set(Side.BUY, "0.41", "5"), market.trade("0.41", "2", Side.SELL)
        for _ in range(3):
            await venue.send(frame)
            await venue.send(trade)
            await venue.send(market.book(market.yes) | {"event_type": "book"})
        await venue.change(market, Side.BUY, "0.41", "3")
        await eventually(lambda: consumer.has_all(venue))
    assert len(consumer.of(LevelSeen)) == 4
    assert consumer.of(PrintSeen) == [PrintSeen(market.yes, 410_000, 2 * MICRO, Side.SELL, int(trade["timestamp"]))]
    assert stream.counts["repeated trades"] == 2 and not consumer.of(GapSeen)


async def test_a_whole_book_after_a_trade_is_told_as_its_differences() -> None:
    venue = FakeStreamVenue(1)
    market = venue.markets[0]
    async with streaming(venue) as (stream, consumer):
        await stream.follow(venue.tokens)
        await eventually(lambda: consumer.has_all(venue))
        market.set(Side.SELL, "0.42", "4")
        market.set(Side.SELL, "0.45", "0")
        for token in venue.tokens:
            await venue.send(market.book(token) | {"event_type": "book"})
        await eventually(lambda: consumer.has_all(venue))
    told = {(level.side, level.price_micro, level.size_micro) for level in consumer.of(LevelSeen)}
    assert told == {
        (Side.SELL, 420_000, 4 * MICRO),
        (Side.SELL, 450_000, 0),
        (Side.BUY, 580_000, 4 * MICRO),
        (Side.BUY, 550_000, 0),
    }
    assert len(consumer.of(BookSeen)) == 2 and not consumer.of(GapSeen)


async def test_evidence_is_an_event_or_an_equal_book_by_rest() -> None:
    venue = FakeStreamVenue(1)
    token = venue.markets[0].yes
    async with streaming(venue) as (stream, consumer):
        assert stream.evidence_age_s(token) is None
        await stream.follow(venue.tokens)
        assert stream.evidence_age_s(token) is None
        await eventually(lambda: consumer.has_all(venue))
        ages = []
        # A quiet market: nothing happens for six times as long as it takes to look, and nothing is stale.
        for _ in range(12):
            await asyncio.sleep(SHORT.quiet_s / 2)
            ages.append(stream.evidence_age_s(token))
        asked = len(venue.rest_asked)
        venue.rest_fails = True
        await asyncio.sleep(3 * SHORT.quiet_s)
        unproven = stream.evidence_age_s(token)
        await venue.change(venue.markets[0], Side.BUY, "0.41", "1")
        await eventually(lambda: consumer.has_all(venue))
        proven = stream.evidence_age_s(token)
    assert all(age is not None and age < 3 * SHORT.quiet_s for age in ages)
    assert 3 <= asked <= 16
    assert unproven is not None and unproven > 2 * SHORT.quiet_s
    assert proven is not None and proven < SHORT.quiet_s
    assert not consumer.of(GapSeen)


async def test_tokens_are_spread_over_sockets_and_can_be_let_go() -> None:
    venue = FakeStreamVenue(5)
    async with streaming(venue, replace(SHORT, tokens_per_socket=4)) as (stream, consumer):
        await stream.follow(venue.tokens[:5])
        await eventually(lambda: all(consumer.has(venue.true_book(token)) for token in venue.tokens[:5]))
        await stream.follow(venue.tokens)
        await eventually(lambda: consumer.has_all(venue))
        assert sorted(len(connection.tokens) for connection in venue.connections) == [2, 4, 4]
        gone = venue.markets[0]
        await stream.unfollow([gone.yes, gone.no])
        assert stream.book(gone.yes) is None
        await eventually(lambda: sorted(len(connection.tokens) for connection in venue.connections) == [2, 2, 4])
        told = len(consumer.events)
        await venue.change(gone, Side.BUY, "0.41", "1")
        await venue.change(venue.markets[4], Side.BUY, "0.41", "1")
        await eventually(lambda: consumer.has(venue.true_book(venue.markets[4].no)))
        since = consumer.events[told:]
        assert all(isinstance(event, LevelSeen | PrintSeen | TickSeen) for event in since)
        followed = {venue.markets[4].yes, venue.markets[4].no}
        assert {event.token_id for event in since if isinstance(event, LevelSeen | PrintSeen | TickSeen)} <= followed
        await stream.follow([gone.yes])
        await eventually(lambda: consumer.has(venue.true_book(gone.yes)))
    assert venue.accepted == 3


async def test_a_new_tick_drops_the_book_until_a_whole_one_comes() -> None:
    venue = FakeStreamVenue(1)
    market = venue.markets[0]
    token = market.yes

    def change(old: str, new: str) -> dict[str, Any]:
        market.time_ms += 1
        names = {"event_type": "tick_size_change", "asset_id": token, "market": market.condition}
        return names | {"old_tick_size": old, "new_tick_size": new, "timestamp": str(market.time_ms)}

    async with streaming(venue) as (stream, consumer):
        await stream.follow([token])
        await eventually(lambda: consumer.has(venue.true_book(token)))
        await venue.send(change("0.01", "0.01"))
        frame = change("0.01", "0.001")
        market.tick = "0.001"
        await venue.send(frame)
        await eventually(lambda: bool(consumer.of(TickSeen)))
        assert stream.book(token) is None
        await venue.send(frame)
        await venue.send(market.book(token) | {"event_type": "book"})
        await eventually(lambda: consumer.has(venue.true_book(token)))
    assert [(type(event), getattr(event, "tick_micro", None)) for event in consumer.events] == [
        (BookSeen, None),
        (TickSeen, 1_000),
        (GapSeen, None),
        (BookSeen, None),
    ]
    assert consumer.of(BookSeen)[-1].book.tick_micro == 1_000


async def test_a_resolution_is_told_once_and_only_of_what_is_followed() -> None:
    venue = FakeStreamVenue(2)
    ours, other = venue.markets

    def resolved(market: Market) -> dict[str, Any]:
        tokens = [market.yes, market.no]
        names = {"event_type": "market_resolved", "id": "1", "market": market.condition, "assets_ids": tokens}
        return names | {"winning_asset_id": market.yes, "winning_outcome": "Yes", "timestamp": str(market.time_ms)}

    async with streaming(venue) as (stream, consumer):
        await stream.follow([ours.no])
        await eventually(lambda: consumer.has(venue.true_book(ours.no)))
        for market in (other, ours, ours):
            await venue.send(resolved(market))
        await eventually(lambda: bool(consumer.of(MarketResolvedSeen)))
        await asyncio.sleep(0.05)
    assert consumer.of(MarketResolvedSeen) == [MarketResolvedSeen(ours.condition, ours.time_ms)]


async def test_recorded_books_are_rebuilt_from_half_of_them_and_changes(recorded_data: Path) -> None:
    """Ten real books of one event: the first book leaves every second level out, changes bring it."""
    body = (recorded_data / "clob" / "books-fed-decision-2026-05-17.json").read_bytes()
    recorded = {book["asset_id"]: book for book in json.loads(body)}
    wanted = {book.token_id: book for book in decode_books(split_page(body).items).items}
    venue = FakeStreamVenue(0)
    async with streaming(venue) as (stream, consumer):
        await stream.follow(list(wanted))
        await eventually(lambda: bool(venue.connections and venue.connections[0].tokens))
        (connection,) = venue.connections
        halves = [_half(book) for book in recorded.values()]
        await venue.send(halves, to=connection)
        for book in recorded.values():
            for side, name in ((Side.BUY, "bids"), (Side.SELL, "asks")):
                for level in book[name][::2]:
                    change = {"asset_id": book["asset_id"], **level, "side": side.value, "hash": "h"}
                    named = {"market": book["market"], "price_changes": [change], "event_type": "price_change"}
                    await venue.send(named | {"timestamp": book["timestamp"]}, to=connection)
        await eventually(lambda: all(consumer.has(book) for book in wanted.values()))
    assert len(wanted) == 10 and sum(len(book.bids) + len(book.asks) for book in wanted.values()) > 500


def _half(book: dict[str, Any]) -> dict[str, Any]:
    return {**book, "bids": book["bids"][1::2], "asks": book["asks"][1::2], "event_type": "book"}


async def test_it_can_be_closed_at_any_moment() -> None:
    """While connecting, while subscribing, and in the very turn in which REST answers."""
    venue = FakeStreamVenue(1)
    eager = replace(SHORT, check_every_s=0.0001, quiet_s=0.0)

    async def at_once(token_ids: Sequence[str]) -> dict[str, OrderBook]:
        await asyncio.sleep(0)
        return {token: venue.true_book(token) for token in token_ids}

    async with streaming(venue):
        for moment in range(150):
            stream = PolymarketStream(url=venue.url, books=at_once, clock=SystemClock(), limits=eager)
            await stream.follow(venue.tokens)
            for _ in range(moment % 50):
                await asyncio.sleep(0)
            async with asyncio.timeout(5):
                await stream.close()
                assert all(not isinstance(event, GapSeen) for event in [event async for event in stream.events()])


async def test_only_token_ids_are_followed_and_a_closed_stream_says_so() -> None:
    venue = FakeStreamVenue(1)
    async with streaming(venue) as (stream, consumer):
        with pytest.raises(ValueError, match="token id"):
            await stream.follow(["0x12"])
        assert not venue.connections
        await stream.close()
        with pytest.raises(RuntimeError, match="closed"):
            await stream.follow([venue.markets[0].yes])
    assert consumer.events == []
