"""Fills the catalogue's objects from the world: constant fields once, and the others at each change."""

from __future__ import annotations

from functools import lru_cache

import msgspec
from msgspec import UNSET, UnsetType

from polymarket_kit.values import MICRO, micro_to_text
from practice_exchange.gamma import shapes
from practice_exchange.world import names as words
from practice_exchange.world import state
from practice_exchange.world.history import price_at, volumes_micro
from practice_exchange.world.state import EventState, MarketState
from practice_exchange.world.timestamps import DAY_MS, HOUR_MS, SECOND_MS, day_text, rfc3339, spaced

IMAGE = "https://practice.invalid/images/{}.png"
REWARD_ASSET = "0x2791Bca1f2de4661ED88A30C99A7a9449Aa84174"
STAGE_STATUS = {state.PROPOSED: "proposed", state.DISPUTED: "disputed", state.RESOLVED: "resolved"}
TAG_CREATED = "2023-11-02T21:03:54.564Z"
TAG_UPDATED = "2025-07-05T21:07:09.171Z"
_encode = msgspec.json.Encoder().encode


def new_market(event: EventState, market: MarketState) -> shapes.MarketShape:
    """A market's constant fields."""
    fees, game_ms = market.fees, market.game_start_ms
    return shapes.MarketShape(
        id=str(market.number),
        question=market.question,
        condition_id=market.condition_id,
        slug=market.slug,
        resolution_source=market.resolution_source,
        end_date=rfc3339(market.end_ms),
        start_date=rfc3339(market.listed_ms),
        image=IMAGE.format(event.category),
        icon=IMAGE.format(event.category),
        description=market.description,
        outcomes=_json_text(market.outcomes),
        created_at=rfc3339(market.created_ms),
        featured=event.featured,
        restricted=market.restricted,
        group_item_title=market.group_title or UNSET,
        group_item_threshold=str(market.group_threshold),
        question_id=market.question_id,
        enable_order_book=market.order_book_enabled,
        order_min_size=market.minimum_size,
        end_date_iso=day_text(market.end_ms),
        start_date_iso=day_text(market.listed_ms),
        game_start_time=spaced(game_ms) if game_ms else UNSET,
        seconds_delay=market.seconds_delay or UNSET,
        clob_token_ids=_json_text(market.token_ids),
        maker_base_fee=1000 if fees.kind else UNSET,
        taker_base_fee=1000 if fees.kind else UNSET,
        neg_risk=market.negative_risk,
        neg_risk_market_id=event.negative_risk_market_id or UNSET,
        neg_risk_request_id=market.negative_risk_request_id,
        accepting_orders_timestamp=rfc3339(market.listed_ms),
        clob_rewards=_rewards(market) if market.rewards.daily_rate else UNSET,
        rewards_min_size=market.rewards.minimum_size,
        rewards_max_spread=market.rewards.maximum_spread,
        clear_book_on_start=not market.taker_delay,
        neg_risk_other=market.negative_risk_other,
        sports_market_type=market.sports_kind or UNSET,
        deploying_timestamp=rfc3339(market.created_ms),
        event_start_time=rfc3339(game_ms) if game_ms else UNSET,
        fees_enabled=bool(fees.kind),
        fee_type=fees.kind or None,
        fee_schedule=_fee_schedule(market) if fees.kind else UNSET,
    )


def refresh_market(shape: shapes.MarketShape, market: MarketState) -> None:
    """Bring a market up to date, as of its last change: the catalogue does not count a quiet market anew.

    Prices are the middle of the book; a missing side counts as 0 or 1.
    """
    book, closed = market.book, market.closed
    bid, ask, middle = book.best_bid_micro, book.best_ask_micro, book.midpoint_micro
    shape.active, shape.closed, shape.accepting_orders = market.active, closed, market.accepting_orders
    shape.archived = market.archived
    shape.updated_at = rfc3339(market.changed_ms)
    shape.outcome_prices = _outcome_prices(market, middle)
    shape.order_price_min_tick_size = market.tick_micro / MICRO
    shape.spread, shape.best_ask = (ask - bid) / MICRO, ask / MICRO
    shape.best_bid = bid / MICRO if bid else UNSET
    shape.last_trade_price = market.last_trade_micro / MICRO if market.last_trade_micro else UNSET
    if closed or market.placeholder:
        shape.liquidity = shape.liquidity_num = shape.liquidity_clob = shape.competitive = UNSET
    else:
        liquidity_micro = book.worth_micro()
        shape.liquidity = micro_to_text(liquidity_micro)
        shape.liquidity_num = shape.liquidity_clob = liquidity_micro / MICRO
        shape.competitive = _competitive(middle)
    day, week, month = volumes_micro(market.volume, market.changed_ms)
    shape.volume = micro_to_text(market.volume.total_micro)
    shape.volume_num = shape.volume_clob = market.volume.total_micro / MICRO
    shape.volume1yr = shape.volume1yr_clob = shape.volume_num
    shape.volume24hr = shape.volume24hr_clob = day / MICRO
    shape.volume1wk = shape.volume1wk_clob = week / MICRO
    shape.volume1mo = shape.volume1mo_clob = month / MICRO
    now_s = market.changed_ms // SECOND_MS
    shape.one_hour_price_change = _change(market, middle, now_s - 3_600)
    shape.one_day_price_change = _change(market, middle, now_s - 86_400)
    shape.one_week_price_change = _change(market, middle, now_s - 7 * 86_400)
    shape.one_month_price_change = _change(market, middle, now_s - 30 * 86_400)
    if market.stage != state.OPEN:
        shape.uma_resolution_status = STAGE_STATUS.get(market.stage, UNSET)
        shape.uma_resolution_statuses = _json_text(market.uma_statuses)
    if closed:
        shape.closed_time = spaced(market.closed_ms)
        shape.uma_end_date = rfc3339(market.closed_ms // SECOND_MS * SECOND_MS)
        shape.automatically_resolved = True


def new_event(event: EventState) -> shapes.EventShape:
    """An event's constant fields."""
    game_ms = event.game_start_ms
    return shapes.EventShape(
        id=str(event.number),
        ticker=event.slug,
        slug=event.slug,
        title=event.title,
        description=event.description,
        resolution_source=event.resolution_source,
        start_date=rfc3339(event.listed_ms),
        creation_date=rfc3339(event.listed_ms),
        end_date=rfc3339(event.end_ms),
        image=IMAGE.format(event.category),
        icon=IMAGE.format(event.category),
        featured=event.featured,
        restricted=True,
        created_at=rfc3339(event.created_ms),
        neg_risk=event.negative_risk,
        neg_risk_market_id=event.negative_risk_market_id or UNSET,
        comment_count=event.comment_count,
        series=[_series(event)] if event.series else UNSET,
        enable_neg_risk=event.negative_risk,
        event_date=day_text(game_ms) if game_ms else UNSET,
        start_time=rfc3339(game_ms) if game_ms else UNSET,
        series_slug=event.series or UNSET,
        neg_risk_augmented=event.negative_risk_augmented,
        deploying_timestamp=rfc3339(event.created_ms),
    )


def refresh_event(shape: shapes.EventShape, event: EventState) -> None:
    """Bring an event up to date. Liquidity and volume are the sums over its markets."""
    shape.active, shape.closed, shape.archived = event.active, event.closed, event.archived
    shape.liquidity = shape.liquidity_clob = event_liquidity_micro(event) / MICRO
    shape.volume = shape.volume1yr = event_volume_micro(event) / MICRO
    shape.open_interest = shape.volume // 4
    changed_ms = max(market.changed_ms for market in event.markets)
    days, weeks, months = zip(*[volumes_micro(market.volume, changed_ms) for market in event.markets], strict=True)
    shape.volume24hr, shape.volume1wk, shape.volume1mo = sum(days) / MICRO, sum(weeks) / MICRO, sum(months) / MICRO
    shape.updated_at = rfc3339(changed_ms)
    shape.competitive = max(_competitive(market.book.midpoint_micro) for market in event.markets)
    if event.closed:
        shape.closed_time = rfc3339(event.closed_ms)


def market_liquidity_micro(market: MarketState) -> int:
    """The money behind the resting orders, or what the recording said."""
    return market.book.worth_micro() if market.told_liquidity_micro < 0 else market.told_liquidity_micro


def event_liquidity_micro(event: EventState) -> int:
    if event.told_liquidity_micro >= 0:
        return event.told_liquidity_micro
    return sum([market.book.worth_micro() for market in event.markets if not market.closed])


def event_volume_micro(event: EventState) -> int:
    if event.told_volume_micro >= 0:
        return event.told_volume_micro
    return sum([market.volume.total_micro for market in event.markets])


def tag_shapes(tags: dict[str, tuple[int, str]]) -> list[shapes.TagShape]:
    """Tags by slug, each with its id and label."""
    return [_tag(slug, number, label) for slug, (number, label) in tags.items()]


def event_tags(event: EventState) -> list[shapes.TagShape]:
    return tag_shapes({slug: words.TAGS[slug] for slug in event.tags})


@lru_cache(maxsize=4_096)
def _tag(slug: str, number: int, label: str) -> shapes.TagShape:
    return shapes.TagShape(id=str(number), label=label, slug=slug, created_at=TAG_CREATED, updated_at=TAG_UPDATED)


def _json_text(values: list[str]) -> str:
    """A list as JSON inside a string, with the blank after the comma that the venue writes."""
    return "[" + ", ".join([_encode(value).decode() for value in values]) + "]"


def _outcome_prices(market: MarketState, middle_micro: int) -> str | UnsetType:
    if market.payouts_micro:
        first, second = market.payouts_micro
    elif market.placeholder:
        return UNSET
    else:
        first, second = middle_micro, MICRO - middle_micro
    return f'["{micro_to_text(first)}", "{micro_to_text(second)}"]'


def _competitive(middle_micro: int) -> float:
    """How close to even: the venue's own figure, 1 / (1 + (p - 0.5)^2)."""
    return 1 / (1 + (middle_micro / MICRO - 0.5) ** 2)


def _change(market: MarketState, middle_micro: int, since_s: int) -> float | UnsetType:
    before_micro = price_at(market, since_s)
    if before_micro is None or before_micro == middle_micro:
        return UNSET
    return (middle_micro - before_micro) / MICRO


def _rewards(market: MarketState) -> list[shapes.ClobRewardShape]:
    reward = shapes.ClobRewardShape(
        id=str(market.number % 1_000_000),
        condition_id=market.condition_id,
        asset_address=REWARD_ASSET,
        rewards_daily_rate=market.rewards.daily_rate,
        start_date=day_text(market.listed_ms),
    )
    return [reward]


def _fee_schedule(market: MarketState) -> shapes.FeeScheduleShape:
    fees = market.fees
    return shapes.FeeScheduleShape(
        exponent=fees.exponent, rate=fees.rate, taker_only=True, rebate_rate=fees.rebate_rate
    )


def _series(event: EventState) -> shapes.SeriesShape:
    started = rfc3339(event.created_ms // DAY_MS * DAY_MS + HOUR_MS)
    return shapes.SeriesShape(
        id=str(10_000 + sum(event.series.encode()) % 1_000),
        ticker=event.series,
        slug=event.series,
        title=event.series.replace("-", " ").title(),
        image=IMAGE.format(event.category),
        icon=IMAGE.format(event.category),
        created_at=started,
        updated_at=started,
    )
