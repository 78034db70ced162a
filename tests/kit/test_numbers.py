"""The fast readings of numbers give exactly what the slow exact one gives, and refuse what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from polymarket_kit.messages.numbers import (
    amount_from_wire,
    level_price,
    micro_from_float,
    micro_from_text,
    price_from_wire,
)
from polymarket_kit.values import parse_micro


def outcome(read: Callable[[], int]) -> int | str:
    try:
        return read()
    except ValueError:
        return "refused"


@settings(deadline=None)
@given(st.floats())
@example(0.29)
@example(9.999600000000001)
@example(0.0000005)
@example(-0.0000005)
@example(999_999_999.999999)
@example(1_000_000_000.0000001)
@example(5e-324)
@example(1e17)
def test_floats_are_read_like_the_exact_reading(number: float) -> None:
    assert outcome(lambda: micro_from_float(number)) == outcome(lambda: parse_micro(number))


@settings(deadline=None)
@given(st.integers(-(10**15), 10**15))
def test_floats_on_and_next_to_a_micro_unit_are_read_exactly(micro: int) -> None:
    nearest = float(Decimal(micro).scaleb(-6))
    assert micro_from_float(nearest) == parse_micro(nearest)


DECIMALS = st.decimals(allow_nan=False, allow_infinity=False, places=None, min_value=-(10**18), max_value=10**18)


@settings(deadline=None)
@given(DECIMALS.map(str))
@example("0.999999")
@example("0.29")
@example("79945.98005599984")
@example("0.000000999999999999")
@example("0.28999999999999999999999999")
@example("0.2900000000000000000000000")
@example("123456789.123456789012")
@example("1e-400")
@example("1e400")
def test_decimal_strings_are_read_like_the_exact_reading(text: str) -> None:
    assert outcome(lambda: micro_from_text(text)) == outcome(lambda: parse_micro(text))


@settings(deadline=None)
@given(st.integers(0, 10**15), st.integers(1, 12), st.booleans())
def test_a_string_a_hair_below_a_micro_unit_is_rounded_down(micro: int, digits: int, below: bool) -> None:
    hair = Decimal(1).scaleb(-6 - digits)
    number = Decimal(micro).scaleb(-6) + (-hair if below else hair)
    text = f"{number:f}"
    assert micro_from_text(text) == parse_micro(text) == (micro - 1 if below else micro)


@settings(deadline=None)
@given(st.text(alphabet="0123456789.-+eE_ naifINF\u0661", max_size=45))
def test_any_text_is_read_or_refused_like_the_exact_reading(text: str) -> None:
    assert outcome(lambda: micro_from_text(text)) == outcome(lambda: parse_micro(text))


@pytest.mark.parametrize(
    ("value", "twin", "micro"),
    [
        ("12.5", None, 12_500_000),
        (12.5, None, 12_500_000),
        (None, 12.5, 12_500_000),
        ("", "12.5", 12_500_000),
        (None, None, 0),
        ("", "", 0),
        # The string is the more exact of the two.
        ("46944.579746", 46944.58, 46_944_579_746),
    ],
)
def test_amounts_come_as_number_or_string_or_twin(
    value: float | str | None, twin: float | str | None, micro: int
) -> None:
    assert amount_from_wire(value, twin) == micro


@pytest.mark.parametrize("value", ["-1", -0.01, "nan", "Infinity", float("inf"), "1e999", "twelve", "9" * 41])
def test_senseless_amounts_are_refused(value: float | str) -> None:
    with pytest.raises(ValueError):
        amount_from_wire(value)


@pytest.mark.parametrize(("value", "micro"), [("0", 0), ("1", 1_000_000), (0.0025, 2_500), (None, None), ("", None)])
def test_prices_within_bounds(value: float | str | None, micro: int | None) -> None:
    assert price_from_wire(value) == micro


@pytest.mark.parametrize("value", ["1.000001", 1.2, "-0.000001", float("nan")])
def test_prices_outside_bounds_are_refused(value: float | str) -> None:
    with pytest.raises(ValueError):
        price_from_wire(value)


@pytest.mark.parametrize("text", ["0", "1", "1.5", "-0.5", "0.0000001", ""])
def test_a_level_has_a_price_strictly_between_0_and_1(text: str) -> None:
    with pytest.raises(ValueError):
        level_price(text)
