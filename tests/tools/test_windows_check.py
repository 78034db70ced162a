"""The check of Windows itself: it finds a DLL that nobody ships, and it says loudly where it could not run."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from tools.windows_check import import_closure
from tools.windows_check.place import INSTALLED, CheckFolder, digest, promised_pythons, stamp_of

from tests.conftest import REPOSITORY

VERSIONS = ["3.11", "3.12", "3.13"]


def launcher(wanted: bytes = b"SHLWAPI.dll") -> bytes:
    """A real Windows program; it imports KERNEL32.dll and one more, whose name may be put in another's place."""
    specification = importlib.util.find_spec("distlib")
    assert specification is not None
    assert specification.origin is not None
    content = Path(specification.origin).with_name("t64.exe").read_bytes()
    assert len(wanted) == len(b"SHLWAPI.dll") and content.count(b"SHLWAPI.dll") == 1
    return content.replace(b"SHLWAPI.dll", wanted)


def wheel_of(folder: Path, files: dict[str, bytes]) -> Path:
    wheel = folder / "thing-1.0-py3-none-win_amd64.whl"
    with zipfile.ZipFile(wheel, "w") as packed:
        for name, content in files.items():
            packed.writestr(name, content)
    return wheel


def missing(folder: Path, files: dict[str, bytes], version: str = "3.11") -> list[tuple[str, str]]:
    count, found = import_closure.unresolved(wheel_of(folder, files), version)
    assert count == len(files)
    return [(one.binary, one.dll) for one in found]


def test_a_library_that_nobody_ships_is_named_with_who_wants_it(tmp_path: Path) -> None:
    program = launcher(b"absentx.dll")
    assert missing(tmp_path, {"thing/bin/a.exe": program}) == [("thing/bin/a.exe", "absentx.dll")]
    _, (one,) = import_closure.unresolved(wheel_of(tmp_path, {"thing/bin/a.exe": program}), "3.11")
    assert str(one) == "thing-1.0-py3-none-win_amd64.whl: thing/bin/a.exe wants absentx.dll, which nobody ships"


def test_a_programs_library_must_lie_beside_it_and_an_extensions_anywhere_in_its_wheel(tmp_path: Path) -> None:
    wants, library = launcher(b"Absentx.dll"), launcher(b"CRYPT32.dll")
    assert missing(tmp_path, {"thing/bin/a.exe": wants, "thing/bin/ABSENTX.dll": library}) == []
    assert missing(tmp_path, {"thing/a.pyd": wants, "thing.libs/absentx.dll": library}) == []
    elsewhere = {"thing/bin/a.exe": wants, "thing/lib/absentx.dll": library}
    assert missing(tmp_path, elsewhere) == [("thing/bin/a.exe", "absentx.dll")]


@pytest.mark.parametrize("version", VERSIONS)
def test_what_python_brings_along_is_there_and_the_cpp_runtime_is_not(tmp_path: Path, version: str) -> None:
    assert missing(tmp_path, {"a.pyd": launcher(b"python3.dll")}, version) == []
    assert missing(tmp_path, {"a.pyd": launcher(b"msvcp14.dll")}, version) == [("a.pyd", "msvcp14.dll")]
    assert {one for one in import_closure.python_dlls(version) if one.startswith("python3")} == {
        "python3.dll",
        f"python{version.replace('.', '')}.dll",
    }


def test_every_promised_python_is_checked() -> None:
    assert promised_pythons() == VERSIONS


def run_check(cache: Path, files: dict[str, bytes]) -> subprocess.CompletedProcess[str]:
    """Run the whole check on wheels that are there already, on a machine that lacks the program for namespaces."""
    place = CheckFolder(cache / "prescient-windows")
    for version in VERSIONS:
        place.wheels(version).mkdir(parents=True)
        wheel_of(place.wheels(version), files)
        stamp_of(place.wheels(version)).write_text(digest(INSTALLED))
    return subprocess.run(
        [sys.executable, "-m", "tools.windows_check"],
        env={"XDG_CACHE_HOME": str(cache), "PATH": str(cache)},
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.skipif(sys.platform == "win32", reason="the check runs on Linux")
def test_a_machine_that_cannot_is_told_so_loudly(tmp_path: Path) -> None:
    done = run_check(tmp_path, {"a.pyd": launcher(b"CRYPT32.dll")})
    assert done.returncode == 0, done.stderr
    assert "windows-check did NOT run whole on this machine" in done.stdout and "!!!!!!!!!!" in done.stdout
    assert "passed" not in done.stdout
    assert done.stdout.count("0 unresolved imports") == 3, "what needs no Wine is checked all the same"


@pytest.mark.skipif(sys.platform == "win32", reason="the check runs on Linux")
def test_a_missing_library_fails_the_check_everywhere(tmp_path: Path) -> None:
    done = run_check(tmp_path, {"a.pyd": launcher(b"absentx.dll")})
    assert done.returncode == 1
    assert "a.pyd wants absentx.dll" in done.stdout and "did NOT run" not in done.stdout
