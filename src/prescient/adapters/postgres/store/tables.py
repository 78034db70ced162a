"""The tables as queries see them: names and types. Keys, checks and triggers stand in ``migrations``, once."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Date, DateTime, Integer, LargeBinary, MetaData, Numeric, Table, Text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

from polymarket_kit.values import MICRO

metadata = MetaData()


class MicroNumeric(TypeDecorator[int]):
    """An integer of micro-units in Python, NUMERIC(20,6) in the database: exact both ways."""

    impl = Numeric(20, 6)
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[int | None], Decimal | None]:
        def to_numeric(micro: int | None) -> Decimal | None:
            return None if micro is None else Decimal(micro).scaleb(-6)

        return to_numeric

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Decimal | None], int | None]:
        def to_micro(value: Decimal | None) -> int | None:
            return None if value is None else int(value * MICRO)

        return to_micro


def _texts(*names: str) -> list[Column[Any]]:
    return [Column(name, Text, nullable=False) for name in names]


def _money(*names: str, nullable: bool = False) -> list[Column[Any]]:
    return [Column(name, MicroNumeric, nullable=nullable) for name in names]


def _micro(*names: str, nullable: bool = False) -> list[Column[Any]]:
    return [Column(name, BigInteger, nullable=nullable) for name in names]


def _times(*names: str, nullable: bool = False) -> list[Column[Any]]:
    return [Column(name, DateTime(timezone=True), nullable=nullable) for name in names]


def _flags(*names: str) -> list[Column[Any]]:
    return [Column(name, Boolean, nullable=False) for name in names]


portfolios = Table(
    "portfolios",
    metadata,
    Column("portfolio_id", BigInteger, primary_key=True),
    *_texts("name", "description", "strategy_type"),
    Column("strategy_config", JSONB, nullable=False),
    *_money("initial_balance", "current_balance", "reserved_balance", "total_invested"),
    *_money("realized_pnl", "unrealized_pnl"),
    *_money("total_profit_loss", nullable=True),
    *_texts("status", "venue", "schedule"),
    *_times("created_at", "updated_at"),
)

positions = Table(
    "portfolio_positions",
    metadata,
    Column("portfolio_id", BigInteger, primary_key=True),
    Column("token_id", Text, primary_key=True),
    *_texts("condition_id", "market_id", "market_question", "outcome"),
    *_money("size", "cost"),
    *_money("entry_price", nullable=True),
    *_money("realized_pnl"),
    *_money("current_price", nullable=True),
    *_money("current_value"),
    *_money("unrealized_pnl", nullable=True),
    *_texts("mark_source"),
    *_times("marked_at", nullable=True),
    *_texts("status"),
    *_times("opened_at"),
    *_times("closed_at", nullable=True),
)

cycles = Table(
    "cycles",
    metadata,
    Column("cycle_id", Text, primary_key=True),
    *_texts("status", "trigger", "idempotency_key"),
    Column("report", JSONB, nullable=False),
    *_texts("error"),
    *_times("started_at"),
    *_times("ended_at", nullable=True),
)

cycle_portfolios = Table(
    "cycle_portfolios",
    metadata,
    Column("cycle_id", Text, primary_key=True),
    Column("portfolio_id", BigInteger, primary_key=True),
    *_flags("running"),
)

signals = Table(
    "trading_signals",
    metadata,
    Column("signal_id", Text, primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    *_texts("cycle_id"),
    Column("portfolio_id", BigInteger, nullable=False),
    *_texts("strategy", "market_id", "condition_id", "token_id", "market_question", "outcome", "action"),
    *_money("score"),
    *_money("catalogue_price", nullable=True),
    *_money("price", "size"),
    *_texts("group_id", "reason"),
    *_times("timestamp"),
    *_flags("executed"),
    *_times("executed_at", nullable=True),
)

orders = Table(
    "orders",
    metadata,
    Column("order_id", Text, primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    Column("portfolio_id", BigInteger, nullable=False),
    *_texts("signal_id", "condition_id", "token_id", "side", "order_type"),
    *_money("limit_price", "amount", "size"),
    *_texts("group_id", "status"),
    *_money("reserved_cash", "reserved_shares"),
    *_texts("reason", "refusal_code", "refusal_limit", "refusal_number"),
    Column("venue_order_id", Text),
    Column("salt", BigInteger),
    Column("order_hash", LargeBinary),
    Column("signed_body", LargeBinary),
    *_times("created_at", "updated_at"),
    *_flags("post_only"),
    Column("expiration_s", BigInteger, nullable=False),
)

resting_orders = Table(
    "resting_orders",
    metadata,
    Column("order_id", Text, primary_key=True),
    *_texts("first_token_id", "second_token_id"),
    Column("joined_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger, nullable=False),
    *_money("size", "filled"),
    Column("fill_count", Integer, nullable=False),
    *_money("ahead", "shown", "held_cash"),
    *_flags("in_gap"),
    Column("model", JSONB, nullable=False),
    *_times("updated_at"),
)

order_facts = Table(
    "order_facts",
    metadata,
    Column("order_id", Text, primary_key=True),
    Column("fact_id", Text, primary_key=True),
    *_texts("kind"),
    *_times("at"),
    Column("data", JSONB, nullable=False),
)

trade_settlements = Table(
    "trade_settlements",
    metadata,
    Column("trade_id", Text, primary_key=True),
    *_texts("order_id"),
    Column("portfolio_id", BigInteger, nullable=False),
    *_texts("token_id", "side"),
    Column("first_number", Integer, nullable=False),
    Column("fill_count", Integer, nullable=False),
    *_money("size", "cost", "fee", "cost_basis", "mark_value"),
    *_times("matched_at", "mines_at", "confirms_at"),
    *_flags("fails"),
    *_texts("state"),
    *_times("settled_at", nullable=True),
)

obligations = Table(
    "obligations",
    metadata,
    Column("obligation_id", Text, primary_key=True),
    Column("portfolio_id", BigInteger, nullable=False),
    *_texts("kind"),
    Column("data", JSONB, nullable=False),
    *_times("created_at", "due_at"),
    *_times("done_at", nullable=True),
    Column("attempts", Integer, nullable=False),
    *_texts("last_reason"),
)

position_requests = Table(
    "position_requests",
    metadata,
    Column("request_id", Text, primary_key=True),
    Column("portfolio_id", BigInteger, nullable=False),
    *_texts("kind"),
    Column("condition_ids", ARRAY(Text), nullable=False),
    Column("given", JSONB, nullable=False),
    Column("gained", JSONB, nullable=False),
    *_texts("status", "reason"),
    Column("order_hash", LargeBinary),
    Column("signed_body", LargeBinary),
    Column("salt", BigInteger),
    *_times("created_at"),
    *_times("ended_at", nullable=True),
)

execution_requests = Table(
    "execution_requests",
    metadata,
    Column("request_id", Text, primary_key=True),
    *_texts("venue", "cycle_id"),
    Column("portfolio_id", BigInteger, nullable=False),
    Column("signal_ids", ARRAY(Text)),
    *_times("requested_at"),
    Column("claimed_by", Text),
    *_times("claimed_at", "ended_at", nullable=True),
    Column("report", JSONB),
    Column("error", JSONB),
)

trades = Table(
    "trades",
    metadata,
    Column("trade_id", Text, primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    *_texts("order_id"),
    Column("portfolio_id", BigInteger, nullable=False),
    *_texts("signal_id", "cycle_id", "condition_id", "token_id", "market_question", "outcome", "action"),
    *_money("size", "amount", "fee", "entry_price", "realized_pnl"),
    *_texts("status"),
    *_times("timestamp"),
    Column("model", JSONB, nullable=False),
)

fills = Table(
    "fills",
    metadata,
    Column("trade_id", Text, primary_key=True),
    Column("number", Integer, primary_key=True),
    *_texts("order_id"),
    *_money("price", "size", "cost", "fee"),
)

ledger = Table(
    "ledger",
    metadata,
    Column("entry_id", BigInteger, nullable=False),
    Column("transfer_id", Text, primary_key=True),
    Column("portfolio_id", BigInteger, nullable=False),
    *_texts("group_id", "kind", "asset", "debit", "credit"),
    *_money("amount"),
    *_times("timestamp"),
)

ledger_balances = Table(
    "ledger_balances",
    metadata,
    Column("portfolio_id", BigInteger, primary_key=True),
    Column("account", Text, primary_key=True),
    Column("asset", Text, primary_key=True),
    *_money("balance"),
)

events = Table(
    "events",
    metadata,
    Column("event_id", Text, primary_key=True),
    *_texts("title", "slug"),
    *_flags("active", "closed"),
    *_micro("liquidity_micro", "volume_micro", "volume_24h_micro"),
    *_times("start_time", "end_time", nullable=True),
    *_flags("negative_risk"),
    Column("tags", ARRAY(Text), nullable=False),
    *_times("updated_at"),
)

markets = Table(
    "markets",
    metadata,
    Column("market_id", Text, primary_key=True),
    *_texts("event_id", "condition_id", "question", "slug"),
    Column("token_ids", ARRAY(Text), nullable=False),
    Column("outcome_names", ARRAY(Text), nullable=False),
    Column("outcome_prices", ARRAY(BigInteger), nullable=False),
    *_flags("active", "closed", "accepting_orders", "order_book_enabled"),
    *_micro("liquidity_micro", "volume_micro", "volume_24h_micro", "tick_micro", "minimum_size_micro"),
    *_micro("fee_rate_micro"),
    Column("fee_exponent", Integer, nullable=False),
    *_flags("fee_taker_only"),
    *_micro("fee_rebate_rate_micro"),
    *_flags("negative_risk"),
    *_micro("best_bid_micro", "best_ask_micro", "last_trade_micro", nullable=True),
    *_times("end_time", "game_start_time", nullable=True),
    Column("seconds_delay", Integer, nullable=False),
    *_texts("resolution", "category", "group_title"),
    *_flags("placeholder"),
    *_times("updated_at"),
)

cycle_markets = Table(
    "cycle_markets",
    metadata,
    Column("cycle_id", Text, primary_key=True),
    Column("number", Integer, primary_key=True),
    *_texts("market_id"),
)

market_snapshots = Table(
    "market_snapshots",
    metadata,
    *_times("timestamp"),
    *_texts("source", "market_id", "condition_id", "token_id", "outcome"),
    *_micro("best_bid_micro", "best_ask_micro", nullable=True),
    *_micro("bid_depth_micro", "ask_depth_micro"),
    *_micro("catalogue_price_micro", nullable=True),
)

decisions = Table(
    "decisions",
    metadata,
    *_times("timestamp"),
    Column("sequence", BigInteger, nullable=False),
    *_texts("cycle_id", "step", "subject_kind", "subject_id"),
    *_flags("passed"),
    *_texts("code", "number", "setting"),
    Column("portfolio_id", BigInteger),
)

consumption = Table(
    "paper_consumption",
    metadata,
    Column("token_id", Text, primary_key=True),
    Column("side", Text, primary_key=True),
    Column("levels", JSONB, nullable=False),
    *_times("updated_at"),
)


def _snapshot_columns() -> list[Column[Any]]:
    return [
        *_times("timestamp"),
        *_money("balance", "total_invested", "realized_pnl", "unrealized_pnl"),
        *_money("total_profit_loss", nullable=True),
        *_money("total_value"),
        Column("open_positions", Integer, nullable=False),
        Column("trades", Integer, nullable=False),
        *_texts("cycle_id"),
    ]


history = Table(
    "portfolio_history",
    metadata,
    Column("portfolio_id", BigInteger, primary_key=True),
    Column("snapshot_date", Date, primary_key=True),
    *_snapshot_columns(),
)

equity = Table(
    "portfolio_equity",
    metadata,
    Column("equity_id", BigInteger, primary_key=True),
    Column("portfolio_id", BigInteger, nullable=False),
    Column("snapshot_date", Date, nullable=False),
    Column("ledger_entry_id", BigInteger, nullable=False),
    *_snapshot_columns(),
)

leases = Table(
    "leases",
    metadata,
    Column("name", Text, primary_key=True),
    Column("epoch", BigInteger, nullable=False),
    *_texts("holder"),
    *_times("taken_at"),
)

heartbeats = Table(
    "heartbeats",
    metadata,
    Column("name", Text, primary_key=True),
    *_times("beat_at"),
    Column("detail", JSONB, nullable=False),
)

source = Table("source", metadata, Column("only_row", Boolean, primary_key=True), Column("name", Text, nullable=False))
