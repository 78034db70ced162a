"""Starts and stops embedded servers for the tests, and looks at them as a client and the process table do."""

from __future__ import annotations

import itertools
import os
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from prescient.adapters.postgres.server.embedded import (
    FAST_STOP_TIMEOUT_S,
    START_TIMEOUT_S,
    EmbeddedPostgres,
    psql_path,
)
from prescient.adapters.postgres.server.types import ConnectionInfo

NUMBERS = itertools.count(1)
POSIX_ONLY = pytest.mark.skipif(sys.platform == "win32", reason="signals, modes and Unix sockets")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def query(connection: ConnectionInfo, sql: str) -> str:
    """Run SQL as a client would and return the bare answer."""
    command = [str(psql_path()), "-X", "-A", "-t", "-w", "-q", "-v", "ON_ERROR_STOP=1", "-c", sql]
    done = subprocess.run(
        command, env=os.environ | connection.environment(), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def server_processes(data: Path) -> list[psutil.Process]:
    """Find the processes of a server by their own look at the process table, not by the one under test."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.name().startswith("postgres") and process.cwd() == os.path.realpath(data):
                found.append(process)
        except psutil.Error:
            continue
    return [process for process in found if process.status() != psutil.STATUS_ZOMBIE]


def wait_until_gone(process_id: int) -> None:
    try:
        psutil.Process(process_id).wait(timeout=20)
    except psutil.NoSuchProcess:
        return


class Servers:
    """Makes servers and stops each at the end of the test, whatever happened."""

    def __init__(self, stack: ExitStack, database: str) -> None:
        self._stack = stack
        self._database = database

    def of(
        self,
        home: Path,
        port: int | None = None,
        start_timeout_s: float = START_TIMEOUT_S,
        stop_timeout_s: float = FAST_STOP_TIMEOUT_S,
    ) -> EmbeddedPostgres:
        server = EmbeddedPostgres(
            home,
            port or free_port(),
            database=self._database,
            start_timeout_s=start_timeout_s,
            stop_timeout_s=stop_timeout_s,
        )
        self._stack.callback(server.stop)
        return server
