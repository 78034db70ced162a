"""What is on its way to a venue, in the memory store: the same statuses and refusals as in PostgreSQL."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from prescient.adapters.memory.tables import OrderRow, StoreBase
from prescient.domain.errors import InvariantBroken
from prescient.domain.order import OrderStatus, Unknown, Wire
from prescient.domain.order_state import Fact, answered, booked_state, submitted


class SubmissionMethods(StoreBase):
    """The part of ``Store`` about orders on their way."""

    async def mark_submitted(self, order_id: str, wire: Wire, now: datetime) -> None:
        row = self._reserved(order_id)
        if row.status is not OrderStatus.APPROVED:
            raise InvariantBroken(f"order {order_id} is {row.status} already; nothing may be sent for it")
        if any(other.approved and other.approved.wire == wire for other in self._tables.orders.values()):
            raise InvariantBroken(f"what is to be sent for order {order_id} is another order's; nothing may be sent")
        assert row.approved is not None
        _tell(row, submitted(order_id, wire, now), now)
        row.approved = replace(row.approved, wire=wire)

    async def mark_unknown(self, order_id: str, reason: str, now: datetime) -> None:
        row = self._reserved(order_id)
        (lost,) = answered(order_id, Unknown(reason), now)
        _tell(row, lost, now)
        row.reason = reason

    def _reserved(self, order_id: str) -> OrderRow:
        row = self._tables.orders.get(order_id)
        if row is None or row.approved is None:
            raise InvariantBroken(f"order {order_id} was never reserved")
        return row


def _tell(row: OrderRow, fact: Fact, now: datetime) -> None:
    row.status = booked_state(row.intent.order_id, row.status, row.facts, [fact]).status
    if all(known.fact_id != fact.fact_id for known in row.facts):
        row.facts.append(fact)
    row.updated_at = now
