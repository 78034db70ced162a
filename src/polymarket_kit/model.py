"""What both sides of the wire call by one name: sides, order types, price levels, fee schedules, payouts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from polymarket_kit.values import MICRO


class Side(StrEnum):
    """What we do with an outcome token."""

    BUY = "BUY"
    SELL = "SELL"


class OrderType(StrEnum):
    """The venue's four order types. A taker order is FAK (what fills, fills) or FOK (all or nothing)."""

    GTC = "GTC"
    GTD = "GTD"
    FOK = "FOK"
    FAK = "FAK"


class Level(NamedTuple):
    """One price of an order book with the shares offered there."""

    price_micro: int
    size_micro: int


@dataclass(frozen=True, slots=True)
class FeeSchedule:
    """A market's own fees: ``shares x rate x (p(1-p))^exponent``, charged to takers only.

    ``rate_micro`` is the rate times 1,000,000 (0.05 is 50,000). A rate of zero means fee-free.
    """

    rate_micro: int = 0
    exponent: int = 1
    taker_only: bool = True
    rebate_rate_micro: int = 0


NO_FEES = FeeSchedule()


@dataclass(frozen=True, slots=True)
class Payout:
    """A final resolution: what one share of each outcome pays. ``payouts_micro`` sums to 1,000,000."""

    condition_id: str
    token_ids: tuple[str, ...]
    payouts_micro: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.token_ids) != len(self.payouts_micro) or sum(self.payouts_micro) != MICRO:
            raise ValueError(f"payout of {self.condition_id} does not sum to one dollar")

    def of(self, token_id: str) -> int:
        return self.payouts_micro[self.token_ids.index(token_id)]
