"""A life of crashes: processes forked from a warm one run cycles until they are killed; then somebody looks at the books."""

from __future__ import annotations

import asyncio
import os
import signal
import time
import traceback
from collections.abc import Callable, Coroutine
from typing import Any

import asyncpg

from prescient.adapters.memory import MemoryStore
from prescient.adapters.postgres.store.store import open_store
from prescient.domain.cycle import CycleStatus
from prescient.domain.signal import Step
from prescient.ports.context import TradingContext
from prescient.ports.store import Store
from prescient.trading.positions.settle import is_final
from prescient.trading.recover import recover
from tests.prescient.faults.house import House, check_books

# The server notices the end of a killed process a moment later.
NOTICED_TIMEOUT_S = 10.0
TWO_ORDERS = "SELECT signal_id FROM orders WHERE signal_id <> '' GROUP BY signal_id HAVING count(*) > 1"


def die() -> None:
    """End this process as a power cut would: no handler, no finally, no goodbye to the database."""
    os.kill(os.getpid(), signal.SIGKILL)


class Life:
    """One database and one world; each process that trades in them is a child, killed or not."""

    def __init__(self, dsn: str, seed: int) -> None:
        self.dsn = dsn
        self.house = House(MemoryStore(), seed=seed)
        self._cycles = 0
        self.killed = 0
        # How many steps the killed cycles had behind them.
        self.stages_reached: set[int] = set()
        asyncio.run(self._with_store(self._found))

    async def _found(self) -> None:
        await self.house.found()
        await self.house.cycle(cycle_id=self.next_name())

    def next_name(self) -> str:
        self._cycles += 1
        return f"cycle-{self._cycles:05d}"

    def fork(self, wire: Callable[[TradingContext], Any] | None = None) -> int:
        """Start a child that runs one cycle; ``wire`` may put something between it and its ports. Returns its id."""
        name = self.next_name()
        process_id = os.fork()
        if process_id:
            return process_id
        code = 1
        try:
            asyncio.run(self._cycle_in_child(name, wire))
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)

    async def _cycle_in_child(self, name: str, wire: Callable[[TradingContext], Any] | None) -> None:
        store = await open_store(self.dsn)
        self.house.live_in(self.house.world, store)
        if wire is not None:
            self.house.store = wire(self.house.context)
        await self.house.cycle(cycle_id=name)

    def wait(self, process_id: int) -> bool:
        """Wait for a child's end; returns whether it was killed. Any other end than success is a failure."""
        _, status = os.waitpid(process_id, 0)
        if os.WIFSIGNALED(status):
            assert os.WTERMSIG(status) == signal.SIGKILL
            self.killed += 1
            return True
        assert os.WEXITSTATUS(status) == 0, "the child failed by itself; its traceback is above"
        return False

    def look(self) -> None:
        """Start anew as the next process would: recover, check everything, and run a cycle to its end.

        What that cycle leaves behind is checked by the next look.
        """
        self.house.pass_hours(2)
        asyncio.run(self._with_store(self._look))

    async def _look(self) -> None:
        store, now = self.house.store, self.house.clock.now()
        await check_books(store, now, resting=False)
        await self._recovered()
        await check_books(store, now)
        report = await self.house.cycle(cycle_id=self.next_name())
        assert report.status is CycleStatus.COMPLETED
        assert report.total(Step.EXECUTE).count_out > 0
        connection = await asyncpg.connect(self.dsn)
        try:
            assert await connection.fetch(TWO_ORDERS) == []
        finally:
            await connection.close()

    async def _recovered(self) -> None:
        deadline_s = time.monotonic() + NOTICED_TIMEOUT_S
        while True:
            await recover(self.house.context)
            running = [report for report in await self.house.store.cycles(3) if report.status is CycleStatus.RUNNING]
            if not running and not await self.house.store.open_orders():
                break
            assert time.monotonic() < deadline_s, f"still under way: {running}"
            await asyncio.sleep(0.02)
        (last,) = await self.house.store.cycles(1)
        if last.status is CycleStatus.INTERRUPTED:
            self.stages_reached.add(len(last.steps))

    def pass_to_a_resolution(self) -> None:
        """Let the world move on until a market that somebody holds has resolved and waits for its payout."""
        for _ in range(40):
            if asyncio.run(self._with_store(self._has_resolution)):
                return
            self.house.pass_hours(6)
        raise AssertionError("nothing resolved in ten days")

    async def _has_resolution(self) -> bool:
        held = await self.house.store.positions(None)
        conditions = sorted({position.condition_id for position in held})
        states = await self.house.context.market_data.market_states(conditions)
        return any(is_final(state) for state in states.values())

    async def _with_store(self, work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        store: Store = await open_store(self.dsn)
        self.house.live_in(self.house.world, store)
        try:
            return await work()
        finally:
            await store.close()
