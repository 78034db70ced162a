"""Events and markets as rows for COPY, and rows of the catalogue as events and markets: the fast paths, both ways."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from operator import attrgetter, itemgetter
from typing import Any

import asyncpg

from polymarket_kit.model import FeeSchedule
from prescient.adapters.postgres.store.rows import value_of
from prescient.domain.market import Event, Market, MarketFigures, Outcome, Resolution

Row = tuple[Any, ...]

# Each column with the attribute that it keeps; the key comes first. Arrays are made from more than one attribute.
EVENT_ATTRIBUTES = {
    "event_id": "event_id",
    "title": "title",
    "slug": "slug",
    "active": "active",
    "closed": "closed",
    "liquidity_micro": "liquidity_micro",
    "volume_micro": "volume_micro",
    "volume_24h_micro": "volume_24h_micro",
    "start_time": "start_time",
    "end_time": "end_time",
    "negative_risk": "negative_risk",
}
EVENT_COLUMNS = (*EVENT_ATTRIBUTES, "tags")

MARKET_ATTRIBUTES = {
    "market_id": "market_id",
    "event_id": "event_id",
    "condition_id": "condition_id",
    "question": "question",
    "slug": "slug",
    "active": "active",
    "closed": "closed",
    "accepting_orders": "accepting_orders",
    "order_book_enabled": "order_book_enabled",
    "liquidity_micro": "liquidity_micro",
    "volume_micro": "volume_micro",
    "volume_24h_micro": "volume_24h_micro",
    "tick_micro": "tick_micro",
    "minimum_size_micro": "minimum_size_micro",
    "fee_rate_micro": "fees.rate_micro",
    "fee_exponent": "fees.exponent",
    "fee_taker_only": "fees.taker_only",
    "fee_rebate_rate_micro": "fees.rebate_rate_micro",
    "negative_risk": "negative_risk",
    "best_bid_micro": "best_bid_micro",
    "best_ask_micro": "best_ask_micro",
    "last_trade_micro": "last_trade_micro",
    "end_time": "end_time",
    "game_start_time": "game_start_time",
    "seconds_delay": "seconds_delay",
    "resolution": "resolution.value",
    "category": "category",
    "group_title": "group_title",
    "placeholder": "placeholder",
}
MARKET_COLUMNS = (*MARKET_ATTRIBUTES, "token_ids", "outcome_names", "outcome_prices")
# What a SELECT of events or of markets lists, for ``event_of`` and ``market_of``.
EVENT = ", ".join(EVENT_COLUMNS)
MARKET = ", ".join(MARKET_COLUMNS)
# In the class's own order, so that a row needs no more than ``_make``: there are tens of thousands.
FIGURES = ", ".join(MarketFigures._fields).replace("outcome_prices_micro", "outcome_prices AS outcome_prices_micro")

# Arrays travel as PostgreSQL writes them and are read by the server: the driver's own way costs as much as all the rest.
ARRAYS = {"token_ids": "text[]", "outcome_names": "text[]", "outcome_prices": "bigint[]", "tags": "text[]"}

_RESOLUTIONS = {resolution.value: resolution for resolution in Resolution}
# Most markets share one of a few schedules; the schedule is frozen, so one value serves them all.
_FEES: dict[tuple[int, int, bool, int], FeeSchedule] = {}
FEES_MAX = 1000


_event_values = attrgetter(*EVENT_ATTRIBUTES.values())
_market_values = attrgetter(*MARKET_ATTRIBUTES.values())
_fee_columns = itemgetter(*(name for name, attribute in MARKET_ATTRIBUTES.items() if attribute.startswith("fees.")))
# One column for each field, in the order of the fields; those of several columns get their value afterwards.
_market_columns = itemgetter(
    *({"outcomes": "token_ids", "fees": "fee_rate_micro"}.get(field, field) for field in Market.__match_args__)
)
_OUTCOMES, _FEES_FIELD, _RESOLUTION = map(Market.__match_args__.index, ("outcomes", "fees", "resolution"))


def event_row(event: Event) -> Row:
    """Return an event in the order of EVENT_COLUMNS."""
    return (*_event_values(event), array_text(event.tags))


def market_row(market: Market) -> Row:
    """Return a market in the order of MARKET_COLUMNS."""
    outcomes = market.outcomes
    return (
        *_market_values(market),
        array_text([outcome.token_id for outcome in outcomes]),
        # The same few names ("Yes", "No") come thousands of times.
        _names_text(tuple([outcome.name for outcome in outcomes])),
        _numbers_text([outcome.price_micro for outcome in outcomes]),
    )


def event_of(row: asyncpg.Record) -> Event:
    """Read an event without its markets."""
    return value_of(Event, row, tags=tuple(row["tags"]), markets=())


def market_of(row: asyncpg.Record) -> Market:
    # Each column is looked up by its name, all in one call: ``value_of`` takes three times as long.
    values = list(_market_columns(row))
    values[_OUTCOMES] = tuple(map(Outcome, row["token_ids"], row["outcome_names"], row["outcome_prices"]))
    values[_FEES_FIELD] = _fees_of(*_fee_columns(row))
    values[_RESOLUTION] = _RESOLUTIONS[row["resolution"]]
    return Market(*values)


def _fees_of(rate_micro: int, exponent: int, taker_only: bool, rebate_rate_micro: int) -> FeeSchedule:
    figures = (rate_micro, exponent, taker_only, rebate_rate_micro)
    known = _FEES.get(figures)
    if known is None:
        known = FeeSchedule(*figures)
        if len(_FEES) < FEES_MAX:
            _FEES[figures] = known
    return known


def array_text(values: Sequence[str]) -> str:
    """Return texts as PostgreSQL writes a text[]."""
    joined = "".join(values)
    if '"' in joined or "\\" in joined:
        values = [value.replace("\\", "\\\\").replace('"', '\\"') for value in values]
    return '{"' + '","'.join(values) + '"}' if values else "{}"


@lru_cache(maxsize=2_048)
def _names_text(names: tuple[str, ...]) -> str:
    return array_text(names)


def _numbers_text(numbers: Sequence[int | None]) -> str:
    return "{" + ",".join(["NULL" if number is None else str(number) for number in numbers]) + "}"


def storable(row: Row) -> Row:
    """Return a row without the characters that PostgreSQL cannot keep: NUL and lone surrogates."""
    return tuple([storable_text(value) if isinstance(value, str) else value for value in row])


def storable_text(text: str) -> str:
    """Return a text without the characters that PostgreSQL cannot keep."""
    return text.replace("\x00", "").encode("utf-8", "ignore").decode("utf-8")
