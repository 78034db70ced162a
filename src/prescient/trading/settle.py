"""Settle: pay resolved positions by the payout vector, once, and never before the resolution is final."""

from __future__ import annotations

from prescient.domain.ledger import settlement
from prescient.domain.market import MarketState, Resolution
from prescient.domain.portfolio import Position
from prescient.domain.values import multiply_down
from prescient.ports import Desk


async def settle_resolved(desk: Desk, portfolio_id: int, positions: list[Position]) -> set[str]:
    """Pay the positions whose market is resolved; returns their token ids. Disputed and proposed markets hold their money."""
    if not positions:
        return set()
    states = await desk.market_data.market_states(sorted({position.condition_id for position in positions}))
    settled: set[str] = set()
    for position in positions:
        state = states.get(position.condition_id)
        if state is None or not is_final(state):
            continue
        await _pay(desk, portfolio_id, position, state)
        settled.add(position.token_id)
    return settled


def is_final(state: MarketState) -> bool:
    """Whether the venue has closed the market, says resolved and states a whole payout."""
    return state.closed and state.resolution is Resolution.RESOLVED and state.payout is not None


async def _pay(desk: Desk, portfolio_id: int, position: Position, state: MarketState) -> None:
    assert state.payout is not None
    payout_price = state.payout.of(position.token_id)
    payout = multiply_down(position.size_micro, payout_price)
    assert 0 <= payout <= position.size_micro
    now = desk.clock.now()
    transfers = settlement(portfolio_id, position.condition_id, position.token_id, position.size_micro, payout, now)
    after = position.reduced(position.size_micro, payout, now)
    await desk.store.settle(portfolio_id, transfers, after, now)
