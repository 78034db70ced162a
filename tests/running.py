"""A whole running system for tests: real processes on a home and ports of their own, in one process or in five."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from prescient.service_table import SERVICES
from prescient.settings import Settings

READY_TIMEOUT_S = 90.0
PORTS_USED = 12
PORTS = {service.name: service.port for service in SERVICES}


def free_shift() -> int:
    """A port shift under which every port of an installation is free, below the ports that outgoing connections take."""
    for _ in range(200):
        shift = secrets.choice(range(2_000, 24_000, PORTS_USED))
        if all(_is_free(8000 + shift + offset) for offset in range(PORTS_USED)):
            return shift
    raise AssertionError("no free range of ports found")


def _is_free(port: int) -> bool:
    import socket

    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


@dataclass
class Installation:
    """One home with its ports and whatever processes run on it."""

    home: Path
    shift: int = field(default_factory=free_shift)
    extra: dict[str, str] = field(default_factory=dict)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("POSTGRES_", "PRESCIENT_"))}
        # A world that stands still: what is read before a restart is what is read after it.
        own = {"PRESCIENT_HOME": str(self.home), "PRESCIENT_PORT_SHIFT": str(self.shift), "PRESCIENT_FROZEN": "1"}
        return kept | own | self.extra

    @property
    def settings(self) -> Settings:
        return Settings(
            PRESCIENT_HOME=self.home,
            PRESCIENT_PORT_SHIFT=self.shift,
            _env_file=None,
        )

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start ``prescient ARGUMENTS``; its output goes to a file in the home."""
        self.home.mkdir(parents=True, exist_ok=True)
        log = (self.home / f"test-{'-'.join(arguments[:2])}.log").open("ab")
        process = subprocess.Popen(
            [sys.executable, "-m", "prescient", *arguments],
            env=self.environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            cwd=self.home,
            start_new_session=True,
        )
        self.processes.append(process)
        return process

    def run(self, *arguments: str, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
        """Run one command to its end."""
        return subprocess.run(
            [sys.executable, "-m", "prescient", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            cwd=self.home,
            check=False,
        )

    def port(self, port: int) -> int:
        return port + self.shift

    def call(
        self, what: str, body: Any = None, headers: dict[str, str] | None = None, timeout_s: float = 60
    ) -> tuple[int, Any]:
        """Make a call such as "GET 8004 /trading/status"; returns the status and the JSON (or text) of the answer."""
        method, port, path = what.split(" ", 2)
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port(int(port))}{path}",
            data=data,
            method=method,
            headers={"Content-Type": "application/json"} | (headers or {}),
        )
        try:
            with urllib.request.urlopen(request, timeout=timeout_s) as answer:
                status, content = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            status, content = error.code, error.read()
        with contextlib.suppress(ValueError):
            return status, json.loads(content)
        return status, content.decode(errors="replace")

    def wait_for(self, what: str, timeout_s: float = 30) -> None:
        """Wait until a call such as "GET 8010 /practice/time" is answered."""
        deadline_s = time.monotonic() + timeout_s
        while True:
            with contextlib.suppress(OSError):
                if self.call(what, timeout_s=5)[0] == 200:
                    return
            assert time.monotonic() < deadline_s, f"{what} not answered: {self.logs()}"
            time.sleep(0.05)

    def wait_ready(self, *services: str) -> None:
        """Wait until every service (all five by default) answers its health check."""
        deadline_s = time.monotonic() + READY_TIMEOUT_S
        waiting = list(services or PORTS)
        while waiting:
            with contextlib.suppress(OSError):
                if self.call(f"GET {PORTS[waiting[0]]} /health", timeout_s=5)[0] == 200:
                    waiting.pop(0)
                    continue
            ended = [process.args for process in self.processes if process.poll() is not None]
            assert not ended, f"{ended} ended; its log: {self.logs()}"
            assert time.monotonic() < deadline_s, f"{waiting} not ready after {READY_TIMEOUT_S} s: {self.logs()}"
            time.sleep(0.1)

    def logs(self) -> str:
        """The end of every log, for the message of a failed test."""
        files = [*self.home.glob("test-*.log"), *self.home.glob("logs/*.log")]
        return "\n".join(f"--- {file.name}\n{file.read_text(errors='replace')[-2000:]}" for file in files)

    def family(self) -> list[psutil.Process]:
        """Every living process of this home: what we started, its children, and the database."""
        found: dict[int, psutil.Process] = {}
        for started in self.processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                parent = psutil.Process(started.pid)
                found |= {child.pid: child for child in [parent, *parent.children(recursive=True)]}
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if str(self.home) in " ".join(process.cmdline()) and process.pid != os.getpid():
                    found |= {child.pid: child for child in [process, *process.children(recursive=True)]}
        return [process for process in found.values() if process.is_running() and process.status() != "zombie"]

    def kill_everything(self) -> None:
        """kill -9 the whole family at once, as a power cut would."""
        for process in self.family():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        for started in self.processes:
            started.wait(timeout=10)
        self.processes.clear()

    def stop(self) -> None:
        """Ask everything to end, last started first; what does not end within 20 s is a failure, and killed."""
        for started in reversed(self.processes):
            if started.poll() is None:
                started.send_signal(signal.SIGTERM)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    started.wait(timeout=20)
        left = self.family()
        self.kill_everything()
        assert not left, f"still running after the stop: {[process.cmdline() for process in left]}"
