"""Names the DLL that a Windows program lacks: the system's loader says only that one is missing (0xC0000135).

Reads the import tables of the files, so it runs on every system; the check of the Windows wheels uses it on Linux.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable
from pathlib import Path

# Sets of functions that Windows maps to its own libraries; no file has these names.
API_SETS = ("api-ms-win-", "ext-ms-win-")
SUFFIXES = frozenset({".exe", ".dll", ".pyd"})


def imported_dlls(content: bytes) -> frozenset[str]:
    """Return the lower-case names of the DLLs without which a file of this content does not load; API sets are left out.

    Raises ValueError if it is no program or library of Windows.
    """
    try:
        return frozenset(name for name in _import_names(content) if not name.startswith(API_SETS))
    except (struct.error, IndexError) as error:
        raise ValueError("not a program or library of Windows") from error


def missing_dlls(folder: Path, present: Iterable[str]) -> dict[str, list[str]]:
    """Return each DLL that neither a folder (with those below) nor ``present`` holds, and the files that import it."""
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    known = {name.lower() for name in present} | {path.name.lower() for path in files}
    missing: dict[str, list[str]] = {}
    for path in files:
        for name in imported_dlls(path.read_bytes()) - known:
            missing.setdefault(name, []).append(path.relative_to(folder).as_posix())
    return dict(sorted(missing.items()))


def system_dlls() -> set[str]:
    """Return the names of everything in this Windows' own folder of libraries."""
    return set(os.listdir(Path(os.environ.get("SYSTEMROOT", r"C:\Windows")) / "System32"))


def _import_names(content: bytes) -> list[str]:
    (header,) = struct.unpack_from("<I", content, 0x3C)
    if content[:2] != b"MZ" or content[header : header + 4] != b"PE\0\0":
        raise IndexError("no PE signature")
    sections, optional_size = struct.unpack_from("<H12xH", content, header + 6)
    optional = header + 24
    (magic,) = struct.unpack_from("<H", content, optional)
    # The table of directories begins behind fields that are wider in 64-bit files (magic 0x20B); imports are its second.
    (imports,) = struct.unpack_from("<I", content, optional + (112 if magic == 0x20B else 96) + 8)
    table: list[tuple[int, int, int, int]] = [
        struct.unpack_from("<4I", content, optional + optional_size + 40 * number + 8) for number in range(sections)
    ]

    def offset_of(address: int) -> int:
        for virtual_size, virtual, raw_size, raw in table:
            if virtual <= address < virtual + max(virtual_size, raw_size):
                return raw + address - virtual
        raise IndexError("an address outside every section")

    names = []
    position = offset_of(imports) if imports else -1
    while position >= 0:
        (name,) = struct.unpack_from("<12xI", content, position)
        if name == 0:
            break
        start = offset_of(name)
        names.append(content[start : content.index(b"\0", start)].decode("ascii", "replace").lower())
        position += 20
    return names
