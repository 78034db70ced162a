"""Starts a supervisor as a process of its own and reads what it says, for the tests of this folder."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from prescient.supervisor.home import Home
from prescient.supervisor.plan import PLAN_VARIABLE, ChildPlan, Health, Plan
from tests.conftest import free_port

SUPERVISOR = [sys.executable, "-P", "-m", "prescient.supervisor.supervisor"]


def wait_for(condition: Callable[[], bool], timeout_s: float = 20.0) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, "did not happen in time"
        time.sleep(0.02)


def tiny(
    name: str, diary: Path, behaviour: str = "obeys", after: tuple[str, ...] = (), *, unresponsive_s: float = 30.0
) -> ChildPlan:
    port = free_port()
    script = str(Path(__file__).with_name("tiny_service.py"))
    command = (sys.executable, script, str(port), behaviour, str(diary))
    return ChildPlan(
        name, command, (Health(name, port),), stop_timeout_s=1.0, unresponsive_s=unresponsive_s, after=after
    )


class Running:
    """One supervisor process. ``output`` grows as it speaks."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            command,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.output = ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @classmethod
    def of_plan(cls, plan: Plan) -> Running:
        return cls(SUPERVISOR, {PLAN_VARIABLE: plan.to_json()})

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as pipe:
            for line in pipe:
                self.output += line

    def wait_until_says(self, text: str, timeout_s: float = 30.0) -> None:
        wait_for(lambda: text in self.output or self.process.poll() is not None, timeout_s)
        assert text in self.output, self.output

    def end(self, timeout_s: float = 15.0) -> int:
        code = self.process.wait(timeout_s)
        self._reader.join(5)
        return code

    def clean_up(self) -> None:
        """Leave nothing behind, whatever the test did."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(5)
        self._reader.join(5)


def children_of(home: Path) -> dict[str, psutil.Process]:
    """The living children by name, as the state file tells."""
    state = Home(home).read_state()
    assert state is not None
    found = {name: child.process.process() for name, child in state.children.items() if child.process is not None}
    return {name: process for name, process in found.items() if process is not None}
