"""What a venue says beyond an order's own answer: the signed order, the end of an order, and what became of positions.

Stands between the order and the ports: ``ports.venue`` speaks these, ``trading`` books what they say.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from prescient.domain.booking import OrderUpdate
from prescient.domain.order import Rejected, Unknown
from prescient.domain.order_state import Fact


@dataclass(frozen=True, slots=True)
class Canceled:
    """The order is off the venue's book. What it filled before is told by ``Venue.resolve`` or by the venue's updates."""


@dataclass(frozen=True, slots=True)
class NotCanceled:
    """The venue did not take the order off, definitively: it is filled, ended, or was never there."""

    reason: str


Cancellation = Canceled | NotCanceled | Unknown


class RequestKind(StrEnum):
    MERGE = "merge"
    REDEEM = "redeem"
    CONVERT = "convert"


@dataclass(frozen=True, slots=True)
class PositionRequest:
    """Shares that the venue's contracts are asked to turn into dollars or other shares.

    ``given`` are the shares that go, ``gained`` what the contracts' rules pay for them, as (token id or USD, amount in
    micro-units). ``request_id`` names it for good: it is looked up by that, and its transfers are booked under it once.
    """

    request_id: str
    portfolio_id: int
    kind: RequestKind
    condition_ids: tuple[str, ...]
    given: tuple[tuple[str, int], ...]
    gained: tuple[tuple[str, int], ...]

    def __post_init__(self) -> None:
        if not self.given or any(amount <= 0 for _, amount in self.given):
            raise ValueError(f"request {self.request_id} gives nothing")
        if any(amount < 0 for _, amount in self.gained):
            raise ValueError(f"request {self.request_id} gains less than nothing")


@dataclass(frozen=True, slots=True)
class Done:
    """The positions are changed. ``gained`` is what was really paid, as (token id or USD, amount in micro-units).

    ``transaction_id`` is the chain's, empty on paper; ``model`` names every assumption with its value.
    """

    gained: tuple[tuple[str, int], ...]
    transaction_id: str = ""
    model: tuple[tuple[str, str], ...] = ()


PositionOutcome = Done | Rejected | Unknown


@dataclass(frozen=True, slots=True)
class UpdatesMissed:
    """What happened to any order before now may not have been told."""


# A fact names its match as the venue does. A venue of ours (paper) says what is to be booked, with the order's place.
VenueUpdate = Fact | OrderUpdate | UpdatesMissed
