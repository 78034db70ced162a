"""Tasks of a service: a cycle runs to its end even if its client disconnects, and background loops end with the service."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import structlog

log = structlog.get_logger(__name__)

Result = TypeVar("Result")
# Plus one second for the connections: everything, the database included, must stop within ten seconds.
DRAIN_S = 1.5
CANCEL_S = 1.5


class Running:
    """Starts coroutines as tasks, holds references to them, and ends them when the service stops."""

    def __init__(self, drain_s: float = DRAIN_S) -> None:
        self._drain_s = drain_s
        self._tasks: set[asyncio.Task[Any]] = set()

    async def run_shielded(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run to the end and return the result; when the caller is cancelled, the work continues without it."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._shielded_ended)
        return await asyncio.shield(task)

    def run_background(self, work: Coroutine[Any, Any, Any]) -> None:
        """Start work that lasts as long as the service."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._background_ended)

    def _shielded_ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            # A caller that waits for the result gets the error and logs it; this line is for one that has gone.
            log.debug("shielded work failed", error=repr(task.exception()))

    def _background_ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            log.error("background work ended", exc_info=task.exception())

    async def drain(self) -> None:
        """Give the work some time to end by itself, then cancel it and wait until it has cleaned up."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self._drain_s)
        await self.cancel()

    async def cancel(self) -> None:
        tasks = set(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            _, stuck = await asyncio.wait(tasks, timeout=CANCEL_S)
            if stuck:
                log.error("work did not end when it was cancelled", count=len(stuck))
