"""Recovery: orders whose outcome is not known are resolved with their venue, cycles of dead processes are closed.

It happens at every start, and at the start of every execution of a portfolio, so that a running system heals as well.
"""

from __future__ import annotations

from prescient.ports.context import TradingContext
from prescient.trading.orders.resolve import resolve_all
from prescient.trading.positions.resolve import resolve_requests


async def recover(context: TradingContext) -> tuple[list[str], list[str]]:
    """Return the ids of the orders resolved and of the cycles closed. Safe to run at any time, any number of times."""
    cycles = await context.store.close_dead_cycles(context.clock.now())
    orders = await resolve_all(context)
    await resolve_requests(context)
    return orders, cycles
