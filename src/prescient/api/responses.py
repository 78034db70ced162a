"""What the steps of the cycle and the catalogue look like as JSON. Amounts are dollars with at most six decimals."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from polymarket_kit.model import Level
from polymarket_kit.values import micro_to_number
from prescient.domain.cycle import StepReport
from prescient.domain.market import Event, Market, OrderBook
from prescient.domain.records import MarketSnapshot
from prescient.reports.cycles import STEP_NAMES

MICRO_SUFFIX, DOLLAR_SUFFIX = "_micro", "_usd"


class Answer(BaseModel):
    """Base of answers. They are made only by us, so nothing is validated again."""

    model_config = ConfigDict(frozen=True, serialize_by_alias=True)


def dollars(micro: int | None) -> float | None:
    return None if micro is None else micro_to_number(micro)


class StepAnswer(Answer):
    """One step of the cycle: how many came in, how many went on, and why the rest did not."""

    step: int = Field(description="1 to 7, as the runbook counts")
    name: str
    verb: str = Field(description="collect, filter, screen, decide, execute, mark or snapshot")
    portfolio_id: int | None = None
    count_in: int = Field(serialization_alias="in")
    count_out: int = Field(serialization_alias="out")
    seconds: float
    dropped: dict[str, int] = Field(description="How many were dropped, by reason")
    settings: dict[str, str] = Field(description="By reason, the setting that decided")
    amounts: dict[str, float] = Field(description="Counts, and amounts in dollars (names that end in _usd)")

    @classmethod
    def of(cls, report: StepReport) -> StepAnswer:
        number, name = STEP_NAMES[report.step]
        return cls(
            step=number,
            name=name,
            verb=report.step.value,
            portfolio_id=report.portfolio_id,
            count_in=report.count_in,
            count_out=report.count_out,
            seconds=round(report.seconds, 6),
            dropped=dict(report.dropped),
            settings=dict(report.settings),
            amounts=dict(_amount(name, value) for name, value in report.amounts.items()),
        )


def _amount(name: str, value: int) -> tuple[str, float]:
    if name.endswith(MICRO_SUFFIX):
        return name.removesuffix(MICRO_SUFFIX) + DOLLAR_SUFFIX, micro_to_number(value)
    return name, float(value)


class StageAnswer(Answer):
    """The report of one step without its rows, for the controller."""

    report: StepAnswer


class EventAnswer(Answer):
    event_id: str
    title: str
    slug: str
    active: bool
    closed: bool
    liquidity: float
    volume: float
    volume_24h: float
    start_time: datetime | None
    end_time: datetime | None
    negative_risk: bool
    tags: list[str]

    @classmethod
    def of(cls, event: Event) -> EventAnswer:
        return cls(**_event_fields(event))


class OutcomeAnswer(Answer):
    token_id: str
    name: str
    price: float | None = Field(description="The catalogue's price; orders fill from the book")


class MarketAnswer(Answer):
    market_id: str
    event_id: str
    condition_id: str
    question: str
    slug: str
    outcomes: list[OutcomeAnswer]
    conviction: float | None = Field(description="The highest outcome price")
    active: bool
    closed: bool
    accepting_orders: bool
    tradable: bool
    liquidity: float
    volume: float
    volume_24h: float
    best_bid: float | None
    best_ask: float | None
    last_trade_price: float | None
    tick: float
    minimum_size: float
    taker_fee_rate: float
    negative_risk: bool
    resolution: str
    end_time: datetime | None

    @classmethod
    def of(cls, market: Market) -> MarketAnswer:
        return cls(
            market_id=market.market_id,
            event_id=market.event_id,
            condition_id=market.condition_id,
            question=market.question,
            slug=market.slug,
            outcomes=[
                OutcomeAnswer(token_id=item.token_id, name=item.name, price=dollars(item.price_micro))
                for item in market.outcomes
            ],
            conviction=dollars(market.conviction_micro),
            active=market.active,
            closed=market.closed,
            accepting_orders=market.accepting_orders,
            tradable=market.tradable,
            liquidity=micro_to_number(market.liquidity_micro),
            volume=micro_to_number(market.volume_micro),
            volume_24h=micro_to_number(market.volume_24h_micro),
            best_bid=dollars(market.best_bid_micro),
            best_ask=dollars(market.best_ask_micro),
            last_trade_price=dollars(market.last_trade_micro),
            tick=micro_to_number(market.tick_micro),
            minimum_size=micro_to_number(market.minimum_size_micro),
            taker_fee_rate=micro_to_number(market.fees.rate_micro),
            negative_risk=market.negative_risk,
            resolution=market.resolution.value,
            end_time=market.end_time,
        )


class EventWithMarkets(EventAnswer):
    markets: list[MarketAnswer]

    @classmethod
    def with_markets(cls, event: Event, markets: list[Market]) -> EventWithMarkets:
        return cls(**_event_fields(event), markets=[MarketAnswer.of(market) for market in markets])


def _event_fields(event: Event) -> dict[str, object]:
    return {
        "event_id": event.event_id,
        "title": event.title,
        "slug": event.slug,
        "active": event.active,
        "closed": event.closed,
        "liquidity": micro_to_number(event.liquidity_micro),
        "volume": micro_to_number(event.volume_micro),
        "volume_24h": micro_to_number(event.volume_24h_micro),
        "start_time": event.start_time,
        "end_time": event.end_time,
        "negative_risk": event.negative_risk,
        "tags": list(event.tags),
    }


class LevelAnswer(Answer):
    price: float
    size: float = Field(description="Shares")


class BookAnswer(Answer):
    """One outcome's order book as the venue shows it now, best level first."""

    token_id: str
    outcome: str
    best_bid: float | None
    best_ask: float | None
    midpoint: float | None
    last_trade_price: float | None
    tick: float
    minimum_size: float
    time_ms: int
    hash: str
    bids: list[LevelAnswer]
    asks: list[LevelAnswer]

    @classmethod
    def of(cls, book: OrderBook, outcome: str, levels: int) -> BookAnswer:
        return cls(
            token_id=book.token_id,
            outcome=outcome,
            best_bid=dollars(book.best_bid_micro),
            best_ask=dollars(book.best_ask_micro),
            midpoint=dollars(book.midpoint_micro),
            last_trade_price=dollars(book.last_trade_micro),
            tick=micro_to_number(book.tick_micro),
            minimum_size=micro_to_number(book.minimum_size_micro),
            time_ms=book.time_ms,
            hash=book.hash,
            bids=_levels(book.bids[:levels]),
            asks=_levels(book.asks[:levels]),
        )


def _levels(levels: tuple[Level, ...]) -> list[LevelAnswer]:
    return [
        LevelAnswer(price=micro_to_number(level.price_micro), size=micro_to_number(level.size_micro))
        for level in levels
    ]


class MarketSnapshotAnswer(Answer):
    timestamp: datetime
    source: str = Field(description="cycle: seen by a cycle; mark: held at a price update")
    token_id: str
    best_bid: float | None
    best_ask: float | None
    bid_depth: float
    ask_depth: float
    catalogue_price: float | None

    @classmethod
    def of(cls, row: MarketSnapshot) -> MarketSnapshotAnswer:
        return cls(
            timestamp=row.time,
            source=row.source,
            token_id=row.token_id,
            best_bid=dollars(row.best_bid_micro),
            best_ask=dollars(row.best_ask_micro),
            bid_depth=micro_to_number(row.bid_depth_micro),
            ask_depth=micro_to_number(row.ask_depth_micro),
            catalogue_price=dollars(row.catalogue_price_micro),
        )
