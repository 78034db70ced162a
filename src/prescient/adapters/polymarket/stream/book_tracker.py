"""Turns frames into books and events: applies every message to its token's book, checks it, and publishes it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

import structlog

from polymarket_kit.messages.pages import ITEM_ERRORS, reason_of
from polymarket_kit.model import Side
from prescient.adapters.polymarket.messages.clob import TIME_MS_MAX, TIME_MS_MIN
from prescient.adapters.polymarket.messages.gamma_fields import read_tick
from prescient.adapters.polymarket.messages.stream_messages import (
    BEST_ASKS,
    BEST_BIDS,
    BROKEN,
    LEVEL_PRICES,
    BestBidAskEvent,
    BookEvent,
    ChangeMessage,
    Frame,
    LastTradeEvent,
    Malformed,
    PriceChangeMessage,
    ResolvedEvent,
    StreamMessage,
    TickSizeEvent,
    book_of,
    decode_frame,
    decode_price_change,
    size_from_wire,
    time_of,
)
from prescient.adapters.polymarket.stream.assets import Asset, StreamLimits
from prescient.adapters.polymarket.stream.event_queue import StreamQueue
from prescient.adapters.polymarket.stream.tracked_books import TrackedBooks
from prescient.domain.stream import LevelSeen, MarketResolvedSeen, PrintSeen, TickSeen

Key = TypeVar("Key")
log = structlog.get_logger(__name__)
BUY = Side.BUY
# Makes a level from its fields in order, without the Python code of the class's own constructor.
_level: Callable[[tuple[str, Side, int, int, int]], LevelSeen] = partial(tuple.__new__, LevelSeen)
BAD_TIME = "timestamp is not in milliseconds, or lies in the future"
# Trades kept to tell a repeated message from a second trade.
PRINTS_KEPT = 4_096
RESOLVED_KEPT = 4_096
# Without these the book of the token they name may be wrong.
BOOK_KINDS = frozenset({"price_change", "book", "tick_size_change", BROKEN})


class OrderBookTracker(TrackedBooks):
    """Keeps the books of all followed tokens. ``receive`` takes frames of any socket; nothing in a frame raises.

    Every ``price_change`` names both tokens of its market, even if only one is followed. A token's messages count only
    from its own socket: those of two sockets come in no common order.
    """

    def __init__(
        self, queue: StreamQueue, limits: StreamLimits, now_ms: Callable[[], int], on_invalid: Callable[[], None]
    ) -> None:
        super().__init__(queue, limits, now_ms, on_invalid)
        # The latest time a message may have; updated by the watch, because asking the clock each time costs too much.
        self.latest_ms = TIME_MS_MAX
        self._prints: OrderedDict[tuple[str, ...], None] = OrderedDict()
        self._resolved: OrderedDict[str, None] = OrderedDict()
        self._logged: set[str] = set()
        # The socket of the present frame.
        self._source: object = None

    # --- frames

    def receive(self, frame: Frame, source: object, now_s: float) -> None:
        """Process one frame of the socket ``source``."""
        self._source = source
        try:
            message = decode_price_change(frame)
        except ITEM_ERRORS:
            self._receive_other(frame, now_s)
        else:
            if message.event_type == "price_change" and message.price_changes:
                self._take_changes(message, now_s)
            else:
                self._receive_other(frame, now_s)
        if len(self._queue.waiting) > self._limits.events_max:
            self.counts["queue collapsed"] += 1
            self._queue.collapse(self.assets.values(), self._now_ms())
        self._queue.wake()

    def _receive_other(self, frame: Frame, now_s: float) -> None:
        decoded = decode_frame(frame)
        if decoded.text is not None:
            self.counts["text frames"] += 1
            self._log_once(Malformed("text", "", decoded.text))
        for message in decoded.messages:
            try:
                self._take(message, now_s)
            except ITEM_ERRORS as error:
                token_id = getattr(message, "asset_id", "")
                self._malformed(Malformed(_kind(message), token_id, reason_of(error)), now_s)
        for malformed in decoded.malformed:
            self._malformed(malformed, now_s)

    def _take(self, message: StreamMessage, now_s: float) -> None:
        """Process any event. Raises ValueError where it makes no sense."""
        if isinstance(message, PriceChangeMessage):
            self._take_changes(message, now_s)
        elif isinstance(message, BookEvent):
            self._take_book(message, now_s)
        elif isinstance(message, LastTradeEvent):
            self._take_trade(message, now_s)
        elif isinstance(message, TickSizeEvent):
            self._take_tick(message, now_s)
        elif isinstance(message, BestBidAskEvent):
            self._take_best(message, now_s)
        elif isinstance(message, ResolvedEvent):
            self._take_resolved(message)
        else:
            self.counts["new markets"] += 1

    # --- changes: the hot path

    def _take_changes(self, message: PriceChangeMessage, now_s: float) -> None:
        assets, waiting, changes, source = self.assets, self._queue.waiting, message.price_changes, self._source
        time_ms = message.timestamp
        if not TIME_MS_MIN <= time_ms <= self.latest_ms:
            for change in changes:
                self._malformed(Malformed("price_change", change.asset_id, BAD_TIME), now_s)
            return
        # As a rule a message has one change for each token of a market; then each can be checked as it is taken.
        simple = len(changes) == 2 and changes[0].asset_id != changes[1].asset_id
        shares, size = 0.0, 0
        for change in changes:
            asset = assets.get(change.asset_id)
            if asset is None or asset.socket is not source:
                continue
            try:
                price = LEVEL_PRICES[change.price]
                # Both tokens of a market change by the same size.
                if change.size != shares:
                    size = size_from_wire(change.size)
                    shares = change.size
            except ITEM_ERRORS as error:
                self._malformed(Malformed("price_change", change.asset_id, reason_of(error)), now_s)
                continue
            book, side = asset.book, change.side
            bids, asks = book.bids, book.asks
            changed = (bids if side is BUY else asks).put(price, size, time_ms)
            if changed is None:
                self.counts["late changes"] += 1
                continue
            if time_ms >= book.time_ms:
                book.time_ms = time_ms
                asset.changed_s = now_s
            if changed and asset.published:
                waiting.append(_level((asset.token_id, side, price, size, time_ms)))
            if not simple:
                asset.latest = change
            elif (
                BEST_BIDS.get(change.best_bid) != bids.best
                or BEST_ASKS.get(change.best_ask) != asks.best
                or bids.best >= asks.best
            ):
                self._check(asset, change, time_ms, now_s)
        if not simple:
            self._check_last(changes, time_ms, now_s)

    def _check_last(self, changes: Sequence[ChangeMessage], time_ms: int, now_s: float) -> None:
        """Check each token once, by its last change: that names the best prices after the whole message."""
        for change in changes:
            asset = self.assets.get(change.asset_id)
            if asset is not None and asset.latest is change:
                asset.latest = None
                self._check(asset, change, time_ms, now_s)

    def _check(self, asset: Asset, change: ChangeMessage, time_ms: int, now_s: float) -> None:
        """Compare the book with the best prices after the change that the message states, if it is the newest."""
        book = asset.book
        if book.base_ms is None:
            return
        bid, ask = book.bids.best, book.asks.best
        agrees = True
        if time_ms == book.time_ms:
            try:
                agrees = (change.best_bid is None or BEST_BIDS[change.best_bid] == bid) and (
                    change.best_ask is None or BEST_ASKS[change.best_ask] == ask
                )
            except ITEM_ERRORS as error:
                self._malformed(Malformed("best prices", asset.token_id, reason_of(error)), now_s)
        if not agrees:
            self.counts["best price mismatches"] += 1
            self.invalidate(asset, "best prices differ from the venue's", now_s)
        elif bid >= ask:
            self.invalidate(asset, "the book is crossed", now_s)

    # --- all else

    def _time(self, text: str) -> int:
        time_ms = time_of(text)
        if time_ms > self.latest_ms:
            raise ValueError(BAD_TIME)
        return time_ms

    def _asset(self, token_id: str) -> Asset | None:
        """Return a followed token, if the present frame is from its own socket."""
        asset = self.assets.get(token_id)
        return asset if asset is not None and asset.socket is self._source else None

    def _take_book(self, event: BookEvent, now_s: float) -> None:
        asset = self._asset(event.asset_id)
        if asset is None:
            return
        book = book_of(event)
        self._time(event.timestamp)
        self.counts["books"] += 1
        if book.time_ms < (asset.floor_ms if asset.book.base_ms is None else asset.book.base_ms):
            self.counts["late books"] += 1
            return
        if event.tick_size:
            asset.tick_micro = book.tick_micro
        if event.last_trade_price:
            asset.last_trade_micro = book.last_trade_micro
        asset.condition_id = book.condition_id
        self.load(asset, book, now_s)

    def _take_trade(self, event: LastTradeEvent, now_s: float) -> None:
        asset = self._asset(event.asset_id)
        if asset is None:
            return
        time_ms, price, size = self._time(event.timestamp), LEVEL_PRICES[event.price], size_from_wire(event.size)
        if size == 0:
            raise ValueError("a trade has no size")
        side = Side(event.side)
        key = (event.asset_id, event.timestamp, event.price, event.size, event.side, event.transaction_hash or "")
        if key in self._prints:
            self.counts["repeated trades"] += 1
            return
        _keep_recent(self._prints, key, PRINTS_KEPT)
        asset.last_trade_micro = price
        asset.changed_s = now_s
        # What happened before the book was published is in that book, or fell into the gap before it.
        if asset.published and time_ms >= asset.published_ms:
            self._queue.waiting.append(PrintSeen(asset.token_id, price, size, side, time_ms))

    def _take_tick(self, event: TickSizeEvent, now_s: float) -> None:
        asset = self._asset(event.asset_id)
        if asset is None:
            return
        time_ms, tick = self._time(event.timestamp), read_tick(event.new_tick_size)
        if time_ms < asset.tick_ms or tick == asset.tick_micro:
            self.counts["repeated tick changes"] += 1
            return
        asset.tick_micro, asset.tick_ms = tick, time_ms
        self._queue.waiting.append(TickSeen(asset.token_id, tick, time_ms))
        self.gap([asset], "the tick size changed")
        asset.due_s = now_s + self._limits.snapshot_wait_s

    def _take_best(self, event: BestBidAskEvent, now_s: float) -> None:
        """Best prices by themselves may run ahead of the changes: they can verify a book, and no more."""
        asset = self._asset(event.asset_id)
        if asset is None or not asset.known or self._time(event.timestamp) < asset.book.time_ms:
            return
        book = asset.book
        if (BEST_BIDS[event.best_bid], BEST_ASKS[event.best_ask]) == (book.bids.best, book.asks.best):
            asset.verified_s = now_s
        else:
            self.counts["best prices ahead"] += 1

    def _take_resolved(self, event: ResolvedEvent) -> None:
        named = [self.assets[token_id] for token_id in event.assets_ids or () if token_id in self.assets]
        ours = named or [asset for asset in self.assets.values() if asset.condition_id == event.market]
        if not ours or event.market in self._resolved:
            return
        _keep_recent(self._resolved, event.market, RESOLVED_KEPT)
        for asset in ours:
            asset.resolved = True
        self._queue.waiting.append(MarketResolvedSeen(event.market, self._time(event.timestamp)))

    def _malformed(self, malformed: Malformed, now_s: float) -> None:
        """Count a dropped message; a book that it may have changed is invalidated."""
        self.counts[f"malformed {malformed.kind}"] += 1
        self._log_once(malformed)
        asset = self._asset(malformed.token_id)
        if asset is not None and asset.known and malformed.kind in BOOK_KINDS:
            self.invalidate(asset, "a message about it could not be read", now_s)

    def _log_once(self, malformed: Malformed) -> None:
        if malformed.kind not in self._logged:
            self._logged.add(malformed.kind)
            log.warning(
                "stream_message_dropped",
                kind=malformed.kind,
                token_id=malformed.token_id,
                reason=malformed.reason,
                note="later ones of this kind are counted only",
            )


def _kind(message: StreamMessage) -> str:
    """The event's name on the wire."""
    return "price_change" if isinstance(message, PriceChangeMessage) else str(message.__struct_config__.tag)


def _keep_recent(kept: OrderedDict[Key, None], key: Key, most: int) -> None:
    kept[key] = None
    if len(kept) > most:
        kept.popitem(last=False)
