"""The venue's market stream as the core's ``MarketStream``: tokens spread over sockets, one queue of events, one watch."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from random import Random
from typing import Any

import structlog

from prescient.adapters.polymarket.messages.gamma_fields import read_token_ids
from prescient.adapters.polymarket.stream.assets import Asset, StreamLimits, TokenSocket
from prescient.adapters.polymarket.stream.book_tracker import OrderBookTracker
from prescient.adapters.polymarket.stream.event_queue import StreamQueue
from prescient.adapters.polymarket.stream.socket import StreamSocket
from prescient.adapters.polymarket.stream.watch import Books, StreamWatch
from prescient.domain.market import OrderBook
from prescient.domain.stream import StreamEvent
from prescient.ports.clock import Clock

log = structlog.get_logger(__name__)
SECOND_MS = 1_000


class PolymarketStream:
    """Follows tokens over websockets at ``url``, with ``books`` (REST) to verify them.

    ``clock`` stamps gaps; ``timer`` paces pings, checks and retries, and differs from it where the world's time is not
    ours. ``jitter`` gives numbers in 0..1 for the back-off. One consumer takes ``events``; what it does not take in
    time is collapsed into a gap, so memory stays bounded. Use it in one event loop and close it.
    """

    def __init__(
        self,
        *,
        url: str,
        books: Books,
        clock: Clock,
        timer: Clock | None = None,
        jitter: Callable[[], float] | None = None,
        limits: StreamLimits | None = None,
    ) -> None:
        self._url = url
        self._clock = clock
        self._timer = timer or clock
        self._jitter = jitter or Random(0).random
        self._limits = limits or StreamLimits()
        self._queue = StreamQueue()
        self._tracker = OrderBookTracker(self._queue, self._limits, self._now_ms, lambda: self._watch.check_now())
        self._watch = StreamWatch(self._tracker, books, clock, self._timer, self._move, self._limits)
        self._sockets: list[TokenSocket] = []
        # Where assets move to that their own socket does not deliver.
        self._fallback_socket: TokenSocket | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._watched = False
        self._closed = False

    @property
    def counts(self) -> Counter[str]:
        """How often what happened: gaps, invalidations, missing books, stalls, reconnects, malformed messages by kind."""
        return self._tracker.counts

    @property
    def waiting(self) -> int:
        """Events that the consumer has not taken yet; bounded."""
        return len(self._queue.waiting)

    async def follow(self, token_ids: Sequence[str]) -> None:
        """Follow more tokens. Returns at once; each token's first event is its book.

        Raises ValueError for a token id that is no decimal number, and RuntimeError when the stream is closed.
        """
        if self._closed:
            raise RuntimeError("The stream is closed; open another one.")
        new = [token_id for token_id in dict.fromkeys(token_ids) if token_id not in self._tracker.assets]
        read_token_ids(list[str | float](new))
        assets = [Asset(token_id) for token_id in new]
        self._tracker.assets.update((asset.token_id, asset) for asset in assets)
        for socket in self._sockets:
            room = max(socket.room, 0)
            if room and assets:
                socket.add(assets[:room])
                assets = assets[room:]
        while assets:
            self._open(assets[: self._limits.tokens_per_socket])
            assets = assets[self._limits.tokens_per_socket :]
        if new and not self._watched:
            self._watched = True
            self._start(self._watch.run(), "stream-watch")
        self._watch.check_now()

    async def unfollow(self, token_ids: Sequence[str]) -> None:
        """Stop following these; their books are dropped, events already queued still come."""
        for token_id in token_ids:
            asset = self._tracker.assets.pop(token_id, None)
            if asset is not None:
                self._queue.forget(asset)
                self._leave(asset)

    def events(self) -> AsyncIterator[StreamEvent]:
        """Everything about the followed tokens, in order, for one consumer; ends when the stream is closed.

        Raises what stopped the stream if it broke.
        """
        return self._queue.events()

    def book(self, token_id: str) -> OrderBook | None:
        """The book with every change so far, or None while there is a gap."""
        asset = self._tracker.assets.get(token_id)
        return asset.order_book() if asset is not None and asset.published else None

    def evidence_age_s(self, token_id: str) -> float | None:
        """Seconds (of the timer) since this token's book was verified: by an event, or by an equal book from REST."""
        asset = self._tracker.assets.get(token_id)
        verified_s = asset.evidence_s() if asset is not None else None
        return None if verified_s is None else max(self._timer.monotonic_s() - verified_s, 0.0)

    async def close(self) -> None:
        """Close every socket and end the events."""
        self._closed = True
        for socket in self._sockets:
            socket.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._sockets.clear()
        self._queue.close()

    # --- sockets

    def _open(self, assets: Sequence[Asset]) -> StreamSocket:
        socket = StreamSocket(self._url, self._tracker, self._timer, self._jitter, self._limits)
        socket.add(assets)
        self._sockets.append(socket)
        self._start(socket.run(), "stream-socket")
        return socket

    def _move(self, asset: Asset) -> None:
        """Move an asset to another socket, because its present one does not deliver it."""
        old, fallback_socket = asset.socket, self._fallback_socket
        self._leave(asset)
        if (
            fallback_socket is not None
            and fallback_socket is not old
            and fallback_socket.room > 0
            and fallback_socket in self._sockets
        ):
            fallback_socket.add([asset])
        else:
            self._fallback_socket = self._open([asset])

    def _leave(self, asset: Asset) -> None:
        socket, asset.socket = asset.socket, None
        if socket is None:
            return
        socket.drop([asset])
        if not socket.tokens:
            # Its task ends by itself once the connection is down.
            socket.close()
            self._sockets.remove(socket)

    def _start(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Break the whole stream when a part of it breaks: silence would look like a quiet market."""
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            log.error("stream_broke", part=task.get_name(), error=repr(error))
            self._tracker.gap(self._tracker.assets.values(), "the stream broke")
            self._queue.close(error)

    def _now_ms(self) -> int:
        return int(self._clock.now().timestamp() * SECOND_MS)
