"""Positions in PostgreSQL: what is held, what it would bring now, and its payout, booked once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from prescient.adapters.postgres.connection import Raw
from prescient.adapters.postgres.store.base import StoreBase
from prescient.adapters.postgres.store.money import (
    SET_ASIDE,
    STANDING,
    append_transfers,
    lock_portfolio,
    refuse_moved,
    refuse_set_aside,
    write_position,
)
from prescient.adapters.postgres.store.requests import close_request
from prescient.adapters.postgres.store.rows import POSITION, position_of, where
from prescient.domain.errors import InvariantBroken
from prescient.domain.ledger import Transfer
from prescient.domain.portfolio import Mark, Position

ONE_POSITION = f"""
SELECT {POSITION} FROM portfolio_positions WHERE portfolio_id = $1 AND token_id = $2
"""  # noqa: S608 # our own text

# Marks of what was bought, sold or settled since the prices were asked for change nothing.
WRITE_MARKS = """
UPDATE portfolio_positions AS held
   SET current_price = given.price * 0.000001, current_value = given.value * 0.000001, mark_source = given.source,
       marked_at = $2
  FROM unnest($3::text[], $4::bigint[], $5::bigint[], $6::text[], $7::bigint[])
       AS given (token_id, price, value, source, size)
 WHERE held.portfolio_id = $1 AND held.token_id = given.token_id AND held.size > 0
   AND (given.size IS NULL OR held.size = given.size * 0.000001)
"""

REFRESH_UNREALIZED = """
UPDATE portfolios
   SET unrealized_pnl = (SELECT coalesce(sum(unrealized_pnl), 0) FROM portfolio_positions
                          WHERE portfolio_id = $1 AND size > 0),
       updated_at = $2
 WHERE portfolio_id = $1
"""

BOOKED_BEFORE = f"""
SELECT EXISTS (SELECT FROM ledger WHERE transfer_id = ANY($1::text[])) AS booked,
       {STANDING.format("$2", "$3")} AS standing, aside.resting::bigint, aside.on_its_way::bigint
  FROM ({SET_ASIDE.format("$2", "$3")}) AS aside
"""  # noqa: S608 # our own text


class PositionMethods(StoreBase):
    """The part of ``Store`` about what is held and what it is worth."""

    async def positions(self, portfolio_id: int | None, *, open_only: bool = True) -> list[Position]:
        """Positions by portfolio, the one opened first first."""
        clause, values = where(("portfolio_id = {}", portfolio_id), ("size > 0", open_only))
        oldest_first = f"SELECT {POSITION} FROM portfolio_positions {clause} ORDER BY portfolio_id, opened_at, token_id"  # noqa: S608 # our own text
        return [position_of(row) for row in await self._database.rows(oldest_first, *values)]

    async def position(self, portfolio_id: int, token_id: str) -> Position | None:
        rows = await self._database.rows(ONE_POSITION, portfolio_id, token_id)
        return position_of(rows[0]) if rows else None

    async def save_marks(self, portfolio_id: int, marks: Sequence[Mark], now: datetime) -> None:
        """Value open positions. Raises PortfolioNotFound."""

        async def save(connection: Raw) -> None:
            await lock_portfolio(connection, portfolio_id)
            if not marks:
                return
            await connection.execute(
                WRITE_MARKS,
                portfolio_id,
                now,
                [mark.token_id for mark in marks],
                [mark.price_micro for mark in marks],
                [mark.value_micro for mark in marks],
                [mark.source for mark in marks],
                [mark.size_micro for mark in marks],
            )
            await connection.execute(REFRESH_UNREALIZED, portfolio_id, now)

        await self._database.transact(save)

    async def settle(
        self,
        portfolio_id: int,
        transfers: Sequence[Transfer],
        position: Position,
        now: datetime,
        before: Position | None = None,
        closes: str = "",
    ) -> bool:
        """Book a resolved position once; False if it was booked before.

        Raises PortfolioNotFound, PositionMoved, InvariantBroken.
        """
        if position.portfolio_id != portfolio_id and transfers:
            raise InvariantBroken(f"position in {position.token_id} is not of portfolio {portfolio_id}")

        async def pay(connection: Raw) -> bool:
            await lock_portfolio(connection, portfolio_id)
            await close_request(connection, closes, now)
            ids = [transfer.transfer_id for transfer in transfers]
            found = await connection.fetchrow(BOOKED_BEFORE, ids, portfolio_id, position.token_id)
            assert found is not None
            refuse_moved(found["standing"], before)
            if found["booked"]:
                return False
            if before is not None:
                # A resting SELL does not keep a payout back: its market is over, and it ends.
                refuse_set_aside(before.size_micro, position.size_micro, found["on_its_way"], position.token_id)
            await append_transfers(connection, portfolio_id, transfers)
            await write_position(connection, position, now)
            return True

        return await self._database.transact(pay)

    async def swap(
        self,
        portfolio_id: int,
        transfers: Sequence[Transfer],
        changes: Sequence[tuple[Position, Position]],
        now: datetime,
        closes: str = "",
    ) -> bool:
        """Book positions that turn into one another or into cash; False if these transfers were booked before.

        Raises PortfolioNotFound, PositionMoved, InvariantBroken.
        """
        if any(after.portfolio_id != portfolio_id for _, after in changes):
            raise InvariantBroken(f"a position is not of portfolio {portfolio_id}")

        async def turn(connection: Raw) -> bool:
            await lock_portfolio(connection, portfolio_id)
            await close_request(connection, closes, now)
            ids = [transfer.transfer_id for transfer in transfers]
            booked = False
            for before, after in changes:
                found = await connection.fetchrow(BOOKED_BEFORE, ids, portfolio_id, before.token_id)
                assert found is not None
                refuse_moved(found["standing"], before)
                set_aside_micro = found["resting"] + found["on_its_way"]
                refuse_set_aside(before.size_micro, after.size_micro, set_aside_micro, before.token_id)
                booked = booked or found["booked"]
            if booked:
                return False
            await append_transfers(connection, portfolio_id, transfers)
            for _, after in changes:
                await write_position(connection, after, now)
            return True

        return await self._database.transact(turn)
