"""How independent requests run: side by side up to a limit, or one by one where a seed must reproduce the run."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

Task = Callable[[], Awaitable[Any]]


class ConcurrentGather:
    """Runs at most ``limit`` tasks at a time. After the first error none is begun; those under way end, then it is raised.

    A task that is cut off may have sent something whose answer nobody reads, so only the caller's own cancellation cuts
    them off.
    """

    async def __call__(self, tasks: Sequence[Task], limit: int) -> list[Any]:
        _check(limit)
        places = asyncio.Semaphore(limit)
        errors: list[BaseException] = []

        async def bounded(task: Task) -> Any:
            async with places:
                if errors:
                    return None
                try:
                    return await task()
                except BaseException as error:
                    errors.append(error)
                    raise

        running = [asyncio.ensure_future(bounded(task)) for task in tasks]
        try:
            results = await asyncio.gather(*running, return_exceptions=True)
        except asyncio.CancelledError:
            # ``gather`` has cancelled them; what they do to end in order is waited for.
            await asyncio.wait(running)
            raise
        if errors:
            raise errors[0]
        return results


class SequentialGather:
    """Runs the tasks one after the other, in order; the first error ends it."""

    async def __call__(self, tasks: Sequence[Task], limit: int) -> list[Any]:
        _check(limit)
        return [await task() for task in tasks]


def _check(limit: int) -> None:
    if limit < 1:
        raise ValueError("limit must be at least 1")
