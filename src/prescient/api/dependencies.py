"""Dependencies of the routes: the trading context, the cycle steps, and facts about the installation."""

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
    """Facts about the installation. ``price_update_interval_s`` is only shown here, not set."""

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
TheCycleSteps = Annotated[CycleSteps, Depends(_cycle_steps)]
TheInfo = Annotated[ServiceInfo, Depends(_info)]


async def known_cycle(context: TradingContext, cycle_id: str, report: StepReport) -> None:
    """Check a cycle id after a step found nothing under it. Raises NotFoundError if there is no such cycle."""
    if report.count_in:
        return
    try:
        await context.store.cycle(cycle_id)
    except NotFoundError:
        # A screen that was run alone has an id of its own, without a cycle.
        if not await context.store.screened(cycle_id):
            raise


async def latest_screen(context: TradingContext) -> str:
    """Return the id of the cycle or single screen that last wrote screened markets. Raises NotFoundError without one."""
    cycle_id = await context.store.last_screened()
    if cycle_id is None:
        raise NotFoundError(
            "No markets have been screened yet. Run POST /trading/run-full-cycle, "
            "or POST /events/export and POST /markets/export-filtered-markets-db."
        )
    return cycle_id
