"""The gate between a decision and the venue: only ``check`` makes an ApprovedOrder (it is the Venue's only input)."""

from __future__ import annotations

from polymarket_kit.fees import worst_fee
from polymarket_kit.model import Side
from polymarket_kit.values import MICRO, format_usd, micro_to_text, multiply_up
from prescient.domain.market import TradingRules
from prescient.domain.order import ApprovedOrder, OrderIntent, Refused
from prescient.domain.portfolio import Portfolio, PortfolioStatus


def check(intent: OrderIntent, portfolio: Portfolio, held_micro: int, rules: TradingRules) -> ApprovedOrder | Refused:
    """Approve an intent and say what to reserve for it, or refuse with the number and the limit that decided.

    ``held_micro`` is the portfolio's shares of the token.
    """
    assert intent.portfolio_id == portfolio.portfolio_id
    assert (intent.amount_micro == 0) != (intent.size_micro == 0)
    if portfolio.status is not PortfolioStatus.ACTIVE:
        return Refused(
            "portfolio_not_active", f"the portfolio is {portfolio.status.value}", "status", portfolio.status.value
        )
    if not 0 < intent.limit_price_micro < MICRO:
        text = micro_to_text(intent.limit_price_micro)
        return Refused("price_out_of_range", "the limit price is not between 0 and 1", "price", text)
    if intent.side is Side.SELL:
        if intent.size_micro > held_micro:
            return Refused(
                "insufficient_shares", "more shares than the portfolio holds", "size", micro_to_text(intent.size_micro)
            )
        return ApprovedOrder(intent, reserved_cash_micro=0, reserved_shares_micro=intent.size_micro)
    amount = intent.amount_micro or multiply_up(intent.size_micro, intent.limit_price_micro)
    needed = amount + worst_fee(rules.fees, amount)
    if needed > portfolio.available_micro:
        return Refused(
            "insufficient_cash",
            f"the trade needs up to {format_usd(needed)} with fees, {format_usd(portfolio.available_micro)} is available",
            "trade_size_usd",
            micro_to_text(portfolio.available_micro),
        )
    return ApprovedOrder(intent, reserved_cash_micro=needed, reserved_shares_micro=0)
