"""The Strategy and Paper trading services, step by step without a controller, and portfolios as people manage them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from polymarket_kit.model import Payout
from polymarket_kit.values import MICRO
from prescient.domain.market import MarketState, Resolution
from prescient.ports.context import TradingContext
from tests.prescient.api.conftest import PORTFOLIO, Clients
from tests.prescient.api.world import NOW, SmallMarketData


async def screen(clients: Clients) -> str:
    await clients["events"].post("/events/export")
    answer = await clients["markets"].post("/markets/export-filtered-markets-db")
    cycle_id: str = answer.json()["cycle_id"]
    return cycle_id


async def trade(clients: Clients, portfolio_id: int) -> str:
    cycle_id = await screen(clients)
    await clients["strategy"].post("/strategy/generate-signals", json={"portfolio_id": portfolio_id})
    await clients["paper-trading"].post("/paper-trading/execute-signals", json={"portfolio_id": portfolio_id})
    return cycle_id


async def test_signals_come_from_the_latest_screen_and_are_marked_once_executed(
    clients: Clients, portfolio_id: int
) -> None:
    form = {"portfolio_id": portfolio_id}
    assert (await clients["strategy"].post("/strategy/generate-signals", json=form)).status_code == 404
    cycle_id = await screen(clients)
    body = (await clients["strategy"].post("/strategy/generate-signals", json=form)).json()
    assert (body["cycle_id"], body["signals_generated"]) == (cycle_id, 2)
    signal = body["signals"][0]
    assert (signal["market_id"], signal["outcome"], signal["action"], signal["price"]) == ("1", "Yes", "BUY", 0.55)
    assert (signal["executed"], signal["strategy"]) == (False, "majority")
    one = {**form, "signal_ids": [signal["signal_id"]]}
    executed = (await clients["paper-trading"].post("/paper-trading/execute-signals", json=one)).json()
    assert (executed["trades_executed"], executed["report"]["in"]) == (1, 1)
    listed = (await clients["strategy"].get("/strategy/signals", params={"cycle_id": cycle_id})).json()
    assert sorted((item["market_id"], item["executed"]) for item in listed["signals"]) == [("1", True), ("4", False)]
    pending = (await clients["strategy"].get("/strategy/signals?pending_only=true")).json()
    assert [item["market_id"] for item in pending["signals"]] == ["4"]


async def test_a_band_without_signals_says_so(clients: Clients, portfolio_id: int) -> None:
    await screen(clients)
    form = {"portfolio_id": portfolio_id, "min_market_conviction": 0.9, "max_market_conviction": 1}
    body = (await clients["strategy"].post("/strategy/generate-signals", json=form)).json()
    assert (body["signals_generated"], body["dropped"]) == (0, {"fresh_price_low": 2})
    assert body["message"] == "No trading signals found: 0 signals from 2 markets"


@pytest.mark.parametrize("path", ["/strategy/generate-signals", "/paper-trading/execute-signals"])
async def test_a_step_for_an_unknown_portfolio_or_cycle_is_404(clients: Clients, portfolio_id: int, path: str) -> None:
    client = clients["strategy" if path.startswith("/strategy") else "paper-trading"]
    unknown = await client.post(path, json={"portfolio_id": 99, "cycle_id": "cycle-1"})
    assert unknown.json()["code"] == "portfolio_not_found"
    missing = await client.post(path, json={"portfolio_id": portfolio_id, "cycle_id": "cycle-none"})
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")


async def test_a_trade_is_shown_in_dollars_to_the_micro(
    clients: Clients, portfolio_id: int, context: TradingContext
) -> None:
    cycle_id = await trade(clients, portfolio_id)
    body = (await clients["paper-trading"].get(f"/paper-trading/trades-history?portfolio_id={portfolio_id}")).json()
    first = next(item for item in body["trades"] if item["outcome"] == "Yes")
    # 60 shares at 0.55 are $33; the other $67 buy 119.642857 shares at 0.56; fees are 0.05 x p(1-p) a share: 0.7425 + 1.474.
    assert [(fill["price"], fill["size"], fill["cost"]) for fill in first["fills"]] == [
        (0.55, 60.0, 33.0),
        (0.56, 119.642857, 67.0),
    ]
    assert (first["amount"], first["size"], first["fee"]) == (100.0, 179.642857, 2.2165)
    assert (first["entry_price"], first["action"], first["status"]) == (0.55666, "BUY", "filled")
    assert (first["cycle_id"], first["market_question"]) == (cycle_id, "Will 1 happen?")
    assert first["model"]["taker_delay_ms"] == "0"
    limited = (await clients["paper-trading"].get("/paper-trading/trades-history?limit=1")).json()
    assert limited["count"] == 1
    again = await clients["paper-trading"].post("/paper-trading/execute-signals", json={"portfolio_id": portfolio_id})
    assert again.json()["trades_executed"] == 0
    assert len(await context.store.trades(portfolio_id, 10)) == 2


async def test_the_portfolio_shows_positions_and_balances_that_add_up(clients: Clients, portfolio_id: int) -> None:
    await trade(clients, portfolio_id)
    updated = (await clients["paper-trading"].get("/price-updater/update")).json()
    assert (updated["positions_marked"], updated["message"]) == (2, "Prices of 2 positions updated")
    body = (await clients["paper-trading"].get("/paper-trading/portfolio")).json()
    assert (body["portfolio_id"], body["open_positions"]) == (portfolio_id, 2)
    assert body["total_value"] == pytest.approx(10000 + body["total_profit_loss"], abs=1e-9)
    assert body["total_value"] == pytest.approx(
        body["current_balance"] + sum(item["current_value"] for item in body["positions"]), abs=1e-6
    )
    assert body["total_invested"] == pytest.approx(10000 - body["current_balance"], abs=1e-6)
    assert body["total_profit_loss"] == body["unrealized_pnl"] < 0
    position = next(item for item in body["positions"] if item["outcome"] == "Yes")
    # Selling 179.642857 shares: 60 at 0.54, the rest at 0.53.
    assert (position["current_price"], position["price_source"]) == (0.533339, "bids")
    assert position["entry_price"] == pytest.approx(102.2165 / 179.642857, abs=1e-6)
    assert (await clients["paper-trading"].get(f"/portfolios/{portfolio_id}")).json() == body
    snapshots = (await clients["markets"].get("/markets/1/snapshots?limit=2")).json()["snapshots"]
    assert {item["source"] for item in snapshots} == {"mark"}


async def test_a_resolved_market_is_settled_by_a_price_update(
    clients: Clients, portfolio_id: int, market_data: SmallMarketData
) -> None:
    await trade(clients, portfolio_id)
    payout = Payout("0xc1", ("1-yes", "1-no"), (MICRO, 0))
    market_data.states["0xc1"] = MarketState("0xc1", Resolution.RESOLVED, closed=True, payout=payout)
    updated = (await clients["paper-trading"].post("/price-updater/update")).json()
    assert (updated["positions_settled"], updated["positions_marked"]) == (1, 1)
    closed = (await clients["paper-trading"].get("/paper-trading/closed-positions")).json()["positions"]
    assert [(one["status"], one["size"], one["closed_at"] is not None) for one in closed] == [("closed", 0.0, True)]
    body = (await clients["paper-trading"].get("/paper-trading/portfolio")).json()
    assert body["realized_pnl"] == pytest.approx(179.642857 - 102.2165, abs=1e-6)
    summary = (await clients["controller"].get("/trading/performance-summary")).json()
    assert (summary["wins"], summary["losses"], summary["portfolios"][0]["win_rate_pct"]) == (1, 0, 100.0)


async def test_mark_and_snapshot_are_steps_of_one_portfolio(clients: Clients, portfolio_id: int) -> None:
    await trade(clients, portfolio_id)
    paper = clients["paper-trading"]
    marked = (await paper.post("/paper-trading/mark", json={"portfolio_id": portfolio_id})).json()["report"]
    assert (marked["step"], marked["in"], marked["out"], marked["amounts"]) == (6, 2, 2, {"settled": 0.0})
    taken = (await paper.post("/paper-trading/snapshot", json={"portfolio_id": portfolio_id})).json()
    assert taken["snapshot"]["snapshot_date"] == "2026-05-17"
    assert taken["snapshot"]["total_value"] == taken["report"]["amounts"]["total_value_usd"]
    for path in ("/paper-trading/mark", "/paper-trading/snapshot"):
        assert (await paper.post(path, json={"portfolio_id": 99})).status_code == 404


async def test_status_tells_whether_the_updater_truly_runs(
    clients: Clients, portfolio_id: int, context: TradingContext
) -> None:
    async def status() -> dict[str, Any]:
        found: dict[str, Any] = (await clients["paper-trading"].get("/paper-trading/status")).json()
        return found

    assert (await status())["price_updater_running"] is False
    await context.store.beat(
        "price_updater", NOW - timedelta(seconds=899), {"last_run": NOW.isoformat(), "positions": 3}
    )
    running = await status()
    assert (running["price_updater_running"], running["price_update_interval"]) == (True, 300)
    assert (running["price_updater"]["positions_marked"], running["active_portfolios"]) == (3, 1)
    assert running["price_updater"]["last_run"] == "2026-05-17T12:00:00Z"
    await context.store.beat("price_updater", NOW - timedelta(seconds=900), {"error": "The venue does not answer."})
    dead = await status()
    assert (dead["price_updater_running"], dead["price_updater"]["error"]) == (False, "The venue does not answer.")


async def test_the_lowest_active_portfolio_is_shown_without_an_id(clients: Clients, portfolio_id: int) -> None:
    paper = clients["paper-trading"]
    second = (await paper.post("/portfolios/create", json={**PORTFOLIO, "name": "Second"})).json()["portfolio_id"]
    await paper.patch(f"/portfolios/{portfolio_id}", json={"status": "paused"})
    assert (await paper.get("/paper-trading/portfolio")).json()["portfolio_id"] == second
    await paper.delete(f"/portfolios/{second}")
    none_left = await paper.get("/paper-trading/portfolio")
    assert (none_left.status_code, none_left.json()["code"]) == (409, "no_active_portfolios")
    assert (await paper.get("/paper-trading/portfolio?portfolio_id=99")).status_code == 404
    assert (await paper.get("/paper-trading/trades-history?portfolio_id=99")).status_code == 404


async def test_a_portfolio_is_created_as_the_runbook_does_it(clients: Clients) -> None:
    form = {
        "name": "Default Portfolio",
        "description": "Primary trading portfolio",
        "strategy_type": "momentum",
        "initial_balance": 10000.00,
        "current_balance": 10000.00,
        "strategy_config": {"min_confidence": 0.75, "market_types": ["politics", "crypto"]},
    }
    body = (await clients["paper-trading"].post("/portfolios/create", json=form)).json()
    assert body["portfolio_id"] == 1
    assert {name: body[name] for name in form} == form
    assert (body["status"], body["available_balance"], body["total_value"]) == ("active", 10000.0, 10000.0)
    taken = await clients["paper-trading"].post("/portfolios/create", json=form)
    assert (taken.status_code, taken.json()["code"]) == (409, "conflict")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"current_balance": 9999}, "current_balance"),
        ({"initial_balance": 0.5}, "initial_balance"),
        ({"initial_balance": 1_000_000_001}, "initial_balance"),
        ({"strategy_type": "astrology"}, "strategy_type"),
        ({"strategy_config": {"min_confidence": 1.5}}, "strategy_config.min_confidence"),
        ({"strategy_config": {"trade_size_usd": "much"}}, "strategy_config.trade_size_usd"),
        ({"strategy_config": {"lucky_number": 7}}, "strategy_config"),
        ({"name": "   "}, "name"),
        ({"schedule": "0 0 31 2 *"}, "schedule"),
        ({"schedule": "now and then"}, "schedule"),
    ],
)
async def test_a_portfolio_that_cannot_be_is_refused_by_field(
    clients: Clients, context: TradingContext, change: dict[str, Any], field: str
) -> None:
    answer = await clients["paper-trading"].post("/portfolios/create", json={**PORTFOLIO, **change})
    assert (answer.status_code, answer.json()["field"]) == (422, field), answer.text
    assert await context.store.portfolios() == []


async def test_money_is_read_to_the_micro_dollar(clients: Clients) -> None:
    paper = clients["paper-trading"]
    for number, (text, expected) in enumerate(
        [
            ("1234.567891", 1234.567891),
            ("1234.5678919999", 1234.567891),
            ("1e3", 1000.0),
            ('"2500.10"', 2500.1),
            ("999999999.999999", 999999999.999999),
        ]
    ):
        content = f'{{"name": "Exact {number}", "initial_balance": {text}}}'
        answer = await paper.post("/portfolios/create", content=content, headers={"Content-Type": "application/json"})
        assert answer.json()["initial_balance"] == expected


async def test_portfolios_are_changed_paused_and_archived_but_never_deleted(
    clients: Clients, portfolio_id: int
) -> None:
    paper, path = clients["paper-trading"], f"/portfolios/{portfolio_id}"
    form = {"name": "Renamed", "description": "", "schedule": "every 1h", "strategy_config": {"trade_size_usd": 50}}
    changed = (await paper.patch(path, json=form)).json()
    assert {name: changed[name] for name in form} == form
    # Nothing else moved, and what was not named kept its value.
    assert (changed["strategy_type"], changed["status"], changed["current_balance"]) == ("majority", "active", 10000.0)
    assert (await paper.patch(path, json={"status": "paused"})).json()["status"] == "paused"
    assert (await paper.patch(path, json={})).json()["field"] == "body"
    assert (await paper.patch(path, json={"current_balance": 5})).json()["field"] == "current_balance"
    assert (await paper.delete(path)).json()["status"] == "archived"
    assert (await paper.patch(path, json={"status": "active"})).json()["code"] == "portfolio_not_active"
    listed = (await paper.get("/portfolios/list")).json()
    assert (listed["count"], listed["active"], listed["portfolios"][0]["status"]) == (1, 0, "archived")
    assert (await paper.get("/portfolios/list?status=active")).json()["portfolios"] == []


async def test_strategies_are_described_with_types_defaults_and_bounds(clients: Clients) -> None:
    body = (await clients["strategy"].get("/strategy/strategies")).json()
    assert [item["name"] for item in body["strategies"]] == ["complete_set", "majority", "momentum"]
    for strategy in body["strategies"]:
        common = {item["name"]: item for item in strategy["parameters"] if item["common"]}
        assert {"trade_size_usd", "min_confidence", "market_types"} <= common.keys()
        size = common["trade_size_usd"]
        assert (size["type"], size["default"], size["minimum"], size["unit"]) == ("number", 100, 1, "USD")
        assert common["add_to_positions"]["default"] is False
        assert common["market_types"]["default"] == []
        assert strategy["description"]
    assert body["strategies"][2]["history_hours"] == 24
    assert any(not item["common"] for item in body["strategies"][2]["parameters"])
