"""Buy the outcome that the market holds more likely than not (runbook: "a >50% probability strategy")."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prescient.domain.reasons import Reason
from prescient.strategy import (
    MICRO,
    Market,
    MarketView,
    OrderBook,
    Outcome,
    Parameter,
    Pass,
    Proposal,
    Side,
    micro_to_text,
)

EVEN_MICRO = MICRO // 2


class Majority:
    name = "majority"
    description = (
        "Buys the outcome whose probability is above 50 %, within the cycle's conviction band. "
        "Its score is the share of three witnesses above 50 %: catalogue price, book midpoint, last trade."
    )
    parameters: tuple[Parameter, ...] = ()
    history_hours = 0

    def decide(self, view: MarketView, config: dict[str, Any]) -> Sequence[Proposal] | Pass:
        likely = self._likely(view.market)
        if likely is None:
            return Pass(Reason.NO_MAJORITY, micro_to_text(view.market.conviction_micro or 0))
        book = view.books.get(likely.token_id)
        if book is None or not book.asks:
            return Pass(Reason.NO_ASK if book else Reason.NO_BOOK)
        score = self._score(likely, book)
        reason = f"{likely.name} is above 50 %: catalogue {_text(likely.price_micro)}, ask {_text(book.best_ask_micro)}"
        return [Proposal(likely.token_id, Side.BUY, score, book.asks[0].price_micro, reason)]

    def _likely(self, market: Market) -> Outcome | None:
        priced = [outcome for outcome in market.outcomes if (outcome.price_micro or 0) > EVEN_MICRO]
        return max(priced, key=lambda outcome: outcome.price_micro or 0, default=None)

    def _score(self, outcome: Outcome, book: OrderBook) -> int:
        witnesses = [
            price for price in (outcome.price_micro, book.midpoint_micro, book.last_trade_micro) if price is not None
        ]
        above = sum(price > EVEN_MICRO for price in witnesses)
        return MICRO * above // len(witnesses)


def _text(price_micro: int | None) -> str:
    return "none" if price_micro is None else micro_to_text(price_micro)
