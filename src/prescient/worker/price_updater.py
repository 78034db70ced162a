"""The price updater: every interval it settles and marks all open positions; one among all processes, found by lease.

It runs for as long as the Paper trading service does; whatever goes wrong in a round is logged and tried again.
"""

from __future__ import annotations

from datetime import date, datetime

import structlog

from polymarket_kit.errors import PrescientError
from prescient.domain.cycle import StepReport
from prescient.domain.errors import StoreUnavailable, VenueUnavailable
from prescient.ports.context import TradingContext
from prescient.ports.store import Lease
from prescient.trading.mark import update_prices
from prescient.trading.recover import recover

log = structlog.get_logger(__name__)

HEARTBEAT = "price_updater"
LEASE = "price_updater"
ALIVE_MIN_S = 30.0
ALIVE_INTERVALS = 3
STANDBY_S = 15.0
BACK_OFF_FIRST_S = 1.0
RECOVERY_ATTEMPTS = 5


def is_alive(beat: datetime | None, now: datetime, interval_s: float) -> bool:
    """Whether a heartbeat of this age is that of a running updater."""
    if beat is None:
        return False
    return (now - beat).total_seconds() < max(ALIVE_INTERVALS * interval_s, ALIVE_MIN_S)


class PriceUpdater:
    """Rounds of ``update_prices``, held by whoever has the lease. ``run`` ends only when it is cancelled."""

    def __init__(
        self,
        context: TradingContext,
        *,
        interval_s: int = 300,
        decisions_keep_days: int = 14,
        snapshots_keep_days: int = 30,
    ) -> None:
        self._context = context
        self._interval_s = interval_s
        self._decisions_keep_days = decisions_keep_days
        self._snapshots_keep_days = snapshots_keep_days
        self._lease: Lease | None = None
        self._standing_by = False
        self._failures = 0
        self._pruned_on: date | None = None

    async def run(self) -> None:
        """Update prices for ever."""
        log.info(f"Price updater started with {self._interval_s}s interval")
        try:
            while True:
                started_s = self._context.clock.monotonic_s()
                pause_s = await self._attempt()
                took_s = self._context.clock.monotonic_s() - started_s
                await self._context.clock.sleep(max(pause_s - took_s, BACK_OFF_FIRST_S))
        finally:
            await self._let_go()

    async def _attempt(self) -> float:
        """Do one round if the lease is ours. Returns the seconds from its start to the next."""
        try:
            if not await self._has_lease():
                return min(self._interval_s, STANDBY_S)
            await self._round()
        except Exception as error:  # noqa: BLE001  # whatever a round meets is logged; prices must go on after it
            return await self._failed(error)
        self._failures = 0
        return self._interval_s

    async def _has_lease(self) -> bool:
        if self._lease is not None and await self._lease.held():
            return True
        self._lease = await self._context.store.lease(LEASE)
        if self._lease is None and not self._standing_by:
            log.info("Another process updates prices; standing by")
        self._standing_by = self._lease is None
        return not self._standing_by

    async def _round(self) -> None:
        await self._beat(None, "")
        # A crash of the database leaves reservations behind; they must not wait for the portfolio's next cycle.
        await recover(self._context)
        reports = await update_prices(self._context)
        await self._beat(reports, "")
        marked = sum(report.count_out for report in reports)
        log.info("prices updated", portfolios=len(reports), positions=marked)
        today = self._context.clock.now().date()
        if self._pruned_on != today:
            await self._context.store.prune(
                self._context.clock.now(), self._decisions_keep_days, self._snapshots_keep_days
            )
            self._pruned_on = today

    async def _beat(self, reports: list[StepReport] | None, error: str) -> None:
        """Say that we are alive; what the last finished round did stays until the next one has finished."""
        now = self._context.clock.now()
        if reports is None:
            known = await self._context.store.heartbeat(HEARTBEAT)
            detail = {**(known[1] if known else {}), "error": error}
        else:
            marked = sum(report.count_out for report in reports)
            detail = {"last_run": now.isoformat(), "portfolios": len(reports), "positions": marked, "error": ""}
        detail["interval_s"] = self._interval_s
        await self._context.store.beat(HEARTBEAT, now, detail)

    async def _failed(self, error: Exception) -> float:
        """Log a failed round and wait a little longer each time, at most one interval."""
        self._failures += 1
        pause_s = min(BACK_OFF_FIRST_S * float(2 ** min(self._failures, 16)), self._interval_s)
        if isinstance(error, PrescientError):
            log.warning("price update failed", error=str(error), code=error.code, retry_s=pause_s)
        else:
            log.exception("price update failed", retry_s=pause_s, exc_info=error)
        if not isinstance(error, StoreUnavailable):
            await self._beat_of_failure(error)
        return pause_s

    async def _beat_of_failure(self, error: Exception) -> None:
        text = str(error) if isinstance(error, PrescientError) else f"{type(error).__name__}: see the log"
        try:
            await self._beat(None, text)
        except PrescientError as unkept:
            log.warning("heartbeat not kept", error=str(unkept))

    async def _let_go(self) -> None:
        if self._lease is None:
            return
        try:
            await self._lease.release()
        except PrescientError as error:
            # The lease ends with this process's connection in any case.
            log.warning("lease not released", error=str(error))


async def recover_patiently(context: TradingContext) -> None:
    """Resolve what a former process left open, before anything is served. Waits a while for the database and the venue.

    Raises StoreUnavailable or VenueUnavailable when they do not answer in five attempts.
    """
    for attempt in range(1, RECOVERY_ATTEMPTS + 1):
        try:
            orders, cycles = await recover(context)
        except (StoreUnavailable, VenueUnavailable) as error:
            log.warning("recovery must wait", error=str(error), attempt=attempt)
            if attempt == RECOVERY_ATTEMPTS:
                raise
            await context.clock.sleep(BACK_OFF_FIRST_S * 2**attempt)
        else:
            log.info("recovered", orders_resolved=len(orders), cycles_closed=len(cycles))
            return
