"""The keeper of the stream's books without a socket: whatever comes in, nothing raises, and what is told makes sense."""

from __future__ import annotations

import json
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from polymarket_kit.model import Side
from polymarket_kit.values import MICRO, micro_to_text
from prescient.adapters.polymarket.stream.assets import Asset, StreamLimits
from prescient.adapters.polymarket.stream.book_tracker import OrderBookTracker
from prescient.adapters.polymarket.stream.event_queue import StreamQueue
from prescient.domain.stream import BookSeen, GapSeen, LevelSeen, PrintSeen
from tests.prescient.polymarket.fake_stream import START_MS, Market


class Bench:
    """A keeper that follows both tokens of one market, and what it told so far."""

    def __init__(self) -> None:
        self.queue = StreamQueue()
        self.invalidations = 0
        self.tracker = OrderBookTracker(self.queue, StreamLimits(), lambda: START_MS, self._doubt)
        self.market = Market(1)
        self.source = object()
        self.now_s = 0.0
        for token in (self.market.yes, self.market.no):
            asset = self.tracker.assets[token] = Asset(token)
            asset.socket = self.source  # type: ignore[assignment]  # only its identity matters
            asset.terms_known = True
        self.books()

    def _doubt(self) -> None:
        self.invalidations += 1

    def books(self) -> None:
        """Whole books of both, as after a subscription."""
        self.hear([self.market.book(token) | {"event_type": "book"} for token in (self.market.yes, self.market.no)])

    def hear(self, frame: Any) -> None:
        self.hear_bytes(json.dumps(frame).encode())

    def hear_bytes(self, content: bytes) -> None:
        self.now_s += 0.001
        self.tracker.receive(content, self.source, self.now_s)

    def told(self) -> Iterator[Any]:
        while self.queue.waiting:
            yield self.queue.waiting.popleft()

    def truth(self, token: str) -> dict[Side, dict[int, int]]:
        bids, asks = self.market.sides(token)
        return {Side.BUY: bids, Side.SELL: asks}


def test_mutated_frames_never_raise_and_never_leave_a_crossed_book() -> None:
    random, bench = Random(5), Bench()
    for number in range(20_000):
        frames: list[Any] = [
            bench.market.set(random.choice(list(Side)), micro_to_text(random.randrange(30, 60) * 10_000), "5"),
            bench.market.book(bench.market.yes) | {"event_type": "book"},
            bench.market.trade("0.4", "3", Side.BUY),
            {"event_type": "best_bid_ask", "asset_id": bench.market.yes, "best_bid": "0.4", "best_ask": "",
             "timestamp": str(bench.market.time_ms)},
            {"event_type": "tick_size_change", "asset_id": bench.market.no, "new_tick_size": "0.001",
             "timestamp": str(bench.market.time_ms)},
        ]  # fmt: skip
        content = bytearray(json.dumps(random.choice(frames)).encode())
        for _ in range(random.randrange(4)):
            content[random.randrange(len(content))] = random.randrange(32, 127)
        bench.hear_bytes(bytes(content))
        for asset in bench.tracker.assets.values():
            assert not (asset.published and asset.book.crossed)
        if number % 50 == 0:
            bench.market.bids, bench.market.asks = {400_000: MICRO}, {420_000: MICRO}
            bench.books()
    assert bench.tracker.counts["malformed broken"] > 1_000 and bench.tracker.counts["invalidations"] > 100
    assert bench.invalidations == bench.tracker.counts["invalidations"]
    for event in bench.told():
        if isinstance(event, LevelSeen | PrintSeen):
            assert 0 < event.price_micro < MICRO and event.size_micro >= 0


@pytest.mark.parametrize("seed", range(20))
def test_any_order_of_stamped_changes_gives_the_same_books(seed: int) -> None:
    """Every change has a time of its own: however they are shuffled and doubled, the newest of each price counts."""
    random, bench = Random(seed), Bench()
    frames: list[dict[str, Any]] = []
    for _ in range(30):
        side = random.choice(list(Side))
        cents = random.randrange(30, 40) if side is Side.BUY else random.randrange(45, 55)
        frame = bench.market.set(side, f"0.{cents}", str(random.randrange(5)))
        for change in frame["price_changes"]:
            # What is best at each moment says nothing about frames that are still to come.
            del change["best_bid"], change["best_ask"]
        frames.append(frame)
    shuffled = [*frames, *random.sample(frames, 10)]
    random.shuffle(shuffled)
    for frame in shuffled:
        bench.hear(frame)
    rebuilt: dict[str, dict[Side, dict[int, int]]] = {}
    for event in bench.told():
        if isinstance(event, BookSeen):
            rebuilt[event.book.token_id] = {Side.BUY: dict(event.book.bids), Side.SELL: dict(event.book.asks)}
        else:
            assert isinstance(event, LevelSeen)
            levels = rebuilt[event.token_id][event.side]
            levels.pop(event.price_micro, None)
            if event.size_micro:
                levels[event.price_micro] = event.size_micro
    for token in (bench.market.yes, bench.market.no):
        assert rebuilt[token] == bench.truth(token)
        kept = bench.tracker.assets[token].order_book()
        assert {Side.BUY: dict(kept.bids), Side.SELL: dict(kept.asks)} == rebuilt[token]
        assert kept.bids == tuple(sorted(kept.bids, reverse=True)) and kept.asks == tuple(sorted(kept.asks))


def test_a_late_whole_book_does_not_undo_what_came_after_it() -> None:
    bench = Bench()
    early = bench.market.book(bench.market.yes) | {"event_type": "book", "timestamp": str(bench.market.time_ms + 1)}
    bench.market.time_ms += 1
    bench.hear(bench.market.set(Side.BUY, "0.41", "4"))
    bench.hear(bench.market.set(Side.BUY, "0.39", "0"))
    bench.hear(early)
    kept = bench.tracker.assets[bench.market.yes].order_book()
    assert dict(kept.bids) == bench.market.bids
    bench.hear(early | {"timestamp": str(START_MS - 5)})
    assert bench.tracker.counts["late books"] == 1
    assert not [event for event in bench.told() if isinstance(event, GapSeen)]


def test_empty_sides_have_no_best_price() -> None:
    bench = Bench()
    for price in ("0.4", "0.39"):
        bench.hear(bench.market.set(Side.BUY, price, "0"))
    for price in ("0.42", "0.45"):
        bench.hear(bench.market.set(Side.SELL, price, "0"))
    for token in (bench.market.yes, bench.market.no):
        book = bench.tracker.assets[token].order_book()
        assert (book.best_bid_micro, book.best_ask_micro, book.bids, book.asks) == (None, None, (), ())
    bench.hear(bench.market.set(Side.SELL, "0.999", "1"))
    book = bench.tracker.assets[bench.market.no].order_book()
    assert (book.best_bid_micro, book.best_ask_micro) == (1_000, None)
    assert not bench.tracker.counts["best price mismatches"]


def test_doubts_of_one_token_ask_rest_ever_more_seldom() -> None:
    bench = Bench()
    asset = bench.tracker.assets[bench.market.yes]
    waits = []
    for _ in range(8):
        bench.tracker.invalidate(asset, "test", bench.now_s)
        assert asset.due_s is not None
        waits.append(asset.due_s - bench.now_s)
    assert waits[0] == 0.0 and waits == sorted(waits) and waits[-1] == StreamLimits().backoff.most_s
    # Long after, a doubt is the first one again.
    bench.tracker.invalidate(asset, "test", bench.now_s + 1_000)
    assert asset.due_s == bench.now_s + 1_000
