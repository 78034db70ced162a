"""What is assumed about a queue, and what an event did to an order in it: the words between queue.py and its callers."""

from __future__ import annotations

from dataclasses import dataclass

from prescient.domain.order import Fill, OrderStatus
from prescient.domain.resting import RestingOrder

# (ladder, price on that ladder)
LevelKey = tuple[int, int]


@dataclass(frozen=True, slots=True)
class QueueModel:
    """What cannot be known about a queue, as a name and a value for the trade record.

    A level may be told to have shrunk before the print that shrank it is told. A fall of up to
    ``level_before_print_ms`` before a print is taken to be that print's, so that it does not reduce the queue twice.
    Zero for a venue that tells prints first.
    """

    name: str = "cancels_behind_first"
    level_before_print_ms: int = 1_000

    def entries(self) -> tuple[tuple[str, str], ...]:
        return ("queue_model", self.name), ("level_before_print_ms", str(self.level_before_print_ms))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an event did to one order. ``order`` is as it stands now; it is out of the queue unless still OPEN."""

    order: RestingOrder
    status: OrderStatus
    fill: Fill | None = None
    # What was reserved for it before this.
    held_before_micro: int = 0
    reason: str = ""
