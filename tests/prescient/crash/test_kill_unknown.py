"""kill -9 while an order's outcome is not known: what is reserved stays so, and the next process resolves it, once."""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
import sys
import time
import traceback
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from polymarket_kit.model import NO_FEES
from polymarket_kit.values import MICRO
from prescient.adapters.postgres.store.store import open_store
from prescient.domain.order import ApprovedOrder, OrderStatus
from prescient.ports.context import TradingContext
from prescient.ports.store import Store
from prescient.trading.execute import execute_signals
from prescient.trading.orders.resolve import resolve_all
from tests.fakes import StaticMarketData, binary_market, context_over
from tests.prescient.crash.life import NOTICED_TIMEOUT_S, die
from tests.prescient.faults.house import Tripwire, check_books
from tests.prescient.trading.test_cycle import portfolio_of
from tests.prescient.trading.test_lost_answers import leg
from tests.venues import ScriptedVenue, VenueWorld

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="forks its children from a warm process"),
]

CASH = 10_000 * MICRO
COST = 5_500_000


class DurableVenue(ScriptedVenue):
    """Its world is kept in a file: a venue lives on when the process that trades there is killed."""

    def __init__(self, context: TradingContext, file: Path) -> None:
        self._file = file
        world = VenueWorld()
        if file.exists():
            world.orders, world.arrived = pickle.loads(file.read_bytes())  # our own file
        super().__init__(context.venues["paper"], context.clock, world=world)

    async def _arrive(self, order: ApprovedOrder) -> None:
        await super()._arrive(order)
        self._file.write_bytes(pickle.dumps((self.world.orders, self.world.arrived)))


class Unanswered:
    """One portfolio that buys ten shares for 5.50 in a child, whose answer is lost."""

    def __init__(self, dsn: str, file: Path, mishap: str) -> None:
        self.dsn = dsn
        self.file = file
        self.mishap = mishap

    def run(self, work: Callable[[Store], Coroutine[Any, Any, Any]]) -> Any:
        async def with_store() -> Any:
            store = await open_store(self.dsn)
            try:
                return await work(store)
            finally:
                await store.close()

        return asyncio.run(with_store())

    def context(self, store: Any) -> tuple[TradingContext, DurableVenue]:
        """A process of its own at this venue."""
        data = StaticMarketData()
        data.add(binary_market(1, fees=NO_FEES), [("0.54", "500")], [("0.55", "500")])
        context = context_over(data, store)
        venue = DurableVenue(context, self.file)
        return replace(context, venues={"scripted": venue}), venue

    def killed(self, work: Callable[[Store], Coroutine[Any, Any, Any]], method: str, *, after: bool) -> None:
        """Have a child do some work and die around its first call of one method of the store."""
        process_id = os.fork()
        if not process_id:
            try:
                self.run(lambda store: work(Tripwire(store, method, die, after=after)))
                os._exit(0)
            except BaseException:
                traceback.print_exc()
                os._exit(1)
        _, status = os.waitpid(process_id, 0)
        assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL, f"{method} was not called"

    async def buy(self, store: Store) -> None:
        context, venue = self.context(store)
        venue.on("submit", 1, self.mishap)
        portfolio_id = await portfolio_of(context, venue="scripted")
        await store.save_signals([replace(leg(1, portfolio_id, context), group_id="")])
        await execute_signals(context, "cycle", portfolio_id)

    async def resolve(self, store: Store) -> list[str]:
        """Come next; returns the orders resolved, once the server has noticed that the process before was killed."""
        context, venue = self.context(store)
        deadline_s = time.monotonic() + NOTICED_TIMEOUT_S
        resolved: list[str] = []
        while await store.open_orders():
            assert time.monotonic() < deadline_s, await store.open_orders()
            resolved += await resolve_all(context)
            await asyncio.sleep(0.02)
        assert venue.calls["submit"] == 0
        return resolved

    async def look(self, store: Store) -> tuple[OrderStatus, int]:
        """The status of the open order, and what is reserved."""
        ((_, status),) = await store.open_orders()
        portfolio = await store.portfolio(1)
        assert portfolio.cash_micro == CASH
        await check_books(store, self.context(store)[0].clock.now(), resting=False)
        return status, portfolio.reserved_micro

    async def check_end(self, store: Store) -> None:
        """It is resolved as it really happened, once, and asking again changes nothing."""
        context, venue = self.context(store)
        assert await resolve_all(context) == [] and venue.calls["resolve"] == 0
        bought = self.mishap == "lose"
        assert len(venue.world.arrived) == len(await store.trades(1, 10)) == int(bought)
        portfolio = await store.portfolio(1)
        assert (portfolio.cash_micro, portfolio.reserved_micro) == (CASH - COST * bought, 0)
        await check_books(store, context.clock.now())


@pytest.mark.parametrize("mishap", ["lose", "drop"])
@pytest.mark.parametrize("after", [False, True])
def test_killed_around_writing_that_an_answer_was_lost(
    postgres_dsn: str, tmp_path: Path, mishap: str, after: bool
) -> None:
    life = Unanswered(postgres_dsn, tmp_path / "venue", mishap)
    life.killed(life.buy, "mark_unknown", after=after)
    status, reserved_micro = life.run(life.look)
    assert status is (OrderStatus.UNKNOWN if after else OrderStatus.SUBMITTED)
    assert reserved_micro >= COST
    assert len(life.run(life.resolve)) == 1
    life.run(life.check_end)


@pytest.mark.parametrize("mishap", ["lose", "drop"])
@pytest.mark.parametrize("after", [False, True])
def test_killed_again_around_booking_what_became_of_it(
    postgres_dsn: str, tmp_path: Path, mishap: str, after: bool
) -> None:
    life = Unanswered(postgres_dsn, tmp_path / "venue", mishap)
    life.killed(life.buy, "mark_unknown", after=True)
    life.killed(life.resolve, "book", after=after)
    if not after:
        status, reserved_micro = life.run(life.look)
        assert status is OrderStatus.UNKNOWN and reserved_micro >= COST
    assert len(life.run(life.resolve)) == (0 if after else 1)
    life.run(life.check_end)
