"""What is on its way to a venue, in PostgreSQL: written before it leaves, and when its answer was lost."""

from __future__ import annotations

from datetime import datetime

import asyncpg

from prescient.adapters.postgres.connection import Raw
from prescient.adapters.postgres.store.base import StoreBase
from prescient.adapters.postgres.store.facts import columns_of, fact_of, given
from prescient.domain.errors import InvariantBroken
from prescient.domain.order import OrderStatus, Unknown, Wire
from prescient.domain.order_state import Fact, answered, booked_state, submitted

LOCK = """
SELECT 1 FROM orders JOIN portfolios USING (portfolio_id) WHERE order_id = $1 FOR NO KEY UPDATE OF portfolios
"""
# Read after the lock: whoever held it may have booked this very order.
STANDS = "SELECT status, reason FROM orders WHERE order_id = $1"
KNOWN = "SELECT kind, at, data::text FROM order_facts WHERE order_id = $1"

TELL = f"""
WITH told AS (
    INSERT INTO order_facts (order_id, fact_id, kind, at, data)
    SELECT $1, fact_id, kind, at, data::jsonb FROM {given(5)}
    ON CONFLICT DO NOTHING
)
UPDATE orders SET status = $2, reason = $3, updated_at = $4 WHERE order_id = $1
"""  # noqa: S608 # our own text

SEND = "UPDATE orders SET order_hash = $2, signed_body = $3, salt = $4 WHERE order_id = $1"


class SubmissionMethods(StoreBase):
    """The part of ``Store`` about orders on their way."""

    async def mark_submitted(self, order_id: str, wire: Wire, now: datetime) -> None:
        async def write(connection: Raw) -> None:
            row = await _locked(connection, order_id)
            if row["status"] != OrderStatus.APPROVED:
                raise InvariantBroken(f"order {order_id} is {row['status']} already; nothing may be sent for it")
            await _tell(connection, row, submitted(order_id, wire, now), "", now)
            try:
                await connection.execute(SEND, order_id, wire.order_hash, wire.signed_body, wire.salt)
            except asyncpg.UniqueViolationError as error:
                raise InvariantBroken(f"what is to be sent for order {order_id} is another order's") from error

        await self._database.transact(write)

    async def mark_unknown(self, order_id: str, reason: str, now: datetime) -> None:
        async def write(connection: Raw) -> None:
            row = await _locked(connection, order_id)
            (lost,) = answered(order_id, Unknown(reason), now)
            await _tell(connection, row, lost, reason, now)

        await self._database.transact(write)


async def _locked(connection: Raw, order_id: str) -> asyncpg.Record:
    await connection.execute(LOCK, order_id)
    row = await connection.fetchrow(STANDS, order_id)
    if row is None or row["status"] == OrderStatus.REFUSED:
        raise InvariantBroken(f"order {order_id} was never reserved")
    return row


async def _tell(connection: Raw, row: asyncpg.Record, fact: Fact, reason: str, now: datetime) -> None:
    told = await connection.fetch(KNOWN, fact.order_id)
    kept = [fact_of(fact.order_id, one["kind"], one["at"], one["data"]) for one in told]
    status = booked_state(fact.order_id, OrderStatus(row["status"]), kept, [fact]).status
    await connection.execute(TELL, fact.order_id, status.value, reason or row["reason"], now, *columns_of([fact]))
