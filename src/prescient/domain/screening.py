"""The event and market filters of the cycle: what passes, and the reason, number and setting for what does not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from polymarket_kit.values import MICRO, micro_to_text
from prescient.domain.market import Event, Market, MarketFigures
from prescient.domain.reasons import Reason

USD = MICRO


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Runbook step 2. Bounds are inclusive, in micro-dollars."""

    event_min_liquidity_micro: int = 10_000 * USD
    event_min_volume_micro: int = 50_000 * USD


@dataclass(frozen=True, slots=True)
class MarketFilter:
    """Runbook step 3. Conviction is the highest outcome price; both ends of the band are inclusive."""

    min_liquidity_micro: int = 10_000 * USD
    min_volume_micro: int = 50_000 * USD
    min_market_conviction_micro: int = 500_000
    max_market_conviction_micro: int = 600_000


class Drop(NamedTuple):
    """Why something did not go on. ``setting`` is the request parameter that would let it through, if any."""

    code: str
    number: str = ""
    setting: str = ""


def screen_event(event: Event, limits: EventFilter) -> Drop | None:
    """Return None if the event goes on, else why not. The first reason found is the one recorded."""
    if not event.active or event.closed:
        return Drop(Reason.EVENT_NOT_ACTIVE)
    if event.liquidity_micro < limits.event_min_liquidity_micro:
        return Drop(Reason.EVENT_LIQUIDITY_LOW, micro_to_text(event.liquidity_micro), "event_min_liquidity")
    if event.volume_micro < limits.event_min_volume_micro:
        return Drop(Reason.EVENT_VOLUME_LOW, micro_to_text(event.volume_micro), "event_min_volume")
    return None


def screen_market(market: Market | MarketFigures, limits: MarketFilter) -> Drop | None:
    """Return None if the market goes on, else why not."""
    if not market.tradable:
        return Drop(Reason.MARKET_NOT_TRADABLE, _closed_gate(market))
    if market.placeholder:
        return Drop(Reason.MARKET_PLACEHOLDER)
    if market.liquidity_micro < limits.min_liquidity_micro:
        return Drop(Reason.LIQUIDITY_LOW, micro_to_text(market.liquidity_micro), "min_liquidity")
    if market.volume_micro < limits.min_volume_micro:
        return Drop(Reason.VOLUME_LOW, micro_to_text(market.volume_micro), "min_volume")
    conviction = market.conviction_micro
    if conviction is None:
        return Drop(Reason.PRICE_MISSING)
    if conviction < limits.min_market_conviction_micro:
        return Drop(Reason.CONVICTION_LOW, micro_to_text(conviction), "min_market_conviction")
    if conviction > limits.max_market_conviction_micro:
        return Drop(Reason.CONVICTION_HIGH, micro_to_text(conviction), "max_market_conviction")
    return None


def _closed_gate(market: Market | MarketFigures) -> str:
    """Name every gate that keeps orders out, in words."""
    gates = {
        "not active": not market.active,
        "closed": market.closed,
        "not accepting orders": not market.accepting_orders,
        "no order book": not market.order_book_enabled,
    }
    return ", ".join(name for name, keeps_out in gates.items() if keeps_out)
