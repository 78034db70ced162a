"""Announcements for every socket that asked for them: new markets and resolved markets."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType

from polymarket_kit.values import MICRO, micro_to_text
from practice_exchange.streams.frames import text_frame
from practice_exchange.world.index import WorldIndex
from practice_exchange.world.state import EventState, MarketState
from practice_exchange.world.timestamps import rfc3339

_encode = msgspec.json.Encoder().encode


class EventMessage(msgspec.Struct):
    id: str
    ticker: str
    slug: str
    title: str
    description: str


class FeeScheduleMessage(msgspec.Struct):
    exponent: str
    rate: str
    taker_only: bool
    rebate_rate: str


class NewMarketMessage(msgspec.Struct, kw_only=True):
    """``new_market``, in the venue's key order. A market is announced before it is active."""

    id: str
    question: str
    market: str
    slug: str
    description: str
    assets_ids: list[str]
    outcomes: list[str]
    event_message: EventMessage
    timestamp: str
    event_type: str = "new_market"
    tags: list[str]
    condition_id: str
    active: bool = False
    clob_token_ids: list[str]
    sports_market_type: str
    line: str = ""
    game_start_time: str
    order_price_min_tick_size: str
    group_item_title: str
    taker_base_fee: str
    fees_enabled: bool
    fee_schedule: FeeScheduleMessage | UnsetType


class MarketResolvedMessage(msgspec.Struct, kw_only=True):
    """``market_resolved``. Where both sides are paid half, nothing has won (assumed)."""

    event_type: str = "market_resolved"
    id: str
    market: str
    assets_ids: list[str]
    winning_asset_id: str
    winning_outcome: str
    timestamp: str
    tags: list[str]


def new_market_frame(event: EventState, market: MarketState) -> bytes:
    fees = market.fees
    schedule = FeeScheduleMessage(f"{fees.exponent:g}", f"{fees.rate:g}", True, f"{fees.rebate_rate:g}")
    message = NewMarketMessage(
        id=str(market.number),
        question=market.question,
        market=market.condition_id,
        slug=market.slug,
        description=market.description,
        assets_ids=market.token_ids,
        outcomes=market.outcomes,
        event_message=EventMessage(str(event.number), event.slug, event.slug, event.title, event.description),
        timestamp=str(market.listed_ms),
        tags=event.tags,
        condition_id=market.condition_id,
        clob_token_ids=market.token_ids,
        sports_market_type=market.sports_kind,
        game_start_time=rfc3339(market.game_start_ms) if market.game_start_ms else "",
        order_price_min_tick_size=micro_to_text(market.tick_micro),
        group_item_title=market.group_title,
        taker_base_fee="1000" if fees.kind else "0",
        fees_enabled=bool(fees.kind),
        fee_schedule=schedule if fees.kind else UNSET,
    )
    return text_frame(_encode(message))


def market_resolved_frame(event: EventState, market: MarketState) -> bytes:
    winner = market.payouts_micro.index(MICRO) if MICRO in market.payouts_micro else None
    message = MarketResolvedMessage(
        id=str(market.number),
        market=market.condition_id,
        assets_ids=market.token_ids,
        winning_asset_id="" if winner is None else market.token_ids[winner],
        winning_outcome="" if winner is None else market.outcomes[winner],
        timestamp=str(market.closed_ms),
        tags=event.tags,
    )
    return text_frame(_encode(message))


class Announcer:
    """Finds what is new since it last looked. Costs nothing until ``begin``, which takes the world as known."""

    def __init__(self, register: WorldIndex) -> None:
        self._register = register
        self._unresolved: dict[int, MarketState] | None = None
        self._newest = 0

    def begin(self) -> None:
        """Treat everything that exists as announced."""
        markets = self._register.markets
        self._unresolved = {number: market for number, market in markets.items() if not market.closed}
        self._newest = max(markets, default=0)

    def end(self) -> None:
        self._unresolved = None

    def look(self) -> list[bytes]:
        """Frames about what has been listed and resolved since, in that order."""
        if self._unresolved is None:
            return []
        markets, events = self._register.markets, self._register.events
        listed = []
        for number in reversed(markets):
            if number <= self._newest:
                break
            listed.append(markets[number])
        frames = []
        for market in reversed(listed):
            self._newest = max(self._newest, market.number)
            self._unresolved[market.number] = market
            frames.append(new_market_frame(events[market.event_number], market))
        for number, market in list(self._unresolved.items()):
            if market.closed and market.payouts_micro:
                del self._unresolved[number]
                if market.event_number in events:
                    frames.append(market_resolved_frame(events[market.event_number], market))
        return frames
