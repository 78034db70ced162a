"""Signals, orders and trades of the memory store: every booking is checked whole before the first row is written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from prescient.adapters.memory.checks import check_order, check_position, check_resting, check_signal, check_trade
from prescient.adapters.memory.settlements import keep_settlement, position_read, settling_cash, trade_read
from prescient.adapters.memory.tables import (
    Balances,
    OrderRow,
    PortfolioRow,
    StoreBase,
    Tables,
    checked_deltas,
    refuse_moved,
    set_aside,
    write_position,
    write_transfers,
)
from prescient.domain.booking import Booking
from prescient.domain.errors import InvariantBroken
from prescient.domain.ledger import SHARES, reservation
from prescient.domain.order import (
    TERMINAL_STATUSES,
    ApprovedOrder,
    Consumption,
    Fill,
    OrderIntent,
    OrderStatus,
    Refused,
    Trade,
)
from prescient.domain.order_state import Fact, approved, booked_state
from prescient.domain.order_state import refused as refused_facts
from prescient.domain.resting import RestingOrder
from prescient.domain.risk import ALREADY_ORDERED, Check, Holdings, refuse_overdrawn
from prescient.domain.signal import Signal


class SignalMethods(StoreBase):
    """The part of ``Store`` about signals."""

    async def save_signals(self, signals: Sequence[Signal]) -> None:
        tables = self._tables
        for signal in signals:
            tables.row(signal.portfolio_id)
            check_signal(signal)
        for signal in signals:
            if signal.signal_id not in tables.signals:
                tables.signals[signal.signal_id] = signal
                tables.signals_by_cycle[signal.cycle_id].append(signal.signal_id)

    async def signals(
        self,
        *,
        cycle_id: str | None = None,
        portfolio_id: int | None = None,
        signal_ids: Sequence[str] | None = None,
        pending_only: bool = False,
        limit: int = 1000,
    ) -> list[Signal]:
        tables = self._tables
        ids: Iterable[str] = tables.signals if cycle_id is None else tables.signals_by_cycle.get(cycle_id, ())
        if signal_ids is not None:
            wanted = set(signal_ids)
            ids = [signal_id for signal_id in ids if signal_id in wanted]
        found: list[Signal] = []
        for signal_id in ids:
            if len(found) >= limit:
                break
            signal = tables.signals[signal_id]
            if portfolio_id is not None and signal.portfolio_id != portfolio_id:
                continue
            if pending_only and signal_id in tables.order_by_signal:
                continue
            found.append(signal)
        return found


class OrderMethods(StoreBase):
    """The part of ``Store`` about orders: reserved before the wire, booked once after it."""

    async def approve(self, intent: OrderIntent, check: Check, now: datetime) -> ApprovedOrder | Refused:
        # Nothing is awaited in here, so nobody comes between what is read and what is reserved.
        tables = self._tables
        row = tables.row(intent.portfolio_id)
        if _has_order(tables, intent):
            return ALREADY_ORDERED
        holdings = _holdings(tables, row, intent.token_id)
        verdict = check(holdings)
        if isinstance(verdict, ApprovedOrder):
            refuse_overdrawn(verdict, intent, holdings)
        if intent.order_id in tables.orders:
            raise InvariantBroken(f"order {intent.order_id} exists already for another signal; nothing was reserved")
        if isinstance(verdict, Refused):
            facts = list(refused_facts(intent, verdict.code, now))
            _insert(tables, OrderRow(intent, None, OrderStatus.REFUSED, now, now, verdict.reason, verdict, facts=facts))
            return verdict
        check_order(verdict)
        transfers = reservation(intent.portfolio_id, intent.order_id, verdict.reserved_cash_micro, now)
        assert sum(transfer.amount_micro for transfer in transfers) == verdict.reserved_cash_micro
        deltas = checked_deltas(tables, row, transfers)
        write_transfers(tables, row, transfers, deltas, now)
        _insert(tables, OrderRow(intent, verdict, OrderStatus.APPROVED, now, now, facts=list(approved(verdict, now))))
        tables.open_orders[intent.order_id] = None
        return verdict

    async def book(self, booking: Booking, now: datetime) -> None:
        tables = self._tables
        order = tables.orders.get(booking.order_id)
        if order is None or order.approved is None:
            raise InvariantBroken(f"order {booking.order_id} was never reserved; nothing was booked")
        status = booked_state(booking.order_id, order.status, order.facts, booking.facts).status
        row = tables.row(order.intent.portfolio_id)
        refuse_moved(row, booking.before)
        deltas = checked_deltas(tables, row, booking.transfers)
        _check_parts(tables, row, booking, deltas)
        write_transfers(tables, row, booking.transfers, deltas, now)
        order.status = status
        known = {fact.fact_id for fact in order.facts}
        order.facts += [fact for fact in booking.facts if fact.fact_id not in known]
        order.reason = booking.reason
        order.updated_at = now
        if booking.trade is not None:
            order.fills += booking.trade.fills
            tables.trade_ids.add(booking.trade.trade_id)
            tables.trades.append(booking.trade)
            row.trades.append(booking.trade)
        if booking.settlement is not None:
            keep_settlement(tables, row, booking.settlement)
        if booking.position is not None:
            write_position(row, booking.position, now)
        if booking.consumption is not None:
            _dump_state(tables, booking.consumption, booking.trade.time if booking.trade else now)
        order.resting = None if status in TERMINAL_STATUSES else booking.resting
        if status in TERMINAL_STATUSES:
            tables.open_orders.pop(booking.order_id, None)

    async def facts(self, order_id: str) -> list[Fact]:
        order = self._tables.orders.get(order_id)
        return [] if order is None else sorted(order.facts, key=lambda fact: (fact.time, fact.fact_id))

    async def order(self, order_id: str) -> tuple[ApprovedOrder, OrderStatus] | None:
        row = self._tables.orders.get(order_id)
        return None if row is None or row.approved is None else (row.approved, row.status)

    async def open_orders(self) -> list[tuple[ApprovedOrder, OrderStatus]]:
        rows = [self._tables.orders[order_id] for order_id in self._tables.open_orders]
        return [(row.approved, row.status) for row in rows if row.approved is not None]

    async def resting_orders(self) -> list[tuple[ApprovedOrder, RestingOrder]]:
        rows = [self._tables.orders[order_id] for order_id in self._tables.open_orders]
        return [(row.approved, row.resting) for row in rows if row.approved is not None and row.resting is not None]

    async def save_resting(self, states: Sequence[RestingOrder], now: datetime) -> None:
        for state in states:
            row = self._tables.orders.get(state.order_id)
            if row is not None and row.resting is not None and row.resting.fill_count == state.fill_count:
                row.resting = replace(
                    row.resting, ahead_micro=state.ahead_micro, shown_micro=state.shown_micro, in_gap=state.in_gap
                )

    async def consumption(self, token_id: str, side: str) -> Consumption:
        kept = self._tables.consumption.get((token_id, side))
        return Consumption(token_id, side, {} if kept is None else dict(kept[1].levels))

    async def trades(self, portfolio_id: int | None, limit: int) -> list[Trade]:
        tables = self._tables
        if portfolio_id is None:
            kept = tables.trades
        else:
            row = tables.portfolios.get(portfolio_id)
            kept = row.trades if row else []
        return [trade_read(tables, trade) for trade in kept[: -limit - 1 : -1]] if limit > 0 else []

    async def fills(self, order_id: str) -> list[Fill]:
        order = self._tables.orders.get(order_id)
        return list(order.fills) if order else []


def _dump_state(tables: Tables, taken: Consumption, time: datetime) -> None:
    """Keep the memory of the latest match: orders sent side by side are booked in any order."""
    key = taken.token_id, taken.side
    known = tables.consumption.get(key)
    if known is None or known[0] <= time:
        tables.consumption[key] = time, replace(taken, levels=dict(taken.levels))


def _holdings(tables: Tables, row: PortfolioRow, token_id: str) -> Holdings:
    position = row.positions.get(token_id)
    return Holdings(
        portfolio_id=row.portfolio.portfolio_id,
        status=row.portfolio.status,
        cash_micro=row.portfolio.cash_micro,
        reserved_micro=row.portfolio.reserved_micro,
        held_micro=position.size_micro if position else 0,
        set_aside_micro=sum(set_aside(tables, row.portfolio.portfolio_id, token_id)),
        settling_shares_micro=position_read(row, position).settling_size_micro if position else 0,
        settling_cash_micro=settling_cash(row),
        open_positions=len(row.open_tokens),
    )


def _has_order(tables: Tables, intent: OrderIntent) -> bool:
    return bool(intent.signal_id) and intent.signal_id in tables.order_by_signal


def _insert(tables: Tables, row: OrderRow) -> None:
    tables.orders[row.intent.order_id] = row
    if row.intent.signal_id:
        tables.order_by_signal[row.intent.signal_id] = row.intent.order_id


def _check_parts(tables: Tables, row: PortfolioRow, booking: Booking, deltas: Balances) -> None:
    """Refuse a booking whose trade or position is not this portfolio's, or whose trade is known already."""
    portfolio_id = row.portfolio.portfolio_id
    trade, position, resting = booking.trade, booking.position, booking.resting
    if trade is not None and trade.trade_id in tables.trade_ids:
        raise InvariantBroken(f"trade {trade.trade_id} is booked already; nothing was booked again")
    if trade is not None and (trade.portfolio_id != portfolio_id or trade.order_id != booking.order_id):
        raise InvariantBroken(f"trade {trade.trade_id} is not of order {booking.order_id}; nothing was booked")
    if trade is not None:
        check_trade(trade)
    settlement = booking.settlement
    if settlement is not None and (trade is None or settlement.trade_id != trade.trade_id):
        raise InvariantBroken(f"the settlement of trade {settlement.trade_id} is not of the booked trade")
    if resting is not None:
        check_resting(resting, booking.order_id)
    if position is not None:
        shares = row.shares.get(position.token_id, 0) + deltas.get((SHARES, position.token_id), 0)
        check_position(position, portfolio_id, shares)
