"""Checkpoints of a practice world on disk: written whole or not at all, read back or refused, never skipped."""

from __future__ import annotations

import os
from pathlib import Path

from prescient.domain.errors import PrescientError
from prescient.surfaces.practice.world import CheckpointUnreadable, World


class CheckpointRefused(PrescientError):
    """A checkpoint exists but cannot be continued; starting anew would run the world's time back."""

    code = "practice_checkpoint"


def checkpoint_path(home: Path, seed: int) -> Path:
    return home / "practice" / f"world-{seed}.checkpoint"


def write_checkpoint(path: Path, content: bytes) -> None:
    """Write beside, flush to disk, then rename: a crash leaves the old or the new one. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".partial")
    with beside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def read_checkpoint(path: Path) -> World | None:
    """The world of the checkpoint, or None when there is none. Raises CheckpointRefused."""
    if not path.exists():
        return None
    try:
        return World.load(path.read_bytes())
    except (CheckpointUnreadable, OSError) as error:
        raise CheckpointRefused(
            f"The practice world in {path} cannot be continued: {error}. "
            "Move the file away to start the world anew (portfolios that traded in it will not fit), or restore it."
        ) from error
