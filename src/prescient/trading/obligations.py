"""Obligations: what a cycle leaves to be done once its shares are mined, carried out here, whatever ends meanwhile.

Stands behind execute and mark, which owe, and before the settling round, which lets trades become mined and then comes here.
"""

from __future__ import annotations

from dataclasses import replace

import structlog

from prescient.domain.errors import ConflictError, ExecutionRunning, NotFoundError, PositionMoved, VenueUnavailable
from prescient.domain.obligation import Obligation, ObligationKind
from prescient.domain.order import TERMINAL_STATUSES, Accepted, OrderStatus, Refused
from prescient.domain.order_state import FactKind, OrderState, answered, state_of
from prescient.ports.context import TradingContext
from prescient.trading.orders.portfolio_lock import executing
from prescient.trading.orders.sell_back import sell_back, unwind_id
from prescient.trading.positions.merge import NothingToMerge, merge_sets
from prescient.trading.positions.settling import settle_fills

log = structlog.get_logger(__name__)

# Of one portfolio in one round; the rest is due again in the next one.
PER_ROUND_MAX = 20
PORTFOLIOS_MAX = 1_000
# Between two looks at what only has to wait for the chain.
LOOK_AGAIN_S = 2.0


async def settling_round(context: TradingContext, venue: str | None = None) -> int:
    """Let trades settle, then carry out what is due of portfolios whose venue this process holds, or of one venue's.

    Returns how many obligations were looked at. What another process's venue owes waits for that process.
    A portfolio that is executing carries out its own at its beginning. Raises StoreUnavailable, InvariantBroken.
    """
    await settle_fills(context)
    due = await context.store.obligations(None, context.clock.now(), PORTFOLIOS_MAX)
    looked_at = 0
    for portfolio_id in dict.fromkeys(one.portfolio_id for one in due):
        its_venue = (await context.store.portfolio(portfolio_id)).venue
        if its_venue not in context.venues or venue not in (None, its_venue):
            continue
        try:
            async with executing(context.store, portfolio_id, wait_s=0):
                looked_at += await carry_out(context, portfolio_id)
        except ExecutionRunning as error:
            log.info("obligations wait", portfolio_id=portfolio_id, code=error.code)
    return looked_at


async def carry_out(context: TradingContext, portfolio_id: int) -> int:
    """Carry out what is due of one portfolio; to be called while ``executing``. Returns how many were looked at."""
    due = await context.store.obligations(portfolio_id, context.clock.now(), PER_ROUND_MAX)
    for one in due:
        attempt = _sell_leg_back if one.kind is ObligationKind.SELL_BACK else _merge
        try:
            after = await attempt(context, one)
        except (VenueUnavailable, ConflictError, NotFoundError, PositionMoved) as error:
            after = one.failed(context.clock.now(), f"{error.code}: {error}")
        await context.store.save_obligation(after)
        if after.done_at is not None or after.attempts > one.attempts:
            log.info("obligation", id=one.obligation_id, done=after.done_at is not None, reason=after.last_reason)
    return len(due)


async def _sell_leg_back(context: TradingContext, owed: Obligation) -> Obligation:
    """Sell what is left of a leg: what it bought and the chain kept, less what its sales sold and the chain kept."""
    signal_id = owed.data["signal_id"]
    now = context.clock.now()
    leg = await _state(context, f"order:{signal_id}")
    sales: list[OrderState] = []
    while facts := await context.store.facts(f"order:{unwind_id(signal_id, len(sales))}"):
        sales.append(state_of(facts))
    left = leg.filled_micro - sum(sale.filled_micro for sale in sales)
    pending = leg.pending.size_micro + sum(sale.pending.size_micro for sale in sales)
    assert left >= 0 and leg.matched.size_micro >= left
    if pending or any(sale.status not in TERMINAL_STATUSES for sale in sales):
        return owed.waits(now, LOOK_AGAIN_S)
    if left == 0:
        return owed.done(now, "sold" if sales else "nothing was bought, or the chain undid it")
    found = await context.store.signals(signal_ids=[signal_id])
    if not found:
        raise NotFoundError(f"Signal {signal_id} does not exist.")
    rules = (await context.market_data.rules([found[0].condition_id])).get(found[0].condition_id)
    price_micro = leg.matched.cost_micro * 1_000_000 // leg.matched.size_micro
    venue = context.venue_of(await context.store.portfolio(owed.portfolio_id))
    _, sold = await sell_back(context, venue, found[0], price_micro, left, rules, attempt=len(sales))
    if isinstance(sold, Refused):
        return owed.failed(context.clock.now(), f"{sold.code}: {sold.reason}")
    # Looked at again once the sale is mined: the chain may undo it as well.
    return owed.waits(context.clock.now(), LOOK_AGAIN_S)


async def _state(context: TradingContext, order_id: str) -> OrderState:
    """What is known of an order; one of an earlier release has its fills only, and those count as settled."""
    facts = await context.store.facts(order_id)
    if not any(fact.kind is FactKind.MATCHED for fact in facts):
        now = context.clock.now()
        fills = tuple(await context.store.fills(order_id))
        matched = answered(order_id, Accepted(order_id, OrderStatus.CANCELED, fills, now), now)
        known = [replace(fact, kind=FactKind.CONFIRMED, size_micro=0, cost_micro=0) for fact in matched if fact.fill_id]
        facts = [*matched, *(replace(fact, price_micro=0, fee_micro=0) for fact in known)]
    return state_of(facts)


async def _merge(context: TradingContext, owed: Obligation) -> Obligation:
    """Merge what is free by now; done when nothing of both outcomes waits to be mined."""
    condition_id = owed.data["condition_id"]
    try:
        await merge_sets(context, owed.portfolio_id, condition_id)
    except NothingToMerge as error:
        reason = error.code
    else:
        reason = ""
    held = [one for one in await context.store.positions(owed.portfolio_id) if one.condition_id == condition_id]
    now = context.clock.now()
    if len(held) == 2 and any(one.settling_size_micro for one in held):
        return owed.waits(now, LOOK_AGAIN_S)
    return owed.done(now, reason)
