"""The public order-book API's objects exactly as the venue sends them: names, order, types, and omitted fields."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType


class LevelShape(msgspec.Struct):
    price: str
    size: str


class BookShape(msgspec.Struct):
    """One outcome's book. Its hash covers these fields in this order, with the hash itself empty."""

    market: str
    asset_id: str
    timestamp: str
    hash: str
    bids: list[LevelShape]
    asks: list[LevelShape]
    min_order_size: str
    tick_size: str
    neg_risk: bool
    last_trade_price: str


class InfoTokenShape(msgspec.Struct):
    t: str
    o: str


class InfoRewardsShape(msgspec.Struct):
    mi: int
    ma: int | float
    moas: int


class InfoFeesShape(msgspec.Struct):
    r: float
    e: int | float
    to: bool


class InfoShape(msgspec.Struct, kw_only=True):
    """``/clob-markets/{condition_id}``: what an order must obey, under one-letter names."""

    gst: str | UnsetType = UNSET
    r: InfoRewardsShape
    t: list[InfoTokenShape]
    c: str
    mos: int
    mts: float
    mbf: int | UnsetType = UNSET
    tbf: int | UnsetType = UNSET
    ao: bool
    nr: bool | UnsetType = UNSET
    cbos: bool
    aot: str
    sd: int | UnsetType = UNSET
    itode: bool | UnsetType = UNSET
    ibce: bool = True
    fd: InfoFeesShape | UnsetType = UNSET


class RewardRateShape(msgspec.Struct):
    asset_address: str
    rewards_daily_rate: int | float


class RewardsShape(msgspec.Struct):
    rates: list[RewardRateShape] | None
    min_size: int
    max_spread: float


class TokenShape(msgspec.Struct):
    token_id: str
    outcome: str
    price: float
    winner: bool


class ClobMarketShape(msgspec.Struct, kw_only=True):
    """One market of the order-book API's own catalogue."""

    enable_order_book: bool
    active: bool
    closed: bool
    archived: bool
    accepting_orders: bool
    accepting_order_timestamp: str | None
    minimum_order_size: int
    minimum_tick_size: float
    condition_id: str
    question_id: str
    question: str
    description: str
    market_slug: str
    end_date_iso: str
    game_start_time: str | None
    seconds_delay: int
    fpmm: str
    maker_base_fee: int
    taker_base_fee: int
    notifications_enabled: bool
    neg_risk: bool
    neg_risk_market_id: str
    neg_risk_request_id: str
    icon: str
    image: str
    rewards: RewardsShape
    is_50_50_outcome: bool
    tokens: list[TokenShape]
    tags: list[str]


class SimplifiedMarketShape(msgspec.Struct):
    condition_id: str
    rewards: RewardsShape
    tokens: list[TokenShape]
    active: bool
    closed: bool
    archived: bool
    accepting_orders: bool
