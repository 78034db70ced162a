"""Set-up on a Python without venv: which system package it installs, when it does not, and what it says.

tools/bootstrap.py runs as `make run` runs it, in a folder of its own. PATH leads to an apt-get that only writes down how it
was called, and PYTHONPATH hides the two modules that Debian ships apart.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

BOOTSTRAP = Path(__file__).resolve().parents[2] / "tools" / "bootstrap.py"
PACKAGE = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
NOBODY = 65534
WITHOUT_MODULE = 'raise SystemExit("ensurepip is not available")\n'
APT_GET = '#!/bin/sh\necho "$@" >> "$APT_GET_LOG"\nexit "${APT_GET_STATUS:-0}"\n'

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="apt-get is a program of Debian-like systems")
as_root = pytest.mark.skipif(
    os.name == "posix" and os.geteuid() != 0, reason="only root installs system packages, and becomes somebody else"
)


class Bare:
    """A copy of the program, with a Python that cannot make virtual environments."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "apt-get.log"
        self.programs, self.modules, tools = folder / "bin", folder / "modules", folder / "project" / "tools"
        for made in (self.programs, self.modules, tools, folder / "project" / "requirements"):
            made.mkdir(parents=True)
        for file in ("requirements.txt", "pyproject.toml", "requirements/build.txt", "requirements/uv.txt"):
            (folder / "project" / file).write_text("")
        for module in ("venv", "ensurepip"):
            (self.modules / f"{module}.py").write_text(WITHOUT_MODULE)
        self.program = Path(shutil.copy(BOOTSTRAP, tools))
        self.add_apt_get()

    def add_apt_get(self) -> None:
        program = self.programs / "apt-get"
        program.write_text(APT_GET)
        program.chmod(0o755)

    def run(self, python: str = sys.executable, user: int | None = None, **environment: str) -> tuple[int, str, str]:
        """Return the exit code and what was written to standard output and standard error."""
        own = {"PATH": str(self.programs), "PYTHONPATH": str(self.modules), "APT_GET_LOG": str(self.log)}
        # A test may run where the variable is set.
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PRESCIENT_")}
        done = subprocess.run(
            [python, str(self.program)],
            env=kept | own | environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            user=user,
        )
        return done.returncode, done.stdout, done.stderr

    def calls(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []


@pytest.fixture
def bare(tmp_path: Path) -> Bare:
    return Bare(tmp_path)


@as_root
def test_root_gets_the_package_and_is_told_which_and_why(bare: Bare) -> None:
    code, out, err = bare.run()
    assert bare.calls() == ["update -qq", f"install -y -qq {PACKAGE}"]
    (line,) = [line for line in out.splitlines() if "system package" in line]
    assert PACKAGE in line and "cannot make virtual environments" in line
    # This apt-get brings nothing, so the second try fails like the first.
    assert code == 1 and "Set-up failed at:" in err and "-m venv" in err


@as_root
def test_an_installation_that_fails_ends_the_set_up(bare: Bare) -> None:
    code, _, err = bare.run(APT_GET_STATUS="100")
    assert bare.calls() == ["update -qq"]
    assert code == 1 and "Set-up failed at: apt-get update -qq" in err


def test_it_can_be_forbidden_and_says_what_to_type(bare: Bare) -> None:
    code, _, err = bare.run(PRESCIENT_INSTALL_SYSTEM_PACKAGES="0")
    assert bare.calls() == []
    assert code == 1 and err.rstrip().endswith(f"apt-get install {PACKAGE}") and "forbids" in err


def test_without_apt_get_nothing_is_tried(bare: Bare) -> None:
    (bare.programs / "apt-get").unlink()
    code, _, err = bare.run()
    assert bare.calls() == []
    assert code == 1 and "make PYTHON=" in err


def test_a_failure_of_another_kind_installs_nothing(bare: Bare) -> None:
    for module in ("venv", "ensurepip"):
        (bare.modules / f"{module}.py").unlink()
    (bare.program.parents[1] / ".uv").write_text("a file in the way of the folder")
    code, _, err = bare.run()
    assert bare.calls() == []
    assert code == 1 and "Set-up failed at:" in err and ".uv" in err


@as_root
def test_anybody_else_is_told_to_ask_for_it() -> None:
    python = shutil.which("python3", path="/usr/bin")
    if python is None:
        pytest.skip("there is no Python of the system that another account could run")
    # Not pytest's own folder, which other accounts may not enter.
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        bare = Bare(Path(folder))
        code, _, err = bare.run(python, user=NOBODY)
        assert bare.calls() == []
    assert code == 1 and "sudo apt-get install python3." in err
