"""Settle: pay resolved positions by the payout vector, once, and never before the resolution is final."""

from __future__ import annotations

import structlog

from polymarket_kit.values import multiply_down
from prescient.domain.errors import InvariantBroken, PositionMoved
from prescient.domain.ledger import USD, settlement
from prescient.domain.market import MarketState, Resolution
from prescient.domain.portfolio import Position
from prescient.domain.venue_answers import PositionRequest, RequestKind
from prescient.ports.context import TradingContext
from prescient.ports.venue import Venue
from prescient.trading.positions.requests import Answered, PositionsBusy, RequestRefused, RequestUnanswered, ask

log = structlog.get_logger(__name__)

ATTEMPTS_MAX = 5
# Shares bought before a resolution but booked after its payout are paid apart, under a number of their own.
PAYOUTS_MAX = 20


async def settle_resolved(context: TradingContext, portfolio_id: int, positions: list[Position]) -> set[str]:
    """Pay the positions whose market is resolved; returns their token ids. Disputed and proposed markets hold their money."""
    if not positions:
        return set()
    venue = context.venue_of(await context.store.portfolio(portfolio_id))
    states = await context.market_data.market_states(sorted({position.condition_id for position in positions}))
    settled: set[str] = set()
    for position in positions:
        state = states.get(position.condition_id)
        # Shares that are not mined yet may still turn out never to have been bought; they are paid a moment later.
        if state is None or not is_final(state) or position.settling_size_micro:
            continue
        try:
            if await _pay(context, venue, position, state):
                settled.add(position.token_id)
        except (RequestRefused, RequestUnanswered, PositionsBusy) as error:
            # The others are paid; this one is asked for again, or about, in a later round.
            log.warning("not redeemed", portfolio_id=portfolio_id, token_id=position.token_id, error=str(error))
    return settled


def is_final(state: MarketState) -> bool:
    """Whether the venue has closed the market, says resolved and states a whole payout."""
    return state.closed and state.resolution is Resolution.RESOLVED and state.payout is not None


async def _pay(context: TradingContext, venue: Venue, position: Position, state: MarketState) -> bool:
    """Pay what is held now: an order may be booked, or another process may pay, between our reading and our writing.

    False while a sale of these shares is on its way: they are its own until it is answered, and a later round pays them.
    """
    held: Position | None = position
    for _ in range(ATTEMPTS_MAX):
        if held is None or held.size_micro == 0:
            return True
        if held.settling_size_micro:
            return False
        due_micro = held.size_micro - await _on_its_way(context, held)
        try:
            if due_micro > 0:
                await _pay_held(context, venue, held, due_micro, state)
        except PositionMoved:
            held = await context.store.position(position.portfolio_id, position.token_id)
        else:
            return due_micro == held.size_micro
    raise PositionMoved(position.token_id)


async def _on_its_way(context: TradingContext, held: Position) -> int:
    """The shares of sales and requests that are not answered yet. Resting ones are not: they end with their market."""
    resting = {state.order_id for _, state in await context.store.resting_orders()}
    sales = [
        order.reserved_shares_micro
        for order, _ in await context.store.open_orders()
        if order.intent.order_id not in resting
        and (order.intent.portfolio_id, order.intent.token_id) == (held.portfolio_id, held.token_id)
    ]
    for request in await context.store.open_requests(held.portfolio_id):
        sales.append(dict(request.given).get(held.token_id, 0))
    return min(sum(sales), held.size_micro)


async def _pay_held(context: TradingContext, venue: Venue, held: Position, due_micro: int, state: MarketState) -> None:
    """Have the venue pay what is due, and book what it paid. Raises PositionMoved while nothing was sent."""
    assert state.payout is not None and 0 < due_micro <= held.size_micro
    payout = multiply_down(due_micro, state.payout.of(held.token_id))
    assert 0 <= payout <= due_micro
    given, paid = ((held.token_id, due_micro),), ((USD, payout),)
    name = context.ids.new("redeem")
    request = PositionRequest(name, held.portfolio_id, RequestKind.REDEEM, (held.condition_id,), given, paid)
    answered = await ask(context, venue, request)
    if not answered.closes:
        await _book(context, answered, held)
        return
    await book_payout(context, answered)


async def book_payout(context: TradingContext, answered: Answered) -> None:
    """Book a payout that was really made, on the position as it is now.

    Raises InvariantBroken when its shares are not there, and RequestClosed when it is booked already.
    """
    request = answered.request
    ((token_id, size_micro),) = request.given
    for _ in range(ATTEMPTS_MAX):
        held = await context.store.position(request.portfolio_id, token_id)
        if held is None or held.size_micro < size_micro:
            break
        try:
            await _book(context, answered, held)
        except PositionMoved:
            continue
        return
    raise InvariantBroken(f"request {request.request_id} was paid, and its shares are not there to book it")


async def _book(context: TradingContext, answered: Answered, held: Position) -> None:
    ((_, due_micro),) = answered.request.given
    payout = dict(answered.done.gained).get(USD, 0)
    now = context.clock.now()
    after = held.reduced(due_micro, payout, now)
    for number in range(1, PAYOUTS_MAX + 1):
        transfers = settlement(held.portfolio_id, held.condition_id, held.token_id, due_micro, payout, now, number)
        # A number that is taken was for other shares, since the store compares what is held with what it has.
        if await context.store.settle(held.portfolio_id, transfers, after, now, held, answered.closes):
            return
    raise InvariantBroken(f"position in {held.token_id} was paid {PAYOUTS_MAX} times and still holds shares")
