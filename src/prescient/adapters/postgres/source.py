"""One database, one source of markets: the first process that opens it records which, and others are refused."""

from __future__ import annotations

import asyncpg

from polymarket_kit.errors import ExitCode, PrescientError
from prescient.adapters.postgres.connection import connect, database_errors

APPLICATION = "prescient source"


class OtherSource(PrescientError):
    """The database holds the portfolios of another source of markets."""

    code = "other_source"
    exit_code = ExitCode.REFUSED
    permanent = True

    def __init__(self, database: str, held: str, wanted: str) -> None:
        super().__init__(
            f"The database {database} holds what was traded on {held}, and this program runs on {wanted}: they must "
            "not mix. Give it a database of its own (another POSTGRES_DB), or choose the source it was made for "
            "(PRESCIENT_VENUE, PRESCIENT_SEED)."
        )
        self.held = held


async def claim_source(dsn: str, source: str) -> None:
    """Record the source of a migrated database that has none yet. Raises OtherSource, StoreUnavailable."""
    with database_errors():
        connection = await connect(dsn, APPLICATION)
        try:
            await connection.execute("INSERT INTO source (name) VALUES ($1) ON CONFLICT DO NOTHING", source)
            held = await connection.fetchval("SELECT name FROM source")
            database = await connection.fetchval("SELECT current_database()")
        finally:
            await connection.close()
    if held != source:
        raise OtherSource(database, held, source)


async def recorded_source(dsn: str) -> str | None:
    """Return the source a database holds; None if it has none yet, or is not there. Raises StoreUnavailable."""
    with database_errors():
        try:
            connection = await connect(dsn, APPLICATION)
        except asyncpg.InvalidCatalogNameError:
            return None
        try:
            held: str | None = await connection.fetchval("SELECT name FROM source")
        except asyncpg.UndefinedTableError:
            return None
        finally:
            await connection.close()
    return held
