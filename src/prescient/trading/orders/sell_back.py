"""Sell back: the filled legs of a set that could not be completed, after execute or after recovery."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from polymarket_kit.model import Side
from prescient.domain.market import TradingRules
from prescient.domain.obligation import sell_back_owed
from prescient.domain.order import Refused, Trade, Unresolved
from prescient.domain.reasons import SELL_BACK_PREFIX, Reason
from prescient.domain.signal import Signal
from prescient.ports.context import TradingContext
from prescient.ports.venue import Venue
from prescient.trading.orders.approve import approve
from prescient.trading.orders.book import book_answer
from prescient.trading.orders.submit import submit_order

# Exit at any price: the set's profit is gone, the open risk must not stay. The amount is the leg's own shares.
SELL_BACK_CONFIG = {"max_slippage_pct": 100, "trade_size_usd": 0}
SIGNALS_MAX = 100_000
WAITS = Refused(
    f"{SELL_BACK_PREFIX}{Reason.NOT_MINED}", "another leg was not filled; this one is sold back once it is mined"
)

Outcome = tuple[Signal, Trade | Refused | Unresolved]


async def owe_sell_backs(context: TradingContext, group: Signal) -> list[Outcome]:
    """Owe the sale of the filled legs of a signal's set, which is carried out once they are mined.

    To be called before the last order of the set is closed, because an open one alone tells that the set is not whole,
    and when no leg's outcome is unknown any more. Again changes nothing.
    """
    signals = await context.store.signals(cycle_id=group.cycle_id, portfolio_id=group.portfolio_id, limit=SIGNALS_MAX)
    legs = [
        leg
        for leg in signals
        # Shares that were sold are no open risk, and nobody decided on buying them again at any price.
        if leg.group_id == group.group_id
        and leg.side is Side.BUY
        and await context.store.fills(f"order:{leg.signal_id}")
    ]
    now = context.clock.now()
    due_at = now + timedelta(seconds=context.settlement.mined_after_s)
    await context.store.owe([sell_back_owed(leg.portfolio_id, leg.signal_id, now, due_at) for leg in legs])
    return [(leg, WAITS) for leg in legs]


def unwind_id(signal_id: str, attempt: int) -> str:
    """The id of the signal that sells a leg back: each attempt has its own, because a signal has at most one order."""
    return f"{signal_id}:unwind" + (f":{attempt}" if attempt else "")


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
        signal_id=unwind_id(signal.signal_id, attempt),
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
