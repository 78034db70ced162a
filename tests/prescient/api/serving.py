"""Real servers on free loopback ports for the tests that need a network between the services."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from prescient.api.access import AccessPolicy
from prescient.api.app import create_app
from prescient.api.serve import serve_apps
from prescient.ports.context import TradingContext
from prescient.service_table import STEP_SERVICES
from prescient.steps.local import LocalCycleSteps
from tests.conftest import free_port

STEP_SERVICE_NAMES = tuple(service.name for service in STEP_SERVICES)


@asynccontextmanager
async def serving(context: TradingContext, names: Sequence[str] = STEP_SERVICE_NAMES) -> AsyncIterator[dict[str, str]]:
    """Serve these services until the block ends; gives their base URLs by name."""
    ports = {name: free_port() for name in names}
    access = AccessPolicy(ports=frozenset(ports.values()))
    apps = [
        (create_app(name, context, LocalCycleSteps(context), access), "127.0.0.1", port) for name, port in ports.items()
    ]
    stop = asyncio.Event()
    task = asyncio.create_task(serve_apps(apps, stop))
    try:
        for port in ports.values():
            await until_open(port, task)
        yield {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
    finally:
        stop.set()
        await task


async def until_open(port: int, task: asyncio.Task[None]) -> None:
    """Wait until a port answers, or raise what ended its server."""
    for _ in range(500):
        if task.done():
            await task
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.02)
        else:
            writer.close()
            await writer.wait_closed()
            return
    raise TimeoutError(f"port {port} did not open")
