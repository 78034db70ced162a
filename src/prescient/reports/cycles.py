"""A cycle's report as people see it: its steps by name and number, summed, in one line, also when it ended early."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from prescient.domain.cycle import CycleReport, CycleStatus, StepReport
from prescient.domain.signal import Step
from prescient.ports.store import Orders

# A cycle that ended early did so among the latest trades of its portfolios.
TRADES_LOOKED_AT = 10_000
# The runbook's seven steps with their own numbers and names.
STEP_NAMES: dict[Step, tuple[int, str]] = {
    Step.COLLECT: (1, "Export Events"),
    Step.FILTER: (2, "Filter Events"),
    Step.SCREEN: (3, "Filter Markets"),
    Step.DECIDE: (4, "Generate Signals"),
    Step.EXECUTE: (5, "Execute Trades"),
    Step.MARK: (6, "Update Prices"),
    Step.SNAPSHOT: (7, "Create Snapshot"),
}


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


def of_portfolio(report: CycleReport, portfolio_id: int) -> CycleReport:
    """The same cycle as one portfolio saw it: the shared steps and its own."""
    return replace(report, steps=[step for step in report.steps if step.portfolio_id in (None, portfolio_id)])


def reasons_of(report: CycleReport) -> Counter[str]:
    """How often each reason dropped something, over all steps, and how many were traded."""
    counted: Counter[str] = Counter()
    for step in report.steps:
        # A mark's source is no reason for a trade or against it.
        if step.step is not Step.MARK:
            counted.update(step.dropped)
    traded = report.total(Step.EXECUTE).count_out
    if traded:
        counted["traded"] = traded
    return counted


def message_of(report: CycleReport) -> str:
    """Say in one line what came of it; without signals, which setting dropped most (runbook: "No trading signals found")."""
    if report.status is CycleStatus.RUNNING:
        return "Cycle is running"
    if report.status is not CycleStatus.COMPLETED:
        return report.error or f"Cycle {report.status.value}"
    totals = {step: report.total(step) for step in Step}
    signals = totals[Step.DECIDE].count_out
    if signals:
        return f"{totals[Step.EXECUTE].count_out} trades executed from {signals} signals"
    nouns = {Step.COLLECT: "events", Step.FILTER: "events kept", Step.SCREEN: "markets kept", Step.DECIDE: "signals"}
    funnel = " -> ".join(f"{totals[step].count_out} {noun}" for step, noun in nouns.items())
    dropped: Counter[str] = Counter()
    settings: dict[str, str] = {}
    for step in (Step.FILTER, Step.SCREEN, Step.DECIDE):
        dropped.update(totals[step].dropped)
        settings.update(totals[step].settings)
    if not dropped:
        return f"No trading signals found: {funnel}."
    code, count = dropped.most_common(1)[0]
    setting = f" (setting {settings[code]})" if code in settings else ""
    return f"No trading signals found: {funnel}. Most were dropped by {code}: {count}{setting}."
