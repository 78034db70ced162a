"""The Main controller: a whole cycle over HTTP, what it answers, and what happens when it cannot run."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from typing import Any

import httpx
import pytest

from prescient.api.access import AccessPolicy
from prescient.api.app import create_app
from prescient.domain.cycle import CycleRequest
from prescient.domain.errors import InvariantBroken
from prescient.domain.records import ComponentHealth
from prescient.ports.context import TradingContext
from prescient.steps.local import LocalCycleSteps
from tests.prescient.api.conftest import PORTFOLIO, Clients
from tests.prescient.api.world import NOW, SmallMarketData

STEP_NAMES = [
    "Export Events",
    "Filter Events",
    "Filter Markets",
    "Generate Signals",
    "Execute Trades",
    "Update Prices",
    "Create Snapshot",
]


def client_of(context: TradingContext, cycle_steps: LocalCycleSteps) -> httpx.AsyncClient:
    app = create_app("controller", context, cycle_steps, AccessPolicy())
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost:8004")


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", ["run-full-cycle", "run-all-portfolios", "run-portfolio-cycle?portfolio_id=1"])
async def test_a_cycle_runs_all_seven_steps_and_says_what_it_did(
    clients: Clients, portfolio_id: int, method: str, path: str
) -> None:
    answer = await clients["controller"].request(method, f"/trading/{path}")
    body = answer.json()
    assert answer.status_code == 200, body
    assert body["status"] == "completed"
    assert [step["name"] for step in body["steps"]] == STEP_NAMES
    assert [step["step"] for step in body["steps"]] == [1, 2, 3, 4, 5, 6, 7]
    # Three events of four listed items; one event too small; four markets, one too sure, one too thin; two trades.
    assert [(step["in"], step["out"]) for step in body["steps"]] == [
        (4, 3),
        (3, 2),
        (4, 2),
        (2, 2),
        (2, 2),
        (2, 2),
        (1, 1),
    ]
    assert body["steps"][0]["dropped"] == {"malformed": 1}
    assert body["steps"][1]["dropped"] == {"event_volume_low": 1}
    assert body["steps"][2]["dropped"] == {"conviction_high": 1, "liquidity_low": 1}
    assert body["steps"][2]["settings"] == {
        "conviction_high": "max_market_conviction",
        "liquidity_low": "min_liquidity",
    }
    summary = body["execution_summary"]
    assert (summary["signals"], summary["trades_executed"], summary["refused"]) == (2, 2, {})
    assert summary["amount"] == 200.0
    assert [item["portfolio_id"] for item in body["portfolios"]] == [portfolio_id]
    assert body["portfolios"][0]["fees"] == summary["fees"] > 0
    assert body["message"] == "2 trades executed from 2 signals"
    shown = (await clients["controller"].get(f"/trading/cycles/{body['cycle_id']}")).json()
    assert shown == body
    assert (await clients["controller"].get("/trading/cycles")).json()["cycles"] == [body]


async def test_parameters_have_the_runbooks_defaults_and_count(clients: Clients, portfolio_id: int) -> None:
    body = (await clients["controller"].get("/trading/run-full-cycle")).json()
    assert body["parameters"] == {
        "event_min_liquidity": 10000.0,
        "event_min_volume": 50000.0,
        "min_liquidity": 10000.0,
        "min_volume": 50000.0,
        "min_market_conviction": 0.5,
        "max_market_conviction": 0.6,
    }
    wider: dict[str, str | float] = {
        "event_min_volume": 100,
        "min_liquidity": "5",
        "max_market_conviction": 0.999999,
        "min_volume": 1.5e4,
    }
    by_url = (await clients["controller"].get("/trading/run-full-cycle", params=wider)).json()
    by_body = (await clients["controller"].post("/trading/run-full-cycle", json=wider)).json()
    assert by_url["parameters"] == by_body["parameters"]
    assert by_url["parameters"]["max_market_conviction"] == 0.999999
    assert by_url["steps"][2]["out"] == by_body["steps"][2]["out"] == 5


async def test_parameters_in_url_and_body_at_once_are_refused(clients: Clients, portfolio_id: int) -> None:
    answer = await clients["controller"].post("/trading/run-full-cycle?min_volume=1", json={"min_volume": 2})
    assert (answer.status_code, answer.json()["field"]) == (422, "body")
    assert (await clients["controller"].get("/trading/cycles")).json()["count"] == 0


async def test_a_band_upside_down_is_refused(clients: Clients, portfolio_id: int) -> None:
    answer = await clients["controller"].get("/trading/run-full-cycle?min_market_conviction=0.7")
    assert (answer.status_code, answer.json()["field"]) == (422, "min_market_conviction")


async def test_no_active_portfolios(clients: Clients) -> None:
    for path in ("run-full-cycle", "run-all-portfolios"):
        answer = await clients["controller"].get(f"/trading/{path}")
        assert answer.status_code == 409
        assert answer.json()["code"] == "no_active_portfolios"
        assert answer.json()["detail"].startswith("No active portfolios found")
        assert "/portfolios/create" in answer.json()["detail"]


async def test_unknown_paused_and_archived_portfolios_do_not_trade(clients: Clients, portfolio_id: int) -> None:
    run = f"/trading/run-portfolio-cycle?portfolio_id={portfolio_id}"
    paper = clients["paper-trading"]
    unknown = await clients["controller"].get("/trading/run-portfolio-cycle?portfolio_id=99")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "portfolio_not_found")
    assert unknown.json()["portfolio_id"] == 99
    await paper.patch(f"/portfolios/{portfolio_id}", json={"status": "paused"})
    paused = await clients["controller"].get(run)
    assert (paused.status_code, paused.json()["code"]) == (409, "portfolio_not_active")
    await paper.delete(f"/portfolios/{portfolio_id}")
    archived = await clients["controller"].get(run)
    assert (archived.status_code, archived.json()["code"]) == (409, "portfolio_not_active")
    assert (await clients["controller"].get("/trading/cycles")).json()["count"] == 0


async def test_no_trading_signals_found_names_the_setting(clients: Clients, portfolio_id: int) -> None:
    body = (await clients["controller"].get("/trading/run-full-cycle?min_liquidity=900000000")).json()
    assert body["status"] == "completed"
    assert body["message"].startswith(
        "No trading signals found: 3 events -> 2 events kept -> 0 markets kept -> 0 signals."
    )
    assert "liquidity_low: 4 (setting min_liquidity)" in body["message"]


async def test_one_idempotency_key_runs_one_cycle(clients: Clients, portfolio_id: int) -> None:
    controller, headers = clients["controller"], {"Idempotency-Key": "slot 1"}
    first = await controller.post("/trading/run-full-cycle", headers=headers)
    again = await controller.post("/trading/run-full-cycle", headers=headers)
    assert first.status_code == again.status_code == 200
    assert first.content == again.content
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    other = await controller.post("/trading/run-full-cycle?min_volume=1", headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert (await controller.get("/trading/cycles")).json()["count"] == 1
    assert (await clients["paper-trading"].get("/paper-trading/trades-history")).json()["count"] == 2


@pytest.mark.parametrize("key", ["x" * 201, "tab\there", "ünlaut", ""])
async def test_a_bad_idempotency_key_is_refused(clients: Clients, portfolio_id: int, key: str) -> None:
    answer = await clients["controller"].post(
        "/trading/run-full-cycle", headers={b"Idempotency-Key": key.encode("latin-1")}
    )
    assert (answer.status_code, answer.json()["field"]) == (422, "Idempotency-Key")


class SlowStages(LocalCycleSteps):
    """Local stages that wait in the middle of the cycle until they are told to go on."""

    def __init__(self, context: TradingContext) -> None:
        super().__init__(context)
        self.reached = asyncio.Event()
        self.go_on = asyncio.Event()

    async def screen(self, *arguments):  # type: ignore[no-untyped-def]  # passes on whatever the port defines
        self.reached.set()
        await self.go_on.wait()
        return await super().screen(*arguments)


async def test_a_second_cycle_meanwhile_gets_409_with_the_running_id(
    context: TradingContext, portfolio_id: int
) -> None:
    cycle_steps = SlowStages(context)
    async with client_of(context, cycle_steps) as client:
        headers = {"Idempotency-Key": "one"}
        first = asyncio.create_task(client.post("/trading/run-full-cycle", headers=headers))
        await cycle_steps.reached.wait()
        second = await client.get("/trading/run-full-cycle")
        assert (second.status_code, second.json()["code"]) == (409, "cycle_running")
        assert second.headers["Retry-After"]
        running = (await client.get(f"/trading/cycles/{second.json()['cycle_id']}")).json()
        assert running["status"] == "running"
        assert [step["step"] for step in running["steps"]] == [1, 2]
        same_key = await client.post("/trading/run-full-cycle", headers=headers)
        assert (same_key.status_code, same_key.json()["cycle_id"]) == (409, running["cycle_id"])
        cycle_steps.go_on.set()
        assert (await first).json()["cycle_id"] == running["cycle_id"]


async def test_a_client_that_goes_away_does_not_end_the_cycle(context: TradingContext, portfolio_id: int) -> None:
    cycle_steps = SlowStages(context)
    async with client_of(context, cycle_steps) as client:
        asked = asyncio.create_task(client.post("/trading/run-full-cycle", headers={"Idempotency-Key": "gone"}))
        await cycle_steps.reached.wait()
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        cycle_steps.go_on.set()
        await _until_cycle_ends(client)
        answer = (await client.post("/trading/run-full-cycle", headers={"Idempotency-Key": "gone"})).json()
        assert (answer["status"], answer["execution_summary"]["trades_executed"]) == ("completed", 2)


async def _until_cycle_ends(client: httpx.AsyncClient) -> None:
    for _ in range(200):
        if (await client.get("/trading/cycles")).json()["cycles"][0]["status"] != "running":
            return
        await asyncio.sleep(0.01)
    pytest.fail("the cycle did not end")


async def test_a_venue_that_is_away_ends_the_cycle_with_502_and_its_id(
    clients: Clients, portfolio_id: int, market_data: SmallMarketData
) -> None:
    market_data.away = True
    answer = await clients["controller"].get("/trading/run-full-cycle")
    body = answer.json()
    assert (answer.status_code, body["code"]) == (502, "venue_unavailable")
    shown = (await clients["controller"].get(f"/trading/cycles/{body['cycle_id']}")).json()
    assert (shown["status"], shown["steps"], shown["error"]) == ("failed", [], body["detail"])
    market_data.away = False
    assert (await clients["controller"].get("/trading/run-full-cycle")).status_code == 200


async def test_a_database_that_is_away_is_503_with_the_cure(clients: Clients, context: TradingContext) -> None:
    await context.store.close()
    for service, path in (("controller", "/trading/run-full-cycle"), ("events", "/events"), ("strategy", "/health")):
        answer = await clients[service].get(path)
        assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
        assert answer.json()["detail"].startswith("Error connecting to database")
        assert answer.headers["Retry-After"]
        assert "cycle_id" not in answer.json()


class BrokenStages(LocalCycleSteps):
    """Stages that fail in a way nobody foresaw, or with books that do not agree."""

    def __init__(self, context: TradingContext, error: Exception) -> None:
        super().__init__(context)
        self._error = error

    async def collect(self, cycle_id: str):  # type: ignore[no-untyped-def]  # never returns
        raise self._error


async def test_the_unforeseen_is_500_with_an_id_and_nothing_else(
    context: TradingContext, portfolio_id: int, logged: list[MutableMapping[str, Any]]
) -> None:
    async with client_of(context, BrokenStages(context, RuntimeError("password=hunter2"))) as client:
        answer = await client.get("/trading/run-full-cycle")
        assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
        assert answer.json()["error_id"] in answer.json()["detail"]
        assert "hunter2" not in answer.text
        (line,) = [line for line in logged if line["event"] == "request failed"]
        assert (line["error_id"], line["exc_info"]) == (answer.json()["error_id"], True)
        assert answer.headers["Content-Security-Policy"]
        shown = (await client.get("/trading/cycles")).json()["cycles"][0]
        assert (shown["status"], shown["error"]) == ("failed", "RuntimeError: see the log")


async def test_broken_books_are_500_and_say_so(context: TradingContext, portfolio_id: int) -> None:
    async with client_of(context, BrokenStages(context, InvariantBroken("cash is not the ledger's"))) as client:
        answer = await client.get("/trading/run-full-cycle")
        assert (answer.status_code, answer.json()["code"]) == (500, "invariant_broken")
        assert answer.json()["cycle_id"]


async def test_status_says_who_is_online(context: TradingContext) -> None:
    async def one_away() -> dict[str, ComponentHealth]:
        state = {name: ComponentHealth(True, f"http://{name}") for name in ("events", "markets", "strategy")}
        return {**state, "paper_trading": ComponentHealth(False, "http://paper", "does not answer")}

    app = create_app("controller", context, LocalCycleSteps(context), AccessPolicy(), health_of=one_away)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost:8004") as client:
        body = (await client.get("/trading/status")).json()
    assert body["system_health"] == "degraded"
    assert body["health_summary"] == {"online_components": 3, "total_components": 4, "health_percentage": 75.0}
    assert body["components"]["events"] == {"status": "online", "url": "http://events", "detail": ""}
    assert body["components"]["paper_trading"] == {
        "status": "offline",
        "url": "http://paper",
        "detail": "does not answer",
    }


async def test_status_of_a_healthy_system(clients: Clients) -> None:
    body = (await clients["controller"].get("/trading/status")).json()
    assert body["system_health"] == "healthy"
    assert body["health_summary"] == {"online_components": 4, "total_components": 4, "health_percentage": 100.0}


async def test_performance_summary(clients: Clients, portfolio_id: int) -> None:
    await clients["paper-trading"].post("/portfolios/create", json={**PORTFOLIO, "name": "Idle"})
    await clients["controller"].get(f"/trading/run-portfolio-cycle?portfolio_id={portfolio_id}")
    body = (await clients["controller"].get("/trading/performance-summary")).json()
    assert (body["count"], body["total_trades"], body["wins"], body["losses"]) == (2, 2, 0, 0)
    first, second = body["portfolios"]
    assert (first["total_trades"], second["total_trades"]) == (2, 0)
    assert first["initial_balance"] == 10000.0
    assert first["total_value"] == pytest.approx(10000 + first["total_profit_loss"])
    assert first["return_pct"] == pytest.approx(first["total_profit_loss"] / 100, abs=1e-4)
    day = first["daily_snapshots"][0]
    assert (day["snapshot_date"], day["total_value"], day["trades"]) == ("2026-05-17", first["total_value"], 2)
    assert [point["total_value"] for point in first["value_over_time"]] == [first["total_value"]]
    assert (second["daily_snapshots"], second["win_rate_pct"]) == ([], None)
    alone = (await clients["controller"].get(f"/trading/performance-summary?portfolio_id={portfolio_id}")).json()
    assert [item["name"] for item in alone["portfolios"]] == ["Main"]
    assert (await clients["controller"].get("/trading/performance-summary?portfolio_id=9")).status_code == 404


async def test_explain_names_number_and_setting(clients: Clients, portfolio_id: int) -> None:
    controller = clients["controller"]
    assert (await controller.get("/trading/explain")).status_code == 422
    assert (await controller.get(f"/trading/explain?portfolio_id={portfolio_id}")).status_code == 404
    cycle_id = (await controller.get("/trading/run-full-cycle")).json()["cycle_id"]
    for name in ("2", "0xc2", "will-2-happen"):
        body = (await controller.get("/trading/explain", params={"market": name})).json()
        assert body["message"].startswith("Stopped at step screen")
        assert body["reasons"] == {"conviction_high": 1}
        decision = body["decisions"][0]
        assert (decision["number"], decision["setting"]) == ("0.97", "max_market_conviction")
        assert decision["cycle_id"] == cycle_id
    dropped_with_its_event = (await controller.get("/trading/explain?market=5")).json()
    assert dropped_with_its_event["reasons"] == {"event_volume_low": 1}
    whole = (await controller.get(f"/trading/explain?cycle_id={cycle_id}&limit=1")).json()
    assert whole["cycle"]["cycle_id"] == cycle_id
    # All of the cycle's reasons are counted, however few decisions are listed.
    steps = [step for step in whole["cycle"]["steps"] if step["step"] <= 5]
    dropped = sum(sum(step["dropped"].values()) for step in steps)
    assert (len(whole["decisions"]), sum(whole["reasons"].values())) == (1, dropped + steps[4]["out"])
    assert dropped >= 4
    assert (await controller.get("/trading/explain?market=nothing")).status_code == 404
    assert (await controller.get("/trading/explain?cycle_id=cycle-none")).status_code == 404


async def test_unknown_cycle_and_unknown_path(clients: Clients) -> None:
    assert (await clients["controller"].get("/trading/cycles/cycle-none")).json()["code"] == "not_found"
    missing = await clients["controller"].get("/trading/nothing")
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")
    wrong = await clients["controller"].put("/trading/cycles")
    assert (wrong.status_code, wrong.json()["code"], wrong.headers["Allow"]) == (405, "method_not_allowed", "GET")
    both = await clients["controller"].delete("/trading/run-full-cycle")
    assert (both.status_code, both.headers["Allow"]) == (405, "GET, POST")
    own = await clients["events"].put("/events/export")
    assert own.headers["Allow"] == "POST"
    four = await clients["paper-trading"].put("/portfolios/1")
    assert four.headers["Allow"] == "DELETE, GET, PATCH"


async def test_a_dead_process_does_not_block_its_portfolios(
    context: TradingContext, clients: Clients, portfolio_id: int
) -> None:
    dead = context.store.another_process()  # type: ignore[attr-defined]  # the memory store's own way to be two processes
    await dead.claim_cycle(CycleRequest("cycle-dead", (portfolio_id,)), NOW)
    assert (await clients["controller"].get("/trading/run-full-cycle")).status_code == 409
    await dead.close()
    assert (await clients["controller"].get("/trading/run-full-cycle")).status_code == 200
    assert (await clients["controller"].get("/trading/cycles/cycle-dead")).json()["status"] == "interrupted"
