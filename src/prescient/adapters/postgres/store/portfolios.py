"""Portfolios in PostgreSQL: created with their opening entry, changed by name, archived for good, never deleted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

import asyncpg

from polymarket_kit.errors import InvalidRequest
from prescient.adapters.postgres.connection import Raw
from prescient.adapters.postgres.store.base import StoreBase
from prescient.adapters.postgres.store.money import append_transfers
from prescient.adapters.postgres.store.rows import PORTFOLIO, portfolio_of, where
from prescient.domain.errors import ConflictError, PortfolioNotActive, PortfolioNotFound
from prescient.domain.ledger import opening
from prescient.domain.portfolio import NewPortfolio, Portfolio, PortfolioStatus

ONE_PORTFOLIO = f"SELECT {PORTFOLIO} FROM portfolios WHERE portfolio_id = $1"  # noqa: S608 # our own text
LOCK = f"{ONE_PORTFOLIO} FOR NO KEY UPDATE"
CREATE = f"""
INSERT INTO portfolios (name, description, strategy_type, strategy_config, initial_balance, current_balance, status,
                        venue, schedule, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5::bigint * 0.000001, $5::bigint * 0.000001, $6, $7, $8, $9, $9)
RETURNING {PORTFOLIO}
"""  # noqa: S608 # our own text
CHANGE = f"""
UPDATE portfolios
   SET name = $2, description = $3, strategy_type = $4, strategy_config = $5, schedule = $6, status = $7,
       updated_at = $8
 WHERE portfolio_id = $1
RETURNING {PORTFOLIO}
"""  # noqa: S608 # our own text
NAMED = "SELECT portfolio_id FROM portfolios WHERE name = $1 AND portfolio_id IS DISTINCT FROM $2::bigint"
CHANGEABLE = frozenset({"name", "description", "strategy_type", "strategy_config", "schedule", "status"})


class PortfolioMethods(StoreBase):
    """The part of ``Store`` about portfolios."""

    async def create_portfolio(self, new: NewPortfolio, now: datetime) -> Portfolio:
        """Raises InvalidRequest for a balance not above zero, ConflictError for a name that is taken."""
        if new.initial_balance_micro <= 0:
            raise InvalidRequest("initial_balance", "must be above zero.")

        async def create(connection: Raw) -> Portfolio:
            await _refuse_taken(connection, new.name, None)
            with _unless_taken():
                row = await connection.fetchrow(
                    CREATE,
                    new.name,
                    new.description,
                    new.strategy_type,
                    new.strategy_config,
                    new.initial_balance_micro,
                    PortfolioStatus.ACTIVE.value,
                    new.venue,
                    new.schedule,
                    now,
                )
            assert row is not None
            made = portfolio_of(row)
            entries = opening(made.portfolio_id, new.initial_balance_micro, now)
            await append_transfers(connection, made.portfolio_id, entries)
            assert made.cash_micro == new.initial_balance_micro == sum(entry.amount_micro for entry in entries)
            return made

        return await self._database.transact(create)

    async def portfolio(self, portfolio_id: int) -> Portfolio:
        """Raises PortfolioNotFound."""
        row = await self._database.row(ONE_PORTFOLIO, portfolio_id)
        if row is None:
            raise PortfolioNotFound(portfolio_id)
        return portfolio_of(row)

    async def portfolios(self, status: PortfolioStatus | None = None) -> list[Portfolio]:
        clause, values = where(("status = {}", status and status.value))
        by_id = f"SELECT {PORTFOLIO} FROM portfolios {clause} ORDER BY portfolio_id"  # noqa: S608 # our own text
        return [portfolio_of(row) for row in await self._database.rows(by_id, *values)]

    async def ever_had_portfolio(self) -> bool:
        # Portfolios are never deleted, so one that ever was still is.
        return bool(await self._database.value("SELECT EXISTS (SELECT FROM portfolios)"))

    async def change_portfolio(self, portfolio_id: int, changes: dict[str, Any], now: datetime) -> Portfolio:
        """Raises PortfolioNotFound, PortfolioNotActive once archived, InvalidRequest, ConflictError."""

        async def change(connection: Raw) -> Portfolio:
            row = await connection.fetchrow(LOCK, portfolio_id)
            if row is None:
                raise PortfolioNotFound(portfolio_id)
            before = portfolio_of(row)
            if before.status is PortfolioStatus.ARCHIVED:
                raise PortfolioNotActive(portfolio_id, before.status)
            after = replace(before, **_checked(changes))
            if after.name != before.name:
                await _refuse_taken(connection, after.name, portfolio_id)
            with _unless_taken():
                row = await connection.fetchrow(
                    CHANGE,
                    portfolio_id,
                    after.name,
                    after.description,
                    after.strategy_type,
                    after.strategy_config,
                    after.schedule,
                    after.status.value,
                    now,
                )
            assert row is not None
            return portfolio_of(row)

        return await self._database.transact(change)


def _checked(changes: dict[str, Any]) -> dict[str, Any]:
    for name in changes:
        if name not in CHANGEABLE:
            raise InvalidRequest(name, f"cannot be changed; only {', '.join(sorted(CHANGEABLE))} can.")
    values = dict(changes)
    if "status" in values:
        values["status"] = PortfolioStatus(values["status"])
    return values


async def _refuse_taken(connection: Raw, name: str, own_id: int | None) -> None:
    other_id = await connection.fetchval(NAMED, name, own_id)
    if other_id is not None:
        raise ConflictError(f"Portfolio {other_id} already has this name. Choose another name.")


@contextmanager
def _unless_taken() -> Iterator[None]:
    """Say whose name it is: another transaction may have taken it since we looked."""
    try:
        yield
    except asyncpg.UniqueViolationError as error:
        raise ConflictError("Another portfolio already has this name. Choose another name.") from error
