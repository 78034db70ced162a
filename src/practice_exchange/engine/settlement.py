"""The life of a trade after its match: MATCHED, MINED, CONFIRMED, or RETRYING and FAILED. Pure: asked for the next step.

Money and shares move when a trade is mined; until then they are held as matched. A failed trade therefore leaves
every balance as it was. A mined trade is final here (no chain reorganisation: assumed).
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import msgspec

from polymarket_kit.model import Side


class TradeStatus(StrEnum):
    MATCHED = "MATCHED"
    MINED = "MINED"
    RETRYING = "RETRYING"
    CONFIRMED = "CONFIRMED"
    FAILED = "FAILED"


# Named once: looking a member up in its class costs as much as the rest of a line.
MATCHED, MINED, RETRYING = TradeStatus.MATCHED, TradeStatus.MINED, TradeStatus.RETRYING
CONFIRMED, FAILED = TradeStatus.CONFIRMED, TradeStatus.FAILED

# What may come after what; nothing follows the end of a trade.
FOLLOWERS: dict[TradeStatus, frozenset[TradeStatus]] = {
    MATCHED: frozenset({MINED, RETRYING}),
    RETRYING: frozenset({RETRYING, MINED, FAILED}),
    MINED: frozenset({CONFIRMED}),
    CONFIRMED: frozenset(),
    FAILED: frozenset(),
}


class MatchKind(StrEnum):
    """How two orders meet: shares change hands, or a complete set is made of two BUYs, or taken apart by two SELLs."""

    DIRECT = "direct"
    MINT = "mint"
    MERGE = "merge"


class SettlementPlan(msgspec.Struct, frozen=True, gc=False):
    """What becomes of one trade, in milliseconds between the steps.

    The first ``retries`` attempts do not get through, each shown as RETRYING; then it is mined, or it fails.
    """

    mined_after_ms: int = 2_000
    confirmed_after_ms: int = 4_000
    retry_after_ms: int = 3_000
    retries: int = 0
    fails: bool = False

    def __post_init__(self) -> None:
        if min(self.mined_after_ms, self.confirmed_after_ms, self.retry_after_ms, self.retries) < 0:
            raise ValueError("a settlement plan cannot go back in time; give waits and retries from zero up")


SMOOTH = SettlementPlan()


class MakerFill(msgspec.Struct, frozen=True, gc=False):
    """One maker's part of a trade, in the maker's own token, side and price.

    ``cost_micro`` is what the maker pays (BUY) or receives (SELL); makers pay no fee.
    """

    order_id: str
    account_id: str
    owner: str
    token_id: str
    side: Side
    price_micro: int
    size_micro: int
    cost_micro: int
    kind: MatchKind


class Trade(msgspec.Struct, gc=False):
    """One taker's match at one price, with all makers it met there; it settles or fails as a whole.

    Token, side and price are the taker's. ``cost_micro`` is without the fee, which the taker pays on top of a BUY and
    out of a SELL's proceeds.
    """

    trade_id: int
    condition_id: str
    token_id: str
    taker_order_id: str
    account_id: str
    owner: str
    side: Side
    price_micro: int
    size_micro: int
    cost_micro: int
    fee_micro: int
    makers: list[MakerFill]
    matched_ms: int
    updated_ms: int
    plan: SettlementPlan = SMOOTH
    status: TradeStatus = MATCHED
    attempts: int = 0


# Decides, at the moment of the match, how a trade will settle; this is where faults come in. Without one, all go well.
SettlementPolicy = Callable[[Trade], SettlementPlan]


def next_step(trade: Trade, funded: bool) -> tuple[TradeStatus, int | None]:
    """Return the status that follows now and the wait in milliseconds until the step after it, None at the end.

    ``funded`` says whether everybody still has what they owe; who moved the money away makes the trade fail.
    """
    plan = trade.plan
    if trade.status is MINED:
        return CONFIRMED, None
    assert trade.status is MATCHED or trade.status is RETRYING
    through = trade.attempts >= plan.retries and funded and not plan.fails
    if through:
        return MINED, plan.confirmed_after_ms
    # Who cannot pay is tried once more, as any failing trade is, and then given up.
    if trade.status is RETRYING and trade.attempts >= max(plan.retries, 1):
        return FAILED, None
    return RETRYING, plan.retry_after_ms
