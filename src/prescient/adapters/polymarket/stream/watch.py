"""Verifies the stream: compares books with REST, fetches missing ones, and escalates the recovery of stalled ones.

A quiet market is not stale and a socket that answers PONG can be dead, so only contents count as evidence.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

import structlog

from prescient.adapters.polymarket.stream.assets import MOVED, POLLED, RESUBSCRIBED, STREAMED, Asset, StreamLimits
from prescient.adapters.polymarket.stream.book_tracker import OrderBookTracker
from prescient.backoff import Backoff
from prescient.domain.errors import VenueUnavailable
from prescient.domain.market import OrderBook
from prescient.ports.clock import Clock

log = structlog.get_logger(__name__)
Books = Callable[[Sequence[str]], Awaitable[dict[str, OrderBook]]]
SECOND_MS = 1_000
# Connections of a socket that stall in a row before REST replaces it.
STALLS_MAX = 2
# Answers without a token's book before a book that we have counts as gone.
ABSENCES_MAX = 2


class StreamWatch:
    """Checks every asset once a second. ``move`` puts an asset on another socket."""

    def __init__(
        self,
        tracker: OrderBookTracker,
        books: Books,
        clock: Clock,
        timer: Clock,
        move: Callable[[Asset], None],
        limits: StreamLimits,
    ) -> None:
        self._tracker = tracker
        self._books = books
        self._clock = clock
        self._timer = timer
        self._move = move
        self._limits = limits
        self._check_requested = asyncio.Event()
        # While REST does not answer, it is asked with back-off.
        self._failures, self._resume_s = 0, 0.0

    def check_now(self) -> None:
        """Check now rather than at the next second."""
        self._check_requested.set()

    async def run(self) -> None:
        """Check every second until cancelled."""
        while True:
            self._check_requested.clear()
            await self._check()
            pause = asyncio.ensure_future(self._timer.sleep(self._limits.check_every_s))
            check_now = asyncio.ensure_future(self._check_requested.wait())
            try:
                await asyncio.wait((pause, check_now), return_when=asyncio.FIRST_COMPLETED)
            finally:
                pause.cancel()
                check_now.cancel()
                await asyncio.gather(pause, check_now, return_exceptions=True)

    async def _check(self) -> None:
        if self._limits.future_s is not None:
            now_ms = int(self._clock.now().timestamp() * SECOND_MS)
            self._tracker.latest_ms = now_ms + int(self._limits.future_s * SECOND_MS)
        now_s = self._timer.monotonic_s()
        assets = list(self._tracker.assets.values())
        for asset in assets:
            self._de_escalate(asset, now_s)
            if asset.book.too_large:
                self._tracker.invalidate(asset, "its book has no end", now_s)
        due = sorted((asset for asset in assets if self._is_due(asset, now_s)), key=Asset.last_activity_s)
        # Those without a book first, then those that were verified longest ago.
        due.sort(key=lambda asset: asset.known)
        asked = due[: self._limits.rest_tokens_max]
        if asked and now_s < self._resume_s:
            # REST is unreachable: nothing waits for what it alone knows.
            for asset in asked:
                self._tracker.set_terms(asset, None)
        elif asked:
            await self._fetch(asked, now_s)
            if len(due) > len(asked):
                self.check_now()

    def _is_due(self, asset: Asset, now_s: float) -> bool:
        limits = self._limits
        if not asset.terms_known:
            return True
        if not asset.known:
            return asset.due_s is None or asset.due_s <= now_s
        if asset.resolved:
            return False
        if asset.mismatch_s is not None:
            return now_s - asset.mismatch_s >= limits.confirm_s
        return now_s - asset.last_activity_s() >= (limits.poll_s if self._by_rest(asset) else limits.quiet_s)

    def _by_rest(self, asset: Asset) -> bool:
        """Return whether REST replaces the stream for this asset."""
        socket = asset.socket
        return asset.recovery_level == POLLED or socket is None or not socket.connected or socket.stalls >= STALLS_MAX

    async def _fetch(self, assets: Sequence[Asset], asked_s: float) -> None:
        books: Mapping[str, OrderBook] | None = None
        try:
            # Not wait_for: it can swallow a cancellation that comes together with the answer.
            async with asyncio.timeout(self._limits.rest_timeout_s):
                books = await self._books([asset.token_id for asset in assets])
        except (VenueUnavailable, TimeoutError) as error:
            self._tracker.counts["failed checks"] += 1
            log.warning("stream_check_failed", tokens=len(assets), cause=str(error) or "time-out")
        now_s = self._timer.monotonic_s()
        self._failures = self._failures + 1 if books is None else 0
        if self._failures:
            self._resume_s = now_s + self._limits.backoff.pause_s(self._failures + 1)
        for asset in assets:
            # It may have been unfollowed, or followed again, meanwhile.
            if self._tracker.assets.get(asset.token_id) is not asset:
                continue
            if books is None:
                self._without_answer(asset, now_s)
            else:
                self._compare(asset, books.get(asset.token_id), asked_s, now_s)

    def _without_answer(self, asset: Asset, now_s: float) -> None:
        """REST is unreachable: keep what the stream has, and count nothing as verified."""
        self._tracker.set_terms(asset, None)
        if not asset.known:
            asset.attempts += 1
            asset.due_s = now_s + self._backoff_s(asset.attempts)

    def _compare(self, asset: Asset, book: OrderBook | None, asked_s: float, now_s: float) -> None:
        tracker = self._tracker
        first, asset.checked_s = not asset.terms_known, now_s
        tracker.set_terms(asset, book)
        if book is None:
            self._book_absent(asset, now_s)
        elif not asset.known:
            # The very first request was for the terms; the book itself is given time to come from the stream.
            if not first or asset.due_s is None or asset.due_s <= now_s:
                self._load_missing(asset, book, now_s)
        elif asset.book.same(book):
            asset.verified_s = max(asset.verified_s or 0.0, asked_s)
            asset.absences = 0
            asset.clear_mismatch()
        elif book.time_ms < asset.book.time_ms:
            tracker.counts["old answers"] += 1
        elif self._by_rest(asset):
            tracker.gap([asset], "followed by REST alone")
            tracker.load_answer(asset, book, now_s)
            self._retry_socket(asset, now_s)
        else:
            self._confirm_mismatch(asset, book, now_s)

    def _load_missing(self, asset: Asset, book: OrderBook, now_s: float) -> None:
        """The stream did not send this book; load it from REST."""
        self._tracker.counts["missing books"] += 1
        self._tracker.load_answer(asset, book, now_s)
        if asset.invalidations >= self._limits.invalidations_max and asset.recovery_level < POLLED:
            asset.invalidations = 0
            self._escalate(asset, book, now_s, "its books go wrong again and again")

    def _book_absent(self, asset: Asset, now_s: float) -> None:
        asset.absences += 1
        if asset.known and asset.absences >= ABSENCES_MAX:
            self._tracker.gap([asset], "the venue lists no book of it")
        if not asset.known and (asset.due_s is None or asset.due_s <= now_s):
            asset.due_s = now_s + self._backoff_s(asset.absences)

    def _backoff_s(self, attempts: int) -> float:
        return Backoff(self._limits.quiet_s, self._limits.absent_most_s).pause_s(attempts + 1)

    # --- stalls

    def _confirm_mismatch(self, asset: Asset, book: OrderBook, now_s: float) -> None:
        """REST differs. Changes may be on their way, so it counts only if nothing came until the second comparison."""
        if asset.mismatch_s is None:
            asset.mismatch_s = asset.mismatch_first_s = now_s
            asset.required_ms = book.time_ms
        elif asset.changed_s is None or asset.changed_s <= asset.mismatch_s:
            self._escalate(asset, book, now_s, "it stands still while its book changes")
        elif asset.book.time_ms < asset.required_ms and now_s - asset.mismatch_first_s >= self._limits.lag_s:
            self._escalate(asset, book, now_s, "it lags behind its book")
        elif asset.book.time_ms >= asset.required_ms:
            # It has caught up with that mismatch; this is another one.
            asset.mismatch_s = asset.mismatch_first_s = now_s
            asset.required_ms = book.time_ms
        else:
            asset.mismatch_s = now_s

    def _escalate(self, asset: Asset, book: OrderBook, now_s: float, reason: str) -> None:
        """Go up one recovery level: subscribe again, then another socket, then REST. A silent socket is replaced instead."""
        socket = asset.socket
        if socket is None:
            return
        if now_s - max(socket.last_message_s, socket.connected_s) >= self._limits.quiet_s and len(socket.tokens) > 1:
            self._tracker.counts["stalled sockets"] += 1
            socket.stalls += 1
            socket.restart("it went silent while books changed")
            return
        self._tracker.counts["stalled assets"] += 1
        asset.recovery_level, asset.escalated_s = min(asset.recovery_level + 1, POLLED), now_s
        log.warning("stream_asset_stalled", token_id=asset.token_id, reason=reason, recovery_level=asset.recovery_level)
        self._tracker.gap([asset], f"the stream of it is wrong: {reason}")
        if asset.recovery_level == RESUBSCRIBED:
            socket.resubscribe([asset])
        elif asset.recovery_level == MOVED:
            self._move(asset)
        else:
            self._start_polling(asset, book, now_s)

    def _retry_socket(self, asset: Asset, now_s: float) -> None:
        """Replace a stalled connection, with back-off, while books keep changing without it."""
        socket = asset.socket
        if socket is None or not socket.connected or socket.stalls < STALLS_MAX:
            return
        if now_s - socket.connected_s >= self._limits.poll_backoff.pause_s(socket.stalls - STALLS_MAX + 1):
            socket.stalls += 1
            socket.restart("it is still silent while books change")

    def _start_polling(self, asset: Asset, book: OrderBook, now_s: float) -> None:
        asset.polls += 1
        asset.polls_until_s = now_s + self._limits.poll_backoff.pause_s(asset.polls)
        self._tracker.load_answer(asset, book, now_s)

    def _de_escalate(self, asset: Asset, now_s: float) -> None:
        """End the recovery of an asset whose changes come again, and retry the stream for one that REST replaces."""
        socket = asset.socket
        if socket is not None and socket.stalls and (asset.changed_s or 0.0) > socket.connected_s:
            socket.stalls = 0
        if asset.recovery_level == STREAMED:
            return
        if (asset.changed_s or 0.0) > asset.escalated_s:
            if asset.recovery_level == POLLED:
                # Between the last book from REST and the first change, others may have been missed.
                self._tracker.gap([asset], "its stream delivers again")
                asset.due_s = None
            asset.recovery_level, asset.polls = STREAMED, 0
        elif asset.recovery_level == POLLED and now_s >= asset.polls_until_s:
            asset.recovery_level, asset.escalated_s = MOVED, now_s
            self._tracker.gap([asset], "its stream is tried again")
            self._move(asset)
