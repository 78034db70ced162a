"""The worker: each slot once, missed slots made up for once, restarts remembered, patience with a controller away."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from aiohttp import web

from polymarket_kit.values import MICRO
from prescient.adapters.clock import SimulatedClock
from prescient.adapters.memory import MemoryStore
from prescient.domain.portfolio import NewPortfolio, PortfolioStatus
from prescient.worker.scheduler import ATTEMPTS_MAX, Answer, Due
from prescient.worker.worker import Worker, ask_controller

START = datetime(2026, 5, 17, 6, 5, tzinfo=UTC)


@dataclass
class Controller:
    """Notes what it is asked for, and answers what the test wants."""

    asked: list[Due] = field(default_factory=list)
    answer: Answer = Answer.DONE

    async def __call__(self, due: Due) -> Answer:
        self.asked.append(due)
        return self.answer

    @property
    def keys(self) -> list[str]:
        return [due.key for due in self.asked]


class Stand:
    """A worker over a memory store and a clock that moves when told."""

    def __init__(self) -> None:
        self.clock = SimulatedClock(START)
        self.store = MemoryStore()
        self.controller = Controller()
        self.worker = self.another()

    def another(self) -> Worker:
        return Worker(self.store, self.clock, self.controller, self.clock)

    async def add(self, schedule: str, name: str = "scheduled") -> int:
        new = NewPortfolio(name, "majority", 1_000 * MICRO, schedule=schedule)
        return (await self.store.create_portfolio(new, self.clock.now())).portfolio_id

    async def pass_minutes(self, minutes: int, *, looks: int = 1) -> None:
        for _ in range(looks):
            self.clock.advance(minutes * 60 / looks)
            await self.worker.attempt()

    async def restart(self) -> None:
        await self.worker.release()
        self.worker = self.another()
        await self.worker.attempt()


@pytest.fixture
async def stand() -> Stand:
    return Stand()


async def test_each_slot_runs_once_under_its_own_key(stand: Stand) -> None:
    number = await stand.add("every 60m")
    await stand.worker.attempt()
    assert stand.controller.keys == [], "a new schedule begins with its next slot"
    await stand.pass_minutes(125, looks=125)
    assert stand.controller.keys == [
        f"schedule:{number}:2026-05-17T07:00:00Z",
        f"schedule:{number}:2026-05-17T08:00:00Z",
    ]


async def test_portfolios_without_schedule_or_at_rest_are_left_alone(stand: Stand) -> None:
    await stand.add("", "on demand")
    paused = await stand.add("every 1m", "paused")
    await stand.store.change_portfolio(paused, {"status": PortfolioStatus.PAUSED}, stand.clock.now())
    await stand.pass_minutes(30, looks=30)
    assert stand.controller.asked == []


async def test_missed_slots_are_made_up_for_once_even_after_a_restart(stand: Stand) -> None:
    number = await stand.add("every 60m")
    await stand.worker.attempt()
    stand.clock.advance(5 * 3600)
    await stand.restart()
    assert stand.controller.keys == [f"schedule:{number}:2026-05-17T11:00:00Z"]
    await stand.restart()
    await stand.pass_minutes(10, looks=10)
    assert len(stand.controller.asked) == 1


async def test_a_changed_schedule_begins_with_its_next_slot(stand: Stand) -> None:
    number = await stand.add("every 7d")
    await stand.worker.attempt()
    await stand.store.change_portfolio(number, {"schedule": "0 * * * *"}, stand.clock.now())
    await stand.pass_minutes(50, looks=50)
    assert stand.controller.asked == []
    await stand.pass_minutes(10, looks=10)
    assert stand.controller.keys == [f"schedule:{number}:2026-05-17T07:00:00Z"]


async def test_a_controller_away_is_asked_again_with_growing_pauses_and_at_last_let_be(stand: Stand) -> None:
    await stand.add("every 1d")
    await stand.worker.attempt()
    stand.controller.answer = Answer.LATER
    stand.clock.advance(86_400)
    for _ in range(1200):
        stand.clock.advance(1)
        await stand.worker.attempt()
    assert len(stand.controller.asked) == ATTEMPTS_MAX
    assert len(set(stand.controller.keys)) == 1
    stand.controller.answer = Answer.DONE
    await stand.pass_minutes(24 * 60)
    assert len(stand.controller.asked) == ATTEMPTS_MAX + 1


async def test_a_schedule_broken_by_hand_stops_no_other(stand: Stand) -> None:
    broken = await stand.add("every 1m", "broken")
    good = await stand.add("every 1m", "good")
    await stand.worker.attempt()
    await stand.store.change_portfolio(broken, {"schedule": "whenever"}, stand.clock.now())
    await stand.pass_minutes(1)
    assert [due.portfolio_id for due in stand.controller.asked] == [good]


async def test_of_two_workers_one_works(stand: Stand) -> None:
    await stand.add("every 1m")
    other = stand.another()
    await stand.worker.attempt()
    await other.attempt()
    stand.clock.advance(60)
    await stand.worker.attempt()
    await other.attempt()
    assert len(stand.controller.asked) == 1


async def test_the_worker_gives_a_sign_of_life(stand: Stand) -> None:
    await stand.worker.attempt()
    beat = await stand.store.heartbeat("worker")
    assert beat is not None and beat[0] == START


Respond = Callable[[web.Request], Awaitable[web.StreamResponse]]


@pytest.fixture
async def serve() -> AsyncIterator[Callable[[int, dict[str, object]], Awaitable[tuple[str, list[web.Request]]]]]:
    runners: list[web.AppRunner] = []

    async def begin(status: int, body: dict[str, object]) -> tuple[str, list[web.Request]]:
        seen: list[web.Request] = []

        async def answer(request: web.Request) -> web.StreamResponse:
            seen.append(request)
            return web.json_response(body, status=status)

        app = web.Application()
        app.router.add_post("/trading/run-portfolio-cycle", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        runners.append(runner)
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        return f"http://127.0.0.1:{port}", seen

    yield begin
    for runner in runners:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("status", "body", "wanted"),
    [
        (200, {"cycle_id": "cycle-1", "message": "3 trades"}, Answer.DONE),
        (409, {"code": "cycle_running", "detail": "busy"}, Answer.LATER),
        (409, {"code": "portfolio_not_active", "detail": "paused"}, Answer.DONE),
        (503, {"code": "database_unavailable", "detail": "away"}, Answer.LATER),
        (500, {"code": "internal_error", "detail": "broken"}, Answer.DONE),
    ],
)
async def test_what_the_controller_says_is_understood(
    serve: Callable[[int, dict[str, object]], Awaitable[tuple[str, list[web.Request]]]],
    status: int,
    body: dict[str, object],
    wanted: Answer,
) -> None:
    url, seen = await serve(status, body)
    due = Due(3, START)
    assert await ask_controller(url)(due) is wanted
    assert seen[0].headers["Idempotency-Key"] == "schedule:3:2026-05-17T06:05:00Z"
    assert seen[0].query["portfolio_id"] == "3"


async def test_nobody_there_means_later() -> None:
    assert await ask_controller("http://127.0.0.1:9")(Due(1, START)) is Answer.LATER
