"""Both gathers return results in order and raise the first error; the concurrent one is bounded and cleans up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

import pytest

from prescient.adapters.gather import ConcurrentGather, SequentialGather

Gather = ConcurrentGather | SequentialGather


class Room:
    """Counts how many tasks are inside at once, and what became of them."""

    def __init__(self) -> None:
        self.inside = 0
        self.most = 0
        self.finished: list[int] = []
        self.cancelled: list[int] = []

    async def visit(self, number: int, turns: int = 3, error: Exception | None = None) -> int:
        self.inside += 1
        self.most = max(self.most, self.inside)
        try:
            for _ in range(turns):
                await asyncio.sleep(0)
            if error is not None:
                raise error
            self.finished.append(number)
            return number * 10
        except asyncio.CancelledError:
            self.cancelled.append(number)
            raise
        finally:
            self.inside -= 1


@pytest.fixture(params=[ConcurrentGather, SequentialGather])
def gather(request: pytest.FixtureRequest) -> Gather:
    made: Gather = request.param()
    return made


async def test_results_come_in_the_order_of_the_tasks(gather: Gather) -> None:
    room = Room()
    # The first ones take longest, so that finishing order and task order differ.
    tasks: list[Callable[[], Awaitable[int]]] = [partial(room.visit, n, 20 - n) for n in range(20)]
    assert await gather(tasks, 7) == [number * 10 for number in range(20)]
    assert await gather([], 1) == []


async def test_no_more_than_the_limit_run_at_once() -> None:
    room = Room()
    await ConcurrentGather()([partial(room.visit, n) for n in range(30)], 4)
    assert room.most == 4
    room = Room()
    await SequentialGather()([partial(room.visit, n) for n in range(30)], 4)
    assert room.most == 1
    assert room.finished == list(range(30))


async def test_the_first_error_is_raised_as_it_is_and_nothing_runs_on(gather: Gather) -> None:
    room = Room()
    tasks = [
        partial(room.visit, 0, 50),
        partial(room.visit, 1, 50),
        partial(room.visit, 2, 3, KeyError("first")),
        partial(room.visit, 3, 4, ValueError("second")),
        partial(room.visit, 4, 50),
    ]
    with pytest.raises(KeyError, match="first"):
        await gather(tasks, 4)
    assert room.inside == 0
    finished = list(room.finished)
    await asyncio.sleep(0.01)
    assert room.finished == finished
    assert 4 not in room.finished


async def test_an_error_cuts_off_nothing_that_is_under_way() -> None:
    room = Room()
    tasks = [
        partial(room.visit, 0, 3, KeyError("first")),
        partial(room.visit, 1, 50),
        partial(room.visit, 2, 60),
        partial(room.visit, 3, 1),
    ]
    with pytest.raises(KeyError, match="first"):
        await ConcurrentGather()(tasks, 3)
    assert (room.finished, room.cancelled) == ([1, 2], [])


async def test_cancelling_the_caller_cancels_its_tasks() -> None:
    room = Room()
    caller = asyncio.create_task(ConcurrentGather()([partial(room.visit, n, 10_000) for n in range(3)], 2))
    await asyncio.sleep(0.001)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert room.inside == 0
    assert sorted(room.cancelled) == [0, 1]


async def test_a_limit_below_one_is_refused(gather: Gather) -> None:
    with pytest.raises(ValueError, match="limit"):
        await gather([], 0)
