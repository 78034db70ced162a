"""The factory of the five services: ``ROUTERS`` has the routes of each, ``create_app`` makes its application."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import structlog
from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute

from prescient.api import (
    controller,
    docs,
    events,
    health,
    markets,
    orders,
    paper_trading,
    performance,
    portfolios,
    strategy,
)
from prescient.api.access import AccessMiddleware, AccessPolicy
from prescient.api.background import Running
from prescient.api.controller import COMPONENTS
from prescient.api.dependencies import HealthOf, Hook, ServiceInfo
from prescient.api.errors import add_handlers
from prescient.domain.records import ComponentHealth
from prescient.ports.context import TradingContext
from prescient.ports.steps import CycleSteps
from prescient.service_table import CONTROLLER, EVENTS, MARKETS, PAPER_TRADING, SERVICE_TITLES, STRATEGY

log = structlog.get_logger(__name__)


ROUTERS: dict[str, tuple[APIRouter, ...]] = {
    EVENTS.name: (events.router,),
    MARKETS.name: (markets.router,),
    STRATEGY.name: (strategy.router,),
    PAPER_TRADING.name: (portfolios.router, paper_trading.router, orders.router),
    CONTROLLER.name: (controller.router, performance.router),
}
SHARED: tuple[APIRouter, ...] = (health.router, docs.router)


def create_app(
    name: str,
    context: TradingContext,
    cycle_steps: CycleSteps,
    access: AccessPolicy,
    *,
    info: ServiceInfo | None = None,
    health_of: HealthOf | None = None,
    before_serving: Sequence[Hook] = (),
    background: Sequence[Hook] = (),
) -> FastAPI:
    """Make one service. Its port is not bound here; ``serve_apps`` does that.

    ``cycle_steps`` are local ones everywhere but in a controller that runs alone. ``health_of`` is what the controller asks
    for the other services' state. ``before_serving`` runs to its end before the first request is taken, and an error in it
    keeps the service from starting; ``background`` runs until the service stops. Raises KeyError for an unknown name.
    """
    info = info or ServiceInfo()
    app = FastAPI(
        title=f"Prescient: {SERVICE_TITLES[name]}",
        version=info.version,
        description="Amounts are dollars with at most six decimals, times are UTC. Every error has `detail` and `code`.",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=_operation_id,
        lifespan=_lifespan(before_serving, background),
    )
    app.state.service = name
    app.state.context = context
    app.state.cycle_steps = cycle_steps
    app.state.access = access
    app.state.info = info
    app.state.running = Running()
    app.state.health_of = health_of or _all_unknown
    routers = (*ROUTERS[name], *SHARED)
    app.state.routes = [route for router in routers for route in router.routes]
    for router in routers:
        app.include_router(router)
    add_handlers(app)
    docs.describe(app)
    app.add_middleware(AccessMiddleware, policy=access)
    return app


def _lifespan(
    before_serving: Sequence[Hook], background: Sequence[Hook]
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.start_error = None
        try:
            for hook in before_serving:
                await hook()
        except Exception as error:
            app.state.start_error = error
            raise
        lasting = Running()
        for hook in background:
            lasting.run_background(hook())
        yield
        await app.state.running.drain()
        await lasting.cancel()

    return lifespan


def _operation_id(route: APIRoute) -> str:
    """Return an operation id that is unique within a service and readable in generated clients."""
    (method,) = sorted(route.methods or ())
    words = [part.strip("{}") for part in route.path_format.split("/") if part]
    return "_".join([method.lower(), *words]).replace("-", "_")


async def _all_unknown() -> dict[str, ComponentHealth]:
    """Report every service as offline, for a controller that was not told where they are."""
    return {
        name: ComponentHealth(False, "", "this controller was not told where the service is") for name in COMPONENTS
    }
