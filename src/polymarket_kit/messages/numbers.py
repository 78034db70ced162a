"""Numbers of the venue's messages as micro-units: exact like ``parse_micro``, but fast enough for a whole catalogue.

The venue writes the same quantity as a JSON number here and as a decimal string there; both come in through this file.
"""

from __future__ import annotations

from functools import lru_cache

from polymarket_kit.values import MICRO, parse_micro

# Below this a double holds every micro-unit exactly, with room for the error of one multiplication.
EXACT_MICRO_MAX = 1e15
# Decimals of at most this many characters have at most fifteen digits, so no two of them share a double.
EXACT_TEXT_LENGTH = 15


def micro_from_float(number: float) -> int:
    """Return exactly what ``parse_micro`` returns for this float: its shortest decimal form, rounded down.

    Why it is exact: ``nearest`` is off by less than one from the true value, and ``nearest / MICRO`` is the double
    closest to that many micro-units. If it equals the number, the number's shortest decimal form has these at most
    fifteen digits; if it is larger, the true value lies below it, because rounding to a double keeps the order.
    Raises ValueError like ``parse_micro``.
    """
    if number == 0:
        return 0
    scaled = number * MICRO
    if not 1.0 <= scaled < EXACT_MICRO_MAX:
        return parse_micro(number)
    nearest = round(scaled)
    return nearest if number >= nearest / MICRO else nearest - 1


def micro_from_text(text: str) -> int:
    """Return exactly what ``parse_micro`` returns for this string.

    Same reasoning as for floats; a long string that lands on a micro-unit may lie a hair below it and is read slowly.
    Raises ValueError like ``parse_micro``.
    """
    if text == "0":
        return 0
    try:
        number = float(text)
    except ValueError:
        return parse_micro(text)
    scaled = number * MICRO
    if not 1.0 <= scaled < EXACT_MICRO_MAX or len(text) > 2 * EXACT_TEXT_LENGTH:
        return parse_micro(text)
    nearest = round(scaled)
    rounded = nearest / MICRO
    if number == rounded and len(text) > EXACT_TEXT_LENGTH:
        return parse_micro(text)
    return nearest if number >= rounded else nearest - 1


def micro_from_wire(value: float | str) -> int:
    """Return a number that may come as JSON number or as decimal string. Raises ValueError."""
    return micro_from_text(value) if isinstance(value, str) else micro_from_float(value)


def amount_from_wire(value: float | str | None, twin: float | str | None = None) -> int:
    """Return an amount or size, zero when neither the value nor its twin is there. Raises ValueError below zero."""
    if value is None or value == "":
        if twin is None or twin == "":
            return 0
        value = twin
    micro = micro_from_text(value) if isinstance(value, str) else micro_from_float(value)
    if micro < 0:
        raise ValueError("amount is below zero")
    return micro


@lru_cache(maxsize=16_384)
def price_from_wire(value: float | str | None) -> int | None:
    """Return a price in 0..1,000,000, or None when there is none. Raises ValueError outside that range.

    A catalogue has few different prices, so they are kept.
    """
    if value is None or value == "":
        return None
    micro = micro_from_wire(value)
    if not 0 <= micro <= MICRO:
        raise ValueError("price is outside 0..1")
    return micro


@lru_cache(maxsize=16_384)
def level_price(text: str) -> int:
    """Return the price of a book level. Raises ValueError unless it lies strictly between 0 and 1.

    Books use few different prices, so they are kept: the finest grid has 9,999.
    """
    micro = micro_from_text(text)
    if not 0 < micro < MICRO:
        raise ValueError("level price is not between 0 and 1")
    return micro
