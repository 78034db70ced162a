"""kill -9 between a fill and its mining, and between that and what is owed: each is done once, by whoever comes next."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from polymarket_kit.model import NO_FEES
from polymarket_kit.values import MICRO
from prescient.adapters.postgres.store.store import open_store
from prescient.administration.portfolios import PortfolioForm, create_portfolio
from prescient.domain.cycle import CycleRequest
from prescient.ports.context import TradingContext
from prescient.ports.store import Store
from prescient.steps.local import LocalCycleSteps
from prescient.trading.cycle import start_cycle
from prescient.trading.mark import mark_positions
from prescient.trading.obligations import settling_round
from prescient.trading.recover import recover
from tests.fakes import START, StaticMarketData, advance, binary_market, context_over, levels
from tests.prescient.crash.life import die
from tests.prescient.faults.house import Tripwire, check_books
from tests.venues import ScriptedVenue

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="forks its children from a warm process"),
]

CAPITAL = 10_000 * MICRO
# 40 sets bought for 22.00 + 17.20 and merged; or 40 shares bought at 0.55, and sold back at 0.54.
WHOLE, LONE = CAPITAL + 800_000, CAPITAL - 400_000
# The server notices the end of a killed process a moment later.
NOTICED_TIMEOUT_S = 10.0


class Sets:
    """One database; each round is a market of its own, in which a portfolio of its own buys a set, or only its first leg."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self.round = 0

    def run(self, work: Callable[[Store], Coroutine[Any, Any, Any]]) -> Any:
        async def with_store() -> Any:
            store = await open_store(self.dsn)
            try:
                return await work(store)
            finally:
                await store.close()

        return asyncio.run(with_store())

    def context(self, store: Store, *, lone: bool, passed_s: float = 0.0) -> TradingContext:
        """A process of its own on this round's market: its book asks 0.55 for YES and 0.43 for NO."""
        data, number = StaticMarketData(), self.round
        data.add(binary_market(number, fees=NO_FEES), [("0.54", "500")], [("0.55", "500")])
        no = data.book_by_token[f"{number}2"]
        data.book_by_token[f"{number}2"] = replace(no, asks=(*levels([("0.43", "40")]), *no.asks))
        context = context_over(data, store, START + timedelta(hours=self.round, seconds=passed_s))
        for _ in range(1_000 * self.round + (500 if passed_s else 0)):
            context.ids.new("skipped")
        if lone:
            refusing = ScriptedVenue(context.venues["paper"], context.clock, signs=False).on("submit", 2, "refuse")
            context = replace(context, venues={"paper": refusing})
        return context

    def killed(self, method: str, number: int, *, after: bool, lone: bool) -> None:
        """Have a child buy, settle and carry out what is owed, and die around one call of its store."""
        self.round += 1
        process_id = os.fork()
        if not process_id:
            try:
                self.run(lambda store: self._trade(Tripwire(store, method, die, number=number, after=after), lone=lone))
                os._exit(0)
            except BaseException:
                traceback.print_exc()
                os._exit(1)
        _, status = os.waitpid(process_id, 0)
        assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL, (
            f"{method} was not called {number} times"
        )

    async def _trade(self, store: Any, *, lone: bool) -> None:
        context = self.context(store, lone=lone)
        made = await create_portfolio(context, PortfolioForm(f"Sets {self.round}", CAPITAL, "complete_set"))
        request = CycleRequest(f"cycle-{self.round}", (made.portfolio_id,))
        await start_cycle(store, LocalCycleSteps(context), context.clock, request)
        for _ in range(4):
            advance(context, 5)
            await settling_round(context)

    def looked_at(self, *, lone: bool) -> int:
        """Come next, as a process does that starts; returns the cash once nothing is owed any more."""
        return self.run(lambda store: self._look(store, lone=lone))  # type: ignore[no-any-return] # what it runs says

    async def _look(self, store: Store, *, lone: bool) -> int:
        context = self.context(store, lone=False, passed_s=60)
        deadline_s = time.monotonic() + NOTICED_TIMEOUT_S
        await recover(context)
        # The price updater's next round owes, or does, what a mark that was cut off left.
        await mark_positions(context, self.round)
        while await store.obligations(None, None, 10) or await store.open_orders():
            assert time.monotonic() < deadline_s, await store.obligations(None, None, 10)
            advance(context, 600)
            await recover(context)
            await settling_round(context)
            await asyncio.sleep(0.02)
        advance(context, 600)
        await settling_round(context)
        await recover(context)
        assert await store.due_settlements(context.clock.now() + timedelta(days=1), None, 10) == []
        assert await store.positions(self.round) == []
        assert len(await store.trades(self.round, 10)) == 2
        await check_books(store, context.clock.now(), resting=False)
        portfolio = await store.portfolio(self.round)
        assert portfolio.available_micro == portfolio.cash_micro
        return portfolio.cash_micro


@pytest.fixture
def sets(postgres_dsn: str) -> Sets:
    return Sets(postgres_dsn)


def test_killed_around_mining_a_set_and_merging_it(sets: Sets) -> None:
    steps = (("owe", 1), ("save_settled", 1), ("swap", 1), ("save_obligation", 1), ("save_settled", 2))
    for method, number in steps:
        for after in (False, True):
            sets.killed(method, number, after=after, lone=False)
            assert sets.looked_at(lone=False) == WHOLE, f"killed at {method} {number}, after: {after}"


def test_killed_around_mining_a_lone_leg_and_selling_it_back(sets: Sets) -> None:
    # The third order is the sale; its obligation is looked at once more when the sale is mined.
    steps = (
        ("owe", 1),
        ("book", 2),
        ("save_settled", 1),
        ("approve", 3),
        ("book", 3),
        ("save_obligation", 1),
        ("save_obligation", 2),
    )
    for method, number in steps:
        for after in (False, True):
            sets.killed(method, number, after=after, lone=True)
            assert sets.looked_at(lone=True) == LONE, f"killed at {method} {number}, after: {after}"
