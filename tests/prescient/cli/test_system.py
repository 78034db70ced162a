"""One real system from `prescient up` to its end, and every command on it. The tests follow each other in this order."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from prescient.supervisor.home import Home, RunState
from tests.conftest import REPOSITORY
from tests.running import Installation

pytestmark = pytest.mark.slow

# A minute of the world in a second of ours: the venue's delays pass quickly.
FAST = {"PRESCIENT_SPEED": "60", "PRESCIENT_FROZEN": "0"}
STOP_S = 10


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    installation = Installation(tmp_path_factory.mktemp("a home with spaces") / "of mine")
    installation.extra = dict(FAST)
    try:
        installation.start("up")
        wait_until_ready(installation)
        yield installation
    finally:
        try:
            installation.stop()
        finally:
            installation.run("down")
            remove_database(installation)


def remove_database(installation: Installation) -> None:
    """As root the database may lie outside of the test's folder, where its service account can enter."""
    record = installation.home / "postgres" / "location.json"
    if record.exists():
        shutil.rmtree(json.loads(record.read_text())["cluster"])


def state_of(installation: Installation) -> RunState:
    state = Home(installation.home).read_state()
    assert state is not None
    return state


def wait_until_ready(installation: Installation) -> None:
    installation.wait_ready()
    wait_for(lambda: state_of(installation).phase == "ready")


def wait_for(condition: Any, timeout_s: float = 30.0) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, "did not happen in time"
        time.sleep(0.05)


def everything(installation: Installation) -> list[psutil.Process]:
    """Supervisor, children and database, as the state file names them."""
    state = state_of(installation)
    marks = [state.supervisor, state.database, *(child.process for child in state.children.values())]
    found = [mark.process() for mark in marks if mark is not None]
    return [process for process in found if process is not None]


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those that still run; one that has ended and waits to be taken note of does not."""
    return [process for process in processes if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]


def asked(installation: Installation, *arguments: str) -> Any:
    done = installation.run(*arguments, "--json", timeout_s=120)
    assert done.returncode == 0, done.stderr + done.stdout
    return json.loads(done.stdout)


def test_up_says_what_runs_where_and_what_to_do_next(system: Installation) -> None:
    said = (system.home / "test-up.log").read_text()
    assert "Prescient is ready after" in said
    for port in (8000, 8001, 8002, 8003, 8004):
        assert f"http://localhost:{system.port(port)}/docs" in said
    assert "cycle run" in said and str(system.home / "logs") in said


def test_status_and_doctor_find_it_well(system: Installation) -> None:
    status = asked(system, "status")
    assert status["running"] and status["system_health"] == "healthy" and status["supervised"]
    assert {item["name"] for item in status["processes"]} == {"supervisor", "practice", "api", "worker", "database"}
    assert all(item["memory_mb"] > 0 for item in status["processes"])
    findings = asked(system, "doctor")
    assert {item["level"] for item in findings} == {"ok"}, findings
    wanted = {"home", "disk space", "supervisor", "database", "schema", "books", "venue", "price updater"}
    assert wanted <= {item["check"] for item in findings}
    assert "Main controller" not in system.run("status").stderr


def test_a_second_up_on_the_home_says_so_and_leaves(system: Installation) -> None:
    done = system.run("up")
    assert done.returncode == 4
    assert f"process {state_of(system).supervisor.pid}" in done.stdout
    assert f"http://localhost:{system.port(8004)}" in done.stdout


def test_a_cycle_runs_shows_its_funnel_and_runs_once_per_key(system: Installation) -> None:
    done = system.run("cycle", "run", "--max-market-conviction", "0.7", timeout_s=120)
    assert done.returncode == 0, done.stderr
    for text in ("Export Events", "Filter Markets", "Create Snapshot", "(max_market_conviction)", "trades executed"):
        assert text in done.stdout
    one = asked(system, "cycle", "run", "--key", "once", "--portfolio", "1", "--min-volume", "1000000")
    again = asked(system, "cycle", "run", "--key", "once", "--portfolio", "1", "--min-volume", "1000000")
    assert one["cycle_id"] == again["cycle_id"]
    assert one["parameters"]["min_volume"] == 1_000_000
    assert system.run("cycle", "run", "--key", "once", "--portfolio", "1").returncode == 2
    listed = asked(system, "cycle", "list")["cycles"]
    assert len(listed) == 2
    assert asked(system, "cycle", "show", one["cycle_id"])["steps"] == one["steps"]
    assert system.run("cycle", "show", "cycle-none").returncode == 5
    assert "completed" in system.run("cycle", "list").stdout


def test_what_happened_can_be_read(system: Installation) -> None:
    trades = asked(system, "trades")["trades"]
    assert trades and trades[0]["portfolio_id"] == 1
    positions = asked(system, "positions", "--portfolio", "1")
    assert positions["positions"]
    assert asked(system, "performance")["portfolios"][0]["total_trades"] == len(
        asked(system, "trades", "--limit", "1000")["trades"]
    )
    assert asked(system, "explain", "--portfolio", "1")["decisions"]
    for command in ("trades", "positions", "performance", "explain"):
        shown = system.run(command)
        assert shown.returncode == 0, shown.stderr
    assert trades[0]["market_question"] in system.run("trades").stdout
    assert "traded for $" in system.run("explain", "--cycle", trades[0]["cycle_id"], "--limit", "500").stdout


def test_portfolios_are_created_changed_paused_and_archived(system: Installation) -> None:
    made = asked(
        system,
        "portfolio",
        "create",
        "Second",
        "--balance",
        "2500.5",
        "--schedule",
        "every 7d",
        "-c",
        "trade_size_usd=50",
    )
    number = str(made["portfolio_id"])
    assert made["initial_balance"] == 2500.5 and made["schedule"] == "every 7d"
    changed = asked(system, "portfolio", "update", number, "--schedule", "0 9 * * 1-5", "-c", "min_confidence=0.5")
    assert changed["strategy_config"] == {"trade_size_usd": 50, "min_confidence": 0.5}
    assert changed["schedule"] == "0 9 * * 1-5"
    assert system.run("portfolio", "update", number, "--schedule", "61 * * * *").returncode == 2
    assert system.run("portfolio", "update", number, "-c", "no_such_key=1").returncode == 2
    assert system.run("portfolio", "create", "Second").returncode == 4
    assert asked(system, "portfolio", "pause", number)["status"] == "paused"
    assert system.run("cycle", "run", "--portfolio", number).returncode == 4
    assert asked(system, "portfolio", "resume", number)["status"] == "active"
    assert asked(system, "portfolio", "archive", number, "--yes")["status"] == "archived"
    assert system.run("portfolio", "resume", number).returncode == 4
    assert system.run("portfolio", "show", "999").returncode == 5
    assert "Second" in system.run("portfolio", "list").stdout


def test_a_schedule_runs_cycles_once_per_slot(system: Installation) -> None:
    made = asked(system, "portfolio", "create", "Scheduled", "--schedule", "every 1m", "-c", "max_trades_per_cycle=1")
    prefix = f"schedule:{made['portfolio_id']}:"

    def keys() -> list[str]:
        cycles = system.call("GET 8004 /trading/cycles?limit=100")[1]["cycles"]
        return [item["idempotency_key"] for item in cycles if item["idempotency_key"].startswith(prefix)]

    # A slot is a minute of the world: a second of ours.
    wait_for(lambda: len(keys()) >= 2)
    assert len(keys()) == len(set(keys()))
    assert asked(system, "portfolio", "archive", str(made["portfolio_id"]), "--yes")["schedule"] == "every 1m"


def test_psql_takes_sql_and_no_password_shows(system: Installation) -> None:
    done = system.run("psql", "-At", "-c", "SELECT count(*) FROM portfolios")
    assert done.stdout.strip() == "3"
    lines = [" ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])]
    password = json.loads(next(system.home.glob("postgres/credentials*.json")).read_text())["application_password"]
    assert not any(password in line for line in lines)
    assert password not in (system.home / "supervisor.json").read_text()


def test_what_is_killed_comes_back(system: Installation) -> None:
    victim = state_of(system).children["api"].process
    assert victim is not None
    psutil.Process(victim.pid).kill()
    wait_for(lambda: state_of(system).children["api"].restarts == 1)
    wait_until_ready(system)
    assert asked(system, "status")["system_health"] == "healthy"
    database = state_of(system).database
    assert database is not None
    psutil.Process(database.pid).kill()
    wait_for(lambda: state_of(system).database not in (None, database))
    wait_for(lambda: system.run("portfolio", "list").returncode == 0)


def test_backup_runs_beside_the_system_and_restore_does_not(system: Installation, tmp_path: Path) -> None:
    file = tmp_path / "a backup.dump"
    assert asked(system, "backup", str(file))["bytes"] == file.stat().st_size
    assert file.stat().st_mode & 0o777 == 0o600
    assert system.run("backup", str(file)).returncode == 2, "an existing file is not replaced"
    done = system.run("restore", str(file))
    assert done.returncode == 4 and "prescient down" in done.stderr


def test_down_leaves_nothing_behind_and_the_data_can_be_restored(system: Installation) -> None:
    before = asked(system, "portfolio", "list")
    kept = Path(asked(system, "backup")["file"])
    assert kept.parent == system.home / "backups"
    processes = everything(system)
    assert len(processes) == 5
    done = system.run("down")
    assert done.returncode == 0 and "Stopped Prescient" in done.stdout
    assert not alive(processes)
    assert system.processes[-1].wait(5) == 0
    # A database that was killed may leave numbers out, so only the order is sure.
    assert offline_portfolio(system) > 3
    assert system.run("restore", str(REPOSITORY / "pyproject.toml")).returncode == 2
    restored = asked(system, "restore", str(kept))
    assert restored["portfolios"] == 3 and restored["former_database"].startswith("prescient_os_before_")
    system.processes.clear()
    system.start("up")
    wait_until_ready(system)
    after = asked(system, "portfolio", "list")
    assert [item["name"] for item in after["portfolios"]] == [item["name"] for item in before["portfolios"]]
    assert [item["current_balance"] for item in after["portfolios"]] == [
        item["current_balance"] for item in before["portfolios"]
    ]


CREATE = """
from prescient import create_portfolio
print(create_portfolio({"name": "Made in Python", "strategy_type": "momentum", "initial_balance": 10000.00,
    "current_balance": 10000.00, "strategy_config": {"min_confidence": 0.75}}))
"""


def offline_portfolio(installation: Installation) -> int:
    """Create a portfolio from Python while nothing runs, in a process of its own as a person would."""
    command = [sys.executable, "-c", CREATE]
    done = subprocess.run(
        command,
        env=installation.environment,
        cwd=installation.home,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def test_a_killed_supervisor_leaves_no_child_and_the_next_start_takes_the_database_over(system: Installation) -> None:
    processes = everything(system)
    supervisor = state_of(system).supervisor
    database = state_of(system).database
    assert database is not None
    psutil.Process(supervisor.pid).kill()
    system.processes.pop().wait(5)
    children = [process for process in processes if process.pid not in (supervisor.pid, database.pid)]
    wait_for(lambda: not alive(children), 10)
    system.start("up")
    wait_until_ready(system)
    assert database.process() is None
    assert len(asked(system, "portfolio", "list")["portfolios"]) == 3


def test_sigterm_ends_everything_within_ten_seconds(system: Installation) -> None:
    processes = everything(system)
    started = system.processes.pop()
    started.send_signal(signal.SIGTERM)
    assert started.wait(STOP_S) == 0
    assert not alive(processes)
    said = (system.home / "test-up.log").read_text()
    assert "Stopping (SIGTERM)" in said and "was killed" not in said


def test_down_ends_the_database_that_a_killed_supervisor_left(system: Installation) -> None:
    system.start("up")
    wait_until_ready(system)
    processes = everything(system)
    psutil.Process(state_of(system).supervisor.pid).kill()
    system.processes.pop().wait(5)
    done = system.run("down")
    assert done.returncode == 0, done.stdout + done.stderr
    assert not alive(processes)


@pytest.mark.parametrize("whole_group", [False, True], ids=["make alone", "its whole group, as Ctrl-C does"])
def test_make_run_stops_on_a_signal(system: Installation, whole_group: bool) -> None:
    command = ["make", "-s", "-o", "setup", "run"]
    log = (system.home / "test-make.log").open("ab")
    with log:
        make = subprocess.Popen(
            command, cwd=REPOSITORY, env=system.environment, stdout=log, stderr=log, start_new_session=True
        )
    wait_for(lambda: Home(system.home).running() is not None or make.poll() is not None)
    wait_until_ready(system)
    processes = everything(system)
    if whole_group:
        os.killpg(make.pid, signal.SIGINT)
    else:
        make.terminate()
    make.wait(STOP_S)
    wait_for(lambda: not alive(processes), STOP_S)
