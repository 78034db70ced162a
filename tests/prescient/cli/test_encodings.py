"""Output into a pipe that takes few signs, as every pipe on Windows: a replacement is printed, never a traceback.

The tests follow each other on one system whose home and portfolio bear names that cp1252 cannot write.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.running import Installation

pytestmark = pytest.mark.slow

NAME = "Größe → 日本 ≤"
READ_IN_CP1252 = "Größe ? ?? ?"
HELP_OF = ("portfolio", "cycle", "order", "practice", "practice faults")
COMMANDS = (
    "status",
    "doctor",
    "portfolio list",
    "portfolio show 2",
    "cycle run",
    "cycle list",
    "trades",
    "positions --portfolio 2",
    "performance --portfolio 2",
    "explain",
    "order list",
    "practice faults kinds",
    "portfolio list --json",
    "trades --json",
)


def run(system: Installation, command: list[str], encoding: str) -> tuple[int, str]:
    """The exit code and everything that was written; like ``prescient ... | more``."""
    done = subprocess.run(
        [sys.executable, "-m", "prescient", *command],
        env=system.environment | {"PYTHONIOENCODING": encoding},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=120,
        cwd=system.home,
        check=False,
    )
    text = done.stdout.decode(encoding)
    assert "Traceback" not in text and "UnicodeEncodeError" not in text, text
    return done.returncode, text


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    # The home's name is ASCII with a sign that cp1252 lacks: the supervisor prints it, too.
    installation = Installation(tmp_path_factory.mktemp("home") / "of → mine")
    installation.extra = {"PYTHONIOENCODING": "cp1252"}
    try:
        installation.start("up")
        installation.wait_ready()
        yield installation
    finally:
        installation.stop()


def test_the_supervisor_starts_and_says_where(system: Installation) -> None:
    code, _ = run(system, ["portfolio", "create", NAME, "--balance", "1000"], "cp1252")
    assert code == 0
    (output,) = system.home.glob("test-up*.log")
    said = output.read_bytes().decode("cp1252")
    assert "is ready after" in said and "of ? mine" in said and "Traceback" not in said


@pytest.mark.parametrize("encoding", ["cp1252", "cp437"])
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_gets_its_output_through(system: Installation, command: str, encoding: str) -> None:
    code, text = run(system, command.split(), encoding)
    assert code == 0, text
    assert text.strip()
    if command == "portfolio list" and encoding == "cp1252":
        assert READ_IN_CP1252 in text


def test_a_backup_says_where_it_lies(system: Installation) -> None:
    code, text = run(system, ["backup"], "cp1252")
    assert code == 0 and "of ? mine" in text


def test_refusals_get_through_as_well(system: Installation) -> None:
    for command in (["portfolio", "show", "99"], ["portfolio", "create", NAME, "--strategy", "→"], ["→"]):
        code, text = run(system, command, "cp437")
        assert code != 0 and text.strip(), command


def test_logs_are_utf8_whatever_the_console_takes(system: Installation) -> None:
    assert run(system, ["down"], "cp437")[0] == 0
    logs = list((system.home / "logs").glob("*.log"))
    assert len(logs) >= 4
    for log in logs:
        assert "Logging error" not in log.read_bytes().decode("utf-8"), log


@pytest.mark.parametrize(
    "words", ["", *HELP_OF, *sorted({command.split(" --")[0] for command in COMMANDS} - {"portfolio show 2"})]
)
def test_help_of_every_command(words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "prescient", *words.split(), "--help"],
        env=os.environ | {"PYTHONIOENCODING": "cp437"},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0 and done.stdout and not done.stderr, done.stderr
