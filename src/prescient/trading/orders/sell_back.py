"""Sell back: the filled legs of a set that could not be completed, after execute or after recovery."""

from __future__ import annotations

from dataclasses import replace

from polymarket_kit.model import Side
from polymarket_kit.values import MICRO
from prescient.domain.market import TradingRules
from prescient.domain.order import TERMINAL_STATUSES, Refused, Trade, Unresolved
from prescient.domain.reasons import SELL_BACK_PREFIX, Reason
from prescient.domain.signal import Signal
from prescient.ports.context import TradingContext
from prescient.ports.venue import Venue
from prescient.trading.orders.approve import approve
from prescient.trading.orders.book import book_answer
from prescient.trading.orders.submit import submit_order

# Out at any price: the set's profit is gone, the open risk must not stay. The amount is the leg's own shares.
SELL_BACK_CONFIG = {"max_slippage_pct": 100, "trade_size_usd": 0}
SIGNALS_MAX = 100_000

Outcome = tuple[Signal, Trade | Refused | Unresolved]


async def sell_back_group(context: TradingContext, venue: Venue, group: Signal) -> list[Outcome]:
    """Sell what is left of the filled legs of a signal's set, once no leg's outcome is unknown any more.

    To be called before the last order of the set is closed, because an open one alone tells that the set is not whole.
    An ``Unresolved`` among the outcomes: it must stay open. Raises VenueUnavailable.
    """
    signals = await context.store.signals(cycle_id=group.cycle_id, portfolio_id=group.portfolio_id, limit=SIGNALS_MAX)
    open_ids = {
        order.intent.signal_id for order, status in await context.store.open_orders() if status not in TERMINAL_STATUSES
    }
    outcomes: list[Outcome] = []
    for leg in signals:
        if leg.group_id != group.group_id or leg.side is Side.SELL:
            # Shares that were sold are no open risk, and nobody decided on buying them again at any price.
            continue
        bought = await context.store.fills(f"order:{leg.signal_id}")
        if not bought:
            continue
        back = [other for other in signals if other.signal_id.startswith(f"{leg.signal_id}:unwind")]
        if any(one.signal_id in open_ids for one in back):
            outcomes.append((leg, Unresolved(Reason.GROUP_SUSPENDED, "it is not known what was sold back")))
            continue
        size = sum(fill.size_micro for fill in bought)
        left = size
        for one in back:
            left -= sum(fill.size_micro for fill in await context.store.fills(f"order:{one.signal_id}"))
        assert 0 <= left <= size
        if left:
            rules = (await context.market_data.rules([leg.condition_id])).get(leg.condition_id)
            price = sum(fill.cost_micro for fill in bought) * MICRO // size
            outcomes.append(await sell_back(context, venue, leg, price, left, rules, attempt=len(back)))
    return outcomes


async def sell_back(
    context: TradingContext,
    venue: Venue,
    signal: Signal,
    price_micro: int,
    size_micro: int,
    rules: TradingRules | None,
    attempt: int = 0,
) -> Outcome:
    """Sell a leg of a set that could not be completed: a lone leg is a bet that nobody decided on.

    ``price_micro`` is what a share cost; ``attempt`` counts what was tried before, because a signal has at most one order.
    """
    back = replace(
        signal,
        signal_id=f"{signal.signal_id}:unwind" + (f":{attempt}" if attempt else ""),
        side=Side.SELL,
        price_micro=price_micro,
        size_micro=size_micro,
        group_id="",
        reason="the other leg of the set was not filled",
    )
    await context.store.save_signals([back])
    approved = await approve(context, back, SELL_BACK_CONFIG, rules)
    if isinstance(approved, Refused):
        return back, replace(approved, code=f"{SELL_BACK_PREFIX}{approved.code}")
    sold = await book_answer(context, approved, await submit_order(context, venue, approved), back)
    return back, sold if isinstance(sold, Trade) else replace(sold, code=f"{SELL_BACK_PREFIX}{sold.code}")
