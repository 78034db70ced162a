"""Positions, marks and snapshots of the memory store: what is held, what it is worth, and that the sums agree."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from prescient.adapters.memory.checks import check_mark, check_position
from prescient.adapters.memory.settlements import position_read
from prescient.adapters.memory.tables import (
    PortfolioRow,
    StoreBase,
    Tables,
    check_identities,
    checked_deltas,
    closing,
    refuse_moved,
    refuse_set_aside,
    set_aside,
    write_position,
    write_transfers,
)
from prescient.domain.ledger import SHARES, Transfer
from prescient.domain.portfolio import Mark, Position, Snapshot


class PositionMethods(StoreBase):
    """The part of ``Store`` about what is held and what it is worth."""

    async def positions(self, portfolio_id: int | None, *, open_only: bool = True) -> list[Position]:
        rows = _rows(self._tables, portfolio_id)
        if open_only:
            found = [position_read(row, position) for row in rows for position in row.open_positions()]
        else:
            found = [position_read(row, position) for row in rows for position in row.positions.values()]
        return sorted(found, key=_place)

    async def position(self, portfolio_id: int, token_id: str) -> Position | None:
        row = self._tables.portfolios.get(portfolio_id)
        position = None if row is None else row.positions.get(token_id)
        return None if row is None or position is None else position_read(row, position)

    async def save_marks(self, portfolio_id: int, marks: Sequence[Mark], now: datetime) -> None:
        row = self._tables.row(portfolio_id)
        # Bought, sold or settled since the prices were asked for: changes nothing.
        held = [mark for mark in marks if _fits(row, mark)]
        for mark in held:
            check_mark(mark)
        change = 0
        for mark in held:
            before = row.positions[mark.token_id]
            change += mark.value_micro - before.mark_value_micro
            row.positions[mark.token_id] = replace(
                before,
                mark_price_micro=mark.price_micro,
                mark_value_micro=mark.value_micro,
                mark_source=mark.source,
                mark_time=now,
            )
        if marks:
            unrealized = row.portfolio.unrealized_pnl_micro + change
            row.portfolio = replace(row.portfolio, unrealized_pnl_micro=unrealized, updated_at=now)

    async def settle(
        self,
        portfolio_id: int,
        transfers: Sequence[Transfer],
        position: Position,
        now: datetime,
        before: Position | None = None,
        closes: str = "",
    ) -> bool:
        tables = self._tables
        row = tables.row(portfolio_id)
        request = closing(tables, closes)
        refuse_moved(row, before)
        if any(transfer.transfer_id in tables.transfer_ids for transfer in transfers):
            return False
        if before is not None:
            # A resting SELL does not keep a payout back: its market is over, and it ends.
            _, on_its_way_micro = set_aside(tables, portfolio_id, position.token_id)
            own_micro = dict(request.request.given).get(position.token_id, 0) if request else 0
            refuse_set_aside(before, position, on_its_way_micro - own_micro)
        deltas = checked_deltas(tables, row, transfers)
        shares = row.shares.get(position.token_id, 0) + deltas.get((SHARES, position.token_id), 0)
        check_position(position, portfolio_id, shares)
        write_transfers(tables, row, transfers, deltas, now)
        write_position(row, position, now)
        if request is not None:
            request.status = "done"
        return True

    async def swap(
        self,
        portfolio_id: int,
        transfers: Sequence[Transfer],
        changes: Sequence[tuple[Position, Position]],
        now: datetime,
        closes: str = "",
    ) -> bool:
        tables = self._tables
        row = tables.row(portfolio_id)
        request = closing(tables, closes)
        own = dict(request.request.given) if request else {}
        for before, after in changes:
            refuse_moved(row, before)
            aside_micro = sum(set_aside(tables, portfolio_id, before.token_id)) - own.get(before.token_id, 0)
            refuse_set_aside(before, after, aside_micro)
        if any(transfer.transfer_id in tables.transfer_ids for transfer in transfers):
            return False
        deltas = checked_deltas(tables, row, transfers)
        for _, after in changes:
            shares = row.shares.get(after.token_id, 0) + deltas.get((SHARES, after.token_id), 0)
            check_position(after, portfolio_id, shares)
        write_transfers(tables, row, transfers, deltas, now)
        for _, after in changes:
            write_position(row, after, now)
        if request is not None:
            request.status = "done"
        return True

    async def trade_counts(self, portfolio_id: int | None) -> dict[int, tuple[int, int, int]]:
        counts: dict[int, tuple[int, int, int]] = {}
        for row in _rows(self._tables, portfolio_id):
            closed = [position.realized_pnl_micro for position in row.positions.values() if position.size_micro == 0]
            wins = sum(profit > 0 for profit in closed)
            losses = sum(profit < 0 for profit in closed)
            counts[row.portfolio.portfolio_id] = (len(row.trades) - row.failed_trades, wins, losses)
        return counts


class HistoryMethods(StoreBase):
    """The part of ``Store`` about value over time, and the audit of the ledger."""

    async def snapshot(self, portfolio_id: int, cycle_id: str, now: datetime) -> Snapshot:
        row = self._tables.row(portfolio_id)
        check_identities(row)
        portfolio = row.portfolio
        snapshot = Snapshot(
            portfolio_id=portfolio_id,
            snapshot_date=now.astimezone(UTC).date(),
            time=now,
            cash_micro=portfolio.cash_micro,
            invested_micro=portfolio.invested_micro,
            realized_pnl_micro=portfolio.realized_pnl_micro,
            unrealized_pnl_micro=portfolio.unrealized_pnl_micro,
            value_micro=portfolio.value_micro,
            open_positions=len(row.open_tokens),
            trades=len(row.trades) - row.failed_trades,
            cycle_id=cycle_id,
        )
        row.history[snapshot.snapshot_date] = snapshot
        row.equity.append(snapshot)
        return snapshot

    async def history(self, portfolio_id: int | None, limit: int) -> list[Snapshot]:
        found = [snapshot for row in _rows(self._tables, portfolio_id) for snapshot in row.history.values()]
        found.sort(key=lambda snapshot: snapshot.portfolio_id)
        found.sort(key=lambda snapshot: snapshot.snapshot_date, reverse=True)
        return found[:limit]

    async def equity(self, portfolio_id: int, since: datetime, limit: int) -> list[Snapshot]:
        found = [
            snapshot for row in _rows(self._tables, portfolio_id) for snapshot in row.equity if snapshot.time >= since
        ]
        found.sort(key=lambda snapshot: snapshot.time)
        return found[:limit]

    async def ledger_balances(self, portfolio_id: int) -> dict[tuple[str, str], int]:
        return dict(self._tables.row(portfolio_id).balances)

    def transfers(self, portfolio_id: int | None = None) -> list[Transfer]:
        """The ledger itself, in the order of booking: for audits that add it up on their own."""
        ledger = self._tables.ledger
        return [transfer for transfer in ledger if portfolio_id is None or transfer.portfolio_id == portfolio_id]


def _fits(row: PortfolioRow, mark: Mark) -> bool:
    if mark.token_id not in row.open_tokens:
        return False
    return mark.size_micro is None or mark.size_micro == row.positions[mark.token_id].size_micro


def _rows(tables: Tables, portfolio_id: int | None) -> Iterable[PortfolioRow]:
    """One portfolio's row, all rows, or none for an unknown portfolio: a reader of lists finds an empty list."""
    if portfolio_id is None:
        return tables.portfolios.values()
    row = tables.portfolios.get(portfolio_id)
    return () if row is None else (row,)


def _place(position: Position) -> tuple[int, datetime, str]:
    return position.portfolio_id, position.opened_at, position.token_id
