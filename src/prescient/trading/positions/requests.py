"""Requests: a change of positions is asked of the portfolio's venue, and only what that says was done is booked.

Stands before merge and settle, which say what is asked and book what was done.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from prescient.domain.errors import ConflictError, StoreUnavailable, VenueUnavailable
from prescient.domain.order import Rejected, Unknown
from prescient.domain.venue_answers import Done, PositionOutcome, PositionRequest, RequestKind
from prescient.ports.context import TradingContext
from prescient.ports.store import Leases
from prescient.ports.venue import Venue
from prescient.trading.orders.submit import answer_of, text_of_error

WAIT_S = 10.0


class RequestRefused(ConflictError):
    """The venue did not do it, definitively."""

    code = "request_refused"

    def __init__(self, request: PositionRequest, reason: str) -> None:
        super().__init__(f"The venue refused to {request.kind.value} these positions: {reason}")


class RequestUnanswered(VenueUnavailable):
    """The venue did not say whether it did it; the shares stay set aside, and it is asked again by the request's id."""

    code = "outcome_unknown"

    def __init__(self, request: PositionRequest, reason: str) -> None:
        super().__init__(
            f"The venue did not say whether it did {request.kind.value} these positions ({reason}). It is asked again by "
            "itself; until then their shares are set aside."
        )


@dataclass(frozen=True, slots=True)
class Answered:
    """A request that was done. ``closes`` names its row if one is kept, which ends with the booking."""

    request: PositionRequest
    done: Done
    closes: str


@asynccontextmanager
async def asking(store: Leases, portfolio_id: int, wait_s: float = WAIT_S) -> AsyncIterator[None]:
    """Be the only one who sends or resolves requests of a portfolio, so that none of a living process is resolved."""
    lease = await store.lease(f"positions:{portfolio_id}", wait_s)
    if lease is None:
        raise PositionsBusy(portfolio_id)
    try:
        yield
    finally:
        await lease.release()


class PositionsBusy(ConflictError):
    code = "positions_busy"

    def __init__(self, portfolio_id: int) -> None:
        super().__init__(f"Another change of portfolio {portfolio_id}'s positions is on its way. Ask again.")


async def ask(context: TradingContext, venue: Venue, request: PositionRequest) -> Answered:
    """Ask the venue for a change of positions, committed before it leaves if it is sent at all.

    Raises RequestRefused, RequestUnanswered, PositionsBusy, StoreUnavailable.
    """
    try:
        wire = await venue.prepare_request(request)
    except StoreUnavailable:
        raise
    except Exception as error:
        raise RequestRefused(request, text_of_error(error)) from error
    if wire is None:
        return await _judged(context, request, await _sent(venue, request), kept=False)
    async with asking(context.store, request.portfolio_id):
        if not await context.store.open_request(request, wire, context.clock.now()):
            raise RequestRefused(request, "its shares are not free any more")
        return await _judged(context, request, await _sent(venue, request), kept=True)


async def _sent(venue: Venue, request: PositionRequest) -> PositionOutcome:
    calls = {RequestKind.MERGE: venue.merge, RequestKind.REDEEM: venue.redeem, RequestKind.CONVERT: venue.convert}
    return await answer_of(calls[request.kind](request), request.request_id)


async def _judged(
    context: TradingContext, request: PositionRequest, outcome: PositionOutcome, *, kept: bool
) -> Answered:
    now = context.clock.now()
    if isinstance(outcome, Done):
        return Answered(request, outcome, request.request_id if kept else "")
    if isinstance(outcome, Rejected):
        if kept:
            await context.store.reject_request(request.request_id, outcome.reason or outcome.code, now)
        raise RequestRefused(request, outcome.reason or outcome.code)
    assert isinstance(outcome, Unknown)
    if not kept:
        # A venue that is not to send anything and yet does not know: kept from now on.
        await context.store.open_request(request, None, now)
    raise RequestUnanswered(request, outcome.reason)
