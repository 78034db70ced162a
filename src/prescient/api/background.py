"""Cycles under way: each is a task of its own, so that a client who goes away does not end it half-way."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import structlog

log = structlog.get_logger(__name__)

Result = TypeVar("Result")
# With the connections' own second: everything must be stopped, database included, within ten seconds.
DRAIN_S = 1.5
CANCEL_S = 1.5


class Running:
    """Starts coroutines as tasks, keeps hold of them, and ends them in order when the service stops."""

    def __init__(self, drain_s: float = DRAIN_S) -> None:
        self._drain_s = drain_s
        self._tasks: set[asyncio.Task[Any]] = set()

    async def whole(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run to the end and return the result; when the caller is cancelled, the work goes on without it."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._answered)
        return await asyncio.shield(task)

    def keep(self, work: Coroutine[Any, Any, Any]) -> None:
        """Run something that lasts as long as the service."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _answered(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            # Who waits for the result gets the error and logs it; this line is for when nobody waits any more.
            log.debug("work ended with an error", error=repr(task.exception()))

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            log.error("work that should last has ended", exc_info=task.exception())

    async def drain(self) -> None:
        """Give the work some time to end by itself, then cancel it and wait until it has put its things in order."""
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
