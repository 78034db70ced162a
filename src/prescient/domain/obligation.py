"""What is owed once shares are mined: a lone leg to sell back, a complete set to merge. Kept until it is done."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

FIRST_PAUSE_S = 2.0
PAUSE_MAX_S = 600.0


class ObligationKind(StrEnum):
    SELL_BACK = "sell_back"
    MERGE = "merge"


@dataclass(frozen=True, slots=True)
class Obligation:
    """One thing that is owed. ``data`` names what it is about: a leg's signal, or a market's condition.

    ``attempts`` counts those that failed in a row, and ``last_reason`` says why the last one did.
    """

    obligation_id: str
    portfolio_id: int
    kind: ObligationKind
    data: dict[str, str]
    created_at: datetime
    due_at: datetime
    done_at: datetime | None = None
    attempts: int = field(default=0)
    last_reason: str = ""

    def done(self, now: datetime, reason: str = "") -> Obligation:
        return replace(self, done_at=now, last_reason=reason)

    def waits(self, now: datetime, pause_s: float) -> Obligation:
        """Nothing failed; the next look is due after a pause."""
        return replace(self, due_at=now + timedelta(seconds=pause_s))

    def failed(self, now: datetime, reason: str) -> Obligation:
        """Tried again after a pause that doubles, up to ten minutes; it is never given up."""
        pause_s = min(FIRST_PAUSE_S * 2.0 ** min(self.attempts, 16), PAUSE_MAX_S)
        return replace(self, attempts=self.attempts + 1, last_reason=reason, due_at=now + timedelta(seconds=pause_s))


def sell_back_owed(portfolio_id: int, signal_id: str, now: datetime, due_at: datetime) -> Obligation:
    """Sell what the order of a signal bought: the leg of a set that could not be completed."""
    data = {"signal_id": signal_id}
    return Obligation(f"sell_back:{signal_id}", portfolio_id, ObligationKind.SELL_BACK, data, now, due_at)


def merge_owed(portfolio_id: int, condition_id: str, now: datetime, due_at: datetime) -> Obligation:
    """Merge what a portfolio holds of both outcomes of a market."""
    name, data = f"merge:{portfolio_id}:{condition_id}", {"condition_id": condition_id}
    return Obligation(name, portfolio_id, ObligationKind.MERGE, data, now, due_at)
