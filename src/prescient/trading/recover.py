"""Start-up is recovery: orders whose answer was never booked are resolved with the venue, cycles of dead processes closed."""

from __future__ import annotations

from prescient.domain.order import Unknown
from prescient.ports import Desk
from prescient.trading.execute import book_answer


async def recover(desk: Desk) -> tuple[list[str], list[str]]:
    """Return the ids of the orders resolved and of the cycles closed. Safe to run at any time, any number of times."""
    cycles = await desk.store.close_dead_cycles(desk.clock.now())
    resolved = []
    for order, _status in await desk.store.open_orders():
        answer = await desk.venue.resolve(order)
        if isinstance(answer, Unknown):
            continue
        intent = order.intent
        signals = await desk.store.signals(signal_ids=[intent.signal_id])
        await book_answer(desk, order, answer, signals[0])
        resolved.append(intent.order_id)
    return resolved, cycles
