"""The catalogue in PostgreSQL: what the venue lists now, what was screened, and what the books showed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

import asyncpg

from prescient.adapters.postgres.connection import Raw, database_errors, json_text
from prescient.adapters.postgres.store.base import StoreBase
from prescient.adapters.postgres.store.catalogue_rows import (
    EVENT,
    FIGURES,
    MARKET,
    Row,
    event_of,
    market_of,
)
from prescient.adapters.postgres.store.catalogue_upsert import CATALOGUE_LOCK, prepare, write_page
from prescient.adapters.postgres.store.partitions import append_rows
from prescient.domain.market import Event, Market, MarketFigures, OrderBook
from prescient.domain.records import Collected
from prescient.ports.market_data import EventPage

ACTIVE_EVENTS = f"SELECT {EVENT} FROM events WHERE active ORDER BY event_id"  # noqa: S608 # our own names
MARKETS_OF = f"SELECT {MARKET} FROM markets WHERE event_id = ANY($1::text[])"  # noqa: S608 # our own names
MARKET_FIGURES = f"""
SELECT {FIGURES} FROM markets
 WHERE event_id IN (SELECT json_array_elements_text($1::json)) ORDER BY market_id
"""  # noqa: S608 # our own names
MARKETS_BY_CONDITION = f"SELECT {MARKET} FROM markets WHERE condition_id = ANY($1::text[])"  # noqa: S608 # our own names
FIND_MARKET = f"""
SELECT {MARKET} FROM markets WHERE market_id = $1 OR condition_id = $1 OR slug = $1
 ORDER BY market_id <> $1, condition_id <> $1, updated_at DESC LIMIT 1
"""  # noqa: S608 # our own names
SCREENED = f"""
SELECT {MARKET} FROM cycle_markets JOIN markets USING (market_id) WHERE cycle_id = $1 ORDER BY number
"""  # noqa: S608 # our own names
SAVE_SCREENED = """
INSERT INTO cycle_markets (cycle_id, number, market_id)
SELECT $1, number, market_id FROM unnest($2::text[]) WITH ORDINALITY AS given (market_id, number)
"""
# The ids as JSON: the driver would turn an array of a whole catalogue item by item, while everybody else waits.
CLOSE_EVENTS = """
UPDATE events SET active = false, updated_at = $2
 WHERE active
   AND NOT EXISTS (SELECT FROM json_array_elements_text($1::json) AS listed (id) WHERE listed.id = events.event_id)
"""
CLOSE_MARKETS = """
UPDATE markets SET active = false, updated_at = $2
 WHERE active
   AND NOT EXISTS (SELECT FROM json_array_elements_text($1::json) AS listed (id) WHERE listed.id = markets.market_id)
"""
SNAPSHOT_COLUMNS = (
    "timestamp",
    "source",
    "market_id",
    "condition_id",
    "token_id",
    "outcome",
    "best_bid_micro",
    "best_ask_micro",
    "bid_depth_micro",
    "ask_depth_micro",
    "catalogue_price_micro",
)
# Rows turned into values between two turns of the event loop, and events asked for at once.
CHUNK_ROWS = 1000
CHUNK_EVENTS = 200

Value = TypeVar("Value")


class CatalogueMethods(StoreBase):
    """The part of ``Store`` about events and markets."""

    async def save_events(self, pages: AsyncIterator[EventPage], cycle_id: str, now: datetime) -> Collected:
        """Write each page while the next one is on its way; what is no longer listed is marked inactive at the end.

        When the listing breaks off, the pages that came stay written, nothing is marked, and its error goes on.
        """
        listed = Listed()
        async with self._database.bulk() as connection, aclosing(_read_ahead(pages)) as arriving:
            with database_errors():
                await prepare(connection)
            async for page in arriving:
                listed.add(page)
                with database_errors():
                    await write_page(connection, page.events, now)
            with database_errors():
                closed = await _close_unlisted(connection, listed, now)
        return Collected(len(listed.event_ids), len(listed.market_ids), listed.skipped, closed)

    async def active_events(self) -> list[Event]:
        """The collected active events without their markets, by id."""
        return await _in_turns(await self._database.rows(ACTIVE_EVENTS), event_of)

    async def markets_of(self, event_ids: Sequence[str]) -> list[Market]:
        """All markets of these events, by id."""
        wanted = sorted(set(event_ids))
        found: list[Market] = []
        for start in range(0, len(wanted), CHUNK_EVENTS):
            rows = await self._database.rows(MARKETS_OF, wanted[start : start + CHUNK_EVENTS])
            found += await _in_turns(rows, market_of)
        return sorted(found, key=lambda market: market.market_id)

    async def market_figures(self, event_ids: Sequence[str]) -> list[MarketFigures]:
        """What screening asks of all markets of these events, by id."""
        rows = await self._database.rows(MARKET_FIGURES, json_text(list(event_ids)))
        return await _in_turns(rows, MarketFigures._make)

    async def markets_by_condition(self, condition_ids: Sequence[str]) -> dict[str, Market]:
        """Markets by condition id; unknown ones are absent."""
        found = await _in_turns(await self._database.rows(MARKETS_BY_CONDITION, list(condition_ids)), market_of)
        return {market.condition_id: market for market in found}

    async def find_market(self, text: str) -> Market | None:
        """A market by its id, condition id or slug."""
        row = await self._database.row(FIND_MARKET, text)
        return None if row is None else market_of(row)

    async def save_screened(self, cycle_id: str, market_ids: Sequence[str]) -> None:
        """Keep which markets passed, in this order; a second saving replaces the first."""

        async def save(connection: Raw) -> None:
            await connection.execute("DELETE FROM cycle_markets WHERE cycle_id = $1", cycle_id)
            await connection.execute(SAVE_SCREENED, cycle_id, list(dict.fromkeys(market_ids)))

        await self._database.transact(save)

    async def screened(self, cycle_id: str) -> list[Market]:
        """The markets that passed, in the order they were saved."""
        return await _in_turns(await self._database.rows(SCREENED, cycle_id), market_of)

    async def save_snapshots(
        self, source: str, books: Sequence[tuple[Market, OrderBook | None]], now: datetime
    ) -> None:
        """Append one row per outcome, or the one outcome whose book was read."""
        rows: list[Row] = []
        for start in range(0, len(books), CHUNK_ROWS):
            for market, book in books[start : start + CHUNK_ROWS]:
                rows += _snapshot_rows(source, market, book, now)
            await asyncio.sleep(0)
        if rows:
            day = now.astimezone(UTC).date()
            await self._database.transact(
                lambda connection: append_rows(connection, "market_snapshots", SNAPSHOT_COLUMNS, rows, day)
            )


@dataclass(slots=True)
class Listed:
    """What the pages named so far."""

    event_ids: set[str] = field(default_factory=set)
    market_ids: set[str] = field(default_factory=set)
    skipped: int = 0

    def add(self, page: EventPage) -> None:
        self.skipped += len(page.skipped)
        for event in page.events:
            self.event_ids.add(event.event_id)
            self.market_ids.update(market.market_id for market in event.markets)


async def _read_ahead(pages: AsyncIterator[EventPage]) -> AsyncGenerator[EventPage]:
    """Yield each page with the next one already on its way."""
    upcoming = _next(pages)
    try:
        while (page := await upcoming) is not None:
            upcoming = _next(pages)
            yield page
    finally:
        upcoming.cancel()
        await asyncio.wait([upcoming])


def _next(pages: AsyncIterator[EventPage]) -> asyncio.Task[EventPage | None]:
    async def step() -> EventPage | None:
        return await anext(pages, None)

    return asyncio.create_task(step())


async def _close_unlisted(connection: Raw, listed: Listed, now: datetime) -> int:
    """Mark what the venue no longer lists as inactive; returns how many events that were."""
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", CATALOGUE_LOCK)
        done = await connection.execute(CLOSE_EVENTS, json_text(list(listed.event_ids)), now)
        await connection.execute(CLOSE_MARKETS, json_text(list(listed.market_ids)), now)
    return int(done.removeprefix("UPDATE "))


async def _in_turns(rows: Sequence[asyncpg.Record], make: Callable[[asyncpg.Record], Value]) -> list[Value]:
    """Turn rows into values, giving way to other tasks now and then."""
    made: list[Value] = []
    for start in range(0, len(rows), CHUNK_ROWS):
        made += [make(row) for row in rows[start : start + CHUNK_ROWS]]
        await asyncio.sleep(0)
    return made


def _snapshot_rows(source: str, market: Market, book: OrderBook | None, now: datetime) -> Iterator[Row]:
    for outcome in market.outcomes:
        if book is not None and book.token_id != outcome.token_id:
            continue
        yield (
            now,
            source,
            market.market_id,
            market.condition_id,
            outcome.token_id,
            outcome.name,
            book.best_bid_micro if book else None,
            book.best_ask_micro if book else None,
            sum(level.size_micro for level in book.bids) if book else 0,
            sum(level.size_micro for level in book.asks) if book else 0,
            outcome.price_micro,
        )
