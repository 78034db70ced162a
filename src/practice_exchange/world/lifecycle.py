"""The lifecycle of a market after its end: closed to orders, proposed, perhaps disputed, resolved; by itself or by hand."""

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


class ManualResolutionRefused(ValueError):
    """A resolution that cannot be; the message says why."""


def resolve_now(event: EventState, market: MarketState, winner: int | None, now_ms: int) -> None:
    """Resolve a market with this outcome (0 or 1) as the winner; None pays half a dollar for each.

    The event's hidden truth is made to agree, so that its other markets will resolve accordingly in their own time.
    Raises VerdictRefused when the market is resolved already, or when the truth cannot agree.
    """
    if market.closed:
        raise ManualResolutionRefused("this market is resolved already, and a resolution is final")
    if winner is None and event.negative_risk:
        raise ManualResolutionRefused("a market of a negative-risk event has exactly one winner")
    belief = event.beliefs[market.belief]
    before, was_void = belief.winner, market.void
    market.void = winner is None
    if winner is not None:
        fitting = _truths(event, market, winner)
        if belief.winner not in fitting:
            if not fitting:
                market.void = was_void
                raise ManualResolutionRefused(
                    "what is already resolved in this event leaves no truth that agrees with this"
                )
            belief.winner = fitting[0]
    market.stage, market.disputes, market.next_stage_ms = state.PROPOSED, 0, now_ms
    market.accepting_orders = False
    market.uma_statuses.append("proposed")
    advance_life(event, now_ms, Random(f"{before}/{market.condition_id}"))
    assert market.closed


def _truths(event: EventState, market: MarketState, winner: int) -> list[int]:
    """The ways in which a market's belief can come out so that this outcome wins and nothing resolved is contradicted."""
    belief = event.beliefs[market.belief]
    kept, fitting = belief.winner, []
    for truth in range(len(belief.weights)):
        belief.winner = truth
        fits = (market.first <= truth < market.beyond) == (winner == 0)
        if fits and all(
            payouts_of(event, each) == each.payouts_micro
            for each in event.markets
            if each.closed and each.belief == market.belief
        ):
            fitting.append(truth)
    belief.winner = kept
    return fitting
