"""The worker's loop: once a second it asks which slots are due and lets the controller run them, one after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import aiohttp
import structlog

from prescient.domain.errors import StoreUnavailable
from prescient.domain.portfolio import PortfolioStatus
from prescient.ports.clock import Clock
from prescient.ports.store import Lease, Store
from prescient.worker.scheduler import Answer, Due, Scheduler

log = structlog.get_logger(__name__)

NAME = "worker"
TICK_S = 1.0
BEAT_INTERVAL_S = 10.0
# A whole cycle over the venue's full catalogue takes a minute or two; this is for one that hangs.
CYCLE_TIMEOUT_S = 900.0
CONFLICTS_THAT_PASS = frozenset({"cycle_running"})

Ask = Callable[[Due], Awaitable[Answer]]


class Worker:
    """One of these works at a time: whoever holds the lease. The others wait for their turn."""

    def __init__(self, store: Store, clock: Clock, ask: Ask) -> None:
        self._store = store
        self._clock = clock
        self._ask = ask
        self._scheduler = Scheduler()
        self._lease: Lease | None = None
        self._next_beat_s = 0.0

    async def run(self) -> None:
        """Work until cancelled. A database that is away is waited for."""
        try:
            while True:
                await self._tick_safely()
                await asyncio.sleep(TICK_S)
        finally:
            if self._lease is not None:
                await self._lease.release()

    async def tick(self) -> None:
        """Look once: take the lease if it is free, run what is due, tell that we live."""
        if not await self._in_charge():
            return
        portfolios = await self._store.portfolios(PortfolioStatus.ACTIVE)
        now, monotonic_s = self._clock.now(), self._clock.monotonic_s()
        for due in self._scheduler.due(portfolios, now, monotonic_s):
            answer = await self._ask(due)
            self._scheduler.settle(due, answer, self._clock.monotonic_s())
            self._next_beat_s = 0.0
        await self._beat()

    async def _tick_safely(self) -> None:
        try:
            await self.tick()
        except StoreUnavailable as error:
            log.warning("database away", detail=str(error))
        except Exception:
            # One bad row or a passing fault must not end all schedules; the next look is a second away.
            log.exception("looking at schedules failed")

    async def _in_charge(self) -> bool:
        if self._lease is not None and await self._lease.held():
            return True
        self._lease = await self._store.lease(NAME)
        if self._lease is None:
            return False
        beat = await self._store.heartbeat(NAME)
        self._scheduler = Scheduler()
        if beat is not None:
            self._scheduler.dump_state(beat[1].get("slots", {}))
        log.info("worker in charge of schedules")
        return True

    async def _beat(self) -> None:
        now_s = self._clock.monotonic_s()
        if now_s < self._next_beat_s:
            return
        self._next_beat_s = now_s + BEAT_INTERVAL_S
        await self._store.beat(NAME, self._clock.now(), {"slots": self._scheduler.memory()})


def ask_controller(controller_url: str) -> Ask:
    """Let the controller run the cycle, so that paper orders keep their one owner."""
    url = f"{controller_url}/trading/run-portfolio-cycle"
    timeout = aiohttp.ClientTimeout(total=CYCLE_TIMEOUT_S)

    async def ask(due: Due) -> Answer:
        about = {"portfolio_id": due.portfolio_id, "key": due.key}
        query = {"portfolio_id": str(due.portfolio_id)}
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.post(url, params=query, headers={"Idempotency-Key": due.key}) as response,
            ):
                status, body = response.status, await response.json()
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            log.warning("controller away", error=type(error).__name__, **about)
            return Answer.LATER
        if status < 400:
            # The same slot asked again gets its first run back, also one that broke off.
            whole = body.get("status") == "completed"
            tell = log.info if whole else log.warning
            said = "scheduled cycle ran" if whole else "scheduled cycle broke off"
            tell(said, cycle_id=body.get("cycle_id"), message=body.get("message"), **about)
            return Answer.DONE
        again = status == 503 or body.get("code") in CONFLICTS_THAT_PASS
        log.warning("scheduled cycle refused", status=status, detail=body.get("detail"), tried_again=again, **about)
        return Answer.LATER if again else Answer.DONE

    return ask
