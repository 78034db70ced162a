"""Encodes order books and market rules as order-book API JSON, cached until their market changes."""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha1

import msgspec
from msgspec import UNSET

from polymarket_kit.values import MICRO, micro_to_text
from practice_exchange.books import shapes
from practice_exchange.gamma.fill import IMAGE, REWARD_ASSET
from practice_exchange.world import names as words
from practice_exchange.world.index import WorldIndex
from practice_exchange.world.state import MarketState
from practice_exchange.world.timestamps import rfc3339

REWARD_MINIMUM_AGE_S = 4
_encode = msgspec.json.Encoder().encode


class ClobRenderer:
    """JSON of books from the world's state; recorded books and rules are passed through as they are."""

    def __init__(
        self,
        register: WorldIndex,
        recorded_books: dict[str, bytes] | None = None,
        recorded_infos: dict[str, bytes] | None = None,
    ) -> None:
        self._register = register
        self._recorded_books = recorded_books or {}
        self._recorded_infos = recorded_infos or {}
        self._books: dict[str, tuple[int, bytes]] = {}

    def book(self, market: MarketState, outcome_index: int) -> bytes:
        """The book of one outcome, best levels last, with its hash."""
        token_id = market.token_ids[outcome_index]
        recorded = self._recorded_books.get(token_id)
        if recorded is not None:
            return recorded
        cached = self._books.get(token_id)
        if cached is not None and cached[0] == market.revision:
            return cached[1]
        content = book_json(market, outcome_index)
        self._books[token_id] = (market.revision, content)
        return content

    def info(self, market: MarketState) -> bytes:
        recorded = self._recorded_infos.get(market.condition_id)
        return recorded if recorded is not None else _encode(info_shape(market))

    def market(self, market: MarketState) -> bytes:
        return _encode(self._market_shape(market))

    def simplified(self, market: MarketState) -> bytes:
        return _encode(
            shapes.SimplifiedMarketShape(
                market.condition_id,
                _rewards(market),
                _tokens(market),
                market.active,
                market.closed,
                market.archived,
                market.accepting_orders,
            )
        )

    def forget_gone(self) -> None:
        """Drop the books of markets that the world has dropped."""
        for token_id in [token_id for token_id in self._books if token_id not in self._register.tokens]:
            del self._books[token_id]

    def _market_shape(self, market: MarketState) -> shapes.ClobMarketShape:
        event = self._register.events[market.event_number]
        base_fee = 1000 if market.fees.kind else 0
        image = IMAGE.format(event.category)
        return shapes.ClobMarketShape(
            enable_order_book=market.order_book_enabled and not market.closed,
            active=True,
            closed=market.closed,
            archived=market.archived,
            accepting_orders=market.accepting_orders,
            accepting_order_timestamp=rfc3339(market.listed_ms),
            minimum_order_size=market.minimum_size,
            minimum_tick_size=market.tick_micro / MICRO,
            condition_id=market.condition_id,
            question_id=market.question_id,
            question=market.question,
            description=market.description,
            market_slug=market.slug,
            end_date_iso=rfc3339(market.end_ms),
            game_start_time=rfc3339(market.game_start_ms) if market.game_start_ms else None,
            seconds_delay=market.seconds_delay,
            fpmm="",
            maker_base_fee=base_fee,
            taker_base_fee=base_fee,
            notifications_enabled=True,
            neg_risk=market.negative_risk,
            neg_risk_market_id=event.negative_risk_market_id,
            neg_risk_request_id=market.negative_risk_request_id,
            icon=image,
            image=image,
            rewards=_rewards(market),
            is_50_50_outcome=len(set(market.payouts_micro)) == 1,
            tokens=_tokens(market),
            tags=[words.TAGS[slug][1] for slug in event.tags if slug in words.TAGS] + ["All"],
        )


def book_json(market: MarketState, outcome_index: int) -> bytes:
    """One outcome's book. Both outcomes carry the market's last trade price, in terms of the first, as on the venue."""
    bids, asks = market.book.sides(outcome_index)
    last = market.last_trade_micro
    shape = shapes.BookShape(
        market=market.condition_id,
        asset_id=market.token_ids[outcome_index],
        timestamp=str(market.changed_ms),
        hash="",
        bids=[shapes.LevelShape(_price_text(price), micro_to_text(size)) for price, size in bids],
        asks=[shapes.LevelShape(_price_text(price), micro_to_text(size)) for price, size in asks],
        min_order_size=str(market.minimum_size),
        tick_size=_price_text(market.tick_micro),
        neg_risk=market.negative_risk,
        last_trade_price=three_decimals(last) if last else "",
    )
    shape.hash = sha1(_encode(shape), usedforsecurity=False).hexdigest()
    return _encode(shape)


def three_decimals(price_micro: int) -> str:
    """``0.980``: the last trade price keeps three decimals, more where the tick is finer."""
    text = _price_text(price_micro)
    return text if len(text) >= 5 else f"{price_micro / MICRO:.3f}"


def info_shape(market: MarketState) -> shapes.InfoShape:
    base_fee = 1000 if market.fees.kind else UNSET
    fees, rewards = market.fees, market.rewards
    return shapes.InfoShape(
        gst=rfc3339(market.game_start_ms) if market.game_start_ms else UNSET,
        r=shapes.InfoRewardsShape(rewards.minimum_size, rewards.maximum_spread, REWARD_MINIMUM_AGE_S),
        t=[
            shapes.InfoTokenShape(token_id, name)
            for token_id, name in zip(market.token_ids, market.outcomes, strict=False)
        ],
        c=market.condition_id,
        mos=market.minimum_size,
        mts=market.tick_micro / MICRO,
        mbf=base_fee,
        tbf=base_fee,
        ao=market.accepting_orders,
        nr=True if market.negative_risk else UNSET,
        cbos=not market.taker_delay,
        aot=rfc3339(market.listed_ms),
        sd=market.seconds_delay or UNSET,
        itode=True if market.taker_delay else UNSET,
        fd=shapes.InfoFeesShape(fees.rate, fees.exponent, True) if fees.kind else UNSET,
    )


@lru_cache(maxsize=20_000)
def _price_text(price_micro: int) -> str:
    return micro_to_text(price_micro)


def _rewards(market: MarketState) -> shapes.RewardsShape:
    rewards = market.rewards
    rates = (
        [shapes.RewardRateShape(REWARD_ASSET, rewards.daily_rate)] if rewards.daily_rate and not market.closed else None
    )
    return shapes.RewardsShape(rates, rewards.minimum_size, rewards.maximum_spread)


def _tokens(market: MarketState) -> list[shapes.TokenShape]:
    middle = market.book.midpoint_micro
    prices = market.payouts_micro or [middle, MICRO - middle]
    return [
        shapes.TokenShape(token_id, name, price / MICRO, bool(market.payouts_micro) and price == MICRO)
        for token_id, name, price in zip(market.token_ids, market.outcomes, prices, strict=False)
    ]
