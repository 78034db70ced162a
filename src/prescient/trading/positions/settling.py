"""Settling: trades that are due become mined, then confirmed; those that fail are undone as though they had never been.

Called before whatever sells, merges or spends, and by a round in the background; safe to call at any time, by anybody.
"""

from __future__ import annotations

from itertools import groupby

import structlog

from prescient.domain.errors import InvariantBroken, PositionMoved
from prescient.domain.settlement import SettlementState, TradeSettlement, undo
from prescient.ports.context import TradingContext

log = structlog.get_logger(__name__)

# More than are ever due at once; the rest is due again in the next round.
DUE_MAX = 5_000
ATTEMPTS_MAX = 5


async def settle_fills(context: TradingContext, portfolio_id: int | None = None) -> list[TradeSettlement]:
    """Carry on what is due, of one portfolio or of all; returns the settlements that took a step.

    Raises InvariantBroken when a failed trade cannot be undone; what was carried on before stays.
    """
    now = context.clock.now()
    due = await context.store.due_settlements(now, portfolio_id, DUE_MAX)
    stepped: list[TradeSettlement] = []
    for owner, group in groupby(due, key=lambda one: one.portfolio_id):
        settled = [one.at(now) for one in group]
        fine = [one for one in settled if one.state is not SettlementState.FAILED]
        await context.store.save_settled(owner, fine, now)
        for failed in settled:
            if failed.state is SettlementState.FAILED:
                await reverse_failed(context, failed)
        stepped += settled
    return stepped


async def reverse_failed(context: TradingContext, failed: TradeSettlement) -> bool:
    """Undo a failed trade on its position as it is now: it may be marked between our reading and our writing.

    False if it was settled already.
    """
    for _ in range(ATTEMPTS_MAX):
        now = context.clock.now()
        position = await context.store.position(failed.portfolio_id, failed.token_id)
        if position is None:
            raise InvariantBroken(f"trade {failed.trade_id} failed, and its position is not kept")
        try:
            undone = await context.store.reverse(undo(failed, position, now), now)
        except PositionMoved:
            continue
        if undone:
            log.warning("trade failed on the chain and was undone", trade_id=failed.trade_id)
        return undone
    raise PositionMoved(failed.token_id)
