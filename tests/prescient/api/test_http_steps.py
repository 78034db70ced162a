"""The six verbs asked over HTTP do what they do when called: the same reports, rows and errors; and nothing is repeated."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import asdict
from typing import Any

import httpx
import pytest

from polymarket_kit.errors import PrescientError
from polymarket_kit.values import MICRO
from prescient.adapters.http_health import HttpHealth
from prescient.adapters.http_steps import HttpCycleSteps
from prescient.administration.portfolios import PortfolioForm, create_portfolio
from prescient.api.access import AccessPolicy
from prescient.api.app import create_app
from prescient.domain.cycle import CycleReport, CycleRequest
from prescient.domain.errors import (
    InvariantBroken,
    NotFoundError,
    PortfolioNotFound,
    StepUnavailable,
    StoreUnavailable,
    VenueUnavailable,
)
from prescient.domain.screening import EventFilter, MarketFilter
from prescient.ports.context import TradingContext
from prescient.ports.steps import CycleSteps
from prescient.steps.local import LocalCycleSteps
from prescient.trading.cycle import start_cycle
from tests.conftest import free_port
from tests.prescient.api.serving import STEP_SERVICE_NAMES, serving
from tests.prescient.api.world import SmallMarketData, small_context

# Bounds with all six decimals, so that a rounding on the way would show.
EVENTS = EventFilter(10_000_000_001, 100_000_001)
MARKETS = MarketFilter(5_000_001, 123_456_789, 549_999, 970_000)


@pytest.fixture
def market_data() -> SmallMarketData:
    return SmallMarketData()


@pytest.fixture
async def context(market_data: SmallMarketData) -> TradingContext:
    """A context with one portfolio of each kind: rich, poor, and one whose strategy looks at history."""
    context = small_context(market_data=market_data)
    await create_portfolio(context, PortfolioForm("Rich", 10_000 * MICRO))
    await create_portfolio(context, PortfolioForm("Poor", 150 * MICRO))
    await create_portfolio(context, PortfolioForm("Momentum", 5_000 * MICRO, "momentum"))
    return context


@pytest.fixture
async def cycle_steps(context: TradingContext) -> AsyncIterator[HttpCycleSteps]:
    async with serving(context) as urls:
        found = HttpCycleSteps(urls)
        try:
            yield found
        finally:
            await found.close()


async def one_cycle(context: TradingContext, cycle_steps: CycleSteps) -> CycleReport:
    request = CycleRequest("cycle-same", (), EVENTS, MARKETS)
    return await start_cycle(context.store, cycle_steps, context.clock, request)


async def rows(context: TradingContext) -> dict[str, Any]:
    """Everything that a cycle writes."""
    store = context.store
    return {
        "portfolios": await store.portfolios(),
        "signals": await store.signals(),
        "trades": await store.trades(None, 100),
        "positions": await store.positions(None),
        "decisions": await store.decisions(limit=1_000),
        "history": await store.history(None, 100),
        "screened": await store.screened("cycle-same"),
        "events": await store.events_page(100, 0),
        "ledger": [await store.ledger_balances(number) for number in (1, 2, 3)],
        "snapshots": await store.snapshots_of_market("1", 100),
        "cycles": await store.cycles(10),
    }


async def test_a_cycle_over_http_equals_the_same_cycle_called(
    context: TradingContext, cycle_steps: HttpCycleSteps
) -> None:
    other = small_context()
    for name, balance, strategy in (
        ("Rich", 10_000, "majority"),
        ("Poor", 150, "majority"),
        ("Momentum", 5_000, "momentum"),
    ):
        await create_portfolio(other, PortfolioForm(name, balance * MICRO, strategy))
    called = await one_cycle(other, LocalCycleSteps(other))
    asked = await one_cycle(context, cycle_steps)
    assert asdict(asked) == asdict(called)
    assert [type(step.dropped) for step in asked.steps] == [type(step.dropped) for step in called.steps]
    assert len(asked.steps) == 3 + 4 * 3
    called_rows, asked_rows = await rows(other), await rows(context)
    assert asked_rows == called_rows
    assert len(called_rows["trades"]) >= 6
    refusals = {code for step in called.steps for code in step.dropped}
    assert {"malformed", "event_volume_low", "liquidity_low", "insufficient_cash"} <= refusals


Ask = Callable[[CycleSteps], Awaitable[object]]
ASKS: dict[str, Ask] = {
    "collect": lambda cycle_steps: cycle_steps.collect("cycle-1"),
    "filter": lambda cycle_steps: cycle_steps.filter("cycle-1", EVENTS),
    "screen": lambda cycle_steps: cycle_steps.screen("cycle-1", EVENTS, MARKETS),
    "decide": lambda cycle_steps: cycle_steps.decide("cycle-1", 1, MARKETS),
    "execute": lambda cycle_steps: cycle_steps.execute("cycle-1", 1),
    "mark": lambda cycle_steps: cycle_steps.mark(1),
    "snapshot": lambda cycle_steps: cycle_steps.snapshot("cycle-1", 1),
}


async def caught(work: Awaitable[object]) -> PrescientError:
    with pytest.raises(PrescientError) as caught:
        await work
    return caught.value


@pytest.mark.parametrize("verb", ["decide", "execute", "mark", "snapshot"])
async def test_an_unknown_portfolio_is_the_same_error(
    context: TradingContext, cycle_steps: HttpCycleSteps, verb: str
) -> None:
    async def ask(asked: CycleSteps) -> object:
        numbered = {
            "decide": lambda: asked.decide("cycle-1", 99, MARKETS),
            "execute": lambda: asked.execute("cycle-1", 99),
            "mark": lambda: asked.mark(99),
            "snapshot": lambda: asked.snapshot("cycle-1", 99),
        }
        return await numbered[verb]()

    error = await caught(ask(cycle_steps))
    assert type(error) is PortfolioNotFound
    assert (str(error), error.portfolio_id) == (str(PortfolioNotFound(99)), 99)


async def test_a_venue_that_is_away_is_the_same_error(
    context: TradingContext, cycle_steps: HttpCycleSteps, market_data: SmallMarketData
) -> None:
    market_data.away = True
    error = await caught(cycle_steps.collect("cycle-1"))
    assert type(error) is VenueUnavailable
    assert str(error) == "The venue does not answer. Try again in a minute."


@pytest.mark.parametrize("verb", ASKS)
async def test_a_database_that_is_away_is_the_same_error(
    context: TradingContext, cycle_steps: HttpCycleSteps, verb: str
) -> None:
    await context.store.close()
    error = await caught(ASKS[verb](cycle_steps))
    assert type(error) is StoreUnavailable
    assert str(error).startswith("Error connecting to database")


async def test_a_cycle_that_nobody_knows_is_not_found(context: TradingContext, cycle_steps: HttpCycleSteps) -> None:
    assert type(await caught(cycle_steps.decide("cycle-none", 1, MARKETS))) is NotFoundError


class Broken(LocalCycleSteps):
    """Stages whose mark fails in a way of one's choice."""

    def __init__(self, context: TradingContext, error: Exception) -> None:
        super().__init__(context)
        self._error = error

    async def mark(self, portfolio_id: int):  # type: ignore[no-untyped-def]  # never returns
        raise self._error


@pytest.mark.parametrize(
    ("failure", "kind", "text"),
    [
        (InvariantBroken("cash is not the ledger's"), InvariantBroken, "cash is not the ledger's"),
        (ZeroDivisionError("secret"), StepUnavailable, "The paper-trading service failed: Something is broken"),
    ],
)
async def test_what_is_broken_in_a_service_is_an_error_here(
    context: TradingContext, failure: Exception, kind: type[PrescientError], text: str
) -> None:
    app = create_app("paper-trading", context, Broken(context, failure), AccessPolicy())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost:8003") as client:
        answer = await client.post("/paper-trading/mark", json={"portfolio_id": 1})
    async with answering(answer.status_code, answer.content) as url:
        error = await caught_from(url)
    assert type(error) is kind
    assert str(error).startswith(text)
    assert "secret" not in str(error)


class Answering:
    """A server that gives one answer to whatever it is asked, and counts how often it was asked."""

    def __init__(self, status: int, body: bytes) -> None:
        self.asked = 0
        head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
        self._answer = head + body

    async def __aenter__(self) -> str:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.asked += 1
        writer.write(self._answer)
        await writer.drain()
        writer.close()


def answering(status: int, body: bytes) -> Answering:
    return Answering(status, body)


async def caught_from(url: str) -> PrescientError:
    cycle_steps = HttpCycleSteps(dict.fromkeys(STEP_SERVICE_NAMES, url))
    try:
        return await caught(cycle_steps.mark(1))
    finally:
        await cycle_steps.close()


@pytest.mark.parametrize("status", [200, 404, 502, 301])
@pytest.mark.parametrize("body", [b"<html>hello</html>", b"", b"{}", b'{"report": {"verb": "dance"}}', b'{"report": '])
async def test_something_else_on_the_port_is_named(status: int, body: bytes) -> None:
    server = answering(status, body)
    async with server as url:
        error = await caught_from(url)
    assert type(error) is StepUnavailable
    assert "is not our paper-trading service" in str(error)
    assert f"status {status}" in str(error)
    assert server.asked == 1


async def test_a_service_that_is_away_is_named_with_the_cure(context: TradingContext) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    error = await caught_from(url)
    assert type(error) is StepUnavailable
    for part in ("paper-trading", url, "prescient serve paper-trading", "prescient status"):
        assert part in str(error)


async def test_a_lost_answer_is_not_asked_for_again() -> None:
    asked = 0

    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        await reader.readuntil(b"\r\n\r\n")
        asked += 1
        writer.transport.abort()

    server = await asyncio.start_server(cut, "127.0.0.1", 0)
    async with server:
        error = await caught_from(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    assert (type(error), asked) == (StepUnavailable, 1)


async def test_a_controller_alone_runs_the_line_over_its_neighbours(
    context: TradingContext, cycle_steps: HttpCycleSteps
) -> None:
    app = create_app("controller", context, cycle_steps, AccessPolicy())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost:8004") as client:
        body = (await client.get("/trading/run-full-cycle")).json()
    assert (body["status"], len(body["steps"]), len(body["portfolios"])) == ("completed", 7, 3)
    assert body["execution_summary"]["trades_executed"] >= 4


async def test_a_neighbour_that_is_away_ends_the_cycle_with_503_and_its_id(context: TradingContext) -> None:
    async with serving(context, ("events", "markets", "strategy")) as urls:
        cycle_steps = HttpCycleSteps({**urls, "paper-trading": f"http://127.0.0.1:{free_port()}"})
        app = create_app("controller", context, cycle_steps, AccessPolicy())
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost:8004") as client:
            answer = await client.get("/trading/run-full-cycle")
            body = answer.json()
            shown = (await client.get(f"/trading/cycles/{body['cycle_id']}")).json()
        await cycle_steps.close()
    assert (answer.status_code, body["code"]) == (503, "service_unavailable")
    assert (shown["status"], [step["verb"] for step in shown["steps"]]) == (
        "failed",
        ["collect", "filter", "screen", "decide"],
    )
    assert await context.store.trades(None, 10) == []


async def test_health_is_truly_asked(context: TradingContext) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    async with serving(context, ("events", "markets")) as urls, answering(200, b"{}") as silent_url:
        health = HttpHealth(
            {"events": urls["events"], "markets": urls["markets"], "strategy": silent_url, "paper_trading": nobody}
        )
        before = await health()
        await context.store.close()
        after = await health()
        await health.close()
    assert {name: item.online for name, item in before.items()} == {
        "events": True,
        "markets": True,
        "strategy": False,
        "paper_trading": False,
    }
    assert before["strategy"].detail == "something else answers there"
    assert before["paper_trading"].url == nobody
    assert "prescient serve paper-trading" in before["paper_trading"].detail
    assert not after["events"].online
    assert after["events"].detail.startswith("Error connecting to database")
