"""A trading cycle's request and report: the funnel from all events to trades, with what each step dropped and why."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
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

    def total(self, step: Step) -> StepReport:
        """Sum a step over all portfolios."""
        result = StepReport(step)
        amounts: Counter[str] = Counter()
        for one in self.steps:
            if one.step is step:
                result.count_in += one.count_in
                result.count_out += one.count_out
                result.seconds += one.seconds
                result.dropped.update(one.dropped)
                result.settings.update(one.settings)
                amounts.update(one.amounts)
        result.amounts = dict(amounts)
        return result
