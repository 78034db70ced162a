"""Settles trades on accounts: money and shares move when a trade is mined, and nothing has moved when it fails."""

from __future__ import annotations

from polymarket_kit.model import Side
from polymarket_kit.values import MICRO
from practice_exchange.engine.accounts import Holding
from practice_exchange.engine.core import SETTLEMENT, Core
from practice_exchange.engine.events import TradeEvent
from practice_exchange.engine.markets import Market
from practice_exchange.engine.orders import POINT_MICRO
from practice_exchange.engine.settlement import FAILED, MINED, MatchKind, Trade, next_step

BUY = Side.BUY
MINT, MERGE = MatchKind.MINT, MatchKind.MERGE

# What is given and how much, what is received and how much: one party of a trade.
Party = tuple[Holding, int, Holding, int]


def parties(core: Core, trade: Trade) -> list[Party]:
    """What everybody in a trade gives and receives, the taker first."""
    accounts, size, token_id = core.accounts, trade.size_micro, trade.token_id
    account = accounts[trade.account_id]
    shares = account.shares.get(token_id) or account.holding(token_id)
    if trade.side is BUY:
        found = [(account.collateral, trade.cost_micro + trade.fee_micro, shares, size)]
    else:
        found = [(shares, size, account.collateral, trade.cost_micro - trade.fee_micro)]
    for maker in trade.makers:
        account = accounts[maker.account_id]
        shares = account.shares.get(maker.token_id) or account.holding(maker.token_id)
        if maker.side is BUY:
            found.append((account.collateral, maker.cost_micro, shares, maker.size_micro))
        else:
            found.append((shares, maker.size_micro, account.collateral, maker.cost_micro))
    return found


def settle(core: Core, trade_id: int, now_ms: int) -> None:
    """Move one trade a step on, as its plan and everybody's means say."""
    trade = core.trades[trade_id]
    if trade.status is MINED:
        status, wait_ms = next_step(trade, True)
    else:
        found = parties(core, trade)
        status, wait_ms = next_step(trade, _funded(found))
        if status is MINED:
            _move(core, trade, found)
        elif status is FAILED:
            _reverse(found)
        else:
            trade.attempts += 1
    trade.status = status
    trade.updated_ms = now_ms
    core.events.append(TradeEvent(trade, status, now_ms))
    if wait_ms is None:
        core.settled.append(trade_id)
    else:
        core.schedule(now_ms + wait_ms, SETTLEMENT, trade_id)


def _funded(found: list[Party]) -> bool:
    """Whether everybody still has what they owe to this trade; one account may owe several times in it."""
    for given, _, _, _ in found:
        # Who has enough for all trades that wait has enough for this one: the usual case, and quick to see.
        if given.balance_micro < given.matched_micro:
            break
    else:
        return True
    owed: dict[int, int] = {}
    for given, amount, _, _ in found:
        owed[id(given)] = owed.get(id(given), 0) + amount
    return all(given.balance_micro >= owed[id(given)] for given, _, _, _ in found)


def _move(core: Core, trade: Trade, found: list[Party]) -> None:
    """Pay, deliver, make and take apart complete sets; what rounding leaves goes to the venue's rounding pot."""
    for given, amount, taken, gained in found:
        given.matched_micro -= amount
        given.balance_micro -= amount
        assert given.balance_micro >= 0 and given.matched_micro >= 0
        taken.balance_micro += gained
    dollars = trade.cost_micro if trade.side is BUY else -trade.cost_micro
    sets = 0
    for maker in trade.makers:
        kind = maker.kind
        dollars += maker.cost_micro if maker.side is BUY else -maker.cost_micro
        if kind is MINT:
            sets += maker.size_micro
        elif kind is MERGE:
            sets -= maker.size_micro
    market = core.markets[trade.condition_id]
    if sets:
        market.state.locked_micro += sets
        assert market.state.locked_micro >= 0
    core.rounding_micro += dollars - sets
    if trade.fee_micro:
        core.fees_micro += trade.fee_micro
        _accrue_rebates(market, trade)


def _accrue_rebates(market: Market, trade: Trade) -> None:
    """Record each maker's share of the fees that its market's takers paid."""
    state = market.state
    if state.fees.rebate_rate_micro == 0:
        return
    state.fees_micro += trade.fee_micro
    weights, points = state.rebate_weights, trade.price_micro // POINT_MICRO
    for maker in trade.makers:
        weights[maker.account_id] = weights.get(maker.account_id, 0) + market.fee(maker.size_micro, points)


def _reverse(found: list[Party]) -> None:
    """Release what a failed trade held. The orders stay matched, as far as they were (assumed)."""
    for given, amount, _, _ in found:
        given.matched_micro -= amount
        assert given.matched_micro >= 0


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
