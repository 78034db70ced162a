"""The executor of one venue: executes what other processes hand over, in the one process that holds the venue's lease."""

from __future__ import annotations

import os
import socket

from prescient.backoff import Backoff
from prescient.domain.execution import owner_lease
from prescient.ports.clock import Clock
from prescient.ports.context import TradingContext
from prescient.trading.hand_over import execute_next, take_over
from prescient.trading.orders.resolve import resolve_all
from prescient.trading.positions.resolve import resolve_requests
from prescient.worker.leased_loop import LeasedLoop

INTERVAL_S = 0.2
STANDBY_S = 5.0
# How often lost answers are asked about again; an answer that was lost waits no longer than this.
RESOLVE_INTERVAL_S = 30.0
BACKOFF = Backoff(0.5, 10.0)


class ExecutionLoop(LeasedLoop):
    """Claims one request after the other for a venue of this process."""

    def __init__(
        self, context: TradingContext, venue: str, timer: Clock, resolve_interval_s: float = RESOLVE_INTERVAL_S
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
        self._resolve_interval_s = resolve_interval_s
        self._resolve_at_s = 0.0
        self._owner = f"{socket.gethostname()} process {os.getpid()}"

    async def taken_over(self) -> None:
        """Put right what the owner before us left."""
        await take_over(self._context, self._venue)
        self._resolve_at_s = self._timer.monotonic_s() + self._resolve_interval_s

    async def round(self) -> None:
        """Execute all that is asked for, and now and then ask the venue about answers that were lost."""
        while await execute_next(self._context, self._venue, self._owner):
            await self.check_lease()
        if self._timer.monotonic_s() >= self._resolve_at_s:
            await resolve_all(self._context)
            await resolve_requests(self._context)
            self._resolve_at_s = self._timer.monotonic_s() + self._resolve_interval_s
