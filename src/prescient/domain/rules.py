"""From a decision to an order's price: our own choice of a limit. What the venue demands of it is in ``polymarket_kit.rules``."""

from __future__ import annotations

from polymarket_kit.model import Side
from polymarket_kit.values import MICRO


def floor_to(value_micro: int, step_micro: int) -> int:
    """Round down to a multiple of a step."""
    return value_micro // step_micro * step_micro


def ceil_to(value_micro: int, step_micro: int) -> int:
    """Round up to a multiple of a step."""
    return -(-value_micro // step_micro) * step_micro


def worst_price(side: Side, reference_micro: int, slippage_micro: int, tick_micro: int) -> int:
    """Return the limit for a taker order: the reference moved against us by the slippage, on the grid, inside [tick, 1-tick].

    ``slippage_micro`` is a share of the price (20,000 is 2 %).
    """
    moved = reference_micro * slippage_micro // MICRO
    if side is Side.BUY:
        limit = max(floor_to(reference_micro + moved, tick_micro), ceil_to(reference_micro, tick_micro))
    else:
        limit = min(ceil_to(reference_micro - moved, tick_micro), floor_to(reference_micro, tick_micro))
    return min(max(limit, tick_micro), MICRO - tick_micro)
