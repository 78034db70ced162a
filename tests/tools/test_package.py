"""What a wheel holds, and that the hooks for commits run what `make lint` runs."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGES = ("polymarket_kit", "practice_exchange", "prescient")


def test_the_wheel_has_all_packages_and_says_that_they_are_typed(tmp_path: Path) -> None:
    program = f"import uv_build; uv_build.build_wheel({str(tmp_path)!r})"
    # The back-end looks for its own program on PATH.
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=REPOSITORY,
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (metadata,) = [name for name in names if name.endswith("/METADATA")]
        assert "Classifier: Typing :: Typed" in archive.read(metadata).decode()
    assert {f"{package}/{file}" for package in PACKAGES for file in ("__init__.py", "py.typed")} <= names


def test_the_hooks_run_what_make_lint_runs_and_load_nothing() -> None:
    configuration = yaml.safe_load((REPOSITORY / ".pre-commit-config.yaml").read_text())
    assert [repo["repo"] for repo in configuration["repos"]] == ["local"]
    hooks = [hook for repo in configuration["repos"] for hook in repo["hooks"]]
    assert {hook["language"] for hook in hooks} == {"system"}
    printed = subprocess.run(
        ["make", "--dry-run", "--no-print-directory", "lint"],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
        text=True,
    )
    assert [hook["entry"] for hook in hooks] == printed.stdout.splitlines()
