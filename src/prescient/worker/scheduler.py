"""Which portfolio's slot is due, and what becomes of it: plain steps without a clock, a network or a database."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import structlog

from polymarket_kit.errors import InvalidRequest
from prescient.domain.portfolio import Portfolio
from prescient.domain.schedule import parse_schedule
from prescient.worker.schedules import latest_slot

log = structlog.get_logger(__name__)

FIRST_PAUSE_S = 1.0
PAUSE_MAX_S = 60.0
ATTEMPTS_MAX = 12


class Answer(StrEnum):
    """What the controller said to a request for a cycle."""

    # It ran, or was refused for good, or ran before under this key.
    DONE = "done"
    # Away, or the portfolio is busy with another cycle: the same slot may be asked for again.
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
    """Remembers for each portfolio the last slot that was dealt with. Of missed slots only the latest is made up for."""

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
                # Just seen or just changed: it begins with its next slot, not with one from before.
                self._handled[portfolio.portfolio_id] = _Handled(portfolio.schedule, slot)
            elif slot > known.slot and monotonic_s >= known.next_try_s:
                found.append(Due(portfolio.portfolio_id, slot))
        for gone in self._handled.keys() - seen:
            del self._handled[gone]
        return sorted(found, key=lambda due: due.slot)

    def settle(self, due: Due, answer: Answer, monotonic_s: float) -> None:
        """Take note of the answer: done, or another try after a pause that doubles; after twelve tries the slot is given up."""
        known = self._handled.get(due.portfolio_id)
        if known is None:
            return
        known.attempts += 1
        if answer is Answer.LATER and known.attempts < ATTEMPTS_MAX:
            known.next_try_s = monotonic_s + min(FIRST_PAUSE_S * 2 ** (known.attempts - 1), PAUSE_MAX_S)
            return
        if answer is Answer.LATER:
            log.error("scheduled cycle given up", portfolio_id=due.portfolio_id, key=due.key, attempts=known.attempts)
        known.slot, known.attempts, known.next_try_s = due.slot, 0, 0.0

    def memory(self) -> dict[str, Any]:
        """What must survive a restart, as plain JSON."""
        return {
            str(portfolio_id): {"schedule": known.text, "slot": known.slot.isoformat()}
            for portfolio_id, known in self._handled.items()
        }

    def dump_state(self, memory: dict[str, Any]) -> None:
        """Take up what an earlier process wrote; a slot that passed while nobody ran is then made up for, once."""
        for portfolio_id, stored in memory.items():
            slot = datetime.fromisoformat(stored["slot"])
            self._handled[int(portfolio_id)] = _Handled(str(stored["schedule"]), slot)

    def _slot(self, portfolio: Portfolio, now: datetime) -> datetime | None:
        try:
            return latest_slot(parse_schedule(portfolio.schedule), now)
        except InvalidRequest as error:
            # Written past our checks, by hand in SQL: this portfolio waits, the others go on.
            log.warning("schedule not understood", portfolio_id=portfolio.portfolio_id, detail=str(error))
            return None
