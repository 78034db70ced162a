"""Clients that talk to the services in memory, with the Host that a browser would send."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, MutableMapping
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from prescient.api.access import AccessPolicy
from prescient.api.app import create_app
from prescient.api.controller import COMPONENTS
from prescient.domain.records import ComponentHealth
from prescient.ports.context import TradingContext
from prescient.service_table import SERVICES
from prescient.steps.local import LocalCycleSteps
from tests.prescient.api.world import SmallMarketData, small_context

Clients = dict[str, httpx.AsyncClient]
PORTFOLIO = {"name": "Main", "strategy_type": "majority", "initial_balance": 10000}


async def all_online() -> dict[str, ComponentHealth]:
    return {name: ComponentHealth(True, f"http://{name}") for name in COMPONENTS}


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[MutableMapping[str, Any]]]:
    """What was logged, kept instead of printed: drawing a traceback with all its values takes longer than the test."""
    with capture_logs() as entries:
        yield entries


@pytest.fixture
def market_data() -> SmallMarketData:
    return SmallMarketData()


@pytest.fixture
def context(market_data: SmallMarketData) -> TradingContext:
    return small_context(market_data=market_data)


@pytest.fixture
async def clients(context: TradingContext) -> AsyncIterator[Clients]:
    """One client per service, all on one context, as in one process."""
    async with AsyncExitStack() as stack:
        found = {}
        for service in SERVICES:
            app = create_app(service.name, context, LocalCycleSteps(context), AccessPolicy(), health_of=all_online)
            transport = httpx.ASGITransport(app)
            base = f"http://localhost:{service.port}"
            found[service.name] = await stack.enter_async_context(httpx.AsyncClient(transport=transport, base_url=base))
        yield found


@pytest.fixture
async def portfolio_id(clients: Clients) -> int:
    """A first portfolio of $10,000 with the majority strategy."""
    answer = await clients["paper-trading"].post("/portfolios/create", json=PORTFOLIO)
    assert answer.status_code == 200, answer.text
    found: int = answer.json()["portfolio_id"]
    return found
