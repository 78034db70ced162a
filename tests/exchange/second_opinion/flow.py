"""The neutral words of a flow: what is done to one market, and what is seen afterwards.

Money and shares are whole micro-units (1 dollar or share = 1,000,000), as in a signed order.
Nothing here belongs to either side of the comparison.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

MICRO = 1_000_000
BUY, SELL = "BUY", "SELL"
YES, NO, USD = "YES", "NO", "USD"
GTC, GTD, FOK, FAK = "GTC", "GTD", "FOK", "FAK"
DIRECT, MINT, MERGE = "direct", "mint", "merge"


@dataclass(frozen=True)
class Deposit:
    """Put money or tokens into an account's wallet."""

    account: str
    asset: str
    amount: int


@dataclass(frozen=True)
class Withdraw:
    """Take money or tokens out of an account's wallet, whatever its open orders hold back."""

    account: str
    asset: str
    amount: int


@dataclass(frozen=True)
class Split:
    """Turn dollars into as many YES and NO."""

    account: str
    amount: int


@dataclass(frozen=True)
class Merge:
    """Turn as many YES and NO back into dollars."""

    account: str
    amount: int


@dataclass(frozen=True)
class PlaceOrder:
    """Post an order, with its two amounts exactly as signed.

    A BUY gives dollars (maker_amount) for shares (taker_amount); a SELL the other way round.
    expiration is in unix seconds, 0 for none.
    """

    order_id: str
    account: str
    token: str
    side: str
    order_type: str
    maker_amount: int
    taker_amount: int
    expiration: int = 0
    post_only: bool = False


@dataclass(frozen=True)
class Cancel:
    """Ask, as an account, to take an order off the book."""

    account: str
    order_id: str


@dataclass(frozen=True)
class Advance:
    """Let time pass."""

    milliseconds: int


@dataclass(frozen=True)
class ChangeTick:
    """Give the market another price grid."""

    tick: Fraction


@dataclass(frozen=True)
class Close:
    """Close the market."""


Operation = Deposit | Withdraw | Split | Merge | PlaceOrder | Cancel | Advance | ChangeTick | Close


@dataclass(frozen=True)
class Market:
    """What is fixed before a flow starts."""

    tick: Fraction
    fee_rate: Fraction
    fee_exponent: int
    start_ms: int


@dataclass(frozen=True)
class Flow:
    """One market and what happens to it."""

    market: Market
    operations: tuple[Operation, ...]


@dataclass(frozen=True)
class Leg:
    """One maker's part of a fill."""

    order_id: str
    size: int
    kind: str


@dataclass(frozen=True)
class Fill:
    """All that a taker traded at one price: the price is the taker's, the fee in micro-dollars."""

    taker: str
    price: Fraction
    size: int
    fee: int
    legs: tuple[Leg, ...]


@dataclass(frozen=True)
class Wallet:
    """What an account owns, and how much of that its open orders hold back."""

    cash: int = 0
    yes: int = 0
    no: int = 0
    held_cash: int = 0
    held_yes: int = 0
    held_no: int = 0


# The prices and sizes at rest on one side of one token, best first.
Side = tuple[tuple[Fraction, int], ...]


@dataclass(frozen=True)
class Outcome:
    """What one operation did, and how the market stands after it.

    reasons holds every ground for refusal that applied (none: it was accepted), for the venue
    does not document which of several it names. removed tells the orders that left the book
    without a trade; resting, the shares left of those still on it; books, each token's bids and asks.
    """

    reasons: frozenset[str] = frozenset()
    fills: tuple[Fill, ...] = ()
    removed: frozenset[str] = frozenset()
    wallets: dict[str, Wallet] = field(default_factory=dict)
    resting: dict[str, int] = field(default_factory=dict)
    books: dict[str, tuple[Side, Side]] = field(default_factory=dict)

    @property
    def accepted(self) -> bool:
        """Whether the operation took effect."""
        return not self.reasons
