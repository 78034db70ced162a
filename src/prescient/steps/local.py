"""The six verbs run here, over one context: the local implementation of ``ports.steps``."""

from __future__ import annotations

from collections.abc import Awaitable

from prescient.domain.cycle import StepReport
from prescient.domain.screening import EventFilter, MarketFilter
from prescient.ports.context import TradingContext
from prescient.steps.hand_over import execute_where_the_venue_is
from prescient.trading.collect import collect_events, filter_events
from prescient.trading.decide import decide_signals
from prescient.trading.mark import mark_positions
from prescient.trading.screen import screen_markets
from prescient.trading.snapshot import take_snapshot


class LocalCycleSteps:
    """Each verb is one function of its own file; this class only adds the time that it took."""

    def __init__(self, context: TradingContext) -> None:
        self._context = context

    async def collect(self, cycle_id: str) -> StepReport:
        return await self._timed(collect_events(self._context, cycle_id))

    async def filter(self, cycle_id: str, limits: EventFilter) -> StepReport:
        return await self._timed(filter_events(self._context, cycle_id, limits))

    async def screen(self, cycle_id: str, limits: EventFilter, market_limits: MarketFilter) -> StepReport:
        return await self._timed(screen_markets(self._context, cycle_id, limits, market_limits))

    async def decide(self, cycle_id: str, portfolio_id: int, limits: MarketFilter) -> StepReport:
        return await self._timed(decide_signals(self._context, cycle_id, portfolio_id, limits))

    async def execute(self, cycle_id: str, portfolio_id: int) -> StepReport:
        return await self._timed(execute_where_the_venue_is(self._context, cycle_id, portfolio_id))

    async def mark(self, portfolio_id: int) -> StepReport:
        return await self._timed(mark_positions(self._context, portfolio_id))

    async def snapshot(self, cycle_id: str, portfolio_id: int) -> StepReport:
        return await self._timed(take_snapshot(self._context, cycle_id, portfolio_id))

    async def _timed(self, verb: Awaitable[StepReport]) -> StepReport:
        started_s = self._context.clock.monotonic_s()
        report = await verb
        report.seconds = round(self._context.clock.monotonic_s() - started_s, 6)
        return report
