"""A cycle's report as JSON: the runbook's seven steps, one line per portfolio, and the summary of what was traded."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from pydantic import Field

from polymarket_kit.values import micro_to_number
from prescient.api.responses import Answer, StepAnswer
from prescient.domain.cycle import CycleReport, CycleRequest, CycleStatus, StepReport
from prescient.domain.signal import Step
from prescient.reports.cycles import STEP_NAMES, message_of


class ExecutionSummary(Answer):
    signals: int
    trades_executed: int
    refused: dict[str, int] = Field(description="How many signals became no trade, by reason")
    amount: float = Field(description="Dollars traded, without fees")
    fees: float


class CyclePortfolio(Answer):
    """What one portfolio did in the cycle. The last fields are null until its snapshot was taken."""

    portfolio_id: int
    signals: int
    trades_executed: int
    dropped: dict[str, int] = Field(description="How many markets its strategy passed over, by reason")
    refused: dict[str, int]
    amount: float
    fees: float
    positions_marked: int
    positions_settled: int
    total_value: float | None
    total_profit_loss: float | None


class CycleParameters(Answer):
    event_min_liquidity: float
    event_min_volume: float
    min_liquidity: float
    min_volume: float
    min_market_conviction: float
    max_market_conviction: float

    @classmethod
    def of(cls, request: CycleRequest) -> CycleParameters:
        events, markets = request.event_filter, request.market_filter
        return cls(
            event_min_liquidity=micro_to_number(events.event_min_liquidity_micro),
            event_min_volume=micro_to_number(events.event_min_volume_micro),
            min_liquidity=micro_to_number(markets.min_liquidity_micro),
            min_volume=micro_to_number(markets.min_volume_micro),
            min_market_conviction=micro_to_number(markets.min_market_conviction_micro),
            max_market_conviction=micro_to_number(markets.max_market_conviction_micro),
        )


class CycleAnswer(Answer):
    cycle_id: str
    status: str = Field(description="running, completed, failed or interrupted")
    message: str
    started_at: datetime
    ended_at: datetime | None
    trigger: str
    idempotency_key: str
    parameters: CycleParameters
    steps: list[StepAnswer] = Field(description="Summed over the portfolios; all seven once the cycle is completed")
    portfolios: list[CyclePortfolio]
    execution_summary: ExecutionSummary
    error: str

    @classmethod
    def of(cls, report: CycleReport) -> CycleAnswer:
        decided, executed = report.total(Step.DECIDE), report.total(Step.EXECUTE)
        return cls(
            cycle_id=report.cycle_id,
            status=report.status.value,
            message=message_of(report),
            started_at=report.started_at,
            ended_at=report.ended_at,
            trigger=report.request.trigger,
            idempotency_key=report.request.idempotency_key,
            parameters=CycleParameters.of(report.request),
            steps=[StepAnswer.of(report.total(step)) for step in _steps_done(report)],
            portfolios=[_portfolio(report, portfolio_id) for portfolio_id in report.request.portfolio_ids],
            execution_summary=ExecutionSummary(
                signals=decided.count_out,
                trades_executed=executed.count_out,
                refused=dict(executed.dropped),
                amount=micro_to_number(executed.amounts.get("amount_micro", 0)),
                fees=micro_to_number(executed.amounts.get("fee_micro", 0)),
            ),
            error=report.error,
        )


def _steps_done(report: CycleReport) -> list[Step]:
    done = {item.step for item in report.steps}
    return [step for step in STEP_NAMES if step in done or report.status is CycleStatus.COMPLETED]


def _portfolio(report: CycleReport, portfolio_id: int) -> CyclePortfolio:
    steps = {item.step: item for item in report.steps if item.portfolio_id == portfolio_id}

    def of(step: Step) -> StepReport:
        return steps.get(step) or StepReport(step, portfolio_id, dropped=Counter())

    decided, executed, marked, taken = of(Step.DECIDE), of(Step.EXECUTE), of(Step.MARK), of(Step.SNAPSHOT)
    value, profit = taken.amounts.get("total_value_micro"), taken.amounts.get("total_profit_loss_micro")
    return CyclePortfolio(
        portfolio_id=portfolio_id,
        signals=decided.count_out,
        trades_executed=executed.count_out,
        dropped=dict(decided.dropped),
        refused=dict(executed.dropped),
        amount=micro_to_number(executed.amounts.get("amount_micro", 0)),
        fees=micro_to_number(executed.amounts.get("fee_micro", 0)),
        positions_marked=marked.count_out,
        positions_settled=marked.amounts.get("settled", 0),
        total_value=None if value is None else micro_to_number(value),
        total_profit_loss=None if profit is None else micro_to_number(profit),
    )
