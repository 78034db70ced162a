"""The worker's loop: once a second it looks which slots are due and lets the controller run them, one after the other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import aiohttp
import structlog

from prescient.backoff import Backoff
from prescient.domain.portfolio import PortfolioStatus
from prescient.ports.clock import Clock
from prescient.ports.store import Store
from prescient.service_table import CYCLE_TIMEOUT_S
from prescient.worker.leased_loop import LeasedLoop
from prescient.worker.scheduler import Answer, Due, Scheduler

log = structlog.get_logger(__name__)

# The name of both the lease and the heartbeat.
NAME = "worker"
TICK_S = 1.0
BACKOFF_MOST_S = 10.0
BEAT_INTERVAL_S = 10.0
CONFLICTS_THAT_PASS = frozenset({"cycle_running"})

Ask = Callable[[Due], Awaitable[Answer]]


class Worker(LeasedLoop):
    """Looks at the schedules once a second of ``timer``, which is the machine's clock; slots are the world's time."""

    def __init__(self, store: Store, clock: Clock, ask: Ask, timer: Clock) -> None:
        super().__init__(
            NAME,
            store,
            clock,
            interval_s=TICK_S,
            standby_s=TICK_S,
            backoff=Backoff(TICK_S, BACKOFF_MOST_S),
            timer=timer,
        )
        self._store = store
        self._ask = ask
        self._scheduler = Scheduler()
        self._next_beat_s = 0.0

    async def taken_over(self) -> None:
        """Load which slots the process before us dealt with."""
        beat = await self._store.heartbeat(NAME)
        self._scheduler = Scheduler()
        self._next_beat_s = 0.0
        if beat is not None:
            self._scheduler.load_state(beat[1].get("slots", {}))

    async def round(self) -> None:
        """Run what is due, and save what was dealt with in the heartbeat."""
        portfolios = await self._store.portfolios(PortfolioStatus.ACTIVE)
        now, monotonic_s = self._clock.now(), self._timer.monotonic_s()
        for due in self._scheduler.due(portfolios, now, monotonic_s):
            answer = await self._ask(due)
            self._scheduler.settle(due, answer, self._timer.monotonic_s())
            self._next_beat_s = 0.0
        await self._beat_at_times()

    async def _beat_at_times(self) -> None:
        now_s = self._timer.monotonic_s()
        if now_s < self._next_beat_s:
            return
        await self.beat({"slots": self._scheduler.dump_state()})
        self._next_beat_s = now_s + BEAT_INTERVAL_S


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
            # A repeated slot gets the report of its first run, also of one that was interrupted.
            whole = body.get("status") == "completed"
            write = log.info if whole else log.warning
            event = "scheduled cycle completed" if whole else "scheduled cycle interrupted"
            write(event, cycle_id=body.get("cycle_id"), message=body.get("message"), **about)
            return Answer.DONE
        again = status == 503 or body.get("code") in CONFLICTS_THAT_PASS
        log.warning("scheduled cycle refused", status=status, detail=body.get("detail"), retried=again, **about)
        return Answer.LATER if again else Answer.DONE

    return ask
