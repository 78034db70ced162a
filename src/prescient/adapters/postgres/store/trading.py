"""Orders and trades in PostgreSQL: the intent is committed before the wire (see ``approving``), the answer whole or not at all."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import datetime

import asyncpg
import msgspec

from prescient.adapters.postgres.connection import Raw, json_text
from prescient.adapters.postgres.store.base import StoreBase
from prescient.adapters.postgres.store.facts import columns_of, fact_of, given
from prescient.adapters.postgres.store.money import (
    STANDING,
    append_transfers,
    refuse_moved,
    write_position,
)
from prescient.adapters.postgres.store.resting import keep_place
from prescient.adapters.postgres.store.rows import (
    FILL,
    ORDER,
    TERMINAL,
    TRADE,
    fill_of,
    order_of,
    trade_of,
    value_of,
    where,
)
from prescient.adapters.postgres.store.settlements import begin_settlement
from prescient.domain.booking import Booking
from prescient.domain.errors import InvariantBroken
from prescient.domain.order import (
    ApprovedOrder,
    Consumption,
    Fill,
    OrderStatus,
    Trade,
    Wire,
)
from prescient.domain.order_state import booked_state

FACT_ROWS = list[tuple[str, datetime, str]]

LOCK_BY_ORDER = """
SELECT portfolio_id FROM orders JOIN portfolios USING (portfolio_id) WHERE order_id = $1
   FOR NO KEY UPDATE OF portfolios
"""

KNOWN = f"""
SELECT status, {STANDING.format("orders.portfolio_id", "$2")} AS standing,
       (SELECT coalesce(jsonb_agg(jsonb_build_array(kind, at, data::text)), '[]') FROM order_facts
         WHERE order_facts.order_id = $1)::text AS facts
  FROM orders WHERE order_id = $1
"""  # noqa: S608 # our own text

ANSWER = f"""
WITH told AS (
    INSERT INTO order_facts (order_id, fact_id, kind, at, data)
    SELECT $1, fact_id, kind, at, data::jsonb FROM {given(5)}
    ON CONFLICT DO NOTHING
), ended AS (
    DELETE FROM resting_orders
     WHERE order_id = $1 AND $2 IN ('FILLED', 'CANCELED', 'EXPIRED', 'REJECTED', 'REFUSED')
)
UPDATE orders SET status = $2, reason = $3, updated_at = $4 WHERE order_id = $1
"""  # noqa: S608 # our own text

# The trade, its fills, and the mark on its signal, in one round trip.
RECORD_TRADE = """
WITH recorded AS (
    INSERT INTO trades (trade_id, order_id, portfolio_id, signal_id, cycle_id, condition_id, token_id, market_question,
                        outcome, action, size, amount, fee, entry_price, realized_pnl, status, timestamp, model)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::bigint * 0.000001, $12::bigint * 0.000001,
            $13::bigint * 0.000001, $14::bigint * 0.000001, $15::bigint * 0.000001, $16, $17, $18::text::jsonb)
), marked AS (
    UPDATE trading_signals SET executed = true, executed_at = $17 WHERE signal_id = $4
)
INSERT INTO fills (trade_id, number, order_id, price, size, cost, fee)
SELECT $1, number, $2, price * 0.000001, size * 0.000001, cost * 0.000001, fee * 0.000001
  FROM unnest($19::bigint[], $20::bigint[], $21::bigint[], $22::bigint[])
       WITH ORDINALITY AS given (price, size, cost, fee, number)
"""

TAKEN = "SELECT levels FROM paper_consumption WHERE token_id = $1 AND side = $2"

# The memory of the latest match stays: orders sent side by side are booked in any order.
REMEMBER = """
INSERT INTO paper_consumption (token_id, side, levels, updated_at) VALUES ($1, $2, $3::text::jsonb, $4)
ON CONFLICT (token_id, side) DO UPDATE SET levels = excluded.levels, updated_at = excluded.updated_at
 WHERE paper_consumption.updated_at <= excluded.updated_at
"""


SENT = f"SELECT {ORDER}, status, order_hash, signed_body, salt FROM orders"  # noqa: S608 # our own text
OPEN_ORDERS = f"{SENT} WHERE status NOT IN {TERMINAL} ORDER BY sequence"
ONE_ORDER = f"{SENT} WHERE order_id = $1 AND status <> 'REFUSED'"
FILLS_OF_TRADES = f"""
SELECT trade_id, {FILL} FROM fills WHERE trade_id = ANY($1::text[]) ORDER BY trade_id, number
"""  # noqa: S608 # our own text
# The names of an order's trades do not sort by number from the eleventh on.
FILLS_OF_ORDER = f"""
SELECT {FILL} FROM fills JOIN trades USING (trade_id) WHERE fills.order_id = $1 ORDER BY trades.sequence, fills.number
"""  # noqa: S608 # our own text


class OrderMethods(StoreBase):
    """The part of ``Store`` about orders: booked once after the wire."""

    async def book(self, booking: Booking, now: datetime) -> None:
        """Commit an answered order, whole or not at all.

        Raises PositionMoved when the position changed since it was read, and InvariantBroken for cash or shares below
        zero, for a position that is not what the ledger has, and for an order that was never reserved or has its final
        status already: nothing is booked twice.
        """

        async def write(connection: Raw) -> None:
            portfolio_id, status = await _answer(connection, booking, now)
            await append_transfers(connection, portfolio_id, booking.transfers)
            if booking.trade is not None:
                await _record_trade(connection, booking.trade, booking.order_id, portfolio_id)
            if booking.settlement is not None:
                await begin_settlement(connection, booking.settlement)
            if booking.position is not None:
                if booking.position.portfolio_id != portfolio_id:
                    raise InvariantBroken(f"position in {booking.position.token_id} is not of portfolio {portfolio_id}")
                await write_position(connection, booking.position, now)
            if booking.resting is not None:
                await keep_place(connection, booking.resting, status, now)
            if booking.consumption is not None:
                taken = booking.consumption
                levels = [[price, *amounts] for price, amounts in taken.levels.items()]
                matched_at = booking.trade.time if booking.trade else now
                await connection.execute(REMEMBER, taken.token_id, taken.side, json_text(levels), matched_at)

        await self._database.transact(write)

    async def order(self, order_id: str) -> tuple[ApprovedOrder, OrderStatus] | None:
        """One order that passed the gate; None for any other."""
        rows = await self._database.rows(ONE_ORDER, order_id)
        return (_with_wire(rows[0]), OrderStatus(rows[0]["status"])) if rows else None

    async def open_orders(self) -> list[tuple[ApprovedOrder, OrderStatus]]:
        """Orders without a final status, oldest first."""
        rows = await self._database.rows(OPEN_ORDERS)
        return [(_with_wire(row), OrderStatus(row["status"])) for row in rows]

    async def consumption(self, token_id: str, side: str) -> Consumption:
        """What was taken from one side of a book; empty if nothing was."""
        rows = await self._database.rows(TAKEN, token_id, side)
        levels = rows[0]["levels"] if rows else ()
        return Consumption(token_id, side, {price: (taken, shown) for price, taken, shown in levels})

    async def trades(self, portfolio_id: int | None, limit: int) -> list[Trade]:
        """Trades with their fills, the one booked last first."""
        if limit <= 0:
            return []
        clause, values = where(("portfolio_id = {}", portfolio_id))
        newest_first = f"SELECT {TRADE} FROM trades {clause} ORDER BY sequence DESC LIMIT ${len(values) + 1}"  # noqa: S608 # our own text
        rows = await self._database.rows(newest_first, *values, limit)
        matched: dict[str, list[Fill]] = defaultdict(list)
        for row in await self._database.rows(FILLS_OF_TRADES, [row["trade_id"] for row in rows]):
            matched[row["trade_id"]].append(fill_of(row))
        return [trade_of(row, matched[row["trade_id"]]) for row in rows]

    async def fills(self, order_id: str) -> list[Fill]:
        """The fills of one order, as they matched."""
        return [fill_of(row) for row in await self._database.rows(FILLS_OF_ORDER, order_id)]


def _with_wire(row: asyncpg.Record) -> ApprovedOrder:
    order = order_of(row)
    return order if row["order_hash"] is None else replace(order, wire=value_of(Wire, row))


async def _answer(connection: Raw, booking: Booking, now: datetime) -> tuple[int, OrderStatus]:
    """Keep what is told of an order; returns its portfolio's id, whose row is locked, and its new status."""
    portfolio_id: int | None = await connection.fetchval(LOCK_BY_ORDER, booking.order_id)
    if portfolio_id is None:
        raise InvariantBroken(f"order {booking.order_id} was never reserved; nothing was booked")
    # Read after the lock: whoever held it may have booked this very order.
    token_id = booking.before.token_id if booking.before else ""
    known = await connection.fetchrow(KNOWN, booking.order_id, token_id)
    assert known is not None
    kept = [fact_of(booking.order_id, *row) for row in msgspec.json.decode(known["facts"], type=FACT_ROWS)]
    status = booked_state(booking.order_id, OrderStatus(known["status"]), kept, booking.facts).status
    refuse_moved(known["standing"], booking.before)
    facts = columns_of(booking.facts)
    await connection.execute(ANSWER, booking.order_id, status.value, booking.reason, now, *facts)
    return portfolio_id, status


async def _record_trade(connection: Raw, trade: Trade, order_id: str, portfolio_id: int) -> None:
    if trade.portfolio_id != portfolio_id or trade.order_id != order_id:
        raise InvariantBroken(f"trade {trade.trade_id} is not of order {order_id}; nothing was booked")
    try:
        await connection.execute(
            RECORD_TRADE,
            trade.trade_id,
            trade.order_id,
            trade.portfolio_id,
            trade.signal_id,
            trade.cycle_id,
            trade.condition_id,
            trade.token_id,
            trade.market_question,
            trade.outcome,
            trade.side.value,
            trade.size_micro,
            trade.amount_micro,
            trade.fee_micro,
            trade.price_micro,
            trade.realized_pnl_micro,
            trade.status,
            trade.time,
            json_text(trade.model),
            [fill.price_micro for fill in trade.fills],
            [fill.size_micro for fill in trade.fills],
            [fill.cost_micro for fill in trade.fills],
            [fill.fee_micro for fill in trade.fills],
        )
    except asyncpg.UniqueViolationError as error:
        raise InvariantBroken(f"trade {trade.trade_id} is booked already; nothing was booked again") from error
