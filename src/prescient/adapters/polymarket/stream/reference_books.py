"""All followed tokens' books as wholes: loaded, told to the consumer, doubted, and lost in gaps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from prescient.adapters.polymarket.stream.assets import Asset, StreamLimits
from prescient.adapters.polymarket.stream.event_queue import StreamQueue
from prescient.domain.market import OrderBook
from prescient.domain.stream import GapSeen, LevelSeen, TickSeen

# After so many answers by REST that are older than what was seen before, the last one counts all the same.
OLD_ANSWERS_MAX = 3


class StreamBooks:
    """Owns the assets. A consumer who was told a book is told everything about it, until a gap says otherwise.

    ``on_suspicion`` is called when a book is wanted by REST at once. ``counts`` says how often what happened.
    """

    def __init__(
        self, queue: StreamQueue, limits: StreamLimits, now_ms: Callable[[], int], on_suspicion: Callable[[], None]
    ) -> None:
        self.assets: dict[str, Asset] = {}
        self.counts: Counter[str] = Counter()
        self._queue = queue
        self._limits = limits
        self._now_ms = now_ms
        self._on_doubt = on_suspicion

    def load(self, asset: Asset, book: OrderBook, now_s: float) -> None:
        """Take a whole book, from a socket or by REST; to a consumer who has the book, its differences are levels."""
        differences = asset.book.load(book)
        asset.proved_s = now_s
        asset.due_s, asset.attempts, asset.absences = None, 0, 0
        asset.calm()
        if asset.book.crossed:
            self.doubt(asset, "the book is crossed", now_s)
            return
        if not asset.told:
            self.tell(asset)
            return
        for side, price, size in differences:
            self._queue.waiting.append(LevelSeen(asset.token_id, side, price, size, asset.book.time_ms))

    def load_answer(self, asset: Asset, book: OrderBook, now_s: float) -> None:
        """Take a book by REST for an asset without one, unless it is older than what was seen before the gap."""
        asset.attempts += 1
        if book.time_ms < asset.floor_ms and asset.attempts <= OLD_ANSWERS_MAX:
            self.counts["old answers"] += 1
            asset.due_s = now_s + self._limits.backoff.first_s * asset.attempts
            return
        asset.last_trade_micro = book.last_trade_micro or asset.last_trade_micro
        self.load(asset, book, now_s)
        self._queue.wake()

    def learn_terms(self, asset: Asset, book: OrderBook | None) -> None:
        """Note what only REST says of a token; None when it could not be asked, so that nothing waits for it."""
        if book is not None:
            asset.condition_id = book.condition_id
            asset.minimum_size_micro = book.minimum_size_micro
            asset.negative_risk = book.negative_risk
            if asset.tick_ms <= book.time_ms and asset.tick_micro != book.tick_micro:
                self._learn_tick(asset, book)
        asset.terms_known = True
        self.tell(asset)

    def _learn_tick(self, asset: Asset, book: OrderBook) -> None:
        if asset.terms_known and asset.tick_micro:
            # The stream never said so: a whole book is to come by REST at once.
            self._queue.waiting.append(TickSeen(asset.token_id, book.tick_micro, book.time_ms))
            self.gap([asset], "the tick size changed")
            asset.due_s = None
        asset.tick_micro, asset.tick_ms = book.tick_micro, book.time_ms

    def tell(self, asset: Asset) -> None:
        """Give the consumer a book that it does not have, if there is one."""
        if asset.told or asset.owed or not asset.known or not asset.terms_known:
            return
        self._queue.waiting.append(asset.seen())
        self._queue.wake()

    def gap(self, assets: Iterable[Asset], reason: str) -> None:
        """Forget these books, and say so to a consumer who had them."""
        gone = []
        for asset in assets:
            if asset.told or asset.owed:
                gone.append(asset.token_id)
            asset.told = False
            asset.floor_ms = max(asset.floor_ms, asset.book.time_ms)
            asset.book.clear()
            asset.calm()
        if gone:
            self.counts["gaps"] += 1
            self._queue.waiting.append(GapSeen(tuple(gone), reason, self._now_ms()))
            self._queue.wake()

    def doubt(self, asset: Asset, reason: str, now_s: float) -> None:
        """Stop trusting a book: a gap, and a fresh one by REST, at once the first time and ever later if it goes on."""
        lately = now_s - asset.doubt_s <= self._limits.doubts_within_s
        asset.doubts = asset.doubts + 1 if lately else 1
        asset.doubt_s = now_s
        self.counts["doubts"] += 1
        self.gap([asset], reason)
        asset.due_s = now_s + (self._limits.backoff.pause_s(asset.doubts) if asset.doubts > 1 else 0.0)
        self._on_doubt()
