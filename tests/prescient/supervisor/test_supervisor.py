"""The supervisor's promises, proven with tiny processes: order, restarts, giving up, no orphans, one per home."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from prescient.supervisor.home import Home
from prescient.supervisor.plan import ChildPlan, Plan
from tests.conftest import free_port
from tests.prescient.supervisor.running import Running, children_of, tiny, wait_for

Start = Callable[..., Running]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "a home with spaces"


@pytest.fixture
def diary(tmp_path: Path) -> Path:
    return tmp_path / "diary"


@pytest.fixture
def start(home: Path) -> Iterator[Start]:
    started: list[Running] = []

    def begin(*children: ChildPlan, **parts: Any) -> Running:
        plan = Plan(home=str(home), source="a test", children=children, **parts)
        started.append(Running.of_plan(plan))
        return started[-1]

    yield begin
    for running in started:
        running.clean_up()


def test_starts_in_order_and_stops_in_the_opposite_order(start: Start, home: Path, diary: Path) -> None:
    first, second = tiny("first", diary), tiny("second", diary, after=("first",))
    running = start(first, second)
    running.wait_until_says("Prescient is ready")
    pids = [process.pid for process in children_of(home).values()]
    assert len(pids) == 2
    running.process.terminate()
    assert running.end() == 0
    ports = [child.health[0].port for child in (first, second)]
    assert diary.read_text().splitlines() == [
        f"{ports[0]} started",
        f"{ports[1]} started",
        f"{ports[1]} stopped",
        f"{ports[0]} stopped",
    ]
    assert not any(os.path.exists(f"/proc/{pid}") for pid in pids)
    assert Home(home).read_state() is None


def test_a_second_one_on_the_same_home_says_so_and_leaves(start: Start, diary: Path) -> None:
    running = start(tiny("only", diary), service_ports={"controller": free_port()})
    running.wait_until_says("Prescient is ready")
    second = start(tiny("only", diary))
    assert second.end() == 4
    assert f"process {running.process.pid}" in second.output
    assert "http://localhost:" in second.output
    assert running.process.poll() is None


def test_a_taken_port_is_named_with_its_holder_and_the_cure(start: Start, diary: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        running = start(tiny("only", diary), service_ports={"markets": port})
        assert running.end() == 4
    assert f"Port {port}, wanted for markets, is taken by process {os.getpid()} (" in running.output
    assert "PRESCIENT_PORT_SHIFT" in running.output
    assert not diary.exists()


def test_what_is_killed_is_started_again(start: Start, home: Path, diary: Path) -> None:
    running = start(tiny("fragile", diary))
    running.wait_until_says("Prescient is ready")
    victim = children_of(home)["fragile"]
    victim.kill()
    running.wait_until_says("The fragile process ended by signal 9; starting it again in 0.5 s.")
    wait_for(lambda: "fragile" in children_of(home) and children_of(home)["fragile"].pid != victim.pid)
    wait_for(lambda: diary.read_text().count("started") == 2)
    state = Home(home).read_state()
    assert state is not None and state.children["fragile"].restarts == 1


def test_what_dies_at_once_again_and_again_is_given_up(start: Start, diary: Path) -> None:
    running = start(tiny("doomed", diary, "dies"), tiny("late", diary, after=("doomed",)))
    assert running.end(40) == 1
    assert "ended 5 times, last with exit code 3, and is not started again" in running.output
    assert diary.read_text().count("started") >= 5


def test_what_dies_before_it_may_go_is_started_again_and_goes(start: Start, home: Path, diary: Path) -> None:
    slow, early = tiny("slow", diary, "late"), tiny("early", diary, after=("slow",))
    running = start(slow, early)
    wait_for(lambda: diary.exists() and "started" in diary.read_text())
    # Shortly before the first is ready: the go then falls into the second's pause.
    time.sleep(1.3)
    children_of(home)["early"].kill()
    running.wait_until_says("The early process ended by signal 9; starting it again in 0.5 s.")
    running.wait_until_says("Prescient is ready")
    assert "Traceback" not in running.output


def test_what_cannot_ever_run_is_not_tried_again(start: Start, home: Path, diary: Path) -> None:
    running = start(tiny("hopeless", diary, "hopeless"), tiny("late", diary, after=("hopeless",)))
    assert running.end() == 1
    assert "The hopeless process cannot run:\nthe database is from a later release" in running.output
    assert diary.read_text().count("started") == 1
    assert not Home(home).is_locked()


def test_a_stubborn_process_is_killed_and_told_about(start: Start, home: Path, diary: Path) -> None:
    running = start(tiny("mule", diary, "stubborn"))
    running.wait_until_says("Prescient is ready")
    mule = children_of(home)["mule"]
    running.process.send_signal(signal.SIGINT)
    assert running.end() == 1
    assert "The mule process did not stop in time and was killed." in running.output
    assert not mule.is_running()


def test_no_orphan_survives_a_killed_supervisor_and_the_next_start_works(start: Start, home: Path, diary: Path) -> None:
    good, mule = tiny("good", diary), tiny("mule", diary, "stubborn")
    running = start(good, mule)
    running.wait_until_says("Prescient is ready")
    children = children_of(home)
    assert set(children) == {"good", "mule"}
    running.process.kill()
    running.end()
    wait_for(lambda: not children["good"].is_running(), 3)
    # The mule does not listen; its own last grace ends it, or the next start does.
    again = start(good, mule)
    again.wait_until_says("Prescient is ready")
    assert not children["mule"].is_running()


def test_a_stop_file_stops_it_where_signals_cannot(start: Start, home: Path, diary: Path) -> None:
    running = start(tiny("only", diary))
    running.wait_until_says("Prescient is ready")
    Home(home).stop_file.touch()
    assert running.end() == 0
    assert "Stopping (prescient down)" in running.output
    assert not Home(home).stop_file.exists()


def test_logs_lie_in_the_home_for_its_owner_alone(start: Start, home: Path, diary: Path) -> None:
    running = start(tiny("only", diary))
    running.wait_until_says("Prescient is ready")
    log = home / "logs" / "only_stdout.log"
    wait_for(lambda: "GET /health" in log.read_text())
    assert log.stat().st_mode & 0o777 == 0o600


def test_a_home_that_cannot_be_written_is_said_in_one_line(start: Start, home: Path, diary: Path) -> None:
    home.parent.mkdir(exist_ok=True)
    home.write_text("a file, not a folder")
    running = start(tiny("only", diary))
    assert running.end() == 1
    assert running.output.startswith("Cannot write to ") and "PRESCIENT_HOME" in running.output


@pytest.mark.parametrize("with_address", [True, False])
def test_what_hangs_is_killed_and_started_again(start: Start, home: Path, diary: Path, with_address: bool) -> None:
    """A stopped process still takes connections, in the system's name: only an answer proves that it lives."""
    frozen = tiny("frozen", diary, unresponsive_s=3.0)
    frozen = frozen if with_address else replace(frozen, health=())
    running = start(frozen, tiny("other", diary))
    running.wait_until_says("Prescient is ready")
    other = children_of(home)["other"]
    wait_for(lambda: diary.exists() and diary.read_text().count("started") == 2)
    children_of(home)["frozen"].suspend()
    running.wait_until_says("The frozen process ended by our hand, as it had not answered for 3 s; starting it again")
    wait_for(lambda: diary.read_text().count("started") >= 3)
    assert children_of(home)["other"].pid == other.pid, "what answers is left alone"


def test_watching_and_stopping_depend_on_no_write(start: Start, home: Path, diary: Path) -> None:
    running = start(tiny("fragile", diary), tiny("other", diary))
    running.wait_until_says("Prescient is ready")
    children = children_of(home)
    state, log = home / "supervisor.json", home / "logs" / "supervisor.log"
    state.unlink()
    (state / "in the way").mkdir(parents=True)
    log.unlink()
    log.symlink_to("/dev/full")
    children["fragile"].kill()
    running.wait_until_says("The fragile process ended by signal 9; starting it again in 0.5 s.")
    wait_for(lambda: diary.read_text().count("started") == 3)
    (state / "in the way").rmdir()
    state.rmdir()
    wait_for(lambda: state.is_file() and "fragile" in children_of(home))
    state.unlink()
    (state / "in the way").mkdir(parents=True)
    running.process.terminate()
    assert running.end() == 0, running.output
    assert "Stopped in" in running.output and "Traceback" not in running.output
    assert not any(process.is_running() for process in children.values())


def test_the_last_words_are_those_of_this_run(start: Start, home: Path, diary: Path) -> None:
    first = start(tiny("hopeless", diary, "hopeless"))
    assert first.end() == 1
    log = home / "logs" / "hopeless_stderr.log"
    log.write_text("password authentication failed\n" * 5)
    second = start(tiny("hopeless", diary, "hopeless"))
    assert second.end() == 1
    assert second.output.count("The hopeless process cannot run:\nthe database is from a later release") == 1
    assert "password authentication failed" not in second.output
