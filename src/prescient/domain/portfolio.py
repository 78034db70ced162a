"""Portfolios and positions: independent capital, strategy and P&L."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from polymarket_kit.values import MICRO

DEFAULT_TRADE_SIZE_MICRO = 100 * MICRO


class PortfolioStatus(StrEnum):
    ACTIVE = "active"
    PAUSED = "paused"
    ARCHIVED = "archived"


@dataclass(frozen=True, slots=True)
class NewPortfolio:
    """A portfolio as asked for. ``strategy_config`` has passed its strategy's own check."""

    name: str
    strategy_type: str
    initial_balance_micro: int
    description: str = ""
    strategy_config: dict[str, Any] = field(default_factory=dict)
    venue: str = "paper"
    schedule: str = ""


@dataclass(frozen=True, slots=True)
class Portfolio:
    """One portfolio's row. ``cash_micro`` includes what is reserved; ``invested_micro`` is the cost of open positions."""

    portfolio_id: int
    name: str
    description: str
    strategy_type: str
    strategy_config: dict[str, Any]
    initial_balance_micro: int
    cash_micro: int
    reserved_micro: int
    invested_micro: int
    realized_pnl_micro: int
    unrealized_pnl_micro: int
    status: PortfolioStatus
    venue: str
    schedule: str
    created_at: datetime
    updated_at: datetime
    # Proceeds of sales that are not mined yet: in the cash, and not to be spent.
    settling_micro: int = 0

    @property
    def available_micro(self) -> int:
        return self.cash_micro - self.reserved_micro - self.settling_micro

    @property
    def profit_micro(self) -> int:
        return self.realized_pnl_micro + self.unrealized_pnl_micro

    @property
    def value_micro(self) -> int:
        """Cash plus positions at their marks; equals initial balance plus realised plus unrealised P&L."""
        return self.cash_micro + self.invested_micro + self.unrealized_pnl_micro


@dataclass(frozen=True, slots=True)
class Position:
    """Shares of one outcome. ``cost_micro`` is what the open shares cost, entry fees included."""

    portfolio_id: int
    token_id: str
    condition_id: str
    market_id: str
    market_question: str
    outcome: str
    size_micro: int
    cost_micro: int
    realized_pnl_micro: int
    mark_price_micro: int | None
    mark_value_micro: int
    mark_source: str
    mark_time: datetime | None
    opened_at: datetime
    closed_at: datetime | None = None
    status: str = "open"
    # Bought, and not mined yet: may not be sold, merged or paid out, and costs apart from the rest. As the store read it.
    settling_size_micro: int = field(default=0, compare=False)
    settling_cost_micro: int = field(default=0, compare=False)

    @property
    def settled_micro(self) -> int:
        """The shares that may be sold, merged or paid out."""
        return self.size_micro - self.settling_size_micro

    @property
    def entry_price_micro(self) -> int:
        """Average cost of an open share, fees included."""
        return self.cost_micro * MICRO // self.size_micro if self.size_micro else 0

    @property
    def unrealized_pnl_micro(self) -> int:
        return self.mark_value_micro - self.cost_micro

    def bought(self, size_micro: int, cost_micro: int) -> Position:
        """Add shares at a cost that includes fees. The new shares are carried at cost until the next mark."""
        assert size_micro > 0 and cost_micro >= 0
        after = replace(
            self,
            size_micro=self.size_micro + size_micro,
            cost_micro=self.cost_micro + cost_micro,
            mark_value_micro=self.mark_value_micro + cost_micro,
            closed_at=None,
            status="open",
        )
        assert after.size_micro > self.size_micro
        return after

    def cost_of(self, size_micro: int) -> int:
        """What so many of its settled shares cost: their part of the settled cost, the last share takes the rest."""
        settled_cost = self.cost_micro - self.settling_cost_micro
        assert 0 < size_micro <= self.settled_micro and 0 <= settled_cost <= self.cost_micro
        return settled_cost - settled_cost * (self.settled_micro - size_micro) // self.settled_micro

    def reduced(self, size_micro: int, proceeds_micro: int, time: datetime) -> Position:
        """Take settled shares away for proceeds after fees, by sale or payout; their cost leaves in proportion."""
        assert 0 < size_micro <= self.settled_micro and proceeds_micro >= 0
        left = self.size_micro - size_micro
        cost_out = self.cost_of(size_micro)
        after = replace(
            self,
            size_micro=left,
            cost_micro=self.cost_micro - cost_out,
            realized_pnl_micro=self.realized_pnl_micro + proceeds_micro - cost_out,
            mark_value_micro=self.mark_value_micro * left // self.size_micro,
            closed_at=time if left == 0 else None,
            status="closed" if left == 0 else "open",
        )
        assert after.cost_micro >= 0 and (left > 0 or after.cost_micro == 0)
        return after


@dataclass(frozen=True, slots=True)
class Mark:
    """What an open position would bring now. ``source`` says which price it is (DESIGN: the executable side)."""

    token_id: str
    price_micro: int | None
    value_micro: int
    source: str
    # The shares that were valued: a position that has others by now keeps its mark. None: whatever is held.
    size_micro: int | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A portfolio at one moment; one a UTC day is kept in ``portfolio_history``, each in ``portfolio_equity``."""

    portfolio_id: int
    snapshot_date: date
    time: datetime
    cash_micro: int
    invested_micro: int
    realized_pnl_micro: int
    unrealized_pnl_micro: int
    value_micro: int
    open_positions: int
    trades: int
    cycle_id: str = ""
