"""One page of the catalogue into PostgreSQL: COPY into a table of this session, then write what is new or changed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime

import asyncpg

from prescient.adapters.postgres.catalogue_rows import (
    EVENT_COLUMNS,
    MARKET_COLUMNS,
    Row,
    event_row,
    market_row,
    storable,
)
from prescient.adapters.postgres.connection import Raw
from prescient.domain.market import Event

# Rows made and sent in one go: a few milliseconds of the event loop.
CHUNK_ROWS = 500


def _stage(table: str, columns: Sequence[str]) -> str:
    # Of this session alone, without a log, and empty again after each transaction.
    return (
        f"CREATE TEMPORARY TABLE IF NOT EXISTS incoming_{table} ON COMMIT DELETE ROWS "  # noqa: S608 # our own names
        f"AS SELECT {', '.join(columns)} FROM {table} WITH NO DATA"
    )


def _update(table: str, columns: Sequence[str]) -> str:
    key, *rest = columns
    changes = ", ".join(f"{name} = new.{name}" for name in rest)
    before, after = (", ".join(f"{side}.{name}" for name in rest) for side in ("kept", "new"))
    return (
        f"UPDATE {table} AS kept SET {changes}, updated_at = $1 FROM incoming_{table} AS new "  # noqa: S608 # our own names
        f"WHERE kept.{key} = new.{key} AND ({before}) IS DISTINCT FROM ({after})"
    )


def _insert(table: str, columns: Sequence[str]) -> str:
    key, names = columns[0], ", ".join(columns)
    return (
        f"INSERT INTO {table} ({names}, updated_at) SELECT {names}, $1 FROM incoming_{table} AS new "  # noqa: S608 # our own names
        f"WHERE NOT EXISTS (SELECT FROM {table} AS kept WHERE kept.{key} = new.{key})"
    )


STAGES = tuple(_stage(table, columns) for table, columns in (("events", EVENT_COLUMNS), ("markets", MARKET_COLUMNS)))
UPDATE_EVENTS, INSERT_EVENTS = _update("events", EVENT_COLUMNS), _insert("events", EVENT_COLUMNS)
UPDATE_MARKETS, INSERT_MARKETS = _update("markets", MARKET_COLUMNS), _insert("markets", MARKET_COLUMNS)
# A page is small beside the table: each of its rows is looked up by its key, where the planner, who knows nothing of
# a table just filled, would read the whole table for every page.
LOOK_UP_BY_KEY = "SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off"
# What the venue lists can be asked for again, so nobody waits for the disk here; money never does this.
NO_WAIT_FOR_DISK = "SET LOCAL synchronous_commit = off"
# Two collections side by side would change the same rows in different orders, and insert the same new ones.
CATALOGUE_LOCK = 0x7072_6573_6361_7461


async def prepare(connection: Raw) -> None:
    """Make this session's tables for incoming rows."""
    for statement in STAGES:
        await connection.execute(statement)


async def write_page(connection: Raw, events: Sequence[Event], now: datetime) -> None:
    """Write one page in one transaction, and again without what cannot be stored if the page has such characters."""
    # Listed twice on one page: as last seen.
    by_event = {event.event_id: event for event in events}
    by_market = {market.market_id: market for event in events for market in event.markets}
    event_rows = [event_row(event) for event in by_event.values()]
    market_rows: list[Row] = []
    markets = list(by_market.values())
    for start in range(0, len(markets), CHUNK_ROWS):
        market_rows += [market_row(market) for market in markets[start : start + CHUNK_ROWS]]
        await asyncio.sleep(0)
    try:
        await _write(connection, event_rows, market_rows, now)
    except (asyncpg.DataError, UnicodeEncodeError):
        await _write(connection, storable(event_rows), storable(market_rows), now)


async def _write(connection: Raw, event_rows: Sequence[Row], market_rows: Sequence[Row], now: datetime) -> None:
    async with connection.transaction():
        await connection.execute(f"{NO_WAIT_FOR_DISK}; {LOOK_UP_BY_KEY}")
        await connection.execute("SELECT pg_advisory_xact_lock($1)", CATALOGUE_LOCK)
        await _copy(connection, "incoming_events", EVENT_COLUMNS, event_rows)
        await _copy(connection, "incoming_markets", MARKET_COLUMNS, market_rows)
        for statement in (UPDATE_EVENTS, INSERT_EVENTS, UPDATE_MARKETS, INSERT_MARKETS):
            await connection.execute(statement, now)


async def _copy(connection: Raw, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
    for start in range(0, len(rows), CHUNK_ROWS):
        await connection.copy_records_to_table(table, records=rows[start : start + CHUNK_ROWS], columns=columns)
