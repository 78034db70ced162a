"""The processes of the embedded server: launching, finding, waiting for and ending them, and running its tools."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from prescient.adapters.postgres.server.account import Account
from prescient.adapters.postgres.server.folders import ServerFolders
from prescient.adapters.postgres.server.types import (
    ConnectionInfo,
    HomeNotUsable,
    NoServiceAccount,
    StartFailed,
    StopFailed,
)
from prescient.domain.errors import PortTaken
from prescient.service_table import LOOPBACK

POLL_INTERVAL_S = 0.01
TOOL_TIMEOUT_S = 120.0
IMMEDIATE_STOP_TIMEOUT_S = 2.0
STRAY_TIMEOUT_S = 1.0
KILL_TIMEOUT_S = 2.0
LOG_LIMIT_BYTES = 10 * 1024 * 1024
LOG_FILES_KEPT = 3
# The server and its tools get these variables and no others: our environment may hold secret keys.
PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT", "SYSTEMDRIVE", "COMSPEC", "TEMP", "TMP", "USERPROFILE", "APPDATA")
# Zero where the constants do not exist: they keep Windows from opening a console and from passing Ctrl-C on.
NO_WINDOW: int = getattr(subprocess, "CREATE_NO_WINDOW", 0)
NEW_GROUP: int = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)


def clean_environment() -> dict[str, str]:
    """Return the environment of PostgreSQL's programs: no PG* settings of the user's, no secrets, one fixed language."""
    kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return kept | {"LC_ALL": "C", "TZ": "UTC"}


def run_tool(
    folders: ServerFolders, name: str, arguments: list[str], *, text: str = "", login: ConnectionInfo | None = None
) -> str:
    """Run one of PostgreSQL's programs to its end and return what it printed.

    A client, known by its login, runs as ourselves; what touches the files runs as the server's account.
    Raises StartFailed with what it said on standard error, also when it does not end within 120 s.
    """
    try:
        done: subprocess.CompletedProcess[str] = subprocess.run(
            [str(folders.program(name)), *arguments],
            input=text,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            env=clean_environment() | (login.environment() if login is not None else {}),
            timeout=TOOL_TIMEOUT_S,
            check=False,
            cwd=folders.cluster,
            **_as_account(folders.account if login is None else None),
        )
    except subprocess.TimeoutExpired as error:
        raise StartFailed(name, f"no end within {TOOL_TIMEOUT_S:g} s", folders.log_file) from error
    except PermissionError as error:
        raise NoServiceAccount(f"{name} could not be run: {error.strerror}") from error
    if done.returncode != 0:
        raise StartFailed(name, done.stderr or done.stdout, folders.log_file)
    return done.stdout


def launch(folders: ServerFolders, timeout_s: float) -> subprocess.Popen[bytes] | None:
    """Start the server in a session of its own, so that Ctrl-C at a terminal does not reach it.

    Returns the child that must be reaped, or None on Windows, where pg_ctl starts it without administrator's rights and
    waits for it.
    """
    with open(folders.log_file, "ab", opener=_open_private) as log:
        if sys.platform == "win32":
            command = [str(folders.program("pg_ctl")), "start", "-w", "-t", f"{timeout_s:.0f}", "-D", str(folders.data)]
            subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=clean_environment(),
                timeout=timeout_s + TOOL_TIMEOUT_S,
                check=False,
                creationflags=NO_WINDOW | NEW_GROUP,
            )
            return None
        # Not through pg_ctl: it hands the command to a shell, and the paths may hold characters that a shell reads.
        return subprocess.Popen(
            [str(folders.program("postgres")), "-D", str(folders.data)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=clean_environment(),
            cwd=folders.cluster,
            start_new_session=True,
            **_as_account(folders.account),
        )


def read_pid_file(data: Path) -> list[str]:
    """Return the lines of postmaster.pid (1 process, 4 port, 8 state), empty if there is none. Raises HomeNotUsable."""
    try:
        return (data / "postmaster.pid").read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []
    except PermissionError as error:
        raise HomeNotUsable(
            f"The database in {data} belongs to another account. Ask as that account, or as root."
        ) from error


def is_ready(data: Path) -> bool:
    """Tell whether a live server says of itself that it accepts connections (where pg_ctl looks, too)."""
    lines = read_pid_file(data)
    # A killed server leaves its "ready" behind, hence the look at the process.
    return len(lines) >= 8 and lines[7].strip() == "ready" and _postmaster_of(lines, data) is not None


def live_postmaster(data: Path) -> psutil.Process | None:
    """Return the server's main process if the one in postmaster.pid lives and truly is PostgreSQL on this data."""
    return _postmaster_of(read_pid_file(data), data)


def _postmaster_of(lines: list[str], data: Path) -> psutil.Process | None:
    if not lines or not lines[0].strip().isdigit():
        return None
    try:
        process = psutil.Process(int(lines[0]))
    except psutil.NoSuchProcess:
        return None
    return process if _works_in(process, os.path.realpath(data)) else None


def processes_in(data: Path) -> list[psutil.Process]:
    """Return every live PostgreSQL process whose working folder is this data, which all of its processes enter."""
    folder = os.path.realpath(data)
    return [process for process in psutil.process_iter() if _works_in(process, folder)]


def end_server(folders: ServerFolders, fast_timeout_s: float) -> None:
    """End every process of the server: pg_ctl's fast stop, then its immediate one, then the kernel's kill.

    Does nothing when none runs. Raises StopFailed when even that does not help.
    """
    postmaster = live_postmaster(folders.data)
    if postmaster is not None:
        for mode, timeout_s in (("fast", fast_timeout_s), ("immediate", IMMEDIATE_STOP_TIMEOUT_S)):
            _ask_to_stop(folders, mode)
            if wait_until(lambda: not _is_alive(postmaster), timeout_s):
                break
    elif not read_pid_file(folders.data):
        # A server that ended in order takes its pid file with it and leaves nobody behind.
        return
    # After a crash of the main process the others end by themselves, unless they are busy.
    if wait_until(lambda: not processes_in(folders.data), STRAY_TIMEOUT_S, interval_s=0.05):
        return
    for process in processes_in(folders.data):
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    if not wait_until(lambda: not processes_in(folders.data), KILL_TIMEOUT_S, interval_s=0.05):
        raise StopFailed([process.pid for process in processes_in(folders.data)])


def discard_foreign_pid_file(data: Path) -> None:
    """Remove a postmaster.pid whose number now belongs to a stranger, which PostgreSQL would take for a rival.

    Only to be called when no process works in the data folder and the home's lock is held.
    """
    lines = read_pid_file(data)
    if lines and (not lines[0].strip().isdigit() or psutil.pid_exists(int(lines[0]))):
        (data / "postmaster.pid").unlink(missing_ok=True)


def check_port_free(port: int) -> None:
    """Raises PortTaken, naming who listens there where the system tells."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        if sys.platform != "win32":
            # As PostgreSQL does it: connections that linger from a former server are no obstacle.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            raise PortTaken(LOOPBACK, port, _listener_on(port), wanted_for="the database") from error


def wait_until(condition: Callable[[], bool], timeout_s: float, *, interval_s: float = POLL_INTERVAL_S) -> bool:
    """Return True as soon as the condition holds, False when it still does not after the time-out."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(interval_s)
    return True


def rotate_log(log_file: Path, limit_bytes: int = LOG_LIMIT_BYTES) -> bool:
    """Move a log above the limit into postgres.log.1 (older ones up to .3) and empty it; the server keeps it open.

    Returns whether it did. Lines written in the instant between copy and emptying are lost, as with logrotate's copytruncate.
    """
    if not log_file.exists() or log_file.stat().st_size <= limit_bytes:
        return False
    for number in range(LOG_FILES_KEPT - 1, 0, -1):
        older = log_file.with_name(f"{log_file.name}.{number}")
        if older.exists():
            older.replace(log_file.with_name(f"{log_file.name}.{number + 1}"))
    shutil.copyfile(log_file, log_file.with_name(f"{log_file.name}.1"))
    os.truncate(log_file, 0)
    return True


def log_tail(log_file: Path, start_byte: int) -> str:
    """Return the last lines written since a position, for an error message; at most 2,000 characters."""
    with log_file.open("rb") as log:
        log.seek(min(start_byte, log_file.stat().st_size))
        text = log.read().decode("utf-8", errors="replace")
    return " | ".join(text.splitlines()[-6:])[-2000:]


def _open_private(path: str, flags: int) -> int:
    # The log quotes failing statements, so it is for its owner's eyes.
    return os.open(path, flags, 0o600)


def _ask_to_stop(folders: ServerFolders, mode: str) -> None:
    try:
        run_tool(folders, "pg_ctl", ["stop", "-W", "-m", mode, "-D", str(folders.data)])
    except StartFailed:
        # It ended in this moment, or does not answer; who waits for it finds out which.
        return


def _as_account(account: Account | None) -> dict[str, Any]:
    options: dict[str, Any] = {"creationflags": NO_WINDOW} if sys.platform == "win32" else {}
    if account is not None:
        options |= {"user": account.uid, "group": account.gid, "extra_groups": []}
    return options


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _works_in(process: psutil.Process, folder: str) -> bool:
    try:
        return (
            process.name().removesuffix(".exe") == "postgres"
            and os.path.normcase(process.cwd()) == os.path.normcase(folder)
            and _is_alive(process)
        )
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        # Our own server's processes are ours to look at; one that hides is another account's.
        return False


def _listener_on(port: int) -> str:
    unknown = "another program"
    try:
        for connection in psutil.net_connections(kind="tcp4"):
            listens = connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port
            if listens and connection.pid:
                return f"process {connection.pid} ({psutil.Process(connection.pid).name()})"
    except (psutil.AccessDenied, psutil.NoSuchProcess):
        return unknown
    return unknown
