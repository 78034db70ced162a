"""The only ways into and out of integer money: every odd number is read exactly or refused."""

from __future__ import annotations

import json
from decimal import Context, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymarket_kit.values import (
    MICRO,
    MICRO_MAX,
    divide_down,
    format_usd,
    micro_to_decimal,
    micro_to_number,
    micro_to_text,
    multiply_down,
    multiply_up,
    parse_micro,
)

AMOUNTS = st.integers(-MICRO_MAX, MICRO_MAX)
SIZES = st.integers(0, 10**15)
PRICES = st.integers(0, MICRO)


@pytest.mark.parametrize(
    ("value", "micro"),
    [
        ("0", 0),
        ("-0", 0),
        ("-0.0", 0),
        ("0E-30", 0),
        ("1", 1_000_000),
        ("+1", 1_000_000),
        (" 1 ", 1_000_000),
        ("0.745", 745_000),
        (".5", 500_000),
        ("5.", 5_000_000),
        ("1e3", 1_000_000_000),
        ("1.5E-3", 1_500),
        ("0.000001", 1),
        ("0.0000019999", 1),
        ("0.0000009999", 0),
        # More digits than Decimal's default precision of 28: still rounded down, not to the nearest.
        ("0.00000099999999999999999999999999999999", 0),
        ("12345678901.9999999999999999999999999999", 12_345_678_901_999_999),
        ("-0.0000019999999999999999999999999999999", -2),
        ("-0.0000001", -1),
        ("-1.0000001", -1_000_001),
        ("100000000000", MICRO_MAX),
        ("-100000000000", -MICRO_MAX),
        (0, 0),
        (7, 7_000_000),
        (-3, -3_000_000),
        (0.1, 100_000),
        (16.9, 16_900_000),
        (0.1 + 0.2, 300_000),
        (-0.0, 0),
        (1e-7, 0),
        (1e11, MICRO_MAX),
        (Decimal("0.123456789"), 123_456),
    ],
)
def test_numbers_are_read_exactly_and_rounded_down(value: str | int | float | Decimal, micro: int) -> None:
    assert parse_micro(value) == micro


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "abc",
        "1,5",
        "0x10",
        "1 2",
        "--1",
        "NaN",
        "nan",
        "sNaN",
        "Infinity",
        "-Infinity",
        "inf",
        "1e999",
        "1E+999999",
        "1e-999",
        4e-324,
        "-1E+999999",
        "1E+999999999999999999999999999",
        "1" * 41,
        "0." + "0" * 50 + "1",
        "100000000000.000001",
        "-100000000000.000001",
        "1e12",
        float("nan"),
        float("inf"),
        float("-inf"),
        1e300,
        1e12,
        10**40,
        10**5000,
        Decimal("NaN"),
        Decimal("1E+999999"),
    ],
    ids=lambda value: repr(value)[:30] if not isinstance(value, int) else "int",
)
def test_what_is_no_number_of_the_venue_is_refused(value: str | int | float | Decimal) -> None:
    with pytest.raises(ValueError):
        parse_micro(value)


@given(AMOUNTS)
def test_every_way_out_leads_back_in(micro: int) -> None:
    assert parse_micro(micro_to_text(micro)) == micro
    assert parse_micro(micro_to_decimal(micro)) == micro
    assert micro_to_decimal(micro) * MICRO == micro


@given(st.integers(-(10**15), 10**15))
def test_json_numbers_lead_back_in_up_to_a_billion_dollars(micro: int) -> None:
    assert parse_micro(json.loads(json.dumps(micro_to_number(micro)))) == micro


@given(st.floats(-1e9, 1e9).filter(lambda number: number == 0 or abs(number) > 1e-38))
def test_a_float_is_read_by_its_shortest_decimal_form(number: float) -> None:
    exact = Fraction(repr(number)) * MICRO
    assert 0 <= exact - parse_micro(number) < 1


@given(st.integers(-MICRO_MAX, MICRO_MAX - 1), st.integers(0, 10**15 - 1) | st.just(10**15 - 1))
def test_digits_past_the_sixth_decimal_never_round_up(micro: int, more: int) -> None:
    text = f"{Decimal(micro * 10**15 + more).scaleb(-21, Context(prec=60)):f}"
    assert parse_micro(text) == micro


@given(st.text(max_size=50) | st.from_regex(r"[-+]?[0-9.eE+-]{0,45}", fullmatch=True))
def test_any_text_gives_a_bounded_number_or_a_value_error(text: str) -> None:
    try:
        micro = parse_micro(text)
    except ValueError:
        return
    assert abs(micro) <= MICRO_MAX


@pytest.mark.parametrize(
    ("micro", "text"),
    [(0, "0"), (1, "0.000001"), (1_500_000, "1.5"), (-1_000_000, "-1"), (-1, "-0.000001"), (10**13, "10000000")],
)
def test_text_is_as_the_venue_writes_decimals(micro: int, text: str) -> None:
    assert micro_to_text(micro) == text


@pytest.mark.parametrize(
    ("micro", "text"),
    [
        (0, "$0.00"),
        (1, "$0.000001"),
        (9_999, "$0.009999"),
        (10_000, "$0.01"),
        (1_234_567_890, "$1,234.57"),
        (-1_234_567_890, "-$1,234.57"),
        (-5, "-$0.000005"),
    ],
)
def test_dollars_for_people(micro: int, text: str) -> None:
    assert format_usd(micro) == text


@given(SIZES, PRICES)
def test_we_are_credited_down_and_charged_up(size: int, price: int) -> None:
    down, up = multiply_down(size, price), multiply_up(size, price)
    assert down * MICRO <= size * price <= up * MICRO
    assert up - down == (0 if size * price % MICRO == 0 else 1)


@given(SIZES, st.integers(1, MICRO))
def test_shares_bought_for_an_amount_never_cost_more_than_it(amount: int, price: int) -> None:
    size = divide_down(amount, price)
    assert multiply_up(size, price) <= amount
    assert (size + 1) * price > amount * MICRO


@pytest.mark.parametrize("price", [0, -1])
def test_nothing_is_bought_at_no_price(price: int) -> None:
    with pytest.raises(ValueError):
        divide_down(MICRO, price)
