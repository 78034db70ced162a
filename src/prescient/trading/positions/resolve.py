"""Resolve: what became of requests without a known outcome, asked of the venue by their id and booked; nothing is sent again."""

from __future__ import annotations

import structlog

from prescient.domain.errors import RequestClosed, StoreUnavailable
from prescient.domain.order import Rejected, Unknown
from prescient.domain.venue_answers import PositionRequest, RequestKind
from prescient.ports.context import TradingContext
from prescient.trading.orders.submit import answer_of
from prescient.trading.positions.merge import book_swap
from prescient.trading.positions.requests import Answered, PositionsBusy, asking
from prescient.trading.positions.settle import book_payout

log = structlog.get_logger(__name__)


async def resolve_requests(context: TradingContext, portfolio_id: int | None = None) -> list[str]:
    """Book what became of open requests, of one portfolio or of all whose venue this process holds; returns their ids.

    One that cannot be resolved keeps no other from it. Raises StoreUnavailable.
    """
    resolved: list[str] = []
    waiting = await context.store.open_requests(portfolio_id)
    for owner in dict.fromkeys(request.portfolio_id for request in waiting):
        if (await context.store.portfolio(owner)).venue in context.venues:
            resolved += await _resolve_of(context, owner)
    return resolved


async def _resolve_of(context: TradingContext, portfolio_id: int) -> list[str]:
    try:
        async with asking(context.store, portfolio_id, wait_s=0):
            # Read again: what was on its way may be booked by now.
            waiting = await context.store.open_requests(portfolio_id)
            return [request.request_id for request in waiting if await _resolved(context, request)]
    except PositionsBusy as error:
        log.info("requests left open", portfolio_id=portfolio_id, code=error.code)
        return []


async def _resolved(context: TradingContext, request: PositionRequest) -> bool:
    try:
        return await _resolve(context, request)
    except StoreUnavailable:
        raise
    except RequestClosed:
        # Whoever asked has booked it since we looked.
        return True
    except Exception as error:  # it stays open; the others must not wait for it
        log.error("request not resolved", request_id=request.request_id, exc_info=error)
        return False


async def _resolve(context: TradingContext, request: PositionRequest) -> bool:
    venue = context.venue_of(await context.store.portfolio(request.portfolio_id))
    outcome = await answer_of(venue.resolve_request(request), request.request_id)
    if isinstance(outcome, Unknown):
        return False
    if isinstance(outcome, Rejected):
        await context.store.reject_request(request.request_id, outcome.reason or outcome.code, context.clock.now())
        return True
    answered = Answered(request, outcome, request.request_id)
    if request.kind is RequestKind.REDEEM:
        await book_payout(context, answered)
    else:
        await book_swap(context, answered)
    return True
