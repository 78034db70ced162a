"""kill -9 of a process whose orders rest: the next one finds each with its place and its money, and nothing filled twice."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Coroutine
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from polymarket_kit.model import Side
from polymarket_kit.values import MICRO
from prescient.adapters.postgres.store.store import open_store
from prescient.domain.ledger import RESERVED, USD
from prescient.domain.order import RESTING_STATUSES
from prescient.domain.stream import PrintSeen
from prescient.ports.store import Store
from prescient.trading.recover import recover
from prescient.trading.resting import restore, sweep
from tests.fakes import START
from tests.prescient.contract.resting_market import CENT, START_MS, RestingHarness
from tests.prescient.crash.life import die
from tests.prescient.faults.house import Tripwire

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="forks its children from a warm process"),
]

ORDER_SHARES = 200
PRINTS = 12
PRINT_SHARES = 25
RANDOM_KILLS = 12
# The first child is killed before it can do its whole work; while nothing comes of it, the next ones live longer.
LIFE_S, LONGEST_LIFE_S = 0.04, 10.0


class Rest:
    """One order of 200 shares behind 100; children hear prints of 25 until they are killed."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self.portfolio_id = 0
        self.round = 0
        self.run(self._found)

    def run(self, work: Callable[[Store], Coroutine[Any, Any, Any]]) -> Any:
        async def with_store() -> Any:
            store = await open_store(self.dsn)
            try:
                return await work(store)
            finally:
                await store.close()

        return asyncio.run(with_store())

    async def _found(self, store: Store) -> None:
        harness = await RestingHarness(store).open()
        self.portfolio_id = harness.portfolio_id
        await harness.place(54, ORDER_SHARES)

    async def harness(self, store: Store) -> RestingHarness:
        """Take over what rests, as a process does when it starts, and hear the whole books."""
        harness = RestingHarness(store)
        harness.portfolio_id = self.portfolio_id
        await recover(harness.context)
        await restore(harness.context)
        await harness.listen()
        return harness

    def fork(self, method: str, number: int, *, after: bool) -> int:
        """Start a child that hears prints and dies around one call of its store; returns its id."""
        self.round += 1
        process_id = os.fork()
        if process_id:
            return process_id
        try:
            self.run(lambda store: self._trade(store, method, number, after=after))
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)

    async def _trade(self, store: Store, method: str, number: int, *, after: bool) -> None:
        harness = await self.harness(store)
        if method:
            object.__setattr__(harness.context, "store", Tripwire(store, method, die, number=number, after=after))
        for count in range(PRINTS):
            time_ms = START_MS + 1_000 * self.round + count
            await harness.listen(PrintSeen("11", 54 * CENT, PRINT_SHARES * MICRO, Side.SELL, time_ms))
            await sweep(harness.context)

    def look(self) -> tuple[int, int]:
        """Check everything as the next process would find it; return the shares filled and still ahead."""
        return self.run(self._look)  # type: ignore[no-any-return] # what it runs says

    async def _look(self, store: Store) -> tuple[int, int]:
        harness = await self.harness(store)
        assert harness.context.resting is not None
        portfolio = await store.portfolio(self.portfolio_id)
        trades = await store.trades(self.portfolio_id, 1_000)
        filled = sum(trade.size_micro for trade in trades)
        position = await store.position(self.portfolio_id, "11")
        assert filled == (position.size_micro if position else 0)
        assert portfolio.cash_micro == 1_000 * MICRO - filled * 54 * CENT // MICRO
        kept = await store.resting_orders()
        open_ids = [order.intent.order_id for order, status in await store.open_orders() if status in RESTING_STATUSES]
        assert [order.intent.order_id for order, _ in kept] == open_ids
        balances = await store.ledger_balances(self.portfolio_id)
        assert balances.get((RESERVED, USD), 0) == sum(state.held_cash_micro for _, state in kept)
        await store.snapshot(self.portfolio_id, "check", START)
        if not kept:
            assert filled == ORDER_SHARES * MICRO
            await check_no_reserve(store)
            return filled // MICRO, 0
        ((_, state),) = kept
        assert state.filled_micro == filled
        assert harness.context.resting.states()[state.order_id] == replace(
            state, in_gap=False, ahead_micro=min(state.ahead_micro, 100 * MICRO), shown_micro=100 * MICRO
        )
        return filled // MICRO, state.ahead_micro // MICRO


async def check_no_reserve(store: Store) -> None:
    assert await store.open_orders() == []
    assert all(portfolio.reserved_micro == 0 for portfolio in await store.portfolios())


@pytest.fixture
def rest(postgres_dsn: str) -> Rest:
    return Rest(postgres_dsn)


def wait_killed(process_id: int) -> bool:
    _, status = os.waitpid(process_id, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0, "the child failed by itself; its traceback is above"
    return False


def test_killed_around_a_fill(rest: Rest) -> None:
    # Four prints eat the queue, each told to the store by a sweep; the fifth fills, and its process dies before it is booked.
    assert wait_killed(rest.fork("book", 1, after=False))
    assert rest.look() == (0, 0)
    assert wait_killed(rest.fork("book", 1, after=True))
    assert rest.look() == (PRINT_SHARES, 0)
    assert wait_killed(rest.fork("book", 3, after=True))
    assert rest.look() == (4 * PRINT_SHARES, 0)
    assert not wait_killed(rest.fork("", 0, after=True))
    assert rest.look() == (ORDER_SHARES, 0)


def test_killed_between_fills_the_place_is_that_of_the_last_keeping(rest: Rest) -> None:
    assert wait_killed(rest.fork("save_resting", 3, after=False))
    assert rest.look() == (0, 100 - 2 * PRINT_SHARES)
    assert wait_killed(rest.fork("save_resting", 1, after=True))
    assert rest.look() == (0, 100 - 3 * PRINT_SHARES)


def test_killed_at_random_instants(rest: Rest) -> None:
    random = Random(20_260_517)
    before, killed, life_s = (0, 100), 0, LIFE_S
    for _ in range(6 * RANDOM_KILLS):
        child = rest.fork("", 0, after=True)
        time.sleep(random.uniform(life_s / 2, life_s))
        os.kill(child, signal.SIGKILL)
        killed += wait_killed(child)
        filled, ahead = rest.look()
        assert filled >= before[0] and ahead <= before[1]
        if (filled, ahead) == before:
            life_s = min(1.25 * life_s, LONGEST_LIFE_S)
        before = filled, ahead
        if (killed >= RANDOM_KILLS and before != (0, 100)) or filled == ORDER_SHARES:
            break
    assert killed, "no child was killed: all had done their work before"
    assert before != (0, 100), "the kills came before anything was kept"
