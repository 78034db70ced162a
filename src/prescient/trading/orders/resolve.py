"""Resolve: what became of orders without a known outcome, asked of their venue and booked; nothing is sent again.

Called at the start of every execution, at every start of a process and by a round in the background. It holds the lock
of those whose orders it looks at, so that no living process owns what it finds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import structlog

from polymarket_kit.model import Side
from prescient.domain.errors import ExecutionRunning, InvariantBroken, StoreUnavailable
from prescient.domain.order import (
    RESTING_STATUSES,
    TERMINAL_STATUSES,
    Accepted,
    ApprovedOrder,
    OrderStatus,
    Submission,
    Unknown,
)
from prescient.domain.order_state import Fact, answered, matches_of
from prescient.domain.signal import BY_HAND, Signal
from prescient.ports.context import TradingContext
from prescient.ports.venue import Venue
from prescient.trading.orders.book import book_answer, book_matched, held_after
from prescient.trading.orders.portfolio_lock import executing, placing_by_hand
from prescient.trading.orders.sell_back import owe_sell_backs
from prescient.trading.orders.submit import answer_of
from prescient.trading.orders.updates import open_booked

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Waiting:
    """An order whose outcome is not known here."""

    order: ApprovedOrder
    status: OrderStatus
    signal: Signal


async def resolve_all(context: TradingContext) -> list[str]:
    """Resolve the orders of all portfolios whose venue this process holds; returns the ids of those resolved.

    Portfolios that another process is executing are skipped. Raises StoreUnavailable.
    """
    resolved: list[str] = []
    waiting = await _waiting(context, None)
    for portfolio_id in dict.fromkeys(one.signal.portfolio_id for one in waiting):
        portfolio = await context.store.portfolio(portfolio_id)
        if portfolio.venue not in context.venues:
            continue
        try:
            async with executing(context.store, portfolio_id, wait_s=0):
                resolved += await resolve_orders(context, portfolio_id)
        except ExecutionRunning as error:
            # Whoever executes resolves its own.
            log.info("orders left open", portfolio_id=portfolio_id, code=error.code)
    return resolved


async def resolve_orders(context: TradingContext, portfolio_id: int) -> list[str]:
    """Book what became of the portfolio's orders without a known outcome; returns their ids. To be called while ``executing``.

    What could not be resolved stays open and reserved, and does not block other orders. Raises StoreUnavailable.
    """
    waiting = await _waiting(context, portfolio_id)
    if not waiting:
        return []
    venue = context.venue_of(await context.store.portfolio(portfolio_id))
    by_hand = [one for one in waiting if one.signal.cycle_id == BY_HAND]
    resolved = await _resolve_units(context, venue, [one for one in waiting if one.signal.cycle_id != BY_HAND])
    if by_hand:
        try:
            async with placing_by_hand(context.store, portfolio_id, wait_s=0):
                # Read again: what was on its way may be answered by now.
                ids = {one.order.intent.order_id for one in by_hand}
                again = [one for one in await _waiting(context, portfolio_id) if one.order.intent.order_id in ids]
                resolved += await _resolve_units(context, venue, again)
        except ExecutionRunning as error:
            log.info("orders left open", portfolio_id=portfolio_id, code=error.code)
    return resolved


async def _waiting(context: TradingContext, portfolio_id: int | None) -> list[Waiting]:
    """Orders that may be on their way, oldest first. Those that rest on paper were answered; a venue's own are asked for."""
    on_paper = {state.order_id for _, state in await context.store.resting_orders()}
    found = [
        (order, status)
        for order, status in await context.store.open_orders()
        if portfolio_id in (None, order.intent.portfolio_id)
        and not (status in RESTING_STATUSES and order.intent.order_id in on_paper)
    ]
    if not found:
        return []
    known = await context.store.signals(signal_ids=[order.intent.signal_id for order, _ in found], limit=len(found))
    signals = {signal.signal_id: signal for signal in known}
    return [Waiting(order, status, signals[order.intent.signal_id]) for order, status in found]


async def _resolve_units(context: TradingContext, venue: Venue, waiting: Sequence[Waiting]) -> list[str]:
    """Resolve each order, and each set as one. One that fails does not block the others. Raises StoreUnavailable."""
    units: dict[str, list[Waiting]] = {}
    # Single orders first: a sale of a leg must be known before its set is put right.
    for one in sorted(waiting, key=lambda one: bool(one.order.intent.group_id)):
        units.setdefault(one.order.intent.group_id or one.order.intent.order_id, []).append(one)
    resolved: list[str] = []
    for name, unit in units.items():
        try:
            resolved += await _resolve_unit(context, venue, unit)
        except StoreUnavailable:
            raise
        except Exception as error:  # this unit stays open; the others must not wait for it
            log.error("order not resolved", unit=name, exc_info=error)
    return resolved


async def _resolve_unit(context: TradingContext, venue: Venue, unit: Sequence[Waiting]) -> list[str]:
    """Book what is filled; when all is known, put the set right, and only then close what is not filled."""
    unknown, resolved, unfilled = 0, list[str](), list[tuple[Waiting, Submission]]()
    for one in unit:
        answer = await answer_of(venue.resolve(one.order), one.order.intent.order_id)
        if isinstance(answer, Unknown):
            unknown += 1
        elif isinstance(answer, Accepted) and (answer.fills or answer.status not in TERMINAL_STATUSES):
            if await book_new_fills(context, one, answer):
                resolved.append(one.order.intent.order_id)
        else:
            unfilled.append((one, answer))
    grouped = bool(unit[0].order.intent.group_id)
    if not unfilled or (grouped and unknown):
        return resolved
    if grouped:
        await owe_sell_backs(context, unit[0].signal)
    for one, answer in unfilled:
        await _close(context, one, answer)
        resolved.append(one.order.intent.order_id)
    return resolved


async def _close(context: TradingContext, one: Waiting, answer: Submission) -> None:
    try:
        await book_answer(context, one.order, answer, one.signal)
    except InvariantBroken:
        # A booking that was cut off may still reach the database after we saw its order open.
        if any(order.intent.order_id == one.order.intent.order_id for order, _ in await context.store.open_orders()):
            raise


async def book_new_fills(context: TradingContext, one: Waiting, answer: Accepted) -> bool:
    """Book what an answer tells beyond what is booked already; returns whether it told anything new."""
    order_id = one.order.intent.order_id
    booked = matches_of(await context.store.facts(order_id))
    told = matches_of(answered(order_id, answer, answer.time))
    if any(name not in told or told[name].numbers != fact.numbers for name, fact in booked.items()):
        raise InvariantBroken(f"order {order_id}: the venue reports different fills than those that are booked")
    fills = tuple(fill for name, fill in zip(told, answer.fills, strict=True) if name not in booked)
    return await book_news(context, one, replace(answer, fills=fills), booked)


async def book_news(context: TradingContext, one: Waiting, news: Accepted, booked: Mapping[str, Fact]) -> bool:
    """Book fills that are not booked yet, and how the order stands with them; returns whether this is anything new."""
    if not news.fills and one.status is news.status:
        return False
    spent = (
        sum(fact.cost_micro + fact.fee_micro for fact in booked.values()) if one.order.intent.side is Side.BUY else 0
    )
    left = replace(one.order, reserved_cash_micro=one.order.reserved_cash_micro - spent)
    # At its end all that was reserved came free; what is told later is paid from cash.
    released = 0 if one.status in TERMINAL_STATUSES else left.reserved_cash_micro - held_after(left, news)
    assert 0 <= released <= left.reserved_cash_micro
    await book_matched(context, left, news, one.signal, released, len(booked))
    if news.resting is not None:
        await open_booked(context, one.order)
    return True
