"""Checkpoints of a running exchange: files written atomically, a journal between them, and the recovery from both.

World and engine are deterministic, so the same requests at the same moments between the same steps have the same
answers.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
import structlog

from polymarket_kit.errors import PrescientError
from practice_exchange.app.exchange import PracticeExchange
from practice_exchange.app.journal import (
    Downtime,
    Journal,
    Record,
    Request,
    Step,
    drop_journals_before,
    journal_path,
    journals_from,
    kept_headers,
    read_journal,
)
from practice_exchange.web.controls import WorldClock
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


log = structlog.get_logger("prescient.practice")


def recover(path: Path, kept: Kept, exchange: PracticeExchange, clock: WorldClock) -> None:
    """Restore an exchange to its last state, and its time to the latest that clients may have seen.

    Raises CheckpointRefused.
    """
    if exchange.trading is not None:
        try:
            if kept.trading:
                exchange.trading.load_state(kept.trading)
            repeated = _Repetition(exchange, clock).run(journals_from(path, kept.number))
        except (ValueError, KeyError, OSError, msgspec.MsgspecError) as error:
            raise CheckpointRefused(path, error) from error
        if repeated:
            log.info("requests since the last checkpoint repeated", requests=repeated)
    for _ in exchange.step_slices(clock.stand(kept.promise_ms)):
        pass
    if exchange.trading is not None:
        exchange.trading.reopen()


class _Repetition:
    """Does once more what a journal says, each request between the same two slices of the same step."""

    def __init__(self, exchange: PracticeExchange, clock: WorldClock) -> None:
        self._exchange = exchange
        self._clock = clock
        self._step: Iterator[None] = iter(())
        self._slices = 0
        self._requests = 0

    def run(self, journals: list[Path]) -> int:
        """Return how many requests were repeated."""
        for journal in journals:
            for record in read_journal(journal):
                self._repeat(record)
        self._go_on(None)
        return self._requests

    def _repeat(self, record: Record) -> None:
        if isinstance(record, Step):
            self._go_on(None)
            self._step, self._slices = self._exchange.step_slices(self._clock.stand(record.until_ms)), 0
            return
        self._go_on(None if record.slices < 0 else record.slices)
        self._clock.hold(record.now_ms, record.machine_s)
        try:
            if isinstance(record, Request):
                self._requests += 1
                self._exchange.perform(record.method, record.path, record.query, record.body, record.headers)
            elif self._exchange.trading is not None:
                self._exchange.trading.advance()
        finally:
            self._clock.release()

    def _go_on(self, slices: int | None) -> None:
        """Continue the current step until so many of its slices are done, or to its end."""
        while slices is None or self._slices < slices:
            if next(self._step, self) is self:
                return
            self._slices += 1


# A checkpoint comes sooner when so much came in: it is repeated after a crash.
JOURNAL_MAX_BYTES = 32 * 1024 * 1024


class CheckpointWriter:
    """Writes one exchange's files; without a ``path`` it keeps nothing.

    A checkpoint holds the world and who trades in it at one moment: while it is taken the gate is closed, and whatever
    would change something waits. From that moment on a new journal goes with it.
    """

    def __init__(self, path: Path | None, exchange: PracticeExchange, clock: WorldClock) -> None:
        self.path = path
        # How many slices of the step that is under way are done; -1 between two steps.
        self.slices = -1
        self.gate = asyncio.Event()
        self.gate.set()
        self._exchange = exchange
        self._clock = clock
        self._journal: Journal | None = None
        self._number = 0

    def load_state(self, kept: Kept) -> None:
        """Restore a checkpoint, before the first save. Raises CheckpointRefused."""
        assert self.path is not None
        recover(self.path, kept, self._exchange, self._clock)
        self._number = kept.number + len(journals_from(self.path, kept.number))

    def listen(self) -> None:
        """Journal every change from now on, before it is applied."""
        if self.path is not None and self._exchange.trading is not None:
            self._exchange.before_change = self._write_request
            self._exchange.trading.before_silence = self._write_silence

    def close(self) -> None:
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    # The journal

    @property
    def is_full(self) -> bool:
        return self._journal is not None and self._journal.size_bytes > JOURNAL_MAX_BYTES

    async def make_safe(self) -> None:
        """Flush the journal to disk. Raises OSError."""
        if self._journal is not None and self._journal.unsafe:
            await asyncio.to_thread(self._journal.make_safe)

    def write_step(self, until_ms: int) -> None:
        """Journal a step. Not needed while nobody trades: then no state depends on the order of steps and requests."""
        if self._journal is None or self._exchange.trading is None:
            return
        write = self._journal.write if self._exchange.trading.venue_engine.busy else self._journal.write_later
        write(Step(until_ms))

    def _write_request(self, method: str, path: str, query: str, body: bytes, headers: Mapping[str, str]) -> None:
        """Journal a request. Raises OSError: then it must not be applied."""
        if self._journal is not None:
            now_ms, machine_s, kept = self._clock.now_ms(), self._clock.machine_s(), kept_headers(headers)
            self._journal.write(Request(now_ms, machine_s, self.slices, method, path, query, body, kept))

    def _write_silence(self) -> None:
        if self._journal is not None:
            self._journal.write(Downtime(self._clock.now_ms(), self._clock.machine_s(), self.slices))

    # Checkpoints

    async def save(self, reach_s: float) -> None:
        """Write a checkpoint; no step may be under way. ``reach_s`` is how long the world may run on before the next.

        Raises OSError; the former checkpoint and the journals since then still hold everything.
        """
        if self.path is None:
            return
        former, trading = self._journal, self._exchange.trading
        self.gate.clear()
        try:
            if trading is not None:
                trading.paused = True
                trading.venue_engine.prune()
            world = await self._save_world()
            promise_ms = self._clock.promise(self._exchange.world.now_ms, reach_s)
            kept = Kept(promise_ms, world, trading.dump_state() if trading is not None else b"", self._number + 1)
            if trading is not None:
                # What comes from now on is not in this checkpoint, and is repeated on top of it.
                self._journal = Journal(journal_path(self.path, kept.number))
            self._number = kept.number
        finally:
            if trading is not None:
                trading.paused = False
            self.gate.set()
        if former is not None:
            await asyncio.to_thread(former.make_safe)
            former.close()
        await asyncio.to_thread(write_checkpoint, self.path, kept)
        self._clock.promise_ms = promise_ms

    async def _save_world(self) -> bytes:
        """The world's part, in slices between which requests that only ask are answered."""
        slices = self._exchange.world.save_slices()
        while True:
            try:
                next(slices)
            except StopIteration as done:
                return bytes(done.value)
            await asyncio.sleep(0)
