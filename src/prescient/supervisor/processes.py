"""What each of our processes runs, composed from wiring and the entry points: services and worker."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import signal
import sys
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog

from prescient import wiring
from prescient.service_table import CONTROLLER, LOOPBACK, PAPER_TRADING, SERVICE_NAMES
from prescient.settings import Settings
from prescient.supervisor.gc_tuning import tune_garbage_collection
from prescient.supervisor.logs import set_up_logs

if TYPE_CHECKING:
    from fastapi import FastAPI

    from prescient.api.dependencies import HealthOf
    from prescient.ports.context import TradingContext
    from prescient.ports.steps import CycleSteps
    from prescient.worker.leased_loop import LeasedLoop

log = structlog.get_logger(__name__)

ProcessMain = Callable[[asyncio.Event], Coroutine[Any, Any, None]]


def run_services(settings: Settings, names: Sequence[str], *, first_portfolio: bool = False) -> int:
    """Serve these services in this process until a signal comes; returns the exit code."""
    return _run(settings, partial(_serve, settings, tuple(names), first_portfolio))


def run_worker(settings: Settings) -> int:
    """Run the scheduler until a signal comes; returns the exit code."""
    return _run(settings, partial(_work, settings))


# What a process will import once it works; loaded beforehand while it waits for the database.
MODULES = {
    "api": (
        "prescient.api.app",
        "prescient.api.serve",
        "prescient.worker.price_updater",
        "prescient.worker.resting_loop",
        "prescient.worker.settling_loop",
    ),
    "worker": ("prescient.worker.worker",),
}


def load(role: str) -> None:
    """Import what a process needs."""
    for module in MODULES[role]:
        importlib.import_module(module)
    wiring.load_context_modules()


async def _serve(settings: Settings, names: tuple[str, ...], first_portfolio: bool, stop: asyncio.Event) -> None:
    from prescient.administration.portfolios import ensure_first_portfolio
    from prescient.api.serve import serve_apps

    # A controller in one process with the four others calls them directly; one that is alone asks them over HTTP.
    together = set(SERVICE_NAMES) <= set(names)
    async with AsyncExitStack() as stack:
        context = await stack.enter_async_context(wiring.open_context(settings))
        health = await stack.enter_async_context(wiring.open_health(settings))
        remote = await stack.enter_async_context(wiring.open_remote_cycle_steps(settings))
        made = await ensure_first_portfolio(context) if first_portfolio else None
        if made is not None:
            log.info("first portfolio made", portfolio_id=made.portfolio_id, name=made.name)
        local = wiring.local_cycle_steps(context)
        apps = []
        for name in names:
            cycle_steps = remote if name == CONTROLLER.name and not together else local
            apps.append((_app(settings, name, context, cycle_steps, health), LOOPBACK, settings.port(name)))
        tune_garbage_collection()
        await serve_apps(apps, stop)


def _app(settings: Settings, name: str, context: TradingContext, cycle_steps: CycleSteps, health: HealthOf) -> FastAPI:
    from prescient.api.access import AccessPolicy
    from prescient.api.app import create_app
    from prescient.api.dependencies import ServiceInfo
    from prescient.worker.price_updater import recover_patiently

    trades = name == PAPER_TRADING.name
    return create_app(
        name,
        context,
        cycle_steps,
        AccessPolicy(ports=frozenset(settings.service_ports.values())),
        info=ServiceInfo(settings.price_update_interval_s),
        health_of=health if name == CONTROLLER.name else None,
        before_serving=[partial(recover_patiently, context)] if trades else (),
        background=[loop.run for loop in _paper_trading_loops(settings, context)] if trades else (),
    )


def _paper_trading_loops(settings: Settings, context: TradingContext) -> list[LeasedLoop]:
    """The background loops of the Paper trading service; one more goes here."""
    from prescient.worker.price_updater import PriceUpdater
    from prescient.worker.resting_loop import RestingLoop
    from prescient.worker.settling_loop import SettlingLoop

    loops: list[LeasedLoop] = [
        PriceUpdater(
            context,
            interval_s=settings.price_update_interval_s,
            decisions_keep_days=settings.decisions_keep_days,
            snapshots_keep_days=settings.snapshots_keep_days,
        ),
        SettlingLoop(context, wiring.system_clock()),
    ]
    if context.resting is not None:
        loops.append(RestingLoop(context, wiring.system_clock()))
    return loops


async def _work(settings: Settings, stop: asyncio.Event) -> None:
    from prescient.worker.execution_loop import ExecutionLoop
    from prescient.worker.worker import Worker, ask_controller

    async with wiring.open_context(settings) as context:
        tune_garbage_collection()
        controller_url = f"http://{LOOPBACK}:{settings.port(CONTROLLER.name)}"
        timer = wiring.system_clock()
        loops: list[LeasedLoop] = [Worker(context.store, context.clock, ask_controller(controller_url), timer)]
        mark_s = settings.price_update_interval_s
        loops += [ExecutionLoop(context, name, timer, mark_interval_s=mark_s) for name in sorted(wiring.WORKER_VENUES)]
        await _until(stop, _together(loops))


async def _together(loops: Sequence[LeasedLoop]) -> None:
    async with asyncio.TaskGroup() as group:
        for loop in loops:
            group.create_task(loop.run())


async def _until(stop: asyncio.Event, work: Coroutine[Any, Any, None]) -> None:
    """Run work that never ends by itself until stop is set, then cancel it; what it raises is raised."""
    working, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        working.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await working


def _run(settings: Settings, process_main: ProcessMain) -> int:
    """Set up logs, event loop and signals and run a process until it ends. Returns 0; raises what ends it early."""
    set_up_logs(settings.log_level)

    async def main() -> None:
        stop = asyncio.Event()
        _listen(stop)
        await process_main(stop)

    with asyncio.Runner(loop_factory=_loop_factory()) as runner, contextlib.suppress(KeyboardInterrupt):
        runner.run(main())
    return 0


def _listen(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, stop.set)
        except NotImplementedError:
            # Windows: the handler runs in the main thread between two steps of the loop, so it must wake the loop.
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    if sys.platform == "win32":
        return asyncio.SelectorEventLoop
    import uvloop

    return uvloop.new_event_loop
