"""The catalogue's objects exactly as the venue sends them: names, order, types, and what is left out when empty.

Field order is the order on the wire and UNSET is left out. What never differs here stands as a default.
"""

from __future__ import annotations

import msgspec
from msgspec import UNSET, Raw, UnsetType

SUBMITTER = "0x91430CaD2d3975766499717fA0D66A78D814E5c5"
RESOLVER = "0x65070BE91477460D8A7AeEb94ef92fe056C2f2A7"


class FeeScheduleShape(msgspec.Struct, rename="camel", kw_only=True):
    exponent: int | float
    rate: float
    taker_only: bool
    rebate_rate: float


class ClobRewardShape(msgspec.Struct, rename="camel", kw_only=True):
    id: str
    condition_id: str
    asset_address: str
    rewards_amount: int = 0
    rewards_daily_rate: int | float
    start_date: str
    end_date: str = "2500-12-31"


class TagShape(msgspec.Struct, rename="camel", kw_only=True):
    id: str
    label: str
    slug: str
    force_show: bool = False
    created_at: str
    updated_at: str
    requires_translation: bool = False


class SeriesShape(msgspec.Struct, rename="camel", kw_only=True):
    id: str
    ticker: str
    slug: str
    title: str
    series_type: str = "single"
    recurrence: str = "daily"
    image: str
    icon: str
    active: bool = True
    closed: bool = False
    archived: bool = False
    featured: bool = False
    restricted: bool = True
    created_at: str
    updated_at: str
    comment_count: int = 0
    requires_translation: bool = False


class MarketShape(msgspec.Struct, rename="camel", kw_only=True):
    id: str
    question: str
    condition_id: str
    slug: str
    resolution_source: str
    end_date: str
    liquidity: str | UnsetType = UNSET
    start_date: str
    image: str
    icon: str
    description: str
    outcomes: str
    outcome_prices: str | UnsetType = UNSET
    volume: str = "0"
    active: bool = True
    closed: bool = False
    market_maker_address: str = ""
    created_at: str
    updated_at: str = ""
    closed_time: str | UnsetType = UNSET
    new: bool = False
    featured: bool
    submitted_by: str = msgspec.field(name="submitted_by", default=SUBMITTER)
    # The venue's first protocol; clients need to be told before they split, merge or redeem.
    version: str = "v1"
    archived: bool = False
    resolved_by: str = RESOLVER
    restricted: bool
    group_item_title: str | UnsetType = UNSET
    group_item_threshold: str
    question_id: str = msgspec.field(name="questionID")
    uma_end_date: str | UnsetType = UNSET
    enable_order_book: bool = True
    order_price_min_tick_size: float = 0.01
    order_min_size: int
    uma_resolution_status: str | UnsetType = UNSET
    volume_num: float = 0.0
    liquidity_num: float | UnsetType = UNSET
    end_date_iso: str
    start_date_iso: str
    has_reviewed_dates: bool = True
    volume24hr: float = 0.0
    volume1wk: float = 0.0
    volume1mo: float = 0.0
    volume1yr: float = 0.0
    game_start_time: str | UnsetType = UNSET
    seconds_delay: int | UnsetType = UNSET
    clob_token_ids: str
    combo_status: str = "disabled"
    uma_bond: str = "500"
    uma_reward: str = "5"
    volume24hr_clob: float = 0.0
    volume1wk_clob: float = 0.0
    volume1mo_clob: float = 0.0
    volume1yr_clob: float = 0.0
    volume_clob: float = 0.0
    liquidity_clob: float | UnsetType = UNSET
    maker_base_fee: int | UnsetType = UNSET
    taker_base_fee: int | UnsetType = UNSET
    custom_liveness: int = 0
    accepting_orders: bool = True
    neg_risk: bool
    neg_risk_market_id: str | UnsetType = msgspec.field(name="negRiskMarketID", default=UNSET)
    neg_risk_request_id: str = msgspec.field(name="negRiskRequestID")
    # Only listings of markets carry their event.
    events: list[Raw] | UnsetType = UNSET
    ready: bool = False
    funded: bool = False
    accepting_orders_timestamp: str
    cyom: bool = False
    competitive: float | UnsetType = UNSET
    pager_duty_notification_enabled: bool = False
    approved: bool = True
    clob_rewards: list[ClobRewardShape] | UnsetType = UNSET
    rewards_min_size: int
    rewards_max_spread: float
    spread: float = 0.0
    automatically_resolved: bool | UnsetType = UNSET
    one_day_price_change: float | UnsetType = UNSET
    one_hour_price_change: float | UnsetType = UNSET
    one_week_price_change: float | UnsetType = UNSET
    one_month_price_change: float | UnsetType = UNSET
    last_trade_price: float | UnsetType = UNSET
    best_bid: float | UnsetType = UNSET
    best_ask: float = 1.0
    automatically_active: bool = True
    clear_book_on_start: bool
    show_gmp_series: bool = False
    show_gmp_outcome: bool = False
    manual_activation: bool = False
    neg_risk_other: bool
    sports_market_type: str | UnsetType = UNSET
    uma_resolution_statuses: str = "[]"
    pending_deployment: bool = False
    deploying: bool = False
    deploying_timestamp: str
    rfq_enabled: bool = False
    event_start_time: str | UnsetType = UNSET
    holding_rewards_enabled: bool = False
    fees_enabled: bool
    requires_translation: bool = False
    fee_type: str | None
    fee_schedule: FeeScheduleShape | UnsetType = UNSET
    # Only with ``include_tag``.
    tags: list[TagShape] | UnsetType = UNSET


class EventShape(msgspec.Struct, rename="camel", kw_only=True):
    id: str
    ticker: str
    slug: str
    title: str
    description: str
    resolution_source: str
    start_date: str
    creation_date: str
    end_date: str
    image: str
    icon: str
    active: bool = True
    closed: bool = False
    archived: bool = False
    new: bool = False
    featured: bool
    restricted: bool
    liquidity: float = 0.0
    volume: float = 0.0
    open_interest: float = 0.0
    created_at: str
    updated_at: str = ""
    competitive: float = 0.0
    volume24hr: float = 0.0
    volume1wk: float = 0.0
    volume1mo: float = 0.0
    volume1yr: float = 0.0
    enable_order_book: bool = True
    liquidity_clob: float = 0.0
    neg_risk: bool
    neg_risk_market_id: str | UnsetType = msgspec.field(name="negRiskMarketID", default=UNSET)
    comment_count: int
    # Absent where an event stands inside a market.
    markets: list[Raw] | UnsetType = UNSET
    series: list[SeriesShape] | UnsetType = UNSET
    tags: list[TagShape] | UnsetType = UNSET
    cyom: bool = False
    closed_time: str | UnsetType = UNSET
    show_all_outcomes: bool = True
    show_market_images: bool = False
    enable_neg_risk: bool
    automatically_active: bool = True
    event_date: str | UnsetType = UNSET
    start_time: str | UnsetType = UNSET
    series_slug: str | UnsetType = UNSET
    gmp_chart_mode: str = "default"
    neg_risk_augmented: bool
    estimate_value: bool = False
    cumulative_markets: bool = False
    pending_deployment: bool = False
    deploying: bool = False
    deploying_timestamp: str
    requires_translation: bool = False
