"""An execution that one process asks of another: of the one that holds the portfolio's venue."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from prescient.domain.cycle import StepReport


def owner_lease(venue: str) -> str:
    """The lease that the process holds which executes for a venue."""
    return f"venue:{venue}"


@dataclass(frozen=True, slots=True)
class ExecutionRequest:
    """A row of ``execution_requests``. ``signal_ids`` None: all that are pending. Ended with a report or an error.

    ``error`` is (code, text).
    """

    request_id: str
    venue: str
    cycle_id: str
    portfolio_id: int
    signal_ids: tuple[str, ...] | None
    requested_at: datetime
    claimed_by: str | None = None
    claimed_at: datetime | None = None
    ended_at: datetime | None = None
    report: StepReport | None = None
    error: tuple[str, str] | None = None
