"""Settlements of the memory store: what is not mined yet, what was mined, and what failed and was undone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from prescient.adapters.memory.checks import check_position
from prescient.adapters.memory.tables import (
    PortfolioRow,
    StoreBase,
    Tables,
    checked_deltas,
    refuse_moved,
    write_position,
    write_transfers,
)
from prescient.domain.errors import NotFoundError
from prescient.domain.ledger import SHARES
from prescient.domain.obligation import Obligation, ObligationKind
from prescient.domain.order import Trade
from prescient.domain.order_state import Fact
from prescient.domain.portfolio import Position
from prescient.domain.settlement import UNDER_WAY, Reversal, SettlementState, TradeSettlement


class SettlementMethods(StoreBase):
    """The part of ``Store`` about trades on their way to the chain."""

    async def due_settlements(self, now: datetime, portfolio_id: int | None, limit: int) -> list[TradeSettlement]:
        kept = [self._tables.settlements[trade_id] for trade_id in self._tables.settling]
        due = [one for one in kept if portfolio_id in (None, one.portfolio_id) and one.at(now) is not one]
        due.sort(key=lambda one: (one.portfolio_id, one.mines_at, one.trade_id))
        return due[:limit]

    async def save_settled(self, portfolio_id: int, settled: Sequence[TradeSettlement], now: datetime) -> None:
        tables = self._tables
        row = tables.row(portfolio_id)
        for one in settled:
            assert one.portfolio_id == portfolio_id and one.state is not SettlementState.FAILED
            kept = tables.settlements[one.trade_id]
            if kept.state in UNDER_WAY and kept.state is not one.state:
                keep_settlement(tables, row, one)
                _tell(tables, one.facts())

    async def reverse(self, reversal: Reversal, now: datetime) -> bool:
        tables, failed, after = self._tables, reversal.settlement, reversal.after
        row = tables.row(failed.portfolio_id)
        if tables.settlements[failed.trade_id].state is not SettlementState.MATCHED:
            return False
        refuse_moved(row, reversal.before)
        deltas = checked_deltas(tables, row, reversal.transfers)
        shares = row.shares.get(after.token_id, 0) + deltas.get((SHARES, after.token_id), 0)
        check_position(after, failed.portfolio_id, shares)
        write_transfers(tables, row, reversal.transfers, deltas, now)
        write_position(row, after, now)
        keep_settlement(tables, row, failed)
        row.failed_trades += 1
        _tell(tables, failed.facts())
        return True


class ObligationMethods(StoreBase):
    """The part of ``Store`` about what is owed once shares are mined."""

    async def owe(self, obligations: Sequence[Obligation]) -> None:
        tables = self._tables
        for one in obligations:
            tables.row(one.portfolio_id)
        for one in obligations:
            known = tables.obligations.get(one.obligation_id)
            again = known is not None and known.kind is ObligationKind.MERGE and known.done_at is not None
            if known is None or again:
                tables.obligations[one.obligation_id] = one

    async def obligations(self, portfolio_id: int | None, due_by: datetime | None, limit: int) -> list[Obligation]:
        waiting = [one for one in self._tables.obligations.values() if one.done_at is None]
        found = [one for one in waiting if portfolio_id in (None, one.portfolio_id)]
        found = [one for one in found if due_by is None or one.due_at <= due_by]
        return sorted(found, key=lambda one: (one.due_at, one.obligation_id))[:limit]

    async def save_obligation(self, obligation: Obligation) -> None:
        known = self._tables.obligations.get(obligation.obligation_id)
        if known is None:
            raise NotFoundError(f"Obligation {obligation.obligation_id} does not exist.")
        if known.done_at is None:
            self._tables.obligations[obligation.obligation_id] = obligation


def keep_settlement(tables: Tables, row: PortfolioRow, settlement: TradeSettlement) -> None:
    """Write a settlement and bring what is not mined along. Part of the writes of a booking."""
    trade_id = settlement.trade_id
    assert settlement.portfolio_id == row.portfolio.portfolio_id and trade_id in tables.trade_ids
    tables.settlements[trade_id] = settlement
    if settlement.state in UNDER_WAY:
        tables.settling[trade_id] = None
    else:
        tables.settling.pop(trade_id, None)
    if settlement.state is SettlementState.MATCHED:
        row.unmined[trade_id] = settlement
    else:
        row.unmined.pop(trade_id, None)


def position_read(row: PortfolioRow, position: Position) -> Position:
    """A position as a reader sees it: with what of it is not mined yet."""
    ours = [one for one in row.unmined.values() if one.token_id == position.token_id and one.side == "BUY"]
    if not ours:
        return position
    size, cost = sum(one.size_micro for one in ours), sum(one.cost_basis_micro for one in ours)
    return replace(position, settling_size_micro=size, settling_cost_micro=cost)


def settling_cash(row: PortfolioRow) -> int:
    """Proceeds of sales that are not mined yet."""
    return sum(one.proceeds_micro for one in row.unmined.values() if one.side == "SELL")


def trade_read(tables: Tables, trade: Trade) -> Trade:
    """A trade as a reader sees it: with how far it has settled."""
    settlement = tables.settlements.get(trade.trade_id)
    if settlement is None or settlement.state is SettlementState.FAILED:
        failed = replace(trade, status="failed", realized_pnl_micro=0, settlement="failed")
        return trade if settlement is None else failed
    return trade if settlement.state == trade.settlement else replace(trade, settlement=settlement.state.value)


def _tell(tables: Tables, facts: Sequence[Fact]) -> None:
    for fact in facts:
        kept = tables.orders[fact.order_id].facts
        if all(one.fact_id != fact.fact_id for one in kept):
            kept.append(fact)
