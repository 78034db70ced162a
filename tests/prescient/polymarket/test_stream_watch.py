"""The stream's watch on a clock of its own: an hour of quiet, an hour without REST, a thousand tokens followed at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime

import pytest

from prescient.adapters.clock import SimulatedClock
from prescient.adapters.polymarket.stream.assets import Asset, StreamLimits
from prescient.adapters.polymarket.stream.book_tracker import OrderBookTracker
from prescient.adapters.polymarket.stream.event_queue import StreamQueue
from prescient.adapters.polymarket.stream.socket import StreamSocket
from prescient.adapters.polymarket.stream.watch import StreamWatch
from prescient.domain.errors import VenueUnavailable
from prescient.domain.market import OrderBook
from prescient.domain.stream import BookSeen, GapSeen
from tests.prescient.polymarket.fake_stream import FakeStreamVenue

HOUR_S = 3_600
START = datetime(2026, 9, 21, 15, tzinfo=UTC)


class Watched:
    """Books that a socket brought once and never changed, a venue's REST side, and the watch over both."""

    def __init__(self, markets: int) -> None:
        self.venue = FakeStreamVenue(markets)
        self.clock = SimulatedClock(START, waits=True)
        self.queue = StreamQueue()
        self.limits = StreamLimits(future_s=None)
        self.tracker = OrderBookTracker(self.queue, self.limits, lambda: 0, lambda: None)
        self.socket = StreamSocket("ws://nowhere", self.tracker, self.clock, lambda: 0.5, self.limits)
        self.socket.connected = True
        self.asked: list[int] = []
        self.fails = False
        watch = StreamWatch(self.tracker, self._books, self.clock, self.clock, lambda asset: None, self.limits)
        assets = [Asset(token) for token in self.venue.tokens]
        self.tracker.assets.update((asset.token_id, asset) for asset in assets)
        self.socket.add(assets)
        for token in self.venue.tokens:
            self.tracker.load(self.tracker.assets[token], self.venue.true_book(token), self.clock.monotonic_s())
        self.task = asyncio.ensure_future(watch.run())

    async def _books(self, token_ids: Sequence[str]) -> dict[str, OrderBook]:
        self.asked.append(len(token_ids))
        if self.fails:
            raise VenueUnavailable("no answer")
        return {token: self.venue.true_book(token) for token in token_ids}

    def gaps(self) -> list[GapSeen]:
        return [event for event in self.queue.waiting if isinstance(event, GapSeen)]

    def oldest_evidence_s(self) -> float:
        proofs = [asset.evidence_s() for asset in self.tracker.assets.values()]
        assert None not in proofs
        return self.clock.monotonic_s() - min(proof for proof in proofs if proof is not None)


@pytest.fixture
async def watched() -> AsyncIterator[Watched]:
    made = Watched(15)
    yield made
    made.task.cancel()
    await asyncio.gather(made.task, return_exceptions=True)


async def test_an_hour_of_quiet_is_not_stale(watched: Watched) -> None:
    ages = []
    for _ in range(HOUR_S // 60):
        await watched.clock.run(60)
        ages.append(watched.oldest_evidence_s())
    assert max(ages) <= watched.limits.quiet_s + 2 * watched.limits.check_every_s
    assert not watched.gaps() and sum(isinstance(event, BookSeen) for event in watched.queue.waiting) == 30
    # All tokens in one request, no oftener than they fall due.
    assert len(watched.asked) <= HOUR_S / watched.limits.quiet_s + 2 and max(watched.asked) == 30


async def test_a_stall_in_an_hour_of_quiet_is_found_within_ten_seconds(watched: Watched) -> None:
    await watched.clock.run(HOUR_S)
    market = watched.venue.markets[7]
    market.bids[410_000] = 1_000_000
    market.time_ms += 1
    await watched.clock.run(10)
    # Each of its two tokens tells; there is no connection here that the first could have ended.
    assert watched.tracker.counts["stalled sockets"] == 2


async def test_an_hour_without_rest_is_no_busy_loop_and_no_gap(watched: Watched) -> None:
    await watched.clock.run(60)
    watched.fails = True
    before = len(watched.asked)
    await watched.clock.run(HOUR_S)
    assert len(watched.asked) - before <= HOUR_S / 10 and not watched.gaps()
    assert watched.oldest_evidence_s() > HOUR_S - 60
    watched.fails = False
    await watched.clock.run(watched.limits.backoff.most_s + 2)
    assert watched.oldest_evidence_s() < 10 and not watched.gaps()


async def test_more_tokens_than_one_look_can_ask_for_are_all_asked_for_at_once() -> None:
    made = Watched(1_500)
    try:
        await made.clock.run(1)
        assert sorted(made.asked)[-3:] == [1_000, 1_000, 1_000]
        assert all(asset.terms_known and asset.published for asset in made.tracker.assets.values())
    finally:
        made.task.cancel()
        await asyncio.gather(made.task, return_exceptions=True)
