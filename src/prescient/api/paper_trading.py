"""The Paper trading service (port 8003): execute signals, update prices, take snapshots, show what is held. Steps 5 to 7."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field

from prescient.api.dependencies import TheContext, TheCycleSteps, TheInfo, known_cycle, latest_screen
from prescient.api.errors import documented
from prescient.api.inputs import Form, Id, LimitText, PortfolioId, PortfolioIdText
from prescient.api.portfolio_responses import (
    OBLIGATIONS_MAX,
    PortfolioState,
    PositionAnswer,
    SnapshotAnswer,
    TradeAnswer,
)
from prescient.api.responses import Answer, StageAnswer, StepAnswer
from prescient.api.strict_routes import StrictRoute, changes, reads
from prescient.domain.errors import NoActivePortfolios
from prescient.domain.portfolio import PortfolioStatus
from prescient.ports.context import TradingContext
from prescient.steps.hand_over import execute_where_the_venue_is
from prescient.trading.mark import update_prices
from prescient.worker import price_updater
from prescient.worker.leased_loop import is_alive

router = APIRouter(route_class=StrictRoute, tags=["paper trading"])


class UpdaterAnswer(Answer):
    last_beat: datetime | None
    last_run: datetime | None
    portfolios_marked: int
    positions_marked: int
    error: str = Field(description="Why the last round failed; empty if it did not")


class StatusAnswer(Answer):
    status: str
    price_updater_running: bool = Field(description="True only while its heartbeat is fresh")
    price_update_interval: int = Field(description="Seconds")
    price_updater: UpdaterAnswer
    active_portfolios: int
    open_positions: int
    venue: str
    source: str = Field(description="Where the markets come from")


class PortfolioQuery(Form):
    portfolio_id: PortfolioIdText | None = Field(None, description="Without it: the lowest active")


class TradesQuery(Form):
    portfolio_id: PortfolioIdText | None = Field(None, description="Without it: all portfolios")
    limit: LimitText = 100


class TradesAnswer(Answer):
    trades: list[TradeAnswer] = Field(description="Newest first")
    count: int


class ClosedPositionsAnswer(Answer):
    positions: list[PositionAnswer] = Field(description="Latest closed first")
    count: int


class ExecuteForm(Form):
    portfolio_id: PortfolioId
    cycle_id: Id | None = Field(None, description="Whose signals; without it those of the latest screen")
    signal_ids: list[Id] | None = Field(None, description="Only these of them", max_length=1_000)


class ExecuteAnswer(Answer):
    cycle_id: str
    portfolio_id: int
    trades_executed: int
    refused: dict[str, int] = Field(description="How many signals became no trade, by reason")
    report: StepAnswer


class MarkForm(Form):
    portfolio_id: PortfolioId


class UpdateAnswer(Answer):
    message: str
    portfolios_marked: int
    positions_marked: int
    positions_settled: int
    portfolios: list[StepAnswer] = Field(description="One report per portfolio")


class SnapshotForm(Form):
    portfolio_id: PortfolioId
    cycle_id: Id | None = None


class SnapshotTaken(Answer):
    portfolio_id: int
    snapshot: SnapshotAnswer
    report: StepAnswer


@router.get("/paper-trading/status", responses=documented())
@reads
async def status(context: TheContext, info: TheInfo) -> StatusAnswer:
    """Whether the price updater runs, and what is held."""
    beat = await context.store.heartbeat(price_updater.NAME)
    time, detail = beat if beat else (None, {})
    active = await context.store.portfolios(PortfolioStatus.ACTIVE)
    positions = await context.store.positions(None)
    return StatusAnswer(
        status="online",
        price_updater_running=is_alive(time, context.clock.now(), info.price_update_interval_s),
        price_update_interval=info.price_update_interval_s,
        price_updater=UpdaterAnswer(
            last_beat=time,
            last_run=_time(detail.get("last_run")),
            portfolios_marked=int(detail.get("portfolios", 0)),
            positions_marked=int(detail.get("positions", 0)),
            error=str(detail.get("error", "")),
        ),
        active_portfolios=len(active),
        open_positions=len(positions),
        venue=", ".join(context.venue_names),
        source=context.source,
    )


def _time(text: Any) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


@router.get("/paper-trading/portfolio", responses=documented(404, 409))
@reads
async def portfolio(context: TheContext, query: Annotated[PortfolioQuery, Query()]) -> PortfolioState:
    """A portfolio's balances and open positions with their prices and P&L."""
    portfolio_id = query.portfolio_id or await _lowest_active(context)
    found = await context.store.portfolio(portfolio_id)
    positions = await context.store.positions(portfolio_id)
    owed = await context.store.obligations(portfolio_id, None, OBLIGATIONS_MAX)
    return PortfolioState.with_positions(found, positions, owed)


async def _lowest_active(context: TradingContext) -> int:
    active = await context.store.portfolios(PortfolioStatus.ACTIVE)
    if not active:
        raise NoActivePortfolios
    return min(found.portfolio_id for found in active)


@router.get("/paper-trading/trades-history", responses=documented(404))
@reads
async def trades_history(context: TheContext, query: Annotated[TradesQuery, Query()]) -> TradesAnswer:
    """All trades of one portfolio or of all, newest first."""
    if query.portfolio_id is not None:
        await context.store.portfolio(query.portfolio_id)
    trades = await context.store.trades(query.portfolio_id, query.limit)
    return TradesAnswer(trades=[TradeAnswer.of(trade) for trade in trades], count=len(trades))


@router.get("/paper-trading/closed-positions", responses=documented(404))
@reads
async def closed_positions(context: TheContext, query: Annotated[TradesQuery, Query()]) -> ClosedPositionsAnswer:
    """Positions that were paid out or sold, the latest first, with what each returned."""
    if query.portfolio_id is not None:
        await context.store.portfolio(query.portfolio_id)
    closed = [found for found in await context.store.positions(query.portfolio_id, open_only=False) if found.closed_at]
    closed.sort(key=lambda found: (found.closed_at or found.opened_at, found.token_id), reverse=True)
    listed = [PositionAnswer.of(found) for found in closed[: query.limit]]
    return ClosedPositionsAnswer(positions=listed, count=len(listed))


@router.post("/paper-trading/execute-signals", responses=documented(404, 502))
@changes
async def execute(context: TheContext, cycle_steps: TheCycleSteps, form: ExecuteForm) -> ExecuteAnswer:
    """Step 5: trade the portfolio's signals that have no order yet. Repeating it trades nothing twice."""
    await context.store.portfolio(form.portfolio_id)
    cycle_id = form.cycle_id or await latest_screen(context)
    if form.signal_ids is None:
        report = await cycle_steps.execute(cycle_id, form.portfolio_id)
    else:
        report = await execute_where_the_venue_is(context, cycle_id, form.portfolio_id, form.signal_ids)
    await known_cycle(context, cycle_id, report)
    return ExecuteAnswer(
        cycle_id=cycle_id,
        portfolio_id=form.portfolio_id,
        trades_executed=report.count_out,
        refused=dict(report.dropped),
        report=StepAnswer.of(report),
    )


@router.post("/paper-trading/mark", responses=documented(404, 502))
@changes
async def mark(cycle_steps: TheCycleSteps, form: MarkForm) -> StageAnswer:
    """Step 6 for one portfolio: settle what has resolved, and value the rest at what a sale now would return."""
    return StageAnswer(report=StepAnswer.of(await cycle_steps.mark(form.portfolio_id)))


@router.get("/price-updater/update", responses=documented(502))
@changes
async def update(context: TheContext) -> UpdateAnswer:
    """Update the prices of all open positions now."""
    return await _update(context)


@router.post("/price-updater/update", responses=documented(502))
@changes
async def update_by_post(context: TheContext) -> UpdateAnswer:
    """Update the prices of all open positions now."""
    return await _update(context)


async def _update(context: TradingContext) -> UpdateAnswer:
    reports = await update_prices(context)
    marked = sum(report.count_out for report in reports)
    return UpdateAnswer(
        message=f"Prices of {marked} positions updated",
        portfolios_marked=len(reports),
        positions_marked=marked,
        positions_settled=sum(report.amounts.get("settled", 0) for report in reports),
        portfolios=[StepAnswer.of(report) for report in reports],
    )


@router.post("/paper-trading/snapshot", responses=documented(404))
@changes
async def snapshot(context: TheContext, cycle_steps: TheCycleSteps, form: SnapshotForm) -> SnapshotTaken:
    """Step 7: store the portfolio's state of the day, after checking that its accounts agree."""
    report = await cycle_steps.snapshot(form.cycle_id or "", form.portfolio_id)
    day = await context.store.history(form.portfolio_id, 1)
    return SnapshotTaken(
        portfolio_id=form.portfolio_id, snapshot=SnapshotAnswer.of(day[0]), report=StepAnswer.of(report)
    )
