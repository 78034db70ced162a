"""What the routes of a service work with: the context, the stages, and what the service knows of itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request

from prescient import __version__
from prescient.domain.cycle import StepReport
from prescient.domain.errors import NotFoundError
from prescient.domain.records import ComponentHealth
from prescient.ports.context import TradingContext
from prescient.ports.steps import CycleSteps

HealthOf = Callable[[], Awaitable[dict[str, ComponentHealth]]]
# A coroutine function without arguments: something to do before serving, or for as long as the service runs.
Hook = Callable[[], Coroutine[Any, Any, object]]


@dataclass(frozen=True, slots=True)
class ServiceInfo:
    """What a service says of its installation. ``price_update_interval_s`` is shown, not set, here."""

    price_update_interval_s: int = 300
    version: str = __version__


async def _context(request: Request) -> TradingContext:
    context: TradingContext = request.app.state.context
    return context


async def _cycle_steps(request: Request) -> CycleSteps:
    cycle_steps: CycleSteps = request.app.state.cycle_steps
    return cycle_steps


async def _info(request: Request) -> ServiceInfo:
    info: ServiceInfo = request.app.state.info
    return info


TheContext = Annotated[TradingContext, Depends(_context)]
TheStages = Annotated[CycleSteps, Depends(_cycle_steps)]
TheInfo = Annotated[ServiceInfo, Depends(_info)]


async def known_cycle(context: TradingContext, cycle_id: str, report: StepReport) -> None:
    """After a step that found nothing under a cycle id: raise NotFoundError if there is no such cycle at all."""
    if report.count_in:
        return
    try:
        await context.store.cycle(cycle_id)
    except NotFoundError:
        # A screen that ran by itself has an id of its own, without a cycle.
        if not await context.store.screened(cycle_id):
            raise


async def latest_screen(context: TradingContext) -> str:
    """The cycle or single screen that last wrote screened markets. Raises NotFoundError if there was none."""
    cycle_id = await context.store.last_screened()
    if cycle_id is None:
        raise NotFoundError(
            "No markets have been screened yet. Run POST /trading/run-full-cycle, "
            "or POST /events/export and POST /markets/export-filtered-markets-db."
        )
    return cycle_id
