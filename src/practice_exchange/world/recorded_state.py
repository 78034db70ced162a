"""Converts recorded catalogue objects to the world's state, so that filters, prices and rules can use them."""

from __future__ import annotations

from typing import Any

import msgspec

from polymarket_kit.values import MICRO, parse_micro
from practice_exchange.world import state
from practice_exchange.world.book import UnifiedBook
from practice_exchange.world.catalogue import OFFSETS
from practice_exchange.world.history import DAYS_KEPT, HOURS_KEPT
from practice_exchange.world.state import EventState, Fees, MarketState, Rewards, Volume
from practice_exchange.world.timestamps import HOUR_MS, parse_moment_ms

Item = dict[str, Any]
STAGES = {"proposed": state.PROPOSED, "disputed": state.DISPUTED, "resolved": state.RESOLVED}
SIZE_MIN_MICRO = 5 * MICRO


def read_event(number: int, content: bytes) -> EventState:
    """An event without its markets. Raises ValueError, KeyError."""
    item: Item = msgspec.json.decode(content)
    return EventState(
        number=number,
        recipe="",
        category=str(item.get("category") or ""),
        title=item["title"],
        slug=item["slug"],
        description=item.get("description") or "",
        tags=[tag["slug"] for tag in item.get("tags") or [] if tag.get("slug")],
        created_ms=_moment(item, "createdAt"),
        listed_ms=_moment(item, "startDate"),
        end_ms=_moment(item, "endDate"),
        markets=[],
        negative_risk=bool(item.get("negRisk")),
        negative_risk_market_id=item.get("negRiskMarketID") or "",
        negative_risk_augmented=bool(item.get("negRiskAugmented")),
        active=bool(item.get("active", True)),
        closed=bool(item.get("closed")),
        archived=bool(item.get("archived")),
        featured=bool(item.get("featured")),
        comment_count=int(item.get("commentCount") or 0),
        told_liquidity_micro=_micro(item.get("liquidity")),
        told_volume_micro=_micro(item.get("volume")),
    )


def recorded_tags(content: bytes) -> dict[str, tuple[int, str]]:
    """Slug to id and label of an event's tags."""
    tags = msgspec.json.decode(content).get("tags") or []
    return {tag["slug"]: (int(tag["id"]), str(tag.get("label") or tag["slug"])) for tag in tags if tag.get("slug")}


def read_market(number: int, event: EventState, content: bytes, books: dict[str, bytes]) -> MarketState:
    """A market with its recorded book, or one built around the recorded prices. Raises ValueError, KeyError."""
    item: Item = msgspec.json.decode(content)
    token_ids = _texts(item.get("clobTokenIds"))
    prices = [_micro(price) for price in _texts(item.get("outcomePrices"))]
    closed = bool(item.get("closed"))
    book = _recorded_book(token_ids, books) or (UnifiedBook() if closed else _book_around(item))
    past = _past(item, book)
    return MarketState(
        number=number,
        event_number=event.number,
        condition_id=item["conditionId"],
        question_id=item.get("questionID") or "",
        question=item.get("question") or "",
        slug=item.get("slug") or str(number),
        description=item.get("description") or "",
        outcomes=_texts(item.get("outcomes")) or ["Yes", "No"],
        token_ids=token_ids,
        created_ms=_moment(item, "createdAt"),
        listed_ms=_moment(item, "acceptingOrdersTimestamp") or _moment(item, "startDate"),
        end_ms=_moment(item, "endDate") or event.end_ms,
        tick_micro=_micro(item.get("orderPriceMinTickSize")) or 10_000,
        book=book,
        volume=_volume(item),
        fees=_fees(item),
        minimum_size=int(item.get("orderMinSize") or 5),
        rewards=Rewards(int(item.get("rewardsMinSize") or 0), float(item.get("rewardsMaxSpread") or 0)),
        group_title=item.get("groupItemTitle") or "",
        active=bool(item.get("active")),
        accepting_orders=bool(item.get("acceptingOrders")),
        order_book_enabled=bool(item.get("enableOrderBook")),
        closed=closed,
        archived=bool(item.get("archived")),
        negative_risk=bool(item.get("negRisk")),
        negative_risk_request_id=item.get("negRiskRequestID") or "",
        seconds_delay=int(item.get("secondsDelay") or 0),
        game_start_ms=_moment(item, "gameStartTime"),
        stage=state.RESOLVED if closed else STAGES.get(item.get("umaResolutionStatus") or "", state.OPEN),
        payouts_micro=prices if closed and len(prices) == 2 and sum(prices) == MICRO else [],
        closed_ms=_moment(item, "closedTime"),
        changed_ms=_moment(item, "updatedAt"),
        revision=1,
        last_trade_micro=_micro(item.get("lastTradePrice")),
        told_liquidity_micro=_micro(item.get("liquidityNum") or item.get("liquidity")),
        history_s=[at for at, _ in past],
        history_micro=[price for _, price in past],
    )


def _past(item: Item, book: UnifiedBook) -> list[tuple[int, int]]:
    """The few past prices that the recorded changes tell, as (second, price micro)."""
    updated_s, middle = _moment(item, "updatedAt") // 1000, book.midpoint_micro
    spans_s = {"oneMonth": 30 * 86_400, "oneWeek": 7 * 86_400, "oneDay": 86_400, "oneHour": 3_600}
    past = [
        (updated_s - span_s, middle - round(float(item[f"{name}PriceChange"]) * MICRO))
        for name, span_s in spans_s.items()
        if item.get(f"{name}PriceChange")
    ]
    return [(at, price) for at, price in past if 0 <= price <= MICRO] + [(updated_s, middle)]


def _recorded_book(token_ids: list[str], books: dict[str, bytes]) -> UnifiedBook | None:
    for index, token_id in enumerate(token_ids[:2]):
        if token_id in books:
            item: Item = msgspec.json.decode(books[token_id])
            bids, asks = _levels(item["bids"]), _levels(item["asks"])
            if index == 1:
                bids, asks = _mirror(asks), _mirror(bids)
            return UnifiedBook(
                [price for price, _ in bids],
                [size for _, size in bids],
                [price for price, _ in asks],
                [size for _, size in asks],
            )
    return None


def _levels(levels: list[dict[str, str]]) -> list[tuple[int, int]]:
    return [(parse_micro(level["price"]), parse_micro(level["size"])) for level in levels]


def _mirror(levels: list[tuple[int, int]]) -> list[tuple[int, int]]:
    return [(MICRO - price, size) for price, size in levels]


def _book_around(item: Item) -> UnifiedBook:
    """A ladder that starts at the recorded best prices and holds about the recorded liquidity."""
    tick = _micro(item.get("orderPriceMinTickSize")) or 10_000
    bid, ask = _micro(item.get("bestBid")), _micro(item.get("bestAsk"))
    steps = [offset * tick for offset in reversed(OFFSETS)]
    bids = [bid - step for step in steps if bid - step >= tick]
    asks = [ask + step for step in steps if ask + step <= MICRO - tick] if ask > bid else []
    money = sum(bids) + sum(MICRO - price for price in asks)
    if money == 0:
        return UnifiedBook()
    liquidity_micro = _micro(item.get("liquidityNum") or item.get("liquidity"))
    size = max(liquidity_micro * MICRO // money // 10_000 * 10_000, SIZE_MIN_MICRO)
    return UnifiedBook(bids, [size] * len(bids), asks, [size] * len(asks))


def _volume(item: Item) -> Volume:
    day, week, month = (_micro(item.get(name)) for name in ("volume24hr", "volume1wk", "volume1mo"))
    by_day = [0] * DAYS_KEPT
    by_day[0], by_day[-7], by_day[-1] = max(month - week, 0), max(week - day, 0), day
    hour = _moment(item, "updatedAt") // HOUR_MS
    total = _micro(item.get("volumeNum") or item.get("volume"))
    return Volume(total, hour, [0] * (HOURS_KEPT - 1) + [day], by_day)


def _fees(item: Item) -> Fees:
    schedule = item.get("feeSchedule")
    if not schedule or not item.get("feesEnabled", True):
        return Fees()
    return Fees(
        item.get("feeType") or "fees",
        float(schedule.get("rate") or 0),
        float(schedule.get("rebateRate") or 0),
        schedule.get("exponent") or 1,
    )


def _moment(item: Item, name: str) -> int:
    value = item.get(name)
    return parse_moment_ms(value) if value else 0


def _micro(value: object) -> int:
    return parse_micro(value) if isinstance(value, (str, int, float)) and value != "" else 0


def _texts(value: object) -> list[str]:
    """A list, or a list as JSON inside a string; empty when absent."""
    if isinstance(value, str) and value:
        value = msgspec.json.decode(value)
    return [str(part) for part in value] if isinstance(value, list) else []
