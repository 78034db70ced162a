"""A whole system on a disk that fills up: it says so, it stops when it is told to, and with room again it is well."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from prescient.supervisor.home import Home
from tests.running import Installation

pytestmark = pytest.mark.slow

DISK_MB = 260


def wait_for(condition: Callable[[], bool], timeout_s: float = 60.0) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, "did not happen in time"
        time.sleep(0.2)


@pytest.fixture(scope="module")
def disk() -> Iterator[Path]:
    """A small disk of its own, where the database's service account can enter."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("A disk of its own can be mounted as root alone: what a full disk does was NOT tested")
    folder = Path(tempfile.mkdtemp(prefix="full-disk-"))
    folder.chmod(0o755)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m,mode=755", "none", folder],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode != 0:
        folder.rmdir()
        pytest.skip(f"No disk of its own ({mounted.stderr.strip()}): what a full disk does was NOT tested")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
        folder.rmdir()


@pytest.fixture(scope="module")
def system(disk: Path) -> Iterator[Installation]:
    installation = Installation(disk / "home")
    try:
        installation.start("up")
        installation.wait_ready()
        assert list((installation.home / "postgres").glob("data*")), "the database lies on the small disk"
        yield installation
    finally:
        installation.kill_everything()


def fill(disk: Path) -> None:
    with (disk / "filler").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 1_000_000)
        except OSError:
            return


def status_of(system: Installation) -> tuple[int, dict[str, object]]:
    done = system.run("status", "--json")
    return done.returncode, json.loads(done.stdout)


def child(system: Installation, name: str) -> psutil.Process | None:
    state = Home(system.home).read_state()
    mark = state.children[name].process if state is not None else None
    return mark.process() if mark is not None else None


def test_on_a_full_disk_the_status_is_not_healthy(system: Installation, disk: Path) -> None:
    assert status_of(system)[0] == 0
    fill(disk)
    code, status = status_of(system)
    assert code == 1 and status["system_health"] != "healthy"
    assert any("is full" in str(problem) for problem in status["problems"])  # type: ignore[attr-defined]
    assert "is full" in system.run("status").stdout
    assert system.run("doctor").returncode == 1


def test_what_dies_on_a_full_disk_takes_nobody_with_it_and_is_back_when_there_is_room(
    system: Installation, disk: Path
) -> None:
    (supervisor,) = system.processes
    log = system.home / "test-up.log"
    for name in ("api", "practice"):
        victim = child(system, name)
        assert victim is not None
        victim.kill()
    started_s = time.monotonic()
    # More than five deaths would fit into this time: the limit after which a process is given up.
    wait_for(lambda: time.monotonic() - started_s > 25)
    assert supervisor.poll() is None, log.read_text()[-2000:]
    (disk / "filler").unlink()
    wait_for(lambda: status_of(system)[0] == 0)
    assert supervisor.poll() is None
    assert "Traceback" not in log.read_text()


def test_down_stops_everything_on_a_full_disk_and_says_the_truth(system: Installation, disk: Path) -> None:
    fill(disk)
    done = system.run("down")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("Stopped Prescient on ")
    assert system.family() == []
    system.processes.clear()


def test_a_start_on_a_full_disk_says_why_it_cannot(system: Installation, disk: Path) -> None:
    done = system.run("up")
    assert done.returncode == 1
    assert f"The disk of {system.home} is full" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert system.family() == []


def test_a_database_left_behind_on_a_full_disk_is_ended_without_a_start(system: Installation, disk: Path) -> None:
    (disk / "filler").unlink()
    system.start("up")
    system.wait_ready()
    wait_for(lambda: (Home(system.home).read_state() or status_of(system)) and status_of(system)[0] == 0)
    state = Home(system.home).read_state()
    assert state is not None and state.database is not None
    fill(disk)
    supervisor = state.supervisor.process()
    assert supervisor is not None
    supervisor.kill()
    assert state.database.process() is not None
    done = system.run("down")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "stopped the database that an earlier run had left behind" in done.stdout
    assert system.family() == []
