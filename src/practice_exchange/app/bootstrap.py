"""Opens the practice exchange as one process: finds its world, prints where it listens, serves until it is stopped."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path

import filelock
import structlog

from polymarket_kit.errors import ExitCode, InvalidRequest, PrescientError
from practice_exchange.app.checkpoint import checkpoint_path, kept_world, read_checkpoint
from practice_exchange.app.process import PortTaken, tune_garbage_collection
from practice_exchange.app.recorded import Catalogue
from practice_exchange.app.server import LOOPBACK, PracticeServer
from practice_exchange.app.settings import ExchangeSettings, Opening
from practice_exchange.world.timestamps import parse_moment_ms, rfc3339, to_datetime
from practice_exchange.world.world import World

log = structlog.get_logger("prescient.practice")
# A process that has just been stopped may still be writing its last checkpoint.
PATIENCE_S = 5.0


class WorldInUse(PrescientError):
    """Another process keeps the same world; two would write over each other's checkpoints."""

    code = "already_running"
    exit_code = ExitCode.REFUSED


async def run_practice(
    settings: ExchangeSettings,
    opening: Opening,
    stop: asyncio.Event,
    ready: Callable[[PracticeServer], None] = lambda server: None,
) -> None:
    """Serve until ``stop`` is set: a recorded catalogue to read, or the world of the settings' seed, which takes orders.

    ``ready`` is called once requests are answered. Raises InvalidRequest, CatalogueUnreadable, CheckpointRefused,
    WorldInUse, PortTaken.
    """
    start = _read_start(opening.now)
    speed = 0.0 if opening.frozen or opening.catalogs else settings.speed
    port = settings.port if opening.port is None else opening.port
    if opening.catalogs:
        await _serve(PracticeServer(Catalogue.load(opening.catalogs, start), LOOPBACK, port), stop, ready)
    elif opening.fresh:
        server = PracticeServer(World(settings.seed, start=start), LOOPBACK, port, speed=speed, trading=True)
        server.exchange.limits.switch(True, enforced=False)
        await _serve(server, stop, ready)
    else:
        path = checkpoint_path(settings.home, settings.seed)
        with _alone_on(path):
            await _serve(open_kept(path, settings.seed, start, speed=speed, port=port), stop, ready)


def open_kept(path: Path, seed: int, start: datetime, *, speed: float = 0.0, port: int = 0) -> PracticeServer:
    """An exchange that goes on where it was when it ended, or begins a new world. Raises CheckpointRefused."""
    kept = read_checkpoint(path)
    world = World(seed, start=start) if kept is None else kept_world(path, kept)
    server = PracticeServer(world, LOOPBACK, port, speed=speed, checkpoint=path, trading=True)
    # They only warn; `POST /practice/limits` changes it, and what was set is kept.
    server.exchange.limits.switch(True, enforced=False)
    if kept is not None:
        server.checkpoint_writer.load_state(kept)
    return server


async def _serve(server: PracticeServer, stop: asyncio.Event, ready: Callable[[PracticeServer], None]) -> None:
    tune_garbage_collection()
    try:
        await server.start()
    except OSError as error:
        if error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        raise PortTaken(LOOPBACK, server.port) from error
    try:
        world = server.world
        log.info(
            "practice exchange ready",
            gamma_url=server.gamma_url,
            clob_url=server.clob_url,
            seed=world.seed,
            now=rfc3339(world.now_ms),
            speed=server.clock.speed,
            events=len(world.register.events),
            markets=len(world.register.markets),
            takes_orders=server.exchange.trading is not None,
        )
        ready(server)
        await stop.wait()
    finally:
        await server.stop()


def _alone_on(checkpoint: Path) -> AbstractContextManager[object]:
    """Hold the world's lock for as long as this process keeps it. Raises WorldInUse."""
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(checkpoint.with_suffix(".lock"), thread_local=False)
    try:
        return lock.acquire(timeout=PATIENCE_S, poll_interval=0.05)
    except filelock.Timeout as error:
        raise WorldInUse(
            f"Another process keeps the practice world of {checkpoint}. Use that one, or stop it (`prescient down`), "
            "or take another world (--seed) or one that is not kept (--fresh)."
        ) from error


def _read_start(now: str | None) -> datetime:
    if now is None:
        return datetime.now(UTC).replace(microsecond=0)
    try:
        return to_datetime(parse_moment_ms(now))
    except (ValueError, OverflowError) as error:
        raise InvalidRequest("now", "is not a time; write it as 2026-05-17T06:05:00Z.") from error
