"""Rows of the database become the values of the domain by name: every column is read as the field that it fills.

One constant of columns for each dataclass, qualified by its table. Money is read as integers of micro-units, and
written as ``$n::bigint * 0.000001``: multiplying is exact, where dividing would round.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TypeVar

import asyncpg
import msgspec

from polymarket_kit.model import OrderType, Side
from prescient.domain.cycle import CycleReport, StepReport
from prescient.domain.order import TERMINAL_STATUSES, ApprovedOrder, Fill, OrderIntent, Trade
from prescient.domain.portfolio import Portfolio, PortfolioStatus, Position, Snapshot
from prescient.domain.resting import RestingOrder
from prescient.domain.risk import approved_before
from prescient.domain.signal import Signal

Value = TypeVar("Value")

# The final statuses as SQL lists them: ``status NOT IN`` this are the orders that the index of open orders has.
TERMINAL = "(" + ", ".join(f"'{status}'" for status in sorted(TERMINAL_STATUSES)) + ")"

PORTFOLIO = """
portfolios.portfolio_id,
portfolios.name,
portfolios.description,
portfolios.strategy_type,
portfolios.strategy_config,
(portfolios.initial_balance * 1000000)::bigint AS initial_balance_micro,
(portfolios.current_balance * 1000000)::bigint AS cash_micro,
(portfolios.reserved_balance * 1000000)::bigint AS reserved_micro,
(portfolios.total_invested * 1000000)::bigint AS invested_micro,
(portfolios.realized_pnl * 1000000)::bigint AS realized_pnl_micro,
(portfolios.unrealized_pnl * 1000000)::bigint AS unrealized_pnl_micro,
portfolios.status,
portfolios.venue,
portfolios.schedule,
portfolios.created_at,
portfolios.updated_at,
(SELECT (coalesce(sum(unmined.cost - unmined.fee), 0) * 1000000)::bigint FROM trade_settlements AS unmined
  WHERE unmined.portfolio_id = portfolios.portfolio_id AND unmined.state = 'matched' AND unmined.side = 'SELL')
    AS settling_micro
"""

POSITION = """
portfolio_positions.portfolio_id,
portfolio_positions.token_id,
portfolio_positions.condition_id,
portfolio_positions.market_id,
portfolio_positions.market_question,
portfolio_positions.outcome,
(portfolio_positions.size * 1000000)::bigint AS size_micro,
(portfolio_positions.cost * 1000000)::bigint AS cost_micro,
(portfolio_positions.realized_pnl * 1000000)::bigint AS realized_pnl_micro,
(portfolio_positions.current_price * 1000000)::bigint AS mark_price_micro,
(portfolio_positions.current_value * 1000000)::bigint AS mark_value_micro,
portfolio_positions.mark_source,
portfolio_positions.marked_at AS mark_time,
portfolio_positions.opened_at,
portfolio_positions.closed_at,
portfolio_positions.status,
(SELECT (coalesce(sum(unmined.size), 0) * 1000000)::bigint FROM trade_settlements AS unmined
  WHERE unmined.portfolio_id = portfolio_positions.portfolio_id AND unmined.token_id = portfolio_positions.token_id
    AND unmined.state = 'matched' AND unmined.side = 'BUY') AS settling_size_micro,
(SELECT (coalesce(sum(unmined.cost_basis), 0) * 1000000)::bigint FROM trade_settlements AS unmined
  WHERE unmined.portfolio_id = portfolio_positions.portfolio_id AND unmined.token_id = portfolio_positions.token_id
    AND unmined.state = 'matched' AND unmined.side = 'BUY') AS settling_cost_micro
"""

SIGNAL = """
trading_signals.signal_id,
trading_signals.cycle_id,
trading_signals.portfolio_id,
trading_signals.strategy,
trading_signals.market_id,
trading_signals.condition_id,
trading_signals.token_id,
trading_signals.market_question,
trading_signals.outcome,
trading_signals.action AS side,
(trading_signals.score * 1000000)::bigint AS score_micro,
(trading_signals.catalogue_price * 1000000)::bigint AS catalogue_price_micro,
(trading_signals.price * 1000000)::bigint AS price_micro,
(trading_signals.size * 1000000)::bigint AS size_micro,
trading_signals.group_id,
trading_signals.reason,
trading_signals.timestamp AS time
"""

# An order as it was approved; how it stands is no part of it.
ORDER = """
orders.order_id,
orders.portfolio_id,
orders.signal_id,
orders.condition_id,
orders.token_id,
orders.side,
orders.order_type,
(orders.limit_price * 1000000)::bigint AS limit_price_micro,
(orders.amount * 1000000)::bigint AS amount_micro,
(orders.size * 1000000)::bigint AS size_micro,
orders.group_id,
orders.post_only,
orders.expiration_s,
(orders.reserved_cash * 1000000)::bigint AS reserved_cash_micro,
(orders.reserved_shares * 1000000)::bigint AS reserved_shares_micro
"""

# Beside ORDER: what an order itself says of its place is not kept twice. Its size may be less than the order's.
RESTING = """
resting_orders.first_token_id,
resting_orders.second_token_id,
resting_orders.joined_ms,
resting_orders.expires_ms,
(resting_orders.size * 1000000)::bigint AS resting_size_micro,
(resting_orders.filled * 1000000)::bigint AS filled_micro,
resting_orders.fill_count,
(resting_orders.ahead * 1000000)::bigint AS ahead_micro,
(resting_orders.shown * 1000000)::bigint AS shown_micro,
(resting_orders.held_cash * 1000000)::bigint AS held_cash_micro,
resting_orders.in_gap,
resting_orders.model
"""

# Trades of earlier releases have no settlement, and count as settled.
TRADE = """
trades.trade_id,
trades.order_id,
trades.portfolio_id,
trades.signal_id,
trades.cycle_id,
trades.condition_id,
trades.token_id,
trades.market_question,
trades.outcome,
trades.action AS side,
(trades.size * 1000000)::bigint AS size_micro,
(trades.amount * 1000000)::bigint AS amount_micro,
(trades.fee * 1000000)::bigint AS fee_micro,
(trades.entry_price * 1000000)::bigint AS price_micro,
(trades.realized_pnl * 1000000)::bigint AS realized_pnl_micro,
trades.status,
trades.timestamp AS time,
trades.model,
coalesce((SELECT state FROM trade_settlements WHERE trade_settlements.trade_id = trades.trade_id), 'confirmed')
    AS settlement
"""

FILL = """
(fills.price * 1000000)::bigint AS price_micro,
(fills.size * 1000000)::bigint AS size_micro,
(fills.cost * 1000000)::bigint AS cost_micro,
(fills.fee * 1000000)::bigint AS fee_micro
"""

# Of ``portfolio_history`` and of ``portfolio_equity``, the table that is read.
SNAPSHOT = """
portfolio_id,
snapshot_date,
timestamp AS time,
(balance * 1000000)::bigint AS cash_micro,
(total_invested * 1000000)::bigint AS invested_micro,
(realized_pnl * 1000000)::bigint AS realized_pnl_micro,
(unrealized_pnl * 1000000)::bigint AS unrealized_pnl_micro,
(total_value * 1000000)::bigint AS value_micro,
open_positions,
trades,
cycle_id
"""


def value_of(made: type[Value], record: asyncpg.Record, **converted: object) -> Value:
    """Return a value with each of its fields from the column of that name.

    ``converted`` are the fields that are not what the driver reads. Raises KeyError for a field without a column.
    """
    # The names of a dataclass's or named tuple's fields.
    names: tuple[str, ...] = made.__match_args__  # type: ignore[attr-defined]
    read = {name: record[name] for name in names if name not in converted}
    return made(**read, **converted)


def portfolio_of(record: asyncpg.Record) -> Portfolio:
    return value_of(Portfolio, record, status=PortfolioStatus(record["status"]))


def position_of(record: asyncpg.Record) -> Position:
    return value_of(Position, record)


def signal_of(record: asyncpg.Record) -> Signal:
    return value_of(Signal, record, side=Side(record["side"]))


def order_of(record: asyncpg.Record) -> ApprovedOrder:
    """Return the approved order that a row was made from: the gate's verdict is read, not given, here."""
    intent = value_of(OrderIntent, record, side=Side(record["side"]), order_type=OrderType(record["order_type"]))
    return approved_before(intent, record["reserved_cash_micro"], record["reserved_shares_micro"])


def resting_of(record: asyncpg.Record) -> RestingOrder:
    """Read an order's place from a row of ORDER and RESTING."""
    return value_of(
        RestingOrder,
        record,
        token_ids=(record["first_token_id"], record["second_token_id"]),
        side=Side(record["side"]),
        price_micro=record["limit_price_micro"],
        size_micro=record["resting_size_micro"],
        model=_pairs(record["model"]),
    )


def trade_of(record: asyncpg.Record, fills: Sequence[Fill]) -> Trade:
    return value_of(Trade, record, side=Side(record["side"]), model=_pairs(record["model"]), fills=tuple(fills))


def fill_of(record: asyncpg.Record) -> Fill:
    return value_of(Fill, record, match_id="")


def snapshot_of(record: asyncpg.Record) -> Snapshot:
    return value_of(Snapshot, record)


def report_of(document: object) -> CycleReport:
    """Read a cycle's report back from its jsonb column."""
    return msgspec.convert(document, CycleReport, dec_hook=_counter)


def where(*conditions: tuple[str, object]) -> tuple[str, list[object]]:
    """Return the WHERE clause of the conditions that are asked for, and the values of its parameters $1, $2, ...

    A condition has ``{}`` in the place of its value and is left out if that is None; one without takes True or False.
    """
    texts: list[str] = []
    values: list[object] = []
    for text, value in conditions:
        if value is None or value is False:
            continue
        if value is not True:
            values.append(value)
        texts.append(text.format(f"${len(values)}"))
    return "WHERE " + " AND ".join(texts) if texts else "", values


def _pairs(document: Sequence[Sequence[str]]) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in document)


def step_of(document: object) -> StepReport:
    """Read one step's report back from a jsonb column."""
    return msgspec.convert(document, StepReport, dec_hook=_counter)


def _counter(_wanted: type, counts: dict[str, int]) -> Counter[str]:
    # The only type in a report that the decoder does not know by itself.
    return Counter(counts)
