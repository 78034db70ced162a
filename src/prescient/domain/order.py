"""Orders, fills and trades: what a decision becomes once it may touch money."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from polymarket_kit.model import OrderType, Side
from prescient.domain.resting import RestingOrder


class OrderStatus(StrEnum):
    DRAFT = "DRAFT"
    APPROVED = "APPROVED"
    SUBMITTED = "SUBMITTED"
    OPEN = "OPEN"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    REJECTED = "REJECTED"
    REFUSED = "REFUSED"
    UNKNOWN = "UNKNOWN"


# Answered and in the book: it ends by a fill, a cancel or its time, not by asking the venue what became of it.
RESTING_STATUSES = frozenset({OrderStatus.OPEN, OrderStatus.PARTIALLY_FILLED})
TERMINAL_STATUSES = frozenset(
    {OrderStatus.FILLED, OrderStatus.CANCELED, OrderStatus.EXPIRED, OrderStatus.REJECTED, OrderStatus.REFUSED}
)


@dataclass(frozen=True, slots=True)
class OrderIntent:
    """What a signal asks for, before risk has looked at it.

    A market BUY names dollars (``amount_micro``); a SELL, and a BUY that must match another leg, name shares
    (``size_micro``). The other one is zero.
    ``limit_price_micro`` is the worst price accepted.
    """

    order_id: str
    portfolio_id: int
    signal_id: str
    condition_id: str
    token_id: str
    side: Side
    order_type: OrderType
    limit_price_micro: int
    amount_micro: int = 0
    size_micro: int = 0
    # Orders that only make sense together (both legs of a complete set) carry one group id.
    group_id: str = ""
    # Only for orders that may rest: refused rather than matched at once, and the venue's second of its end (0: none).
    post_only: bool = False
    expiration_s: int = 0


@dataclass(frozen=True, slots=True)
class Wire:
    """What is sent for an order or request, committed before it leaves: looked up by its hash, never signed anew."""

    order_hash: bytes
    signed_body: bytes
    salt: int


@dataclass(frozen=True, slots=True)
class ApprovedOrder:
    """An intent that passed ``risk.check``, with the cash or shares reserved for it. Nothing else makes one.

    ``wire`` is what was committed to be sent for it; None before that, and at a venue that sends nothing.
    """

    intent: OrderIntent
    reserved_cash_micro: int
    reserved_shares_micro: int
    wire: Wire | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """Risk said no: a value, stored and shown. ``limit`` names the setting, ``number`` the value that decided."""

    code: str
    reason: str
    limit: str = ""
    number: str = ""


@dataclass(frozen=True, slots=True)
class Fill:
    """One match at one price. ``fee_micro`` is the venue's fee on it, in dollars.

    ``match_id`` is the venue's name of it; empty where its number among the order's fills names it.
    """

    price_micro: int
    size_micro: int
    cost_micro: int
    fee_micro: int
    match_id: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Consumption:
    """What our own paper orders already took from one side of one unified book.

    ``token_id`` is the market's first token and ``side`` ("bids" or "asks") a side of its book; the second token's
    book is the mirror. ``levels`` maps a price to (shares taken, shares displayed when last seen), in micro-units.
    """

    token_id: str
    side: str
    levels: dict[int, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Accepted:
    """The venue took the order. ``fills`` is what matched at once; ``model`` names every assumption with its value."""

    venue_order_id: str
    status: OrderStatus
    fills: tuple[Fill, ...]
    time: datetime
    book_hash: str = ""
    model: tuple[tuple[str, str], ...] = ()
    consumption: Consumption | None = None
    reason: str = ""
    # What is left of the order waits in this place; the status is then OPEN or PARTIALLY_FILLED.
    resting: RestingOrder | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """The venue refused, definitively. ``code`` is ours and stable, ``reason`` is the venue's text."""

    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """The answer was lost. Never "not placed": resolved by the order's id, never by another order."""

    reason: str


Submission = Accepted | Rejected | Unknown


@dataclass(frozen=True, slots=True)
class Unresolved:
    """What became of an order is not known yet: neither traded nor refused. Its reservation stays until it is resolved.

    ``code`` is ``outcome_unknown`` when the venue's answer was lost, ``group_suspended`` when it waits for such an answer
    about another leg, else the code of the error that kept its answer from being booked. ``order_id`` names an order
    whose answer was lost.
    """

    code: str
    reason: str
    order_id: str = ""


@dataclass(frozen=True, slots=True)
class Trade:
    """The user's record of one order with its fills. ``amount_micro`` is dollars without the fee."""

    trade_id: str
    order_id: str
    portfolio_id: int
    signal_id: str
    cycle_id: str
    condition_id: str
    token_id: str
    market_question: str
    outcome: str
    side: Side
    size_micro: int
    amount_micro: int
    fee_micro: int
    price_micro: int
    realized_pnl_micro: int
    status: str
    time: datetime
    model: tuple[tuple[str, str], ...] = ()
    fills: tuple[Fill, ...] = ()
    # "matched", "mined", "confirmed" or "failed", as the store read it; trades of earlier releases count as confirmed.
    settlement: str = "confirmed"

    @property
    def reversed_micro(self) -> int:
        """The dollars without the fee that came back, or went back, because the trade failed on the chain."""
        return self.amount_micro if self.settlement == "failed" else 0
