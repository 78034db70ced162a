"""Money, shares and prices as integers, and the only ways into and out of them.

One US dollar, one share and a price of 1.00 are each 1,000,000 micro-units, the venue's own six decimals.
"""

from __future__ import annotations

from decimal import ROUND_FLOOR, Context, Decimal, InvalidOperation

MICRO = 1_000_000
# Larger than any balance or size the venue can hold, far below the range of a signed 64-bit column.
MICRO_MAX = 10**17
NUMBER_LENGTH_MAX = 40
# The default context keeps 28 digits and would round a longer number to the nearest before it is rounded down.
EXACT = Context(prec=2 * NUMBER_LENGTH_MAX)


def parse_micro(value: str | int | float | Decimal) -> int:
    """Return a number as micro-units, rounded down past the sixth decimal.

    Strings are read exactly; a float goes through its shortest decimal form, so 0.1 is 100,000.
    Raises ValueError for anything that is not a finite number within the range of the venue.
    """
    text = value if isinstance(value, str) else repr(value) if isinstance(value, float) else str(value)
    if len(text) > NUMBER_LENGTH_MAX:
        # Decimal("1E+999999") is cheap to make and ruinous to use, so length and exponent are bounded first.
        raise ValueError("number has too many characters")
    try:
        number = Decimal(text)
    except InvalidOperation as error:
        raise ValueError("not a decimal number") from error
    if not number.is_finite():
        raise ValueError("number is not finite")
    if abs(number.adjusted()) > NUMBER_LENGTH_MAX and number != 0:
        raise ValueError("number is out of range")
    micro = int(EXACT.multiply(number, Decimal(MICRO)).to_integral_value(rounding=ROUND_FLOOR))
    if abs(micro) > MICRO_MAX:
        raise ValueError("number is out of range")
    return micro


def micro_to_decimal(micro: int) -> Decimal:
    """Return micro-units as an exact decimal with six places, the form that NUMERIC(20,6) stores."""
    return Decimal(micro).scaleb(-6)


def micro_to_number(micro: int) -> float:
    """Return micro-units as a JSON number with at most six decimals."""
    return micro / MICRO


def micro_to_text(micro: int) -> str:
    """Return micro-units as the venue writes decimals: no exponent, no trailing zeros."""
    sign = "-" if micro < 0 else ""
    whole, fraction = divmod(abs(micro), MICRO)
    if fraction == 0:
        return f"{sign}{whole}"
    return f"{sign}{whole}.{fraction:06d}".rstrip("0")


def format_usd(micro: int) -> str:
    """Return dollars for people: ``$1,234.57``; sub-cent amounts keep their decimals."""
    sign = "-" if micro < 0 else ""
    if abs(micro) < 10_000 and micro != 0:
        return f"{sign}${micro_to_text(abs(micro))}"
    return f"{sign}${abs(micro) / MICRO:,.2f}"


def multiply_down(size_micro: int, price_micro: int) -> int:
    """Return size times price, rounded down: what we are credited."""
    return size_micro * price_micro // MICRO


def multiply_up(size_micro: int, price_micro: int) -> int:
    """Return size times price, rounded up: what we are charged."""
    return -(-size_micro * price_micro // MICRO)


def divide_down(amount_micro: int, price_micro: int) -> int:
    """Return the shares that an amount buys at a price, rounded down. Raises ValueError at price zero."""
    if price_micro <= 0:
        raise ValueError("price must be above zero")
    return amount_micro * MICRO // price_micro
