"""The executor of one venue: executes what other processes hand over, in the one process that holds the venue's lease."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from prescient.backoff import Backoff
from prescient.domain.execution import owner_lease
from prescient.ports.clock import Clock
from prescient.ports.context import TradingContext
from prescient.steps.hand_over import execute_next, take_over
from prescient.trading.follow import follow
from prescient.trading.mark import update_prices
from prescient.trading.obligations import settling_round
from prescient.trading.orders.resolve import resolve_all
from prescient.trading.positions.resolve import resolve_requests
from prescient.worker.leased_loop import LeasedLoop

INTERVAL_S = 0.2
STANDBY_S = 5.0
# How often lost answers are asked about again; an answer that was lost waits no longer than this.
RESOLVE_INTERVAL_S = 30.0
SETTLE_INTERVAL_S = 1.0
MARK_INTERVAL_S = 300.0
BACKOFF = Backoff(0.5, 10.0)
# Updates that went on for so long had begun well.
STEADY_S = 60.0
log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Job:
    """What this process alone can do for the portfolios of its venue, every ``interval_s`` seconds of the timer."""

    work: Callable[[], Awaitable[object]]
    interval_s: float
    due_s: float = 0.0


class ExecutionLoop(LeasedLoop):
    """Claims one request after the other for a venue of this process, and looks after the venue's portfolios."""

    def __init__(
        self,
        context: TradingContext,
        venue: str,
        timer: Clock,
        *,
        resolve_interval_s: float = RESOLVE_INTERVAL_S,
        mark_interval_s: float = MARK_INTERVAL_S,
    ) -> None:
        assert venue in context.venues
        super().__init__(
            owner_lease(venue),
            context.store,
            context.clock,
            interval_s=INTERVAL_S,
            standby_s=STANDBY_S,
            backoff=BACKOFF,
            timer=timer,
        )
        self._context = context
        self._venue = venue
        self._jobs = [
            Job(self._resolve, resolve_interval_s),
            Job(lambda: settling_round(context, venue), SETTLE_INTERVAL_S),
            Job(lambda: update_prices(context, venue), mark_interval_s),
        ]
        self._following: asyncio.Task[None] | None = None
        self._owner = f"{socket.gethostname()} process {os.getpid()}"

    async def taken_over(self) -> None:
        """Put right what the owner before us left."""
        await take_over(self._context, self._venue)
        await self._stop_following()
        self._following = asyncio.create_task(self._follow())

    async def attempt(self) -> float:
        """As every loop; whoever lost the lease leaves what the venue tells to the next owner."""
        pause_s = await super().attempt()
        if self._lease is None:
            await self._stop_following()
        return pause_s

    async def release(self) -> None:
        """Listen no more, and give the lease back."""
        await self._stop_following()
        await super().release()

    async def round(self) -> None:
        """Execute all that is asked for, then do the jobs that are due."""
        while await execute_next(self._context, self._venue, self._owner):
            await self.check_lease()
        for job in self._jobs:
            now_s = self._timer.monotonic_s()
            if now_s >= job.due_s:
                # Set before: a job that fails waits for its next turn, and executions do not wait for it.
                job.due_s = now_s + job.interval_s
                await job.work()

    async def _resolve(self) -> None:
        """Ask the venue about answers that were lost."""
        await resolve_all(self._context)
        await resolve_requests(self._context)

    async def _follow(self) -> None:
        """Book what the venue tells, and listen again after each time it broke off: later with each in a row."""
        breaks = 0
        while True:
            began_s = self._timer.monotonic_s()
            try:
                await follow(self._context, self._context.venues[self._venue].updates())
            except Exception as error:  # whatever it was, what was missed is asked for when it tells again
                log.warning("updates broke off", venue=self._venue, exc_info=error)
            breaks = breaks + 1 if self._timer.monotonic_s() - began_s < STEADY_S else 1
            await self._timer.sleep(BACKOFF.pause_s(breaks))

    async def _stop_following(self) -> None:
        if self._following is not None:
            self._following.cancel()
            await asyncio.wait([self._following])
            self._following = None
