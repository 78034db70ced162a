"""The owner of resting orders: follows the market stream, books what it does to them, ends them. Runs in Paper trading.

After any failure the orders are restored from the store with a gap, so that no trade that was not seen is credited.
"""

from __future__ import annotations

import asyncio

import structlog

from prescient.backoff import Backoff
from prescient.ports.clock import Clock
from prescient.ports.context import TradingContext
from prescient.trading.follow import follow
from prescient.trading.resting import cancel_stranded, mend, restore, sweep
from prescient.worker.leased_loop import LeasedLoop

log = structlog.get_logger(__name__)

NAME = "resting_orders"
STANDBY_S = 5.0
PAUSE_S = 0.5
BACKOFF_MOST_S = 30.0
SWEEP_S = 1.0
# Every so many sweeps: markets that have closed, orders that were lost, markets without resting orders.
SWEEPS_PER_RECONCILIATION = 20


class RestingLoop(LeasedLoop):
    """Owns the resting orders while it has the lease: a round lasts until something goes wrong.

    ``timer`` is the machine's clock: queues move in our time, whatever the clock of the world says.
    """

    def __init__(
        self,
        context: TradingContext,
        timer: Clock,
        *,
        sweep_s: float = SWEEP_S,
        standby_s: float = STANDBY_S,
        pause_s: float = PAUSE_S,
    ) -> None:
        super().__init__(
            NAME,
            context.store,
            context.clock,
            interval_s=pause_s,
            standby_s=standby_s,
            backoff=Backoff(2 * pause_s, BACKOFF_MOST_S),
            timer=timer,
        )
        self._context = context
        self._sweep_s = sweep_s

    async def run(self) -> None:
        """Own the resting orders until cancelled; returns at once where there is no stream."""
        if self._context.resting is not None and self._context.stream is not None:
            await super().run()

    async def round(self) -> None:
        """Restore the resting orders and own them until something goes wrong."""
        assert self._context.resting is not None
        try:
            count = await restore(self._context)
            if count:
                log.info("resting orders restored", orders=count)
            await self._own()
        finally:
            self._context.resting.release()

    async def _own(self) -> None:
        tasks = [asyncio.create_task(self._follow_stream()), asyncio.create_task(self._maintain())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _follow_stream(self) -> None:
        assert self._context.resting is not None
        await follow(self._context, self._context.resting.updates())

    async def _maintain(self) -> None:
        """End expired orders and save queue positions every second; reconcile every twenty."""
        resting = self._context.resting
        assert resting is not None
        sweeps = 0
        while True:
            await self._timer.sleep(self._sweep_s)
            await sweep(self._context)
            self.made_progress()
            sweeps += 1
            if sweeps % SWEEPS_PER_RECONCILIATION:
                continue
            await self.check_lease()
            await cancel_stranded(self._context)
            await mend(self._context)
            await resting.tidy()
