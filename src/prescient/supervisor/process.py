"""One supervised process: started with a pipe on its standard input, watched, restarted when it dies, stopped cleanly."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil

from polymarket_kit.errors import ExitCode
from prescient.supervisor.disk import full_disks
from prescient.supervisor.home import ChildState, ProcessMark
from prescient.supervisor.liveness import Responsiveness
from prescient.supervisor.log_files import open_log, rotate, tail
from prescient.supervisor.plan import SUPERVISED_VARIABLE, ChildPlan
from prescient.supervisor.restarts import Restarts
from prescient.tcp_ports import answers

GO = b"go\n"
KILL_TIMEOUT_S = 2.0
NEW_GROUP: int = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
NO_WINDOW: int = getattr(subprocess, "CREATE_NO_WINDOW", 0)


class SupervisedProcess:
    """Its standard input is a pipe from the supervisor: a line on it means go, its end that the supervisor is gone."""

    def __init__(self, plan: ChildPlan, logs: Path, environment: dict[str, str]) -> None:
        self.plan = plan
        self._environment = environment | {SUPERVISED_VARIABLE: "1"}
        self._log_paths = (logs / f"{plan.name}_stdout.log", logs / f"{plan.name}_stderr.log")
        self._stderr_start_byte = 0
        self._restarts = Restarts()
        self.responsiveness = Responsiveness(plan.unresponsive_s)
        self._child: subprocess.Popen[bytes] | None = None
        self._mark: ProcessMark | None = None
        self._told_to_go = False
        self._may_go = False
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
        self.responsiveness.begin_anew()
        with stdout, stderr:
            self._stderr_start_byte = stderr.tell()
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

    def start_if_new(self) -> str:
        """Start it unless that was done before. Returns a line to print, mostly empty."""
        if self._child is not None or self._start_again_at_s is not None:
            return ""
        return self._try_to_start()

    def go(self) -> None:
        """Tell it, and every later start of it, to begin its work; telling it twice changes nothing."""
        self._may_go = True
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
            return self._try_to_start() if now_s >= self._start_again_at_s else ""
        if self._child is None or self.given_up:
            return ""
        code = self._child.poll()
        if code is None:
            return self._end_if_unresponsive(self._child, now_s)
        self._close_parent_pipe()
        if code == ExitCode.PERMANENT:
            self.given_up = f"The {self.plan.name} process cannot run:\n{self._last_words(3)}"
            return self.given_up
        return self._died(f"by signal {-code}" if code < 0 else f"with exit code {code}", now_s)

    def ask(self) -> None:
        """Ask whether it lives. One that has no address is asked of the system: a stopped process does nothing."""
        child, asked_s = self._child, time.monotonic()
        if child is None or child.poll() is not None or not self._told_to_go:
            return
        timeout_s = self.responsiveness.question_timeout_s
        # Any answer will do: one that only lacks its database is not helped by another start.
        lives = not _is_stopped(child.pid) and all(
            answers(health.port, health.path, timeout_s, status=b"") for health in self.plan.health
        )
        if child is self._child:
            self.responsiveness.record(answered=lives, asked_s=asked_s)

    def _end_if_unresponsive(self, child: subprocess.Popen[bytes], now_s: float) -> str:
        if not self.responsiveness.is_lost(now_s):
            return ""
        _kill_family(child.pid)
        child.wait(KILL_TIMEOUT_S)
        self._close_parent_pipe()
        return self._died(f"by our hand, as it had not answered for {self.responsiveness.limit_s:g} s", now_s)

    def _last_words(self, lines: int) -> str:
        """What this run of it wrote, not an earlier one."""
        return tail(self.stderr_log, lines, start_byte=self._stderr_start_byte)

    def _try_to_start(self) -> str:
        try:
            self.start()
        except OSError as error:
            # No memory, no more processes or no room at the moment: this counts as one more death.
            return self._died(f"before it began ({error.strerror})", time.monotonic())
        if self._may_go:
            self.go()
        return ""

    def _died(self, how: str, now_s: float) -> str:
        self._start_again_at_s = None
        full = full_disks([self.stderr_log.parent])
        delay_s = self._restarts.delay_after_death(now_s, disk_full=bool(full))
        if delay_s is None:
            self.given_up = (
                f"The {self.plan.name} process ended {self._restarts.count} times, last {how}, and is not started again. "
                f"Its last words, from {self.stderr_log}:\n{self._last_words(12)}"
            )
            return self.given_up
        self._start_again_at_s = now_s + delay_s
        return "\n".join([f"The {self.plan.name} process ended {how}; starting it again in {delay_s:g} s.", *full])

    def is_ready(self) -> bool:
        """Return whether it runs and all its addresses answer."""
        ready = (
            self.is_running
            and self._told_to_go
            and all(answers(health.port, health.path) for health in self.plan.health)
        )
        if ready:
            self.responsiveness.record(answered=True, asked_s=time.monotonic())
        return ready

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
            self._child.wait(KILL_TIMEOUT_S)
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


def _is_stopped(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_STOPPED
    except psutil.NoSuchProcess:
        return False


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
