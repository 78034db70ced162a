"""The keeper of the database: patient with a recovery, quick to bring it back, done when a start can never work."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from polymarket_kit.errors import PrescientError
from prescient.supervisor.database import RECOVERING_CODE, DatabaseProcess
from prescient.supervisor.home import ProcessMark
from tests.prescient.supervisor.running import wait_for


class StillRecovering(PrescientError):
    code = RECOVERING_CODE


class PortTaken(PrescientError):
    code = "port_taken"


@dataclass(frozen=True)
class Standing:
    state: str
    process_id: int | None
    port: int | None = None
    data_folder: Path = Path()


@dataclass
class Server:
    """A server that fails as often as the test says, and stands as the test says."""

    failures: list[Exception] = field(default_factory=list)
    starts: int = 0
    running: bool = False
    hold: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        self.starts += 1
        self.hold.wait(5)
        if self.failures:
            raise self.failures.pop(0)
        self.running = True

    def stop(self) -> None:
        self.running = False

    def status(self) -> Standing:
        return Standing("running", os.getpid()) if self.running else Standing("stopped", None)

    def rotate_log(self) -> bool:
        return False


def kept(*failures: Exception) -> tuple[Server, DatabaseProcess]:
    server = Server(list(failures))
    server.hold.set()
    return server, DatabaseProcess(server)


def look_until(keeper: DatabaseProcess, said: list[str]) -> bool:
    line = keeper.check()
    if line:
        said.append(line)
    return keeper.ready or bool(keeper.given_up)


def running_mark(keeper: DatabaseProcess) -> ProcessMark | None:
    """The mark of the server; one that is not ready has none."""
    assert keeper.ready is (keeper.mark is not None)
    return keeper.mark


def test_ready_when_started_and_brought_back_when_it_ends() -> None:
    server, keeper = kept()
    said: list[str] = []
    keeper.start()
    wait_for(lambda: look_until(keeper, said))
    assert said == [] and keeper.mark is not None and keeper.mark.pid == os.getpid()
    server.running = False
    wait_for(lambda: look_until(keeper, said) is False and bool(said), 5)
    assert said == ["The database stopped (it ended by itself); starting it again in 0.5 s."]
    assert running_mark(keeper) is None
    wait_for(lambda: look_until(keeper, said), 5)
    assert server.starts == 2 and keeper.restarts == 1


def test_a_first_start_that_fails_is_said_and_not_tried_again() -> None:
    server, keeper = kept(PortTaken("Port 8011 is taken by process 1 (init)."))
    said: list[str] = []
    keeper.start()
    wait_for(lambda: look_until(keeper, said))
    assert keeper.given_up == "The database does not run: Port 8011 is taken by process 1 (init)."
    assert server.starts == 1 and keeper.state() == "given up"


def test_a_long_recovery_is_waited_for() -> None:
    server, keeper = kept(StillRecovering("still recovering"), StillRecovering("still recovering"))
    said: list[str] = []
    keeper.start()
    wait_for(lambda: look_until(keeper, said))
    assert keeper.ready and server.starts == 3
    assert said == ["still recovering", "still recovering"]


def test_a_stop_in_the_middle_of_the_start_comes_to_an_end() -> None:
    server, keeper = kept()
    server.hold.clear()
    keeper.start()
    threading.Timer(0.3, server.hold.set).start()
    started_s = time.monotonic()
    assert keeper.stop() == ""
    assert not server.running and time.monotonic() - started_s < 4
