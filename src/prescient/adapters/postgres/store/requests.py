"""Changes of positions asked of a venue, in PostgreSQL: committed before they leave, ended with their booking."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import asyncpg
import msgspec

from prescient.adapters.postgres.connection import Raw, json_text
from prescient.adapters.postgres.store.base import StoreBase
from prescient.adapters.postgres.store.money import SET_ASIDE, lock_portfolio
from prescient.domain.errors import InvariantBroken, RequestClosed
from prescient.domain.order import Wire
from prescient.domain.venue_answers import PositionRequest, RequestKind

FREE = f"""
SELECT (coalesce((SELECT size * 1000000 FROM portfolio_positions WHERE portfolio_id = $1 AND token_id = $2), 0)
        - aside.resting - aside.on_its_way)::bigint
  FROM ({SET_ASIDE.format("$1", "$2")}) AS aside
"""  # noqa: S608 # our own text

OPEN = """
INSERT INTO position_requests (request_id, portfolio_id, kind, condition_ids, given, gained, status, order_hash,
                               signed_body, salt, created_at)
VALUES ($1, $2, $3, $4, $5::text::jsonb, $6::text::jsonb, 'open', $7, $8, $9, $10)
"""

CLOSE = """
UPDATE position_requests SET status = 'done', ended_at = $2 WHERE request_id = $1 AND status = 'open'
RETURNING request_id
"""

REJECT = """
UPDATE position_requests SET status = 'rejected', reason = $2, ended_at = $3 WHERE request_id = $1 AND status = 'open'
"""

WAITING = """
SELECT request_id, portfolio_id, kind, condition_ids, given::text AS given, gained::text AS gained
  FROM position_requests WHERE status = 'open' AND ($1::bigint IS NULL OR portfolio_id = $1)
 ORDER BY created_at, request_id
"""

AMOUNTS = tuple[tuple[str, int], ...]


class RequestMethods(StoreBase):
    """The part of ``Store`` about changes of positions on their way."""

    async def open_request(self, request: PositionRequest, wire: Wire | None, now: datetime) -> bool:
        async def write(connection: Raw) -> bool:
            await lock_portfolio(connection, request.portfolio_id)
            for token_id, amount in request.given:
                if await connection.fetchval(FREE, request.portfolio_id, token_id) < amount:
                    return False
            sent = (wire.order_hash, wire.signed_body, wire.salt) if wire else (None, None, None)
            amounts = json_text(request.given), json_text(request.gained)
            about = request.request_id, request.portfolio_id, request.kind.value, list(request.condition_ids)
            try:
                await connection.execute(OPEN, *about, *amounts, *sent, now)
            except asyncpg.UniqueViolationError as error:
                raise InvariantBroken(
                    f"request {request.request_id} is kept already; nothing may be sent for it"
                ) from error
            return True

        return await self._database.transact(write)

    async def reject_request(self, request_id: str, reason: str, now: datetime) -> None:
        async def write(connection: Raw) -> None:
            await connection.execute(REJECT, request_id, reason, now)

        await self._database.transact(write)

    async def open_requests(self, portfolio_id: int | None) -> list[PositionRequest]:
        rows = await self._database.rows(WAITING, portfolio_id)
        return [_request_of(row) for row in rows]


async def close_request(connection: Raw, request_id: str, now: datetime) -> None:
    """End a request in the transaction that books it, before what it set aside is judged. Raises RequestClosed."""
    if request_id and await connection.fetchval(CLOSE, request_id, now) is None:
        raise RequestClosed(request_id)


def _request_of(row: Any) -> PositionRequest:
    return PositionRequest(
        request_id=row["request_id"],
        portfolio_id=row["portfolio_id"],
        kind=RequestKind(row["kind"]),
        condition_ids=tuple(row["condition_ids"]),
        given=msgspec.json.decode(row["given"], type=AMOUNTS),
        gained=msgspec.json.decode(row["gained"], type=AMOUNTS),
    )
