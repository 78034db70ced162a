"""Recovers the exchange after a restart: loads the checkpoint, then replays the journal to the same state.

World and engine are deterministic, so the same requests at the same moments between the same steps have the same answers.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import structlog

from practice_exchange.app.checkpoint import CheckpointRefused, Kept
from practice_exchange.app.exchange import PracticeExchange
from practice_exchange.app.journal import Record, Request, Step, journals_from, read_journal
from practice_exchange.web.clock import WorldClock

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
