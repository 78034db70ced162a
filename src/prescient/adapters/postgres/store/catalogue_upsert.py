"""One page of the catalogue into PostgreSQL: COPY into a table of this session, then write what is new or changed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from typing import TypeVar

import asyncpg

from prescient.adapters.postgres.connection import Raw
from prescient.adapters.postgres.store.catalogue_rows import (
    ARRAYS,
    EVENT_COLUMNS,
    MARKET_COLUMNS,
    Row,
    event_row,
    market_row,
    storable,
)
from prescient.domain.market import Event, Market

# Rows made and sent in one go: a few milliseconds of the event loop.
CHUNK_ROWS = 250


def stage(name: str, table: str, columns: Sequence[str]) -> str:
    """Make a table for incoming rows: of this session alone, without a log, and empty again after each transaction."""
    taken = ", ".join(f"{column}::text AS {column}" if column in ARRAYS else column for column in columns)
    return (
        f"CREATE TEMPORARY TABLE IF NOT EXISTS {name} ON COMMIT DELETE ROWS "  # noqa: S608 # our own names
        f"AS SELECT {taken} FROM {table} WITH NO DATA"
    )


def incoming(columns: Sequence[str]) -> list[str]:
    """The columns of incoming rows (``new``), as the catalogue's tables have them."""
    return [f"new.{column}::{ARRAYS[column]}" if column in ARRAYS else f"new.{column}" for column in columns]


def _update(table: str, columns: Sequence[str]) -> str:
    key, *rest = columns
    values = incoming(rest)
    changes = ", ".join(f"{name} = {value}" for name, value in zip(rest, values, strict=True))
    before, after = ", ".join(f"kept.{name}" for name in rest), ", ".join(values)
    return (
        f"UPDATE {table} AS kept SET {changes}, updated_at = $1 FROM incoming_{table} AS new "  # noqa: S608 # our own names
        f"WHERE kept.{key} = new.{key} AND ({before}) IS DISTINCT FROM ({after})"
    )


def _insert(table: str, columns: Sequence[str]) -> str:
    key, names = columns[0], ", ".join(columns)
    return (
        f"INSERT INTO {table} ({names}, updated_at) SELECT {', '.join(incoming(columns))}, $1 FROM incoming_{table} AS new "  # noqa: S608 # our own names
        f"WHERE NOT EXISTS (SELECT FROM {table} AS kept WHERE kept.{key} = new.{key})"
    )


STAGES = (stage("incoming_events", "events", EVENT_COLUMNS), stage("incoming_markets", "markets", MARKET_COLUMNS))
# One statement, one way to the server and back: no row is in more than one of its parts.
WRITE = (
    f"WITH changed_events AS ({_update('events', EVENT_COLUMNS)}), new_events AS ({_insert('events', EVENT_COLUMNS)}), "
    f"changed_markets AS ({_update('markets', MARKET_COLUMNS)}) {_insert('markets', MARKET_COLUMNS)}"
)
# Two collections side by side would change the same rows in different orders, and insert the same new ones.
CATALOGUE_LOCK = 0x7072_6573_6361_7461
# What the venue lists can be asked for again, so nobody waits for the disk here; money never does this.
# A page is small beside the table: each of its rows is looked up by its key, where the planner, who knows nothing of
# a table just filled, would read the whole table for every page.
PREPARE_PAGE = f"""
SET LOCAL synchronous_commit = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off;
SELECT pg_advisory_xact_lock({CATALOGUE_LOCK})
"""

Clean = Callable[[Row], Row]
Item = TypeVar("Item", Event, Market)


async def prepare(connection: Raw) -> None:
    """Make this session's tables for incoming rows."""
    for statement in STAGES:
        await connection.execute(statement)


async def write_page(connection: Raw, events: Sequence[Event], now: datetime) -> None:
    """Write one page in one transaction, and again without what cannot be stored if the page has such characters."""
    # Listed twice on one page: as last seen.
    by_event = {event.event_id: event for event in events}
    by_market = {market.market_id: market for event in events for market in event.markets}
    try:
        await _write(connection, list(by_event.values()), list(by_market.values()), now)
    except (asyncpg.DataError, UnicodeEncodeError):
        await _write(connection, list(by_event.values()), list(by_market.values()), now, storable)


async def _write(
    connection: Raw, events: Sequence[Event], markets: Sequence[Market], now: datetime, clean: Clean | None = None
) -> None:
    async with connection.transaction():
        await connection.execute(PREPARE_PAGE)
        for table, columns, rows in (
            ("incoming_events", EVENT_COLUMNS, _rows(events, event_row, clean)),
            ("incoming_markets", MARKET_COLUMNS, _rows(markets, market_row, clean)),
        ):
            await connection.copy_records_to_table(table, records=rows, columns=columns)
        await connection.execute(WRITE, now)


async def _rows(items: Sequence[Item], row_of: Callable[[Item], Row], clean: Clean | None) -> AsyncIterator[Row]:
    """Make rows as they are sent, giving way to other tasks now and then."""
    for number, item in enumerate(items, start=1):
        yield row_of(item) if clean is None else clean(row_of(item))
        if number % CHUNK_ROWS == 0:
            await asyncio.sleep(0)
