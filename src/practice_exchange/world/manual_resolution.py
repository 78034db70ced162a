"""A market resolved at once, by order: to rehearse redemptions without waiting for the end of an event."""

from __future__ import annotations

from random import Random

from practice_exchange.world import state
from practice_exchange.world.lifecycle import advance_life, payouts_of
from practice_exchange.world.state import EventState, MarketState


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
