"""The base of every background loop: rounds of work in the one process, among all of them, that holds the lease."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import datetime
from typing import Any

import structlog

from polymarket_kit.errors import PrescientError
from prescient.backoff import Backoff
from prescient.ports.clock import Clock
from prescient.ports.store import Lease, Leases

log = structlog.get_logger(__name__)

PAUSE_MIN_S = 1.0
ALIVE_MIN_S = 30.0
ALIVE_INTERVALS = 3


class LeaseLost(PrescientError):
    """Another process may hold the lease by now."""

    code = "lease_lost"


def is_alive(beat: datetime | None, now: datetime, interval_s: float) -> bool:
    """Return whether a loop with this interval, whose last heartbeat this is, still runs."""
    if beat is None:
        return False
    return (now - beat).total_seconds() < max(ALIVE_INTERVALS * interval_s, ALIVE_MIN_S)


class LeasedLoop(ABC):
    """Calls ``round`` again and again while this process holds the lease ``name``. ``run`` ends only by cancellation.

    To add a background task, subclass it and write ``round``; the rest has defaults. A round that raises is logged and
    repeated with back-off, whatever it raised. ``clock`` is the world's time, which heartbeats are stamped with; ``timer``
    paces the rounds, and differs from it where the world runs faster than we do.
    """

    def __init__(
        self,
        name: str,
        store: Leases,
        clock: Clock,
        *,
        interval_s: float,
        standby_s: float,
        backoff: Backoff,
        timer: Clock | None = None,
    ) -> None:
        self.name = name
        self.interval_s = interval_s
        self._leases = store
        self._clock = clock
        self._timer = timer or clock
        self._standby_s = standby_s
        self._backoff = backoff
        self._lease: Lease | None = None
        self._prepared = False
        self._standing_by = False
        self._failures = 0

    # --- what a subclass defines

    @abstractmethod
    async def round(self) -> None:
        """Do the work once. It may also last until something goes wrong, and then calls ``check_lease`` at times."""

    async def taken_over(self) -> None:  # noqa: B027  # most loops have nothing to prepare
        """Prepare for the first round after the lease was taken. Called again if it raises."""

    async def round_failed(self, error: Exception) -> None:  # noqa: B027  # the log is enough for most loops
        """Show a failure to people, beside the log. What this raises is logged and has no other effect."""

    def next_due_s(self) -> float:
        """Return the seconds from the start of a round that succeeded to the start of the next one."""
        return self.interval_s

    # --- what a subclass may call

    async def check_lease(self) -> None:
        """Raises LeaseLost when the lease is not ours any more: the round must end and begin anew."""
        if self._lease is None or not await self._lease.held():
            raise LeaseLost(f"This process lost the lease {self.name!r}; it stands by until it gets it again.")

    def made_progress(self) -> None:
        """Let the next failure count as the first: a long round is well again."""
        self._failures = 0

    async def beat(self, detail: dict[str, Any]) -> None:
        """Record a heartbeat under the name of the lease, with what is worth showing."""
        await self._leases.beat(self.name, self._clock.now(), detail)

    # --- the loop

    async def run(self) -> None:
        """Attempt a round, pause, and so on, until cancelled; the lease is given back then."""
        try:
            while True:
                await self._timer.sleep(await self.attempt())
        finally:
            await self.release()

    async def attempt(self) -> float:
        """Do one round if the lease is ours. Returns the seconds until the next attempt."""
        started_s = self._timer.monotonic_s()
        try:
            if not await self._has_lease():
                return self._standby_s
            if not self._prepared:
                await self.taken_over()
                self._prepared = True
            await self.round()
        except Exception as error:  # noqa: BLE001  # one failing round, whatever it met, never ends the loop
            return await self._failed(error)
        self._failures = 0
        took_s = self._timer.monotonic_s() - started_s
        due_s = self.next_due_s()
        return max(due_s - took_s, min(due_s, PAUSE_MIN_S))

    async def release(self) -> None:
        """Give the lease back, if it is ours."""
        lease, self._lease, self._prepared = self._lease, None, False
        if lease is None:
            return
        try:
            await lease.release()
        except PrescientError as error:
            # The lease ends with this process's connection in any case.
            log.warning("lease not released", loop=self.name, error=str(error))

    async def _has_lease(self) -> bool:
        if self._lease is not None and await self._lease.held():
            return True
        self._prepared = False
        self._lease = await self._leases.lease(self.name)
        if self._lease is None and not self._standing_by:
            log.info("another process holds the lease; standing by", loop=self.name)
        elif self._lease is not None:
            log.info("lease taken", loop=self.name)
        self._standing_by = self._lease is None
        return not self._standing_by

    async def _failed(self, error: Exception) -> float:
        """Log a failed round; return the pause before the next attempt, longer with every failure in a row."""
        self._failures += 1
        pause_s = self._backoff.pause_s(self._failures)
        if isinstance(error, PrescientError):
            log.warning("round failed", loop=self.name, error=str(error), code=error.code, retry_s=pause_s)
        else:
            log.error("round failed", loop=self.name, retry_s=pause_s, exc_info=error)
        try:
            await self.round_failed(error)
        except Exception as second:  # noqa: BLE001  # the report of a failure must not end the loop either
            log.warning("failure not recorded", loop=self.name, error=repr(second))
        return pause_s
