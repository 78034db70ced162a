"""Measures how long the event loop was busy without a break: every callback of asyncio's own loop, and every collection."""

from __future__ import annotations

import asyncio
import gc
import time
from asyncio import events
from collections.abc import Callable
from types import CodeType
from typing import Any

KEPT = 8
NAMED_FROM_S = 0.005


class LoopWatch:
    """Between ``start`` and ``stop``, times each callback by the wall clock and by this thread's own processor time.

    On a machine shared with others the wall time of a stretch holds the time in which they ran instead of us.
    """

    def __init__(self) -> None:
        self._stretches: list[tuple[float, float, str]] = []
        self._collections: list[tuple[float, int]] = []
        self._collecting_s = 0.0
        self._original: Any = None

    def start(self) -> None:
        assert type(asyncio.get_running_loop()).__module__.startswith("asyncio"), "another loop hides its callbacks"
        original = self._original = events.Handle._run
        record = self._record

        def timed(handle: events.Handle) -> None:
            wall_s, own_s = time.perf_counter(), time.thread_time()
            before = _name(handle)
            original(handle)
            wall_s, own_s = time.perf_counter() - wall_s, time.thread_time() - own_s
            # Where it started is known before, where it came to rest only afterwards; names cost time, so few get one.
            record(wall_s, own_s, f"{before()} .. {_name(handle)()}" if wall_s > NAMED_FROM_S else "")

        events.Handle._run = timed  # type: ignore[assignment]  # the only way to see every callback
        gc.callbacks.append(self._on_collection)

    def stop(self) -> dict[str, Any]:
        """Return the longest stretches and collections in milliseconds."""
        events.Handle._run = self._original  # type: ignore[method-assign]  # put back
        gc.callbacks.remove(self._on_collection)
        by_wall = sorted(self._stretches, reverse=True)[:KEPT]
        pauses = sorted(self._collections, reverse=True)
        return {
            "longest_ms": by_wall[0][0] * 1e3,
            "longest_own_ms": max(own_s for _, own_s, _ in self._stretches) * 1e3,
            "stretches": [(round(wall_s * 1e3, 1), round(own_s * 1e3, 1), name) for wall_s, own_s, name in by_wall],
            "callbacks": len(self._stretches),
            "collections": len(pauses),
            "longest_collection_ms": pauses[0][0] * 1e3 if pauses else 0.0,
            "collections_ms": sum(pause_s for pause_s, _ in pauses) * 1e3,
        }

    def _record(self, wall_s: float, own_s: float, name: str) -> None:
        self._stretches.append((wall_s, own_s, name))

    def _on_collection(self, phase: str, facts: dict[str, int]) -> None:
        if phase == "start":
            self._collecting_s = time.perf_counter()
        else:
            self._collections.append((time.perf_counter() - self._collecting_s, facts["generation"]))


def _name(handle: events.Handle) -> Callable[[], str]:
    """What runs: a task, by the innermost line of our own that waits in it, or a callback."""
    callback = handle._callback  # type: ignore[attr-defined]  # asyncio names it only in debug mode
    task = getattr(callback, "__self__", None)
    if not isinstance(task, asyncio.Task):
        return lambda: str(getattr(callback, "__qualname__", callback))
    waiting: Any = task.get_coro()
    places = []
    while waiting is not None:
        frame = getattr(waiting, "cr_frame", None) or getattr(waiting, "ag_frame", None)
        if frame is not None:
            places.append((frame.f_code, frame.f_lineno))
        waiting = getattr(waiting, "cr_await", None) or getattr(waiting, "ag_await", None)
    return lambda: _place(places)


def _place(places: list[tuple[CodeType, int]]) -> str:
    ours = [(code, line) for code, line in places if "prescient" in code.co_filename] or places
    if not ours:
        return "end"
    code, line = ours[-1]
    return f"{code.co_qualname}:{line}"
