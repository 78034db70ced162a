"""The embedded server as the supervisor uses it: every test starts a real PostgreSQL and leaves no process behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from prescient.adapters.postgres.server.embedded import EmbeddedPostgres, connection_of, psql_path
from prescient.adapters.postgres.server.types import AlreadyRunning, ConnectionInfo, StartTimedOut
from prescient.domain.errors import PortTaken
from tests.prescient.postgres.servers import POSIX_ONLY, Servers, free_port, query, server_processes, wait_until_gone


def test_serves_the_application_and_comes_back_with_its_rows(new_home: Path, servers: Servers) -> None:
    server = servers.of(new_home)
    assert server.status().state == "stopped"
    connection = server.start()
    query(connection, "CREATE TABLE kept AS SELECT 42 AS answer")

    status = server.status()
    assert (status.state, status.port) == ("running", connection.port)
    assert server.start() == connection
    assert server.status().process_id == status.process_id, "a second start of a running server must leave it be"

    server.stop()
    server.stop()
    assert server.status().state == "stopped"
    assert server_processes(status.data_folder) == []
    assert connection.socket_folder is None or not connection.socket_folder.exists()
    assert query(server.start(), "SELECT answer FROM kept") == "42"


def test_can_be_driven_from_changing_threads(home: Path, servers: Servers) -> None:
    server = servers.of(home)
    for action in (server.start, server.stop):
        thread = threading.Thread(target=action)
        thread.start()
        thread.join()
    assert server.status().state == "stopped"
    servers.of(home).start()


def test_application_role_owns_its_databases_and_nothing_more(home: Path) -> None:
    server = EmbeddedPostgres(home, free_port())
    connection = server.start()
    try:
        check_rights_and_settings(server, connection)
    finally:
        server.stop()


def check_rights_and_settings(server: EmbeddedPostgres, connection: ConnectionInfo) -> None:
    assert (connection.database, connection.user) == ("prescient_os", "prescient")
    rights = "rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls"
    assert query(connection, f"SELECT {rights} FROM pg_roles WHERE rolname = current_user") == "f"
    assert (
        query(connection, "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()")
        == "prescient"
    )

    practice = server.ensure_database("practice_7")
    query(practice, "CREATE TABLE apart (x int)")
    assert server.ensure_database("practice_7") == practice
    assert query(practice, "SELECT count(*) FROM apart") == "0"
    assert query(connection, "SELECT to_regclass('apart') IS NULL") == "t"
    for name in ('x"; DROP DATABASE prescient_os; --', "Upper", "1st", "", "a" * 64):
        with pytest.raises(ValueError, match="database name"):
            server.ensure_database(name)

    for key, value in {
        "data_checksums": "on",
        "fsync": "on",
        "synchronous_commit": "on",
        "jit": "off",
        "listen_addresses": "127.0.0.1",
        "idle_in_transaction_session_timeout": "10s",
        "server_encoding": "UTF8",
        "timezone": "UTC",
    }.items():
        assert query(connection, f"SHOW {key}") == value
    assert query(connection, "SELECT datlocale FROM pg_database WHERE datname = current_database()") == "C.UTF-8"


def test_passwords_are_asked_for_and_kept_to_the_owner(
    home: Path, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POLYMARKET_PRIVATE_KEY", "0xsecret")
    monkeypatch.setenv("PGOPTIONS", "--no-such-option")
    monkeypatch.setenv("PGDATA", "/nonexistent")
    server = servers.of(home)
    connection = server.start()
    monkeypatch.delenv("PGOPTIONS")
    superuser = connection_of(home, connection.database, superuser=True)
    assert query(superuser, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") == "t"
    assert connection_of(home, connection.database) == connection

    hosts = ["127.0.0.1", str(connection.socket_folder)] if connection.socket_folder else ["127.0.0.1"]
    for host in hosts:
        for password in ("", "wrong"):
            wrong = os.environ | connection.environment() | {"PGHOST": host, "PGPASSWORD": password}
            done = subprocess.run(
                [str(psql_path()), "-X", "-w", "-c", "SELECT 1"], env=wrong, capture_output=True, check=False
            )
            assert done.returncode != 0, f"let in over {host} with a wrong password"

    status = server.status()
    log = status.log_file.read_text()
    for secret in (connection.password, superuser.password):
        assert len(secret) >= 32
        assert secret not in repr(connection) + repr(superuser) + repr(status) + log
    assert connection.password in connection.dsn()
    process = psutil.Process(status.process_id)
    assert "POLYMARKET_PRIVATE_KEY" not in process.environ()
    if sys.platform != "win32":
        assert (home / "postgres" / "credentials.json").stat().st_mode & 0o777 == 0o600
        assert status.log_file.stat().st_mode & 0o077 == 0
        assert status.data_folder.stat().st_mode & 0o077 == 0
        assert connection.socket_folder is not None
        assert connection.socket_folder.stat().st_mode & 0o777 == 0o700
        local = subprocess.run(
            [
                str(psql_path()),
                "-X",
                "-A",
                "-t",
                "-d",
                connection.dsn(local=True),
                "-c",
                "SELECT inet_server_addr() IS NULL",
            ],
            capture_output=True,
            text=True,
            check=True,
        )
        assert local.stdout.strip() == "t", "the local way in must be the Unix socket"


@POSIX_ONLY
@pytest.mark.parametrize(
    "name",
    ["h o m e ünï-$HOME `id` 'q\" \\x, #;", "deep/" + "/".join(["folder-with-a-long-name-" + "x" * 60] * 5)],
    ids=["signs", "long"],
)
def test_any_path_will_do(folder: Path, servers: Servers, name: str) -> None:
    server = servers.of(folder / name)
    connection = server.start()
    assert connection.socket_folder is not None
    assert len(os.fsencode(connection.socket_folder / f".s.PGSQL.{connection.port}")) <= 100
    query(connection, "CREATE TABLE kept AS SELECT 1 AS answer")
    server.stop()
    assert query(servers.of(folder / name).start(), "SELECT answer FROM kept") == "1"
    assert server.status().data_folder.is_relative_to(folder / name)


@POSIX_ONLY
def test_killed_server_recovers_every_committed_row(home: Path, servers: Servers) -> None:
    server = servers.of(home)
    connection = server.start()
    query(connection, "CREATE TABLE kept (x int)")
    for round_number in (1, 2):
        query(connection, "INSERT INTO kept SELECT generate_series(1, 500)")
        killed = server.status().process_id
        assert killed is not None
        # A client in the middle of its work keeps a backend alive after the main process is gone.
        busy = [str(psql_path()), "-X", "-c", "SELECT count(*) FROM generate_series(1, 1000000000)"]
        environment = os.environ | connection.environment()
        with subprocess.Popen(busy, env=environment, stderr=subprocess.DEVNULL) as client:
            try:
                while query(connection, "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%1000000000)'") != "1":
                    pass
                os.kill(killed, signal.SIGKILL)
                assert server.start() == connection
            finally:
                client.kill()
        assert server.status().process_id != killed
        assert query(connection, "SELECT count(*) FROM kept") == str(500 * round_number)
    server.stop()
    assert server_processes(server.status().data_folder) == []


@POSIX_ONLY
def test_slow_recovery_is_waited_for_and_never_begun_anew(home: Path, servers: Servers) -> None:
    first = servers.of(home)
    connection = first.start()
    query(connection, "CREATE TABLE kept AS SELECT repeat('x', 900) FROM generate_series(1, 60000)")
    killed = first.status().process_id
    assert killed is not None
    os.kill(killed, signal.SIGKILL)
    wait_until_gone(killed)
    first.stop()

    impatient = servers.of(home, start_timeout_s=0.0)
    with pytest.raises(StartTimedOut, match="Start again in a while"):
        impatient.start()
    seen = set()
    for _ in range(100_000):
        seen.add(impatient.status().process_id)
        try:
            connection = impatient.start()
        except StartTimedOut:
            continue
        break
    seen.add(impatient.status().process_id)
    assert len(seen - {None}) == 1, "waiting again must not start the recovery again"
    assert query(connection, "SELECT count(*) FROM kept") == "60000"

    # Ended while it was hardly begun: nothing may be left.
    impatient.stop()
    with pytest.raises(StartTimedOut):
        impatient.start()
    impatient.stop()
    assert server_processes(impatient.status().data_folder) == []


@POSIX_ONLY
@pytest.mark.parametrize("orphan_lives", [True, False], ids=["orphan-lives", "orphan-killed-too"])
def test_server_left_by_a_killed_supervisor_is_taken_over(home: Path, servers: Servers, orphan_lives: bool) -> None:
    port = free_port()
    program = (
        "import sys, time; from pathlib import Path; from prescient.adapters.postgres.server.embedded import EmbeddedPostgres;"
        f"server = EmbeddedPostgres(Path(sys.argv[1]), {port}); server.start(); print('up', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(home)], stdout=subprocess.PIPE, text=True) as supervisor:
        assert supervisor.stdout is not None
        assert supervisor.stdout.readline() == "up\n"
        with pytest.raises(AlreadyRunning, match="PRESCIENT_HOME"):
            servers.of(home).start()
        kept = connection_of(home)
        query(kept, "DROP TABLE IF EXISTS kept_over_take_over")
        query(kept, "CREATE TABLE kept_over_take_over AS SELECT 7 AS answer")
        orphan = servers.of(home).status().process_id
        supervisor.kill()
    assert orphan is not None
    data = servers.of(home).status().data_folder
    assert orphan in [process.pid for process in server_processes(data)], (
        "the test needs a server that outlives its starter"
    )
    if not orphan_lives:
        os.kill(orphan, signal.SIGKILL)

    server = servers.of(home, port)
    server.start()
    assert orphan not in [process.pid for process in server_processes(data)]
    assert query(connection_of(home), "SELECT answer FROM kept_over_take_over") == "7"


def test_second_start_is_refused_and_does_not_disturb_the_first(home: Path, servers: Servers) -> None:
    first, second = servers.of(home), servers.of(home)
    connection = first.start()
    before = first.status().process_id
    with pytest.raises(AlreadyRunning, match="prescient down"):
        second.start()
    second.stop()
    assert first.status().process_id == before
    assert query(connection, "SELECT 1") == "1"
    first.stop()
    second.start()
    assert second.status().state == "running"


def test_two_homes_live_side_by_side(home: Path, new_home: Path, servers: Servers) -> None:
    one, two = servers.of(home), servers.of(new_home)
    connections = one.start(), two.start()
    for number, connection in enumerate(connections):
        query(connection, f"CREATE TABLE mine AS SELECT {number} AS answer")
    assert [query(connection, "SELECT answer FROM mine") for connection in connections] == ["0", "1"]
    assert connections[0].password != connections[1].password
    one.stop()
    assert query(connections[1], "SELECT answer FROM mine") == "1"


def test_taken_port_is_named_with_its_holder_and_leaves_the_home_free(home: Path, servers: Servers) -> None:
    with socket.socket() as rival:
        rival.bind(("127.0.0.1", 0))
        rival.listen()
        port = rival.getsockname()[1]
        with pytest.raises(PortTaken, match="PRESCIENT_PORT_SHIFT") as caught:
            servers.of(home, port).start()
        assert str(port) in str(caught.value)
        assert str(os.getpid()) in str(caught.value)
        servers.of(home).start()
