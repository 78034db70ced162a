"""The store's role for what is on its way to a venue: written before it leaves, and when its answer was lost."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from prescient.domain.order import Wire


class Submissions(Protocol):
    """The statuses SUBMITTED and UNKNOWN. Both keep the reservation; ``Orders.book`` ends them."""

    async def mark_submitted(self, order_id: str, wire: Wire, now: datetime) -> None:
        """Commit what is sent for an approved order, before it is sent: its hash, body and salt, and SUBMITTED.

        ``open_orders`` brings it back as ``ApprovedOrder.wire``. Raises InvariantBroken for an order that is not
        approved, or was submitted before.
        """
        ...

    async def mark_unknown(self, order_id: str, reason: str, now: datetime) -> None:
        """Keep that the venue's answer was lost; again is without effect.

        Raises InvariantBroken for an order that was never reserved or has its final status.
        """
        ...
