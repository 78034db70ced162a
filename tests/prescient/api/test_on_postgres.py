"""The services on the real database: what they answer on PostgreSQL is what they answer on the memory store."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest

from prescient.adapters.postgres.store.store import open_store
from prescient.api.access import AccessPolicy
from prescient.api.app import create_app
from prescient.ports.context import TradingContext
from prescient.service_table import SERVICES
from prescient.steps.local import LocalCycleSteps
from tests.prescient.api.conftest import PORTFOLIO, all_online
from tests.prescient.api.world import SmallMarketData, small_context

# One run of the line with everything that may be read after it, in this order.
STEPS: list[tuple[str, str, str, dict[str, Any]]] = [
    ("paper-trading", "POST", "/portfolios/create", PORTFOLIO),
    ("paper-trading", "POST", "/portfolios/create", {**PORTFOLIO, "name": "Poor", "initial_balance": 150.5}),
    ("paper-trading", "POST", "/portfolios/create", PORTFOLIO),
    ("controller", "POST", "/trading/run-full-cycle", {}),
    ("events", "POST", "/events/export", {"cycle_id": "cycle-8"}),
    ("events", "POST", "/events/filter", {"cycle_id": "cycle-8", "event_min_volume": 450000}),
    ("markets", "POST", "/markets/export-filtered-markets-db", {"cycle_id": "cycle-8", "max_market_conviction": 1}),
    ("strategy", "POST", "/strategy/generate-signals", {"portfolio_id": 2, "max_market_conviction": 1}),
    ("paper-trading", "POST", "/paper-trading/execute-signals", {"portfolio_id": 2}),
    ("paper-trading", "POST", "/price-updater/update", {}),
    ("paper-trading", "POST", "/paper-trading/snapshot", {"portfolio_id": 1}),
    ("paper-trading", "PATCH", "/portfolios/2", {"status": "paused", "strategy_config": {"trade_size_usd": 7.25}}),
    ("paper-trading", "DELETE", "/portfolios/2", {}),
    *[
        (service, "GET", path, {})
        for service, paths in {
            "events": ("/events", "/events?limit=1&offset=1", "/events/100", "/events/filter", "/events/none"),
            "markets": (
                "/markets",
                "/markets?min_liquidity=6&event_id=100",
                "/markets/0xc1",
                "/markets/1/book",
                "/markets/2/snapshots",
            ),
            "strategy": ("/strategy/signals?portfolio_id=1", "/strategy/signals?pending_only=true"),
            "paper-trading": (
                "/portfolios/list",
                "/portfolios/1",
                "/paper-trading/portfolio",
                "/paper-trading/status",
                "/paper-trading/trades-history",
                "/paper-trading/trades-history?portfolio_id=2&limit=1",
            ),
            "controller": (
                "/trading/cycles",
                "/trading/performance-summary",
                "/trading/explain?market=2",
                "/trading/explain?portfolio_id=1",
                "/trading/explain?cycle_id=cycle-none",
            ),
        }.items()
        for path in paths
    ],
]


async def answers(context: TradingContext) -> list[tuple[str, int, Any]]:
    found = []
    async with AsyncExitStack() as stack:
        clients = {}
        for service in SERVICES:
            app = create_app(service.name, context, LocalCycleSteps(context), AccessPolicy(), health_of=all_online)
            base = f"http://localhost:{service.port}"
            client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=base)
            clients[service.name] = await stack.enter_async_context(client)
        for service_name, method, path, form in STEPS:
            answer = await clients[service_name].request(method, path, json=form or None)
            found.append((f"{method} {path}", answer.status_code, answer.json()))
    return found


def settled(value: Any) -> Any:
    """Rows of one moment come in any order; all else must be equal as it stands."""
    if isinstance(value, dict):
        return {name: settled(item) for name, item in value.items()}
    if isinstance(value, list):
        return sorted((settled(item) for item in value), key=repr)
    return value


@pytest.fixture
async def on_postgres(postgres_dsn: str) -> Any:
    store = await open_store(postgres_dsn)
    yield small_context(store, SmallMarketData())  # type: ignore[arg-type]  # any store will do
    await store.close()


async def test_every_answer_is_the_same_on_both_stores(on_postgres: TradingContext) -> None:
    kept = await answers(on_postgres)
    expected = await answers(small_context())
    assert [item[1] for item in expected].count(200) == len(expected) - 3
    for real, wanted in zip(kept, expected, strict=True):
        assert real[:2] == wanted[:2], real
        assert settled(real[2]) == settled(wanted[2]), real[0]
    trades = dict((name, body) for name, _, body in kept)["GET /paper-trading/trades-history"]["trades"]
    assert len(trades) == 3
    assert all(trade["fills"] for trade in trades)
