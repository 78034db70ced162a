"""The whole system as a user runs it: a bad day at the venue, the database killed in a cycle, the services killed in one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest

from prescient.settings import PORT_PRACTICE
from prescient.supervisor.home import ProcessMark
from tests.prescient.cli.test_system import FAST, remove_database, state_of, wait_for, wait_until_ready
from tests.running import Installation

pytestmark = pytest.mark.slow

# All that can be traded, bought again and again: a busy cycle each time.
WIDE = "?max_market_conviction=0.95&min_liquidity=0&min_volume=0&event_min_liquidity=0&event_min_volume=0"
CYCLE = f"POST 8004 /trading/run-full-cycle{WIDE}"
CONFIG = {"add_to_positions": True, "trade_size_usd": 5, "max_trades_per_cycle": 40}


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    installation = Installation(tmp_path_factory.mktemp("a home with spaces") / "of faults")
    installation.extra = dict(FAST)
    try:
        installation.start("up")
        wait_until_ready(installation)
        status, _ = installation.call("PATCH 8003 /portfolios/1", {"strategy_config": CONFIG})
        assert status == 200
        yield installation
    finally:
        try:
            installation.stop()
        finally:
            installation.run("down")
            remove_database(installation)


def venue_fails(system: Installation, path: str, kind: str, count: int) -> None:
    status, _ = system.call(f"POST {PORT_PRACTICE} /practice/faults", {"path": path, "kind": kind, "count": count})
    assert status == 201


def whole(system: Installation) -> None:
    """What a user can see agrees with itself, and nothing is left under way."""
    _, state = system.call("GET 8003 /paper-trading/portfolio?portfolio_id=1")
    assert state["available_balance"] == state["current_balance"]
    total = state["current_balance"] + state["total_invested"] + state["unrealized_pnl"]
    assert state["total_value"] == pytest.approx(total, abs=1e-6)
    _, cycles = system.call("GET 8004 /trading/cycles?limit=100")
    assert [cycle["cycle_id"] for cycle in cycles["cycles"] if cycle["status"] == "running"] == []
    status, taken = system.call("POST 8003 /paper-trading/snapshot", {"portfolio_id": 1})
    assert status == 200, taken


def trades_of(system: Installation) -> int:
    _, trades = system.call("GET 8003 /paper-trading/trades-history?portfolio_id=1&limit=1000")
    return int(trades["count"])


def in_the_background(system: Installation, what: str) -> tuple[threading.Thread, list[tuple[int, Any]]]:
    answers: list[tuple[int, Any]] = []

    def call() -> None:
        try:
            answers.append(system.call(what, timeout_s=120))
        except OSError as error:
            answers.append((0, str(error)))

    thread = threading.Thread(target=call)
    thread.start()
    return thread, answers


def kill(mark: ProcessMark | None) -> None:
    assert mark is not None
    psutil.Process(mark.pid).kill()


@pytest.mark.parametrize("kind", ["429", "500", "half"])
def test_a_venue_that_stumbles_costs_time_alone(system: Installation, kind: str) -> None:
    venue_fails(system, "/gamma/events*", kind, 2)
    venue_fails(system, "/clob/books*", kind, 1)
    status, answer = system.call(CYCLE, timeout_s=120)
    assert (status, answer.get("status")) == (200, "completed"), answer
    whole(system)


@pytest.mark.parametrize(("path", "kind"), [("/gamma/events*", "500"), ("/clob/books*", "html")])
def test_a_venue_that_stays_away_is_502_and_the_next_cycle_works(system: Installation, path: str, kind: str) -> None:
    venue_fails(system, path, kind, 1_000)
    status, answer = system.call(CYCLE, timeout_s=120)
    assert (status, answer["code"]) == (502, "venue_unavailable"), answer
    _, cycle = system.call(f"GET 8004 /trading/cycles/{answer['cycle_id']}")
    assert cycle["status"] == "failed" and path.rstrip("*").rpartition("/")[2] in cycle["error"]
    system.call(f"DELETE {PORT_PRACTICE} /practice/faults")
    status, answer = system.call(CYCLE, timeout_s=120)
    assert (status, answer.get("status")) == (200, "completed"), answer
    whole(system)


def dies_in_a_cycle(system: Installation, strike: Callable[[], None]) -> tuple[int, Any]:
    """Strike once the cycle has begun to trade; returns what its caller was told."""
    before = trades_of(system)
    thread, answers = in_the_background(system, CYCLE)
    deadline_s = time.monotonic() + 60
    while trades_of(system) == before and thread.is_alive() and time.monotonic() < deadline_s:
        time.sleep(0.01)
    strike()
    thread.join()
    return answers[0]


def test_the_database_killed_in_a_cycle_comes_back_and_trading_goes_on(system: Installation) -> None:
    database = state_of(system).database
    status, answer = dies_in_a_cycle(system, lambda: kill(database))
    if status != 200:
        assert (status, answer["code"]) == (503, "database_unavailable"), answer
        assert "Error connecting to database" in answer["detail"]
    wait_for(lambda: state_of(system).database not in (None, database))
    wait_for(lambda: system.call("GET 8003 /portfolios/list")[0] == 200)
    status, answer = system.call(CYCLE, timeout_s=120)
    assert (status, answer.get("status")) == (200, "completed"), answer
    whole(system)


def test_the_services_killed_in_a_cycle_come_back_and_trading_goes_on(system: Installation) -> None:
    api = state_of(system).children["api"]
    status, _ = dies_in_a_cycle(system, lambda: kill(api.process))
    assert status in (0, 200)
    wait_for(lambda: state_of(system).children["api"].restarts > api.restarts)
    wait_until_ready(system)
    # Closed and resolved at the start, before anybody asks.
    whole(system)
    status, answer = system.call(CYCLE, timeout_s=120)
    assert (status, answer.get("status")) == (200, "completed"), answer
    whole(system)
