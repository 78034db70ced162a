"""The owner of resting orders: hears the stream, books what it does to them, and tends to them; one process, found by lease.

It runs for as long as the Paper trading service does. Whatever goes wrong, all is taken over from the store again: with a
gap, so that nothing is credited that was not seen.
"""

from __future__ import annotations

import asyncio

import structlog

from polymarket_kit.errors import PrescientError
from prescient.ports.context import TradingContext
from prescient.ports.store import Lease
from prescient.trading.resting import cancel_stranded, hear, mend, restore, sweep

log = structlog.get_logger(__name__)

LEASE = "resting_orders"
STANDBY_S = 5.0
BACK_OFF_FIRST_S = 0.5
BACK_OFF_MOST_S = 30.0
SWEEP_S = 1.0
# Every so many sweeps: markets that have closed, orders that were lost, markets in which nothing rests any more.
SWEEPS_PER_ROUND = 20


class LeaseLost(PrescientError):
    """Another process owns what rests by now."""

    code = "lease_lost"


class RestingLoop:
    """Owns what rests while it has the lease. ``run`` ends only when it is cancelled."""

    def __init__(
        self,
        context: TradingContext,
        *,
        sweep_s: float = SWEEP_S,
        standby_s: float = STANDBY_S,
        back_off_s: float = BACK_OFF_FIRST_S,
    ) -> None:
        self._context = context
        self._sweep_s = sweep_s
        self._standby_s = standby_s
        self._back_off_s = back_off_s
        self._lease: Lease | None = None
        self._failures = 0

    async def run(self) -> None:
        """Own and tend to what rests, for ever; without a stream there is nothing to do."""
        if self._context.resting is None or self._context.stream is None:
            return
        try:
            while True:
                pause_s = await self._attempt()
                await asyncio.sleep(pause_s)
        finally:
            self._context.resting.release()
            if self._lease is not None:
                await self._let_go(self._lease)

    async def _attempt(self) -> float:
        """Own what rests until something goes wrong; returns how long to wait before the next attempt, in seconds."""
        try:
            if not await self._has_lease():
                return self._standby_s
            await self._own()
        except Exception as error:  # whatever it was, what rests is taken over anew
            self._failures += 1
            pause_s = min(self._back_off_s * float(2 ** min(self._failures, 16)), BACK_OFF_MOST_S)
            if isinstance(error, PrescientError):
                log.warning("resting orders must wait", error=str(error), code=error.code, retry_s=pause_s)
            else:
                log.exception("resting orders must wait", retry_s=pause_s, exc_info=error)
            return pause_s
        finally:
            assert self._context.resting is not None
            self._context.resting.release()
        return self._back_off_s

    async def _has_lease(self) -> bool:
        if self._lease is not None and await self._lease.held():
            return True
        self._lease = await self._context.store.lease(LEASE)
        return self._lease is not None

    async def _own(self) -> None:
        count = await restore(self._context)
        if count:
            log.info("resting orders taken over", orders=count)
        tasks = [asyncio.create_task(self._hear()), asyncio.create_task(self._tend())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _hear(self) -> None:
        assert self._context.stream is not None
        async for event in self._context.stream.events():
            await hear(self._context, event)

    async def _tend(self) -> None:
        """End what has expired and keep the places in the queues, every second; look further now and then."""
        resting = self._context.resting
        assert resting is not None
        rounds = 0
        while True:
            await asyncio.sleep(self._sweep_s)
            await sweep(self._context)
            self._failures = 0
            rounds += 1
            if rounds % SWEEPS_PER_ROUND:
                continue
            if not await self._has_lease():
                raise LeaseLost("Another process keeps resting orders now; this one stands by.")
            await cancel_stranded(self._context)
            await mend(self._context)
            await resting.tidy()

    async def _let_go(self, lease: Lease) -> None:
        try:
            await lease.release()
        except PrescientError as error:
            # The lease ends with this process's connection in any case.
            log.warning("lease not released", error=str(error))
