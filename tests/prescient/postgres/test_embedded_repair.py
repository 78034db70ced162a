"""What the embedded server makes of strangers, lost files and broken settings: it heals them or says what to do."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from prescient.adapters.postgres.server.embedded import EmbeddedPostgres, connection_of, pg_dump_path, pg_restore_path
from prescient.adapters.postgres.server.types import HomeNotUsable, NotRunning, StartFailed, VersionMismatch
from tests.prescient.postgres.servers import POSIX_ONLY, Servers, free_port, query, server_processes


@POSIX_ONLY
def test_number_of_a_stranger_in_the_pid_file_stops_nobody(home: Path, servers: Servers) -> None:
    server = servers.of(home)
    server.start()
    pid_file = server.status().data_folder / "postmaster.pid"
    lines, owner = pid_file.read_text().splitlines(), pid_file.stat()
    server.stop()
    # Under the server's own account, or PostgreSQL would by itself see that it is a stranger.
    options = {"user": owner.st_uid, "group": owner.st_gid} if os.geteuid() == 0 else {}
    with subprocess.Popen(["sleep", "60"], **options) as stranger:  # type: ignore[call-overload]  # keywords from a dict
        pid_file.write_text("\n".join([str(stranger.pid), *lines[1:]]))
        pid_file.chmod(0o600)
        os.chown(pid_file, owner.st_uid, owner.st_gid)
        assert server.status().state == "stopped"
        with pytest.raises(NotRunning):
            connection_of(home)
        server.start()
        assert server.status().state == "running"
        server.stop()
        assert stranger.poll() is None, "the stranger must not have been touched"
        stranger.kill()


@POSIX_ONLY
def test_interrupt_at_the_terminal_does_not_reach_the_server(home: Path, servers: Servers) -> None:
    server = servers.of(home)
    server.start()
    process_id = server.status().process_id
    assert process_id is not None
    # Ctrl-C goes to every process of the terminal's foreground group; the supervisor alone decides when the database stops.
    assert os.getpgid(process_id) != os.getpgid(0)
    assert os.getsid(process_id) != os.getsid(0)


@POSIX_ONLY
def test_frozen_server_is_ended_all_the_same(home: Path, servers: Servers) -> None:
    server = servers.of(home, stop_timeout_s=0.3)
    connection = server.start()
    query(connection, "CREATE TABLE kept AS SELECT 1 AS answer")
    frozen = server.status().process_id
    assert frozen is not None
    os.kill(frozen, signal.SIGSTOP)
    server.stop()
    assert server_processes(server.status().data_folder) == []
    assert query(server.start(), "SELECT answer FROM kept") == "1"


def test_lost_and_damaged_files_are_healed_or_explained(new_home: Path, servers: Servers) -> None:
    (new_home / "postgres" / "data.draft" / "base").mkdir(parents=True)
    (new_home / "postgres" / "data.draft" / "PG_VERSION").write_text("18\n")
    server = servers.of(new_home)
    former = server.start()
    query(former, "CREATE TABLE kept AS SELECT 1 AS answer")
    server.stop()

    credentials = new_home / "postgres" / "credentials.json"
    credentials.write_text("{half")
    with pytest.raises(HomeNotUsable, match="Delete it and start again"):
        server.start()
    credentials.unlink()
    renewed = server.start()
    assert renewed.password != former.password
    assert query(renewed, "SELECT answer FROM kept") == "1"
    server.stop()

    version = server.status().data_folder / "PG_VERSION"
    version.write_text("17\n")
    with pytest.raises(VersionMismatch, match="Back it up"):
        server.start()
    version.write_text("18\n")
    settings = server.status().data_folder / "postgresql.auto.conf"
    settings.write_text("shared_buffers = 'nonsense'\n")
    with pytest.raises(StartFailed, match="shared_buffers"):
        server.start()
    settings.write_text("")
    assert query(server.start(), "SELECT answer FROM kept") == "1"


@POSIX_ONLY
def test_socket_folder_of_somebody_else_is_not_used(home: Path, servers: Servers) -> None:
    server = servers.of(home)
    connection = server.start()
    server.stop()
    assert connection.socket_folder is not None
    connection.socket_folder.symlink_to(home)
    try:
        with pytest.raises(HomeNotUsable, match="Remove it"):
            server.start()
    finally:
        connection.socket_folder.unlink()
    server.start()


def test_log_is_rotated_under_the_running_server(home: Path, servers: Servers) -> None:
    server = servers.of(home)
    connection = server.start()
    log = server.status().log_file
    assert server.rotate_log() is False
    for number in range(4):
        with log.open("ab") as file:
            file.write(b"%d\n" % number + b"x" * 10 * 1024 * 1024)
        assert server.rotate_log() is True
    assert log.stat().st_size == 0
    assert sorted(path.name for path in log.parent.iterdir()) == ["postgres.log"] + [
        f"postgres.log.{n}" for n in (1, 2, 3)
    ]
    assert log.with_name("postgres.log.1").read_bytes().startswith(b"3\n")
    with pytest.raises(AssertionError):
        query(connection, "SELECT no_such_column")
    assert "no_such_column" in log.read_text()


def test_backup_programs_are_there_and_work(home: Path, folder: Path, servers: Servers) -> None:
    server = servers.of(home)
    connection = server.start()
    query(connection, "CREATE TABLE kept AS SELECT 5 AS answer")
    copy = server.ensure_database("restored")
    dump = folder / "backup.dump"
    for command, target in (
        ([str(pg_dump_path()), "-Fc", "-f", str(dump)], connection),
        ([str(pg_restore_path()), "--no-owner", "--exit-on-error", "-d", "restored", str(dump)], copy),
    ):
        subprocess.run(command, env=os.environ | target.environment(), check=True, timeout=60)
    assert query(copy, "SELECT answer FROM kept") == "5"


def test_tools_say_so_when_nothing_runs(new_home: Path) -> None:
    with pytest.raises(NotRunning, match="prescient up"):
        connection_of(new_home)
    with pytest.raises(NotRunning, match="prescient up"):
        EmbeddedPostgres(new_home, free_port()).ensure_database("prescient_os")
    assert not new_home.exists()
