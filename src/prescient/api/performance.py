"""How each portfolio has done (port 8004): value over time, trades, wins and losses, one snapshot a day."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from polymarket_kit.values import micro_to_number
from prescient.api.dependencies import TheContext
from prescient.api.errors import documented
from prescient.api.inputs import DaysText, Form, PortfolioIdText
from prescient.api.portfolio_responses import SnapshotAnswer
from prescient.api.responses import Answer
from prescient.api.strict_routes import StrictRoute, reads
from prescient.domain.portfolio import Portfolio
from prescient.ports.context import TradingContext

router = APIRouter(route_class=StrictRoute, tags=["trading"])

POINTS_MAX = 2_000
PERCENT_PLACES = 4


class PerformanceQuery(Form):
    portfolio_id: PortfolioIdText | None = Field(None, description="Without it: all portfolios")
    days: DaysText = Field(30, description="How far back daily snapshots and values go")


class ValuePoint(Answer):
    timestamp: datetime
    total_value: float
    total_profit_loss: float


class PortfolioPerformance(Answer):
    portfolio_id: int
    name: str
    status: str
    strategy_type: str
    initial_balance: float
    current_balance: float
    total_invested: float
    realized_pnl: float
    unrealized_pnl: float
    total_profit_loss: float
    total_value: float
    return_pct: float = Field(description="Total profit or loss in percent of the initial balance")
    total_trades: int
    wins: int = Field(description="Closed positions with a realised profit")
    losses: int = Field(description="Closed positions with a realised loss")
    win_rate_pct: float | None = Field(description="Null before a position was closed")
    daily_snapshots: list[SnapshotAnswer] = Field(description="Newest first")
    value_over_time: list[ValuePoint] = Field(description="Oldest first")


class PerformanceAnswer(Answer):
    portfolios: list[PortfolioPerformance]
    count: int
    total_value: float
    total_profit_loss: float
    total_trades: int
    wins: int
    losses: int


@router.get("/trading/performance-summary", responses=documented(404))
@reads
async def performance_summary(context: TheContext, query: Annotated[PerformanceQuery, Query()]) -> PerformanceAnswer:
    """How one portfolio or all of them have done."""
    if query.portfolio_id is None:
        portfolios = await context.store.portfolios()
    else:
        portfolios = [await context.store.portfolio(query.portfolio_id)]
    counts = await context.store.trade_counts(query.portfolio_id)
    found = [
        await _performance(context, portfolio, counts.get(portfolio.portfolio_id, (0, 0, 0)), query.days)
        for portfolio in portfolios
    ]
    return PerformanceAnswer(
        portfolios=found,
        count=len(found),
        total_value=micro_to_number(sum(portfolio.value_micro for portfolio in portfolios)),
        total_profit_loss=micro_to_number(sum(portfolio.profit_micro for portfolio in portfolios)),
        total_trades=sum(item.total_trades for item in found),
        wins=sum(item.wins for item in found),
        losses=sum(item.losses for item in found),
    )


async def _performance(
    context: TradingContext, portfolio: Portfolio, counts: tuple[int, int, int], days: int
) -> PortfolioPerformance:
    trades, wins, losses = counts
    since = context.clock.now() - timedelta(days=days)
    history = await context.store.history(portfolio.portfolio_id, days)
    points = await context.store.equity(portfolio.portfolio_id, since, POINTS_MAX)
    closed = wins + losses
    return PortfolioPerformance(
        portfolio_id=portfolio.portfolio_id,
        name=portfolio.name,
        status=portfolio.status.value,
        strategy_type=portfolio.strategy_type,
        initial_balance=micro_to_number(portfolio.initial_balance_micro),
        current_balance=micro_to_number(portfolio.cash_micro),
        total_invested=micro_to_number(portfolio.invested_micro),
        realized_pnl=micro_to_number(portfolio.realized_pnl_micro),
        unrealized_pnl=micro_to_number(portfolio.unrealized_pnl_micro),
        total_profit_loss=micro_to_number(portfolio.profit_micro),
        total_value=micro_to_number(portfolio.value_micro),
        return_pct=round(100 * portfolio.profit_micro / portfolio.initial_balance_micro, PERCENT_PLACES),
        total_trades=trades,
        wins=wins,
        losses=losses,
        win_rate_pct=round(100 * wins / closed, PERCENT_PLACES) if closed else None,
        daily_snapshots=[SnapshotAnswer.of(snapshot) for snapshot in history],
        value_over_time=[
            ValuePoint(
                timestamp=point.time,
                total_value=micro_to_number(point.value_micro),
                total_profit_loss=micro_to_number(point.realized_pnl_micro + point.unrealized_pnl_micro),
            )
            for point in points
        ],
    )
