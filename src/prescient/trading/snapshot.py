"""Snapshot (step 7): the portfolio's state of the day, written only if its books agree with themselves."""

from __future__ import annotations

from prescient.domain.cycle import StepReport
from prescient.domain.signal import Step
from prescient.ports.context import TradingContext


async def take_snapshot(context: TradingContext, cycle_id: str, portfolio_id: int) -> StepReport:
    """Write ``portfolio_history`` (one row per UTC day) and an equity point. Raises InvariantBroken."""
    snapshot = await context.store.snapshot(portfolio_id, cycle_id, context.clock.now())
    report = StepReport(Step.SNAPSHOT, portfolio_id, count_in=1, count_out=1)
    report.amounts["total_value_micro"] = snapshot.value_micro
    report.amounts["total_profit_loss_micro"] = snapshot.realized_pnl_micro + snapshot.unrealized_pnl_micro
    return report
