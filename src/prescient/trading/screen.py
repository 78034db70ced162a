"""Screen (step 3): from the events that passed, the markets worth a strategy's look."""

from __future__ import annotations

from prescient.domain.cycle import StepReport
from prescient.domain.market import Market
from prescient.domain.screening import EventFilter, MarketFilter, screen_market
from prescient.domain.signal import Decision, Step
from prescient.ports import Desk
from prescient.trading.collect import passing_events

SNAPSHOT_SOURCE = "cycle"


async def screen_markets(desk: Desk, cycle_id: str, limits: EventFilter, market_limits: MarketFilter) -> StepReport:
    """Keep the tradable markets above the floors and inside the conviction band, judged by catalogue prices.

    One decision row per market, kept or dropped, so that "why did it not trade?" has an answer for each of them.
    """
    events = await passing_events(desk, limits)
    # Thousands are looked at for each one that is kept: what screening does not ask stays in the store.
    markets = await desk.store.market_figures([event.event_id for event in events])
    report = StepReport(Step.SCREEN, count_in=len(markets))
    kept: list[str] = []
    decisions: list[Decision] = []
    for market in markets:
        drop = screen_market(market, market_limits)
        if drop is None:
            kept.append(market.market_id)
            decisions.append(Decision(Step.SCREEN, "market", market.market_id, True, "kept"))
            continue
        report.drop(drop.code, drop.setting)
        decisions.append(Decision(Step.SCREEN, "market", market.market_id, False, drop.code, drop.number, drop.setting))
    report.count_out = len(kept)
    now = desk.clock.now()
    await desk.store.save_decisions(cycle_id, decisions, now)
    await desk.store.save_screened(cycle_id, kept)
    await save_books(desk, SNAPSHOT_SOURCE, await desk.store.screened(cycle_id))
    return report


async def save_books(desk: Desk, source: str, markets: list[Market]) -> None:
    """Write one ``market_snapshots`` row per outcome of these markets with its fresh book."""
    if not markets:
        return
    tokens = [outcome.token_id for market in markets for outcome in market.outcomes]
    books = await desk.market_data.books(tokens)
    rows = [(market, books.get(outcome.token_id)) for market in markets for outcome in market.outcomes]
    present = [(market, book) for market, book in rows if book is not None]
    await desk.store.save_snapshots(source, present, desk.clock.now())
