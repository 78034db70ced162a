"""The engine's events, in order; answers, user and market frames, and the public trades are made from them."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

import msgspec

from polymarket_kit.model import Side
from polymarket_kit.rejections import Rejection
from practice_exchange.engine.orders import POINT_MICRO, POINTS, Order, OrderState, Placed
from practice_exchange.engine.settlement import Trade, TradeStatus


class OrderChange(StrEnum):
    """The venue's three types of an order message."""

    PLACEMENT = "PLACEMENT"
    UPDATE = "UPDATE"
    CANCELLATION = "CANCELLATION"


class OrderEvent(msgspec.Struct, frozen=True, gc=False):
    """An order changed. ``status`` and ``matched_micro`` are as of this event; the order itself may be further by now.

    ``reason`` is free text where the venue sends free text (a killed FOK), else empty.
    """

    change: OrderChange
    order: Order
    status: OrderState
    matched_micro: int
    time_ms: int
    reason: str = ""


class TradeEvent(msgspec.Struct, frozen=True, gc=False):
    """A trade came to be or moved on in its settlement. ``status`` is as of this event."""

    trade: Trade
    status: TradeStatus
    time_ms: int


class TokenLevel(NamedTuple):
    """One price of one token's own book."""

    token_index: int
    side: Side
    price_micro: int
    size_micro: int


class LevelChanged(msgspec.Struct, frozen=True, gc=False):
    """One price of a unified book has a new aggregate size (zero: the price is gone).

    ``ladder`` and ``points`` as in unified.py; ``order_id`` names the order that caused it.
    """

    condition_id: str
    ladder: int
    points: int
    size_micro: int
    order_id: str
    time_ms: int

    def sides(self) -> tuple[TokenLevel, TokenLevel]:
        """The same change as both tokens' books show it: a bid on one is the mirrored offer on the other."""
        price_micro = self.points * POINT_MICRO
        mirror_micro = (POINTS - self.points) * POINT_MICRO
        return (
            TokenLevel(self.ladder, Side.BUY, price_micro, self.size_micro),
            TokenLevel(1 - self.ladder, Side.SELL, mirror_micro, self.size_micro),
        )


class TickChanged(msgspec.Struct, frozen=True, gc=False):
    """A market's grid changed; books are to be read afresh."""

    condition_id: str
    old_tick_micro: int
    new_tick_micro: int
    time_ms: int


class MarketStage(StrEnum):
    """What a market takes. Only an open one takes orders; a closed one has no book; a resolved one pays."""

    WAITING = "waiting"
    OPEN = "open"
    CLOSED = "closed"
    RESOLVED = "resolved"


class MarketChanged(msgspec.Struct, frozen=True, gc=False):
    """A market moved to another stage, its book was cleared at the start of its game, or its terms changed."""

    condition_id: str
    stage: MarketStage
    time_ms: int
    cleared: bool = False
    payouts_micro: tuple[int, ...] = ()


class DelayOver(msgspec.Struct, frozen=True, gc=False):
    """A delayed order has acted: what the answer to its posting is now (held back for the taker delay, or for the user channel)."""

    order_id: str
    answer: Placed | Rejection
    time_ms: int


Event = OrderEvent | TradeEvent | LevelChanged | TickChanged | MarketChanged | DelayOver
