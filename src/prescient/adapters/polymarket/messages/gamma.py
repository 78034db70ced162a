"""The catalogue's pages become events and markets: where collect's line of data enters the program.

A malformed item costs itself alone: a bad market leaves its event, a bad event leaves its page; both are listed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from polymarket_kit.messages.numbers import amount_from_wire, price_from_wire
from polymarket_kit.messages.pages import (
    ID_LENGTH_MAX,
    ITEM_ERRORS,
    Decoded,
    check_text,
    item_name,
    printable,
    reason_of,
    rewritten,
)
from polymarket_kit.model import NO_FEES, Payout
from polymarket_kit.values import MICRO
from prescient.adapters.polymarket.messages.dates import time_from_wire
from prescient.adapters.polymarket.messages.gamma_fields import (
    category_of_fees,
    category_of_tags,
    read_condition_id,
    read_fees,
    read_id,
    read_minimum_size,
    read_outcomes,
    read_prices,
    read_seconds,
    read_texts,
    read_tick,
    read_token_ids,
    tag_slugs,
)
from prescient.adapters.polymarket.messages.gamma_messages import EventHead, EventMessage, MarketMessage
from prescient.adapters.polymarket.messages.resolution import oracle_status, payout_of, resolution_of
from prescient.domain.market import Event, Market, MarketState, Resolution

# Names that an augmented event reserves for outcomes to be named later ("Company H", "Person AB").
_PLACEHOLDER = re.compile(
    r"(?:Person|Player|Candidate|Company|Movie|Film|Team|Party|Country|Artist|Song|Album|Show|Option|Individual|Club|"
    r"Actor|Actress|Game|Book|Model|City|State|Driver|Nominee|Other|Entity|Outcome) [A-Z]{1,2}"
)

_event = msgspec.json.Decoder(EventMessage)
_event_head = msgspec.json.Decoder(EventHead)
_market = msgspec.json.Decoder(MarketMessage)


class Group(NamedTuple):
    """What a market takes from its event."""

    event_id: str
    augmented: bool
    category: str


class StateReport(NamedTuple):
    """A market's state, and the payout that its prices claim while the oracle's status is silent."""

    state: MarketState
    claimed: Payout | None


def decode_events(items: Iterable[msgspec.Raw]) -> Decoded[Event]:
    """Return the events of a page, with their markets. Never raises for what an item holds."""
    decoded: Decoded[Event] = Decoded()
    for number, item in enumerate(items):
        try:
            decoded.items.append(_decode_event(item, decoded.skipped))
        except ITEM_ERRORS as error:
            decoded.skipped.append((item_name(item, number), f"event: {reason_of(error)}"))
    return decoded


def decode_markets(items: Iterable[msgspec.Raw]) -> Decoded[Market]:
    """Return the markets of a market listing. Never raises for what an item holds."""
    decoded: Decoded[Market] = Decoded()
    for number, item in enumerate(items):
        try:
            message = _market.decode(item)
            decoded.items.append(market_from_message(message, _group_of(message)))
        except ITEM_ERRORS as error:
            decoded.skipped.append((item_name(item, number), f"market: {reason_of(error)}"))
    return decoded


def decode_market_states(items: Iterable[msgspec.Raw]) -> Decoded[StateReport]:
    """Return what settlement needs of the markets of a listing: less is read, so less can stand in its way."""
    decoded: Decoded[StateReport] = Decoded()
    for number, item in enumerate(items):
        try:
            decoded.items.append(_state(_market.decode(item)))
        except ITEM_ERRORS as error:
            decoded.skipped.append((item_name(item, number), f"market: {reason_of(error)}"))
    return decoded


def _decode_event(item: msgspec.Raw, skipped: list[tuple[str, str]]) -> Event:
    try:
        message = _event.decode(item)
    except ITEM_ERRORS:
        return _decode_event_slowly(item, skipped)
    return _event_from(message, message.markets or (), skipped)


def _decode_event_slowly(item: msgspec.Raw, skipped: list[tuple[str, str]]) -> Event:
    """Read an event whose markets are not all sound: each by itself."""
    fields = json.loads(bytes(item))
    if not isinstance(fields, dict):
        raise ValueError("event is not an object")
    listed = fields.pop("markets", None)
    if not isinstance(listed, list | None):
        raise ValueError("markets is not a list")
    head = _event_head.decode(rewritten(fields))
    markets: list[MarketMessage] = []
    for number, raw in enumerate(map(rewritten, listed or ())):
        try:
            markets.append(_market.decode(raw))
        except ITEM_ERRORS as error:
            skipped.append((item_name(raw, number), f"market: {reason_of(error)}"))
    return _event_from(head, markets, skipped)


def _event_from(head: EventHead, messages: Sequence[MarketMessage], skipped: list[tuple[str, str]]) -> Event:
    tags = tag_slugs(head.tags)
    title, slug = head.title or "", head.slug or ""
    check_text(f"{title}{slug}{''.join(tags)}")
    event_id = read_id(head.id)
    event = Event(
        event_id=event_id,
        title=title,
        slug=slug,
        active=bool(head.active),
        closed=bool(head.closed),
        liquidity_micro=amount_from_wire(head.liquidity),
        volume_micro=amount_from_wire(head.volume),
        volume_24h_micro=amount_from_wire(head.volume_24h),
        start_time=time_from_wire(head.start_date),
        end_time=time_from_wire(head.end_date),
        negative_risk=bool(head.neg_risk or head.enable_neg_risk),
        tags=tags,
    )
    group = Group(event_id, bool(head.neg_risk_augmented), category_of_tags(tags))
    markets: list[Market] = []
    for message in messages:
        try:
            markets.append(market_from_message(message, group))
        except ITEM_ERRORS as error:
            skipped.append((printable(str(message.id), ID_LENGTH_MAX), f"market: {reason_of(error)}"))
    event.markets = tuple(markets)
    return event


def market_from_message(message: MarketMessage, group: Group) -> Market:
    """Return one market. Raises ValueError with the reason when it cannot be traded on or even kept."""
    question, slug, title = message.question or "", message.slug or "", message.group_item_title or ""
    check_text(f"{question}{slug}{title}{message.category or ''}")
    closed = message.closed is True
    active = message.active is True
    status = oracle_status(message.uma_resolution_status, read_texts(message.uma_resolution_statuses))
    bid, ask = price_from_wire(message.best_bid), price_from_wire(message.best_ask)
    return Market(
        market_id=read_id(message.id),
        event_id=group.event_id,
        condition_id=read_condition_id(message.condition_id),
        question=question,
        slug=slug,
        outcomes=read_outcomes(message),
        active=active,
        closed=closed,
        accepting_orders=message.accepting_orders is True,
        order_book_enabled=message.enable_order_book is True,
        liquidity_micro=amount_from_wire(message.liquidity, message.liquidity_num),
        volume_micro=amount_from_wire(message.volume, message.volume_num),
        volume_24h_micro=amount_from_wire(message.volume_24h),
        tick_micro=read_tick(message.order_price_min_tick_size),
        minimum_size_micro=read_minimum_size(message.order_min_size),
        fees=read_fees(message.fee_schedule) if message.fee_schedule is not None else NO_FEES,
        negative_risk=message.neg_risk is True,
        # An empty side is listed as 0 or 1, which no order can have: that is no quote.
        best_bid_micro=bid or None,
        best_ask_micro=None if ask == MICRO else ask or None,
        last_trade_micro=price_from_wire(message.last_trade_price) or None,
        end_time=time_from_wire(message.end_date) or time_from_wire(message.end_date_iso),
        game_start_time=time_from_wire(message.game_start_time) or time_from_wire(message.event_start_time),
        seconds_delay=read_seconds(message.seconds_delay),
        resolution=resolution_of(closed, status),
        category=category_of_fees(message.fee_type) or group.category or (message.category or "").lower(),
        group_title=title,
        placeholder=_is_placeholder(message, group, active=active, title=title),
    )


def _state(message: MarketMessage) -> StateReport:
    condition_id = read_condition_id(message.condition_id)
    closed = message.closed is True
    status = oracle_status(message.uma_resolution_status, read_texts(message.uma_resolution_statuses))
    resolution = resolution_of(closed, status)
    payout = payout_of(condition_id, read_token_ids(message.clob_token_ids), read_prices(message.outcome_prices))
    extra = {"oracle_status": status, "closed_time": (message.closed_time or "")[:40]}
    state = MarketState(
        condition_id=condition_id,
        resolution=resolution,
        closed=closed,
        payout=payout if resolution is Resolution.RESOLVED else None,
        market_id=read_id(message.id),
        extra={name: value for name, value in extra.items() if value},
    )
    return StateReport(state, payout if resolution is Resolution.ENDED else None)


def _group_of(message: MarketMessage) -> Group:
    if not message.events:
        return Group("", False, "")
    event = message.events[0]
    return Group(read_id(event.id), bool(event.neg_risk_augmented), category_of_tags(tag_slugs(event.tags)))


def _is_placeholder(message: MarketMessage, group: Group, *, active: bool, title: str) -> bool:
    if not group.augmented:
        return False
    return not active or message.neg_risk_other is True or _PLACEHOLDER.fullmatch(title) is not None
