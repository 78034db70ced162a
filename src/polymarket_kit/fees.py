"""The venue's fee on a match, from the market's own schedule (venue document "fees"; five decimals, takers only)."""

from __future__ import annotations

from math import gcd

from polymarket_kit.model import FeeSchedule
from polymarket_kit.values import MICRO

# The venue rounds a fee to five decimals of a dollar; a fee below the smallest, 0.00001, is not charged.
FEE_STEP_MICRO = 10
# A fee as (factor, half, divisor): steps = (size x factor + half) // divisor, and none below a whole step.
FeeTerms = tuple[int, int, int]


def taker_fee(fees: FeeSchedule, size_micro: int, price_micro: int) -> int:
    """Return the fee in micro-dollars for a taker's match of ``size_micro`` shares at ``price_micro``.

    ``shares x rate x (p(1-p))^exponent``, computed exactly; below 0.00001 nothing, else rounded half up to five
    decimals.
    """
    assert size_micro >= 0 and 0 <= price_micro <= MICRO
    if fees.rate_micro == 0:
        return 0
    factor, half, divisor = fee_terms(fees, price_micro)
    exact = size_micro * factor
    fee = (exact + half) // divisor * FEE_STEP_MICRO if exact >= divisor else 0
    assert fee >= 0
    return fee


def fee_terms(fees: FeeSchedule, price_micro: int) -> FeeTerms:
    """Return all of the formula but the size, as one fraction in lowest terms, for whoever keeps it by price."""
    factor = 2 * fees.rate_micro * (price_micro * (MICRO - price_micro)) ** fees.exponent
    half = MICRO * (MICRO * MICRO) ** fees.exponent * FEE_STEP_MICRO
    common = gcd(factor, half)
    return factor // common, half // common, 2 * half // common


def worst_fee(fees: FeeSchedule, amount_micro: int) -> int:
    """Return the most that buying for ``amount_micro`` dollars can cost in fees at any price.

    Per dollar the fee is ``rate x p^(e-1) x (1-p)^e``, which is below the rate for every exponent from 1 up;
    each of up to 128 fills may round up by half a step.
    """
    assert amount_micro >= 0 and fees.exponent >= 1
    if fees.rate_micro == 0:
        return 0
    fee = -(-amount_micro * fees.rate_micro // MICRO) + 64 * FEE_STEP_MICRO
    assert fee >= 0
    return fee
