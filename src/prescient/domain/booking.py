"""What is committed in one transaction: all that an answered order changes, and what becomes of one that rests."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from prescient.domain.ledger import Transfer
from prescient.domain.order import ApprovedOrder, Consumption, Fill, OrderStatus, Trade
from prescient.domain.order_state import Fact
from prescient.domain.portfolio import Position
from prescient.domain.resting import RestingOrder
from prescient.domain.settlement import TradeSettlement


@dataclass(frozen=True, slots=True)
class Booking:
    """All that one answered order changes, committed as one transaction or not at all."""

    order_id: str
    # What is known of the order by it. The store writes the status that follows from these and all that it has.
    facts: tuple[Fact, ...]
    transfers: tuple[Transfer, ...]
    trade: Trade | None
    position: Position | None
    signal_id: str
    reason: str = ""
    consumption: Consumption | None = None
    # The position that the new one was computed from (empty for a first fill). None: not compared.
    before: Position | None = None
    # The order's place in its queue after this. It is kept while the status is not final.
    resting: RestingOrder | None = None
    # The way of its trade to the chain. None: nothing matched, or what matched is settled.
    settlement: TradeSettlement | None = None


@dataclass(frozen=True, slots=True)
class OrderUpdate:
    """A resting order was filled, in part or whole, or ended. ``resting`` is as it stands after this update.

    ``released_micro`` of its reserved cash come free with it. ``fill`` is None for an end without a fill.
    """

    order: ApprovedOrder
    resting: RestingOrder
    status: OrderStatus
    fill: Fill | None
    released_micro: int
    time: datetime
    reason: str = ""
