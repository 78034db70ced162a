"""The books of all followed tokens as wholes: loaded, published to the consumer, invalidated, and dropped in gaps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from prescient.adapters.polymarket.stream.assets import Asset, StreamLimits
from prescient.adapters.polymarket.stream.event_queue import StreamQueue
from prescient.domain.market import OrderBook
from prescient.domain.stream import GapSeen, LevelSeen, TickSeen

# After so many answers by REST that are older than what was seen before, the last one counts all the same.
OLD_ANSWERS_MAX = 3


class TrackedBooks:
    """Owns the assets. Once a book is published, so is every change to it, until a gap is.

    ``on_invalid`` is called when a book is needed by REST at once. ``counts`` says how often what happened.
    """

    def __init__(
        self, queue: StreamQueue, limits: StreamLimits, now_ms: Callable[[], int], on_invalid: Callable[[], None]
    ) -> None:
        self.assets: dict[str, Asset] = {}
        self.counts: Counter[str] = Counter()
        self._queue = queue
        self._limits = limits
        self._now_ms = now_ms
        self._on_invalid = on_invalid

    def load(self, asset: Asset, book: OrderBook, now_s: float) -> None:
        """Load a whole book, from a socket or REST; a consumer who has the book already gets the differences as levels."""
        differences = asset.book.load(book)
        asset.verified_s = now_s
        asset.due_s, asset.attempts, asset.absences = None, 0, 0
        asset.clear_mismatch()
        if asset.book.crossed:
            self.invalidate(asset, "the book is crossed", now_s)
            return
        if not asset.published:
            self.publish(asset)
            return
        for side, price, size in differences:
            self._queue.waiting.append(LevelSeen(asset.token_id, side, price, size, asset.book.time_ms))

    def load_answer(self, asset: Asset, book: OrderBook, now_s: float) -> None:
        """Load a book from REST for an asset without one, unless it is older than what was seen before the gap."""
        asset.attempts += 1
        if book.time_ms < asset.floor_ms and asset.attempts <= OLD_ANSWERS_MAX:
            self.counts["old answers"] += 1
            asset.due_s = now_s + self._limits.backoff.first_s * asset.attempts
            return
        asset.last_trade_micro = book.last_trade_micro or asset.last_trade_micro
        self.load(asset, book, now_s)
        self._queue.wake()

    def set_terms(self, asset: Asset, book: OrderBook | None) -> None:
        """Set what only REST says of a token; None when it could not be asked, so that nothing waits for it."""
        if book is not None:
            asset.condition_id = book.condition_id
            asset.minimum_size_micro = book.minimum_size_micro
            asset.negative_risk = book.negative_risk
            if asset.tick_ms <= book.time_ms and asset.tick_micro != book.tick_micro:
                self._set_tick(asset, book)
        asset.terms_known = True
        self.publish(asset)

    def _set_tick(self, asset: Asset, book: OrderBook) -> None:
        if asset.terms_known and asset.tick_micro:
            # The stream did not say so: a whole book is to come from REST at once.
            self._queue.waiting.append(TickSeen(asset.token_id, book.tick_micro, book.time_ms))
            self.gap([asset], "the tick size changed")
            asset.due_s = None
        asset.tick_micro, asset.tick_ms = book.tick_micro, book.time_ms

    def publish(self, asset: Asset) -> None:
        """Publish a book that the consumer does not have, if it is complete."""
        if asset.published or asset.deferred or not asset.known or not asset.terms_known:
            return
        self._queue.waiting.append(asset.publish_book())
        self._queue.wake()

    def gap(self, assets: Iterable[Asset], reason: str) -> None:
        """Drop these books, and publish a gap to a consumer who had them."""
        gone = []
        for asset in assets:
            if asset.published or asset.deferred:
                gone.append(asset.token_id)
            asset.published = False
            asset.floor_ms = max(asset.floor_ms, asset.book.time_ms)
            asset.book.clear()
            asset.clear_mismatch()
        if gone:
            self.counts["gaps"] += 1
            self._queue.waiting.append(GapSeen(tuple(gone), reason, self._now_ms()))
            self._queue.wake()

    def invalidate(self, asset: Asset, reason: str, now_s: float) -> None:
        """Drop a book that may be wrong: a gap, and a fresh book from REST, at once the first time and then with back-off."""
        lately = now_s - asset.invalidated_s <= self._limits.invalidations_within_s
        asset.invalidations = asset.invalidations + 1 if lately else 1
        asset.invalidated_s = now_s
        self.counts["invalidations"] += 1
        self.gap([asset], reason)
        asset.due_s = now_s + (self._limits.backoff.pause_s(asset.invalidations) if asset.invalidations > 1 else 0.0)
        self._on_invalid()
