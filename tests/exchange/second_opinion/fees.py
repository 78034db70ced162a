"""Fees as the api sheet, 2.9, words them: C x rate x (p(1-p))^exponent, taker only, 5 decimals."""

from __future__ import annotations

from fractions import Fraction
from math import floor

from tests.exchange.second_opinion.flow import MICRO

SMALLEST = Fraction(1, 100_000)
REBATE_PAYOUT = MICRO


def raw_fee(shares: int, price: Fraction, rate: Fraction, exponent: int) -> Fraction:
    """The fee in dollars before rounding, of shares given in micro-shares."""
    return Fraction(shares, MICRO) * rate * (price * (1 - price)) ** exponent


def taker_fee(shares: int, price: Fraction, rate: Fraction, exponent: int) -> int:
    """The fee in micro-dollars: to 5 decimals, half up; what is below the smallest is nothing."""
    dollars = raw_fee(shares, price, rate, exponent)
    if dollars < SMALLEST:
        return 0
    return floor(dollars / SMALLEST + Fraction(1, 2)) * 10


def maker_rebates(
    made: list[tuple[str, int, Fraction]],
    fees_taken: int,
    rate: Fraction,
    exponent: int,
    share_of_fees: Fraction,
) -> dict[str, int]:
    """One market's rebates of a day: each maker's part, by fee-equivalent, of a share of the fees.

    made lists (account, micro-shares, price); parts are rounded down, and below $1 are not paid.
    """
    weights: dict[str, Fraction] = {}
    for account, shares, price in made:
        weight = raw_fee(shares, price, rate, exponent)
        weights[account] = weights.get(account, Fraction(0)) + weight
    total = sum(weights.values(), Fraction(0))
    if not total:
        return {}
    parts = {who: floor(fees_taken * share_of_fees * w / total) for who, w in weights.items()}
    return {who: part for who, part in parts.items() if part >= REBATE_PAYOUT}
