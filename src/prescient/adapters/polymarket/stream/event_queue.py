"""Between sockets and consumer: events in order, never more than a bounded number of them waiting."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable

from prescient.adapters.polymarket.stream.assets import Asset
from prescient.domain.stream import GapSeen, MarketResolvedSeen, StreamEvent, TickSeen


class StreamQueue:
    """``waiting`` is appended to by the books' keeper, who calls ``wake`` after each frame and ``collapse`` when it is full.

    After a collapse the consumer gets one gap, and each book as it stands once it has caught up.
    """

    def __init__(self) -> None:
        self.waiting: deque[StreamEvent] = deque()
        self._owed: dict[str, Asset] = {}
        self._waiter: asyncio.Future[None] | None = None
        self._closed = False
        self._error: BaseException | None = None

    def wake(self) -> None:
        """Let the consumer know that something is there."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def collapse(self, assets: Iterable[Asset], time_ms: int) -> None:
        """Drop what waits, and say so: a gap for every token, books again when the consumer has caught up."""
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
            if asset.told:
                asset.told, asset.owed = False, True
                self._owed[asset.token_id] = asset
        self.waiting.clear()
        self.waiting.extend([*ticks.values(), *resolved.values()])
        self.waiting.append(GapSeen(tuple(gone), "events came faster than they were taken", time_ms))

    def forget(self, asset: Asset) -> None:
        self._owed.pop(asset.token_id, None)

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
            if self._owed:
                owed = self._next_owed()
                if owed is not None:
                    yield owed
                continue
            if self._closed:
                break
            await self._wait()
        if self._error is not None:
            raise self._error

    def _next_owed(self) -> StreamEvent | None:
        token_id = next(iter(self._owed))
        asset = self._owed.pop(token_id)
        asset.owed = False
        # A book that was lost meanwhile is told when it is known again.
        return asset.seen() if asset.known else None

    async def _wait(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None
