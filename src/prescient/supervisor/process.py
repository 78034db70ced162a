"""One supervised process: started with a pipe on its standard input, watched, restarted when it dies, stopped cleanly."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil

from polymarket_kit.errors import ExitCode
from prescient.supervisor.home import ChildState, ProcessMark
from prescient.supervisor.log_files import open_log, rotate, tail
from prescient.supervisor.plan import SUPERVISED_VARIABLE, ChildPlan
from prescient.supervisor.restarts import Restarts
from prescient.tcp_ports import answers

GO = b"go\n"
NEW_GROUP: int = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
NO_WINDOW: int = getattr(subprocess, "CREATE_NO_WINDOW", 0)


class SupervisedProcess:
    """Its standard input is a pipe from the supervisor: a line on it means go, its end that the supervisor is gone."""

    def __init__(self, plan: ChildPlan, logs: Path, environment: dict[str, str]) -> None:
        self.plan = plan
        self._environment = environment | {SUPERVISED_VARIABLE: "1"}
        self._log_paths = (logs / f"{plan.name}_stdout.log", logs / f"{plan.name}_stderr.log")
        self._restarts = Restarts()
        self._child: subprocess.Popen[bytes] | None = None
        self._mark: ProcessMark | None = None
        self._told_to_go = False
        self._start_again_at_s: float | None = None
        self.given_up = ""

    @property
    def stderr_log(self) -> Path:
        return self._log_paths[1]

    @property
    def is_running(self) -> bool:
        return self._child is not None and self._child.poll() is None

    def start(self) -> None:
        """Start the process; it imports its modules and waits for ``go``."""
        stdout, stderr = (open_log(path) for path in self._log_paths)
        with stdout, stderr:
            self._child = subprocess.Popen(
                self.plan.command,
                stdin=subprocess.PIPE,
                stdout=stdout,
                stderr=stderr,
                env=self._environment,
                # A group of its own: Ctrl-C at the terminal reaches the supervisor alone, which then stops it cleanly.
                start_new_session=sys.platform != "win32",
                creationflags=NEW_GROUP | NO_WINDOW,
            )
        self._mark = ProcessMark.of(self._child.pid)
        self._told_to_go = False
        self._start_again_at_s = None

    def start_if_new(self) -> None:
        """Start it unless that was done before."""
        if self._mark is None:
            self.start()

    def go(self) -> None:
        """Tell it to begin its work; telling it twice changes nothing."""
        if self._told_to_go or not self.is_running or self._child is None or self._child.stdin is None:
            return
        self._told_to_go = True
        try:
            self._child.stdin.write(GO)
            self._child.stdin.flush()
        except (BrokenPipeError, OSError):
            # It has died already; the next check reports that.
            return

    def check(self) -> str:
        """Check that it runs, and restart it when that is due. Returns a line to print, mostly empty."""
        now_s = time.monotonic()
        if self._start_again_at_s is not None:
            return self._start_again() if now_s >= self._start_again_at_s else ""
        if self._child is None or self.given_up:
            return ""
        code = self._child.poll()
        if code is None:
            return ""
        self._close_parent_pipe()
        if code == ExitCode.PERMANENT:
            self.given_up = f"The {self.plan.name} process cannot run:\n{tail(self.stderr_log, 3)}"
            return self.given_up
        return self._died(f"by signal {-code}" if code < 0 else f"with exit code {code}", now_s)

    def _start_again(self) -> str:
        try:
            self.start()
        except OSError as error:
            # No memory or no more processes at the moment: this counts as one more death.
            return self._died(f"before it began ({error.strerror})", time.monotonic())
        self.go()
        return ""

    def _died(self, how: str, now_s: float) -> str:
        self._start_again_at_s = None
        delay_s = self._restarts.delay_after_death(now_s)
        if delay_s is None:
            self.given_up = (
                f"The {self.plan.name} process ended {self._restarts.count} times, last {how}, and is not started again. "
                f"Its last words, from {self.stderr_log}:\n{tail(self.stderr_log)}"
            )
            return self.given_up
        self._start_again_at_s = now_s + delay_s
        return f"The {self.plan.name} process ended {how}; starting it again in {delay_s:g} s."

    def is_ready(self) -> bool:
        """Return whether it runs and all its addresses answer."""
        return (
            self.is_running
            and self._told_to_go
            and all(answers(health.port, health.path) for health in self.plan.health)
        )

    def ask_to_stop(self) -> None:
        """Ask it to end in order."""
        self._start_again_at_s = None
        if self._child is None or self._child.poll() is not None:
            return
        if sys.platform == "win32":
            # There is no polite signal; the end of the pipe means the same.
            self._close_parent_pipe()
        else:
            self._child.terminate()

    def wait_or_kill(self) -> bool:
        """Wait until it has ended, kill it when it does not; returns whether it ended by itself."""
        if self._child is None:
            return True
        try:
            self._child.wait(self.plan.stop_timeout_s)
            in_order = True
        except subprocess.TimeoutExpired:
            _kill_family(self._child.pid)
            self._child.wait(2.0)
            in_order = False
        self._close_parent_pipe()
        return in_order

    def rotate_logs(self) -> None:
        for path in self._log_paths:
            rotate(path)

    def state(self) -> ChildState:
        if self.given_up:
            return ChildState("given up", None, self._restarts.count)
        if not self.is_running:
            return ChildState("stopped" if self._start_again_at_s is None else "waiting", None, self._restarts.count)
        return ChildState("running", self._mark, self._restarts.count)

    def _close_parent_pipe(self) -> None:
        if self._child is None or self._child.stdin is None:
            return
        try:
            self._child.stdin.close()
        except OSError:
            # What was still in its buffer has no reader any more.
            return


def _kill_family(pid: int) -> None:
    try:
        process = psutil.Process(pid)
        family = [*process.children(recursive=True), process]
    except psutil.NoSuchProcess:
        return
    for member in family:
        try:
            member.kill()
        except psutil.NoSuchProcess:
            continue


def children_environment(extra: dict[str, str]) -> dict[str, str]:
    """Our own environment and what the plan adds; logs are UTF-8 on every system, and line by line up to date."""
    return {**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8", **extra}
