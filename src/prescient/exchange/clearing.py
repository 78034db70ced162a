"""Where trades meet accounts: money and shares move when a trade is mined, and nothing has moved when it fails."""

from __future__ import annotations

from prescient.domain.market import Side
from prescient.domain.values import MICRO
from prescient.exchange.accounts import COLLATERAL
from prescient.exchange.core import Core, Due
from prescient.exchange.events import TradeEvent
from prescient.exchange.markets import Market
from prescient.exchange.orders import POINT_MICRO
from prescient.exchange.settlement import FOLLOWERS, MatchKind, Trade, TradeStatus, next_step

BUY = Side.BUY

# account, asset given, how much, asset received, how much
Leg = tuple[str, str, int, str, int]


def legs(trade: Trade) -> list[Leg]:
    """What everybody in a trade gives and receives, the taker first."""
    if trade.side is BUY:
        found = [(trade.account_id, COLLATERAL, trade.cost_micro + trade.fee_micro, trade.token_id, trade.size_micro)]
    else:
        proceeds = trade.cost_micro - trade.fee_micro
        found = [(trade.account_id, trade.token_id, trade.size_micro, COLLATERAL, proceeds)]
    for maker in trade.makers:
        if maker.side is BUY:
            found.append((maker.account_id, COLLATERAL, maker.cost_micro, maker.token_id, maker.size_micro))
        else:
            found.append((maker.account_id, maker.token_id, maker.size_micro, COLLATERAL, maker.cost_micro))
    return found


def settle(core: Core, trade_id: int, now_ms: int) -> None:
    """Move one trade a step on, as its plan and everybody's means say."""
    trade = core.trades[trade_id]
    found = legs(trade) if trade.status is not TradeStatus.MINED else []
    status, wait_ms = next_step(trade, _funded(core, found))
    assert status in FOLLOWERS[trade.status]
    if status is TradeStatus.MINED:
        _move(core, trade, found)
    elif status is TradeStatus.FAILED:
        _reverse(core, found)
    elif status is TradeStatus.RETRYING:
        trade.attempts += 1
    trade.status = status
    trade.updated_ms = now_ms
    core.events.append(TradeEvent(trade, status, now_ms))
    if wait_ms is None:
        core.settled.append(trade_id)
    else:
        core.schedule(now_ms + wait_ms, Due.SETTLEMENT, trade_id)


def _funded(core: Core, found: list[Leg]) -> bool:
    """Whether everybody still has what they owe; one account may owe several times in one trade."""
    owed: dict[tuple[str, str], int] = {}
    for account_id, given, amount, _, _ in found:
        key = (account_id, given)
        owed[key] = owed.get(key, 0) + amount
    return all(
        core.accounts[account_id].holding(asset).balance_micro >= amount for (account_id, asset), amount in owed.items()
    )


def _move(core: Core, trade: Trade, found: list[Leg]) -> None:
    """Pay, deliver, make and take apart complete sets; what rounding leaves goes to the venue's rounding pot."""
    market = core.markets[trade.condition_id]
    paid = received = 0
    for account_id, given, amount, taken, gained in found:
        account = core.accounts[account_id]
        holding = account.holding(given)
        holding.matched_micro -= amount
        holding.balance_micro -= amount
        assert holding.balance_micro >= 0 and holding.matched_micro >= 0
        account.holding(taken).balance_micro += gained
        if given == COLLATERAL:
            paid += amount
        else:
            received += gained
    made = sum(maker.size_micro for maker in trade.makers if maker.kind is MatchKind.MINT)
    made -= sum(maker.size_micro for maker in trade.makers if maker.kind is MatchKind.MERGE)
    market.state.locked_micro += made
    assert market.state.locked_micro >= 0
    core.fees_micro += trade.fee_micro
    core.rounding_micro += paid - received - made - trade.fee_micro
    _accrue_rebates(market, trade)


def _accrue_rebates(market: Market, trade: Trade) -> None:
    """Note each maker's part of the fees that its market's takers paid."""
    if trade.fee_micro == 0 or market.state.fees.rebate_rate_micro == 0:
        return
    market.state.fees_micro += trade.fee_micro
    weights = market.state.rebate_weights
    for maker in trade.makers:
        weight = market.fee(maker.size_micro, trade.price_micro // POINT_MICRO)
        weights[maker.account_id] = weights.get(maker.account_id, 0) + weight


def _reverse(core: Core, found: list[Leg]) -> None:
    """Let go of what a failed trade held. The orders stay matched, as far as they were (assumed)."""
    for account_id, given, amount, _, _ in found:
        holding = core.accounts[account_id].holding(given)
        holding.matched_micro -= amount
        assert holding.matched_micro >= 0


def pay_rebates(core: Core, condition_id: str) -> dict[str, int]:
    """Pay a market's makers their part of the fees taken since the last time; return micro-dollars by account.

    The pool is the schedule's rebate rate of the fees. Parts below one dollar are not paid out and stay with the venue.
    """
    state = core.markets[condition_id].state
    pool = state.fees_micro * state.fees.rebate_rate_micro // MICRO
    total = sum(state.rebate_weights.values())
    paid: dict[str, int] = {}
    for account_id, weight in state.rebate_weights.items():
        share = pool * weight // total if total else 0
        if share >= core.rules.rebate_minimum_micro:
            paid[account_id] = share
            core.accounts[account_id].collateral.balance_micro += share
    core.fees_micro -= sum(paid.values())
    assert core.fees_micro >= 0
    state.fees_micro = 0
    state.rebate_weights = {}
    return paid
