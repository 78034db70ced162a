"""Amounts are the exact official client's on every tick, and each difference from the one that rounds in floats is named."""

from __future__ import annotations

from fractions import Fraction
from math import floor

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from polymarket_kit.messages.order_amounts import (
    limit_amounts,
    market_amounts,
    price_of_amounts,
)
from polymarket_kit.model import Side
from polymarket_kit.rules import ROUNDING, SIZE_STEP_MICRO, Amounts
from polymarket_kit.values import MICRO
from tests.kit.official import first_client_limit, first_client_market, second_client_limit, second_client_market

CENT = 10_000
MARKET_STEP = 100

sides = st.sampled_from(Side)
sizes = st.integers(SIZE_STEP_MICRO, 2_000_000 * MICRO)


@st.composite
def grid_prices(draw: st.DrawFn) -> tuple[int, int]:
    """A tick and a price on its grid."""
    tick = draw(st.sampled_from(list(ROUNDING)))
    return draw(st.integers(1, MICRO // tick - 1)) * tick, tick


def loses_in_floats(value_micro: int, decimals: int) -> bool:
    """Whether a number that has no more decimals than these still loses one when a float of it is rounded down."""
    scale: int = 10**decimals
    return floor(value_micro / 1e6 * scale) != value_micro * scale // MICRO


def cut_to_four_decimals(amounts: tuple[int, int]) -> tuple[int, int]:
    return amounts[0], amounts[1] // MARKET_STEP * MARKET_STEP


@pytest.mark.fidelity(
    "Limit amounts: size to two decimals, dollars exact, at every tick",
    area="Orders",
    evidence="official client",
    source="polymarket-client 0.14.0",
)
@settings(deadline=None, max_examples=300)
@given(sides, grid_prices(), sizes)
@example(Side.BUY, (520_000, 10_000), 10 * MICRO)
def test_limit_orders_have_the_exact_clients_amounts(side: Side, grid: tuple[int, int], size_micro: int) -> None:
    price, tick = grid
    assert limit_amounts(side, price, size_micro, tick) == second_client_limit(side, price, size_micro, tick)


@pytest.mark.fidelity(
    "Market amounts: what is given to two decimals, what is taken to four at most",
    area="Orders",
    evidence="official client",
    source="polymarket-client 0.14.0",
)
@settings(deadline=None, max_examples=300)
@given(sides, grid_prices(), sizes)
@example(Side.BUY, (570_000, 10_000), 10 * MICRO)
@example(Side.BUY, (985_000, 1_000), 9_980_000)
def test_market_orders_have_the_exact_clients_amounts_cut_to_what_the_venue_takes(
    side: Side, grid: tuple[int, int], amount_micro: int
) -> None:
    price, tick = grid
    official = second_client_market(side, price, amount_micro, tick)
    expected = cut_to_four_decimals(official)
    if expected[1] == 0:
        with pytest.raises(ValueError, match="rounds to nothing"):
            market_amounts(side, price, amount_micro, tick)
        return
    assert market_amounts(side, price, amount_micro, tick) == expected
    if ROUNDING[tick].amount <= 4:
        assert expected == official


def test_every_cent_size_below_200_is_the_float_clients_or_one_of_its_lost_cents() -> None:
    lost = 0
    for cents in range(1, 20_000):
        size = cents * CENT
        ours, theirs = (
            limit_amounts(Side.SELL, 500_000, size, 10_000),
            first_client_limit(Side.SELL, 500_000, size, 10_000),
        )
        if loses_in_floats(size, 2):
            lost += 1
            assert theirs == (size - CENT, (size - CENT) // 2)
        else:
            assert ours == theirs
        assert ours.maker_micro == size
    assert lost == 1_145


@pytest.mark.fidelity(
    "The float client's amounts are the exact ones but for its two known losses",
    area="Official clients",
    evidence="official client",
    source="py-clob-client-v2 1.2.1",
)
@settings(deadline=None, max_examples=300)
@given(sides, grid_prices(), st.integers(1, 2_000_000).map(lambda cents: cents * CENT))
@example(Side.BUY, (570_000, 10_000), 10 * MICRO)
@example(Side.SELL, (285_000, 5_000), 16_900_000)
@example(Side.BUY, (100, 100), 54_660_000)
def test_apart_from_its_two_known_losses_the_float_client_agrees(
    side: Side, grid: tuple[int, int], size_micro: int
) -> None:
    price, tick = grid
    if loses_in_floats(size_micro, 2):
        assert first_client_limit(side, price, size_micro, tick) != limit_amounts(side, price, size_micro, tick)
        return
    assert first_client_limit(side, price, size_micro, tick) == limit_amounts(side, price, size_micro, tick)
    if not loses_in_floats(price, ROUNDING[tick].price):
        theirs = first_client_market(side, price, size_micro, tick)
        exact = second_client_market(side, price, size_micro, tick)
        # At very low prices the quotient of floats may lose the last millionth of a share, or of millions of shares the
        # thirteenth digit.
        assert theirs[0] == exact[0]
        assert abs(theirs[1] - exact[1]) <= 1 + exact[1] // 10**12
        if exact[1] >= MARKET_STEP:
            assert cut_to_four_decimals(exact) == market_amounts(side, price, size_micro, tick)


@pytest.mark.parametrize(
    ("side", "price", "size", "tick", "ours", "theirs"),
    [
        # A size of 16.90 loses a cent, and its dollars with it.
        (Side.BUY, 500_000, 16_900_000, 10_000, (8_450_000, 16_900_000), (8_445_000, 16_890_000)),
        (Side.SELL, 500_000, 16_900_000, 10_000, (16_900_000, 8_450_000), (16_890_000, 8_445_000)),
        (Side.BUY, 330_000, 18_514_350_000, 10_000, (6_109_735_500, 18_514_350_000), (6_109_732_200, 18_514_340_000)),
    ],
)
def test_limit_amounts_that_the_float_client_gets_wrong(
    side: Side, price: int, size: int, tick: int, ours: tuple[int, int], theirs: tuple[int, int]
) -> None:
    assert limit_amounts(side, price, size, tick) == ours
    assert first_client_limit(side, price, size, tick) == theirs


@pytest.mark.parametrize(
    ("side", "price", "amount", "tick", "ours", "theirs"),
    [
        # Dollars of 16.90 lose a cent.
        (Side.BUY, 500_000, 16_900_000, 10_000, (16_900_000, 33_800_000), (16_890_000, 33_780_000)),
        # A price of 0.57 loses a whole tick: the order is for 0.56 and misses the ask that was meant.
        (Side.BUY, 570_000, 10_000_000, 10_000, (10_000_000, 17_543_800), (10_000_000, 17_857_100)),
        # The other way it sells a tick cheaper than was asked.
        (Side.SELL, 570_000, 10_000_000, 10_000, (10_000_000, 5_700_000), (10_000_000, 5_600_000)),
        # At fine ticks both clients take five or six decimals, which the venue refuses.
        (Side.BUY, 985_000, 9_980_000, 1_000, (9_980_000, 10_131_900), (9_980_000, 10_131_970)),
    ],
)
def test_market_amounts_that_the_float_client_gets_wrong(
    side: Side, price: int, amount: int, tick: int, ours: tuple[int, int], theirs: tuple[int, int]
) -> None:
    assert market_amounts(side, price, amount, tick) == ours
    assert first_client_market(side, price, amount, tick) == theirs


@settings(deadline=None, max_examples=300)
@given(sides, grid_prices(), sizes)
def test_a_limit_orders_price_comes_back_from_its_amounts(side: Side, grid: tuple[int, int], size_micro: int) -> None:
    price, tick = grid
    amounts = limit_amounts(side, price, size_micro, tick)
    assert price_of_amounts(side, amounts, tick) == price
    shares = amounts.taker_micro if side is Side.BUY else amounts.maker_micro
    assert shares == size_micro - size_micro % SIZE_STEP_MICRO
    step = 10 ** (6 - ROUNDING[tick].amount)
    assert (amounts.maker_micro if side is Side.BUY else amounts.taker_micro) % step == 0


@settings(deadline=None, max_examples=300)
@given(sides, grid_prices(), st.integers(100 * MICRO, 1_000_000 * MICRO))
def test_a_market_orders_limit_is_the_price_meant_or_a_hair_worse_for_us(
    side: Side, grid: tuple[int, int], amount_micro: int
) -> None:
    price, tick = grid
    made, taken = market_amounts(side, price, amount_micro, tick)
    assert made % SIZE_STEP_MICRO == 0 and taken % MARKET_STEP == 0
    if side is Side.BUY:
        assert Fraction(price) <= Fraction(made * MICRO, taken) < price + tick
    else:
        assert price - tick < Fraction(taken * MICRO, made) <= Fraction(price)


@pytest.mark.parametrize(
    ("side", "amounts", "tick", "price"),
    [
        (Side.BUY, Amounts(5_200_000, 10_000_000), 10_000, 520_000),
        (Side.SELL, Amounts(10_000_000, 5_200_000), 10_000, 520_000),
        (Side.BUY, Amounts(5_250_000, 10_000_000), 10_000, None),
        (Side.BUY, Amounts(5_250_000, 10_000_000), 5_000, 525_000),
        (Side.BUY, Amounts(5_200_001, 10_000_000), 100, None),
        (Side.BUY, Amounts(10_000_000, 10_000_000), 10_000, None),
        (Side.BUY, Amounts(0, 10_000_000), 10_000, None),
        (Side.BUY, Amounts(5_200_000, 0), 10_000, None),
        (Side.SELL, Amounts(0, 5_200_000), 10_000, None),
    ],
)
def test_the_price_of_amounts_is_exact_or_none(side: Side, amounts: Amounts, tick: int, price: int | None) -> None:
    assert price_of_amounts(side, amounts, tick) == price


@pytest.mark.parametrize(
    ("price", "size", "tick", "reason"),
    [
        (525_000, 10 * MICRO, 10_000, "price 0.525 is not on this market's grid: multiples of 0.01 from 0.01 to 0.99"),
        (0, 10 * MICRO, 10_000, "grid"),
        (MICRO, 10 * MICRO, 10_000, "grid"),
        (503_000, 10 * MICRO, 5_000, "grid"),
        (500_000, 10 * MICRO, 20_000, "no tick of 0.02"),
        (500_000, 9_999, 10_000, "at least 0.01"),
        (500_000, -MICRO, 10_000, "at least 0.01"),
        (500_000, 10**30, 10_000, "range"),
    ],
)
def test_what_cannot_be_an_order_is_refused_with_its_reason(price: int, size: int, tick: int, reason: str) -> None:
    for build in (limit_amounts, market_amounts):
        with pytest.raises(ValueError, match=reason):
            build(Side.BUY, price, size, tick)
