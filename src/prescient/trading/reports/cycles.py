"""A cycle's report as people see it, also when it ended early."""

from __future__ import annotations

from prescient.domain.cycle import CycleReport, CycleStatus, StepReport
from prescient.domain.signal import Step
from prescient.ports.store import Orders

# A cycle that ended early did so among the latest trades of its portfolios.
TRADES_LOOKED_AT = 10_000


async def as_it_ended(store: Orders, report: CycleReport) -> CycleReport:
    """Add to a cycle that broke off in the middle of its orders what it had traded by then; others stay as they are."""
    if report.status not in (CycleStatus.FAILED, CycleStatus.INTERRUPTED):
        return report
    reached = {step.portfolio_id for step in report.steps if step.step is Step.EXECUTE}
    for portfolio_id in report.request.portfolio_ids:
        if portfolio_id in reached:
            continue
        trades = [
            trade for trade in await store.trades(portfolio_id, TRADES_LOOKED_AT) if trade.cycle_id == report.cycle_id
        ]
        if trades:
            step = StepReport(Step.EXECUTE, portfolio_id, count_out=len(trades))
            step.amounts["amount_micro"] = sum(trade.amount_micro for trade in trades)
            step.amounts["fee_micro"] = sum(trade.fee_micro for trade in trades)
            report.steps.append(step)
    return report
