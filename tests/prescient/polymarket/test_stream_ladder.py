"""What the market stream does about silence: proof by REST, then subscribe again, another socket, and REST in its stead."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from polymarket_kit.model import Side
from prescient.adapters.polymarket.stream.stream import PolymarketStream
from prescient.domain.stream import BookSeen, GapSeen, LevelSeen
from tests.prescient.polymarket.fake_stream import SHORT, FakeStreamVenue, eventually, streaming


async def test_a_stalled_socket_that_answers_pong_is_replaced() -> None:
    venue = FakeStreamVenue(3)
    async with streaming(venue) as (stream, consumer):
        await stream.follow(venue.tokens)
        await eventually(lambda: consumer.has_all(venue))
        venue.silent_up_to = 1
        await venue.change(venue.markets[0], Side.BUY, "0.41", "9")
        await eventually(lambda: venue.accepted == 2)
        await eventually(lambda: consumer.has_all(venue))
        # The new one delivers.
        await venue.change(venue.markets[2], Side.BUY, "0.41", "8")
        await eventually(lambda: consumer.has_all(venue) and len(consumer.of(LevelSeen)) == 2)
    assert stream.counts["stalled sockets"] == 1
    assert sorted(consumer.of(GapSeen)[0].token_ids) == sorted(venue.tokens)
    assert "silent" in consumer.of(GapSeen)[0].reason


async def test_a_venue_that_stalls_every_socket_is_followed_by_rest_until_it_speaks_again() -> None:
    venue = FakeStreamVenue(2)
    market = venue.markets[0]
    async with streaming(venue) as (stream, consumer):
        await stream.follow(venue.tokens)
        await eventually(lambda: consumer.has_all(venue))
        venue.silent = True
        for size in ("9", "8", "7", "6"):
            await venue.change(market, Side.BUY, "0.41", size)
            await eventually(lambda: consumer.has_all(venue))
        # Nothing was told as a change: each was a gap and a book.
        assert not consumer.of(LevelSeen)
        assert stream.counts["stalled sockets"] == 2
        stalled_at = venue.accepted
        venue.silent = False
        await venue.change(market, Side.BUY, "0.41", "5")
        await eventually(lambda: bool(consumer.of(LevelSeen)) and consumer.has_all(venue))
    assert stalled_at <= 4


async def test_one_stalled_token_is_subscribed_again_and_its_neighbours_never_notice() -> None:
    venue = FakeStreamVenue(10)
    market, others = venue.markets[0], venue.markets[1:]
    async with streaming(venue) as (stream, consumer):
        await stream.follow(venue.tokens)
        await eventually(lambda: consumer.has_all(venue))
        venue.mute = {market.yes}
        await venue.change(market, Side.BUY, "0.41", "9")
        for number in range(40):
            await venue.change(others[number % 9], Side.BUY, "0.41", str(number + 1))
            await asyncio.sleep(0.01)
        await eventually(lambda: stream.counts["stalled assets"] >= 1)
        venue.mute = set()
        await eventually(lambda: consumer.has_all(venue))
        await venue.change(market, Side.BUY, "0.41", "8")
        await eventually(lambda: consumer.has_all(venue))
    assert venue.accepted == 1 and stream.counts["lost connections"] == 0
    assert {token for gap in consumer.of(GapSeen) for token in gap.token_ids} == {market.yes}
    said = venue.connections[0].said
    assert sum('"operation":"unsubscribe"' in text and market.yes in text for text in said) == 1


async def test_a_token_that_stays_silent_climbs_to_another_socket_and_then_to_rest() -> None:
    venue = FakeStreamVenue(3)
    market, other = venue.markets[0], venue.markets[1]
    async with streaming(venue) as (stream, consumer):
        await stream.follow(venue.tokens)
        await eventually(lambda: consumer.has_all(venue))
        venue.mute = {market.yes}
        sizes = iter(range(1, 1_000))

        async def trade_on() -> None:
            while True:
                await venue.change(market, Side.BUY, "0.41", str(next(sizes)))
                await venue.change(other, Side.BUY, "0.41", str(next(sizes)))
                await asyncio.sleep(0.03)

        trading = asyncio.ensure_future(trade_on())
        await eventually(lambda: stream.counts["stalled assets"] == 3)
        polled_s = stream.evidence_age_s(market.yes)
        # By REST it is followed closely: every look is evidence.
        await asyncio.sleep(0.3)
        assert (stream.evidence_age_s(market.yes) or 9) < 0.2
        # After a while its stream is tried again, and believed when it delivers.
        await eventually(lambda: any("tried again" in reason for reason in consumer.gaps(market.yes)))
        venue.mute = set()
        told = len([event for event in consumer.of(LevelSeen) if event.token_id == market.yes])
        await eventually(
            lambda: len([event for event in consumer.of(LevelSeen) if event.token_id == market.yes]) > told + 5
        )
        gaps = len(consumer.gaps(market.yes))
        await asyncio.sleep(0.3)
        assert len(consumer.gaps(market.yes)) == gaps
        trading.cancel()
        await asyncio.gather(trading, return_exceptions=True)
        await eventually(lambda: consumer.has_all(venue))
    assert polled_s is not None
    reasons = consumer.gaps(market.yes)
    assert sum("the stream of it is wrong" in reason for reason in reasons) == 3
    assert any("followed by REST alone" in reason for reason in reasons)
    assert consumer.gaps(market.no) == []
    # The first socket, the refuge, and another one for the second attempt: no more.
    assert venue.accepted <= 3


async def test_a_difference_that_resolves_itself_is_no_stall() -> None:
    """REST is ahead of the socket for a moment, as it is whenever a change is on its way."""
    venue = FakeStreamVenue(1)
    market = venue.markets[0]
    async with streaming(venue, replace(SHORT, confirm_s=0.3)) as (stream, consumer):
        await stream.follow(venue.tokens)
        await eventually(lambda: consumer.has_all(venue))
        frame = market.set(Side.BUY, "0.41", "9")
        asked = len(venue.rest_asked)
        await eventually(lambda: len(venue.rest_asked) > asked)
        await asyncio.sleep(0.05)
        await venue.send(frame)
        await eventually(lambda: consumer.has_all(venue))
        await asyncio.sleep(0.6)
    assert not consumer.of(GapSeen) and stream.counts["stalled assets"] == 0


async def test_an_old_answer_by_rest_proves_nothing() -> None:
    venue = FakeStreamVenue(1)
    market = venue.markets[0]
    async with streaming(venue) as (stream, consumer):
        await stream.follow(venue.tokens)
        await eventually(lambda: consumer.has_all(venue))
        venue.rest_frozen = {token: venue.true_book(token) for token in venue.tokens}
        await venue.change(market, Side.BUY, "0.41", "9")
        await asyncio.sleep(6 * SHORT.quiet_s)
        age_s = stream.evidence_age_s(market.yes)
        assert consumer.has_all(venue)
    assert not consumer.of(GapSeen)
    assert age_s is not None and age_s > 4 * SHORT.quiet_s
    assert stream.counts["old answers"] >= 2


async def test_a_book_that_the_venue_lists_no_more_is_gone() -> None:
    venue = FakeStreamVenue(2)
    market = venue.markets[0]
    async with streaming(venue) as (stream, consumer):
        await stream.follow(venue.tokens)
        await eventually(lambda: consumer.has_all(venue))
        for token in (market.yes, market.no):
            del venue.by_token[token]
        await eventually(lambda: bool(consumer.gaps(market.yes) and consumer.gaps(market.no)))
        assert stream.book(market.yes) is None
        asked = sum(market.yes in tokens for tokens in venue.rest_asked)
        await asyncio.sleep(1.0)
        # Asked for ever more seldom.
        assert sum(market.yes in tokens for tokens in venue.rest_asked) - asked <= 4
    assert consumer.gaps(market.yes) == ["the venue lists no book of it"]
    assert not consumer.gaps(venue.markets[1].yes)


async def test_books_that_go_wrong_again_and_again_climb_the_ladder() -> None:
    """The venue's own best prices contradict its changes for one token, however often its book is fetched."""
    venue = FakeStreamVenue(2)
    market = venue.markets[0]
    async with streaming(venue) as (stream, consumer):
        await stream.follow(venue.tokens)
        await eventually(lambda: consumer.has_all(venue))
        lying = True

        async def lie() -> None:
            for size in range(1, 1_000):
                frame = market.set(Side.BUY, "0.3", str(size))
                frame["price_changes"] = frame["price_changes"][:1]
                if lying:
                    frame["price_changes"][0]["best_bid"] = "0.01"
                await venue.send(frame)
                await asyncio.sleep(0.03)

        trading = asyncio.ensure_future(lie())
        await eventually(lambda: stream.counts["stalled assets"] >= 1)
        lying = False
        trading.cancel()
        await asyncio.gather(trading, return_exceptions=True)
        await eventually(lambda: consumer.has(venue.true_book(market.yes)))
        asked = sum(market.yes in tokens for tokens in venue.rest_asked)
    assert stream.counts["invalidations"] >= 3 and asked < 60
    assert not consumer.gaps(venue.markets[1].yes)


def minimum_size_micro(stream: PolymarketStream, token_id: str) -> int | None:
    book = stream.book(token_id)
    return book.minimum_size_micro if book is not None else None


async def test_rest_away_leaves_the_stream_as_it_is() -> None:
    venue = FakeStreamVenue(1)
    venue.rest_fails = True
    async with streaming(venue) as (stream, consumer):
        await stream.follow(venue.tokens)
        await eventually(lambda: consumer.has_all(venue))
        await asyncio.sleep(0.5)
        await venue.change(venue.markets[0], Side.BUY, "0.41", "9")
        await eventually(lambda: consumer.has_all(venue))
        book = stream.book(venue.markets[0].yes)
        assert book is not None and book.minimum_size_micro == 5_000_000
        venue.rest_fails = False
        await eventually(lambda: minimum_size_micro(stream, venue.markets[0].yes) == 15_000_000)
    assert len(consumer.of(BookSeen)) == 2 and not consumer.of(GapSeen)
    assert stream.counts["failed checks"] >= 2
