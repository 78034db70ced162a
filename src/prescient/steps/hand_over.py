"""Hand over: an execution whose venue another process holds is asked of that one, and waited for; nothing is sent here.

Both ends of the row: whoever asks waits for it, and the owner of the venue's lease claims it and executes.
"""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from polymarket_kit.errors import PrescientError
from prescient.domain.cycle import StepReport
from prescient.domain.errors import ExecutionFailed, ExecutionInterrupted, VenueOwnerAway
from prescient.domain.execution import ExecutionRequest
from prescient.ports.context import TradingContext
from prescient.trading.execute import execute_signals
from prescient.trading.orders.resolve import resolve_all
from prescient.trading.orders.submit import text_of_error
from prescient.trading.positions.resolve import resolve_requests

log = structlog.get_logger(__name__)

LOOK_AGAIN_S = 0.2


async def execute_where_the_venue_is(
    context: TradingContext, cycle_id: str, portfolio_id: int, signal_ids: Sequence[str] | None = None
) -> StepReport:
    """Execute here if this process holds the portfolio's venue, else have the process that does execute.

    Raises what ``execute_signals`` raises, VenueOwnerAway when no process holds it (then nothing was sent),
    ExecutionInterrupted, ExecutionFailed.
    """
    portfolio = await context.store.portfolio(portfolio_id)
    if portfolio.venue not in context.venues_elsewhere:
        return await execute_signals(context, cycle_id, portfolio_id, signal_ids)
    request = ExecutionRequest(
        request_id=context.ids.new("execution"),
        venue=portfolio.venue,
        cycle_id=cycle_id,
        portfolio_id=portfolio_id,
        signal_ids=None if signal_ids is None else tuple(signal_ids),
        requested_at=context.clock.now(),
    )
    try:
        await context.store.ask_execution(request)
        return await _wait(context, request)
    except BaseException:
        # Cancelled, or broken: what nobody has begun is not begun any more. What is claimed goes on.
        await context.store.withdraw_execution(request.request_id, context.clock.now())
        raise


async def _wait(context: TradingContext, request: ExecutionRequest) -> StepReport:
    while True:
        # Asked before the row is read: whoever ended it held the lease until then.
        owned = await context.store.is_owned(request.venue)
        found = await context.store.execution(request.request_id)
        if found.report is not None:
            return found.report
        if found.error is not None:
            code, text = found.error
            raise ExecutionFailed(f"{text} ({code})")
        if not owned and found.claimed_at is not None:
            raise ExecutionInterrupted(request.venue)
        if not owned and await context.store.withdraw_execution(
            request.request_id, context.clock.now(), only_if_unowned=True
        ):
            raise VenueOwnerAway(request.venue)
        await context.clock.sleep(LOOK_AGAIN_S)


async def take_over(context: TradingContext, venue: str) -> None:
    """Begin as the owner of a venue's lease: resolve what the owner before us left, and end what it had claimed."""
    await resolve_all(context)
    await resolve_requests(context)
    error = ExecutionInterrupted(venue)
    for request_id in await context.store.abandoned_executions(venue):
        await context.store.end_execution(request_id, None, (error.code, str(error)), context.clock.now())


async def execute_next(context: TradingContext, venue: str, owner: str) -> bool:
    """Claim the oldest request for a venue and execute it; False if there is none. To be called by its lease's owner.

    Raises StoreUnavailable: then the request stays claimed, and whoever takes the lease next ends it.
    """
    request = await context.store.claim_execution(venue, owner, context.clock.now())
    if request is None:
        return False
    report, error = None, None
    try:
        report = await execute_signals(context, request.cycle_id, request.portfolio_id, request.signal_ids)
    except Exception as raised:  # told to whoever asked; the next request must not wait for it
        log.error("execution failed", request_id=request.request_id, exc_info=raised)
        error = (raised.code if isinstance(raised, PrescientError) else "internal_error", text_of_error(raised))
    await context.store.end_execution(request.request_id, report, error, context.clock.now())
    return True
