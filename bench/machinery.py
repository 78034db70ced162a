"""What the benches run on: a database server of their own, the practice exchange and contestants in their own processes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import psutil

from prescient.adapters.postgres.migrate import migrate
from prescient.adapters.postgres.server.embedded import EmbeddedPostgres, connection_of
from prescient.adapters.postgres.server.types import ConnectionInfo
from prescient.service_table import LOOPBACK
from prescient.settings import PORT_PRACTICE

REPOSITORY = Path(__file__).resolve().parents[1]
END_TIMEOUT_S = 20
PORT_SHIFT_MAX = 50_000


@contextmanager
def temporary_home() -> Iterator[Path]:
    """A folder that the database's own account may enter (pytest's and mkdtemp's are closed to others)."""
    folder = Path(tempfile.mkdtemp(prefix="prescient-bench-"))
    folder.chmod(0o755)
    try:
        yield folder / "home"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Server:
    """The product's embedded PostgreSQL as users have it, with a fresh database for each contestant."""

    def __init__(self, home: Path) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self._home = home
        self._embedded = EmbeddedPostgres(home, free_port())

    def __enter__(self) -> Server:
        self._embedded.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._embedded.stop()

    @contextmanager
    def database(self, name: str) -> Iterator[ConnectionInfo]:
        """A migrated, empty database; what earlier ones left to be written is written before."""
        login = self._embedded.ensure_database(name)
        asyncio.run(migrate(login.dsn()))
        self.settle()
        try:
            yield login
        finally:
            asyncio.run(self._as_superuser(f"DROP DATABASE {name} WITH (FORCE)"))

    def settle(self) -> None:
        """Write out everything, so that no contestant pays for another."""
        asyncio.run(self._as_superuser("CHECKPOINT"))

    async def _as_superuser(self, statement: str) -> None:
        connection = await asyncpg.connect(connection_of(self._home, "postgres", superuser=True).dsn())
        await connection.execute(statement)
        await connection.close()


class Partner:
    """A child process that answers each line with a line of JSON."""

    def __init__(self, module: str, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=REPOSITORY,
            text=True,
        )

    def send(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def receive(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._process.args!r} ended with {self._process.wait()}; what it wrote is above")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def ask(self, line: str) -> dict[str, Any]:
        self.send(line)
        return self.receive()

    def end(self) -> None:
        """Close its input, which ends it."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@dataclass
class Exchange:
    """The practice exchange with a catalogue of one size, and whether its figures are moved."""

    partner: Partner
    port: int
    events: int
    markets: int

    @classmethod
    def start(cls, events: int, markets: int) -> Exchange:
        port = practice_port()
        partner = Partner("bench.catalogue_server", f"--events={events}", f"--markets={markets}", f"--port={port}")
        started = partner.receive()
        return cls(partner, port, started["events"], started["markets"])

    def stir(self) -> int:
        """Move every market's figures; returns the catalogue's size in bytes."""
        size: int = self.partner.ask("stir")["bytes"]
        return size


def contestant(name: str, exchange: Exchange, home: Path, login: ConnectionInfo) -> Partner:
    """Start a contestant and wait until it is ready to go."""
    partner = Partner("bench.contestant", name, f"--practice-port={exchange.port}")
    parts = {"host": login.host, "port": login.port, "database": login.database}
    partner.send(json.dumps({**parts, "user": login.user, "password": login.password, "home": str(home)}))
    partner.receive()
    return partner


def practice_port() -> int:
    """A free port that a port shift can reach."""
    return next(port for port in iter(free_port, None) if PORT_PRACTICE < port < PORT_PRACTICE + PORT_SHIFT_MAX)


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def machine() -> dict[str, Any]:
    """What it ran on, and how busy that was."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "load": [round(load, 1) for load in os.getloadavg()],
    }


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()
