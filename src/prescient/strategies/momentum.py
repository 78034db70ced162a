"""Buy the outcome whose price has been drifting up over the last 24 hours."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import erf, log, sqrt
from typing import Any

from prescient.domain.reasons import Reason
from prescient.strategy import MICRO, MarketView, Parameter, Pass, PricePoint, Proposal, Side, micro_to_text

POINTS_MIN = 6
# Prices this close to 0 or 1 have no meaningful log-odds.
EDGE_MICRO = 1_000


class Momentum:
    name = "momentum"
    description = (
        "Buys the outcome whose price rose over the last 24 hours. Its score, 0 to 1, is the probability that the "
        "drift of the log-odds is upward, given how much they moved back and forth (0.5 means no drift)."
    )
    parameters: tuple[Parameter, ...] = (
        Parameter("min_history_points", "integer", 12, "Price points needed before the strategy has a view", 6, 1000),
    )
    history_hours = 24

    def decide(self, view: MarketView, config: dict[str, Any]) -> Sequence[Proposal] | Pass:
        points_needed = max(int(config["min_history_points"]), POINTS_MIN)
        best: tuple[float, str] | None = None
        longest = 0
        for outcome in view.market.outcomes:
            history = view.history.get(outcome.token_id, ())
            longest = max(longest, len(history))
            if len(history) >= points_needed:
                score = upward_probability(history)
                best = max(best, (score, outcome.token_id)) if best else (score, outcome.token_id)
        if best is None:
            return Pass(Reason.HISTORY_SHORT, str(longest), "min_history_points")
        score, token_id = best
        if score <= 0.5:
            return Pass(Reason.NO_UPWARD_DRIFT, f"{score:.4f}")
        book = view.books.get(token_id)
        if book is None or not book.asks:
            return Pass(Reason.NO_ASK if book else Reason.NO_BOOK)
        first, last = view.history[token_id][0], view.history[token_id][-1]
        reason = f"24 h drift from {micro_to_text(first.price_micro)} to {micro_to_text(last.price_micro)}, score {score:.4f}"
        return [Proposal(token_id, Side.BUY, int(score * MICRO), book.asks[0].price_micro, reason)]


def upward_probability(history: Sequence[PricePoint]) -> float:
    """Return the normal probability that the mean step of the log-odds is above zero: 0..1, 0.5 without movement.

    The t-value of the mean step goes through the normal distribution; with a dozen points and more that is close
    enough for ranking. Equal prices throughout give 0.5.
    """
    odds = [log(_clamped(point.price_micro) / (MICRO - _clamped(point.price_micro))) for point in history]
    steps = [after - before for before, after in pairwise(odds)]
    mean = sum(steps) / len(steps)
    variance = sum((step - mean) ** 2 for step in steps) / max(len(steps) - 1, 1)
    if variance == 0:
        return 0.5 if mean == 0 else float(mean > 0)
    z = mean / sqrt(variance / len(steps))
    return 0.5 * (1 + erf(z / sqrt(2)))


def _clamped(price_micro: int) -> int:
    return min(max(price_micro, EDGE_MICRO), MICRO - EDGE_MICRO)
