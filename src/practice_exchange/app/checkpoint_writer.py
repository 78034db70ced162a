"""Persists a running practice exchange: periodic checkpoints, and a write-ahead journal between them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from practice_exchange.app.checkpoint import Kept, write_checkpoint
from practice_exchange.app.exchange import PracticeExchange
from practice_exchange.app.journal import Downtime, Journal, Request, Step, journal_path, journals_from, kept_headers
from practice_exchange.app.recovery import recover
from practice_exchange.web.clock import WorldClock

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
