"""The Events service (port 8000): collect all active events of the venue, filter them, show them. Steps 1 and 2."""

from __future__ import annotations

from collections import Counter
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import Field

from prescient.api.dependencies import TheContext, TheCycleSteps
from prescient.api.errors import documented
from prescient.api.filters import EventFields
from prescient.api.inputs import Form, Id, LimitText, ListLimit, ListLimitText, OffsetText
from prescient.api.responses import Answer, EventAnswer, EventWithMarkets, StepAnswer
from prescient.api.strict_routes import StrictRoute, changes, reads
from prescient.domain.cycle import StepReport
from prescient.domain.errors import NotFoundError
from prescient.domain.market import Event
from prescient.domain.screening import EventFilter, screen_event
from prescient.domain.signal import Step
from prescient.ports.context import TradingContext
from prescient.ports.steps import CycleSteps

router = APIRouter(route_class=StrictRoute, tags=["events"])


class ExportForm(Form):
    cycle_id: Id | None = Field(None, description="The cycle that this belongs to; without it a new id is made")


class ExportAnswer(Answer):
    cycle_id: str
    events: int = Field(description="Active events written")
    markets: int = Field(description="Their markets written")
    skipped: int = Field(description="Malformed items of the venue that were left out")
    message: str
    report: StepAnswer


class FilterQuery(EventFields):
    cycle_id: Id | None = Field(
        None, description="Record the dropped events under this cycle; without it nothing is recorded"
    )
    limit: ListLimitText = Field(100, description="Most events to list; the counts cover all")


class FilterForm(EventFields):
    cycle_id: Id | None = Field(
        None, description="Record the dropped events under this cycle; without it nothing is recorded"
    )
    limit: ListLimit = Field(100, description="Most events to list; the counts cover all")


class FilterAnswer(Answer):
    cycle_id: str | None
    total: int = Field(description="Active events looked at")
    passed: int
    dropped: dict[str, int] = Field(description="How many were dropped, by reason")
    settings: dict[str, str] = Field(description="By reason, the setting that decided")
    events: list[EventAnswer] = Field(description="Those that passed, largest volume first")
    report: StepAnswer


class EventsQuery(Form):
    limit: LimitText = 100
    offset: OffsetText = 0
    active_only: bool = True


class EventsAnswer(Answer):
    events: list[EventAnswer]
    count: int
    next_offset: int | None = Field(description="Where the next page starts; null at the end")


@router.post("/events/export", responses=documented(502))
@changes
async def export_events(
    context: TheContext, cycle_steps: TheCycleSteps, form: ExportForm | None = None
) -> ExportAnswer:
    """Step 1: fetch all active events of the venue with their markets and keep them in `events` and `markets`."""
    cycle_id = (form.cycle_id if form else None) or context.ids.new("cycle")
    report = await cycle_steps.collect(cycle_id)
    markets = report.amounts.get("markets", 0)
    skipped = report.dropped["malformed"]
    return ExportAnswer(
        cycle_id=cycle_id,
        events=report.count_out,
        markets=markets,
        skipped=skipped,
        message=f"{report.count_out} events with {markets} markets exported, {skipped} left out as malformed",
        report=StepAnswer.of(report),
    )


@router.get("/events/filter", responses=documented())
@changes
async def filter_events(
    context: TheContext, cycle_steps: TheCycleSteps, query: Annotated[FilterQuery, Query()]
) -> FilterAnswer:
    """Step 2: the collected events above the minimums, and why the others are dropped."""
    return await _filter(context, cycle_steps, query.cycle_id, query.event_filter(), query.limit)


@router.post("/events/filter", responses=documented())
@changes
async def filter_events_by_form(context: TheContext, cycle_steps: TheCycleSteps, form: FilterForm) -> FilterAnswer:
    """Step 2, as the controller requests it."""
    return await _filter(context, cycle_steps, form.cycle_id, form.event_filter(), form.limit)


@router.get("/events", responses=documented())
@reads
async def list_events(context: TheContext, query: Annotated[EventsQuery, Query()]) -> EventsAnswer:
    """The collected events, largest volume first."""
    events = await context.store.events_page(query.limit, query.offset, active_only=query.active_only)
    more = query.offset + len(events) if len(events) == query.limit else None
    return EventsAnswer(events=[EventAnswer.of(event) for event in events], count=len(events), next_offset=more)


@router.get("/events/{event_id}", responses=documented(404))
@reads
async def show_event(context: TheContext, event_id: Annotated[Id, Path()]) -> EventWithMarkets:
    """One collected event with its markets."""
    event = await context.store.event(event_id)
    if event is None:
        raise NotFoundError("No such event. GET /events lists those that were collected.")
    return EventWithMarkets.with_markets(event, await context.store.markets_of([event_id]))


async def _filter(
    context: TradingContext, cycle_steps: CycleSteps, cycle_id: str | None, limits: EventFilter, limit: int
) -> FilterAnswer:
    report = await cycle_steps.filter(cycle_id, limits) if cycle_id else None
    passing: list[Event] = []
    if report is None or limit:
        counted, passing = _count(await context.store.active_events(), limits)
        report = report or counted
    passing.sort(key=lambda event: (-event.volume_micro, event.event_id))
    return FilterAnswer(
        cycle_id=cycle_id,
        total=report.count_in,
        passed=report.count_out,
        dropped=dict(report.dropped),
        settings=dict(report.settings),
        events=[EventAnswer.of(event) for event in passing[:limit]],
        report=StepAnswer.of(report),
    )


def _count(events: list[Event], limits: EventFilter) -> tuple[StepReport, list[Event]]:
    """Filter without recording anything, to show what the filter alone would drop."""
    report = StepReport(Step.FILTER, count_in=len(events), dropped=Counter())
    passing = []
    for event in events:
        drop = screen_event(event, limits)
        if drop is None:
            passing.append(event)
        else:
            report.drop(drop.code, drop.setting)
    report.count_out = len(passing)
    return report, passing
