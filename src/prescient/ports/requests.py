"""The store's role for changes of positions that a venue was asked for: kept from before they leave until they are known."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from prescient.domain.order import Wire
from prescient.domain.venue_answers import PositionRequest


class PositionRequests(Protocol):
    """Merges, redemptions and conversions on their way. What they give is set aside as long as they are open."""

    async def open_request(self, request: PositionRequest, wire: Wire | None, now: datetime) -> bool:
        """Commit a request before it is sent; False if its shares are not free: held, and set aside for nothing else.

        Raises PortfolioNotFound, and InvariantBroken for a request or a wire that is kept already.
        """
        ...

    async def reject_request(self, request_id: str, reason: str, now: datetime) -> None:
        """End a request that did not happen; one that has ended stays. ``swap`` and ``settle`` end one that did."""
        ...

    async def open_requests(self, portfolio_id: int | None) -> list[PositionRequest]:
        """Requests whose outcome is not booked, oldest first. None: of all portfolios."""
        ...
