"""Brings a database to the schema this program knows, before anything reads or writes it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg

from polymarket_kit.errors import PrescientError
from prescient.adapters.postgres.connection import Raw, connect, database_errors

if TYPE_CHECKING:
    from sqlalchemy import Connection

# Every step of ``migrations/versions``, oldest first; a test holds the two equal.
REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006", "0007")
HEAD = REVISIONS[-1]
# One lock for all programs that may bring up this database at once.
MIGRATION_LOCK = 0x7072_6573_6369_656E
MIGRATIONS = Path(__file__).parent / "migrations"


class SchemaTooNew(PrescientError):
    """The database was written by a newer release."""

    code = "schema_too_new"
    permanent = True

    def __init__(self, found: str) -> None:
        super().__init__(
            f"The database has schema {found}, and this program knows schemas up to {HEAD}. "
            "Update the program, or restore the backup made before the newer one ran."
        )


async def schema_version(dsn: str) -> str | None:
    """Return the revision a database is at, None for an empty one. Raises StoreUnavailable."""
    with database_errors():
        connection = await connect(dsn, "prescient migrate")
        try:
            return await _version(connection)
        finally:
            await connection.close()


async def migrate(dsn: str) -> bool:
    """Bring a database to HEAD in one transaction; returns whether there was anything to do.

    Several programs may do this at once: one works, the others wait. A kill in the middle leaves the schema as it
    was. Raises SchemaTooNew, StoreUnavailable.
    """
    found = await schema_version(dsn)
    if found == HEAD:
        return False
    if found is not None and found not in REVISIONS:
        raise SchemaTooNew(found)
    with database_errors():
        return await _upgrade(dsn)


async def _version(connection: Raw) -> str | None:
    try:
        found: str | None = await connection.fetchval("SELECT version_num FROM public.alembic_version")
    except asyncpg.UndefinedTableError:
        return None
    return found


async def _upgrade(dsn: str) -> bool:
    # Imported here: Alembic is needed once in a release, and slow to import.
    from sqlalchemy import exc, text
    from sqlalchemy.ext.asyncio import create_async_engine
    from sqlalchemy.pool import NullPool

    async def creator() -> Raw:
        # The second process waits for the first, however long that takes.
        return await connect(dsn, "prescient migrate", statement_timeout="0", lock_timeout="0")

    engine = create_async_engine("postgresql+asyncpg://", async_creator=creator, poolclass=NullPool)
    try:
        async with engine.begin() as connection:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
            # Read only now, after the wait: a statement sees what was committed before it began.
            exists = await connection.scalar(text("SELECT to_regclass('public.alembic_version')"))
            found = await connection.scalar(text("SELECT version_num FROM public.alembic_version")) if exists else None
            if found == HEAD:
                return False
            if found is not None and found not in REVISIONS:
                raise SchemaTooNew(found)
            await connection.run_sync(_run_alembic)
    except exc.DBAPIError as error:
        # SQLAlchemy wraps the driver's own error twice.
        raise (error.orig and error.orig.__cause__) or error from error
    return True


def _run_alembic(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
