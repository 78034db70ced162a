"""Logs a cycle: one line for each step and one for its end, so that the log alone shows what happened."""

from __future__ import annotations

from collections.abc import Awaitable

import structlog

from prescient.domain.cycle import CycleReport
from prescient.reports.cycles import STEP_NAMES, message_of

log = structlog.get_logger(__name__)


async def logged(cycle_id: str, work: Awaitable[CycleReport]) -> CycleReport:
    """Wait for a cycle and log its steps; a replayed one is not logged twice."""
    log.debug("cycle begins", cycle_id=cycle_id)
    try:
        report = await work
    except Exception as error:
        log.info("cycle ended without a report", cycle_id=cycle_id, error=str(error))
        raise
    if report.cycle_id == cycle_id:
        _log_steps(report)
    return report


def _log_steps(report: CycleReport) -> None:
    for step, (number, name) in STEP_NAMES.items():
        if not any(done.step is step for done in report.steps):
            continue
        total = report.total(step)
        log.info(
            f"cycle step {number} {name}",
            cycle_id=report.cycle_id,
            count_in=total.count_in,
            count_out=total.count_out,
            dropped=total.dropped.total(),
            seconds=round(total.seconds, 3),
        )
        log.debug(
            f"cycle step {number} reasons",
            cycle_id=report.cycle_id,
            **{f"dropped_{code}": n for code, n in total.dropped.items()},
        )
    log.info(f"cycle {report.status.value}", cycle_id=report.cycle_id, summary=message_of(report))
