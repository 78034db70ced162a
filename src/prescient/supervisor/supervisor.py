"""`prescient up`: starts the database and the processes of a plan, keeps them running, stops them in order.

A light process on purpose, because it lives as long as the system: no event loop, settings library or HTTP library.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
import webbrowser
from collections.abc import Callable
from datetime import UTC, datetime
from types import FrameType

from polymarket_kit.errors import ExitCode
from prescient.supervisor.database import DatabaseProcess
from prescient.supervisor.disk import full_disks
from prescient.supervisor.home import ChildState, Home, ProcessMark, RunState, end_leftovers
from prescient.supervisor.liveness import watch
from prescient.supervisor.log_files import open_log, rotate
from prescient.supervisor.plan import PLAN_VARIABLE, Plan
from prescient.supervisor.process import SupervisedProcess, children_environment
from prescient.supervisor.startup_message import already_running, greeting, settings_read
from prescient.tcp_ports import taken_message, taken_ports

TICK_S = 0.1
STARTING_TICK_S = 0.02
READY_TIMEOUT_S = 120.0
# Others hold the lock for an instant when they check whether it is free.
LOCK_PATIENCE_S = 0.5
ROTATE_INTERVAL_S = 30.0
LEFTOVERS_TIMEOUT_S = 5.0
WRITE_AGAIN_S = 1.0


class Supervisor:
    """Runs one plan from start to stop. ``database`` is None when somebody else's server is used."""

    def __init__(self, plan: Plan, database: DatabaseProcess | None, say: Callable[[str], None]) -> None:
        self._plan = plan
        self._home = Home(plan.home_path)
        self._database = database
        self._print = say
        self._stop_wanted = ""
        self._phase = "starting"
        self._started_s = time.monotonic()
        self._started_at = datetime.now(UTC).isoformat(timespec="seconds")
        self._written = ""
        self._next_write_s = 0.0
        self._mark = ProcessMark.of(os.getpid())
        environment = children_environment({"PRESCIENT_HOME": plan.home})
        self._processes = [SupervisedProcess(child, self._home.logs, environment) for child in plan.children]

    def run(self) -> int:
        """Return the exit code: 0 after a stop that was asked for, 1 when it could not run, 4 when the home or a port is taken."""
        try:
            if not self._home.try_lock(LOCK_PATIENCE_S):
                self._say(already_running(self._home.folder, self._home.read_state()))
                return ExitCode.REFUSED
        except OSError as error:
            self._say(
                f"Cannot write to {self._home.folder} ({error.strerror}). Set PRESCIENT_HOME to a folder of your own."
            )
            return ExitCode.FAILURE
        try:
            return self._run_locked()
        finally:
            self._home.unlock()

    def _say(self, text: str) -> None:
        """Tell the person who started us, and whoever reads the log later."""
        self._print(text)
        if not self._home.logs.is_dir():
            return
        moment = datetime.now(UTC).isoformat(timespec="seconds")
        # Watching and stopping depend on no write: on a full disk the log has a gap.
        with contextlib.suppress(OSError), open_log(self._home.logs / "supervisor.log") as log:
            log.write("".join(f"{moment} {line}\n" for line in text.splitlines()).encode())

    def ask_to_stop(self, why: str) -> None:
        """Let ``run`` end in order; safe to call from a signal handler."""
        self._stop_wanted = self._stop_wanted or why

    def _run_locked(self) -> int:
        self._clear_leftovers()
        full = full_disks([self._home.folder])
        if full:
            self._say("\n".join(full))
            return ExitCode.FAILURE
        taken = taken_ports(self._ports_to_check())
        if taken:
            self._say(taken_message(taken))
            return ExitCode.REFUSED
        try:
            self._start()
            failure = self._until_ready()
            if not failure and not self._stop_wanted:
                self._phase = "ready"
                self._keep_choice()
                self._welcome()
                self._write_state()
                failure = self._keep_running()
        finally:
            # Whatever happened above, nothing that we started keeps running.
            stopped_well = self._stop()
        if failure:
            self._say(failure)
        return ExitCode.FAILURE if failure or not stopped_well else ExitCode.OK

    def _keep_choice(self) -> None:
        """Kept only now: a start that failed, by a mistyped host for example, binds the home to nothing."""
        if self._plan.choice is None:
            return
        try:
            self._home.keep_choice(self._plan.choice)
        except OSError as error:
            self._say(f"What this run was started with could not be kept in {self._home.folder}: {error.strerror}.")

    def _clear_leftovers(self) -> None:
        """End what a killed supervisor left behind: its child processes should end by themselves."""
        state = self._home.read_state()
        if state is not None:
            marks = [child.process for child in state.children.values() if child.process is not None]
            killed = end_leftovers(marks, LEFTOVERS_TIMEOUT_S)
            if killed:
                self._say(f"Ended processes that an earlier run had left behind: {killed}.")
        self._home.forget_state()

    def _ports_to_check(self) -> dict[str, int]:
        ports = self._plan.ports
        if self._database is not None and self._database.process_id() is not None:
            # Our own server, left by a killed supervisor: starting it again takes it over, port and all.
            ports.pop("database", None)
        return ports

    def _start(self) -> None:
        self._say(f"Starting Prescient in {self._home.folder} ...")
        self._say(f"Settings: {settings_read(self._plan)}. Database: {self._plan.database_place}.")
        if self._database is not None:
            self._database.start()
        for process in self._processes:
            line = process.start_if_new() if process.plan.starts_early else ""
            if line:
                self._say(line)
        watch([*self._processes, *([self._database] if self._database is not None else [])])
        self._write_state()

    def _until_ready(self) -> str:
        """Wait until everything answers. Returns why that will not happen, or nothing."""
        deadline_s = time.monotonic() + READY_TIMEOUT_S
        ready: set[str] = set()
        while not self._stop_wanted:
            failure = self._check_all()
            if failure:
                return f"{failure}\nPrescient did not start."
            self._tell_to_go(ready)
            ready |= {process.plan.name for process in self._processes if process.is_ready()}
            if len(ready) == len(self._processes) and self._database_ready():
                return ""
            if time.monotonic() > deadline_s:
                return self._too_late(ready)
            time.sleep(STARTING_TICK_S)
        return ""

    def _too_late(self, ready: set[str]) -> str:
        names = [process.plan.name for process in self._processes if process.plan.name not in ready]
        return (
            f"Prescient was not ready within {READY_TIMEOUT_S:g} s (still waiting for: {', '.join(names) or 'database'}). "
            f"The logs in {self._home.logs} say why."
        )

    def _tell_to_go(self, ready: set[str]) -> None:
        for process in self._processes:
            may_go = self._database_ready() or not process.plan.needs_database
            if may_go and ready.issuperset(process.plan.after):
                line = process.start_if_new()
                if line:
                    self._say(line)
                process.go()

    def _database_ready(self) -> bool:
        return self._database is None or self._database.ready

    def _check_all(self) -> str:
        """Restart what died; return a message about the first process that was given up, or nothing."""
        everything: list[DatabaseProcess | SupervisedProcess] = [*self._processes]
        if self._database is not None:
            everything.insert(0, self._database)
        for watched in everything:
            line = watched.check()
            if watched.given_up and line:
                return line
            if line:
                self._say(line)
        self._write_state()
        return ""

    def _keep_running(self) -> str:
        next_rotation_s = time.monotonic() + ROTATE_INTERVAL_S
        while not self._stop_wanted:
            given_up = self._check_all()
            if given_up:
                # The rest keeps running: prices are marked without a worker too, and `prescient status` shows what failed.
                self._say(given_up)
            if time.monotonic() >= next_rotation_s:
                next_rotation_s += ROTATE_INTERVAL_S
                self._rotate_logs()
            if self._home.stop_file.exists():
                self.ask_to_stop("prescient down")
            time.sleep(TICK_S)
        return ""

    def _rotate_logs(self) -> None:
        for process in self._processes:
            process.rotate_logs()
        rotate(self._home.logs / "supervisor.log")
        if self._database is not None:
            self._database.rotate_log()

    def _stop(self) -> bool:
        """Stop everything in the opposite order of its start; return whether all of it stopped cleanly."""
        self._phase = "stopping"
        self._write_state()
        started_s = time.monotonic()
        if self._stop_wanted:
            self._say(f"Stopping ({self._stop_wanted}) ...")
        in_order = True
        try:
            for process in reversed(self._processes):
                process.ask_to_stop()
                if not process.wait_or_kill():
                    in_order = False
                    self._say(f"The {process.plan.name} process did not stop in time and was killed.")
        finally:
            complaint = self._database.stop() if self._database is not None else ""
        if complaint:
            in_order = False
            self._say(complaint)
        with contextlib.suppress(OSError):
            # What cannot be removed is harmless: it names processes that have ended.
            self._home.forget_state()
        self._say(f"Stopped in {time.monotonic() - started_s:.1f} s.")
        return in_order

    def _welcome(self) -> None:
        self._say(greeting(self._plan, self._home, time.monotonic() - self._started_s))
        if self._plan.open_docs:
            self._open_docs()

    def _open_docs(self) -> None:
        # Without a desktop a text browser would open in the terminal and block the supervisor.
        if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
            self._say("There is no desktop to open the docs pages on; their addresses are above.")
            return
        for port in self._plan.service_ports.values():
            webbrowser.open_new_tab(f"http://localhost:{port}/docs")

    def _write_state(self) -> None:
        children = {process.plan.name: process.state() for process in self._processes}
        if self._database is not None:
            children["database"] = ChildState(self._database.state(), None, self._database.restarts)
        state = RunState(
            phase=self._phase,
            supervisor=self._mark,
            source=self._plan.source,
            started_at=self._started_at,
            urls=self._plan.urls,
            ports=self._plan.ports,
            database_name=self._plan.database_name,
            choice=self._plan.choice,
            database=self._database.mark if self._database is not None else None,
            children=children,
        )
        text, now_s = state.to_json(), time.monotonic()
        if text == self._written or now_s < self._next_write_s:
            return
        try:
            self._home.write_state(state)
            self._written = text
        except OSError:
            # A full disk: commands see the last state that could be written, and the next one as soon as there is room.
            self._next_write_s = now_s + WRITE_AGAIN_S


def listen_to_signals(supervisor: Supervisor) -> None:
    """Ctrl-C, SIGTERM, a closed terminal and (Windows) a closed console all stop the system in order."""

    def stop(number: int, _frame: FrameType | None) -> None:
        supervisor.ask_to_stop(signal.Signals(number).name)

    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), stop)


def say(line: str) -> None:
    """Print for the person who started us; a reader that went away must not stop the system."""
    try:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
    except (BrokenPipeError, OSError):
        return


def run_plan(plan: Plan) -> int:
    """Run a plan in this process until it is asked to stop; returns the exit code."""
    database = None
    if plan.database_port is not None:
        from prescient.wiring import embedded_server

        database = DatabaseProcess(embedded_server(plan.home_path, plan.database_port, plan.database_name))
    supervisor = Supervisor(plan, database, say)
    listen_to_signals(supervisor)
    return supervisor.run()


if __name__ == "__main__":
    sys.exit(run_plan(Plan.from_json(os.environ.pop(PLAN_VARIABLE))))
