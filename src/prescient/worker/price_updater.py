"""The price updater: every interval, one process among all settles and marks all open positions. Runs in Paper trading."""

from __future__ import annotations

from datetime import date

import structlog

from polymarket_kit.errors import PrescientError
from prescient.backoff import Backoff
from prescient.domain.cycle import StepReport
from prescient.domain.errors import StoreUnavailable, VenueUnavailable
from prescient.ports.context import TradingContext
from prescient.trading.mark import update_prices
from prescient.trading.recover import recover
from prescient.worker.leased_loop import LeasedLoop

log = structlog.get_logger(__name__)

# The name of both the lease and the heartbeat.
NAME = "price_updater"
STANDBY_S = 15.0
BACKOFF_FIRST_S = 2.0
RECOVERY_ATTEMPTS = 5
RECOVERY_PAUSE_MOST_S = 16.0


class PriceUpdater(LeasedLoop):
    """Rounds of ``update_prices``, ``interval_s`` seconds of the context's clock from start to start."""

    def __init__(
        self,
        context: TradingContext,
        *,
        interval_s: int = 300,
        decisions_keep_days: int = 14,
        snapshots_keep_days: int = 30,
    ) -> None:
        super().__init__(
            NAME,
            context.store,
            context.clock,
            interval_s=interval_s,
            standby_s=min(interval_s, STANDBY_S),
            backoff=Backoff(BACKOFF_FIRST_S, interval_s),
        )
        self._context = context
        self._decisions_keep_days = decisions_keep_days
        self._snapshots_keep_days = snapshots_keep_days
        self._pruned_on: date | None = None

    async def run(self) -> None:
        """Update prices until cancelled."""
        log.info(f"Price updater started with {self.interval_s}s interval")
        await super().run()

    async def round(self) -> None:
        """Recover, settle and mark all portfolios; once a day, delete what is older than its retention."""
        await self._beat_after(None)
        # A crash of the database leaves reservations behind; they must not wait for the portfolio's next cycle.
        await recover(self._context)
        reports = await update_prices(self._context)
        await self._beat_after(reports)
        log.info("prices updated", portfolios=len(reports), positions=_marked(reports))
        now = self._context.clock.now()
        if self._pruned_on != now.date():
            await self._context.store.prune(now, self._decisions_keep_days, self._snapshots_keep_days)
            self._pruned_on = now.date()

    async def round_failed(self, error: Exception) -> None:
        if not isinstance(error, StoreUnavailable):
            text = str(error) if isinstance(error, PrescientError) else f"{type(error).__name__}: see the log"
            await self._beat_after(None, text)

    async def _beat_after(self, reports: list[StepReport] | None, error: str = "") -> None:
        """Record a heartbeat; without reports it repeats what the last finished round did."""
        if reports is None:
            known = await self._context.store.heartbeat(NAME)
            detail = {**(known[1] if known else {}), "error": error}
        else:
            last_run = self._context.clock.now().isoformat()
            detail = {"last_run": last_run, "portfolios": len(reports), "positions": _marked(reports), "error": error}
        await self.beat({**detail, "interval_s": self.interval_s})


def _marked(reports: list[StepReport]) -> int:
    return sum(report.count_out for report in reports)


async def recover_patiently(context: TradingContext) -> None:
    """Resolve what an earlier process left open, before anything is served; wait a while for the database and the venue.

    Raises StoreUnavailable or VenueUnavailable when they do not answer in five attempts.
    """

    def log_wait(attempts: int, error: BaseException) -> None:
        log.warning("recovery must wait", error=str(error), attempt=attempts)

    orders, cycles = await Backoff(BACKOFF_FIRST_S, RECOVERY_PAUSE_MOST_S).retry(
        lambda: recover(context),
        attempts=RECOVERY_ATTEMPTS,
        retry_on=lambda error: isinstance(error, StoreUnavailable | VenueUnavailable),
        sleep=context.clock.sleep,
        on_retry=log_wait,
    )
    log.info("recovered", orders_resolved=len(orders), cycles_closed=len(cycles))
