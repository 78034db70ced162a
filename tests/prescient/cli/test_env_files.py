"""Which `.env` counts: one rule, said aloud, through the commands as people type them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from prescient.supervisor.home import Home
from prescient.supervisor.plan import Choice
from tests.conftest import free_port

FREE = ("PRESCIENT_", "POSTGRES_", "PYTHON_LOG_LEVEL")


class Person:
    """Somebody who types commands in a folder, with a home that is not there yet."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.here = folder / "here"
        self.elsewhere = folder / "elsewhere"
        self.here.mkdir()
        self.elsewhere.mkdir()
        self.environment = {"PRESCIENT_HOME": str(self.home), "PRESCIENT_PORT_SHIFT": "23000"}

    def types(self, *arguments: str, at: Path | None = None) -> subprocess.CompletedProcess[str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(FREE)}
        return subprocess.run(
            [sys.executable, "-P", "-m", "prescient", *arguments],
            env=kept | self.environment,
            cwd=at or self.here,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def status(self, at: Path | None = None) -> Any:
        done = self.types("status", "--json", at=at)
        assert done.stdout, done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def person(tmp_path: Path) -> Person:
    return Person(tmp_path)


def external(port: int, name: str = "my_db") -> str:
    return f"POSTGRES_HOST=127.0.0.1\nPOSTGRES_PORT={port}\nPOSTGRES_DB={name}\nPOSTGRES_PASSWORD=x\n"


def test_the_current_folders_file_comes_before_backends(person: Person) -> None:
    (person.here / "backend").mkdir()
    (person.here / "backend" / ".env").write_text("POSTGRES_DB=of_backend\nPRESCIENT_VENUE=polymarket\n")
    (person.here / ".env").write_text("POSTGRES_DB=of_here\nPRESCIENT_VENUE=\n")
    status = person.status()
    assert status["settings_files"] == [str(person.here / ".env"), str(person.here / "backend" / ".env")]
    assert status["database"] == "of_here_polymarket", "a key without a value counts as not given"


def test_a_named_file_comes_before_all_and_must_be_there(person: Person) -> None:
    (person.here / ".env").write_text("POSTGRES_DB=of_here\n")
    named = person.elsewhere / "mine.env"
    person.environment["PRESCIENT_ENV_FILE"] = str(named)
    missing = person.types("status")
    assert missing.returncode == 2
    assert f"PRESCIENT_ENV_FILE names {named}, which is not a file." in missing.stderr
    named.write_text("POSTGRES_DB=of_mine\n")
    assert person.status()["settings_files"] == [str(named)]
    assert person.status()["database"] == "of_mine"
    person.environment["PRESCIENT_ENV_FILE"] = os.devnull
    assert person.status()["settings_files"] == []


def test_a_start_says_which_file_and_database_and_one_that_fails_binds_the_home_to_nothing(person: Person) -> None:
    (person.here / ".env").write_text(external(free_port()))
    started = person.types("up")
    assert started.returncode == 1, "nothing listens there"
    assert f"Settings: {person.here / '.env'}. Database: my_db on localhost:" in started.stdout
    (person.here / ".env").write_text("POSTGRES_DB=another\n")
    assert person.status()["database"] == "another"


def test_elsewhere_the_file_of_the_last_start_counts_and_another_database_is_refused(person: Person) -> None:
    file, port = person.here / ".env", free_port()
    file.write_text(external(port))
    person.home.mkdir()
    database = f"my_db on localhost:{port}"
    Home(person.home).keep_choice(Choice("practice", 7, database=database, env_files=(str(file),)))
    status = person.status(at=person.elsewhere)
    assert status["settings_files"] == [str(person.here / ".env")]
    assert (status["database"], status["database_server"].split(":")[0]) == ("my_db", "localhost")

    (person.elsewhere / ".env").write_text("PRICE_UPDATE_INTERVAL=60\n")
    for command in (("up",), ("status",), ("backup",), ("psql",), ("doctor",), ("portfolio", "list")):
        refused = person.types(*command, at=person.elsewhere)
        assert refused.returncode == 4, (command, refused.stdout)
        assert "works with the database my_db on localhost" in refused.stderr
        assert f"PRESCIENT_ENV_FILE={person.here / '.env'}" in refused.stderr
        assert "--change-database" in refused.stderr
    assert not (person.home / "postgres").exists()
    assert person.types("down", at=person.elsewhere).returncode == 0


@pytest.mark.parametrize("name", ["PRESCIENT_HOME", "PRESCIENT_PORT_SHIFT", "POSTGRES_PORT", "PYTHON_LOG_LEVEL"])
def test_an_empty_key_is_not_given(person: Person, name: str) -> None:
    person.environment |= {"XDG_DATA_HOME": str(person.elsewhere), "HOME": str(person.elsewhere), name: ""}
    status = person.status()
    assert status["home"] != str(person.here)
    (person.here / ".env").write_text(f"{name}=\n")
    del person.environment[name]
    assert person.status()["home"] != str(person.here)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("POSTGRES_DB=mine\n".encode("utf-16"), "is UTF-16"),
        ("POSTGRES_DB=mine\n".encode("utf-16-le"), "is UTF-16"),
        ("A=1\nPOSTGRES_PASSWORD=schön\n".encode("cp1252"), "is not UTF-8 (line 2); it may be Windows' cp1252"),
    ],
)
@pytest.mark.parametrize("command", [("status",), ("practice", "--port", "0"), ("serve", "events")])
def test_another_encoding_is_named(person: Person, command: tuple[str, ...], content: bytes, said: str) -> None:
    (person.here / ".env").write_bytes(content)
    done = person.types(*command)
    assert done.returncode == 2
    assert f"{person.here / '.env'} {said}" in done.stderr and "Save it as UTF-8" in done.stderr
    assert "schön" not in done.stderr and len(done.stderr.splitlines()) == 1


def test_a_byte_order_mark_hides_no_key(person: Person) -> None:
    (person.here / ".env").write_bytes("POSTGRES_DB=of_notepad\n".encode("utf-8-sig"))
    assert person.status()["database"] == "of_notepad"
