"""The queue between sockets and consumer: events in order, and never more than a bounded number of them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable

from prescient.adapters.polymarket.stream.assets import Asset
from prescient.domain.stream import GapSeen, MarketResolvedSeen, StreamEvent, TickSeen


class StreamQueue:
    """The tracker appends to ``waiting``, calls ``wake`` after each frame, and ``collapse`` when it is full.

    After a collapse the consumer gets one gap, and each book as it stands once it has caught up.
    """

    def __init__(self) -> None:
        self.waiting: deque[StreamEvent] = deque()
        self._deferred: dict[str, Asset] = {}
        self._waiter: asyncio.Future[None] | None = None
        self._closed = False
        self._error: BaseException | None = None

    def wake(self) -> None:
        """Wake the consumer: something is queued."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def collapse(self, assets: Iterable[Asset], time_ms: int) -> None:
        """Drop what is queued: one gap for every token, and the books again once the consumer has caught up."""
        gone: dict[str, None] = {}
        ticks: dict[str, TickSeen] = {}
        resolved: dict[str, MarketResolvedSeen] = {}
        for event in self.waiting:
            if isinstance(event, TickSeen):
                ticks[event.token_id] = event
            elif isinstance(event, MarketResolvedSeen):
                resolved[event.condition_id] = event
            elif isinstance(event, GapSeen):
                gone.update(dict.fromkeys(event.token_ids))
        for asset in assets:
            gone[asset.token_id] = None
            if asset.published:
                asset.published, asset.deferred = False, True
                self._deferred[asset.token_id] = asset
        self.waiting.clear()
        self.waiting.extend([*ticks.values(), *resolved.values()])
        self.waiting.append(GapSeen(tuple(gone), "events came faster than they were taken", time_ms))

    def forget(self, asset: Asset) -> None:
        self._deferred.pop(asset.token_id, None)

    def close(self, error: BaseException | None = None) -> None:
        """End the events once those waiting are taken; with an error, raise it there."""
        self._closed = True
        self._error = self._error or error
        self.wake()

    async def events(self) -> AsyncIterator[StreamEvent]:
        waiting = self.waiting
        while True:
            while waiting:
                yield waiting.popleft()
            if self._deferred:
                deferred = self._next_deferred()
                if deferred is not None:
                    yield deferred
                continue
            if self._closed:
                break
            await self._wait()
        if self._error is not None:
            raise self._error

    def _next_deferred(self) -> StreamEvent | None:
        token_id = next(iter(self._deferred))
        asset = self._deferred.pop(token_id)
        asset.deferred = False
        # A book that was dropped meanwhile is published when it is known again.
        return asset.publish_book() if asset.known else None

    async def _wait(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None
