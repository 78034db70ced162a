"""The rows of the memory store and the one place where its money moves: check everything, then write everything."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any, NamedTuple

from polymarket_kit.model import Side
from prescient.domain.cycle import CycleReport
from prescient.domain.errors import InvariantBroken, PortfolioNotFound, PositionMoved, RequestClosed, StoreUnavailable
from prescient.domain.execution import ExecutionRequest
from prescient.domain.ledger import CASH, OWN_ACCOUNTS, RESERVED, SHARES, USD, Transfer
from prescient.domain.market import Event, Market
from prescient.domain.obligation import Obligation
from prescient.domain.order import ApprovedOrder, Consumption, Fill, OrderIntent, OrderStatus, Refused, Trade, Wire
from prescient.domain.order_state import Fact
from prescient.domain.portfolio import Portfolio, Position, Snapshot
from prescient.domain.resting import RestingOrder
from prescient.domain.settlement import TradeSettlement
from prescient.domain.signal import Decision, Signal
from prescient.domain.venue_answers import PositionRequest

Balances = dict[tuple[str, str], int]


@dataclass(slots=True)
class PortfolioRow:
    """One portfolio with all that is summed for it, so that a booking costs the same on day 1 and on day 30."""

    portfolio: Portfolio
    balances: Balances = field(default_factory=dict)
    # Shares by token with a balance above zero, kept apart from ``balances`` to compare it with open positions quickly.
    shares: dict[str, int] = field(default_factory=dict)
    positions: dict[str, Position] = field(default_factory=dict)
    open_tokens: dict[str, None] = field(default_factory=dict)
    trades: list[Trade] = field(default_factory=list)
    history: dict[date, Snapshot] = field(default_factory=dict)
    equity: list[Snapshot] = field(default_factory=list)
    # Trades that are not mined yet, and how many have failed.
    unmined: dict[str, TradeSettlement] = field(default_factory=dict)
    failed_trades: int = 0

    def open_positions(self) -> list[Position]:
        return [self.positions[token_id] for token_id in self.open_tokens]


@dataclass(slots=True)
class OrderRow:
    """An order from its reservation, or its refusal, to its final status."""

    intent: OrderIntent
    approved: ApprovedOrder | None
    status: OrderStatus
    created_at: datetime
    updated_at: datetime
    reason: str = ""
    refused: Refused | None = None
    fills: list[Fill] = field(default_factory=list)
    resting: RestingOrder | None = None
    facts: list[Fact] = field(default_factory=list)


@dataclass(slots=True)
class RequestRow:
    """A change of positions that a venue was asked for: open, done or rejected."""

    request: PositionRequest
    wire: Wire | None
    status: str = "open"
    reason: str = ""


class DecisionBatch(NamedTuple):
    cycle_id: str
    time: datetime
    decisions: tuple[Decision, ...]


class SnapshotRow(NamedTuple):
    """One outcome in ``market_snapshots``; amounts in micro-units, None where the book or the catalogue has nothing."""

    time: datetime
    source: str
    market_id: str
    token_id: str
    best_bid_micro: int | None
    best_ask_micro: int | None
    bid_depth_micro: int
    ask_depth_micro: int
    catalogue_price_micro: int | None


@dataclass(slots=True, eq=False)
class Process:
    """One opened store: what a running process is to the database. Leases and running cycles end with it."""

    alive: bool = True


@dataclass(slots=True)
class Tables:
    """All rows. Several stores opened on the same tables are several processes on one database."""

    portfolios: dict[int, PortfolioRow] = field(default_factory=dict)
    ledger: list[Transfer] = field(default_factory=list)
    transfer_ids: set[str] = field(default_factory=set)
    cycles: dict[str, CycleReport] = field(default_factory=dict)
    cycle_by_key: dict[str, str] = field(default_factory=dict)
    cycle_owner: dict[str, Process] = field(default_factory=dict)
    running: dict[int, str] = field(default_factory=dict)
    events: dict[str, Event] = field(default_factory=dict)
    markets: dict[str, Market] = field(default_factory=dict)
    markets_by_event: dict[str, dict[str, None]] = field(default_factory=lambda: defaultdict(dict))
    market_by_condition: dict[str, str] = field(default_factory=dict)
    market_by_slug: dict[str, str] = field(default_factory=dict)
    screened: dict[str, tuple[str, ...]] = field(default_factory=dict)
    snapshots: dict[date, list[SnapshotRow]] = field(default_factory=lambda: defaultdict(list))
    decisions: list[DecisionBatch] = field(default_factory=list)
    signals: dict[str, Signal] = field(default_factory=dict)
    signals_by_cycle: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    orders: dict[str, OrderRow] = field(default_factory=dict)
    order_by_signal: dict[str, str] = field(default_factory=dict)
    open_orders: dict[str, None] = field(default_factory=dict)
    trades: list[Trade] = field(default_factory=list)
    settlements: dict[str, TradeSettlement] = field(default_factory=dict)
    # Those that have a step before them, in the order of their trades.
    settling: dict[str, None] = field(default_factory=dict)
    obligations: dict[str, Obligation] = field(default_factory=dict)
    trade_ids: set[str] = field(default_factory=set)
    consumption: dict[tuple[str, str], tuple[datetime, Consumption]] = field(default_factory=dict)
    requests: dict[str, RequestRow] = field(default_factory=dict)
    executions: dict[str, ExecutionRequest] = field(default_factory=dict)
    leases: dict[str, Process] = field(default_factory=dict)
    heartbeats: dict[str, tuple[datetime, dict[str, Any]]] = field(default_factory=dict)

    def row(self, portfolio_id: int) -> PortfolioRow:
        row = self.portfolios.get(portfolio_id)
        if row is None:
            raise PortfolioNotFound(portfolio_id)
        return row


class StoreBase:
    """What each part of the store stands on: the shared tables, refused once the store is closed."""

    def __init__(self, tables: Tables | None = None) -> None:
        self._shared = Tables() if tables is None else tables
        self._process = Process()

    @property
    def _tables(self) -> Tables:
        if not self._process.alive:
            raise StoreUnavailable("This store was closed.")
        return self._shared


def checked_deltas(tables: Tables, row: PortfolioRow, transfers: Sequence[Transfer]) -> Balances:
    """Return what the transfers change, by (account, asset), having refused all that may not be booked.

    Only the end counts: within one booking a release may come after the payment that it covers.
    Raises InvariantBroken for another portfolio's transfer, an id used before, or an own account below zero.
    """
    deltas: Balances = defaultdict(int)
    seen: set[str] = set()
    for transfer in transfers:
        if transfer.portfolio_id != row.portfolio.portfolio_id:
            raise InvariantBroken(f"transfer {transfer.transfer_id} belongs to portfolio {transfer.portfolio_id}")
        if transfer.transfer_id in tables.transfer_ids or transfer.transfer_id in seen:
            raise InvariantBroken(f"transfer {transfer.transfer_id} is booked already; nothing was booked again")
        seen.add(transfer.transfer_id)
        deltas[transfer.debit, transfer.asset] -= transfer.amount_micro
        deltas[transfer.credit, transfer.asset] += transfer.amount_micro
    for (account, asset), change in deltas.items():
        if account in OWN_ACCOUNTS and row.balances.get((account, asset), 0) + change < 0:
            raise InvariantBroken(
                f"portfolio {row.portfolio.portfolio_id} would have {account} of {asset} below zero; nothing was booked"
            )
    return deltas


def write_transfers(
    tables: Tables, row: PortfolioRow, transfers: Iterable[Transfer], deltas: Balances, now: datetime
) -> None:
    """Append checked transfers and bring every sum along."""
    for transfer in transfers:
        tables.ledger.append(transfer)
        tables.transfer_ids.add(transfer.transfer_id)
    cash_change = reserved_change = 0
    for key, change in deltas.items():
        balance = row.balances.get(key, 0) + change
        row.balances[key] = balance
        account, asset = key
        if account == SHARES:
            if balance:
                row.shares[asset] = balance
            else:
                row.shares.pop(asset, None)
        elif asset == USD and account in (CASH, RESERVED):
            cash_change += change
            reserved_change += change if account == RESERVED else 0
    row.portfolio = replace(
        row.portfolio,
        cash_micro=row.portfolio.cash_micro + cash_change,
        reserved_micro=row.portfolio.reserved_micro + reserved_change,
        updated_at=now,
    )


def set_aside(tables: Tables, portfolio_id: int, token_id: str) -> tuple[int, int]:
    """The shares of a token that open SELL orders and requests may still take: (of resting ones, of those on their way)."""
    resting = on_its_way = 0
    for order_id in tables.open_orders:
        order = tables.orders[order_id]
        intent = order.intent
        if (intent.portfolio_id, intent.token_id, intent.side) != (portfolio_id, token_id, Side.SELL):
            continue
        if order.resting is not None:
            resting += order.resting.left_micro
        elif order.approved is not None:
            on_its_way += order.approved.reserved_shares_micro
    for row in tables.requests.values():
        if row.status == "open" and row.request.portfolio_id == portfolio_id:
            on_its_way += dict(row.request.given).get(token_id, 0)
    return resting, on_its_way


def closing(tables: Tables, request_id: str) -> RequestRow | None:
    """The open request that a booking ends, if any. Raises RequestClosed."""
    if not request_id:
        return None
    row = tables.requests.get(request_id)
    if row is None or row.status != "open":
        raise RequestClosed(request_id)
    return row


def refuse_set_aside(before: Position, after: Position, set_aside_micro: int) -> None:
    """Raise PositionMoved when a booking takes shares that an open SELL order may take: it was computed before that one."""
    if after.size_micro < before.size_micro and after.size_micro < set_aside_micro:
        raise PositionMoved(before.token_id)


def refuse_moved(row: PortfolioRow, before: Position | None) -> None:
    """Raise PositionMoved unless the position is still what a booking was computed from."""
    if before is None:
        return
    kept = row.positions.get(before.token_id)
    if _standing(before) != (_standing(kept) if kept else NOTHING_HELD):
        raise PositionMoved(before.token_id)


def _standing(position: Position) -> tuple[int, int, int, int, datetime | None]:
    return (
        position.size_micro,
        position.cost_micro,
        position.realized_pnl_micro,
        position.mark_value_micro,
        position.mark_time,
    )


NOTHING_HELD = (0, 0, 0, 0, None)


def write_position(row: PortfolioRow, position: Position, now: datetime) -> None:
    """Replace a position and bring the portfolio's cached sums along."""
    before = row.positions.get(position.token_id)
    # What of it is not mined yet stands with its trades.
    row.positions[position.token_id] = replace(position, settling_size_micro=0, settling_cost_micro=0)
    if position.size_micro > 0:
        row.open_tokens[position.token_id] = None
    else:
        row.open_tokens.pop(position.token_id, None)
    portfolio = row.portfolio
    row.portfolio = replace(
        portfolio,
        invested_micro=portfolio.invested_micro + position.cost_micro - (before.cost_micro if before else 0),
        realized_pnl_micro=portfolio.realized_pnl_micro
        + position.realized_pnl_micro
        - (before.realized_pnl_micro if before else 0),
        unrealized_pnl_micro=portfolio.unrealized_pnl_micro
        + position.unrealized_pnl_micro
        - (before.unrealized_pnl_micro if before else 0),
        updated_at=now,
    )


def check_identities(row: PortfolioRow) -> None:
    """Raise InvariantBroken unless ledger, cached sums and positions agree to the micro-dollar."""
    portfolio = row.portfolio
    portfolio_id = portfolio.portfolio_id
    cash = row.balances.get((CASH, USD), 0) + row.balances.get((RESERVED, USD), 0)
    if cash != portfolio.cash_micro:
        raise InvariantBroken(
            f"portfolio {portfolio_id}: ledger cash {cash} is not the kept cash {portfolio.cash_micro}"
        )
    cost = marks = 0
    sizes: dict[str, int] = {}
    for position in row.open_positions():
        sizes[position.token_id] = position.size_micro
        cost += position.cost_micro
        marks += position.mark_value_micro
    if sizes != row.shares:
        wrong = sorted(token for token in sizes.keys() | row.shares.keys() if sizes.get(token) != row.shares.get(token))
        raise InvariantBroken(
            f"portfolio {portfolio_id}: positions and ledger differ in shares of {', '.join(wrong[:5])}"
        )
    if cost != portfolio.invested_micro or marks - cost != portfolio.unrealized_pnl_micro:
        raise InvariantBroken(
            f"portfolio {portfolio_id}: kept cost or unrealised profit is not the sum over its positions"
        )
    expected = portfolio.initial_balance_micro + portfolio.realized_pnl_micro + portfolio.unrealized_pnl_micro
    if expected != cash + marks:
        raise InvariantBroken(
            f"portfolio {portfolio_id}: initial balance plus profit is {expected}, cash plus marks is {cash + marks}"
        )
