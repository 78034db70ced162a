"""The Strategy service (port 8002): let a portfolio's strategy decide, show its signals, describe the strategies. Step 4."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from polymarket_kit.values import micro_to_number
from prescient.api.dependencies import TheContext, TheCycleSteps, known_cycle, latest_screen
from prescient.api.errors import documented
from prescient.api.filters import BandFields
from prescient.api.inputs import Form, Id, LimitText, ListLimit, PortfolioId, PortfolioIdText
from prescient.api.responses import Answer, StepAnswer, dollars
from prescient.api.strict_routes import StrictRoute, changes, reads
from prescient.domain.signal import Signal
from prescient.ports.strategy import Parameter, Strategy
from prescient.trading.strategy_config import COMMON

router = APIRouter(route_class=StrictRoute, tags=["strategy"])


class DecideForm(BandFields):
    portfolio_id: PortfolioId
    cycle_id: Id | None = Field(None, description="Whose screened markets to look at; without it the latest")
    limit: ListLimit = Field(100, description="Most signals to list; the count covers all")


class SignalAnswer(Answer):
    signal_id: str
    cycle_id: str
    portfolio_id: int
    strategy: str
    market_id: str
    market_question: str
    outcome: str
    token_id: str
    action: str = Field(description="BUY or SELL")
    score: float = Field(description="The strategy's confidence from 0 to 1; not a price")
    price: float = Field(description="The executable price when it decided")
    catalogue_price: float | None
    reason: str
    executed: bool
    timestamp: datetime

    @classmethod
    def of(cls, signal: Signal, *, executed: bool) -> SignalAnswer:
        return cls(
            signal_id=signal.signal_id,
            cycle_id=signal.cycle_id,
            portfolio_id=signal.portfolio_id,
            strategy=signal.strategy,
            market_id=signal.market_id,
            market_question=signal.market_question,
            outcome=signal.outcome,
            token_id=signal.token_id,
            action=signal.side.value,
            score=micro_to_number(signal.score_micro),
            price=micro_to_number(signal.price_micro),
            catalogue_price=dollars(signal.catalogue_price_micro),
            reason=signal.reason,
            executed=executed,
            timestamp=signal.time,
        )


class DecideAnswer(Answer):
    cycle_id: str
    portfolio_id: int
    signals_generated: int
    dropped: dict[str, int] = Field(description="How many markets were passed over, by reason")
    signals: list[SignalAnswer]
    message: str
    report: StepAnswer


class SignalsQuery(Form):
    portfolio_id: PortfolioIdText | None = None
    cycle_id: Id | None = None
    pending_only: bool = Field(False, description="Only signals without an order")
    limit: LimitText = 100


class SignalsAnswer(Answer):
    signals: list[SignalAnswer]
    count: int


class ParameterAnswer(Answer):
    name: str
    type: str = Field(description="number, integer, text, boolean or text_list")
    default: float | int | str | bool | list[str] | None
    minimum: float | None
    maximum: float | None
    unit: str
    description: str
    common: bool = Field(description="Whether every strategy understands it")

    @classmethod
    def of(cls, parameter: Parameter, *, common: bool) -> ParameterAnswer:
        return cls(
            name=parameter.name,
            type=parameter.kind,
            default=parameter.default,
            minimum=parameter.minimum,
            maximum=parameter.maximum,
            unit=parameter.unit,
            description=parameter.description,
            common=common,
        )


class StrategyAnswer(Answer):
    name: str
    description: str
    history_hours: int = Field(description="Hours of price history that it looks at; 0 for none")
    parameters: list[ParameterAnswer] = Field(description="The keys of strategy_config: its own, then the common ones")

    @classmethod
    def of(cls, strategy: Strategy) -> StrategyAnswer:
        own = [ParameterAnswer.of(item, common=False) for item in strategy.parameters]
        return cls(
            name=strategy.name,
            description=strategy.description,
            history_hours=strategy.history_hours,
            parameters=own + [ParameterAnswer.of(item, common=True) for item in COMMON],
        )


class StrategiesAnswer(Answer):
    strategies: list[StrategyAnswer]
    count: int


@router.post("/strategy/generate-signals", responses=documented(404, 502))
@changes
async def generate_signals(context: TheContext, cycle_steps: TheCycleSteps, form: DecideForm) -> DecideAnswer:
    """Step 4: the portfolio's strategy reads each screened market's book and proposes orders, or says why not."""
    await context.store.portfolio(form.portfolio_id)
    cycle_id = form.cycle_id or await latest_screen(context)
    report = await cycle_steps.decide(cycle_id, form.portfolio_id, form.band())
    await known_cycle(context, cycle_id, report)
    signals: list[Signal] = []
    if form.limit:
        signals = await context.store.signals(cycle_id=cycle_id, portfolio_id=form.portfolio_id, limit=form.limit)
    pending = await _pending(context, signals)
    found = f"{report.count_out} signals from {report.count_in} markets"
    return DecideAnswer(
        cycle_id=cycle_id,
        portfolio_id=form.portfolio_id,
        signals_generated=report.count_out,
        dropped=dict(report.dropped),
        signals=[SignalAnswer.of(signal, executed=signal.signal_id not in pending) for signal in signals],
        message=found if report.count_out else f"No trading signals found: {found}",
        report=StepAnswer.of(report),
    )


@router.get("/strategy/signals", responses=documented(404))
@reads
async def list_signals(context: TheContext, query: Annotated[SignalsQuery, Query()]) -> SignalsAnswer:
    """Signals with their executed mark, of all portfolios or one, of all cycles or one."""
    if query.portfolio_id is not None:
        await context.store.portfolio(query.portfolio_id)
    signals = await context.store.signals(
        cycle_id=query.cycle_id, portfolio_id=query.portfolio_id, pending_only=query.pending_only, limit=query.limit
    )
    pending = await _pending(context, signals)
    answers = [SignalAnswer.of(signal, executed=signal.signal_id not in pending) for signal in signals]
    return SignalsAnswer(signals=answers, count=len(answers))


@router.get("/strategy/strategies", responses=documented())
@reads
async def list_strategies(context: TheContext) -> StrategiesAnswer:
    """Every strategy with the parameters that a portfolio's `strategy_config` may set for it."""
    answers = [StrategyAnswer.of(context.strategies[name]) for name in sorted(context.strategies)]
    return StrategiesAnswer(strategies=answers, count=len(answers))


async def _pending(context: TheContext, signals: list[Signal]) -> set[str]:
    """Return those of the signals that have no order yet."""
    if not signals:
        return set()
    asked = [signal.signal_id for signal in signals]
    left = await context.store.signals(signal_ids=asked, pending_only=True, limit=len(asked))
    return {signal.signal_id for signal in left}
