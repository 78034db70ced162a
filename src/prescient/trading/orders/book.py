"""Book: the venue's answer becomes transfers, a position and a trade, committed in one transaction."""

from __future__ import annotations

from dataclasses import replace

from polymarket_kit.model import Side
from polymarket_kit.values import MICRO
from prescient.domain.booking import Booking
from prescient.domain.errors import InvariantBroken, PositionMoved
from prescient.domain.ledger import Transfer, release
from prescient.domain.ledger import fills as fill_transfers
from prescient.domain.order import (
    TERMINAL_STATUSES,
    Accepted,
    ApprovedOrder,
    OrderStatus,
    Refused,
    Rejected,
    Submission,
    Trade,
    Unknown,
    Unresolved,
)
from prescient.domain.order_state import Fact, answered
from prescient.domain.portfolio import Position
from prescient.domain.reasons import Reason
from prescient.domain.settlement import SettlementModel
from prescient.domain.signal import Signal
from prescient.ports.context import TradingContext

BOOKING_ATTEMPTS_MAX = 5


async def book_answer(
    context: TradingContext, order: ApprovedOrder, answer: Submission, signal: Signal
) -> Trade | Refused | Unresolved:
    """Book the venue's answer in one transaction: money, shares, position, trade, signal.

    Of ``Unknown`` only that is kept, with the reservation: the venue is asked again. Never taken for "not placed".
    """
    now = context.clock.now()
    intent = order.intent
    if isinstance(answer, Unknown):
        await context.store.mark_unknown(intent.order_id, answer.reason, now)
        return Unresolved(Reason.OUTCOME_UNKNOWN, answer.reason, intent.order_id)
    if isinstance(answer, Rejected) or (not answer.fills and answer.status in TERMINAL_STATUSES):
        transfers = release(intent.portfolio_id, intent.order_id, order.reserved_cash_micro, now)
        code = answer.code if isinstance(answer, Rejected) else "not_filled"
        facts = answered(intent.order_id, answer, now)
        booking = Booking(intent.order_id, facts, tuple(transfers), None, None, signal.signal_id, answer.reason or code)
        await context.store.book(booking, now)
        return Refused(code, answer.reason)
    trade = await book_matched(context, order, answer, signal, order.reserved_cash_micro - held_after(order, answer))
    return trade or Refused(Reason.RESTING, "nothing matched at once; the order rests")


def held_after(order: ApprovedOrder, answer: Accepted) -> int:
    """The reserved cash, in micro-dollars, that an answer leaves reserved: for what rests, what is not spent."""
    if answer.resting is not None:
        return answer.resting.held_cash_micro
    if answer.status in TERMINAL_STATUSES or order.intent.side is Side.SELL:
        return 0
    held_micro = order.reserved_cash_micro - sum(fill.cost_micro + fill.fee_micro for fill in answer.fills)
    assert 0 <= held_micro <= order.reserved_cash_micro
    return held_micro


async def book_matched(
    context: TradingContext,
    order: ApprovedOrder,
    answer: Accepted,
    signal: Signal,
    released_micro: int,
    first_number: int = 0,
) -> Trade | None:
    """Book what became of an order now, in one transaction; returns the trade if anything matched.

    ``released_micro`` of its reserved cash come free; ``first_number`` is how many of its fills are booked already, which
    gives each booking of one order a name of its own. Raises PositionMoved, InvariantBroken.
    """
    intent, now = order.intent, context.clock.now()
    part = "" if answer.status in TERMINAL_STATUSES else str(first_number + len(answer.fills))
    moves = release(intent.portfolio_id, intent.order_id, released_micro, now, part)
    moves += fill_transfers(
        intent.portfolio_id, intent.order_id, intent.token_id, intent.side, answer.fills, answer.time, first_number
    )
    transfers = tuple(moves)
    facts = answered(intent.order_id, answer, now, first_number)
    if not answer.fills:
        ended = (intent.order_id, facts, transfers, None, None, signal.signal_id, answer.reason)
        await context.store.book(Booking(*ended, resting=answer.resting), now)
        return None
    for _ in range(BOOKING_ATTEMPTS_MAX):
        position = await context.store.position(intent.portfolio_id, intent.token_id)
        before = position or new_position(signal, answer)
        booking = _booking(order, answer, signal, before, transfers, first_number)
        booking = _settling(booking, context.settlement, facts, first_number)
        try:
            await context.store.book(booking, now)
        except PositionMoved:
            # Marked, settled or traded between our reading and our writing: computed anew from what it is now.
            continue
        return booking.trade
    raise PositionMoved(intent.token_id)


def _booking(
    order: ApprovedOrder,
    answer: Accepted,
    signal: Signal,
    before: Position,
    transfers: tuple[Transfer, ...],
    first_number: int,
) -> Booking:
    """Put together all that the fills change, computed from the position as it was read."""
    sold_micro = sum(fill.size_micro for fill in answer.fills) if order.intent.side is Side.SELL else 0
    if sold_micro > before.settled_micro:
        raise InvariantBroken(f"order {order.intent.order_id} sold more shares than the portfolio holds by now")
    after, realized = _moved(before, order, answer)
    return Booking(
        order.intent.order_id,
        (),
        transfers,
        _trade_record(order, answer, signal, realized, first_number),
        after,
        signal.signal_id,
        answer.reason,
        answer.consumption,
        before,
        answer.resting,
    )


def _settling(booking: Booking, model: SettlementModel, facts: tuple[Fact, ...], first_number: int) -> Booking:
    """Have the booked trade settle by the model, which its record names."""
    trade, before, after = booking.trade, booking.before, booking.position
    assert trade is not None and before is not None and after is not None
    settlement = model.begin(trade, before, after, first_number)
    named = replace(trade, model=(*trade.model, model.entry()), settlement=settlement.state.value)
    return replace(booking, facts=(*facts, *settlement.facts()), trade=named, settlement=settlement)


def new_position(signal: Signal, answer: Accepted) -> Position:
    """An empty position for a first fill."""
    return Position(
        portfolio_id=signal.portfolio_id,
        token_id=signal.token_id,
        condition_id=signal.condition_id,
        market_id=signal.market_id,
        market_question=signal.market_question,
        outcome=signal.outcome,
        size_micro=0,
        cost_micro=0,
        realized_pnl_micro=0,
        mark_price_micro=None,
        mark_value_micro=0,
        mark_source="cost",
        mark_time=None,
        opened_at=answer.time,
    )


def _moved(position: Position, order: ApprovedOrder, answer: Accepted) -> tuple[Position, int]:
    """Return the position after the fills and the profit they realised."""
    size = sum(fill.size_micro for fill in answer.fills)
    cost = sum(fill.cost_micro for fill in answer.fills)
    fee = sum(fill.fee_micro for fill in answer.fills)
    assert size > 0
    assert order.intent.side is Side.SELL or cost + fee <= order.reserved_cash_micro
    if order.intent.side is Side.BUY:
        return position.bought(size, cost + fee), 0
    after = position.reduced(size, max(cost - fee, 0), answer.time)
    return after, after.realized_pnl_micro - position.realized_pnl_micro


def _trade_record(
    order: ApprovedOrder, answer: Accepted, signal: Signal, realized_micro: int, first_number: int
) -> Trade:
    size = sum(fill.size_micro for fill in answer.fills)
    amount = sum(fill.cost_micro for fill in answer.fills)
    return Trade(
        trade_id=f"trade:{order.intent.order_id}" + (f":{first_number}" if first_number else ""),
        order_id=order.intent.order_id,
        portfolio_id=signal.portfolio_id,
        signal_id=signal.signal_id,
        cycle_id=signal.cycle_id,
        condition_id=signal.condition_id,
        token_id=signal.token_id,
        market_question=signal.market_question,
        outcome=signal.outcome,
        side=signal.side,
        size_micro=size,
        amount_micro=amount,
        fee_micro=sum(fill.fee_micro for fill in answer.fills),
        price_micro=amount * MICRO // size,
        realized_pnl_micro=realized_micro,
        status="filled" if answer.status is OrderStatus.FILLED else "partially_filled",
        time=answer.time,
        model=answer.model,
        fills=answer.fills,
    )
