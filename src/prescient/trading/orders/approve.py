"""Approve (step 5): a signal becomes an intent, passes the risk gate, and its order's row and reservation are committed."""

from __future__ import annotations

from functools import partial
from typing import Any

from polymarket_kit.model import OrderType, Side
from polymarket_kit.rules import MARKET_MAKER_STEP_MICRO
from polymarket_kit.values import parse_micro
from prescient.domain import risk
from prescient.domain.market import TradingRules
from prescient.domain.order import ApprovedOrder, OrderIntent, Refused
from prescient.domain.reasons import Reason
from prescient.domain.rules import floor_to, worst_price
from prescient.domain.signal import Signal
from prescient.ports.context import TradingContext


async def approve(
    context: TradingContext, signal: Signal, config: dict[str, Any], rules: TradingRules | None
) -> ApprovedOrder | Refused:
    """Pass one signal through the risk gate and commit its order's row and reservation."""
    if rules is None:
        return Refused(Reason.MARKET_NOT_FOUND, "the venue does not know this market any more")
    intent = intent_of(signal, config, rules)
    if not intent.amount_micro and not intent.size_micro:
        return Refused(Reason.BELOW_MINIMUM, "less than a hundredth of a share or of a dollar", "size")
    return await approve_intent(context, intent, rules)


async def approve_intent(context: TradingContext, intent: OrderIntent, rules: TradingRules) -> ApprovedOrder | Refused:
    """Pass one order through the risk gate, which judges it under the lock that reserves: a race lost is a refusal.

    For orders of cycles, of people and of loops alike. Raises PortfolioNotFound.
    """
    return await context.store.approve(intent, partial(risk.check, intent, rules), context.clock.now())


async def free_shares(context: TradingContext, portfolio_id: int, token_id: str, *, unanswered: bool = False) -> int:
    """The settled shares of a token that no resting order has set aside, in micro-shares.

    With ``unanswered`` those of orders on their way are not free either: a SELL that is tried again counts on its own.
    """
    position = await context.store.position(portfolio_id, token_id)
    if position is None or position.settled_micro == 0:
        return 0
    resting = {state.order_id: state.left_micro for _, state in await context.store.resting_orders()}
    held_micro = position.settled_micro
    for order, _ in await context.store.open_orders():
        intent = order.intent
        if (intent.portfolio_id, intent.token_id, intent.side) == (portfolio_id, token_id, Side.SELL):
            held_micro -= resting.get(intent.order_id, order.reserved_shares_micro if unanswered else 0)
    if unanswered:
        for request in await context.store.open_requests(portfolio_id):
            held_micro -= dict(request.given).get(token_id, 0)
    return max(held_micro, 0)


def intent_of(signal: Signal, config: dict[str, Any], rules: TradingRules) -> OrderIntent:
    """Build the order that a signal asks for: a FAK for the portfolio's trade size, legs of a set as FOK in shares."""
    slippage = parse_micro(config["max_slippage_pct"]) // 100
    limit = worst_price(signal.side, signal.price_micro, slippage, rules.tick_micro)
    amount, size = 0, floor_to(signal.size_micro, MARKET_MAKER_STEP_MICRO)
    if signal.side is Side.BUY and signal.size_micro == 0:
        amount = floor_to(parse_micro(config["trade_size_usd"]), MARKET_MAKER_STEP_MICRO)
    return OrderIntent(
        order_id=f"order:{signal.signal_id}",
        portfolio_id=signal.portfolio_id,
        signal_id=signal.signal_id,
        condition_id=signal.condition_id,
        token_id=signal.token_id,
        side=signal.side,
        order_type=OrderType.FOK if signal.group_id else OrderType.FAK,
        limit_price_micro=limit,
        amount_micro=amount,
        size_micro=size,
        group_id=signal.group_id,
    )
