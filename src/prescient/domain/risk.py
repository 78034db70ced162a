"""The gate between a decision and the venue: only ``check`` makes an ApprovedOrder (it is the Venue's only input)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from polymarket_kit.fees import worst_fee
from polymarket_kit.model import Side
from polymarket_kit.values import MICRO, format_usd, micro_to_text, multiply_up
from prescient.domain.errors import InvariantBroken
from prescient.domain.market import TradingRules
from prescient.domain.order import ApprovedOrder, OrderIntent, Refused
from prescient.domain.portfolio import PortfolioStatus
from prescient.domain.reasons import Reason


@dataclass(frozen=True, slots=True)
class Holdings:
    """What an approval relies on, as the store reads it under the portfolio's lock: the portfolio and one token.

    ``cash_micro`` includes ``reserved_micro``. ``set_aside_micro`` are shares of the token that open SELL orders of this
    portfolio may still take: what is left of a resting one, all of one on its way. What settles is owned, but can
    neither be sold nor spent yet.
    """

    portfolio_id: int
    status: PortfolioStatus
    cash_micro: int
    reserved_micro: int
    held_micro: int = 0
    set_aside_micro: int = 0
    settling_shares_micro: int = 0
    settling_cash_micro: int = 0
    open_positions: int = 0

    def __post_init__(self) -> None:
        assert 0 <= self.reserved_micro <= self.cash_micro
        assert min(self.held_micro, self.set_aside_micro, self.settling_shares_micro, self.settling_cash_micro) >= 0

    @property
    def free_cash_micro(self) -> int:
        return max(self.cash_micro - self.reserved_micro - self.settling_cash_micro, 0)

    @property
    def free_shares_micro(self) -> int:
        # Shares that were paid out at resolution may leave a resting SELL with nothing behind it.
        return max(self.held_micro - self.set_aside_micro - self.settling_shares_micro, 0)


ALREADY_ORDERED = Refused(Reason.ALREADY_ORDERED, "this signal has an order already")

# Pure: a store calls it under its lock, and again when it repeats a transaction.
Check = Callable[[Holdings], ApprovedOrder | Refused]


def check(intent: OrderIntent, rules: TradingRules, holdings: Holdings) -> ApprovedOrder | Refused:
    """Approve an intent and say what to reserve for it, or refuse with the number and the limit that decided."""
    assert intent.portfolio_id == holdings.portfolio_id
    assert (intent.amount_micro == 0) != (intent.size_micro == 0)
    if holdings.status is not PortfolioStatus.ACTIVE:
        return Refused(
            Reason.PORTFOLIO_NOT_ACTIVE, f"the portfolio is {holdings.status.value}", "status", holdings.status.value
        )
    if not 0 < intent.limit_price_micro < MICRO:
        text = micro_to_text(intent.limit_price_micro)
        return Refused(Reason.PRICE_OUT_OF_RANGE, "the limit price is not between 0 and 1", "price", text)
    if intent.side is Side.SELL:
        return _check_sale(intent, holdings)
    amount = intent.amount_micro or multiply_up(intent.size_micro, intent.limit_price_micro)
    needed = amount + worst_fee(rules.fees, amount)
    free = holdings.free_cash_micro
    if needed > free:
        return Refused(
            Reason.INSUFFICIENT_CASH,
            f"the trade needs up to {format_usd(needed)} with fees, {format_usd(free)} is available",
            "trade_size_usd",
            micro_to_text(free),
        )
    return ApprovedOrder(intent, reserved_cash_micro=needed, reserved_shares_micro=0)


def _check_sale(intent: OrderIntent, holdings: Holdings) -> ApprovedOrder | Refused:
    free = holdings.free_shares_micro
    if intent.size_micro > free:
        reason = f"more shares than are free: of {micro_to_text(holdings.held_micro)} held, {micro_to_text(free)} are"
        return Refused(Reason.INSUFFICIENT_SHARES, reason, "size", micro_to_text(intent.size_micro))
    return ApprovedOrder(intent, reserved_cash_micro=0, reserved_shares_micro=intent.size_micro)


def approved_before(intent: OrderIntent, reserved_cash_micro: int, reserved_shares_micro: int) -> ApprovedOrder:
    """Return the verdict of an earlier ``check`` as a store kept it: for reading an order's row back, nothing else."""
    assert reserved_cash_micro >= 0 and reserved_shares_micro >= 0
    return ApprovedOrder(intent, reserved_cash_micro, reserved_shares_micro)


def refuse_overdrawn(approved: ApprovedOrder, intent: OrderIntent, holdings: Holdings) -> None:
    """Raise InvariantBroken for a verdict on another order or beyond what is free: the store's guard before it writes."""
    if approved.intent != intent:
        raise InvariantBroken(f"order {intent.order_id} was answered with another one's approval; nothing was reserved")
    if approved.reserved_cash_micro > holdings.free_cash_micro:
        raise InvariantBroken(f"order {intent.order_id} was approved for more cash than is free; nothing was reserved")
    if approved.reserved_shares_micro > holdings.free_shares_micro:
        raise InvariantBroken(
            f"order {intent.order_id} was approved for more shares than are free; nothing was reserved"
        )
