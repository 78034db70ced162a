"""Updates: what happens to a paper order after its answer, booked one by one as it is told."""

from __future__ import annotations

from prescient.domain.booking import OrderUpdate
from prescient.domain.order import Accepted, ApprovedOrder
from prescient.ports.context import TradingContext
from prescient.trading.orders.book import book_matched


async def open_booked(context: TradingContext, order: ApprovedOrder) -> None:
    """An order that rests on paper is booked: from now on it may fill. Books what happened to it meanwhile."""
    resting, condition_id = context.resting, order.intent.condition_id
    assert resting is not None, "only the paper venue says where an order rests"
    async with resting.turn(condition_id):
        for update in [*resting.opened(order.intent.order_id), *resting.sweep(condition_id)]:
            await book_update(context, update)


async def book_update(context: TradingContext, update: OrderUpdate) -> None:
    """Book one update: deterministic names, so that it is booked once whoever tries again."""
    state, fill = update.resting, update.fill
    (signal,) = await context.store.signals(signal_ids=[update.order.intent.signal_id])
    answer = Accepted(
        venue_order_id=state.order_id,
        status=update.status,
        fills=(fill,) if fill else (),
        time=update.time,
        model=state.model,
        reason=update.reason,
        resting=state,
    )
    first_number = state.fill_count - 1 if fill else state.fill_count
    await book_matched(context, update.order, answer, signal, update.released_micro, first_number)
