"""Single fields of the catalogue's messages: lists in strings, ids, fees, ticks and categories, each with its bounds."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

import msgspec

from polymarket_kit.messages.numbers import amount_from_wire, micro_from_wire, price_from_wire
from polymarket_kit.model import FeeSchedule
from polymarket_kit.values import MICRO
from prescient.adapters.polymarket.messages.gamma_messages import FeeMessage, Listed, MarketMessage, Number, TagMessage
from prescient.domain.market import Outcome

# What the venue uses where a listing says nothing; old markets without an order book name neither.
DEFAULT_TICK_MICRO = 10_000
DEFAULT_MINIMUM_SIZE_MICRO = 5 * MICRO
FEE_EXPONENT_MAX = 8
SECONDS_DELAY_MAX = 3_600
LIST_LENGTH_MAX = 10_000
TOKEN_ID_LENGTH_MAX = 78
OUTCOMES_MAX = 64

# An event's first category among its tags, in the order in which the venue's fees tell them apart.
CATEGORIES = {
    "crypto": "crypto",
    "sports": "sports",
    "geopolitics": "geopolitics",
    "politics": "politics",
    "finance": "finance",
    "economy": "economics",
    "economics": "economics",
    "tech": "tech",
    "mentions": "mentions",
    "weather": "weather",
    "culture": "culture",
    "pop-culture": "culture",
    "science": "science",
    "world": "world",
}
# Two token ids as nearly every market lists them: read at a third of the cost of the general way.
_TOKEN_PAIR = re.compile(r'\["([0-9]{1,78})", ?"([0-9]{1,78})"\]')
_LONG_PRICE = re.compile(r"0\.[0-9]{20,98}")
_list = msgspec.json.Decoder(list[str | float])


def read_fees(fees: FeeMessage) -> FeeSchedule:
    """Return a fee schedule. Raises ValueError for a curve that cannot be computed exactly.

    The venue's schedules have whole exponents since March 2026; a market with another one is not traded, because a
    fee that is guessed is worse than a market that is missing.
    """
    return _fee_schedule(fees.rate, fees.exponent, fees.rebate_rate, fees.taker_only is not False)


@lru_cache(maxsize=1_024)
def _fee_schedule(rate_text: Number, exponent_text: Number, rebate_text: Number, taker_only: bool) -> FeeSchedule:
    """A whole catalogue has a handful of schedules, so they are kept."""
    exponent = 1.0 if exponent_text is None else float(exponent_text)
    if exponent not in range(1, FEE_EXPONENT_MAX + 1):
        raise ValueError(f"fee exponent {exponent:g} is not supported")
    rate, rebate = amount_from_wire(rate_text), amount_from_wire(rebate_text)
    if rate > MICRO or rebate > MICRO:
        raise ValueError("fee rate is above one")
    return FeeSchedule(rate, int(exponent), taker_only, rebate)


def tag_slugs(tags: list[TagMessage] | None) -> tuple[str, ...]:
    """Return the slugs ("politics") of tags that have one."""
    return tuple([tag.slug for tag in tags if tag.slug]) if tags else ()


def category_of_tags(tags: Sequence[str]) -> str:
    """Return the venue's category of an event's tags, or "" when none of them names one."""
    return next((name for slug, name in CATEGORIES.items() if slug in tags), "")


def category_of_fees(fee_type: str | None) -> str:
    """Return "crypto" for ``crypto_fees_v2``."""
    return fee_type.partition("_fees")[0][:40] if fee_type and "_fees" in fee_type else ""


def read_outcomes(message: MarketMessage) -> tuple[Outcome, ...]:
    """Return the outcomes in the venue's order. Raises ValueError when names, tokens and prices do not match up."""
    names, token_ids = read_texts(message.outcomes), read_token_ids(message.clob_token_ids)
    if not token_ids:
        raise ValueError("not on the exchange yet: no token ids")
    prices = read_prices(message.outcome_prices) or (None,) * len(token_ids)
    if not len(names) == len(token_ids) == len(prices) <= OUTCOMES_MAX:
        raise ValueError("outcomes, tokens and prices differ in number")
    return tuple(map(Outcome, token_ids, names, prices))


def read_token_ids(listed: Listed) -> tuple[str, ...]:
    """Return token ids, decimal as the venue writes them. Raises ValueError for anything else."""
    pair = _TOKEN_PAIR.fullmatch(listed) if isinstance(listed, str) else None
    if pair is not None:
        return pair.groups()
    token_ids = _read_list(listed)
    digits = "".join(token_ids)
    if token_ids and not (digits.isdecimal() and digits.isascii() and all(token_ids)):
        raise ValueError("token id is not a decimal number")
    if token_ids and len(max(token_ids, key=len)) > TOKEN_ID_LENGTH_MAX:
        raise ValueError("token id is longer than 256 bits")
    return token_ids


def read_texts(listed: Listed) -> tuple[str, ...]:
    """Return a list of texts; the same few lists come back thousands of times, so they are kept."""
    return _cached_list(listed) if isinstance(listed, str) else _read_list(listed)


def read_prices(listed: Listed) -> tuple[int | None, ...]:
    """Return outcome prices in 0..1,000,000, None where the venue has none. Raises ValueError outside that range."""
    return _cached_prices(listed) if isinstance(listed, str) else _prices_of(_read_list(listed))


@lru_cache(maxsize=8_192)
def _cached_prices(listed: str) -> tuple[int | None, ...]:
    return _prices_of(_read_list(listed))


@lru_cache(maxsize=2_048)
def _cached_list(listed: str) -> tuple[str, ...]:
    return _read_list(listed)


def _prices_of(texts: Sequence[str]) -> tuple[int | None, ...]:
    # Old markets have prices of over forty digits; rounding down past the sixth decimal, the rest says nothing.
    shortened = [text[:20] if _LONG_PRICE.fullmatch(text) else text for text in texts]
    prices = tuple(map(price_from_wire, shortened))
    # Old closed markets say 0/0: they have no prices.
    return prices if any(prices) else (None,) * len(prices)


def _read_list(listed: Listed) -> tuple[str, ...]:
    """Return a list that may come as JSON in a string. Raises ValueError."""
    if not listed:
        return ()
    if len(listed) > LIST_LENGTH_MAX:
        raise ValueError("list is too long")
    values = _list.decode(listed) if isinstance(listed, str) else listed
    texts = tuple([value if isinstance(value, str) else repr(value) for value in values])
    if "\x00" in "".join(texts):
        raise ValueError("text holds a NUL character")
    return texts


def read_condition_id(text: str | None) -> str:
    """Return a condition id as written. Raises ValueError for what is none."""
    if not text:
        raise ValueError("not on the exchange yet: no condition id")
    if len(text) != 66 or not text.startswith("0x") or not text.isalnum() or not text.isascii():
        raise ValueError("condition id is not 0x and 64 digits")
    return text


def read_id(value: str | int) -> str:
    """Return an id, which some listings write as a number. Raises ValueError."""
    text = str(value)
    if not text or len(text) > 80 or "\x00" in text:
        raise ValueError("id is empty, too long or holds a NUL character")
    return text


@lru_cache(maxsize=256)
def read_tick(value: Number) -> int:
    """Return the price step in micro. Raises ValueError outside 0..1."""
    if value is None or value == "":
        return DEFAULT_TICK_MICRO
    tick = micro_from_wire(value)
    if not 0 < tick < MICRO:
        raise ValueError("tick is not between 0 and 1")
    return tick


@lru_cache(maxsize=256)
def read_minimum_size(value: Number) -> int:
    """Return the smallest order in micro-shares. Raises ValueError below zero."""
    return amount_from_wire(value) or DEFAULT_MINIMUM_SIZE_MICRO


def read_seconds(value: Number) -> int:
    """Return a delay in whole seconds. Raises ValueError outside an hour."""
    if value is None:
        return 0
    seconds = float(value or 0)
    if not 0 <= seconds <= SECONDS_DELAY_MAX:
        raise ValueError("seconds delay is out of range")
    return int(seconds)
