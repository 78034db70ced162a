"""Where orders go: a venue takes approved orders and nothing else, and says what became of them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Protocol

from prescient.domain.order import ApprovedOrder, Submission, Wire
from prescient.domain.venue_answers import Cancellation, PositionOutcome, PositionRequest, VenueUpdate


class Venue(Protocol):
    """What every venue can do. Chosen by a portfolio's ``venue``.

    Only ``prepare``, ``prepare_request`` and ``updates`` may raise. The others never do for anything that the venue says
    or does not say: an answer that is lost, late or unreadable is ``Unknown``. Cancellation is let through. Whoever calls
    takes any other exception for ``Unknown`` as well, because something may have been sent
    (``trading.orders.submit.answer_of``).
    """

    @property
    def name(self) -> str:
        """As it stands in ``portfolios.venue``."""
        ...

    async def prepare(self, order: ApprovedOrder) -> Wire | None:
        """Make what will be sent, to be committed before a byte leaves; None for a venue that sends nothing (paper).

        Sends nothing itself. Raises VenueUnavailable when it lacks something that only the venue knows.
        """
        ...

    async def submit(self, order: ApprovedOrder) -> Submission:
        """Send an order whose intent, and ``order.wire`` if it has one, are committed. Never raises: see above."""
        ...

    async def cancel(self, order: ApprovedOrder) -> Cancellation:
        """Take an order off the book. Never raises: see above."""
        ...

    async def resolve(self, order: ApprovedOrder) -> Submission:
        """Find out what became of an order; never sends it again. Never raises: see above.

        The answer holds all its fills so far. ``Rejected`` or an end without fills: it is not there and cannot come any
        more. A venue that prepares orders treats an order without ``wire`` as never sent.
        """
        ...

    def updates(self) -> AsyncGenerator[VenueUpdate]:
        """What becomes of its orders from now on: accepted, matched, mined, confirmed, failed, ended. For one listener.

        Anything may be told twice, late, in any order, and after the order's end; a match is told by the name that
        ``resolve`` gives it, and the chain's word on it only once ``resolve`` knows it. Starts with ``UpdatesMissed`` and
        tells it after every gap: the listener then resolves all open orders. A venue in this process (paper) misses
        nothing, and its market stands still until the next update is asked for. Reconnects by itself; raises or ends when
        it cannot, and may be asked for again.
        """
        ...

    async def prepare_request(self, request: PositionRequest) -> Wire | None:
        """As ``prepare``, for a change of positions."""
        ...

    async def merge(self, request: PositionRequest) -> PositionOutcome:
        """Turn complete sets into dollars. Never raises: see above."""
        ...

    async def redeem(self, request: PositionRequest) -> PositionOutcome:
        """Cash in shares of a resolved market. Never raises: see above."""
        ...

    async def convert(self, request: PositionRequest) -> PositionOutcome:
        """Turn NO shares of a negative-risk event into YES shares of its other markets. Never raises: see above."""
        ...

    async def resolve_request(self, request: PositionRequest) -> PositionOutcome:
        """Find out what became of a request by its id; never sends it again. Never raises: see above.

        ``Rejected``: it did not happen and cannot happen any more.
        """
        ...
