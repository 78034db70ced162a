"""A race course: rounds of one fresh portfolio each, which all rivals want the money and the shares of at once."""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from typing import Any

from polymarket_kit.model import Side
from polymarket_kit.values import MICRO
from prescient.adapters.postgres.store.store import open_store
from prescient.domain.booking import Booking
from prescient.domain.ledger import release
from prescient.domain.order import Rejected
from prescient.domain.order_state import answered
from prescient.domain.portfolio import NewPortfolio
from prescient.domain.signal import Signal
from prescient.ports.store import Store
from tests.fakes import START, StaticMarketData
from tests.prescient.contract.store_examples import bought, fill, pages, signal
from tests.prescient.faults.house import check_portfolio
from tests.prescient.races.rivals import CYCLE_ID, MARKET, NO, RIVALS, YES, Verdict, run_rival

SEED = 20260517
SHARES, CASH_MICRO = 50, 15 * MICRO
ANSWER_TIMEOUT_S = 60.0
ROUNDS_PER_LINE = 50
LOST = ("insufficient_cash", "insufficient_shares")


@dataclass
class Tally:
    """What came of the races: ``lost`` are refusals of orders that another process overtook, by code.

    ``at_the_gate``: of them, those that stood at the gate already when the winner's approval ended.
    """

    rounds: int = 0
    orders: int = 0
    approved: int = 0
    lost: Counter[str] = field(default_factory=Counter)
    at_the_gate: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    seconds: float = 0.0

    def add(self, *phases: Sequence[Verdict]) -> None:
        self.rounds += 1
        for verdicts in phases:
            self.orders += len(verdicts)
            for one in verdicts:
                self._add_one(one, verdicts)

    def _add_one(self, one: Verdict, verdicts: Sequence[Verdict]) -> None:
        if one.code == "approved":
            self.approved += 1
            return
        assert one.code in LOST, one
        self.refused += 1
        # Each fits into what its phase begins with: whoever is refused lost it to those who were approved before.
        winners = [other for other in verdicts if other.code == "approved" and other.side is one.side]
        winners = [other for other in winners if other.rival != one.rival and other.end_s < one.end_s]
        self.lost[one.code] += any(one.asked_s < other.end_s for other in winners)
        self.at_the_gate[one.code] += any(one.begin_s < other.end_s for other in winners)

    @property
    def lost_count(self) -> int:
        """Only those that nobody can call late: they were at the gate together."""
        return self.at_the_gate.total()


class Course:
    """The rivals' processes, and the store through which they are watched."""

    def __init__(self, dsn: str, seed: int = SEED) -> None:
        self.dsn, self.seed = dsn, seed
        self.pipes: list[Connection] = []
        self.processes: list[Any] = []

    def start(self) -> None:
        making = multiprocessing.get_context("spawn")
        for number, name in enumerate(RIVALS):
            here, there = making.Pipe()
            process = making.Process(target=run_rival, args=(name, self.dsn, self.seed + number, there), daemon=True)
            process.start()
            there.close()
            self.pipes.append(here)
            self.processes.append(process)

    def stop(self) -> None:
        for pipe, process in zip(self.pipes, self.processes, strict=True):
            if process.is_alive():
                pipe.send(None)
        for pipe, process in zip(self.pipes, self.processes, strict=True):
            process.join(ANSWER_TIMEOUT_S)
            if process.is_alive():
                process.kill()
                process.join()
            pipe.close()

    def answers(self) -> list[Any]:
        """Hear what each rival says; a traceback instead of an answer is this test's failure."""
        heard = []
        for pipe, process in zip(self.pipes, self.processes, strict=True):
            assert pipe.poll(ANSWER_TIMEOUT_S), f"{process.name} does not answer"
            heard.append(pipe.recv())
        failures = [answer for answer in heard if isinstance(answer, str) and answer.startswith("Traceback")]
        assert not failures, "\n".join(failures)
        return heard

    def tell(self, word: object) -> None:
        for pipe in self.pipes:
            pipe.send(word)

    def race(self, store: Store, tally: Tally, rounds: int, run: Any) -> None:
        """Run rounds one after the other; ``run`` runs a coroutine of the watching store."""
        for number in range(tally.rounds, tally.rounds + rounds):
            began_s = time.monotonic()
            portfolio_id = run(_found(store, number))
            self.tell(portfolio_id)
            self.answers()
            self.tell("go")
            verdicts = [verdict for told in self.answers() for verdict in told]
            run(_watch(store, portfolio_id))
            self.tell("tidy up")
            self.answers()
            run(_finished(store, portfolio_id))
            self.tell("storm")
            stormed = [verdict for told in self.answers() for verdict in told]
            run(_calm(store, portfolio_id))
            tally.add(verdicts, stormed)
            tally.seconds += time.monotonic() - began_s
            if tally.rounds % ROUNDS_PER_LINE == 0:
                print(tally, flush=True)


async def _found(store: Store, number: int) -> int:
    """A portfolio with fifty shares and twenty-five dollars, and the signals of a cycle that will be executed."""
    paid = SHARES * 550_000
    made = await store.create_portfolio(NewPortfolio(f"Race {number}", "majority", paid + CASH_MICRO), START)
    portfolio_id = made.portfolio_id
    first = _signal(portfolio_id, 0, Side.BUY, YES, 560_000)
    await bought(store, first, fill(550_000, SHARES * MICRO), time=START)
    await store.change_portfolio(portfolio_id, {"strategy_config": {"trade_size_usd": 10}}, START)
    buys = _signal(portfolio_id, 1, Side.BUY, NO, 460_000)
    sells = _signal(portfolio_id, 2, Side.SELL, YES, 540_000, 20 * MICRO)
    await store.save_signals([buys, sells] if number % 2 else [sells, buys])
    return portfolio_id


def _signal(portfolio_id: int, number: int, side: Side, token_id: str, price_micro: int, size_micro: int = 0) -> Signal:
    cycle_id = f"{CYCLE_ID}-{portfolio_id}" if number else "opening"
    made = signal(number, portfolio_id, cycle_id=cycle_id, side=side, token_id=token_id, time=START)
    made = replace(made, condition_id=MARKET.condition_id, market_id=MARKET.market_id)
    return replace(made, price_micro=price_micro, size_micro=size_micro)


async def _watch(store: Store, portfolio_id: int) -> None:
    """While some orders rest: nothing is reserved that is not there."""
    portfolio = await store.portfolio(portfolio_id)
    held = {position.token_id: position.size_micro for position in await store.positions(portfolio_id)}
    resting = [state for _, state in await store.resting_orders() if state.portfolio_id == portfolio_id]
    aside: Counter[str] = Counter()
    for state in resting:
        aside[state.token_id] += state.left_micro if state.side is Side.SELL else 0
    assert all(size <= held.get(token_id, 0) for token_id, size in aside.items()), (aside, held)
    assert portfolio.reserved_micro == sum(state.held_cash_micro for state in resting)
    mine = [order for order, _ in await store.open_orders() if order.intent.portfolio_id == portfolio_id]
    assert {order.intent.order_id for order in mine} == {state.order_id for state in resting}


async def _calm(store: Store, portfolio_id: int) -> None:
    """After a storm at the gate: what was approved is there and reserved; then all of it is given back."""
    portfolio = await store.portfolio(portfolio_id)
    held = await store.position(portfolio_id, YES)
    waiting = [order for order, _ in await store.open_orders()]
    assert sum(order.reserved_shares_micro for order in waiting) <= (held.size_micro if held else 0)
    assert sum(order.reserved_cash_micro for order in waiting) == portfolio.reserved_micro <= portfolio.cash_micro
    for order in waiting:
        order_id = order.intent.order_id
        told = answered(order_id, Rejected("market_closed", "closed"), START)
        freed = tuple(release(portfolio_id, order_id, order.reserved_cash_micro, START))
        await store.book(Booking(order_id, told, freed, None, None, ""), START)
    await _finished(store, portfolio_id)


async def _finished(store: Store, portfolio_id: int) -> None:
    await check_portfolio(store, await store.portfolio(portfolio_id), START)
    assert await store.open_orders() == []


def raced(dsn: str, rounds: int, lost_min: int = 0, rounds_max: int = 0, seed: int = SEED) -> Tally:
    """Race so many rounds, and further ones until enough were lost or ``rounds_max`` is reached."""
    tally, course = Tally(), Course(dsn, seed)
    with asyncio.Runner() as runner:
        store = runner.run(open_store(dsn))
        try:
            data = StaticMarketData()
            data.add(MARKET, [("0.54", "1")], [("0.56", "1")])
            runner.run(store.save_events(pages(data.events), "catalogue", START))
            course.start()
            course.answers()
            course.race(store, tally, rounds, runner.run)
            while tally.lost_count < lost_min and tally.rounds < rounds_max:
                course.race(store, tally, min(rounds, rounds_max - tally.rounds), runner.run)
        finally:
            course.stop()
            runner.run(store.close())
    return tally


def main() -> None:
    """Run the thousand races against a database of this run's own, and print what came of them."""
    import shutil
    import tempfile
    from pathlib import Path

    from tests.postgres_fixture import PostgresServer

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1_000)
    parser.add_argument("--lost", type=int, default=200)
    parser.add_argument("--seed", type=int, default=SEED)
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="prescient-races-"))
    server = PostgresServer(folder)
    try:
        server.start()
        tally = raced(server.dsn(server.new_database()), asked.rounds, seed=asked.seed)
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
    print(tally)
    assert tally.lost_count >= asked.lost, f"only {tally.lost_count} races were lost"


if __name__ == "__main__":
    main()
