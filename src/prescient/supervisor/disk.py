"""Whether there is room left where the data lies. Asking needs no write."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

# One segment of the database's log and a little: below it, nothing can be relied on to be written.
FULL_BYTES = 20_000_000


def free_bytes(folder: Path) -> int:
    """Return the room on the disk of a folder, or of the nearest folder above it that is there."""
    place = next(path for path in (folder, *folder.parents) if path.exists())
    return shutil.disk_usage(place).free


def full_disks(folders: Iterable[Path]) -> list[str]:
    """Return a line for each of these folders whose disk is full."""
    room = {folder: free_bytes(folder) for folder in folders}
    return [
        f"The disk of {folder} is full ({free / 1e6:.0f} MB free). Make room: no one can trade on it."
        for folder, free in room.items()
        if free < FULL_BYTES
    ]
