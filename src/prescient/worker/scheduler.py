"""Which portfolio's slot is due, and what has become of it: no clock, no network, no database."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import structlog

from polymarket_kit.errors import InvalidRequest
from prescient.administration.schedule import parse_schedule
from prescient.backoff import Backoff
from prescient.domain.portfolio import Portfolio
from prescient.worker.schedules import latest_slot

log = structlog.get_logger(__name__)

BACKOFF = Backoff(first_s=1.0, most_s=60.0)
ATTEMPTS_MAX = 12


class Answer(StrEnum):
    """How the controller answered a request for a cycle."""

    # It ran, was refused for good, or had run before under this key.
    DONE = "done"
    # It is unreachable, or the portfolio is busy with another cycle: the same slot is requested again.
    LATER = "later"


@dataclass(frozen=True, slots=True)
class Due:
    """One slot of one portfolio. The key makes the controller run it once, however often it is asked."""

    portfolio_id: int
    slot: datetime

    @property
    def key(self) -> str:
        return f"schedule:{self.portfolio_id}:{self.slot.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


@dataclass(slots=True)
class _Handled:
    """A portfolio's schedule as last seen, with the last slot that needs nothing more."""

    text: str
    slot: datetime
    attempts: int = 0
    next_try_s: float = 0.0


class Scheduler:
    """Keeps the last slot dealt with for each portfolio. Of several missed slots only the latest is run."""

    def __init__(self) -> None:
        self._handled: dict[int, _Handled] = {}

    def due(self, portfolios: Iterable[Portfolio], now: datetime, monotonic_s: float) -> list[Due]:
        """Return what is due, at most one slot for each portfolio, longest overdue first."""
        found = []
        seen: set[int] = set()
        for portfolio in portfolios:
            slot = self._slot(portfolio, now)
            if slot is None:
                continue
            seen.add(portfolio.portfolio_id)
            known = self._handled.get(portfolio.portfolio_id)
            if known is None or known.text != portfolio.schedule:
                # New or changed: it begins with its next slot, not with a past one.
                self._handled[portfolio.portfolio_id] = _Handled(portfolio.schedule, slot)
            elif slot > known.slot and monotonic_s >= known.next_try_s:
                found.append(Due(portfolio.portfolio_id, slot))
        for gone in self._handled.keys() - seen:
            del self._handled[gone]
        return sorted(found, key=lambda due: due.slot)

    def settle(self, due: Due, answer: Answer, monotonic_s: float) -> None:
        """Record the answer: done, or another attempt after a pause that doubles; after twelve the slot is given up."""
        known = self._handled.get(due.portfolio_id)
        if known is None:
            return
        known.attempts += 1
        if answer is Answer.LATER and known.attempts < ATTEMPTS_MAX:
            known.next_try_s = monotonic_s + BACKOFF.pause_s(known.attempts)
            return
        if answer is Answer.LATER:
            log.error("scheduled cycle given up", portfolio_id=due.portfolio_id, key=due.key, attempts=known.attempts)
        known.slot, known.attempts, known.next_try_s = due.slot, 0, 0.0

    def dump_state(self) -> dict[str, Any]:
        """Return what must survive a restart, as plain JSON."""
        return {
            str(portfolio_id): {"schedule": known.text, "slot": known.slot.isoformat()}
            for portfolio_id, known in self._handled.items()
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Load what an earlier process saved; of the slots that passed while none ran, the latest is then due."""
        for portfolio_id, stored in state.items():
            slot = datetime.fromisoformat(stored["slot"])
            self._handled[int(portfolio_id)] = _Handled(str(stored["schedule"]), slot)

    def _slot(self, portfolio: Portfolio, now: datetime) -> datetime | None:
        try:
            return latest_slot(parse_schedule(portfolio.schedule), now)
        except InvalidRequest as error:
            # Written past our checks, by hand in SQL: this portfolio is skipped, the others go on.
            log.warning("schedule not understood", portfolio_id=portfolio.portfolio_id, detail=str(error))
            return None
