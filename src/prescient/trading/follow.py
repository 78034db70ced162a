"""Follow: what a venue tells of its orders by itself is booked, once, in whatever order and however often it is told.

Run by the one loop that holds the venue, beside ``orders.resolve``, which asks about what was not told.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from datetime import timedelta

import structlog

from prescient.domain.booking import OrderUpdate
from prescient.domain.errors import StoreUnavailable
from prescient.domain.order import TERMINAL_STATUSES, Accepted, Fill
from prescient.domain.order_state import ENDINGS, Fact, FactKind, fill_id, matches_of, state_of
from prescient.domain.settlement import SettlementState
from prescient.domain.signal import BY_HAND
from prescient.domain.venue_answers import UpdatesMissed, VenueUpdate
from prescient.ports.context import TradingContext
from prescient.trading.orders.portfolio_lock import executing, placing_by_hand
from prescient.trading.orders.resolve import Waiting, book_new_fills, book_news, resolve_all, resolve_orders
from prescient.trading.orders.submit import answer_of
from prescient.trading.orders.updates import book_update
from prescient.trading.positions.settling import DUE_MAX, reverse_failed

log = structlog.get_logger(__name__)

# An execution under way books its own answers first.
WAIT_S = 120.0
FAR = timedelta(days=36_500)
ENDS = {kind: status for status, kind in ENDINGS.items() if kind is not FactKind.COMPLETED}
CHAIN = {
    FactKind.MINED: SettlementState.MINED,
    FactKind.CONFIRMED: SettlementState.CONFIRMED,
    FactKind.FAILED: SettlementState.FAILED,
}


async def follow(context: TradingContext, updates: AsyncGenerator[VenueUpdate]) -> None:
    """Book what a venue tells until it ends; after what it missed, resolve all open orders.

    Raises what ``updates`` raises, StoreUnavailable, and of a venue of ours what a booking raises: then restore.
    """
    async with aclosing(updates):
        async for update in updates:
            if isinstance(update, UpdatesMissed):
                await resolve_all(context)
            elif isinstance(update, OrderUpdate):
                await book_update(context, update)
            else:
                await _book_or_log(context, update)


async def _book_or_log(context: TradingContext, fact: Fact) -> None:
    """Book a fact; one that cannot be booked must not keep the others from it. Raises StoreUnavailable."""
    try:
        await book_told(context, fact)
    except StoreUnavailable:
        raise
    except Exception as error:  # whatever it was, it is this order's alone
        log.error("not booked", order_id=fact.order_id, fact_id=fact.fact_id, exc_info=error)


async def book_told(context: TradingContext, fact: Fact) -> bool:
    """Book one fact as a venue told it; False if it changes nothing. Raises what a booking raises, ExecutionRunning."""
    found = await context.store.order(fact.order_id)
    if found is None:
        log.warning("told of an order that is not ours", order_id=fact.order_id)
        return False
    intent = found[0].intent
    (signal,) = await context.store.signals(signal_ids=[intent.signal_id])
    owner = placing_by_hand if signal.cycle_id == BY_HAND else executing
    async with owner(context.store, intent.portfolio_id, WAIT_S):
        # Read again: whoever had it may have booked this.
        found = await context.store.order(fact.order_id)
        assert found is not None
        one = Waiting(*found, signal)
        if fact.kind in CHAIN:
            return await _settle(context, one, fact)
        if fact.kind is FactKind.MATCHED:
            return await _book_match(context, one, fact)
        if one.status in TERMINAL_STATUSES:
            return False
        if intent.group_id or fact.kind is FactKind.COMPLETED:
            # The end of a leg concerns its set, and what is complete may have fills that are told later.
            return fact.order_id in await resolve_orders(context, intent.portfolio_id)
        return await _book_stand(context, one, fact)


async def _book_match(context: TradingContext, one: Waiting, fact: Fact) -> bool:
    kept = await context.store.facts(fact.order_id)
    booked = matches_of(kept)
    if fact.match_id in booked:
        # A match that is told with other numbers is a contradiction, not a repetition.
        state_of([booked[fact.match_id], replace(fact, fill_id=booked[fact.match_id].fill_id)])
        return False
    numbered = replace(fact, fill_id=fill_id(fact.order_id, len(booked)), text=fact.match_id)
    status = state_of([*kept, numbered]).status
    fill = Fill(fact.price_micro, fact.size_micro, fact.cost_micro, fact.fee_micro, fact.match_id)
    return await book_news(context, one, Accepted(fact.order_id, status, (fill,), fact.time), booked)


async def _book_stand(context: TradingContext, one: Waiting, fact: Fact) -> bool:
    """Book that an order was accepted, or has ended with what is matched so far."""
    kept = await context.store.facts(fact.order_id)
    if fact.kind not in (FactKind.ACKNOWLEDGED, *ENDS) or fact.fact_id in {known.fact_id for known in kept}:
        return False
    status = ENDS.get(fact.kind) or state_of([*kept, fact]).status
    return await book_news(
        context, one, Accepted(fact.order_id, status, (), fact.time, reason=fact.text), matches_of(kept)
    )


async def _settle(context: TradingContext, one: Waiting, fact: Fact) -> bool:
    """Carry a match on as the chain did. One that was not told yet is asked for first."""
    kept = await context.store.facts(fact.order_id)
    booked = matches_of(kept)
    if fact.match_id not in booked:
        venue = context.venue_of(await context.store.portfolio(one.order.intent.portfolio_id))
        answer = await answer_of(venue.resolve(one.order), fact.order_id)
        if isinstance(answer, Accepted):
            await book_new_fills(context, one, answer)
        booked = matches_of(await context.store.facts(fact.order_id))
    now, portfolio_id, state = context.clock.now(), one.order.intent.portfolio_id, CHAIN[fact.kind]
    name = booked[fact.match_id].fill_id if fact.match_id in booked else ""
    for trade in await context.store.due_settlements(now + FAR, portfolio_id, DUE_MAX):
        # Matches that were booked as one trade settle as one, by its model: what is said of one is not so of the others.
        if trade.fill_count > 1 or fill_id(trade.order_id, trade.first_number) != name or trade.state is state:
            continue
        settled = replace(trade, state=state, settled_at=now)
        if state is not SettlementState.FAILED:
            await context.store.save_settled(portfolio_id, [settled], now)
            return True
        if await reverse_failed(context, settled):
            return True
    if state is SettlementState.FAILED and FactKind.FAILED not in {one.kind for one in kept if one.fill_id == name}:
        log.error("a match failed on the chain and is not undone", order_id=fact.order_id, match=fact.match_id)
    return False
