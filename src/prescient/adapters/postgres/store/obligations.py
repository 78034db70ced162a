"""Obligations in PostgreSQL: what is owed once shares are mined, kept until it is done."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import asyncpg
import msgspec

from prescient.adapters.postgres.connection import Raw, json_text
from prescient.adapters.postgres.store.base import StoreBase
from prescient.adapters.postgres.store.rows import value_of
from prescient.domain.errors import NotFoundError, PortfolioNotFound
from prescient.domain.obligation import Obligation, ObligationKind

OWE = """
INSERT INTO obligations AS known (obligation_id, portfolio_id, kind, data, created_at, due_at)
VALUES ($1, $2, $3, $4::text::jsonb, $5, $6)
ON CONFLICT (obligation_id) DO UPDATE
   SET data = excluded.data, created_at = excluded.created_at, due_at = excluded.due_at, done_at = NULL,
       attempts = 0, last_reason = ''
 WHERE known.kind = 'merge' AND known.done_at IS NOT NULL
"""

WAITING = """
SELECT obligation_id, portfolio_id, kind, data::text AS data, created_at, due_at, done_at, attempts, last_reason
  FROM obligations
 WHERE done_at IS NULL AND ($1::bigint IS NULL OR portfolio_id = $1) AND ($2::timestamptz IS NULL OR due_at <= $2)
 ORDER BY due_at, obligation_id LIMIT $3
"""

SAVE = """
UPDATE obligations
   SET due_at = CASE WHEN done_at IS NULL THEN $2 ELSE due_at END,
       attempts = CASE WHEN done_at IS NULL THEN $4 ELSE attempts END,
       last_reason = CASE WHEN done_at IS NULL THEN $5 ELSE last_reason END,
       done_at = coalesce(done_at, $3)
 WHERE obligation_id = $1
RETURNING obligation_id
"""


class ObligationMethods(StoreBase):
    """The part of ``Store`` about what is owed once shares are mined."""

    async def owe(self, obligations: Sequence[Obligation]) -> None:
        """Keep obligations. Raises PortfolioNotFound."""

        async def keep(connection: Raw) -> None:
            for one in obligations:
                try:
                    await connection.execute(
                        OWE,
                        one.obligation_id,
                        one.portfolio_id,
                        one.kind.value,
                        json_text(one.data),
                        one.created_at,
                        one.due_at,
                    )
                except asyncpg.ForeignKeyViolationError as error:
                    raise PortfolioNotFound(one.portfolio_id) from error

        if obligations:
            await self._database.transact(keep)

    async def obligations(self, portfolio_id: int | None, due_by: datetime | None, limit: int) -> list[Obligation]:
        """What is not done, the one due first first."""
        rows = await self._database.rows(WAITING, portfolio_id, due_by, limit)
        return [_obligation_of(row) for row in rows]

    async def save_obligation(self, obligation: Obligation) -> None:
        """Keep what became of an attempt; what is done stays done. Raises NotFoundError."""
        one = obligation
        values = one.obligation_id, one.due_at, one.done_at, one.attempts, one.last_reason
        if not await self._database.rows(SAVE, *values):
            raise NotFoundError(f"Obligation {one.obligation_id} does not exist.")


def _obligation_of(record: asyncpg.Record) -> Obligation:
    data = msgspec.json.decode(record["data"], type=dict[str, str])
    return value_of(Obligation, record, kind=ObligationKind(record["kind"]), data=data)
