"""The log files of our processes: private, appended to, and rotated by size."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import BinaryIO

LOG_LIMIT_BYTES = 10 * 1024 * 1024
LOG_FILES_KEPT = 3


def open_log(path: Path) -> BinaryIO:
    """Open a log for appending; only its owner may read it, for it may quote what users sent."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    return os.fdopen(descriptor, "ab", buffering=0)


def rotate(path: Path, limit_bytes: int = LOG_LIMIT_BYTES, kept: int = LOG_FILES_KEPT) -> bool:
    """Move a log above the limit to ``.1`` (older ones up to ``.<kept>``) and empty it; returns whether it did.

    The writers keep the file open, so it is copied and emptied: lines written in between are lost, as with logrotate.
    """
    if not path.exists() or path.stat().st_size <= limit_bytes:
        return False
    for number in range(kept - 1, 0, -1):
        older = path.with_name(f"{path.name}.{number}")
        if older.exists():
            older.replace(path.with_name(f"{path.name}.{number + 1}"))
    copy = path.with_name(f"{path.name}.1")
    try:
        shutil.copyfile(path, copy)
    except OSError:
        # No room for a copy: the log stays as it is until there is.
        copy.unlink(missing_ok=True)
        return False
    copy.chmod(0o600)
    os.truncate(path, 0)
    return True


def tail(path: Path, lines: int = 12, limit_bytes: int = 8_192, *, start_byte: int = 0) -> str:
    """Return the last lines of a log, none of them before ``start_byte``; empty if there is no log."""
    try:
        with path.open("rb") as log:
            size = path.stat().st_size
            # A log that is shorter was rotated meanwhile.
            log.seek(max(size - limit_bytes, start_byte if start_byte <= size else 0))
            text = log.read().decode("utf-8", errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-lines:])
