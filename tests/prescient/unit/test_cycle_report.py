"""A cycle's report in one line: the trades, or the funnel and the setting that dropped most."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest

from prescient.api.responses import StepAnswer
from prescient.domain.cycle import CycleReport, CycleRequest, CycleStatus, StepReport
from prescient.domain.signal import Step
from prescient.reports.cycles import STEP_NAMES, message_of

NOW = datetime(2026, 5, 17, tzinfo=UTC)


def report(*steps: StepReport, status: CycleStatus = CycleStatus.COMPLETED, error: str = "") -> CycleReport:
    return CycleReport(CycleRequest("cycle-1", (1, 2)), status, NOW, NOW, list(steps), error)


def funnel(signals: int = 0) -> list[StepReport]:
    filtered = StepReport(Step.FILTER, count_in=553, count_out=120)
    screened = StepReport(Step.SCREEN, count_in=400, count_out=40)
    first = StepReport(Step.DECIDE, 1, count_in=40, count_out=signals)
    second = StepReport(Step.DECIDE, 2, count_in=40)
    for _ in range(5):
        filtered.drop("event_volume_low", "event_min_volume")
        first.drop("score_low", "strategy_config.min_confidence")
        second.drop("score_low", "strategy_config.min_confidence")
    for _ in range(9):
        screened.drop("conviction_high", "max_market_conviction")
    collected = StepReport(Step.COLLECT, count_in=556, count_out=553, dropped=Counter(malformed=99))
    return [collected, filtered, screened, first, second]


def test_the_steps_are_the_seven_of_the_runbook() -> None:
    assert [STEP_NAMES[step] for step in Step] == [
        (1, "Export Events"),
        (2, "Filter Events"),
        (3, "Filter Markets"),
        (4, "Generate Signals"),
        (5, "Execute Trades"),
        (6, "Update Prices"),
        (7, "Create Snapshot"),
    ]


def test_trades_are_counted_over_all_portfolios() -> None:
    trades = [StepReport(Step.EXECUTE, 1, 2, 2), StepReport(Step.EXECUTE, 2, 1, 0)]
    assert message_of(report(*funnel(signals=3), *trades)) == "2 trades executed from 3 signals"


def test_without_signals_it_names_what_dropped_most_over_all_steps() -> None:
    # Malformed items are the venue's matter; score_low fell 5 times in each of two portfolios: 10, more than 9.
    assert message_of(report(*funnel())) == (
        "No trading signals found: 553 events -> 120 events kept -> 40 markets kept -> 0 signals. "
        "Most were dropped by score_low: 10 (setting strategy_config.min_confidence)."
    )


def test_a_reason_without_a_setting_names_none() -> None:
    step = StepReport(Step.SCREEN, count_in=1, dropped=Counter(price_missing=1))
    assert message_of(report(step)).endswith("Most were dropped by price_missing: 1.")


def test_with_nothing_dropped_the_funnel_stands_alone() -> None:
    expected = "No trading signals found: 0 events -> 0 events kept -> 0 markets kept -> 0 signals."
    assert message_of(report()) == expected


@pytest.mark.parametrize(
    ("status", "error", "message"),
    [
        (CycleStatus.RUNNING, "", "Cycle is running"),
        (CycleStatus.FAILED, "The venue is away.", "The venue is away."),
        (CycleStatus.FAILED, "", "Cycle failed"),
        (CycleStatus.INTERRUPTED, "", "Cycle interrupted"),
    ],
)
def test_a_cycle_that_is_not_completed_says_so(status: CycleStatus, error: str, message: str) -> None:
    assert message_of(report(*funnel(signals=3), status=status, error=error)) == message


def test_a_total_sums_counts_reasons_times_and_amounts_of_one_step() -> None:
    first = StepReport(Step.EXECUTE, 1, 3, 2, 0.5, Counter(a=1), {"a": "x"}, {"amount_micro": 5, "fee_micro": 1})
    second = StepReport(Step.EXECUTE, 2, 1, 1, 0.25, Counter(a=2, b=1), {"b": "y"}, {"amount_micro": 7})
    total = report(first, *funnel(), second).total(Step.EXECUTE)
    assert (total.portfolio_id, total.count_in, total.count_out, total.seconds) == (None, 4, 3, 0.75)
    assert total.dropped == {"a": 3, "b": 1}
    assert total.settings == {"a": "x", "b": "y"}
    assert total.amounts == {"amount_micro": 12, "fee_micro": 1}
    # Adding up leaves the parts as they were.
    assert first.dropped == {"a": 1} and first.amounts == {"amount_micro": 5, "fee_micro": 1}


def test_a_steps_seconds_are_answered_to_the_microsecond() -> None:
    assert StepAnswer.of(StepReport(Step.COLLECT, seconds=0.020597999999999998)).seconds == 0.020598
