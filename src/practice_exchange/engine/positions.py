"""What an address does on the chain: deposit, withdraw, approve, split, merge, redeem, convert. It may outrun its orders.

The chain knows no reservations: whoever moves money away that orders or trades rely on loses the orders, and the
trades fail.
"""

from __future__ import annotations

from polymarket_kit.rejections import Rejection
from polymarket_kit.values import MICRO
from practice_exchange.engine.accounts import COLLATERAL, Account
from practice_exchange.engine.core import Core, cover
from practice_exchange.engine.events import MarketStage
from practice_exchange.engine.markets import Market

UNKNOWN_MARKET = Rejection("market_not_found", "market not found", 404)
NOT_RESOLVED = Rejection("not_resolved", "result for condition not received yet")
NOTHING_TO_REDEEM = Rejection("nothing_to_redeem", "no balance to redeem")
BALANCE_EXCEEDED = Rejection("balance_exceeded", "transfer amount exceeds balance")
NOT_CONVERTIBLE = Rejection("not_convertible", "these positions cannot be converted")


def deposit(core: Core, account_id: str, amount_micro: int) -> None:
    """Credit play dollars; shares come from a split, so that every share is backed. Raises ValueError below zero."""
    if amount_micro < 0:
        raise ValueError("amount_micro: a deposit cannot be negative; use withdraw")
    core.account(account_id).collateral.balance_micro += amount_micro


def withdraw(core: Core, account_id: str, amount_micro: int, now_ms: int) -> Rejection | None:
    """Take dollars out of an account, whatever its orders rely on."""
    account = core.account(account_id)
    return _spend(core, account, {COLLATERAL: amount_micro}, now_ms)


def transfer(
    core: Core, source_id: str, target_id: str, asset: str, amount_micro: int, now_ms: int
) -> Rejection | None:
    """Move dollars or shares from one address to another."""
    refusal = _spend(core, core.account(source_id), {asset: amount_micro}, now_ms)
    if refusal is None:
        core.account(target_id).holding(asset).balance_micro += amount_micro
    return refusal


def approve(core: Core, account_id: str, asset: str, amount_micro: int | None, now_ms: int) -> None:
    """Set what the exchange may take of an asset; None is unlimited. Orders beyond it are cancelled."""
    account = core.account(account_id)
    account.holding(asset).allowance_micro = amount_micro
    cover(core, account, asset, now_ms)


def split(core: Core, account_id: str, condition_id: str, amount_micro: int, now_ms: int) -> Rejection | None:
    """Turn dollars into complete sets."""
    market = core.markets.get(condition_id)
    if market is None:
        return UNKNOWN_MARKET
    account = core.account(account_id)
    refusal = _spend(core, account, {COLLATERAL: amount_micro}, now_ms)
    if refusal is None:
        _make_sets(market, account, amount_micro)
    return refusal


def merge(core: Core, account_id: str, condition_id: str, amount_micro: int, now_ms: int) -> Rejection | None:
    """Turn complete sets back into dollars."""
    market = core.markets.get(condition_id)
    if market is None:
        return UNKNOWN_MARKET
    account = core.account(account_id)
    refusal = _spend(core, account, dict.fromkeys(market.token_ids, amount_micro), now_ms)
    if refusal is None:
        account.collateral.balance_micro += amount_micro
        market.state.locked_micro -= amount_micro
        assert market.state.locked_micro >= 0
    return refusal


def redeem(core: Core, account_id: str, condition_id: str) -> int | Rejection:
    """Burn an account's whole balances of a resolved market; return the dollars paid, in micro.

    A second time there is nothing left to burn, so it pays nothing and says so.
    """
    market = core.markets.get(condition_id)
    if market is None:
        return UNKNOWN_MARKET
    if market.state.stage is not MarketStage.RESOLVED:
        return NOT_RESOLVED
    account = core.account(account_id)
    if not any(account.holding(token_id).balance_micro for token_id in market.token_ids):
        return NOTHING_TO_REDEEM
    return _redeem(market, account)


def redeem_vault(core: Core, condition_id: str) -> None:
    """Collect what the shares given up in conversions pay, once their market is resolved."""
    market = core.markets[condition_id]
    vault = core.vaults.get(market.state.spec.event_id)
    if vault is not None:
        _redeem(market, vault)


def _redeem(market: Market, account: Account) -> int:
    paid = 0
    for token_id, payout_micro in zip(market.token_ids, market.state.payouts_micro, strict=True):
        holding = account.holding(token_id)
        paid += holding.balance_micro * payout_micro // MICRO
        holding.balance_micro = 0
    account.collateral.balance_micro += paid
    market.state.locked_micro -= paid
    assert market.state.locked_micro >= 0
    return paid


def convert(
    core: Core, account_id: str, event_id: str, condition_ids: list[str], amount_micro: int, now_ms: int
) -> Rejection | None:
    """Turn NO shares of some markets of a negative-risk event into YES of all its others, and dollars for all but one NO.

    NO of m markets pays at least m-1 dollars whatever happens, and one more unless one of the m comes true; that is
    YES of every other market. The shares given up go to the event's vault, which is owed the rest at resolution.
    The event's conversion fee is zero (assumed).
    """
    members = [market for market in core.markets.values() if event_id and market.state.spec.event_id == event_id]
    chosen = [market for market in members if market.condition_id in condition_ids]
    if not chosen or len(chosen) != len(set(condition_ids)) or len(condition_ids) != len(chosen):
        return NOT_CONVERTIBLE
    if any(market.state.stage is MarketStage.RESOLVED for market in members):
        return NOT_CONVERTIBLE
    account = core.account(account_id)
    refusal = _spend(core, account, {market.token_ids[1]: amount_micro for market in chosen}, now_ms)
    if refusal is not None:
        return refusal
    vault = core.vaults.get(event_id)
    if vault is None:
        vault = core.vaults[event_id] = Account(event_id)
    for market in chosen:
        vault.holding(market.token_ids[1]).balance_micro += amount_micro
    for market in members:
        if market not in chosen:
            vault.collateral.balance_micro -= amount_micro
            _make_sets(market, account, amount_micro, vault)
    dollars = (len(chosen) - 1) * amount_micro
    vault.collateral.balance_micro -= dollars
    account.collateral.balance_micro += dollars
    return None


def _make_sets(market: Market, first_to: Account, amount_micro: int, second_to: Account | None = None) -> None:
    """Issue complete sets: the first outcome to one account, the second to the same or another."""
    first, second = market.token_ids
    first_to.holding(first).balance_micro += amount_micro
    (second_to or first_to).holding(second).balance_micro += amount_micro
    market.state.locked_micro += amount_micro


def _spend(core: Core, account: Account, amounts: dict[str, int], now_ms: int) -> Rejection | None:
    """Take amounts from an account, all or none, then cancel the orders that relied on them."""
    if any(amount <= 0 for amount in amounts.values()):
        return BALANCE_EXCEEDED
    if any(account.holding(asset).balance_micro < amount for asset, amount in amounts.items()):
        return BALANCE_EXCEEDED
    for asset, amount in amounts.items():
        account.holding(asset).balance_micro -= amount
    for asset in amounts:
        cover(core, account, asset, now_ms)
    return None
