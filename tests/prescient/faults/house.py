"""A small house of three portfolios on a small practice world, whose venue can fail on request and whose store is given."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from polymarket_kit.values import MICRO
from practice_exchange.app.exchange import PracticeExchange
from practice_exchange.world.world import World
from prescient.adapters.clock import SimulatedClock
from prescient.adapters.gather import ConcurrentGather
from prescient.adapters.ids import SequenceIds
from prescient.adapters.paper import PaperVenue
from prescient.adapters.polymarket import PolymarketData
from prescient.adapters.polymarket.messages.http import HttpResponse, TransportFailed
from prescient.adapters.recent import RecentMarketData
from prescient.administration.portfolios import PortfolioForm, create_portfolio
from prescient.domain.cycle import CycleReport, CycleRequest
from prescient.domain.ledger import CASH, OWN_ACCOUNTS, RESERVED, SHARES, USD
from prescient.domain.portfolio import Portfolio
from prescient.domain.screening import MarketFilter
from prescient.ports.context import TradingContext
from prescient.ports.store import Store
from prescient.steps.local import LocalCycleSteps
from prescient.strategies import BUILT_IN
from prescient.trading.cycle import start_cycle

START = datetime(2026, 6, 1, tzinfo=UTC)
EVENTS = 12
# Everything up to 95 cents, so that a few markets already make a busy cycle.
WIDE = MarketFilter(min_liquidity_micro=0, min_volume_micro=0, max_market_conviction_micro=950_000)
PORTFOLIOS = (
    ("Majority", "majority", {"add_to_positions": True, "trade_size_usd": 20, "max_trades_per_cycle": 4}),
    (
        "Momentum",
        "momentum",
        {"add_to_positions": True, "trade_size_usd": 10, "min_confidence": 0.55, "max_trades_per_cycle": 4},
    ),
)
HTML = b"<!DOCTYPE html><html><body>Just a moment...</body></html>"
CATALOGUE, BOOKS, RULES, HISTORY = "/gamma/events/keyset", "/clob/books", "/clob/clob-markets/", "/clob/prices-history"
STATES = "/gamma/markets"


@dataclass
class FaultyTransport:
    """The practice exchange in this process; from the ``after``-th request on, a path answers with a fault instead."""

    exchange: PracticeExchange
    fault: str = ""
    path: str = ""
    after: int = 0
    count: int = 1_000_000
    asked: list[str] = field(default_factory=list)
    struck: int = 0
    # Called for each request with all paths asked so far, this one last.
    watch: Callable[[list[str]], Awaitable[None]] | None = None

    async def request(
        self, method: str, url: str, params: Sequence[tuple[str, str]], body: bytes | None
    ) -> HttpResponse:
        path = urlsplit(url).path
        self.asked.append(path)
        if self.watch is not None:
            await self.watch(self.asked)
        answer = self.exchange.handle(method, path, list(params), body or b"")
        whole = HttpResponse(answer.status, answer.body, dict(answer.headers))
        await asyncio.sleep(0)
        if not self.fault or not path.startswith(self.path):
            return whole
        self.after -= 1
        if self.after >= 0 or self.struck >= self.count:
            return whole
        self.struck += 1
        return spoiled(self.fault, whole)

    def fail(self, fault: str, path: str, *, after: int = 0, count: int = 1_000_000) -> None:
        """Spoil the answers of a path, from the ``after``-th on, ``count`` of them."""
        self.fault, self.path, self.after, self.count, self.struck = fault, path, after, count, 0
        self.asked.clear()

    def mend(self) -> None:
        self.fault = ""
        self.asked.clear()

    async def close(self) -> None:
        return None


def spoiled(fault: str, whole: HttpResponse) -> HttpResponse:
    """What a bad day makes of an answer. Raises TransportFailed where none comes."""
    if fault == "nothing":
        raise TransportFailed("no answer within 20 s")
    if fault == "429":
        return HttpResponse(429, b'{"error": "Too Many Requests"}', {"retry-after": "7"})
    if fault == "500":
        return HttpResponse(500, b'{"error": "Internal server error"}', {"content-type": "application/json"})
    if fault == "html":
        return HttpResponse(200, HTML, {"content-type": "text/html"})
    assert fault == "half"
    return HttpResponse(200, whole.body[: len(whole.body) // 2], whole.headers)


@dataclass
class House:
    """Everything that one process has: a world of its own, a context, and the store that outlives it."""

    store: Store
    seed: int = 1
    world: World = field(init=False)
    clock: SimulatedClock = field(init=False)
    transport: FaultyTransport = field(init=False)
    context: TradingContext = field(init=False)

    def __post_init__(self) -> None:
        self.live_in(World(self.seed, events=EVENTS, start=START), self.store)

    def live_in(self, world: World, store: Store) -> None:
        """Take up business in a world as it is now, with a store: a process of its own."""
        self.world, self.store = world, store
        self.clock = SimulatedClock(world.now)
        self.transport = FaultyTransport(PracticeExchange(world))
        data = PolymarketData(
            gamma_url="http://practice/gamma",
            clob_url="http://practice/clob",
            clock=self.clock,
            transport=self.transport,
            gather=ConcurrentGather(),
            jitter=lambda: 0.5,
            events_per_page=4,
        )
        self.context = TradingContext(
            clock=self.clock,
            ids=SequenceIds(self.seed),
            gather=ConcurrentGather(),
            market_data=RecentMarketData(data, self.clock),
            venues={"paper": PaperVenue(data, store, self.clock)},
            store=store,
            strategies={strategy.name: strategy for strategy in BUILT_IN},
        )

    async def found(self) -> None:
        """Create the portfolios."""
        for name, strategy, config in PORTFOLIOS:
            form = PortfolioForm(name, 10_000 * MICRO, strategy, strategy_config=config)
            await create_portfolio(self.context, form)

    def pass_hours(self, hours: float) -> None:
        """Let the world move on, and the clock with it."""
        self.world.step(max(self.world.now, self.clock.now()) + timedelta(hours=hours))
        self.clock.advance((self.world.now - self.clock.now()).total_seconds())

    async def cycle(self, *portfolio_ids: int, key: str = "", cycle_id: str = "") -> CycleReport:
        """One whole cycle, as everybody starts it."""
        name = cycle_id or self.context.ids.new("cycle")
        request = CycleRequest(name, portfolio_ids, market_filter=WIDE, idempotency_key=key)
        return await start_cycle(self.store, LocalCycleSteps(self.context), self.clock, request)


async def check_books(store: Store, now: datetime, *, resting: bool = True) -> None:
    """Every invariant of the money. ``resting``: nothing is under way, so nothing may be reserved, open or running."""
    for portfolio in await store.portfolios():
        await check_portfolio(store, portfolio, now, resting=resting)
    if resting:
        assert await store.open_orders() == []
        assert [report.cycle_id for report in await store.cycles(1_000) if report.status == "running"] == []


async def check_portfolio(store: Store, portfolio: Portfolio, now: datetime, *, resting: bool = True) -> None:
    """The invariants of one portfolio's money: the ledger balances, and positions and cached sums agree with it."""
    balances = await store.ledger_balances(portfolio.portfolio_id)
    by_asset: dict[str, int] = {}
    for (account, asset), amount in balances.items():
        assert account not in OWN_ACCOUNTS or amount >= 0
        by_asset[asset] = by_asset.get(asset, 0) + amount
    assert set(by_asset.values()) <= {0}
    assert portfolio.cash_micro == balances[CASH, USD] + balances.get((RESERVED, USD), 0)
    assert portfolio.reserved_micro == balances.get((RESERVED, USD), 0)
    positions = await store.positions(portfolio.portfolio_id)
    shares = {asset: amount for (account, asset), amount in balances.items() if account == SHARES and amount}
    assert {position.token_id: position.size_micro for position in positions} == shares
    await _check_trades(store, portfolio.portfolio_id)
    snapshot = await store.snapshot(portfolio.portfolio_id, "check", now)
    marks = sum(position.mark_value_micro for position in positions)
    assert snapshot.value_micro == portfolio.cash_micro + marks
    assert not resting or portfolio.reserved_micro == 0


async def _check_trades(store: Store, portfolio_id: int) -> None:
    """A signal has at most one trade, a trade the fills that it says it has."""
    trades = await store.trades(portfolio_id, 100_000)
    assert len({trade.signal_id for trade in trades}) == len(trades)
    for trade in trades:
        assert trade.size_micro == sum(fill.size_micro for fill in trade.fills) > 0
        assert trade.amount_micro == sum(fill.cost_micro for fill in trade.fills)


class Tripwire:
    """A port (store or venue) that calls ``action`` before or after the n-th call of one of its methods."""

    def __init__(self, port: Any, method: str, action: Callable[[], Any], *, number: int = 1, after: bool) -> None:
        self._port = port
        self._method = method
        self._action = action
        self._number = number
        self._after = after
        self.calls = 0

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._port, name)
        return self._tripped(real) if name == self._method else real

    def _tripped(self, real: Callable[..., Any]) -> Callable[..., Any]:
        async def call(*arguments: Any, **named: Any) -> Any:
            self.calls += 1
            due = self.calls == self._number
            if due and not self._after:
                await self._act()
            result = await real(*arguments, **named)
            if due and self._after:
                await self._act()
            return result

        return call

    async def _act(self) -> None:
        result = self._action()
        if asyncio.iscoroutine(result):
            await result
