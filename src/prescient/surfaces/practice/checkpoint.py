"""Checkpoints of a practice world on disk: written whole or not at all, read back or refused, never skipped."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from prescient.domain.errors import PrescientError
from prescient.surfaces.practice.moments import to_datetime
from prescient.surfaces.practice.world import CheckpointUnreadable, World


class CheckpointRefused(PrescientError):
    """A checkpoint exists but cannot be continued; starting anew would run the world's time back."""

    code = "practice_checkpoint"


def checkpoint_path(home: Path, seed: int) -> Path:
    return home / "practice" / f"world-{seed}.checkpoint"


class _Kept(msgspec.Struct, array_like=True):
    """``promise_ms`` is a moment that the world's time cannot have passed before the next checkpoint."""

    promise_ms: int
    world: bytes


def write_checkpoint(path: Path, world: bytes, promise_ms: int) -> None:
    """Write beside, flush to disk, then rename: a crash leaves the old or the new one. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".partial")
    with beside.open("wb") as file:
        file.write(msgspec.msgpack.encode(_Kept(promise_ms, world)))
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def read_checkpoint(path: Path) -> World | None:
    """The world of the checkpoint, or None when there is none. Raises CheckpointRefused.

    After a crash it is moved on to the promised moment, so that its time never runs back behind what it had told.
    """
    if not path.exists():
        return None
    try:
        kept = msgspec.msgpack.decode(path.read_bytes(), type=_Kept)
        world = World.load(kept.world)
    except (CheckpointUnreadable, msgspec.MsgspecError, OSError) as error:
        raise CheckpointRefused(
            f"The practice world in {path} cannot be continued: {error}. "
            "Move the file away to start the world anew (portfolios that traded in it will not fit), or restore it."
        ) from error
    world.step(to_datetime(kept.promise_ms))
    return world
