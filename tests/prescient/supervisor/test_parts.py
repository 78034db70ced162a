"""The parts below the supervisor: waiting before a restart, log files, log lines, probes, the state file."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from prescient.supervisor.disk import free_bytes, full_disks
from prescient.supervisor.home import ChildState, Home, ProcessMark, RunState, end_leftovers
from prescient.supervisor.liveness import Responsiveness
from prescient.supervisor.log_files import open_log, rotate, tail
from prescient.supervisor.plan import Choice, Plan, system_children
from prescient.supervisor.restarts import FULL_DISK_PAUSE_S, Restarts
from prescient.tcp_ports import answers, database_answers, is_free, taken_ports


def test_waits_double_and_the_fifth_death_in_a_minute_is_the_last() -> None:
    restarts = Restarts()
    assert [restarts.delay_after_death(float(second)) for second in range(5)] == [0.5, 1.0, 2.0, 4.0, None]


def test_who_lives_long_enough_starts_afresh() -> None:
    restarts = Restarts()
    assert [restarts.delay_after_death(minute * 61.0) for minute in range(20)] == [0.5] * 20
    assert restarts.count == 20


def test_logs_rotate_while_they_are_written(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "api_stdout.log"
    with open_log(path) as log:
        for number in range(5):
            log.write(f"{number}".encode() * 100)
            assert rotate(path, limit_bytes=50, kept=3)
        log.write(b"the last line\n")
    assert path.read_text() == "the last line\n"
    kept = [path.with_name(f"api_stdout.log.{number}").read_text()[0] for number in (1, 2, 3)]
    assert kept == ["4", "3", "2"]
    assert not path.with_name("api_stdout.log.4").exists()
    assert not rotate(path, limit_bytes=50)
    assert tail(path, lines=1) == "the last line"
    assert tail(tmp_path / "none.log") == ""


LOGGING = """
import logging, structlog
from prescient.supervisor.logs import set_up_logs
set_up_logs("INFO")
log = structlog.get_logger("prescient.test")
log.info("Price updater started with 300s interval", portfolio_id=1)
log.debug("not shown")
log.info("two\\nlines", password="hunter2", token_id="123", note="with a space")
logging.getLogger("library").warning("from a library %s", "x")
try:
    1 / 0
except ZeroDivisionError:
    log.exception("failed", cycle_id="cycle-1")
"""


def test_log_lines_are_one_line_each_without_secrets_and_errors_go_apart() -> None:
    done = subprocess.run([sys.executable, "-c", LOGGING], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert len(lines) == 3
    assert "INFO    Price updater started with 300s interval portfolio_id=1 [prescient.test]" in lines[0]
    assert r"two\nlines" in lines[1] and "hunter2" not in done.stdout and 'note="with a space"' in lines[1]
    assert "token_id=123" in lines[1]
    assert "WARNING from a library x" in lines[2]
    assert "ERROR   failed cycle_id=cycle-1" in done.stderr and "ZeroDivisionError" in done.stderr


def _one_answer(status: bytes) -> int:
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = server.accept()
        with connection, server:
            connection.recv(1024)
            connection.sendall(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")

    threading.Thread(target=serve, daemon=True).start()
    return int(server.getsockname()[1])


@pytest.mark.parametrize(("status", "wanted"), [(b"200 OK", True), (b"503 Service Unavailable", False)])
def test_a_service_is_ready_when_it_says_so(status: bytes, wanted: bool) -> None:
    assert answers(_one_answer(status), "/health") is wanted


def test_a_port_is_taken_or_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert taken_ports({"events": port}) == {"events": port}
        assert answers(port, "")
    assert is_free(port)
    assert not answers(port, "")


def test_the_state_file_reads_as_it_was_written_and_tells_processes_apart(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    assert home.read_state() is None
    assert home.try_lock()
    mark = ProcessMark.of(os.getpid())
    other = ProcessMark(mark.pid, mark.create_time_s - 60)
    children = {"api": ChildState("running", other, 2)}
    state = RunState("ready", mark, "a test", "now", {"events": "u"}, {"events": 1}, "db", mark, children)
    home.write_state(state)
    assert home.read_state() == state
    assert mark.process() == psutil.Process()
    assert other.process() is None, "a later process with the same number is another one"
    assert end_leftovers([other], 0.1) == []
    home.unlock()
    (tmp_path / "home" / "supervisor.json").write_text("{")
    assert home.read_state() is None


def test_a_home_is_locked_for_others_as_long_as_it_is_held(tmp_path: Path) -> None:
    first, second = Home(tmp_path), Home(tmp_path)
    assert first.try_lock()
    assert not second.try_lock() and second.is_locked()
    first.unlock()
    assert not second.is_locked()


def test_a_plan_survives_the_way_to_the_supervisor() -> None:
    ports = {"events": 8000, "controller": 8004}
    choice = Choice("practice", 7, 100, "prescient_os", ("/a/.env",))
    plan = Plan("/a home", "practice", system_children(ports, 8010), ports, 8010, 8011, "prescient_os", choice=choice)
    assert Plan.from_json(plan.to_json()) == plan
    assert [child.name for child in plan.children] == ["practice", "api", "worker"]
    assert plan.ports == {"events": 8000, "controller": 8004, "practice": 8010, "database": 8011}


def test_no_answer_counts_after_the_first_answer_and_over_several_questions() -> None:
    responsiveness = Responsiveness(30.0)
    for asked_s in (0.0, 20.0, 40.0):
        responsiveness.record(answered=False, asked_s=asked_s)
    assert not responsiveness.is_lost(100.0), "it has never answered: it is starting"
    responsiveness.record(answered=True, asked_s=50.0)
    responsiveness.record(answered=False, asked_s=60.0)
    assert not responsiveness.is_lost(1_000.0), "one question before and after a machine's sleep proves nothing"
    responsiveness.record(answered=False, asked_s=70.0)
    responsiveness.record(answered=False, asked_s=80.0)
    assert not responsiveness.is_lost(89.9)
    assert responsiveness.is_lost(90.0)
    responsiveness.record(answered=True, asked_s=91.0)
    assert not responsiveness.is_lost(1_000.0)


def test_deaths_on_a_full_disk_never_give_up() -> None:
    restarts = Restarts()
    assert [restarts.delay_after_death(float(now_s), disk_full=True) for now_s in range(20)] == [FULL_DISK_PAUSE_S] * 20
    assert restarts.count == 20
    assert restarts.delay_after_death(20.0) == 0.5, "with room again, it starts afresh"


def test_a_full_disk_is_told_from_one_with_room(tmp_path: Path) -> None:
    assert full_disks([tmp_path / "not" / "there"]) == []
    assert free_bytes(tmp_path / "not" / "there") > 0


def test_postgresql_answers_without_a_login(postgres_dsn: str) -> None:
    port = urlsplit(postgres_dsn).port
    assert port is not None and database_answers(port, 5.0)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        assert not database_answers(mute.getsockname()[1], 0.2)
