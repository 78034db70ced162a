"""What becomes of a market after its end: it stops taking orders, is proposed, perhaps disputed, resolved and closed."""

from __future__ import annotations

from random import Random

from polymarket_kit.values import MICRO
from practice_exchange.world import state
from practice_exchange.world.history import record_price, thin_closed
from practice_exchange.world.state import EventState, MarketState
from practice_exchange.world.timestamps import DAY_MS, HOUR_MS, MINUTE_MS

CHALLENGE_MS = 2 * HOUR_MS


def advance_life(event: EventState, until_ms: int, rng: Random) -> bool:
    """Carry every market of the event through the stages that are due; True if anything changed."""
    changed = False
    for market in event.markets:
        while market.stage != state.RESOLVED and (market.next_stage_ms or market.end_ms) <= until_ms:
            _next_stage(event, market, market.next_stage_ms or market.end_ms, rng)
            market.revision += 1
            changed = True
    if changed and not event.closed and all(market.closed for market in event.markets):
        event.closed = True
        event.closed_ms = max(market.closed_ms for market in event.markets)
    return changed


def next_stage_ms(event: EventState) -> int | None:
    """When the next market of the event moves on, or None when all are resolved."""
    waiting = [m.next_stage_ms or m.end_ms for m in event.markets if m.stage != state.RESOLVED]
    return min(waiting, default=None)


def _next_stage(event: EventState, market: MarketState, moment_ms: int, rng: Random) -> None:
    market.changed_ms = moment_ms
    if market.stage == state.OPEN:
        market.stage = state.ENDED
        market.accepting_orders = False
        wait_ms = 40_000 if market.taker_delay else int(rng.uniform(20 * MINUTE_MS, 4 * HOUR_MS))
        market.next_stage_ms = moment_ms + wait_ms
    elif market.stage == state.ENDED and market.taker_delay:
        # Decided by a price feed: nobody proposes, it resolves by itself.
        _resolve(event, market, moment_ms)
    elif market.stage in (state.ENDED, state.DISPUTED):
        market.stage = state.PROPOSED
        market.uma_statuses.append("proposed")
        market.next_stage_ms = moment_ms + CHALLENGE_MS
    elif market.disputes > 0:
        market.disputes -= 1
        market.stage = state.DISPUTED
        market.uma_statuses.append("disputed")
        market.next_stage_ms = moment_ms + int(rng.uniform(DAY_MS, 3 * DAY_MS))
    else:
        _resolve(event, market, moment_ms)


def _resolve(event: EventState, market: MarketState, moment_ms: int) -> None:
    market.stage = state.RESOLVED
    market.payouts_micro = payouts_of(event, market)
    market.closed, market.closed_ms = True, moment_ms
    market.next_stage_ms = 0
    market.book.clear()
    market.maker = None
    market.tape = []
    record_price(market, moment_ms // 1000, market.payouts_micro[0])
    thin_closed(market)


def payouts_of(event: EventState, market: MarketState) -> list[int]:
    """What a share of each outcome will pay: the hidden truth, which nobody is told before the resolution."""
    if market.void:
        return [MICRO // 2, MICRO // 2]
    yes = market.first <= event.beliefs[market.belief].winner < market.beyond
    return [MICRO, 0] if yes else [0, MICRO]
