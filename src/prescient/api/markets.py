"""The Markets service (port 8001): screen the markets of the events that passed; show markets, books, snapshots. Step 3."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import Field

from prescient.api.dependencies import TheContext, TheCycleSteps
from prescient.api.errors import documented
from prescient.api.filters import CycleFields, either
from prescient.api.inputs import DollarsMicro, Form, Id, LimitText, ListLimit, ListLimitText, OffsetText
from prescient.api.responses import Answer, BookAnswer, MarketAnswer, MarketSnapshotAnswer, StepAnswer
from prescient.api.strict_routes import StrictRoute, changes, reads
from prescient.domain.errors import NotFoundError
from prescient.domain.market import Market
from prescient.ports.context import TradingContext
from prescient.ports.steps import CycleSteps

router = APIRouter(route_class=StrictRoute, tags=["markets"])


class ScreenQuery(CycleFields):
    cycle_id: Id | None = Field(None, description="The cycle that this belongs to; without it a new id is made")
    limit: ListLimitText = Field(100, description="Most markets to list; the counts cover all")


class ScreenForm(CycleFields):
    cycle_id: Id | None = Field(None, description="The cycle that this belongs to; without it a new id is made")
    limit: ListLimit = Field(100, description="Most markets to list; the counts cover all")


class ScreenAnswer(Answer):
    cycle_id: str = Field(description="POST /strategy/generate-signals takes it")
    total: int = Field(description="Markets looked at")
    passed: int
    dropped: dict[str, int] = Field(description="How many were dropped, by reason")
    settings: dict[str, str] = Field(description="By reason, the setting that decided")
    markets: list[MarketAnswer]
    message: str
    report: StepAnswer


class MarketsQuery(Form):
    event_id: Id | None = None
    min_liquidity: DollarsMicro = Field(0, description="In dollars")
    min_volume: DollarsMicro = Field(0, description="In dollars")
    active_only: bool = True
    limit: LimitText = 100
    offset: OffsetText = 0


class MarketsAnswer(Answer):
    markets: list[MarketAnswer]
    count: int
    next_offset: int | None = Field(description="Where the next page starts; null at the end")


class BookQuery(Form):
    levels: LimitText = Field(50, description="Most levels of each side")


class BooksAnswer(Answer):
    market_id: str
    condition_id: str
    question: str
    books: list[BookAnswer] = Field(description="One per outcome; empty where the venue has no book any more")


class SnapshotsQuery(Form):
    limit: LimitText = 100


class MarketSnapshotsAnswer(Answer):
    market_id: str
    snapshots: list[MarketSnapshotAnswer] = Field(description="Newest first")
    count: int


@router.get("/markets/export-filtered-markets-db", responses=documented(502))
@changes
async def screen_markets(
    context: TheContext, cycle_steps: TheCycleSteps, query: Annotated[ScreenQuery, Query()]
) -> ScreenAnswer:
    """Step 3: the markets of the passing events that a strategy may trade, stored for the next step."""
    return await _screen(context, cycle_steps, query, query.cycle_id, query.limit)


@router.post("/markets/export-filtered-markets-db", responses=documented(502))
@changes
async def screen_markets_by_form(
    context: TheContext,
    cycle_steps: TheCycleSteps,
    query: Annotated[ScreenQuery, Query()],
    form: ScreenForm | None = None,
) -> ScreenAnswer:
    """Step 3, with the filters in the URL or in the body."""
    given = either(query, form)
    return await _screen(context, cycle_steps, given, given.cycle_id, given.limit)


@router.get("/markets", responses=documented())
@reads
async def list_markets(context: TheContext, query: Annotated[MarketsQuery, Query()]) -> MarketsAnswer:
    """The collected markets, largest volume first."""
    markets = await context.store.markets_page(
        query.limit,
        query.offset,
        event_id=query.event_id,
        min_liquidity_micro=query.min_liquidity,
        min_volume_micro=query.min_volume,
        active_only=query.active_only,
    )
    more = query.offset + len(markets) if len(markets) == query.limit else None
    return MarketsAnswer(markets=[MarketAnswer.of(item) for item in markets], count=len(markets), next_offset=more)


@router.get("/markets/{market_id}", responses=documented(404))
@reads
async def show_market(context: TheContext, market_id: Annotated[Id, Path()]) -> MarketAnswer:
    """One collected market by its id, condition id or slug."""
    return MarketAnswer.of(await _known(context, market_id))


@router.get("/markets/{market_id}/book", responses=documented(404, 502))
@reads
async def show_books(
    context: TheContext, market_id: Annotated[Id, Path()], query: Annotated[BookQuery, Query()]
) -> BooksAnswer:
    """The market's order books as the venue shows them now."""
    market = await _known(context, market_id)
    books = await context.market_data.books([outcome.token_id for outcome in market.outcomes])
    present = [(books[item.token_id], item.name) for item in market.outcomes if item.token_id in books]
    return BooksAnswer(
        market_id=market.market_id,
        condition_id=market.condition_id,
        question=market.question,
        books=[BookAnswer.of(book, name, query.levels) for book, name in present],
    )


@router.get("/markets/{market_id}/snapshots", responses=documented(404))
@reads
async def show_snapshots(
    context: TheContext, market_id: Annotated[Id, Path()], query: Annotated[SnapshotsQuery, Query()]
) -> MarketSnapshotsAnswer:
    """The market's books as recorded at cycles and price updates."""
    market = await _known(context, market_id)
    rows = await context.store.snapshots_of_market(market.market_id, query.limit)
    return MarketSnapshotsAnswer(
        market_id=market.market_id, snapshots=[MarketSnapshotAnswer.of(row) for row in rows], count=len(rows)
    )


async def _screen(
    context: TradingContext, cycle_steps: CycleSteps, filters: CycleFields, given_id: str | None, limit: int
) -> ScreenAnswer:
    cycle_id = given_id or context.ids.new("cycle")
    report = await cycle_steps.screen(cycle_id, filters.event_filter(), filters.market_filter())
    markets = await context.store.screened(cycle_id) if limit else []
    return ScreenAnswer(
        cycle_id=cycle_id,
        total=report.count_in,
        passed=report.count_out,
        dropped=dict(report.dropped),
        settings=dict(report.settings),
        markets=[MarketAnswer.of(market) for market in markets[:limit]],
        message=f"{report.count_out} of {report.count_in} markets passed the filter",
        report=StepAnswer.of(report),
    )


async def _known(context: TradingContext, market_id: str) -> Market:
    market = await context.store.find_market(market_id)
    if market is None:
        raise NotFoundError("No such market. GET /markets lists those that were collected.")
    return market
