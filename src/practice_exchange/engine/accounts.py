"""Accounts: balances of dollars and shares, what open orders reserve, and what is matched but not settled."""

from __future__ import annotations

from dataclasses import dataclass

from polymarket_kit.rejections import Rejection, allowance_too_small, balance_too_small
from practice_exchange.engine.orders import Order, OrderState, Restriction

LIVE, DELAYED = OrderState.LIVE, OrderState.DELAYED
OPEN_SLACK = 64
# An approval for "any amount", as clients give it.
UNLIMITED_MICRO = 2**256 - 1
# The key of dollars where assets are named; everything else is a token id.
COLLATERAL = "collateral"


@dataclass(slots=True)
class Holding:
    """One asset of one account, in micro.

    ``balance_micro`` is what the chain says. ``active_micro`` is held back by open orders, ``matched_micro`` is owed to
    trades that are not yet mined. Only what is left of the balance can back a new order.
    """

    balance_micro: int = 0
    active_micro: int = 0
    matched_micro: int = 0
    # None means unlimited; unlimited is the usual case and must cost nothing.
    allowance_micro: int | None = None

    @property
    def free_micro(self) -> int:
        return self.balance_micro - self.active_micro - self.matched_micro

    @property
    def overdrawn(self) -> bool:
        """Whether open orders promise more than there is or than the exchange may take."""
        promised_micro = self.active_micro + self.matched_micro
        if promised_micro > self.balance_micro:
            return True
        return self.allowance_micro is not None and promised_micro > self.allowance_micro

    def refuse(self, needed_micro: int) -> Rejection | None:
        """Return the venue's refusal of an order that needs so much, or None."""
        promised_micro = self.active_micro + self.matched_micro + needed_micro
        if promised_micro > self.balance_micro:
            return balance_too_small(self.balance_micro, self.active_micro, self.matched_micro, needed_micro)
        if self.allowance_micro is not None and promised_micro > self.allowance_micro:
            return allowance_too_small(self.allowance_micro, self.active_micro, self.matched_micro, needed_micro)
        return None


class Account:
    """An address with its holdings and its open orders (resting and delayed).

    ``open_list`` still holds orders that are open no more; it is swept when it has grown to twice those that are. A
    dictionary would be plainer, and was measured to cost an eighth of the whole exchange's time.
    """

    __slots__ = ("account_id", "collateral", "open_count", "open_limit", "open_list", "restriction", "shares")

    def __init__(self, account_id: str) -> None:
        self.account_id = account_id
        self.collateral = Holding()
        self.shares: dict[str, Holding] = {}
        self.open_list: list[Order] = []
        self.open_count = 0
        self.open_limit = OPEN_SLACK
        self.restriction = Restriction.NONE

    def holding(self, asset: str) -> Holding:
        """The holding of ``COLLATERAL`` or of a token; it comes to be when first asked for."""
        if asset == COLLATERAL:
            return self.collateral
        held = self.shares.get(asset)
        if held is None:
            held = self.shares[asset] = Holding()
        return held

    def add_open(self, order: Order) -> None:
        """Count an order as open; whoever ends it takes one from ``open_count``."""
        self.open_count += 1
        self.open_list.append(order)
        if len(self.open_list) > self.open_limit:
            self.sweep()

    def sweep(self) -> None:
        """Forget the orders that are open no more."""
        self.open_list = self._still_open()
        self.open_limit = 2 * self.open_count + OPEN_SLACK

    def all_open(self) -> list[Order]:
        """All open orders, oldest first."""
        return sorted(self._still_open(), key=lambda order: order.sequence)

    def _still_open(self) -> list[Order]:
        found = [order for order in self.open_list if order.status is LIVE or order.status is DELAYED]
        assert len(found) == self.open_count
        return found
