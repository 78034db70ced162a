"""The Main controller (port 8004): runs cycles, shows the state of the services, the results, and why it did not trade."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Request, Response
from pydantic import Field

from polymarket_kit.errors import InvalidRequest, PrescientError
from prescient.api.background import Running
from prescient.api.cycle_log import logged
from prescient.api.cycle_responses import CycleAnswer
from prescient.api.dependencies import HealthOf, TheContext
from prescient.api.errors import documented
from prescient.api.filters import CycleFields, either
from prescient.api.inputs import Form, Id, IdempotencyKey, LimitText, PortfolioId, PortfolioIdText, Word
from prescient.api.responses import Answer
from prescient.api.strict_routes import StrictRoute, changes, reads
from prescient.domain.cycle import CycleReport, CycleRequest, CycleStatus
from prescient.domain.errors import CycleAlreadyRunning
from prescient.ports.context import TradingContext
from prescient.reports.cycles import as_it_ended
from prescient.reports.explain import Explained, explain
from prescient.service_table import STEP_SERVICES
from prescient.trading.cycle import start_cycle

router = APIRouter(route_class=StrictRoute, tags=["trading"])

ERRORS = documented(404, 409, 502)
Key = Annotated[
    IdempotencyKey | None,
    Header(
        alias="Idempotency-Key", description="The same key and request run once; asked again, the stored answer comes"
    ),
]
COMPONENTS = tuple(service.key for service in STEP_SERVICES)


class PortfolioCycleQuery(CycleFields):
    portfolio_id: PortfolioIdText


class PortfolioCyclePostQuery(CycleFields):
    portfolio_id: PortfolioIdText | None = None


class PortfolioCycleForm(CycleFields):
    portfolio_id: PortfolioId


class HealthSummary(Answer):
    online_components: int
    total_components: int
    health_percentage: float


class Component(Answer):
    status: str = Field(description="online or offline")
    url: str
    detail: str = Field(description="What is wrong, if it is offline")


class Components(Answer):
    events: Component
    markets: Component
    strategy: Component
    paper_trading: Component


class StatusAnswer(Answer):
    system_health: str = Field(description="healthy, degraded or down")
    health_summary: HealthSummary
    components: Components
    source: str = Field(description="Where the markets come from")


class CyclesQuery(Form):
    limit: LimitText = 20


class CyclesAnswer(Answer):
    cycles: list[CycleAnswer] = Field(description="Newest first")
    count: int


class ExplainQuery(Form):
    market: Word | None = Field(None, min_length=1, max_length=250, description="Market id, condition id or slug")
    cycle_id: Id | None = Field(None, description="Without it, and without a market: the latest cycle")
    portfolio_id: PortfolioIdText | None = None
    limit: LimitText = Field(100, description="Most decisions to list; the reasons count all that were found")


class DecisionAnswer(Answer):
    cycle_id: str
    timestamp: datetime
    step: str
    subject: str = Field(description="event or market")
    subject_id: str
    title: str = Field(description="The market's question or the event's title")
    portfolio_id: int | None
    passed: bool
    code: str
    number: str = Field(description="The number that decided")
    setting: str = Field(description="The setting that decided")
    text: str

    @classmethod
    def of(cls, item: Explained) -> DecisionAnswer:
        decision = item.decision
        return cls(
            cycle_id=item.cycle_id,
            timestamp=item.time,
            step=decision.step.value,
            subject=decision.subject_kind,
            subject_id=decision.subject_id,
            title=item.title,
            portfolio_id=decision.portfolio_id,
            passed=decision.passed,
            code=decision.code,
            number=decision.number,
            setting=decision.setting,
            text=item.text,
        )


class ExplainAnswer(Answer):
    message: str
    reasons: dict[str, int] = Field(description="How often each reason occurs")
    decisions: list[DecisionAnswer] = Field(description="Newest first")
    cycle: CycleAnswer | None


@router.get("/trading/status", responses=documented())
@reads
async def status(request: Request, context: TheContext) -> StatusAnswer:
    """Whether the four other services answer; each is asked over HTTP."""
    health_of: HealthOf = request.app.state.health_of
    found = await health_of()
    components = {
        name: Component(status="online" if item.online else "offline", url=item.url, detail=item.detail)
        for name, item in found.items()
    }
    online = sum(item.online for item in found.values())
    health = "healthy" if online == len(COMPONENTS) else "degraded" if online else "down"
    return StatusAnswer(
        system_health=health,
        health_summary=HealthSummary(
            online_components=online,
            total_components=len(COMPONENTS),
            health_percentage=round(100.0 * online / len(COMPONENTS), 1),
        ),
        components=Components(**{name: components[name] for name in COMPONENTS}),
        source=context.source,
    )


@router.get("/trading/run-full-cycle", responses=ERRORS)
@router.get("/trading/run-all-portfolios", responses=ERRORS)
@changes
async def run_cycle(
    request: Request, response: Response, query: Annotated[CycleFields, Query()], key: Key = None
) -> CycleAnswer:
    """Run all seven steps for all active portfolios; markets are fetched once, each portfolio trades separately."""
    return await _run(request, response, query, (), key)


@router.post("/trading/run-full-cycle", responses=ERRORS)
@router.post("/trading/run-all-portfolios", responses=ERRORS)
@changes
async def run_cycle_by_post(
    request: Request,
    response: Response,
    query: Annotated[CycleFields, Query()],
    form: CycleFields | None = None,
    key: Key = None,
) -> CycleAnswer:
    """Run all seven steps for all active portfolios; the parameters are in the URL or in the body."""
    return await _run(request, response, either(query, form), (), key)


@router.get("/trading/run-portfolio-cycle", responses=ERRORS)
@changes
async def run_portfolio_cycle(
    request: Request, response: Response, query: Annotated[PortfolioCycleQuery, Query()], key: Key = None
) -> CycleAnswer:
    """Run all seven steps for one portfolio."""
    return await _run(request, response, query, (query.portfolio_id,), key)


@router.post("/trading/run-portfolio-cycle", responses=ERRORS)
@changes
async def run_portfolio_cycle_by_post(
    request: Request,
    response: Response,
    query: Annotated[PortfolioCyclePostQuery, Query()],
    form: PortfolioCycleForm | None = None,
    key: Key = None,
) -> CycleAnswer:
    """Run all seven steps for one portfolio; the parameters are in the URL or in the body."""
    given = either(query, form)
    if given.portfolio_id is None:
        raise InvalidRequest("portfolio_id", "is required.")
    return await _run(request, response, given, (given.portfolio_id,), key)


@router.get("/trading/cycles", responses=documented())
@reads
async def list_cycles(context: TheContext, query: Annotated[CyclesQuery, Query()]) -> CyclesAnswer:
    """The latest cycles."""
    cycles = [await as_it_ended(context.store, report) for report in await context.store.cycles(query.limit)]
    return CyclesAnswer(cycles=[CycleAnswer.of(report) for report in cycles], count=len(cycles))


@router.get("/trading/cycles/{cycle_id}", responses=documented(404))
@reads
async def show_cycle(context: TheContext, cycle_id: Annotated[Id, Path()]) -> CycleAnswer:
    """One cycle, finished or running: how far it came and what each step dropped."""
    return CycleAnswer.of(await as_it_ended(context.store, await context.store.cycle(cycle_id)))


@router.get("/trading/explain", responses=documented(404))
@reads
async def explain_trading(context: TheContext, query: Annotated[ExplainQuery, Query()]) -> ExplainAnswer:
    """Why it did (not) trade: the filter, the number and the setting that decided."""
    found = await explain(context, market=query.market, cycle_id=query.cycle_id, portfolio_id=query.portfolio_id)
    return ExplainAnswer(
        message=found.message,
        reasons=dict(found.reasons.most_common()),
        decisions=[DecisionAnswer.of(item) for item in found.decisions[: query.limit]],
        cycle=CycleAnswer.of(found.cycle) if found.cycle else None,
    )


async def _run(
    request: Request, response: Response, fields: CycleFields, portfolio_ids: tuple[int, ...], key: str | None
) -> CycleAnswer:
    context: TradingContext = request.app.state.context
    running: Running = request.app.state.running
    cycle = CycleRequest(
        cycle_id=context.ids.new("cycle"),
        portfolio_ids=portfolio_ids,
        event_filter=fields.event_filter(),
        market_filter=fields.market_filter(),
        idempotency_key=key or "",
    )
    work = start_cycle(context.store, request.app.state.cycle_steps, context.clock, cycle)
    try:
        report = await running.run_shielded(logged(cycle.cycle_id, work))
    except PrescientError:
        if await _began(context, cycle.cycle_id):
            request.state.cycle_id = cycle.cycle_id
        raise
    return CycleAnswer.of(_own_or_replayed(report, cycle.cycle_id, response))


async def _began(context: TradingContext, cycle_id: str) -> bool:
    """Return whether a failed cycle was recorded, rather than refused before it began."""
    try:
        await context.store.cycle(cycle_id)
    except PrescientError:
        return False
    return True


def _own_or_replayed(report: CycleReport, cycle_id: str, response: Response) -> CycleReport:
    """Return the report; for a cycle that the key ran before, mark it as replayed. Raises CycleAlreadyRunning while it runs."""
    if report.cycle_id == cycle_id:
        return report
    if report.status is CycleStatus.RUNNING:
        raise CycleAlreadyRunning(report.request.portfolio_ids[0], report.cycle_id)
    response.headers["Idempotent-Replayed"] = "true"
    return report
