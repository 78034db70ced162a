"""Which Python set-up takes: 3.13, 3.12, 3.11 in this order, on every system alike, and why it refuses others."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

BOOTSTRAP = REPOSITORY / "tools" / "bootstrap.py"
IN_RANGE = "(3, 11) <= sys.version_info[:2] <= (3, 13)"


def set_up_as(version: tuple[int, int], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run set-up on a Python that calls itself by another version."""
    (folder / "sitecustomize.py").write_text(f"import sys\nsys.version_info = {(*version, 0, 'final', 0)}\n")
    program = shutil.copy(BOOTSTRAP, folder)
    return subprocess.run(
        [sys.executable, program],
        env={"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("version", [(3, 10), (3, 14), (3, 15), (4, 0)])
def test_other_pythons_are_refused_with_the_reason(tmp_path: Path, version: tuple[int, int]) -> None:
    done = set_up_as(version, tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("Prescient needs Python 3.11, 3.12 or 3.13;") and "make PYTHON=" in done.stderr
    assert ("coincurve" in done.stderr) == (version > (3, 13))
    assert "Traceback" not in done.stderr


def test_the_bound_is_the_same_everywhere() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["requires-python"] == ">=3.11,<3.14"
    promised = [line.rsplit(" ", 1)[1] for line in project["classifiers"] if re.search(r":: 3\.\d+$", line)]
    assert promised == ["3.11", "3.12", "3.13"]
    for name in ("Makefile", "start_servers.bat"):
        assert IN_RANGE in (REPOSITORY / name).read_text(encoding="utf-8"), name
    (tried,) = re.findall(r"for %%P in \((.*)\) do", (REPOSITORY / "start_servers.bat").read_text(encoding="utf-8"))
    assert re.findall(r'"([^"]+)"', tried) == ["py -3.13", "py -3.12", "py -3.11", "python", "python3"]


@pytest.mark.parametrize(
    ("there", "taken"),
    [
        ({"python3.11": 0, "python3.12": 0, "python3.13": 0, "python3": 0}, "python3.13"),
        ({"python3.11": 0, "python3.12": 0, "python3": 0}, "python3.12"),
        ({"python3.11": 0, "python3.13": 1, "python3": 0}, "python3.11"),
        ({"python3": 0}, "python3"),
    ],
)
def test_make_tries_them_in_this_order(tmp_path: Path, there: dict[str, int], taken: str) -> None:
    make = shutil.which("make")
    if make is None:
        pytest.skip("make is not installed")
    for name, status in there.items():
        (tmp_path / name).write_text(f"#!/bin/sh\nexit {status}\n")
        (tmp_path / name).chmod(0o755)
    command = [make, "-n", "-C", str(REPOSITORY), "setup", "SHELL=/bin/sh"]
    said = subprocess.run(command, env={"PATH": str(tmp_path)}, capture_output=True, text=True, timeout=60, check=True)
    assert f"{tmp_path / taken} tools/bootstrap.py" in said.stdout


def test_make_leaves_the_explanation_to_set_up(tmp_path: Path) -> None:
    """Where no Python is in range, set-up itself runs on the one there is and says why it cannot go on."""
    make = shutil.which("make")
    if make is None:
        pytest.skip("make is not installed")
    (tmp_path / "python3").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "python3").chmod(0o755)
    command = [make, "-n", "-C", str(REPOSITORY), "setup", "SHELL=/bin/sh"]
    said = subprocess.run(command, env={"PATH": str(tmp_path)}, capture_output=True, text=True, timeout=60, check=True)
    assert "python3 tools/bootstrap.py" in said.stdout
