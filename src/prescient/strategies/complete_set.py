"""Buy one share of every outcome when all together cost less than the dollar that they must pay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prescient.domain.reasons import Reason
from prescient.strategy import (
    MICRO,
    MarketView,
    Parameter,
    Pass,
    Proposal,
    Side,
    micro_to_text,
    multiply_up,
    parse_micro,
    taker_fee,
)


class CompleteSet:
    name = "complete_set"
    description = (
        "Buys YES and NO of one market together when both asks plus fees are below $1: one of them pays $1. "
        "On one unified book this needs a book caught in the middle of a move, so it trades rarely."
    )
    parameters: tuple[Parameter, ...] = (
        Parameter(
            "min_edge_usd", "number", 0.002, "Profit per set after fees below which it does not trade", 0, 1, "USD"
        ),
    )
    history_hours = 0

    def decide(self, view: MarketView, config: dict[str, Any]) -> Sequence[Proposal] | Pass:
        asks = []
        for outcome in view.market.outcomes:
            book = view.books.get(outcome.token_id)
            if book is None or not book.asks:
                return Pass(Reason.NO_ASK if book else Reason.NO_BOOK)
            asks.append((outcome.token_id, book.asks[0]))
        if len(asks) != 2:
            return Pass(Reason.NOT_BINARY, str(len(asks)))
        cost = sum(ask.price_micro + taker_fee(view.market.fees, MICRO, ask.price_micro) for _, ask in asks)
        edge = MICRO - cost
        if edge < max(parse_micro(config["min_edge_usd"]), 1):
            return Pass(Reason.SET_TOO_DEAR, micro_to_text(cost), "min_edge_usd")
        size = min(ask.size_micro for _, ask in asks)
        dearest = max(ask.price_micro for _, ask in asks)
        # The portfolio's trade size pays for the whole set, so each leg gets the shares that it buys of both.
        size = min(size, parse_micro(config["trade_size_usd"]) * MICRO // cost)
        score = min(MICRO, MICRO // 2 + edge * 10)
        reason = f"both outcomes cost {micro_to_text(cost)} with fees, {micro_to_text(edge)} below $1"
        assert multiply_up(size, dearest) >= 0
        return [Proposal(token_id, Side.BUY, score, ask.price_micro, reason, size) for token_id, ask in asks]
