"""The hidden probability of an event's outcomes: an exact martingale that reaches the outcome at the end."""

from __future__ import annotations

from math import exp, log, sqrt
from random import Random

from practice_exchange.world.state import Belief
from practice_exchange.world.timestamps import DAY_MS, HOUR_MS

# The signal's strength goes with the logarithm of the time left; this much is always left, so it stays finite.
LAST_MOMENT_MS = HOUR_MS // 4
# How much of the signal comes through in a day before a kick-off.
QUIET_PER_DAY = 0.01


def draw_belief(chances: list[float], strength: float, end_ms: int, rng: Random, quiet_until_ms: int = 0) -> Belief:
    """Draw the hidden winner from the chances that everybody starts with."""
    assert chances and min(chances) > 0
    total = sum(chances)
    winner = rng.choices(range(len(chances)), weights=chances)[0]
    return Belief([log(chance / total) for chance in chances], winner, strength, end_ms, quiet_until_ms)


def _signal(belief: Belief, from_ms: int, to_ms: int) -> float:
    """How much is learnt between two moments, in units of the signal's variance."""
    learnt = 0.0
    if from_ms < belief.quiet_until_ms:
        quiet_end_ms = min(to_ms, belief.quiet_until_ms)
        learnt += QUIET_PER_DAY * (quiet_end_ms - from_ms) / DAY_MS
        from_ms = quiet_end_ms
    if to_ms > from_ms:
        left_before = max(belief.end_ms - from_ms, 0) + LAST_MOMENT_MS
        left_after = max(belief.end_ms - to_ms, 0) + LAST_MOMENT_MS
        learnt += belief.strength * log(left_before / left_after)
    return learnt


def advance_belief(belief: Belief, from_ms: int, to_ms: int, rng: Random) -> None:
    """Let the informed see the signal between two moments: the winner's log weight drifts up, all of them shake."""
    learnt = _signal(belief, from_ms, to_ms)
    if learnt <= 0:
        return
    spread, gauss, weights = sqrt(learnt), rng.gauss, belief.weights
    for way in range(len(weights)):
        weights[way] += gauss(0.0, spread)
    weights[belief.winner] += learnt
    highest = max(weights)
    if highest > 50.0:
        belief.weights = [weight - highest for weight in weights]


def probabilities(belief: Belief) -> list[float]:
    """What the informed believe now; sums to one."""
    highest = max(belief.weights)
    raw = [exp(weight - highest) for weight in belief.weights]
    total = sum(raw)
    return [value / total for value in raw]
