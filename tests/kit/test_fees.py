"""The venue's taker fee: shares x rate x (p(1-p))^exponent, five decimals, computed by hand in the table."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymarket_kit.fees import FEE_STEP_MICRO, taker_fee, worst_fee
from polymarket_kit.model import NO_FEES, FeeSchedule
from polymarket_kit.values import MICRO, multiply_up

CRYPTO = FeeSchedule(rate_micro=70_000)
SPORTS = FeeSchedule(rate_micro=50_000)
POLITICS = FeeSchedule(rate_micro=40_000)


@pytest.mark.fidelity(
    "Fee = shares x rate x (price x (1 - price)) ^ exponent, rounded to five decimals, by the market's schedule",
    area="Fees",
    evidence="specification",
    source="fees",
)
@pytest.mark.parametrize(
    ("fees", "shares", "price", "fee"),
    [
        # 100 x 0.07 x 0.25 = 1.75
        (CRYPTO, "100", "0.5", "1.75"),
        # 100 x 0.05 x 0.3 x 0.7 = 1.05, the same from either side of the book
        (SPORTS, "100", "0.3", "1.05"),
        (SPORTS, "100", "0.7", "1.05"),
        # 100 x 0.04 x 0.56 x 0.44 = 0.98560
        (POLITICS, "100", "0.56", "0.98560"),
        # 7.77 x 0.04 x 0.56 x 0.44 = 0.0765811... -> 0.07658
        (POLITICS, "7.77", "0.56", "0.07658"),
        # 12.345678 x 0.05 x 0.123 x 0.877 = 0.066587... -> 0.06659
        (SPORTS, "12.345678", "0.123", "0.06659"),
        # 1 x 0.07 x 0.001 x 0.999 = 0.00006993 -> 0.00007
        (CRYPTO, "1", "0.001", "0.00007"),
        # 0.1 x 0.04 x 0.001 x 0.999 = 0.000003996 -> rounds to nothing
        (POLITICS, "0.1", "0.001", "0"),
        # 0.08 x 0.0625 x 0.001 x 0.999 = 0.000004995 -> just below half a step
        (FeeSchedule(rate_micro=62_500), "0.08", "0.001", "0"),
        # below the smallest fee nothing is charged, also above half a step: 0.0015 x 0.025 x 0.25 = 0.000009375
        (FeeSchedule(rate_micro=25_000), "0.0015", "0.5", "0"),
        # exactly the smallest fee: 0.0016 x 0.025 x 0.25 = 0.00001
        (FeeSchedule(rate_micro=25_000), "0.0016", "0.5", "0.00001"),
        # exactly one and a half steps: 0.0024 x 0.025 x 0.25 = 0.000015
        (FeeSchedule(rate_micro=25_000), "0.0024", "0.5", "0.00002"),
        # a squared curve: 100 x 0.25 x (0.25)^2 = 1.5625
        (FeeSchedule(rate_micro=250_000, exponent=2), "100", "0.5", "1.56250"),
        # 100 x 0.25 x (0.3 x 0.7)^2 = 100 x 0.25 x 0.0441 = 1.1025
        (FeeSchedule(rate_micro=250_000, exponent=2), "100", "0.3", "1.10250"),
        # a settled price has no fee, nor has a free market, nor no shares
        (CRYPTO, "100", "0", "0"),
        (CRYPTO, "100", "1", "0"),
        (NO_FEES, "1000000", "0.5", "0"),
        (CRYPTO, "0", "0.5", "0"),
        # large: 10,000,000 x 0.07 x 0.49 x 0.51 = 174,930
        (CRYPTO, "10000000", "0.49", "174930"),
    ],
)
def test_fees_by_hand(fees: FeeSchedule, shares: str, price: str, fee: str) -> None:
    size_micro, price_micro = int(Decimal(shares) * MICRO), int(Decimal(price) * MICRO)
    assert taker_fee(fees, size_micro, price_micro) == int(Decimal(fee) * MICRO)


RATES = st.integers(0, 300_000)
EXPONENTS = st.integers(1, 3)
SIZES = st.integers(0, 10**14)
PRICES = st.integers(0, MICRO)


@given(RATES, EXPONENTS, SIZES, PRICES)
def test_the_fee_is_the_formula_in_decimals(rate: int, exponent: int, size: int, price: int) -> None:
    p = Decimal(price) / MICRO
    exact = Decimal(size) / MICRO * (Decimal(rate) / MICRO) * (p * (1 - p)) ** exponent
    # 28 digits are enough unless the exact value lies within them of a half step; then the integers decide.
    distance = (exact * 100_000) % 1 - Decimal("0.5")
    fee = taker_fee(FeeSchedule(rate, exponent), size, price)
    assert fee % FEE_STEP_MICRO == 0
    if exact < Decimal("0.00001"):
        assert fee == 0
    elif abs(distance) > Decimal("1e-9"):
        assert fee == int(exact.quantize(Decimal("0.00001"), ROUND_HALF_UP) * MICRO)


@given(RATES, EXPONENTS, PRICES, st.lists(st.integers(1, 10**11), min_size=1, max_size=128))
def test_the_worst_fee_covers_every_way_to_spend_the_amount(
    rate: int, exponent: int, price: int, sizes: list[int]
) -> None:
    fees = FeeSchedule(rate, exponent)
    amount = sum(multiply_up(size, price) for size in sizes)
    assert sum(taker_fee(fees, size, price) for size in sizes) <= worst_fee(fees, amount)


def test_a_free_market_needs_no_room_for_fees() -> None:
    assert worst_fee(NO_FEES, 10**12) == 0
    assert worst_fee(CRYPTO, 0) == 64 * FEE_STEP_MICRO
