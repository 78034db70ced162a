"""One home, one supervisor: the lock that ensures it, and the file that tells other commands what runs where."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import filelock
import psutil

from polymarket_kit.env_files import RECORD_FILE
from prescient.supervisor.plan import Choice

STATE_FILE = "supervisor.json"
LOCK_FILE = "supervisor.lock"
STOP_FILE = "supervisor.stop"
# Two readings of one process's start differ by rounding alone.
SAME_START_S = 0.05


@dataclass(frozen=True, slots=True)
class ProcessMark:
    """Identifies a process, also against a later one with the same id."""

    pid: int
    create_time_s: float

    @classmethod
    def of(cls, pid: int) -> ProcessMark:
        """Raises psutil.NoSuchProcess."""
        return cls(pid, psutil.Process(pid).create_time())

    def process(self) -> psutil.Process | None:
        """Return the process if it still is the same one and alive."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.create_time_s) < SAME_START_S
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None


@dataclass(frozen=True, slots=True)
class ChildState:
    state: str
    process: ProcessMark | None = None
    restarts: int = 0


@dataclass(frozen=True, slots=True)
class RunState:
    """What `supervisor.json` says. ``phase`` is starting, ready or stopping; no secrets are in it."""

    phase: str
    supervisor: ProcessMark
    source: str
    started_at: str
    urls: dict[str, str] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)
    database_name: str = ""
    # Apart from the children: a database left behind is ended in order, never killed like them.
    database: ProcessMark | None = None
    children: dict[str, ChildState] = field(default_factory=dict)
    choice: Choice | None = None

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=2)

    @classmethod
    def from_json(cls, text: str) -> RunState:
        stored = json.loads(text)
        children = {name: _child_state(child) for name, child in stored.pop("children").items()}
        database = stored.pop("database")
        choice = stored.pop("choice", None)
        return cls(
            supervisor=ProcessMark(**stored.pop("supervisor")),
            database=ProcessMark(**database) if database else None,
            choice=Choice.from_stored(choice) if choice else None,
            children=children,
            **stored,
        )


class Home:
    """The folder of one installation, as far as running it is concerned."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.logs = folder / "logs"
        self.stop_file = folder / STOP_FILE
        self._lock = filelock.FileLock(folder / LOCK_FILE, thread_local=False)

    def try_lock(self, patience_s: float = 0.0) -> bool:
        """Lock the home for this process; return False while another holds it. Raises OSError when it cannot be written."""
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire(timeout=patience_s, poll_interval=0.05)
        except filelock.Timeout:
            return False
        return True

    def unlock(self) -> None:
        self._lock.release()

    def is_locked(self) -> bool:
        """Tell whether a supervisor runs on this home, without keeping the lock."""
        if not (self.folder / LOCK_FILE).exists():
            return False
        if not self.try_lock():
            return True
        self.unlock()
        return False

    def read_state(self) -> RunState | None:
        """Return what the last supervisor wrote, None if there is nothing readable."""
        try:
            return RunState.from_json((self.folder / STATE_FILE).read_text(encoding="utf-8"))
        except (OSError, ValueError, KeyError, TypeError):
            # Missing, or cut off by a full disk: the lock tells the truth, this file only helps.
            return None

    def write_state(self, state: RunState) -> None:
        self._write(STATE_FILE, state.to_json())

    def keep_choice(self, choice: Choice) -> None:
        """Store what this run was started with, for commands after its end."""
        self._write(RECORD_FILE, json.dumps(asdict(choice)))

    def choice(self) -> Choice | None:
        """Return what the present or else the last run was started with, None if there was none."""
        state = self.running()
        if state is not None and state.choice is not None:
            return state.choice
        try:
            return Choice.from_stored(json.loads((self.folder / RECORD_FILE).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError, AttributeError):
            return None

    def _write(self, name: str, text: str) -> None:
        # The holder of the lock alone writes, so that one name will do, and a kill leaves one draft at most.
        draft = self.folder / f"{name}.draft"
        draft.write_text(text, encoding="utf-8")
        draft.chmod(0o600)
        draft.replace(self.folder / name)

    def forget_state(self) -> None:
        (self.folder / STATE_FILE).unlink(missing_ok=True)
        self.stop_file.unlink(missing_ok=True)

    def running(self) -> RunState | None:
        """Return the state of a living supervisor of this home, None if there is none."""
        state = self.read_state()
        return state if state is not None and state.supervisor.process() is not None and self.is_locked() else None


def end_leftovers(marks: Iterable[ProcessMark], timeout_s: float) -> list[int]:
    """Wait for processes that a killed supervisor left behind, kill those that stay; returns the numbers of the killed."""
    alive = [process for mark in marks if (process := mark.process()) is not None]
    _, stubborn = psutil.wait_procs(alive, timeout=timeout_s)
    for process in stubborn:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(stubborn, timeout=timeout_s)
    return [process.pid for process in stubborn]


def _child_state(stored: dict[str, Any]) -> ChildState:
    process = stored.pop("process")
    return ChildState(process=ProcessMark(**process) if process else None, **stored)
