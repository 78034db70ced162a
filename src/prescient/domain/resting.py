"""Resting orders: an order's place in its queue as it is kept over restarts, and what a maker's fill costs it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from polymarket_kit.model import Side
from polymarket_kit.values import MICRO, multiply_down, multiply_up


@dataclass(frozen=True, slots=True)
class RestingOrder:
    """One resting order and its place in the queue. Prices, sizes and dollars in micro-units, moments in ms since 1970.

    ``ahead_micro`` is never less than what truly stands before it, ``shown_micro`` what its level displayed when it was
    last seen. ``in_gap``: nothing fills until the whole book was seen again. ``held_cash_micro`` is still reserved for it.
    """

    order_id: str
    portfolio_id: int
    condition_id: str
    # The market's two tokens, first outcome first, and which of them is bought or sold.
    token_ids: tuple[str, str]
    token_id: str
    side: Side
    price_micro: int
    size_micro: int
    joined_ms: int
    expires_ms: int = 0
    filled_micro: int = 0
    fill_count: int = 0
    ahead_micro: int = 0
    shown_micro: int = 0
    held_cash_micro: int = 0
    in_gap: bool = True
    # Every assumption about it by name, for the trade records.
    model: tuple[tuple[str, str], ...] = ()

    @property
    def left_micro(self) -> int:
        return self.size_micro - self.filled_micro

    @property
    def ladder(self) -> int:
        """The side of the unified book: 0 for bids for the first token, 1 for the second (a SELL bids for the other)."""
        index = self.token_ids.index(self.token_id)
        return index if self.side is Side.BUY else 1 - index

    @property
    def ladder_price_micro(self) -> int:
        """Its price on that ladder, where the highest is the best."""
        return self.price_micro if self.side is Side.BUY else MICRO - self.price_micro

    def filled(self, size_micro: int) -> tuple[RestingOrder, int]:
        """Return the order after a maker's fill at its own price, and the dollars that change hands; makers pay no fee.

        A BUY has paid its limit for all it got, rounded up, a SELL is paid it rounded down: once over the order's whole
        life, also when it is cut short.
        """
        assert 0 < size_micro <= self.left_micro
        left, filled = self.left_micro - size_micro, self.filled_micro + size_micro
        if self.side is Side.BUY:
            cost = multiply_up(filled, self.price_micro) - multiply_up(self.filled_micro, self.price_micro)
            held = min(-(-self.held_cash_micro * left // self.left_micro), self.held_cash_micro - cost)
            assert held >= multiply_up(self.size_micro, self.price_micro) - multiply_up(filled, self.price_micro)
        else:
            cost = multiply_down(filled, self.price_micro) - multiply_down(self.filled_micro, self.price_micro)
            held = 0
        after = replace(
            self, filled_micro=self.filled_micro + size_micro, fill_count=self.fill_count + 1, held_cash_micro=held
        )
        return after, cost
