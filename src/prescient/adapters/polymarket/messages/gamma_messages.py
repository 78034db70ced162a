"""The catalogue's messages (Gamma API) field by field, as far as they are used; unknown fields are skipped unread.

Everything optional may be absent, null, or of the other spelling: the venue omits what is empty and changes types.
"""

from __future__ import annotations

import msgspec

# A number, or the same as a decimal string.
Number = float | str | None
# A list, or the same as JSON in a string.
Listed = str | list[str | float] | None
Flag = bool | None
Text = str | None


class FeeMessage(msgspec.Struct, rename="camel", gc=False):
    """``feeSchedule``: ``shares x rate x (p(1-p))^exponent``."""

    rate: Number = None
    exponent: Number = None
    taker_only: Flag = None
    rebate_rate: Number = None


class TagMessage(msgspec.Struct, gc=False):
    slug: Text = None


class EventReference(msgspec.Struct, rename="camel", gc=False):
    """The trimmed event inside a market of the market listings."""

    id: str | int
    neg_risk_augmented: Flag = None
    tags: list[TagMessage] | None = None


class MarketMessage(msgspec.Struct, rename="camel", gc=False):
    """One market object, from an event or from the market listings."""

    id: str | int
    question: Text = None
    condition_id: Text = None
    slug: Text = None
    outcomes: Listed = None
    outcome_prices: Listed = None
    clob_token_ids: Listed = None
    active: Flag = None
    closed: Flag = None
    accepting_orders: Flag = None
    enable_order_book: Flag = None
    liquidity: Number = None
    liquidity_num: Number = None
    volume: Number = None
    volume_num: Number = None
    volume_24h: Number = msgspec.field(default=None, name="volume24hr")
    order_price_min_tick_size: Number = None
    order_min_size: Number = None
    fee_schedule: FeeMessage | None = None
    fee_type: Text = None
    neg_risk: Flag = None
    neg_risk_other: Flag = None
    best_bid: Number = None
    best_ask: Number = None
    last_trade_price: Number = None
    end_date: Text = None
    end_date_iso: Text = None
    game_start_time: Text = None
    event_start_time: Text = None
    seconds_delay: Number = None
    uma_resolution_status: Text = None
    uma_resolution_statuses: Listed = None
    category: Text = None
    group_item_title: Text = None
    closed_time: Text = None
    events: list[EventReference] | None = None


class EventHead(msgspec.Struct, rename="camel", gc=False):
    """One event object without its markets."""

    id: str | int
    title: Text = None
    slug: Text = None
    active: Flag = None
    closed: Flag = None
    liquidity: Number = None
    volume: Number = None
    volume_24h: Number = msgspec.field(default=None, name="volume24hr")
    start_date: Text = None
    end_date: Text = None
    neg_risk: Flag = None
    enable_neg_risk: Flag = None
    neg_risk_augmented: Flag = None
    tags: list[TagMessage] | None = None


class EventMessage(EventHead, rename="camel", gc=False):
    """One event object with its markets."""

    markets: list[MarketMessage] | None = None
