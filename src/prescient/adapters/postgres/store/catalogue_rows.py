"""Events and markets as rows for COPY, and rows of the catalogue as events and markets: the fast paths, both ways."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import asyncpg

from polymarket_kit.model import FeeSchedule
from prescient.domain.market import Event, Market, Outcome, Resolution

Row = tuple[Any, ...]

EVENT_COLUMNS = (
    "event_id",
    "title",
    "slug",
    "active",
    "closed",
    "liquidity_micro",
    "volume_micro",
    "volume_24h_micro",
    "start_time",
    "end_time",
    "negative_risk",
    "tags",
)

MARKET_COLUMNS = (
    "market_id",
    "event_id",
    "condition_id",
    "question",
    "slug",
    "token_ids",
    "outcome_names",
    "outcome_prices",
    "active",
    "closed",
    "accepting_orders",
    "order_book_enabled",
    "liquidity_micro",
    "volume_micro",
    "volume_24h_micro",
    "tick_micro",
    "minimum_size_micro",
    "fee_rate_micro",
    "fee_exponent",
    "fee_taker_only",
    "fee_rebate_rate_micro",
    "negative_risk",
    "best_bid_micro",
    "best_ask_micro",
    "last_trade_micro",
    "end_time",
    "game_start_time",
    "seconds_delay",
    "resolution",
    "category",
    "group_title",
    "placeholder",
)

# In the order of ``MarketFigures``.
FIGURE_COLUMNS = (
    "market_id",
    "active",
    "closed",
    "accepting_orders",
    "order_book_enabled",
    "placeholder",
    "liquidity_micro",
    "volume_micro",
    "outcome_prices",
)

# Arrays travel as PostgreSQL writes them and are read by the server: the driver's own way costs as much as all the rest.
ARRAYS = {"token_ids": "text[]", "outcome_names": "text[]", "outcome_prices": "bigint[]", "tags": "text[]"}

_RESOLUTIONS = {resolution.value: resolution for resolution in Resolution}
# Most markets share one of a few schedules; the schedule is frozen, so one value serves them all.
_FEES: dict[tuple[int, int, bool, int], FeeSchedule] = {}
FEES_MAX = 1000


def event_row(event: Event) -> Row:
    return (
        event.event_id,
        event.title,
        event.slug,
        event.active,
        event.closed,
        event.liquidity_micro,
        event.volume_micro,
        event.volume_24h_micro,
        event.start_time,
        event.end_time,
        event.negative_risk,
        array_text(event.tags),
    )


def market_row(market: Market) -> Row:
    outcomes = market.outcomes
    fees = market.fees
    return (
        market.market_id,
        market.event_id,
        market.condition_id,
        market.question,
        market.slug,
        array_text([outcome.token_id for outcome in outcomes]),
        # The same few names ("Yes", "No") come thousands of times.
        _names_text(tuple([outcome.name for outcome in outcomes])),
        _numbers_text([outcome.price_micro for outcome in outcomes]),
        market.active,
        market.closed,
        market.accepting_orders,
        market.order_book_enabled,
        market.liquidity_micro,
        market.volume_micro,
        market.volume_24h_micro,
        market.tick_micro,
        market.minimum_size_micro,
        fees.rate_micro,
        fees.exponent,
        fees.taker_only,
        fees.rebate_rate_micro,
        market.negative_risk,
        market.best_bid_micro,
        market.best_ask_micro,
        market.last_trade_micro,
        market.end_time,
        market.game_start_time,
        market.seconds_delay,
        market.resolution.value,
        market.category,
        market.group_title,
        market.placeholder,
    )


def event_of(row: asyncpg.Record) -> Event:
    """Read an event without its markets."""
    fields = list(row)
    fields[11] = tuple(fields[11])
    return Event(*fields)


def market_of(row: asyncpg.Record) -> Market:
    fields = [
        *row[:5],
        tuple(map(Outcome, row[5], row[6], row[7])),
        *row[8:17],
        _fees_of(*row[17:21]),
        *row[21:28],
        _RESOLUTIONS[row[28]],
        *row[29:32],
    ]
    return Market(*fields)


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
