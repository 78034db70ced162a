"""Encodes the engine's whole state and restores it; books and indexes are rebuilt from the orders."""

from __future__ import annotations

from collections import deque
from heapq import heapify

import msgspec

from practice_exchange.engine.accounts import Account, Holding
from practice_exchange.engine.core import LIVE, NEVER_MS, AgendaEntry, Core, Due
from practice_exchange.engine.lifecycle import put_market
from practice_exchange.engine.markets import MarketState
from practice_exchange.engine.matching import Exchange
from practice_exchange.engine.orders import ExchangeRules, Mode, Order, OrderState, Restriction
from practice_exchange.engine.settlement import SettlementPolicy, Trade

# Changes whenever an older snapshot can no longer be continued.
VERSION = 1
# Fields that the core and its snapshot have alike.
PLAIN = ("agenda_limit", "counter", "trade_counter", "mode", "mode_until_ms", "fees_micro", "rounding_micro")


class AccountState(msgspec.Struct):
    """An account without its orders."""

    account_id: str
    collateral: Holding
    shares: dict[str, Holding]
    restriction: Restriction


class ExchangeState(msgspec.Struct):
    """Everything an exchange remembers. Events not yet drained are no part of it."""

    version: int
    rules: ExchangeRules
    markets: list[MarketState]
    accounts: list[AccountState]
    vaults: list[AccountState]
    orders: list[Order]
    closed: list[str]
    spent_ids: list[str]
    trades: list[Trade]
    settled: list[int]
    agenda: list[tuple[int, int, Due, str | int]]
    agenda_limit: int
    counter: int
    trade_counter: int
    mode: Mode
    mode_until_ms: int
    fees_micro: int
    rounding_micro: int


class SnapshotUnusable(ValueError):
    """The bytes are not a snapshot of this version."""


_encoder = msgspec.msgpack.Encoder(order="deterministic")
_decoder = msgspec.msgpack.Decoder(ExchangeState)


def save(exchange: Exchange) -> bytes:
    """Return the whole state. Equal states give equal bytes, however they were reached."""
    core = exchange.core
    state = ExchangeState(
        version=VERSION,
        rules=core.rules,
        markets=[market.dump_state() for market in core.markets.values()],
        accounts=_accounts(core.accounts),
        vaults=_accounts(core.vaults),
        orders=sorted(core.orders.values(), key=lambda order: (order.sequence, order.order_id)),
        closed=list(core.closed),
        spent_ids=sorted(core.spent_ids),
        trades=list(core.trades.values()),
        settled=list(core.settled),
        agenda=sorted(core.agenda),
        **{name: getattr(core, name) for name in PLAIN},
    )
    return _encoder.encode(state)


def load(data: bytes, settlement_policy: SettlementPolicy | None = None) -> Exchange:
    """Continue from a snapshot. Raises SnapshotUnusable for anything else."""
    try:
        state = _decoder.decode(data)
    except msgspec.MsgspecError as error:
        raise SnapshotUnusable(f"this is no snapshot of the exchange; start without it ({error})") from error
    if state.version != VERSION:
        raise SnapshotUnusable(
            f"the snapshot has version {state.version}, this program reads {VERSION}; start without it"
        )
    core = Core(state.rules, settlement_policy)
    for market_state in state.markets:
        put_market(core, market_state)
    core.accounts = {account.account_id: _account(account) for account in state.accounts}
    core.vaults = {account.account_id: _account(account) for account in state.vaults}
    for order in state.orders:
        _put_order(core, order)
    core.closed = deque(state.closed)
    core.spent_ids = set(state.spent_ids)
    core.trades = {trade.trade_id: trade for trade in state.trades}
    core.settled = deque(state.settled)
    agenda: list[AgendaEntry] = list(state.agenda)
    heapify(agenda)
    core.agenda = agenda
    core.next_due_ms = agenda[0][0] if agenda else NEVER_MS
    for name in PLAIN:
        setattr(core, name, getattr(state, name))
    return Exchange(core=core)


def _accounts(accounts: dict[str, Account]) -> list[AccountState]:
    return [
        AccountState(account.account_id, account.collateral, account.shares, account.restriction)
        for account in accounts.values()
    ]


def _account(state: AccountState) -> Account:
    account = Account(state.account_id)
    account.collateral = state.collateral
    account.shares = state.shares
    account.restriction = state.restriction
    return account


def _put_order(core: Core, order: Order) -> None:
    """Put an order back: into the index, among its account's open ones, and into the book."""
    core.orders[order.order_id] = order
    if order.status not in (LIVE, OrderState.DELAYED):
        return
    core.accounts[order.account_id].add_open(order)
    if order.status is LIVE:
        market = core.markets[order.condition_id]
        market.ladders[order.ladder].add(order)
