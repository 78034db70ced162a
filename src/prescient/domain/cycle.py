"""A trading cycle's request and report: the funnel from all events to trades, with what each step dropped and why."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from prescient.domain.screening import EventFilter, MarketFilter
from prescient.domain.signal import Step


class CycleStatus(StrEnum):
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    # The process ended in the middle; found and closed at the next start. What was booked stays booked, whole.
    INTERRUPTED = "interrupted"


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


@dataclass(frozen=True, slots=True)
class CycleRequest:
    """What one cycle was asked to do. ``portfolio_ids`` are resolved before the cycle starts."""

    cycle_id: str
    portfolio_ids: tuple[int, ...]
    event_filter: EventFilter = field(default_factory=EventFilter)
    market_filter: MarketFilter = field(default_factory=MarketFilter)
    idempotency_key: str = ""
    trigger: str = "request"
    # Nobody named the portfolios: they are those that were active when the cycle started.
    all_active: bool = False


@dataclass(slots=True)
class StepReport:
    """One step's counts. ``dropped`` counts reasons, ``settings`` maps a reason to the setting that decided.

    A step with a portfolio belongs to that portfolio; the first three are shared by all.
    """

    step: Step
    portfolio_id: int | None = None
    count_in: int = 0
    count_out: int = 0
    seconds: float = 0.0
    dropped: Counter[str] = field(default_factory=Counter)
    settings: dict[str, str] = field(default_factory=dict)
    # Amounts in micro-dollars that the step moved ("amount_micro", "fee_micro", ...).
    amounts: dict[str, int] = field(default_factory=dict)

    def drop(self, code: str, setting: str = "") -> None:
        self.dropped[code] += 1
        if setting:
            self.settings[code] = setting


@dataclass(slots=True)
class CycleReport:
    """One run of the line, as kept in ``cycles`` and answered to whoever asked."""

    request: CycleRequest
    status: CycleStatus
    started_at: datetime
    ended_at: datetime | None = None
    steps: list[StepReport] = field(default_factory=list)
    error: str = ""

    @property
    def cycle_id(self) -> str:
        return self.request.cycle_id

    def of_portfolio(self, portfolio_id: int) -> CycleReport:
        """The same cycle as one portfolio saw it: the shared steps and its own."""
        return replace(self, steps=[step for step in self.steps if step.portfolio_id in (None, portfolio_id)])

    def reasons(self) -> Counter[str]:
        """How often each reason dropped something, over all steps, and how many were traded."""
        counted: Counter[str] = Counter()
        for step in self.steps:
            # A mark's source is no reason for a trade or against it.
            if step.step is not Step.MARK:
                counted.update(step.dropped)
        traded = self.total(Step.EXECUTE).count_out
        if traded:
            counted["traded"] = traded
        return counted

    def total(self, step: Step) -> StepReport:
        """Sum a step over all portfolios."""
        result = StepReport(step)
        for report in self.steps:
            if report.step is not step:
                continue
            result.count_in += report.count_in
            result.count_out += report.count_out
            result.seconds += report.seconds
            result.dropped.update(report.dropped)
            result.settings.update(report.settings)
            for name, amount in report.amounts.items():
                result.amounts[name] = result.amounts.get(name, 0) + amount
        return result

    def message(self) -> str:
        """Say in one line what came of it; without signals, which setting dropped most (runbook: "No trading signals found")."""
        signals = self.total(Step.DECIDE)
        if self.status is CycleStatus.RUNNING:
            return "Cycle is running"
        if self.status is not CycleStatus.COMPLETED:
            return self.error or f"Cycle {self.status.value}"
        if signals.count_out:
            trades = self.total(Step.EXECUTE)
            return f"{trades.count_out} trades executed from {signals.count_out} signals"
        funnel = " -> ".join(
            f"{self.total(step).count_out} {noun}"
            for step, noun in (
                (Step.COLLECT, "events"),
                (Step.FILTER, "events kept"),
                (Step.SCREEN, "markets kept"),
                (Step.DECIDE, "signals"),
            )
        )
        dropped: Counter[str] = Counter()
        settings: dict[str, str] = {}
        for step in (Step.FILTER, Step.SCREEN, Step.DECIDE):
            total = self.total(step)
            dropped.update(total.dropped)
            settings.update(total.settings)
        if not dropped:
            return f"No trading signals found: {funnel}."
        code, count = dropped.most_common(1)[0]
        setting = f" (setting {settings[code]})" if code in settings else ""
        return f"No trading signals found: {funnel}. Most were dropped by {code}: {count}{setting}."
