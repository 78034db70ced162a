"""Sell back: the filled legs of a set that could not be completed, after execute or after recovery."""

from __future__ import annotations

from dataclasses import replace

from polymarket_kit.model import Side
from prescient.domain.market import TradingRules
from prescient.domain.order import Refused, Trade
from prescient.domain.signal import Signal
from prescient.ports.context import TradingContext
from prescient.trading.orders.approve import approve
from prescient.trading.orders.book import book_answer

# Out at any price: the set's profit is gone, the open risk must not stay. The amount is the leg's own shares.
SELL_BACK_CONFIG = {"max_slippage_pct": 100, "trade_size_usd": 0}


async def sell_back(
    context: TradingContext, signal: Signal, trade: Trade, size_micro: int, rules: TradingRules | None, attempt: int = 0
) -> tuple[Signal, Trade | Refused]:
    """Sell a leg of a set that could not be completed: a lone leg is a bet that nobody decided on.

    ``attempt`` counts what was tried before, because a signal has at most one order. Raises VenueUnavailable.
    """
    back = replace(
        signal,
        signal_id=f"{signal.signal_id}:unwind" + (f":{attempt}" if attempt else ""),
        side=Side.SELL,
        price_micro=trade.price_micro,
        size_micro=size_micro,
        group_id="",
        reason="the other leg of the set was not filled",
    )
    await context.store.save_signals([back])
    approved = await approve(context, back, SELL_BACK_CONFIG, rules)
    if isinstance(approved, Refused):
        return back, replace(approved, code=f"unwind_{approved.code}")
    venue = context.venue_of(await context.store.portfolio(signal.portfolio_id))
    sold = await book_answer(context, approved, await venue.submit(approved), back)
    return back, replace(sold, code=f"unwind_{sold.code}") if isinstance(sold, Refused) else sold
