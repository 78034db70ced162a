"""The market stream in bad weather: lost sockets, missing books, repeated, reordered and broken frames, a slow consumer."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from structlog.testing import capture_logs

from polymarket_kit.model import Side
from polymarket_kit.values import MICRO
from prescient.adapters.clock import SystemClock
from prescient.domain.stream import BookSeen, GapSeen, LevelSeen, PrintSeen
from tests.prescient.polymarket.fake_stream import SHORT, FakeStreamVenue, eventually, streaming


async def test_a_cut_connection_is_a_gap_for_all_its_tokens_and_books_come_anew() -> None:
    venue = FakeStreamVenue(3)
    async with streaming(venue) as (stream, consumer):
        await stream.follow(venue.tokens)
        await eventually(lambda: consumer.has_all(venue))
        await venue.drop()
        await eventually(lambda: bool(consumer.of(GapSeen)))
        assert all(stream.book(token) is None for token in venue.tokens)
        # What changes while nobody listens is in the books afterwards.
        venue.markets[0].set(Side.BUY, "0.41", "9")
        await eventually(lambda: consumer.has_all(venue))
        await venue.change(venue.markets[0], Side.BUY, "0.41", "8")
        await eventually(lambda: consumer.has_all(venue))
    assert sorted(consumer.of(GapSeen)[0].token_ids) == sorted(venue.tokens)
    assert stream.counts["lost connections"] == 1 and venue.accepted == 2
    assert len(consumer.of(BookSeen)) == 2 * len(venue.tokens)


async def test_a_venue_that_refuses_is_asked_again_with_back_off_while_rest_stands_in() -> None:
    venue = FakeStreamVenue(1)
    venue.refuse = True
    async with streaming(venue) as (stream, consumer):
        await stream.follow(venue.tokens)
        await eventually(lambda: consumer.has_all(venue))
        # Seen by REST alone: a change is a gap and a book, for what traded between is not known.
        venue.markets[0].set(Side.BUY, "0.41", "9")
        await eventually(lambda: consumer.has_all(venue))
        assert not consumer.of(LevelSeen) and consumer.gaps(venue.tokens[0]) == ["followed by REST alone"]
        failures = stream.counts["failed connections"]
        venue.refuse = False
        await eventually(lambda: venue.accepted == 1 and consumer.has_all(venue))
        await venue.change(venue.markets[0], Side.BUY, "0.41", "8")
        await eventually(lambda: len(consumer.of(LevelSeen)) == 2 and consumer.has_all(venue))
    assert 2 <= failures <= 30


async def test_a_storm_of_cuts_leaves_one_connection_and_true_books() -> None:
    venue = FakeStreamVenue(2)
    async with streaming(venue) as (stream, consumer):
        await stream.follow(venue.tokens)
        for number in range(10):
            await eventually(lambda: any(not connection.socket.closed for connection in venue.connections))
            venue.markets[0].set(Side.BUY, "0.41", str(number + 1))
            await venue.drop()
        await eventually(lambda: consumer.has_all(venue))
        alive = [connection for connection in venue.connections if not connection.socket.closed]
    assert len(alive) == 1


async def test_a_socket_without_pong_is_dead() -> None:
    venue = FakeStreamVenue(1)
    async with streaming(venue) as (stream, consumer):
        await stream.follow(venue.tokens)
        await eventually(lambda: "PING" in (venue.connections[0].said if venue.connections else ()))
        first = venue.connections[0].said
        venue.answers_ping = False
        await eventually(lambda: venue.accepted == 2)
        venue.answers_ping = True
        await eventually(lambda: consumer.has_all(venue))
    assert "no PONG" in consumer.gaps(venue.tokens[0])[0]
    # The venue hangs up on who pings before following anything.
    assert first[0] != "PING" and first.count("PING") >= 3


async def test_missing_first_books_are_counted_and_fetched_by_rest() -> None:
    venue = FakeStreamVenue(2)
    first, second = venue.markets
    venue.bookless = {second.yes, second.no}
    async with streaming(venue) as (stream, consumer):
        await stream.follow(venue.tokens)
        await eventually(lambda: consumer.has(venue.true_book(first.yes)))
        # A change that comes before any whole book is kept and laid over the one by REST, which is older here.
        venue.rest_frozen = {token: venue.true_book(token) for token in venue.tokens}
        await venue.change(second, Side.BUY, "0.41", "3")
        await eventually(lambda: consumer.has_all(venue))
    assert stream.counts["missing books"] == 2
    assert not consumer.of(GapSeen)


async def test_doubled_and_reordered_frames_end_in_the_true_books() -> None:
    """A window of frames shuffled and repeated: older ones are told from newer, or the doubt is noticed and mended."""
    random = Random(11)
    venue = FakeStreamVenue(1)
    market = venue.markets[0]
    async with streaming(venue) as (stream, consumer):
        await stream.follow(venue.tokens)
        await eventually(lambda: consumer.has_all(venue))
        for _ in range(10):
            window = [_random_change(venue, random) for _ in range(8)]
            window += random.sample(window, 4)
            random.shuffle(window)
            for frame in window:
                await venue.send(frame)
            await eventually(lambda: consumer.has_all(venue))
        trades = [market.trade("0.41", "1", Side.SELL)] * 3
        for trade in trades:
            await venue.send(trade)
        await eventually(lambda: bool(consumer.of(PrintSeen)))
    assert stream.counts["late changes"] > 0
    assert len(consumer.of(PrintSeen)) == 1


async def test_a_token_counts_from_its_own_socket_alone() -> None:
    """The tokens of a market on two sockets: both carry the changes of both, each at a pace of its own."""
    venue = FakeStreamVenue(1)
    market = venue.markets[0]
    async with streaming(venue, replace(SHORT, tokens_per_socket=1)) as (stream, consumer):
        await stream.follow(venue.tokens)
        await eventually(lambda: consumer.has_all(venue))
        frames = [market.set(Side.BUY, "0.3", str(size)) for size in (3, 0, 5, 0, 7, 0)]
        same_ms = [frame | {"timestamp": str(market.time_ms)} for frame in frames]
        for connection in venue.connections:
            for frame in same_ms:
                await venue.send(frame, to=connection)
        await eventually(lambda: consumer.has_all(venue) and len(consumer.of(LevelSeen)) == 12)
        await asyncio.sleep(0.05)
    assert len(venue.connections) == 2 and len(consumer.of(LevelSeen)) == 12
    assert not consumer.of(GapSeen)


async def test_frames_swapped_without_moving_the_best_price_make_no_gap() -> None:
    venue = FakeStreamVenue(1)
    market = venue.markets[0]
    async with streaming(venue) as (stream, consumer):
        await stream.follow(venue.tokens)
        await eventually(lambda: consumer.has_all(venue))
        frames = [market.set(Side.BUY, "0.3", str(size)) for size in (3, 0, 5, 2, 0)]
        for frame in reversed(frames):
            await venue.send(frame)
        await venue.change(market, Side.BUY, "0.29", "1")
        await eventually(lambda: consumer.has_all(venue))
    assert not consumer.of(GapSeen) and stream.counts["late changes"] == 8


def _random_change(venue: FakeStreamVenue, random: Random) -> dict[str, Any]:
    side = random.choice(list(Side))
    price = random.choice(("0.38", "0.39", "0.40", "0.41") if side is Side.BUY else ("0.42", "0.43", "0.44", "0.45"))
    frame: dict[str, Any] = venue.markets[0].set(side, price, random.choice(("0", "1", "2.5", "40")))
    return frame


async def test_a_lost_change_shows_in_the_best_prices_and_is_mended_by_rest() -> None:
    venue = FakeStreamVenue(1)
    market = venue.markets[0]
    async with streaming(venue, replace(SHORT, quiet_s=60.0)) as (stream, consumer):
        await stream.follow(venue.tokens)
        await eventually(lambda: consumer.has_all(venue))
        market.set(Side.BUY, "0.41", "9")
        await venue.change(market, Side.SELL, "0.45", "1")
        await eventually(lambda: consumer.has_all(venue))
    assert stream.counts["best price mismatches"] == 2
    assert consumer.gaps(market.yes) == ["best prices differ from the venue's"]


async def test_a_recorded_frame_that_contradicts_itself_is_doubted(recorded_data: Any) -> None:
    """It bids 0.7 and says that the best ask is 0.7; nobody may trade on such a book."""
    recorded = json.loads((recorded_data / "ws" / "price_change_v2.json").read_text())
    venue = FakeStreamVenue(1)
    market = venue.markets[0]
    for change in recorded["price_changes"]:
        change["asset_id"] = market.yes
    market.time_ms = int(recorded["timestamp"]) - 1
    async with streaming(venue) as (stream, consumer):
        await stream.follow([market.yes])
        await eventually(lambda: consumer.has(venue.true_book(market.yes)))
        await venue.send(recorded, to=venue.connections[0])
        await eventually(lambda: bool(consumer.gaps(market.yes)))
        market.time_ms = int(recorded["timestamp"]) + 1
        await eventually(lambda: consumer.has(venue.true_book(market.yes)))
    assert stream.counts["best price mismatches"] == 1


GARBAGE: list[str | bytes] = [
    "",
    "NO NEW ASSETS",
    "INVALID OPERATION",
    "{",
    "[[[[",
    "[" * 100_000,
    '{"event_type":"price_change"',
    '{"event_type":7}',
    '{"event_type":"weather","asset_id":"11"}',
    '{"event_type":"last_trade_price","asset_id":"11"}',
    "[1, null, {}, []]",
    '{"a":"' + "x" * 200_000 + '"}',
    "\ud7ff\u0000",
    b"\xff\xfe\x00binary",
]


async def test_garbage_is_counted_logged_once_and_skipped() -> None:
    venue = FakeStreamVenue(1)
    with capture_logs() as logs:
        async with streaming(venue) as (stream, consumer):
            await stream.follow(venue.tokens)
            await eventually(lambda: consumer.has_all(venue))
            for _ in range(3):
                for frame in GARBAGE:
                    await venue.send(frame, to=venue.connections[0])
            await venue.change(venue.markets[0], Side.BUY, "0.41", "1")
            await eventually(lambda: consumer.has_all(venue))
    kinds = [entry["kind"] for entry in logs if entry["event"] == "stream_message_dropped"]
    assert sorted(kinds) == sorted(set(kinds)) and {"broken", "unknown event", "last_trade_price", "text"} <= set(kinds)
    assert next(entry for entry in logs if entry.get("kind") == "last_trade_price")["token_id"] == "11"
    assert stream.counts["malformed unknown event"] == 3 and stream.counts["text frames"] == 12
    assert stream.counts["binary frames"] == 3
    assert venue.accepted == 1


BAD_CHANGES = [
    {"price": "1.2"},
    {"price": "0"},
    {"price": "NaN"},
    {"size": "-1"},
    {"size": "Infinity"},
    {"size": "1e999999"},
    {"size": None},
    {"side": "HOLD"},
]


@pytest.mark.parametrize("bad", BAD_CHANGES, ids=str)
async def test_a_change_that_makes_no_sense_costs_its_own_token_a_gap_and_no_other(bad: dict[str, Any]) -> None:
    venue = FakeStreamVenue(1)
    market = venue.markets[0]
    async with streaming(venue) as (stream, consumer):
        await stream.follow(venue.tokens)
        await eventually(lambda: consumer.has_all(venue))
        frame = market.set(Side.BUY, "0.41", "2")
        frame["price_changes"][0] |= bad
        await venue.send(frame)
        await eventually(lambda: consumer.has_all(venue))
    assert consumer.gaps(market.yes) == ["a message about it could not be read"]
    assert consumer.gaps(market.no) == [] and len(consumer.of(LevelSeen)) == 1
    assert stream.counts["malformed price_change"] == 1


@pytest.mark.parametrize("timestamp", ["1790000000", "", "soon", "99999999999999"])
async def test_times_in_other_units_are_no_times(timestamp: str) -> None:
    venue = FakeStreamVenue(1)
    async with streaming(venue) as (stream, consumer):
        await stream.follow(venue.tokens)
        await eventually(lambda: consumer.has_all(venue))
        await venue.send(venue.markets[0].set(Side.BUY, "0.41", "2") | {"timestamp": timestamp})
        await eventually(lambda: len(consumer.of(GapSeen)) == 2 and consumer.has_all(venue))
    assert stream.counts["malformed price_change"] == 2 and not consumer.of(LevelSeen)


async def test_a_message_from_the_future_cannot_shut_out_the_present() -> None:
    venue = FakeStreamVenue(1)
    market = venue.markets[0]
    now_ms = int(SystemClock().now().timestamp() * 1000)
    market.time_ms = now_ms - 60_000
    async with streaming(venue, replace(SHORT, future_s=300.0)) as (stream, consumer):
        await stream.follow(venue.tokens)
        await eventually(lambda: consumer.has_all(venue))
        await venue.send(market.set(Side.BUY, "0.41", "2") | {"timestamp": str(now_ms + 3_600_000)})
        await eventually(lambda: len(consumer.of(GapSeen)) == 2 and consumer.has_all(venue))
        await venue.change(market, Side.BUY, "0.41", "3")
        await eventually(lambda: consumer.has_all(venue))
    assert stream.counts["malformed price_change"] == 2 and len(consumer.of(LevelSeen)) == 2


async def test_a_slow_consumer_gets_a_gap_and_the_books_as_they_are() -> None:
    venue = FakeStreamVenue(2)
    busy = venue.markets[0]
    async with streaming(venue, replace(SHORT, events_max=100)) as (stream, consumer):
        await stream.follow(venue.tokens)
        await eventually(lambda: consumer.has_all(venue))
        consumer.may_take.clear()
        for size in range(1, 1_000):
            await venue.change(busy, Side.BUY, "0.41", str(size))
        await venue.send(busy.trade("0.41", "1", Side.SELL))
        await eventually(lambda: stream.counts["queue collapsed"] >= 1)
        await eventually(lambda: stream.evidence_age_s(busy.yes) is not None)
        waiting = stream.waiting
        consumer.may_take.set()
        await eventually(lambda: consumer.has_all(venue))
        since = consumer.events[consumer.events.index(consumer.of(GapSeen)[-1]) + 1 :]
        assert [type(event) for event in since] == [BookSeen] * 4
        # From here on every change is told again.
        await venue.change(busy, Side.BUY, "0.4", "77")
        await eventually(lambda: consumer.has_all(venue))
    assert waiting <= 102
    assert sorted(consumer.of(GapSeen)[-1].token_ids) == sorted(venue.tokens)
    assert consumer.of(LevelSeen)[-1].size_micro == 77 * MICRO
    assert not consumer.of(PrintSeen)


async def test_a_message_in_several_frames_is_put_together() -> None:
    venue = FakeStreamVenue(1)
    market = venue.markets[0]
    async with streaming(venue) as (stream, consumer):
        await stream.follow(venue.tokens)
        await eventually(lambda: consumer.has_all(venue))
        text = json.dumps(market.set(Side.BUY, "0.41", "2")).encode()
        request = venue.connections[0].socket._req
        assert request is not None and request.transport is not None
        transport = request.transport  # the raw way, for fragments
        parts = [text[start : start + 100] for start in range(0, len(text), 100)]
        for number, part in enumerate(parts):
            first = 0x01 if number == 0 else 0x00
            transport.write(bytes((first | (0x80 if number == len(parts) - 1 else 0), len(part))) + part)
            await asyncio.sleep(0)
        await eventually(lambda: consumer.has_all(venue))
    assert not consumer.of(GapSeen)
