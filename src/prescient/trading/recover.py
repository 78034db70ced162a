"""Recovery: orders whose answer was never booked are resolved with the venue, cycles of dead processes are closed.

It happens at every start, and at the start of every execution of a portfolio, so that a running system heals as well.
"""

from __future__ import annotations

import structlog

from prescient.domain.errors import ExecutionRunning, InvariantBroken, VenueUnavailable
from prescient.domain.order import RESTING_STATUSES, Accepted, ApprovedOrder, Unknown
from prescient.domain.signal import Signal
from prescient.ports.context import TradingContext
from prescient.ports.store import Store
from prescient.trading.orders.book import book_answer
from prescient.trading.orders.portfolio_lock import executing
from prescient.trading.orders.sell_back import sell_back

log = structlog.get_logger(__name__)

SIGNALS_MAX = 100_000
# A set that broke off did so among the latest trades of its portfolio.
TRADES_LOOKED_AT = 1_000


async def recover(context: TradingContext) -> tuple[list[str], list[str]]:
    """Return the ids of the orders resolved and of the cycles closed. Safe to run at any time, any number of times."""
    cycles = await context.store.close_dead_cycles(context.clock.now())
    resolved: list[str] = []
    waiting = dict.fromkeys(order.intent.portfolio_id for order in await _unanswered(context.store))
    for portfolio_id in waiting:
        try:
            async with executing(context.store, portfolio_id, wait_s=0):
                resolved += await resolve_orders(context, portfolio_id)
        except (ExecutionRunning, VenueUnavailable) as error:
            # Whoever executes resolves its own; and the next execution tries what the venue could not answer now.
            log.warning("orders_left_open", portfolio_id=portfolio_id, error=str(error))
    return resolved, cycles


async def resolve_orders(context: TradingContext, portfolio_id: int) -> list[str]:
    """Book what became of the portfolio's orders without an answer; returns their ids. To be called while ``executing``.

    Raises VenueUnavailable; what could not be resolved stays open and reserved.
    """
    waiting = [order for order in await _unanswered(context.store) if order.intent.portfolio_id == portfolio_id]
    resolved: list[str] = []
    if not waiting:
        return resolved
    venue = context.venue_of(await context.store.portfolio(portfolio_id))
    for order in waiting:
        answer = await venue.resolve(order)
        if isinstance(answer, Unknown):
            continue
        (signal,) = await context.store.signals(signal_ids=[order.intent.signal_id])
        filled = isinstance(answer, Accepted) and bool(answer.fills)
        if order.intent.group_id and not filled:
            # Before the order is closed, because it alone tells that the set is not whole.
            await _sell_back_legs(context, order, signal)
        try:
            await book_answer(context, order, answer, signal)
        except InvariantBroken:
            # A booking that was cut off may still reach the database after we saw its order open.
            if order in await _unanswered(context.store):
                raise
        resolved.append(order.intent.order_id)
    return resolved


async def _unanswered(store: Store) -> list[ApprovedOrder]:
    """Orders that may be on their way. Those that rest were answered: they end by a fill, a cancel or their time."""
    return [order for order, status in await store.open_orders() if status not in RESTING_STATUSES]


async def _sell_back_legs(context: TradingContext, order: ApprovedOrder, signal: Signal) -> None:
    """Sell what is left of the other legs of a set whose process ended between two of them."""
    portfolio_id = signal.portfolio_id
    signals = await context.store.signals(cycle_id=signal.cycle_id, portfolio_id=portfolio_id, limit=SIGNALS_MAX)
    trades = {trade.signal_id: trade for trade in await context.store.trades(portfolio_id, TRADES_LOOKED_AT)}
    for leg in signals:
        trade = trades.get(leg.signal_id)
        if leg.group_id != order.intent.group_id or trade is None:
            continue
        back = [other.signal_id for other in signals if other.signal_id.startswith(f"{leg.signal_id}:unwind")]
        left = trade.size_micro - sum(trades[name].size_micro for name in back if name in trades)
        if left > 0:
            rules = (await context.market_data.rules([leg.condition_id])).get(leg.condition_id)
            await sell_back(context, leg, trade, left, rules, attempt=len(back))
