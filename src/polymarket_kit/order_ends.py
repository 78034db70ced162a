"""What ends a resting order at the venue though nobody asked for it, with the state that the venue gives it and our words.

The exchange ends its orders by these, and so must whoever models orders at the venue: market data tells of few of them,
and none is told as the end of an order.
"""

from __future__ import annotations

from enum import Enum


class OrderEnd(Enum):
    """``status`` is the order's state in the venue's words, ``text`` the reason for people."""

    # The venue clears the book at the start of a game ("clearBookOnStart"); the market goes on.
    GAME_START = ("CANCELED", "the game has started, and the venue clears the book then")
    # Orders do not survive every restart of the matching engine (those of 2026-04-28 did not).
    RESTART_WIPE = ("CANCELED", "the venue was restarted without the orders that rested there")
    MARKET_CLOSED = ("CANCELED_MARKET_NOT_FOUND", "the market takes no orders any more")
    RESOLUTION = ("CANCELED_MARKET_RESOLVED", "the market is resolved")
    # A balance or an allowance has fallen below what open orders promise.
    UNDER_FUNDED = ("CANCELED_NOT_ENOUGH_BALANCE", "the balance or allowance no longer covers the order")
    EXPIRY = ("CANCELED_EXPIRED_ORDER", "the order's time is over")
    NEW_TICK = ("INVALID", "order price breaks the new minimum tick size")

    def __init__(self, status: str, text: str) -> None:
        self.status = status
        self.text = text
