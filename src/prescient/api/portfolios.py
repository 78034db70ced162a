"""Portfolios as people manage them (port 8003): create, list, change, pause, archive; never deleted."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from pydantic import ConfigDict, Field

from polymarket_kit.errors import InvalidRequest
from prescient.administration.portfolios import (
    DEFAULT_STRATEGY,
    DEFAULT_VENUE,
    PortfolioForm,
    archive_portfolio,
    change_portfolio,
    create_portfolio,
)
from prescient.api.dependencies import TheContext
from prescient.api.errors import documented
from prescient.api.inputs import BalanceMicro, Description, Form, FreeObject, Name, PortfolioIdText, Word
from prescient.api.portfolio_responses import OBLIGATIONS_MAX, PortfolioAnswer, PortfolioState
from prescient.api.responses import Answer
from prescient.api.strict_routes import StrictRoute, changes, reads
from prescient.domain.portfolio import PortfolioStatus
from prescient.worker.schedules import check_schedule

router = APIRouter(route_class=StrictRoute, tags=["portfolios"])

Status = Literal["active", "paused", "archived"]


class CreateForm(Form):
    name: Name
    initial_balance: BalanceMicro = Field(description="Dollars to start with, from 1 to 1,000,000,000")
    description: Description = ""
    strategy_type: Word = Field(DEFAULT_STRATEGY, description="GET /strategy/strategies lists them")
    strategy_config: FreeObject = Field(default_factory=dict, description="Keys: GET /strategy/strategies")
    current_balance: BalanceMicro | None = Field(None, description="May repeat initial_balance")
    venue: Word = Field(DEFAULT_VENUE, description="Where it trades; GET /paper-trading/status lists them")
    schedule: Word = Field("", description="When the worker runs its cycles, such as 'every 1h'; empty for never")

    def portfolio_form(self) -> PortfolioForm:
        """Return what the core takes. Raises InvalidRequest for a schedule that is not understood or never comes."""
        return PortfolioForm(
            name=self.name,
            initial_balance_micro=self.initial_balance,
            strategy_type=self.strategy_type,
            description=self.description,
            current_balance_micro=self.current_balance,
            strategy_config=self.strategy_config,
            schedule=check_schedule(self.schedule),
            venue=self.venue,
        )


def _without_defaults(schema: dict[str, Any]) -> None:
    for described in schema["properties"].values():
        described.pop("default", None)


class ChangeForm(Form):
    """Fields that are left out stay as they are; the defaults here stand for "not sent" and are never used."""

    model_config = ConfigDict(json_schema_extra=_without_defaults)

    name: Name = "unchanged"
    description: Description = ""
    strategy_type: Word = DEFAULT_STRATEGY
    strategy_config: FreeObject = Field(default_factory=dict)
    schedule: Word = ""
    status: Status = Field("active", description="archived is final")


class ListQuery(Form):
    status: Status | None = None


class PortfoliosAnswer(Answer):
    portfolios: list[PortfolioAnswer]
    count: int
    active: int


@router.get("/portfolios/list", responses=documented())
@reads
async def list_portfolios(context: TheContext, query: Annotated[ListQuery, Query()]) -> PortfoliosAnswer:
    """All portfolios, archived ones included, or those of one status."""
    status = PortfolioStatus(query.status) if query.status else None
    portfolios = await context.store.portfolios(status)
    answers = [PortfolioAnswer.of(portfolio) for portfolio in portfolios]
    active = sum(portfolio.status is PortfolioStatus.ACTIVE for portfolio in portfolios)
    return PortfoliosAnswer(portfolios=answers, count=len(answers), active=active)


@router.post("/portfolios/create", responses=documented(409))
@changes
async def create(context: TheContext, form: CreateForm) -> PortfolioAnswer:
    """Create a portfolio with its own capital, strategy and configuration."""
    return PortfolioAnswer.of(await create_portfolio(context, form.portfolio_form()))


@router.get("/portfolios/{portfolio_id:int}", responses=documented(404))
@reads
async def show(context: TheContext, portfolio_id: Annotated[PortfolioIdText, Path()]) -> PortfolioState:
    """One portfolio with its open positions."""
    portfolio = await context.store.portfolio(portfolio_id)
    positions = await context.store.positions(portfolio_id)
    owed = await context.store.obligations(portfolio_id, None, OBLIGATIONS_MAX)
    return PortfolioState.with_positions(portfolio, positions, owed)


@router.patch("/portfolios/{portfolio_id:int}", responses=documented(404, 409))
@changes
async def change(
    context: TheContext, portfolio_id: Annotated[PortfolioIdText, Path()], form: ChangeForm
) -> PortfolioAnswer:
    """Change name, description, strategy, configuration, schedule or status. An archived portfolio stays as it is."""
    if not form.model_fields_set:
        raise InvalidRequest("body", f"names nothing to change; it may hold {', '.join(ChangeForm.model_fields)}.")
    changed = {name: getattr(form, name) for name in form.model_fields_set}
    if "schedule" in changed:
        changed["schedule"] = check_schedule(form.schedule)
    return PortfolioAnswer.of(await change_portfolio(context, portfolio_id, changed))


@router.delete("/portfolios/{portfolio_id:int}", responses=documented(404, 409))
@changes
async def archive(context: TheContext, portfolio_id: Annotated[PortfolioIdText, Path()]) -> PortfolioAnswer:
    """Archive a portfolio: it trades no more, its rows stay, open positions are still marked and settled."""
    return PortfolioAnswer.of(await archive_portfolio(context, portfolio_id))
