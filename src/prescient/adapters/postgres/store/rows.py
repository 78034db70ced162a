"""Rows of the database become the values of the domain, and back: columns in the order of the dataclass's fields."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import asyncpg
import msgspec

from polymarket_kit.model import OrderType, Side
from polymarket_kit.values import MICRO
from prescient.adapters.postgres.store import tables
from prescient.domain.cycle import CycleReport
from prescient.domain.order import ApprovedOrder, Fill, OrderIntent, Trade
from prescient.domain.portfolio import Portfolio, PortfolioStatus, Position, Snapshot
from prescient.domain.risk import approved_before
from prescient.domain.signal import Signal

_p = tables.portfolios.c
PORTFOLIO = (
    _p.portfolio_id,
    _p.name,
    _p.description,
    _p.strategy_type,
    _p.strategy_config,
    _p.initial_balance,
    _p.current_balance,
    _p.reserved_balance,
    _p.total_invested,
    _p.realized_pnl,
    _p.unrealized_pnl,
    _p.status,
    _p.venue,
    _p.schedule,
    _p.created_at,
    _p.updated_at,
)

_s = tables.positions.c
POSITION = (
    _s.portfolio_id,
    _s.token_id,
    _s.condition_id,
    _s.market_id,
    _s.market_question,
    _s.outcome,
    _s.size,
    _s.cost,
    _s.realized_pnl,
    _s.current_price,
    _s.current_value,
    _s.mark_source,
    _s.marked_at,
    _s.opened_at,
    _s.closed_at,
    _s.status,
)

_g = tables.signals.c
SIGNAL = (
    _g.signal_id,
    _g.cycle_id,
    _g.portfolio_id,
    _g.strategy,
    _g.market_id,
    _g.condition_id,
    _g.token_id,
    _g.market_question,
    _g.outcome,
    _g.action,
    _g.score,
    _g.catalogue_price,
    _g.price,
    _g.size,
    _g.group_id,
    _g.reason,
    _g.timestamp,
)

_o = tables.orders.c
ORDER = (
    _o.order_id,
    _o.portfolio_id,
    _o.signal_id,
    _o.condition_id,
    _o.token_id,
    _o.side,
    _o.order_type,
    _o.limit_price,
    _o.amount,
    _o.size,
    _o.group_id,
    _o.post_only,
    _o.expiration_s,
)

_t = tables.trades.c
TRADE = (
    _t.trade_id,
    _t.order_id,
    _t.portfolio_id,
    _t.signal_id,
    _t.cycle_id,
    _t.condition_id,
    _t.token_id,
    _t.market_question,
    _t.outcome,
    _t.action,
    _t.size,
    _t.amount,
    _t.fee,
    _t.entry_price,
    _t.realized_pnl,
    _t.status,
    _t.timestamp,
    _t.model,
)


def snapshot_columns(table: Any) -> tuple[Any, ...]:
    """Return the columns of ``portfolio_history`` or ``portfolio_equity`` that make a Snapshot."""
    c = table.c
    return (
        c.portfolio_id,
        c.snapshot_date,
        c.timestamp,
        c.balance,
        c.total_invested,
        c.realized_pnl,
        c.unrealized_pnl,
        c.total_value,
        c.open_positions,
        c.trades,
        c.cycle_id,
    )


def plain(record: asyncpg.Record) -> list[Any]:
    """Return a row that the driver itself read with its money as integers of micro-units."""
    return [int(value * MICRO) if type(value) is Decimal else value for value in record]


def portfolio_of(row: Sequence[Any]) -> Portfolio:
    fields = list(row)
    fields[11] = PortfolioStatus(fields[11])
    return Portfolio(*fields)


def position_of(row: Sequence[Any]) -> Position:
    return Position(*row)


def position_values(position: Position) -> dict[str, Any]:
    """Return a position as a row of ``portfolio_positions``."""
    return {
        "portfolio_id": position.portfolio_id,
        "token_id": position.token_id,
        "condition_id": position.condition_id,
        "market_id": position.market_id,
        "market_question": position.market_question,
        "outcome": position.outcome,
        "size": position.size_micro,
        "cost": position.cost_micro,
        "realized_pnl": position.realized_pnl_micro,
        "current_price": position.mark_price_micro,
        "current_value": position.mark_value_micro,
        "mark_source": position.mark_source,
        "marked_at": position.mark_time,
        "opened_at": position.opened_at,
        "closed_at": position.closed_at,
        "status": position.status,
    }


def signal_of(row: Sequence[Any]) -> Signal:
    fields = list(row)
    fields[9] = Side(fields[9])
    return Signal(*fields)


def intent_values(intent: OrderIntent) -> dict[str, Any]:
    """Return what an order asks for as columns of ``orders``."""
    return {
        "order_id": intent.order_id,
        "portfolio_id": intent.portfolio_id,
        "signal_id": intent.signal_id,
        "condition_id": intent.condition_id,
        "token_id": intent.token_id,
        "side": intent.side.value,
        "order_type": intent.order_type.value,
        "limit_price": intent.limit_price_micro,
        "amount": intent.amount_micro,
        "size": intent.size_micro,
        "group_id": intent.group_id,
        "post_only": intent.post_only,
        "expiration_s": intent.expiration_s,
    }


def order_of(row: Sequence[Any], reserved_cash_micro: int, reserved_shares_micro: int) -> ApprovedOrder:
    """Return the approved order that a row was made from: the gate's verdict is read, not given, here."""
    fields = list(row)
    fields[5:7] = Side(fields[5]), OrderType(fields[6])
    return approved_before(OrderIntent(*fields), reserved_cash_micro, reserved_shares_micro)


def trade_of(row: Sequence[Any], fills: Sequence[Fill]) -> Trade:
    fields = list(row)
    fields[9] = Side(fields[9])
    fields[17] = tuple((name, value) for name, value in fields[17])
    fields.append(tuple(fills))
    return Trade(*fields)


def trade_values(trade: Trade) -> dict[str, Any]:
    """Return a trade as a row of ``trades``."""
    return {
        "trade_id": trade.trade_id,
        "order_id": trade.order_id,
        "portfolio_id": trade.portfolio_id,
        "signal_id": trade.signal_id,
        "cycle_id": trade.cycle_id,
        "condition_id": trade.condition_id,
        "token_id": trade.token_id,
        "market_question": trade.market_question,
        "outcome": trade.outcome,
        "action": trade.side.value,
        "size": trade.size_micro,
        "amount": trade.amount_micro,
        "fee": trade.fee_micro,
        "entry_price": trade.price_micro,
        "realized_pnl": trade.realized_pnl_micro,
        "status": trade.status,
        "timestamp": trade.time,
        "model": trade.model,
    }


def snapshot_of(row: Sequence[Any]) -> Snapshot:
    return Snapshot(*row)


def report_of(document: object) -> CycleReport:
    """Read a cycle's report back from its jsonb column."""
    return msgspec.convert(document, CycleReport, dec_hook=_counter)


def _counter(_wanted: type, counts: dict[str, int]) -> Counter[str]:
    # The only type in a report that the decoder does not know by itself.
    return Counter(counts)
