"""The engine's state and its primitive operations: accounts, markets, orders, the agenda, and removing orders."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import IntEnum
from heapq import heapify, heappop, heappush

from polymarket_kit.model import Side
from polymarket_kit.order_ends import OrderEnd
from practice_exchange.engine.accounts import Account, Holding
from practice_exchange.engine.events import Event, LevelChanged, OrderChange, OrderEvent
from practice_exchange.engine.markets import Market
from practice_exchange.engine.orders import ExchangeRules, Mode, Order, OrderState
from practice_exchange.engine.settlement import SettlementPolicy, Trade

# Later than any moment: nothing is due.
NEVER_MS = 2**62
AGENDA_SLACK = 1_024

BUY = Side.BUY
LIVE = OrderState.LIVE
CANCELLATION = OrderChange.CANCELLATION
UNDER_FUNDED = OrderState(OrderEnd.UNDER_FUNDED.status)


class Due(IntEnum):
    """What can come due by itself."""

    EXPIRY = 0
    DELAYED_ORDER = 1
    SETTLEMENT = 2
    GAME_START = 3
    MODE = 4


EXPIRY, SETTLEMENT = Due.EXPIRY, Due.SETTLEMENT

# (moment, tie-breaker, what, of which order, market or trade)
AgendaEntry = tuple[int, int, Due, str | int]


@dataclass(slots=True, eq=False)
class Core:
    """All state of one exchange. Only the modules of this package touch it."""

    rules: ExchangeRules
    settlement_policy: SettlementPolicy | None
    markets: dict[str, Market] = field(default_factory=dict)
    tokens: dict[str, tuple[Market, int]] = field(default_factory=dict)
    accounts: dict[str, Account] = field(default_factory=dict)
    orders: dict[str, Order] = field(default_factory=dict)
    # Ids of orders that ended, oldest first, and of orders that are forgotten but must not come again.
    closed: deque[str] = field(default_factory=deque)
    spent_ids: set[str] = field(default_factory=set)
    trades: dict[int, Trade] = field(default_factory=dict)
    settled: deque[int] = field(default_factory=deque)
    events: list[Event] = field(default_factory=list)
    agenda: list[AgendaEntry] = field(default_factory=list)
    agenda_limit: int = AGENDA_SLACK
    next_due_ms: int = NEVER_MS
    counter: int = 0
    trade_counter: int = 0
    mode: Mode = Mode.NORMAL
    mode_until_ms: int = 0
    # The venue's own pots: fees taken, and what rounding left over (or lacks), at most a micro-dollar per fill.
    fees_micro: int = 0
    rounding_micro: int = 0
    # Shares given up in negative-risk conversions, by event and token, and what was paid out against them.
    vaults: dict[str, Account] = field(default_factory=dict)

    def account(self, account_id: str) -> Account:
        found = self.accounts.get(account_id)
        if found is None:
            found = self.accounts[account_id] = Account(account_id)
        return found

    def schedule(self, due_ms: int, what: Due, subject: str | int) -> None:
        """Add something to the agenda."""
        self.counter = counter = self.counter + 1
        heappush(self.agenda, (due_ms, counter, what, subject))
        if due_ms < self.next_due_ms:
            self.next_due_ms = due_ms

    def schedule_expiry(self, order: Order) -> None:
        """Add an order's expiry to the agenda; entries of cancelled orders stay behind, so the agenda is compacted at times."""
        self.schedule(order.expires_ms, EXPIRY, order.order_id)
        if len(self.agenda) > self.agenda_limit:
            self.agenda = [entry for entry in self.agenda if self._still_due(entry)]
            heapify(self.agenda)
            self.agenda_limit = 2 * len(self.agenda) + AGENDA_SLACK
            self.next_due_ms = self.agenda[0][0] if self.agenda else NEVER_MS

    def pop_due(self) -> tuple[int, Due, str | int]:
        """Pop the first entry of the agenda: when, what, of whom."""
        due_ms, _, what, subject = heappop(self.agenda)
        self.next_due_ms = self.agenda[0][0] if self.agenda else NEVER_MS
        return due_ms, what, subject

    def _still_due(self, entry: AgendaEntry) -> bool:
        if entry[2] is not EXPIRY:
            return True
        order = self.orders.get(str(entry[3]))
        return order is not None and order.status is LIVE

    def reserved_holding(self, order: Order) -> Holding:
        """Where an order holds something back: dollars for a BUY, its own token for a SELL."""
        account = self.accounts[order.account_id]
        return account.collateral if order.side is BUY else account.holding(order.token_id)


def take_off(core: Core, order: Order, status: OrderState, now_ms: int, reason: str = "") -> None:
    """Remove a resting order from its book: release what it reserves, and emit events for its owner and the market."""
    assert order.status is LIVE
    order.status = status
    order.closed_ms = now_ms
    account = core.accounts[order.account_id]
    account.open_count -= 1
    holding = account.collateral if order.side is BUY else account.shares[order.token_id]
    holding.active_micro -= order.reserved_micro
    order.reserved_micro = 0
    order_id, condition_id = order.order_id, order.condition_id
    core.closed.append(order_id)
    number, points, matched_micro = order.ladder, order.points, order.matched_micro
    total = core.markets[condition_id].ladders[number].remove(points, order.size_micro - matched_micro)
    events = core.events
    events.append(OrderEvent(CANCELLATION, order, status, matched_micro, now_ms, reason))
    events.append(LevelChanged(condition_id, number, points, total, order_id, now_ms))


def end_delayed(core: Core, order: Order, status: OrderState, now_ms: int, reason: str = "") -> None:
    """End an order that never reached the book: it waits out its delay, or was killed right after."""
    assert order.status is OrderState.DELAYED
    core.reserved_holding(order).active_micro -= order.reserved_micro
    order.reserved_micro = 0
    order.status = status
    order.closed_ms = now_ms
    core.accounts[order.account_id].open_count -= 1
    core.closed.append(order.order_id)
    core.events.append(OrderEvent(CANCELLATION, order, status, order.matched_micro, now_ms, reason))


def cover(core: Core, account: Account, asset: str, now_ms: int) -> None:
    """Cancel resting orders that a lowered balance or allowance no longer covers, the newest first (assumed)."""
    holding = account.holding(asset)
    if not holding.overdrawn:
        return
    newest_last = account.all_open()
    while newest_last and holding.overdrawn:
        order = newest_last.pop()
        if order.status is LIVE and core.reserved_holding(order) is holding:
            take_off(core, order, UNDER_FUNDED, now_ms)


def forget(core: Core, before_ms: int) -> None:
    """Drop orders and trades that ended before a moment; the orders' ids stay taken."""
    while core.closed and core.orders[core.closed[0]].closed_ms < before_ms:
        order_id = core.closed.popleft()
        del core.orders[order_id]
        core.spent_ids.add(order_id)
    while core.settled and core.trades[core.settled[0]].updated_ms < before_ms:
        del core.trades[core.settled.popleft()]


def forget_trading_among(core: Core, account_ids: tuple[str, ...]) -> None:
    """Drop the ended orders of these accounts and the settled trades in which nobody else took part."""
    kept_orders: deque[str] = deque()
    for order_id in core.closed:
        if core.orders[order_id].account_id in account_ids:
            del core.orders[order_id]
        else:
            kept_orders.append(order_id)
    kept_trades: deque[int] = deque()
    for trade_id in core.settled:
        trade = core.trades[trade_id]
        if trade.account_id in account_ids and all(maker.account_id in account_ids for maker in trade.makers):
            del core.trades[trade_id]
        else:
            kept_trades.append(trade_id)
    core.closed, core.settled = kept_orders, kept_trades
