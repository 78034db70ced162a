"""Changes of positions asked of a venue, in the memory store."""

from __future__ import annotations

from datetime import datetime

from prescient.adapters.memory.tables import RequestRow, StoreBase, set_aside
from prescient.domain.errors import InvariantBroken
from prescient.domain.order import Wire
from prescient.domain.venue_answers import PositionRequest


class RequestMethods(StoreBase):
    """The part of ``Store`` about changes of positions on their way."""

    async def open_request(self, request: PositionRequest, wire: Wire | None, now: datetime) -> bool:
        tables = self._tables
        row = tables.row(request.portfolio_id)
        if request.request_id in tables.requests or (
            wire is not None and any(kept.wire == wire for kept in tables.requests.values())
        ):
            raise InvariantBroken(f"request {request.request_id} is kept already; nothing may be sent for it")
        for token_id, amount in request.given:
            aside = sum(set_aside(tables, request.portfolio_id, token_id))
            if row.shares.get(token_id, 0) - aside < amount:
                return False
        tables.requests[request.request_id] = RequestRow(request, wire)
        return True

    async def reject_request(self, request_id: str, reason: str, now: datetime) -> None:
        row = self._tables.requests.get(request_id)
        if row is not None and row.status == "open":
            row.status, row.reason = "rejected", reason

    async def open_requests(self, portfolio_id: int | None) -> list[PositionRequest]:
        rows = [row.request for row in self._tables.requests.values() if row.status == "open"]
        return [request for request in rows if portfolio_id in (None, request.portfolio_id)]
