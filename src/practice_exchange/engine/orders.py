"""The engine's input and output: orders as requested, orders as stored, and the answers."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from polymarket_kit.model import OrderType, Side
from polymarket_kit.rules import EXPIRATION_AHEAD_S, EXPIRES_EARLY_S, MARKETABLE_MINIMUM_MICRO, TAKER_DELAY_MS

# Prices are kept in points of a hundredth of a cent, the finest tick: 1..9,999. All six ticks are whole points.
POINTS = 10_000
POINT_MICRO = 100


class OrderState(StrEnum):
    """Where an order stands, in the venue's words of the user channel."""

    LIVE = "LIVE"
    MATCHED = "MATCHED"
    DELAYED = "DELAYED"
    UNMATCHED = "UNMATCHED"
    CANCELED = "CANCELED"
    CANCELED_MARKET_RESOLVED = "CANCELED_MARKET_RESOLVED"
    CANCELED_NOT_ENOUGH_BALANCE = "CANCELED_NOT_ENOUGH_BALANCE"
    CANCELED_MARKET_NOT_FOUND = "CANCELED_MARKET_NOT_FOUND"
    CANCELED_EXPIRED_ORDER = "CANCELED_EXPIRED_ORDER"
    CANCELED_ORDER_TIMED_OUT = "CANCELED_ORDER_TIMED_OUT"
    INVALID = "INVALID"


class OrderRequest(msgspec.Struct, frozen=True, gc=False):
    """An order as signed and posted, already verified: amounts in base units (micro), as on the wire.

    A BUY makes dollars and takes shares, a SELL the other way round. ``order_id`` is the order's hash, ``account_id``
    the address that funds it, ``owner`` the API key that posted it. ``expiration_s`` is zero unless GTD.
    """

    order_id: str
    account_id: str
    owner: str
    token_id: str
    side: Side
    order_type: OrderType
    maker_amount_micro: int
    taker_amount_micro: int
    expiration_s: int = 0
    post_only: bool = False


class Order(msgspec.Struct, gc=False):
    """An accepted order. ``ladder`` and ``points`` are its place in the unified book (see unified.py).

    ``amount_micro`` is the dollars that a market BUY spends; it is zero for all others, which trade ``size_micro``
    shares. ``reserved_micro`` is held back in dollars (BUY, fees included) or shares (SELL).
    """

    order_id: str
    account_id: str
    owner: str
    condition_id: str
    token_id: str
    side: Side
    order_type: OrderType
    ladder: int
    points: int
    price_micro: int
    size_micro: int
    amount_micro: int
    created_ms: int
    expires_ms: int = 0
    post_only: bool = False
    # What the order said about its end; it leaves the book earlier, at ``expires_ms``.
    expiration_s: int = 0
    reserved_micro: int = 0
    # Place in time: grows over the whole exchange, given when the order enters the book.
    sequence: int = 0
    status: OrderState = OrderState.LIVE
    matched_micro: int = 0
    closed_ms: int = 0
    trade_ids: list[int] | None = None
    # The part of ``matched_micro`` that was matched while it rested; its limit is rounded once over all of it.
    made_micro: int = 0

    @property
    def remaining_micro(self) -> int:
        return max(self.size_micro - self.matched_micro, 0)


class Placed(msgspec.Struct, frozen=True, gc=False):
    """The exchange took the order. ``status`` is LIVE, MATCHED (filled, wholly or in part), DELAYED or UNMATCHED.

    ``making_micro`` and ``taking_micro`` are what matched now, without fees. ``due_ms`` is when a delayed one acts;
    ``waits`` says that the answer over HTTP is held back until then (``TAKER_DELAY_MS``) instead of saying "delayed" at once.
    """

    order_id: str
    status: OrderState = OrderState.LIVE
    making_micro: int = 0
    taking_micro: int = 0
    trade_ids: tuple[int, ...] = ()
    due_ms: int = 0
    waits: bool = False


class CancelReport(msgspec.Struct, frozen=True, gc=False):
    """Answer of every form of cancel: the ids that went, and with each other id why it did not."""

    canceled: tuple[str, ...] = ()
    not_canceled: tuple[tuple[str, str], ...] = ()


class Restriction(StrEnum):
    """What the venue may do to an address."""

    NONE = "none"
    BANNED = "banned"
    CLOSED_ONLY = "closed_only"


class Mode(StrEnum):
    """What the exchange as a whole takes."""

    NORMAL = "normal"
    RESTARTING = "restarting"
    POST_ONLY = "post_only"
    CANCEL_ONLY = "cancel_only"
    DISABLED = "disabled"


class ExchangeRules(msgspec.Struct, frozen=True):
    """The venue's numbers (order rules of its documentation). Times in milliseconds, money in micro-dollars."""

    taker_delay_ms: int = TAKER_DELAY_MS
    expires_early_ms: int = EXPIRES_EARLY_S * 1000
    expiration_ahead_ms: int = EXPIRATION_AHEAD_S * 1000
    post_only_window_ms: int = 120_000
    marketable_minimum_micro: int = MARKETABLE_MINIMUM_MICRO
    rebate_minimum_micro: int = 1_000_000
