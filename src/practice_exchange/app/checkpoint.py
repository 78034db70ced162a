"""Checkpoint files of a practice world: written atomically, and read back or refused, never skipped."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from polymarket_kit.errors import PrescientError
from practice_exchange.app.journal import drop_journals_before
from practice_exchange.world.world import CheckpointUnreadable, World


class CheckpointRefused(PrescientError):
    """A checkpoint exists but cannot be continued; starting anew would run the world's time back."""

    code = "practice_checkpoint"
    permanent = True

    def __init__(self, path: Path, error: Exception) -> None:
        super().__init__(
            f"The practice world in {path} cannot be continued: {error}. "
            "Move the file and its journals away to start the world anew (portfolios that traded in it will not fit), "
            "or restore them."
        )


def checkpoint_path(home: Path, seed: int) -> Path:
    return home / "practice" / f"world-{seed}.checkpoint"


class Kept(msgspec.Struct, array_like=True, frozen=True):
    """A world, and who trades in it, at one moment.

    ``promise_ms`` is a moment that the world's time cannot have passed before the next checkpoint. ``number`` is that of
    the journal that follows; ``trading`` is empty where nobody could trade.
    """

    promise_ms: int
    world: bytes
    trading: bytes = b""
    number: int = 0


def write_checkpoint(path: Path, kept: Kept) -> None:
    """Write beside, flush to disk, then rename: a crash leaves the old or the new one. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".partial")
    # It holds API keys, so nobody else may read it; nor the journal.
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.msgpack.encode(kept))
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    drop_journals_before(path, kept.number)


def read_checkpoint(path: Path) -> Kept | None:
    """What was kept, or None when there is nothing. Raises CheckpointRefused."""
    if not path.exists():
        return None
    try:
        return msgspec.msgpack.decode(path.read_bytes(), type=Kept)
    except (msgspec.MsgspecError, OSError) as error:
        raise CheckpointRefused(path, error) from error


def kept_world(path: Path, kept: Kept) -> World:
    """The world as it was at the checkpoint. Raises CheckpointRefused."""
    try:
        return World.load(kept.world)
    except CheckpointUnreadable as error:
        raise CheckpointRefused(path, error) from error
