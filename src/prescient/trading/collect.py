"""Collect (steps 1 and 2): all active events of the venue into the store, then the events that are big enough."""

from __future__ import annotations

from prescient.domain.cycle import StepReport
from prescient.domain.market import Event
from prescient.domain.screening import EventFilter, screen_event
from prescient.domain.signal import Decision, Step
from prescient.ports.context import TradingContext


async def collect_events(context: TradingContext, cycle_id: str) -> StepReport:
    """Step 1: write every active event and market as the pages arrive. Malformed items are counted and left out."""
    collected = await context.store.save_events(context.market_data.active_events(), cycle_id, context.clock.now())
    report = StepReport(Step.COLLECT, count_in=collected.events + collected.skipped, count_out=collected.events)
    report.amounts["markets"] = collected.markets
    if collected.skipped:
        report.dropped["malformed"] = collected.skipped
    return report


async def filter_events(context: TradingContext, cycle_id: str, limits: EventFilter) -> StepReport:
    """Step 2: keep the events above the liquidity and volume floors; one decision row per dropped event."""
    report = StepReport(Step.FILTER)
    dropped: list[Decision] = []
    for event in await context.store.active_events():
        report.count_in += 1
        drop = screen_event(event, limits)
        if drop is None:
            report.count_out += 1
            continue
        report.drop(drop.code, drop.setting)
        dropped.append(Decision(Step.FILTER, "event", event.event_id, False, drop.code, drop.number, drop.setting))
    await context.store.save_decisions(cycle_id, dropped, context.clock.now())
    return report


async def passing_events(context: TradingContext, limits: EventFilter) -> list[Event]:
    """The collected events that pass the filter, as ``screen`` and GET /events/filter see them."""
    return [event for event in await context.store.active_events() if screen_event(event, limits) is None]
