"""Screen (step 3): from the events that passed, the markets worth a strategy's look."""

from __future__ import annotations

from collections.abc import Sequence

from prescient.domain.cycle import StepReport
from prescient.domain.market import Market, MarketFigures
from prescient.domain.reasons import Reason
from prescient.domain.screening import Drop, EventFilter, MarketFilter, screen_market
from prescient.domain.signal import Decision, Step
from prescient.ports.context import TradingContext
from prescient.trading.collect import passing_events

SNAPSHOT_SOURCE = "cycle"
KEPT = Drop(Reason.KEPT)
# Looked at in one go, a few milliseconds; then everybody else has a turn.
STRETCH_MARKETS = 1_000


async def screen_markets(
    context: TradingContext, cycle_id: str, limits: EventFilter, market_limits: MarketFilter
) -> StepReport:
    """Keep the tradable markets above the floors and inside the conviction band, judged by catalogue prices.

    One decision row per market, kept or dropped, so that "why did it not trade?" has an answer for each of them.
    """
    events = await passing_events(context, limits)
    report = StepReport(Step.SCREEN)
    # Thousands are looked at for each one that is kept: what screening does not ask stays in the store.
    decisions = await _judge(
        context, await context.store.market_figures([event.event_id for event in events]), market_limits
    )
    for decision in decisions:
        report.count_in += 1
        if not decision.passed:
            report.drop(decision.code, decision.setting)
    kept = [decision.subject_id for decision in decisions if decision.passed]
    report.count_out = len(kept)
    await context.store.save_decisions(cycle_id, decisions, context.clock.now())
    await context.store.save_screened(cycle_id, kept)
    # A whole catalogue's decisions are let go before books come in: what lies about is walked over by the collector.
    del decisions
    await save_books(context, SNAPSHOT_SOURCE, await context.store.screened(cycle_id))
    return report


async def _judge(context: TradingContext, markets: Sequence[MarketFigures], limits: MarketFilter) -> list[Decision]:
    decisions: list[Decision] = []
    for number, market in enumerate(markets):
        if number % STRETCH_MARKETS == 0:
            await context.clock.sleep(0)
        drop = screen_market(market, limits) or KEPT
        passed = drop is KEPT
        decisions.append(
            Decision(Step.SCREEN, "market", market.market_id, passed, drop.code, drop.number, drop.setting)
        )
    return decisions


async def save_books(context: TradingContext, source: str, markets: list[Market]) -> None:
    """Write one ``market_snapshots`` row per outcome of these markets with its fresh book."""
    if not markets:
        return
    tokens = [outcome.token_id for market in markets for outcome in market.outcomes]
    books = await context.market_data.books(tokens)
    rows = [(market, books.get(outcome.token_id)) for market in markets for outcome in market.outcomes]
    present = [(market, book) for market, book in rows if book is not None]
    await context.store.save_snapshots(source, present, context.clock.now())
