"""Resting orders in PostgreSQL: the place in the queue is kept with each fill, in its transaction, and now and then between."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from prescient.adapters.postgres.connection import Raw, json_text
from prescient.adapters.postgres.store.base import StoreBase
from prescient.adapters.postgres.store.rows import ORDER, RESTING, order_of, resting_of
from prescient.domain.errors import InvariantBroken
from prescient.domain.order import TERMINAL_STATUSES, ApprovedOrder, OrderStatus
from prescient.domain.resting import RestingOrder

OLDEST_FIRST = f"""
SELECT {ORDER}, {RESTING} FROM orders JOIN resting_orders USING (order_id) ORDER BY orders.sequence
"""  # noqa: S608 # our own text

KEEP = """
INSERT INTO resting_orders (order_id, first_token_id, second_token_id, joined_ms, expires_ms, size, filled, fill_count,
                            ahead, shown, held_cash, in_gap, model, updated_at)
VALUES ($1, $2, $3, $4, $5, $6::bigint * 0.000001, $7::bigint * 0.000001, $8, $9::bigint * 0.000001,
        $10::bigint * 0.000001, $11::bigint * 0.000001, $12, $13::text::jsonb, $14)
ON CONFLICT (order_id) DO UPDATE
   SET filled = excluded.filled, fill_count = excluded.fill_count, ahead = excluded.ahead, shown = excluded.shown,
       held_cash = excluded.held_cash, in_gap = excluded.in_gap, updated_at = excluded.updated_at
"""

# An order that was filled or ended meanwhile has a newer place than this one.
REFRESH = """
UPDATE resting_orders AS kept
   SET ahead = given.ahead * 0.000001, shown = given.shown * 0.000001, in_gap = given.in_gap, updated_at = $6
  FROM unnest($1::text[], $2::integer[], $3::bigint[], $4::bigint[], $5::boolean[])
       AS given (order_id, fill_count, ahead, shown, in_gap)
 WHERE kept.order_id = given.order_id AND kept.fill_count = given.fill_count
"""


async def keep_place(connection: Raw, state: RestingOrder, status: OrderStatus, now: datetime) -> None:
    """Write an order's place in its queue, or remove it with the order's end. Part of the booking's transaction."""
    if status in TERMINAL_STATUSES:
        await connection.execute("DELETE FROM resting_orders WHERE order_id = $1", state.order_id)
        return
    if state.filled_micro > state.size_micro:
        raise InvariantBroken(f"order {state.order_id} would be filled beyond its size; nothing was booked")
    await connection.execute(
        KEEP,
        state.order_id,
        *state.token_ids,
        state.joined_ms,
        state.expires_ms,
        state.size_micro,
        state.filled_micro,
        state.fill_count,
        state.ahead_micro,
        state.shown_micro,
        state.held_cash_micro,
        state.in_gap,
        json_text(state.model),
        now,
    )


class RestingMethods(StoreBase):
    """The part of ``Store`` about orders that rest."""

    async def resting_orders(self) -> list[tuple[ApprovedOrder, RestingOrder]]:
        """Orders that rest, oldest first, with the places that were kept last."""
        return [(order_of(row), resting_of(row)) for row in await self._database.rows(OLDEST_FIRST)]

    async def save_resting(self, states: Sequence[RestingOrder], now: datetime) -> None:
        """Keep places between two bookings."""
        if not states:
            return

        async def refresh(connection: Raw) -> None:
            ordered = sorted(states, key=lambda state: state.order_id)
            await connection.execute(
                REFRESH,
                [state.order_id for state in ordered],
                [state.fill_count for state in ordered],
                [state.ahead_micro for state in ordered],
                [state.shown_micro for state in ordered],
                [state.in_gap for state in ordered],
                now,
            )

        await self._database.transact(refresh)
