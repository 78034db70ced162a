"""How independent requests run: side by side up to a limit, or one by one where a seed must reproduce the run."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

Task = Callable[[], Awaitable[Any]]


class ConcurrentGather:
    """Runs at most ``limit`` tasks at a time. The first error cancels the others, waits for them and is raised."""

    async def __call__(self, tasks: Sequence[Task], limit: int) -> list[Any]:
        _check(limit)
        places = asyncio.Semaphore(limit)
        errors: list[BaseException] = []

        async def bounded(task: Task) -> Any:
            async with places:
                try:
                    return await task()
                except Exception as error:
                    errors.append(error)
                    raise

        running = [asyncio.ensure_future(bounded(task)) for task in tasks]
        if not running:
            return []
        try:
            await asyncio.wait(running, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            # Reached with tasks still running after an error, or when the caller itself was cancelled.
            for future in running:
                future.cancel()
            results = await asyncio.gather(*running, return_exceptions=True)
        if errors:
            raise errors[0]
        cancelled = next((result for result in results if isinstance(result, BaseException)), None)
        if cancelled is not None:
            raise cancelled
        return results


class SequentialGather:
    """Runs the tasks one after the other, in order; the first error ends it."""

    async def __call__(self, tasks: Sequence[Task], limit: int) -> list[Any]:
        _check(limit)
        return [await task() for task in tasks]


def _check(limit: int) -> None:
    if limit < 1:
        raise ValueError("limit must be at least 1")
