"""A real PostgreSQL server for the tests that ask for one, and a database of its own for each of them."""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from prescient.adapters.postgres.server.folders import EXECUTABLE_SUFFIX, installed_programs

HOST = "127.0.0.1"
OWNER = "prescient"
TEMPLATE = "template_prescient"
# These tests kill processes, never the machine: tests/prescient/postgres/test_embedded.py starts the server as users have it.
SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "jit": "off",
    "timezone": "UTC",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum": "off",
}

# Making a database takes a third of a second, emptying one a hundredth. Triggers and foreign keys rest meanwhile.
EMPTY_IT = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
 WHERE datname = current_database() AND pid <> pg_backend_pid();
SET session_replication_role = replica;
DO $$
DECLARE part record;
BEGIN
    FOR part IN SELECT tablename AS name FROM pg_tables WHERE schemaname = 'partitions' LOOP
        EXECUTE format('DROP TABLE partitions.%I', part.name);
    END LOOP;
    FOR part IN SELECT tablename AS name FROM pg_tables
                 WHERE schemaname = 'public' AND tablename <> 'alembic_version' LOOP
        EXECUTE format('DELETE FROM %I', part.name);
    END LOOP;
    FOR part IN SELECT sequencename AS name FROM pg_sequences WHERE schemaname = 'public' LOOP
        EXECUTE format('ALTER SEQUENCE %I RESTART', part.name);
    END LOOP;
END $$;
"""


class PostgresServer:
    """One throw-away cluster. Its databases belong to a role that is no superuser, as in real use."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._programs = installed_programs()
        self._process: subprocess.Popen[bytes] | None = None
        self._watch: subprocess.Popen[bytes] | None = None
        self.port = 0
        self._numbers = itertools.count(1)

    def start(self) -> None:
        options = self._as_other_user()
        data = self._folder / "data"
        initdb = [self._program("initdb"), "-D", str(data), "-U", "postgres", "--auth=trust", "--no-sync"]
        initdb += ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        subprocess.run([*initdb, "--no-instructions"], check=True, capture_output=True, cwd=self._folder, **options)
        self.launch()
        self.run("postgres", f"CREATE ROLE {OWNER} LOGIN NOSUPERUSER", f"CREATE DATABASE {TEMPLATE} OWNER {OWNER}")
        in_a_thread(lambda: self._migrate(self.dsn(TEMPLATE)))

    def launch(self) -> None:
        """Start the server process, on the port it had before if it had one."""
        self.port = self.port or free_port()
        settings = [part for name, value in SETTINGS.items() for part in ("-c", f"{name}={value}")]
        command = [self._program("postgres"), "-D", str(self._folder / "data"), "-p", str(self.port), *settings]
        log = (self._folder / "log").open("ab")
        with log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self._folder, **self._as_other_user())
        self._watch_over(self._process.pid)
        for _ in range(200):
            ready = subprocess.run(
                [self._program("psql"), *self._login("postgres"), "-c", "SELECT 1"], capture_output=True, check=False
            )
            if ready.returncode == 0:
                return
            assert self._process.poll() is None, (self._folder / "log").read_text(errors="replace")
            self._process_wait(0.05)
        raise AssertionError("the test server did not become ready")

    def kill(self) -> None:
        """End the server at once, as a crash would."""
        assert self._process is not None
        self._end_watch()
        sessions = psutil.Process(self._process.pid).children()
        self._process.kill()
        self._process.wait(timeout=30)
        # They notice a moment later, and no server starts while one of them holds the shared memory.
        _, left = psutil.wait_procs(sessions, timeout=30)
        assert not left

    def stop(self) -> None:
        self._end_watch()
        if self._process is not None and self._process.poll() is None:
            # An immediate shutdown: nothing here is kept.
            subprocess.run(
                [self._program("pg_ctl"), "stop", "-D", str(self._folder / "data"), "-m", "immediate", "-w"],
                capture_output=True,
                check=False,
                cwd=self._folder,
                **self._as_other_user(),
            )
            self._process.wait(timeout=30)

    def empty(self, name: str) -> None:
        """Remove every row, as if the database had just been made."""
        self.run(name, EMPTY_IT)

    def new_database(self) -> str:
        """Make a database with the present schema and no rows and return its name."""
        name = f"test_{next(self._numbers)}"
        self.run("postgres", f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} OWNER {OWNER}")
        return name

    def empty_database(self) -> str:
        """Make a database without any schema and return its name."""
        name = f"empty_{next(self._numbers)}"
        self.run("postgres", f"CREATE DATABASE {name} OWNER {OWNER}")
        return name

    def drop(self, name: str) -> None:
        self.run("postgres", f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def dsn(self, database: str) -> str:
        return f"postgresql://{OWNER}@{HOST}:{self.port}/{database}"

    def run(self, database: str, *statements: str) -> str:
        """Run SQL as the superuser and return the bare answers."""
        commands = [part for statement in statements for part in ("-c", statement)]
        done = subprocess.run(
            [self._program("psql"), *self._login(database), *commands], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def schema_of(self, database: str) -> str:
        """Return the statements that make a database's schema."""
        login = ["-h", HOST, "-p", str(self.port), "-U", "postgres", "-w", "-d", database]
        command = [self._program("pg_dump"), *login, "--schema-only"]
        dump = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        # Lines with a backslash are for psql's own prompt.
        return "\n".join(line for line in dump.splitlines() if not line.startswith("\\"))

    def _login(self, database: str) -> list[str]:
        login = ["-h", HOST, "-p", str(self.port), "-U", "postgres", "-d", database]
        return [*login, "-X", "-A", "-t", "-q", "-w", "-v", "ON_ERROR_STOP=1"]

    def _program(self, name: str) -> str:
        return str(self._programs / f"{name}{EXECUTABLE_SUFFIX}")

    def _as_other_user(self) -> dict[str, Any]:
        """Root may not run PostgreSQL, so there the server runs as nobody."""
        if sys.platform == "win32" or os.geteuid() != 0:
            return {}
        import pwd

        nobody = pwd.getpwnam("nobody")
        if self._folder.stat().st_uid != nobody.pw_uid:
            os.chown(self._folder, nobody.pw_uid, nobody.pw_gid)
        return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}

    def _watch_over(self, process_id: int) -> None:
        """Let a server whose tests were killed not outlive them: the watcher's input ends with this process."""
        if sys.platform != "win32":
            watch = ["sh", "-c", 'read -r _; kill -QUIT "$1"', "watch", str(process_id)]
            self._watch = subprocess.Popen(watch, stdin=subprocess.PIPE, start_new_session=True)

    def _end_watch(self) -> None:
        if self._watch is not None:
            self._watch.kill()
            self._watch.wait(timeout=30)
            assert self._watch.stdin is not None
            self._watch.stdin.close()
            self._watch = None

    def _process_wait(self, seconds: float) -> None:
        assert self._process is not None
        try:
            self._process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            return

    def _migrate(self, dsn: str) -> None:
        from prescient.adapters.postgres.migrate import migrate

        assert asyncio.run(migrate(dsn))


def in_a_thread(work: Callable[[], None]) -> None:
    """Run work that needs an event loop of its own, whatever loop the tests have."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as failure:
            failures.append(failure)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One server for each test process; started by the first test that needs it."""
    # Not below pytest's own folder, which another user may not enter.
    folder = Path(tempfile.mkdtemp(prefix="prescient-postgres-"))
    server = PostgresServer(folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def shared_database(postgres_server: PostgresServer) -> str:
    """The database that all tests of one process use in turn."""
    return postgres_server.new_database()


@pytest.fixture
def postgres_dsn(postgres_server: PostgresServer, shared_database: str) -> Iterator[str]:
    """How to reach a database with the whole schema and no rows, this test's alone."""
    yield postgres_server.dsn(shared_database)
    postgres_server.empty(shared_database)


@pytest.fixture
def empty_dsn(postgres_server: PostgresServer) -> Iterator[str]:
    """How to reach a database that has no schema yet."""
    name = postgres_server.empty_database()
    yield postgres_server.dsn(name)
    postgres_server.drop(name)
