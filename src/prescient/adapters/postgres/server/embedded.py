"""The PostgreSQL server that comes with Prescient: started, watched and stopped by the supervisor alone.

Below every table and query, beside no step of the line of data. See docs/decisions/0004-embedded-postgresql.md.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterable
from pathlib import Path

import filelock

from prescient.adapters.postgres.server import process as processes
from prescient.adapters.postgres.server.config import (
    APPLICATION_ROLE,
    SUPERUSER,
    Credentials,
    check_database_name,
    make_credentials,
    provision_sql,
    read_credentials,
    server_settings,
)
from prescient.adapters.postgres.server.folders import (
    EXECUTABLE_SUFFIX,
    POSTGRES_MAJOR,
    PROGRAMS,
    ServerFolders,
    installed_programs,
    locate,
    make_owned_folder,
    make_socket_folder,
    prepare,
    write_private,
)
from prescient.adapters.postgres.server.types import (
    AlreadyRunning,
    BinariesMissing,
    ConnectionInfo,
    EmbeddedStatus,
    HomeNotUsable,
    NotRunning,
    StartFailed,
    StartTimedOut,
    VersionMismatch,
)
from prescient.adapters.postgres.server.windows_dlls import missing_dlls, system_dlls
from prescient.service_table import LOOPBACK

DEFAULT_DATABASE = "prescient_os"
# Where root's cluster goes when the service account cannot enter the home, as with one below /root.
RELOCATION_ROOT = Path("/var/lib/prescient")
START_TIMEOUT_S = 60.0
FAST_STOP_TIMEOUT_S = 5.0


class EmbeddedPostgres:
    """The one server of one home, with a database for each source of markets.

    All methods block (``start`` up to ``start_timeout_s``, ``stop`` up to ``stop_timeout_s`` and five seconds more) and
    may be called from any thread, so a supervisor on an event loop calls them through a thread. Who has started it owns
    the home until ``stop``: a lock of the operating system says so, which a killed process loses by itself, and which is
    lost with this object, too: keep it.
    """

    def __init__(
        self,
        home: Path,
        port: int,
        *,
        database: str = DEFAULT_DATABASE,
        relocation_root: Path = RELOCATION_ROOT,
        start_timeout_s: float = START_TIMEOUT_S,
        stop_timeout_s: float = FAST_STOP_TIMEOUT_S,
    ) -> None:
        """``home`` is PRESCIENT_HOME, ``port`` a loopback TCP port (1..65535). Nothing is touched until ``start``."""
        check_database_name(database)
        self._home = Path(os.path.abspath(home))
        self._port = port
        self._database = database
        self._relocation_root = relocation_root
        self._start_timeout_s = start_timeout_s
        self._stop_timeout_s = stop_timeout_s
        # Not per thread: the supervisor starts and stops us from whichever thread is free.
        self._ownership = filelock.FileLock(self._home / "postgres.lock", thread_local=False)
        self._guard = threading.RLock()
        self._child: subprocess.Popen[bytes] | None = None
        self._place: ServerFolders | None = None
        self._log_start_byte = 0

    def start(self) -> ConnectionInfo:
        """Start the server, or leave it be if it runs, and return how to reach the application's database.

        The first start makes the cluster. A server left over by a killed supervisor is stopped first; one that was
        killed recovers. Raises PortTaken, or EmbeddedPostgresError: AlreadyRunning, StartTimedOut (still recovering: call
        again), StartFailed, HomeNotUsable, NoServiceAccount, BinariesMissing, VersionMismatch.
        """
        with self._guard:
            self._own_home()
            ran_before = False
            try:
                folders = self._place = prepare(self._home, self._relocation_root)
                ran_before = self._runs(folders)
                credentials = self._credentials(folders)
                if not self._runs(folders):
                    self._launch(folders)
                self._wait_until_ready(folders)
                return self._provide(folders, self._database, credentials)
            except StartTimedOut:
                raise
            except BaseException as error:
                if not ran_before:
                    self._abandon()
                if isinstance(error, StartFailed) and sys.platform == "win32":
                    check_libraries(folders.programs, system_dlls())
                raise

    def stop(self) -> None:
        """Stop the server in order, or by force if that takes more than ``stop_timeout_s``, and give up the home.

        Does nothing if the server is not ours. Raises StopFailed when a process of it cannot be ended.
        """
        with self._guard:
            if not self._ownership.is_locked:
                return
            if self._place is not None:
                self._end(self._place)
                if self._place.socket_folder is not None:
                    shutil.rmtree(self._place.socket_folder, ignore_errors=True)
            self._ownership.release()

    def end_left_behind(self) -> None:
        """Stop a server whose supervisor was killed, without starting anything: on a full disk nothing starts.

        Raises AlreadyRunning, HomeNotUsable, StopFailed.
        """
        with self._guard:
            self._own_home()
            self._place = locate(self._home)
            self.stop()

    def status(self) -> EmbeddedStatus:
        """Tell how the server stands, from any process: nothing is changed, and no lock is needed."""
        folders = locate(self._home)
        self._reap_if_dead()
        postmaster = processes.live_postmaster(folders.data)
        ready = postmaster is not None and processes.is_ready(folders.data)
        return EmbeddedStatus(
            state="running" if ready else "starting" if postmaster is not None else "stopped",
            process_id=postmaster.pid if postmaster is not None else None,
            port=_port_in_use(folders) if postmaster is not None else None,
            data_folder=folders.data,
            log_file=folders.log_file,
            account=folders.account.name if folders.account is not None else None,
            notes=folders.notes,
        )

    def ensure_database(self, name: str) -> ConnectionInfo:
        """Make a database owned by the application role if it is not there, and return how to reach it.

        ``name``: lower-case letters, digits and underscores, at most 63. Raises ValueError, NotRunning, StartFailed.
        """
        check_database_name(name)
        with self._guard:
            folders = self._place or locate(self._home)
            credentials = read_credentials(folders.credentials_file)
            if credentials is None or not processes.is_ready(folders.data):
                raise NotRunning(self._home)
            return self._provide(folders, name, credentials)

    def rotate_log(self) -> bool:
        """Put a log above 10 MiB aside (three are kept) and begin a new one; cheap, so call it every minute or so."""
        return processes.rotate_log(locate(self._home).log_file)

    def _own_home(self) -> None:
        if self._ownership.is_locked:
            return
        try:
            self._home.mkdir(parents=True, exist_ok=True)
            self._ownership.acquire(blocking=False)
        except filelock.Timeout as error:
            raise AlreadyRunning(self._home) from error
        except OSError as error:
            raise HomeNotUsable(
                f"Cannot write to {self._home} ({error.strerror}). Give this account the folder, or set PRESCIENT_HOME "
                "to one of its own."
            ) from error

    def _abandon(self) -> None:
        """After a failed start leave no process and no claim behind."""
        try:
            self.stop()
        finally:
            self._ownership.release()

    def _credentials(self, folders: ServerFolders) -> Credentials:
        known = read_credentials(folders.credentials_file)
        if known is not None:
            return known
        made = make_credentials(folders.credentials_file)
        if (folders.data / "PG_VERSION").exists():
            # The old passwords are lost, but who owns the files owns the database: set the new one from inside.
            processes.end_server(folders, self._stop_timeout_s)
            sql = f"ALTER ROLE {SUPERUSER} PASSWORD '{made.superuser_password}'\n"
            processes.run_tool(folders, "postgres", ["--single", "-D", str(folders.data), "postgres"], text=sql)
        return made

    def _runs(self, folders: ServerFolders) -> bool:
        """Tell whether the server of this very object runs, be it still recovering."""
        self._reap_if_dead()
        if sys.platform == "win32":
            return processes.live_postmaster(folders.data) is not None and _port_in_use(folders) == self._port
        return self._child is not None

    def _launch(self, folders: ServerFolders) -> None:
        processes.end_server(folders, self._stop_timeout_s)
        processes.discard_foreign_pid_file(folders.data)
        processes.check_port_free(self._port)
        _initialise(folders)
        if folders.socket_folder is not None:
            make_socket_folder(folders.socket_folder, folders.account)
        write_private(folders.data / "postgresql.conf", server_settings(folders, self._port), folders.account)
        processes.rotate_log(folders.log_file)
        self._log_start_byte = folders.log_file.stat().st_size if folders.log_file.exists() else 0
        self._child = processes.launch(folders, self._start_timeout_s)

    def _wait_until_ready(self, folders: ServerFolders) -> None:
        def settled() -> bool:
            return processes.is_ready(folders.data) or self._has_ended(folders)

        ended_early = processes.wait_until(settled, self._start_timeout_s) and not processes.is_ready(folders.data)
        if ended_early:
            detail = processes.log_tail(folders.log_file, self._log_start_byte)
            raise StartFailed("The start of the database", detail, folders.log_file)
        if not processes.is_ready(folders.data):
            raise StartTimedOut(self._start_timeout_s, folders.log_file)

    def _has_ended(self, folders: ServerFolders) -> bool:
        if self._child is None:
            return processes.live_postmaster(folders.data) is None
        return self._child.poll() is not None

    def _provide(self, folders: ServerFolders, database: str, credentials: Credentials) -> ConnectionInfo:
        superuser = _connection(folders, self._port, "postgres", SUPERUSER, credentials.superuser_password)
        processes.run_tool(
            folders,
            "psql",
            ["-X", "-q", "-A", "-t", "-w", "-v", "ON_ERROR_STOP=1", "-f", "-"],
            text=provision_sql(database, credentials),
            login=superuser,
        )
        return _connection(folders, self._port, database, APPLICATION_ROLE, credentials.application_password)

    def _reap_if_dead(self) -> None:
        if self._child is not None and self._child.poll() is not None:
            self._child = None

    def _end(self, folders: ServerFolders) -> None:
        child = self._child
        if child is not None:
            # Launched a moment ago, it may not have said yet who it is.
            processes.wait_until(
                lambda: processes.live_postmaster(folders.data) is not None or child.poll() is not None,
                self._stop_timeout_s,
            )
        processes.end_server(folders, self._stop_timeout_s)
        if child is not None:
            child.kill()
            child.wait(timeout=processes.KILL_TIMEOUT_S)
            self._child = None


def connection_of(home: Path, database: str = DEFAULT_DATABASE, *, superuser: bool = False) -> ConnectionInfo:
    """Return how to reach a database of the server that runs in a home; for tools beside the supervisor.

    ``superuser`` gives the login for backup and restore. Raises ValueError, NotRunning, HomeNotUsable.
    """
    check_database_name(database)
    folders = locate(Path(os.path.abspath(home)))
    credentials = read_credentials(folders.credentials_file)
    port = _port_in_use(folders)
    if credentials is None or port is None or processes.live_postmaster(folders.data) is None:
        raise NotRunning(home)
    if superuser:
        return _connection(folders, port, database, SUPERUSER, credentials.superuser_password)
    return _connection(folders, port, database, APPLICATION_ROLE, credentials.application_password)


def psql_path() -> Path:
    """Return PostgreSQL's shell. Raises BinariesMissing."""
    return _client_program("psql")


def pg_dump_path() -> Path:
    """Return the program that writes backups. Raises BinariesMissing."""
    return _client_program("pg_dump")


def pg_restore_path() -> Path:
    """Return the program that reads backups. Raises BinariesMissing."""
    return _client_program("pg_restore")


def check_libraries(programs: Path, system: Iterable[str]) -> None:
    """Raises BinariesMissing with every DLL that PostgreSQL's programs on Windows need and nobody has."""
    missing = []
    for name, users in missing_dlls(programs, system).items():
        # Ours first: "postgres.exe" says more than the library beside it.
        ours_first = sorted(users, key=lambda user: (Path(user).stem not in PROGRAMS, user != "postgres.exe"))
        missing.append(f"{name}, which {' and '.join(ours_first[:2])} want")
    if missing:
        raise BinariesMissing(f"not found in {programs}: {'; '.join(missing)}")


def _client_program(name: str) -> Path:
    return installed_programs() / f"{name}{EXECUTABLE_SUFFIX}"


def _initialise(folders: ServerFolders) -> None:
    """Make the cluster if there is none; it gets its name only when whole, so that a kill in between leaves no half."""
    if folders.data.exists():
        version_file = folders.data / "PG_VERSION"
        found = version_file.read_text(encoding="ascii").strip() if version_file.exists() else "unknown"
        if found != str(POSTGRES_MAJOR):
            raise VersionMismatch(folders.data, found, POSTGRES_MAJOR)
        return
    credentials = read_credentials(folders.credentials_file)
    if credentials is None:
        raise StartFailed("initdb", f"{folders.credentials_file} vanished", folders.log_file)
    draft, password_file = folders.cluster / "data.draft", folders.cluster / "initdb-password"
    if draft.exists():
        shutil.rmtree(draft)
    make_owned_folder(draft, folders.account)
    try:
        write_private(password_file, credentials.superuser_password, folders.account)
        arguments = ["-D", str(draft), "-U", SUPERUSER, f"--pwfile={password_file}", "--auth=scram-sha-256"]
        # The builtin provider sorts alike on every system and needs no locale to be installed.
        arguments += ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        processes.run_tool(folders, "initdb", [*arguments, "--data-checksums", "--no-instructions"])
    finally:
        password_file.unlink(missing_ok=True)
    draft.rename(folders.data)


def _connection(folders: ServerFolders, port: int, database: str, user: str, password: str) -> ConnectionInfo:
    return ConnectionInfo(LOOPBACK, port, database, user, password, folders.socket_folder)


def _port_in_use(folders: ServerFolders) -> int | None:
    lines = processes.read_pid_file(folders.data)
    return int(lines[3]) if len(lines) > 3 and lines[3].strip().isdigit() else None
