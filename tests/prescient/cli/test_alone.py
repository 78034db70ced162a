"""What the command line says when nothing runs: help, wrong settings, a venue out of reach, taken ports."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from tests.running import Installation

COMMANDS = "up down serve worker practice cycle portfolio trades positions performance explain status doctor psql backup restore"


@pytest.fixture
def nobody(tmp_path: Path) -> Installation:
    """An installation on which nothing runs; its home is not even there."""
    installation = Installation(tmp_path / "a home")
    installation.extra = {"PRESCIENT_HOME": str(tmp_path / "a home" / "data")}
    return installation


def home_of(installation: Installation) -> Path:
    return Path(installation.environment["PRESCIENT_HOME"])


@pytest.fixture(autouse=True)
def _place(nobody: Installation) -> None:
    nobody.home.mkdir(parents=True)


def test_help_lists_every_command(nobody: Installation) -> None:
    done = nobody.run("--help")
    assert done.returncode == 0
    listed = {line.split()[0] for line in done.stdout.splitlines() if line.startswith("  ") and line.split()}
    assert set(COMMANDS.split()) <= listed


def test_version(nobody: Installation) -> None:
    assert nobody.run("--version").stdout.startswith("prescient ")


@pytest.mark.parametrize(
    "command",
    [
        ("trades",),
        ("cycle", "run"),
        ("status",),
        ("psql", "-c", "SELECT 1"),
        ("backup",),
        ("backup", "somewhere.dump"),
    ],
)
def test_not_running_is_one_line_with_the_cure(nobody: Installation, command: tuple[str, ...]) -> None:
    done = nobody.run(*command)
    assert done.returncode == 3
    said = (done.stdout + done.stderr).strip()
    assert "prescient up" in said and len(said.splitlines()) == 1
    assert not home_of(nobody).exists()


def test_down_with_nothing_running_is_no_failure(nobody: Installation) -> None:
    done = nobody.run("down")
    assert done.returncode == 0
    assert "is not running" in done.stdout


def test_a_wrong_setting_is_named_and_not_repeated(nobody: Installation) -> None:
    nobody.extra = {"PRESCIENT_PORT_SHIFT": "s3cret-and-wrong"}
    done = nobody.run("status")
    assert done.returncode == 2
    assert "PRESCIENT_PORT_SHIFT" in done.stderr and "s3cret" not in done.stderr + done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "command",
    [("serve", "nothing"), ("cycle", "run", "--min-market-conviction", "2"), ("cycle", "run", "--no-such")],
)
def test_asked_wrongly_is_exit_code_2(nobody: Installation, command: tuple[str, ...]) -> None:
    done = nobody.run(*command)
    assert done.returncode == 2
    assert done.stderr and "Traceback" not in done.stderr


def test_a_venue_out_of_reach_names_the_offline_command_before_anything_starts(nobody: Installation) -> None:
    nobody.extra |= {"PRESCIENT_GAMMA_URL": "http://127.0.0.1:9"}
    done = nobody.run("up", "--venue", "polymarket")
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert "Polymarket cannot be reached" in done.stderr and "make run" in done.stderr
    assert not home_of(nobody).exists()


def test_a_taken_port_is_said_before_anything_starts(nobody: Installation) -> None:
    with socket.create_server(("127.0.0.1", nobody.port(8002))):
        done = nobody.run("up")
    assert done.returncode == 4
    assert f"Port {nobody.port(8002)}, wanted for strategy, is taken by process" in done.stdout
    assert "PRESCIENT_PORT_SHIFT" in done.stdout
    assert not (home_of(nobody) / "postgres").exists()


def test_doctor_names_what_is_missing(nobody: Installation) -> None:
    with socket.create_server(("127.0.0.1", nobody.port(8001))):
        done = nobody.run("doctor")
    assert done.returncode == 1
    assert f"port {nobody.port(8001)} is taken by process" in done.stdout
    assert "prescient up" in done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "command",
    [
        ("portfolio", "create", "X", "--balance", "nan"),
        ("portfolio", "create", "X", "--balance", "inf"),
        ("portfolio", "create", "X", "--config", "trade_size_usd=NaN"),
        ("portfolio", "create", "X", "--config", "trade_size_usd=1e999"),
    ],
)
def test_what_is_no_number_is_asked_wrongly(nobody: Installation, command: tuple[str, ...]) -> None:
    done = nobody.run(*command)
    assert done.returncode == 2
    assert "cannot be sent" in done.stderr and len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(("command", "port"), [(("practice",), 8010), (("practice", "--frozen"), 8010)])
def test_a_single_process_on_a_taken_port_names_the_holder(
    nobody: Installation, command: tuple[str, ...], port: int
) -> None:
    with socket.create_server(("127.0.0.1", nobody.port(port))):
        done = nobody.run(*command)
    assert done.returncode == 4
    assert f"Address already in use: 127.0.0.1:{nobody.port(port)} is held by process {os.getpid()}" in done.stderr
    assert "Traceback" not in done.stderr and "PRESCIENT_PORT_SHIFT" in done.stderr
