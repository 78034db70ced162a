"""Portfolios, positions, trades and snapshots as JSON, under the runbook's names. Amounts are dollars."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from pydantic import Field

from polymarket_kit.values import micro_to_number
from prescient.api.responses import Answer, dollars
from prescient.domain.obligation import Obligation
from prescient.domain.order import Trade
from prescient.domain.portfolio import Portfolio, Position, Snapshot

# More than a portfolio ever owes at once.
OBLIGATIONS_MAX = 1_000


class PortfolioAnswer(Answer):
    portfolio_id: int
    name: str
    description: str
    strategy_type: str
    strategy_config: dict[str, Any] = Field(description="What was set; all other keys have their defaults")
    initial_balance: float
    current_balance: float = Field(description="Cash, what is reserved included")
    available_balance: float = Field(description="Cash that no order holds and that is mined")
    settling_balance: float = Field(description="Proceeds of sales that are not mined yet; they cannot be spent")
    total_invested: float = Field(description="Cost of the open positions, entry fees included")
    realized_pnl: float
    unrealized_pnl: float
    total_profit_loss: float = Field(description="Realised plus unrealised")
    total_value: float = Field(description="Cash plus what the open positions would bring now")
    status: str = Field(description="active, paused or archived")
    venue: str
    schedule: str
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, portfolio: Portfolio) -> PortfolioAnswer:
        return cls(**_portfolio_fields(portfolio))


class PositionAnswer(Answer):
    token_id: str
    condition_id: str
    market_id: str
    market_question: str
    outcome: str
    size: float = Field(description="Shares")
    settling_size: float = Field(description="Those of them that are not mined yet: they cannot be sold or merged")
    entry_price: float = Field(description="Average cost of a share, fees included")
    current_price: float | None = Field(
        description="What a sale of all of it would bring per share; null before the first mark"
    )
    cost: float
    current_value: float = Field(description="What a sale of all of it would bring, after fees")
    unrealized_pnl: float
    realized_pnl: float
    price_source: str = Field(description="bids, bids_partial, no_bids, last_mark or cost")
    price_time: datetime | None
    opened_at: datetime
    closed_at: datetime | None
    status: str

    @classmethod
    def of(cls, position: Position) -> PositionAnswer:
        return cls(
            token_id=position.token_id,
            condition_id=position.condition_id,
            market_id=position.market_id,
            market_question=position.market_question,
            outcome=position.outcome,
            size=micro_to_number(position.size_micro),
            settling_size=micro_to_number(position.settling_size_micro),
            entry_price=micro_to_number(position.entry_price_micro),
            current_price=dollars(position.mark_price_micro),
            cost=micro_to_number(position.cost_micro),
            current_value=micro_to_number(position.mark_value_micro),
            unrealized_pnl=micro_to_number(position.unrealized_pnl_micro),
            realized_pnl=micro_to_number(position.realized_pnl_micro),
            price_source=position.mark_source,
            price_time=position.mark_time,
            opened_at=position.opened_at,
            closed_at=position.closed_at,
            status=position.status,
        )


class ObligationAnswer(Answer):
    obligation_id: str
    kind: str = Field(description="sell_back: a lone leg of a set; merge: a complete set")
    about: str = Field(description="The leg's signal, or the market's condition")
    due_at: datetime = Field(description="When it is tried, or tried again")
    attempts: int = Field(description="Attempts that failed in a row")
    last_reason: str

    @classmethod
    def of(cls, obligation: Obligation) -> ObligationAnswer:
        return cls(
            obligation_id=obligation.obligation_id,
            kind=obligation.kind.value,
            about=", ".join(obligation.data.values()),
            due_at=obligation.due_at,
            attempts=obligation.attempts,
            last_reason=obligation.last_reason,
        )


class PortfolioState(PortfolioAnswer):
    positions: list[PositionAnswer]
    open_positions: int
    obligations: list[ObligationAnswer] = Field(
        description="What waits until shares are mined, the one due first first"
    )

    @classmethod
    def with_positions(
        cls, portfolio: Portfolio, positions: list[Position], obligations: list[Obligation]
    ) -> PortfolioState:
        answers = [PositionAnswer.of(position) for position in positions]
        owed = [ObligationAnswer.of(obligation) for obligation in obligations]
        return cls(**_portfolio_fields(portfolio), positions=answers, open_positions=len(answers), obligations=owed)


class FillAnswer(Answer):
    price: float
    size: float
    cost: float
    fee: float


class TradeAnswer(Answer):
    trade_id: str
    order_id: str
    portfolio_id: int
    cycle_id: str
    signal_id: str
    market_question: str
    condition_id: str
    token_id: str
    outcome: str
    action: str = Field(description="BUY or SELL")
    amount: float = Field(description="Dollars without the fee")
    fee: float
    size: float = Field(description="Shares")
    entry_price: float = Field(description="Average price of the fills, without the fee")
    realized_pnl: float
    status: str = Field(description="filled or partially_filled; failed: the chain undid it")
    settlement: str = Field(description="matched, mined, confirmed or failed")
    reversed_amount: float = Field(description="Dollars without the fee that came or went back, because it failed")
    timestamp: datetime
    model: dict[str, str] = Field(description="What could not be known when it was filled, each with the value assumed")
    fills: list[FillAnswer]

    @classmethod
    def of(cls, trade: Trade) -> TradeAnswer:
        return cls(
            trade_id=trade.trade_id,
            order_id=trade.order_id,
            portfolio_id=trade.portfolio_id,
            cycle_id=trade.cycle_id,
            signal_id=trade.signal_id,
            market_question=trade.market_question,
            condition_id=trade.condition_id,
            token_id=trade.token_id,
            outcome=trade.outcome,
            action=trade.side.value,
            amount=micro_to_number(trade.amount_micro),
            fee=micro_to_number(trade.fee_micro),
            size=micro_to_number(trade.size_micro),
            entry_price=micro_to_number(trade.price_micro),
            realized_pnl=micro_to_number(trade.realized_pnl_micro),
            status=trade.status,
            settlement=trade.settlement,
            reversed_amount=micro_to_number(trade.reversed_micro),
            timestamp=trade.time,
            model=dict(trade.model),
            fills=[
                FillAnswer(
                    price=micro_to_number(fill.price_micro),
                    size=micro_to_number(fill.size_micro),
                    cost=micro_to_number(fill.cost_micro),
                    fee=micro_to_number(fill.fee_micro),
                )
                for fill in trade.fills
            ],
        )


class SnapshotAnswer(Answer):
    """A portfolio at one moment, as `portfolio_history` (one a UTC day) and `portfolio_equity` keep it."""

    portfolio_id: int
    snapshot_date: date
    timestamp: datetime
    balance: float
    total_invested: float
    realized_pnl: float
    unrealized_pnl: float
    total_profit_loss: float
    total_value: float
    open_positions: int
    trades: int
    cycle_id: str

    @classmethod
    def of(cls, snapshot: Snapshot) -> SnapshotAnswer:
        return cls(
            portfolio_id=snapshot.portfolio_id,
            snapshot_date=snapshot.snapshot_date,
            timestamp=snapshot.time,
            balance=micro_to_number(snapshot.cash_micro),
            total_invested=micro_to_number(snapshot.invested_micro),
            realized_pnl=micro_to_number(snapshot.realized_pnl_micro),
            unrealized_pnl=micro_to_number(snapshot.unrealized_pnl_micro),
            total_profit_loss=micro_to_number(snapshot.realized_pnl_micro + snapshot.unrealized_pnl_micro),
            total_value=micro_to_number(snapshot.value_micro),
            open_positions=snapshot.open_positions,
            trades=snapshot.trades,
            cycle_id=snapshot.cycle_id,
        )


def _portfolio_fields(portfolio: Portfolio) -> dict[str, Any]:
    return {
        "portfolio_id": portfolio.portfolio_id,
        "name": portfolio.name,
        "description": portfolio.description,
        "strategy_type": portfolio.strategy_type,
        "strategy_config": portfolio.strategy_config,
        "initial_balance": micro_to_number(portfolio.initial_balance_micro),
        "current_balance": micro_to_number(portfolio.cash_micro),
        "available_balance": micro_to_number(portfolio.available_micro),
        "settling_balance": micro_to_number(portfolio.settling_micro),
        "total_invested": micro_to_number(portfolio.invested_micro),
        "realized_pnl": micro_to_number(portfolio.realized_pnl_micro),
        "unrealized_pnl": micro_to_number(portfolio.unrealized_pnl_micro),
        "total_profit_loss": micro_to_number(portfolio.profit_micro),
        "total_value": micro_to_number(portfolio.value_micro),
        "status": portfolio.status.value,
        "venue": portfolio.venue,
        "schedule": portfolio.schedule,
        "created_at": portfolio.created_at,
        "updated_at": portfolio.updated_at,
    }
