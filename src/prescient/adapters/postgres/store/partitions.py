"""The days of ``decisions`` and ``market_snapshots``: one partition per UTC day, in a schema of their own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from prescient.adapters.postgres.connection import Raw

DAYS_AHEAD = 2
# Rows sent in one go: a few milliseconds of the event loop.
CHUNK_ROWS = 2000
PARTITIONED = ("decisions", "market_snapshots")
# Whoever makes or drops a partition holds this, so that two processes at midnight do not both make the same day.
PARTITION_LOCK = 0x7072_6573_6469_6179


async def ensure_days(connection: Raw, table: str, days: Sequence[date]) -> None:
    """Make the partitions of these days where they are missing; part of the caller's transaction."""
    names = [_name(table, day) for day in days]
    missing = await _missing(connection, names)
    if not missing:
        return
    await connection.execute("SELECT pg_advisory_xact_lock($1)", PARTITION_LOCK)
    missing = await _missing(connection, names)
    for day in days:
        if _name(table, day) in missing:
            await connection.execute(_create(table, day))


async def append_rows(
    connection: Raw, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]], day: date
) -> None:
    """COPY rows of one day into a partitioned table; part of the caller's transaction.

    They may be asked for again or are missed by nobody's money, so nobody waits for the disk.
    """
    await connection.execute("SET LOCAL synchronous_commit = off")
    await ensure_days(connection, table, [day])
    for start in range(0, len(rows), CHUNK_ROWS):
        await connection.copy_records_to_table(table, records=rows[start : start + CHUNK_ROWS], columns=columns)


async def drop_before(connection: Raw, table: str, first_kept: date) -> None:
    """Drop the partitions of a table's days before this one."""
    await connection.execute("SELECT pg_advisory_xact_lock($1)", PARTITION_LOCK)
    found = await connection.fetch(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'partitions' AND tablename LIKE $1", f"{table}\\_%"
    )
    for row in found:
        day = _day_of(table, row["tablename"])
        if day is not None and day < first_kept:
            await connection.execute(f'DROP TABLE partitions."{_name(table, day)}"')


def days_ahead(now: datetime) -> list[date]:
    """Return the clock's day in UTC and those after it for which room is made ahead."""
    today = now.astimezone(UTC).date()
    return [today + timedelta(days=ahead) for ahead in range(DAYS_AHEAD + 1)]


async def _missing(connection: Raw, names: Sequence[str]) -> set[str]:
    # Asks the catalogue's table: ``to_regclass`` would answer from what this session remembers from before its lock.
    statement = """
        SELECT relname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
         WHERE nspname = 'partitions' AND relname = ANY($1::text[])
    """
    return set(names) - {row["relname"] for row in await connection.fetch(statement, names)}


def _name(table: str, day: date) -> str:
    assert table in PARTITIONED
    return f"{table}_{day:%Y%m%d}"


def _day_of(table: str, name: str) -> date | None:
    digits = name.removeprefix(f"{table}_")
    try:
        return datetime.strptime(digits, "%Y%m%d").replace(tzinfo=UTC).date()
    except ValueError:
        return None


def _create(table: str, day: date) -> str:
    # Names of tables cannot be parameters; ours are a word of the list above and eight digits.
    bounds = f"FROM ('{day} 00:00+00') TO ('{day + timedelta(days=1)} 00:00+00')"
    return f"CREATE TABLE partitions.{_name(table, day)} PARTITION OF public.{table} FOR VALUES {bounds}"
