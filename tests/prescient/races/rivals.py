"""The processes of a race: two API services with what rests there, and cycles, all on the same rows of one portfolio."""

from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from random import Random
from typing import Any

import httpx

from polymarket_kit.model import NO_FEES, OrderType, Side
from polymarket_kit.values import MICRO
from prescient.adapters.gather import ConcurrentGather
from prescient.adapters.ids import SystemIds
from prescient.adapters.postgres.store.store import open_store
from prescient.api.access import AccessPolicy
from prescient.api.app import create_app
from prescient.domain.order import ApprovedOrder, OrderIntent, Refused
from prescient.domain.risk import Check, Holdings
from prescient.domain.stream import PrintSeen
from prescient.ports.store import Store
from prescient.steps.local import LocalCycleSteps
from prescient.trading.execute import execute_signals
from prescient.trading.orders.approve import approve_intent
from prescient.trading.resting import cancel_order, restore, sweep
from tests.fakes import START, StaticMarketData, binary_market
from tests.streams import hear, streaming_context

MARKET = binary_market(1, fees=NO_FEES)
YES, NO = (outcome.token_id for outcome in MARKET.outcomes)
# Never empty, whatever a thousand rounds take from it: what is refused is refused for the portfolio's sake.
DEEP = "10000000"
CYCLE_ID = "race"
JITTER_S = 0.01
Action = Callable[[], Awaitable[None]]

# When the action that leads to an order began: for telling those that lost a race from those that came too late.
ASKED_S: ContextVar[float] = ContextVar("asked", default=0.0)


@dataclass(frozen=True, slots=True)
class Verdict:
    """One order as the gate answered it: who asked when, when the gate was reached, when it had answered."""

    rival: str
    side: Side
    code: str
    asked_s: float
    begin_s: float
    end_s: float


@dataclass
class TimedStore:
    """A store that notes what its gate answered and when, and that no reservation is beyond what is held."""

    store: Store
    rival: str
    verdicts: list[Verdict] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    async def approve(self, intent: OrderIntent, check: Check, now: Any) -> ApprovedOrder | Refused:
        def watched(holdings: Holdings) -> ApprovedOrder | Refused:
            assert holdings.reserved_micro <= holdings.cash_micro
            assert holdings.set_aside_micro <= holdings.held_micro
            return check(holdings)

        begin_s = time.monotonic()
        verdict = await self.store.approve(intent, watched, now)
        code = verdict.code if isinstance(verdict, Refused) else "approved"
        self.verdicts.append(Verdict(self.rival, intent.side, code, ASKED_S.get(), begin_s, time.monotonic()))
        return verdict


class Rival:
    """One process: it sets up, competes at a signal, and tidies up when all others have ended as well."""

    def __init__(self, name: str, store: Store, seed: int) -> None:
        self.random = Random(seed)
        self.timed = TimedStore(store, name)
        self.data = StaticMarketData()
        self.data.add(MARKET, [("0.54", DEEP)], [("0.56", DEEP)])
        kept: Any = self.timed
        context, self.stream = streaming_context(self.data, kept)
        self.context = replace(context, ids=SystemIds(), gather=ConcurrentGather())
        self.portfolio_id = 0

    async def open(self) -> None:
        await restore(self.context)

    async def set_up(self, portfolio_id: int) -> None:
        self.portfolio_id = portfolio_id
        self.timed.verdicts.clear()

    def actions(self) -> list[Action]:
        raise NotImplementedError

    async def compete(self) -> list[Verdict]:
        await asyncio.gather(*(self._later(action, self.random.uniform(0, JITTER_S)) for action in self.actions()))
        return list(self.timed.verdicts)

    async def _later(self, action: Action, after_s: float) -> None:
        await asyncio.sleep(after_s)
        ASKED_S.set(time.monotonic())
        await action()

    async def tidy_up(self) -> None:
        """End what rests."""

    async def storm(self) -> list[Verdict]:
        """Ask the gate itself for four orders at once, each for a third of what there is, and send none of them."""
        self.timed.verdicts.clear()
        ASKED_S.set(time.monotonic())
        portfolio = await self.timed.store.portfolio(self.portfolio_id)
        held = await self.timed.store.position(self.portfolio_id, YES)
        cash_micro, shares_micro = portfolio.available_micro // 3, (held.size_micro if held else 0) // 3
        asked = [(Side.BUY, NO, cash_micro, 0)] * 2 + [(Side.SELL, YES, 0, shares_micro)] * 2
        (rules,) = (await self.data.rules([MARKET.condition_id])).values()
        intents = [
            OrderIntent(
                self.context.ids.new("order"),
                self.portfolio_id,
                "",
                MARKET.condition_id,
                token_id,
                side,
                OrderType.FAK,
                MICRO // 2,
                amount,
                size,
            )
            for side, token_id, amount, size in asked
            if amount or size
        ]
        await asyncio.gather(*(approve_intent(self.context, intent, rules) for intent in intents))
        return list(self.timed.verdicts)


class Api(Rival):
    """A Paper trading service: three orders over HTTP. Its own order rests from the beginning and is filled meanwhile."""

    prints = 0

    async def open(self) -> None:
        await super().open()
        app = create_app("paper-trading", self.context, LocalCycleSteps(self.context), AccessPolicy())
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost:8003")

    async def set_up(self, portfolio_id: int) -> None:
        await super().set_up(portfolio_id)
        await self.order("SELL", "Yes", 0.60, 5)
        await self._listen()
        self.timed.verdicts.clear()

    def actions(self) -> list[Action]:
        return [
            lambda: self.order("SELL", "Yes", 0.54, 20),
            lambda: self.order("BUY", "No", 0.46, 20),
            lambda: self.order("SELL", "Yes", 0.61, 20),
            self.fill,
            self.merge,
        ]

    async def order(self, side: str, outcome: str, price: float, size: int) -> None:
        asked = {"portfolio_id": self.portfolio_id, "market": MARKET.slug, "outcome": outcome}
        answer = await self.http.post(
            "/paper-trading/orders", json=asked | {"side": side, "price": price, "size": size}
        )
        assert answer.status_code == 200, answer.text
        told = answer.json()
        assert told["accepted"] or told["code"] in ("insufficient_cash", "insufficient_shares"), told

    async def merge(self) -> None:
        asked = {"portfolio_id": self.portfolio_id, "condition_id": MARKET.condition_id}
        answer = await self.http.post("/paper-trading/merge", json=asked)
        assert answer.status_code == 200 or answer.json()["code"] in ("nothing_to_merge", "position_moved"), answer.text

    async def fill(self) -> None:
        """The resting loop hears a trade that fills what rests at 60 cents, and sweeps."""
        self.prints += 1
        time_ms = round(START.timestamp() * 1000) + self.prints
        await self._listen(PrintSeen(YES, 600_000, 2 * MICRO, Side.BUY, time_ms))
        await sweep(self.context)

    async def _listen(self, *events: PrintSeen) -> None:
        for event in [*self.stream.told(), *events]:
            await hear(self.context, event)

    async def tidy_up(self) -> None:
        assert self.context.resting is not None
        for order_id in list(self.context.resting.states()):
            await cancel_order(self.context, order_id)


class Cycle(Rival):
    """The execution step of a cycle: its signals are saved already, one to buy and one to sell."""

    def actions(self) -> list[Action]:
        return [self.execute]

    async def execute(self) -> None:
        report = await execute_signals(self.context, f"{CYCLE_ID}-{self.portfolio_id}", self.portfolio_id)
        assert report.count_in == 2
        assert set(report.dropped) <= {"insufficient_cash", "insufficient_shares"}, report.dropped


RIVALS: dict[str, type[Rival]] = {"api-1": Api, "api-2": Api, "cycle": Cycle}


def run_rival(name: str, dsn: str, seed: int, pipe: Connection) -> None:
    """Live in a process of one's own: set up, compete and tidy up at each word of the other end, until it says None."""
    try:
        asyncio.run(_live(name, dsn, seed, pipe))
    except BaseException:
        pipe.send(traceback.format_exc())
        raise


async def _live(name: str, dsn: str, seed: int, pipe: Connection) -> None:
    store = await open_store(dsn)
    try:
        rival = RIVALS[name](name, store, seed)
        await rival.open()
        pipe.send("open")
        # Nothing of this process goes on between two words, so it may wait for them where it stands.
        while (portfolio_id := pipe.recv()) is not None:
            await rival.set_up(portfolio_id)
            pipe.send("ready")
            assert pipe.recv() == "go"
            pipe.send(await rival.compete())
            assert pipe.recv() == "tidy up"
            await rival.tidy_up()
            pipe.send("tidy")
            assert pipe.recv() == "storm"
            pipe.send(await rival.storm())
    finally:
        await store.close()
