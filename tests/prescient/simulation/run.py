"""Thirty days in one run: the real cycle over the real client, the practice exchange in memory, a clock that is told.

``python -m tests.prescient.simulation.run SEED DAYS FAILED_SHARE`` prints, last,
one line of JSON with a hash of everything that happened.
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from polymarket_kit.values import MICRO
from practice_exchange.app.exchange import PracticeExchange
from practice_exchange.world.world import World
from prescient.adapters.clock import SimulatedClock
from prescient.adapters.gather import SequentialGather
from prescient.adapters.ids import SequenceIds
from prescient.adapters.memory import MemoryStore
from prescient.adapters.paper import PaperVenue
from prescient.adapters.polymarket import PolymarketData
from prescient.adapters.polymarket.messages.http import HttpResponse
from prescient.adapters.recent import RecentMarketData
from prescient.administration.portfolios import PortfolioForm, create_portfolio
from prescient.domain.cycle import CycleReport, CycleRequest
from prescient.domain.ledger import OWN_ACCOUNTS
from prescient.domain.portfolio import Position
from prescient.domain.settlement import SettlementModel
from prescient.domain.signal import Step
from prescient.ports.context import TradingContext
from prescient.steps.local import LocalCycleSteps
from prescient.strategies import BUILT_IN
from prescient.trading.cycle import start_cycle
from prescient.trading.positions.settle import is_final

START = datetime(2026, 6, 1, tzinfo=UTC)
EVENTS = 300
# All three strategies; the first one with two portfolios of different sizes and habits.
PORTFOLIOS: tuple[tuple[str, str, int, dict[str, object]], ...] = (
    ("majority, small", "majority", 10_000, {}),
    (
        "majority, adds",
        "majority",
        50_000,
        {"trade_size_usd": 250, "add_to_positions": True, "max_trades_per_cycle": 5},
    ),
    (
        "momentum",
        "momentum",
        20_000,
        {"min_confidence": 0.6, "trade_size_usd": 50, "market_types": ["politics", "crypto", "sports"]},
    ),
    ("sets", "complete_set", 10_000, {"min_edge_usd": 0}),
)


class InMemoryTransport:
    """The practice exchange as a transport: the bytes are those of the socket, without the socket."""

    def __init__(self, exchange: PracticeExchange) -> None:
        self._exchange = exchange

    async def request(
        self, method: str, url: str, params: Sequence[tuple[str, str]], body: bytes | None
    ) -> HttpResponse:
        answer = self._exchange.handle(method, urlsplit(url).path, list(params), body or b"")
        return HttpResponse(answer.status, answer.body, dict(answer.headers))

    async def close(self) -> None:
        return None


@dataclass
class Outcome:
    """What a run leaves behind. ``digest`` covers every cycle report, trade and snapshot in order."""

    cycles: int = 0
    trades: int = 0
    settled: int = 0
    digest: str = ""
    strategies: dict[str, int] = field(default_factory=dict)
    half_payouts: int = 0
    failed: int = 0


class Simulation:
    """One seed's world with its context."""

    def __init__(self, seed: int, events: int = EVENTS, failed_share: float = 0.0) -> None:
        self.world = World(seed, events=events, start=START)
        self.clock = SimulatedClock(START)
        exchange = PracticeExchange(self.world)
        self.data = PolymarketData(
            gamma_url="http://practice/gamma",
            clob_url="http://practice/clob",
            clock=self.clock,
            transport=InMemoryTransport(exchange),
            jitter=lambda: 0.5,
        )
        self.store = MemoryStore()
        self.context = TradingContext(
            clock=self.clock,
            ids=SequenceIds(seed),
            gather=SequentialGather(),
            market_data=RecentMarketData(self.data, self.clock),
            venues={"paper": PaperVenue(self.data, self.store, self.clock)},
            store=self.store,
            strategies={strategy.name: strategy for strategy in BUILT_IN},
            settlement=SettlementModel(failed_share=failed_share),
        )
        self.cycle_steps = LocalCycleSteps(self.context)
        self.outcome = Outcome()
        self._hash = hashlib.sha256()

    async def prepare(self) -> None:
        for name, strategy, dollars, config in PORTFOLIOS:
            form = PortfolioForm(name, dollars * MICRO, strategy, strategy_config=config)
            await create_portfolio(self.context, form)

    async def hour(self) -> CycleReport:
        """Let an hour pass in the world, then run one cycle over all portfolios and check everything."""
        passed_s = (self.world.now - self.clock.now()).total_seconds()
        self.clock.advance(max(passed_s, 0.0))
        self.world.step(self.clock.now() + timedelta(hours=1))
        self.clock.advance((self.world.now - self.clock.now()).total_seconds())
        request = CycleRequest(self.context.ids.new("cycle"), ())
        report = await start_cycle(self.store, self.cycle_steps, self.clock, request)
        await self._check(report)
        return report

    async def _check(self, report: CycleReport) -> None:
        """The invariants: books balance, nothing negative, equity = cash + marks; then add the cycle to the digest."""
        self.outcome.cycles += 1
        execute, mark = report.total(Step.EXECUTE), report.total(Step.MARK)
        self.outcome.trades += execute.count_out
        self.outcome.settled += mark.amounts.get("settled", 0)
        self._digest([report.cycle_id, execute.amounts, sorted(mark.amounts.items())])
        for portfolio in await self.store.portfolios():
            positions = await self.store.positions(portfolio.portfolio_id)
            marks = sum(position.mark_value_micro for position in positions)
            assert portfolio.value_micro == portfolio.cash_micro + marks
            assert portfolio.value_micro == portfolio.initial_balance_micro + portfolio.profit_micro
            assert portfolio.cash_micro >= 0
            assert portfolio.reserved_micro == 0
            assert all(position.size_micro > 0 for position in positions)
            self._digest([portfolio.portfolio_id, portfolio.cash_micro, portfolio.value_micro, len(positions)])

    async def finish(self) -> Outcome:
        """Check the whole ledger once more from its first transfer, and every closed position against its payout."""
        for portfolio in await self.store.portfolios():
            balances = await self.store.ledger_balances(portfolio.portfolio_id)
            by_asset: dict[str, int] = {}
            for (account, asset), amount in balances.items():
                assert account not in OWN_ACCOUNTS or amount >= 0
                by_asset[asset] = by_asset.get(asset, 0) + amount
            assert set(by_asset.values()) <= {0}
            trades = await self.store.trades(portfolio.portfolio_id, 100_000)
            self.outcome.failed += sum(trade.settlement == "failed" for trade in trades)
            strategies = self.outcome.strategies
            strategies[portfolio.strategy_type] = strategies.get(portfolio.strategy_type, 0) + len(trades)
            for trade in trades:
                self._digest([trade.trade_id, trade.amount_micro, trade.fee_micro, trade.size_micro, trade.status])
            await self._check_payouts(portfolio.portfolio_id)
        self.outcome.digest = self._hash.hexdigest()
        return self.outcome

    async def _check_payouts(self, portfolio_id: int) -> None:
        """Each resolved market was paid payout x shares, once, and a dollar for each set that was merged before.

        Recomputed from its trades, its merges and the venue's own result. A set's dollar belongs to both outcomes together.
        """
        by_market: dict[str, list[Position]] = {}
        for position in await self.store.positions(portfolio_id, open_only=False):
            by_market.setdefault(position.condition_id, []).append(position)
        states = await self.data.market_states(sorted(by_market))
        trades = [one for one in await self.store.trades(portfolio_id, 100_000) if one.settlement != "failed"]
        merged: dict[str, int] = {}
        for transfer in self.store.transfers(portfolio_id):
            if transfer.kind == "merge":
                merged[transfer.asset] = merged.get(transfer.asset, 0) + transfer.amount_micro
        for condition_id, positions in by_market.items():
            state = states.get(condition_id)
            final = state is not None and is_final(state)
            # The last mark settled whatever was final by then: nothing that has a result is left unpaid.
            assert not (final and any(one.status == "open" for one in positions)), f"{condition_id} was not paid"
            if state is None or state.payout is None or any(one.status != "closed" for one in positions):
                continue
            expected, roundings = 0, 1
            for position in positions:
                own = [trade for trade in trades if trade.token_id == position.token_id]
                sets = merged.get(position.token_id, 0)
                bought = sum(trade.size_micro if trade.side == "BUY" else -trade.size_micro for trade in own)
                spent = sum(trade.amount_micro + trade.fee_micro for trade in own if trade.side == "BUY")
                received = sum(trade.amount_micro - trade.fee_micro for trade in own if trade.side == "SELL")
                price = state.payout.of(position.token_id)
                self.outcome.half_payouts += price == MICRO // 2
                expected += (bought - sets) * price // MICRO + received - spent
                roundings += len(own)
            first = positions[0].token_id
            assert len(positions) == 2 or first not in merged
            expected += merged.get(first, 0)
            assert abs(sum(one.realized_pnl_micro for one in positions) - expected) <= roundings

    def _digest(self, what: Any) -> None:
        self._hash.update(json.dumps(what, sort_keys=True, default=str).encode())


async def simulate(seed: int, days: int, events: int = EVENTS, failed_share: float = 0.0) -> Outcome:
    """Run hourly cycles for some days and return what came of them; a share of the trades fails on the chain."""
    simulation = Simulation(seed, events, failed_share)
    await simulation.prepare()
    for _ in range(days * 24):
        await simulation.hour()
    return await simulation.finish()


if __name__ == "__main__":
    # Nothing that lives through the run is looked at again by the collector; it would take a third of the time.
    gc.set_threshold(50_000, 20, 100)
    result = asyncio.run(simulate(int(sys.argv[1]), int(sys.argv[2]), failed_share=float(sys.argv[3])))
    print(json.dumps(result.__dict__))
