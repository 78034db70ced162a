"""Portfolios in PostgreSQL: created with their opening entry, changed by name, archived for good, never deleted."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, exists, insert, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from polymarket_kit.errors import InvalidRequest
from prescient.adapters.postgres.connection import compiled, driver_of
from prescient.adapters.postgres.errors import UNIQUE_VIOLATION, sqlstate_of
from prescient.adapters.postgres.store.base import StoreBase
from prescient.adapters.postgres.store.money import append_transfers
from prescient.adapters.postgres.store.rows import PORTFOLIO, plain, portfolio_of
from prescient.adapters.postgres.store.tables import portfolios
from prescient.domain.errors import ConflictError, PortfolioNotActive, PortfolioNotFound
from prescient.domain.ledger import opening
from prescient.domain.portfolio import NewPortfolio, Portfolio, PortfolioStatus

ONE_PORTFOLIO = compiled(select(*PORTFOLIO).where(portfolios.c.portfolio_id == bindparam("portfolio_id")))
CHANGEABLE = frozenset({"name", "description", "strategy_type", "strategy_config", "schedule", "status"})


class PortfolioMethods(StoreBase):
    """The part of ``Store`` about portfolios."""

    async def create_portfolio(self, new: NewPortfolio, now: datetime) -> Portfolio:
        """Raises InvalidRequest for a balance not above zero, ConflictError for a name that is taken."""
        if new.initial_balance_micro <= 0:
            raise InvalidRequest("initial_balance", "must be above zero.")

        async def create(connection: AsyncConnection) -> Portfolio:
            await _refuse_taken(connection, new.name, None)
            values = {
                "name": new.name,
                "description": new.description,
                "strategy_type": new.strategy_type,
                "strategy_config": new.strategy_config,
                "initial_balance": new.initial_balance_micro,
                "current_balance": new.initial_balance_micro,
                "status": PortfolioStatus.ACTIVE.value,
                "venue": new.venue,
                "schedule": new.schedule,
                "created_at": now,
                "updated_at": now,
            }
            statement = insert(portfolios).values(values).returning(*PORTFOLIO)
            portfolio = portfolio_of((await _unless_taken(connection, statement)).one())
            entries = opening(portfolio.portfolio_id, new.initial_balance_micro, now)
            await append_transfers(await driver_of(connection), portfolio.portfolio_id, entries)
            return portfolio

        return await self._database.transact(create)

    async def portfolio(self, portfolio_id: int) -> Portfolio:
        """Raises PortfolioNotFound."""
        rows = await self._database.rows(ONE_PORTFOLIO, portfolio_id)
        if not rows:
            raise PortfolioNotFound(portfolio_id)
        return portfolio_of(plain(rows[0]))

    async def portfolios(self, status: PortfolioStatus | None = None) -> list[Portfolio]:
        statement = select(*PORTFOLIO).order_by(portfolios.c.portfolio_id)
        if status is not None:
            statement = statement.where(portfolios.c.status == status.value)
        async with self._database.reading() as connection:
            return [portfolio_of(row) for row in await connection.execute(statement)]

    async def ever_had_portfolio(self) -> bool:
        # Portfolios are never deleted, so one that ever was still is.
        async with self._database.reading() as connection:
            return bool(await connection.scalar(select(exists().select_from(portfolios))))

    async def change_portfolio(self, portfolio_id: int, changes: dict[str, Any], now: datetime) -> Portfolio:
        """Raises PortfolioNotFound, PortfolioNotActive once archived, InvalidRequest, ConflictError."""

        async def change(connection: AsyncConnection) -> Portfolio:
            locked = select(portfolios.c.status).where(portfolios.c.portfolio_id == portfolio_id)
            status = await connection.scalar(locked.with_for_update(key_share=True))
            if status is None:
                raise PortfolioNotFound(portfolio_id)
            if status == PortfolioStatus.ARCHIVED.value:
                raise PortfolioNotActive(portfolio_id, status)
            values = _checked(changes)
            if "name" in values:
                await _refuse_taken(connection, values["name"], portfolio_id)
            statement = (
                update(portfolios)
                .where(portfolios.c.portfolio_id == portfolio_id)
                .values(**values, updated_at=now)
                .returning(*PORTFOLIO)
            )
            return portfolio_of((await _unless_taken(connection, statement)).one())

        return await self._database.transact(change)


def _checked(changes: dict[str, Any]) -> dict[str, Any]:
    for name in changes:
        if name not in CHANGEABLE:
            raise InvalidRequest(name, f"cannot be changed; only {', '.join(sorted(CHANGEABLE))} can.")
    values = dict(changes)
    if "status" in values:
        values["status"] = PortfolioStatus(values["status"]).value
    return values


async def _refuse_taken(connection: AsyncConnection, name: str, own_id: int | None) -> None:
    taken = select(portfolios.c.portfolio_id).where(portfolios.c.name == name)
    other_id = await connection.scalar(taken.where(portfolios.c.portfolio_id.is_distinct_from(literal(own_id))))
    if other_id is not None:
        raise ConflictError(f"Portfolio {other_id} already has this name. Choose another name.")


async def _unless_taken(connection: AsyncConnection, statement: Any) -> Any:
    """Write a portfolio's row; another transaction may have taken its name since we looked."""
    try:
        return await connection.execute(statement)
    except Exception as error:
        if sqlstate_of(error) == UNIQUE_VIOLATION:
            raise ConflictError("Another portfolio already has this name. Choose another name.") from error
        raise
