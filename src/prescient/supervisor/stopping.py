"""`prescient down`: asks the running supervisor of a home to stop, waits, and makes sure that nothing is left."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from polymarket_kit.errors import PrescientError
from prescient.supervisor.home import Home, ProcessMark, RunState, end_leftovers

# The supervisor itself is done within ten seconds; the rest is for a busy machine.
STOP_TIMEOUT_S = 20.0
LEFTOVERS_TIMEOUT_S = 5.0
POLL_S = 0.1


def stop_home(folder: Path, database_port: int, database_name: str) -> tuple[bool, str]:
    """Stop whatever runs on a home. Returns whether nothing runs any more, and a line that says what happened."""
    home = Home(folder)
    state = home.read_state()
    if not folder.exists() or not home.is_locked():
        return _clear_up(home, state, database_port, database_name)
    supervisor = state.supervisor.process() if state is not None else None
    if state is None or supervisor is None:
        return False, f"{folder} is in use by another command, such as restore; wait for it to end."
    complaint = _ask(home, state)
    if complaint:
        return False, complaint
    if not _gone_within(home, state.supervisor, STOP_TIMEOUT_S):
        return False, (
            f"Process {supervisor.pid} was asked to stop but still runs after {STOP_TIMEOUT_S:g} s; see {home.logs}. "
            f"End that one process by its number, then run this command again."
        )
    end_leftovers(_children(state), LEFTOVERS_TIMEOUT_S)
    left, complaint = _end_database(home, database_port, database_name)
    if complaint:
        return False, f"Stopped Prescient on {folder}, but not its database. {complaint}"
    return True, f"Stopped Prescient on {folder}.{' Its database had been left behind.' if left else ''}"


def _ask(home: Home, state: RunState) -> str:
    process = state.supervisor.process()
    if process is None:
        return ""
    if sys.platform == "win32":
        try:
            home.stop_file.touch()
        except OSError:
            # No room for the file: then the supervisor is ended, its children end by themselves, the database below.
            process.kill()
        return ""
    import psutil

    try:
        process.terminate()
    except psutil.NoSuchProcess:
        return ""
    except psutil.AccessDenied:
        return f"Process {process.pid} belongs to {process.username()}; run this command as that account."
    return ""


def _gone_within(home: Home, mark: ProcessMark, timeout_s: float) -> bool:
    deadline_s = time.monotonic() + timeout_s
    while mark.process() is not None or home.is_locked():
        if time.monotonic() > deadline_s:
            return False
        time.sleep(POLL_S)
    return True


def _children(state: RunState | None) -> list[ProcessMark]:
    children = state.children.values() if state is not None else ()
    return [child.process for child in children if child.process is not None]


def _clear_up(home: Home, state: RunState | None, database_port: int, database_name: str) -> tuple[bool, str]:
    """End what a killed supervisor may have left behind, the database included."""
    left = [mark for mark in _children(state) if mark.process() is not None]
    end_leftovers(left, LEFTOVERS_TIMEOUT_S)
    found, complaint = _end_database(home, database_port, database_name)
    if complaint:
        return False, complaint
    if not found:
        ended = " Ended what an earlier run had left behind." if left else ""
        return True, f"Prescient is not running on {home.folder}.{ended}"
    return (
        True,
        f"Prescient was not running on {home.folder}; stopped the database that an earlier run had left behind.",
    )


def _end_database(home: Home, port: int, name: str) -> tuple[bool, str]:
    """End an embedded database that still runs. Returns whether one did, and why it could not be ended."""
    if not (home.folder / "postgres").exists():
        return False, ""
    from prescient.wiring import embedded_server

    server = embedded_server(home.folder, port, name)
    if server.status().process_id is None:
        return False, ""
    try:
        server.end_left_behind()
    except PrescientError as error:
        return True, str(error)
    return True, ""
