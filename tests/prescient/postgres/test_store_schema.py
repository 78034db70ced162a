"""The schema: made once however many start, never left half, refused when newer, and as the runbook's SQL expects it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from prescient.adapters.postgres.migrate import HEAD, MIGRATIONS, REVISIONS, SchemaTooNew, migrate, schema_version
from prescient.adapters.postgres.store.store import open_store
from prescient.domain.errors import StoreUnavailable
from prescient.domain.portfolio import NewPortfolio
from tests.postgres_fixture import PostgresServer, free_port
from tests.prescient.contract.store_examples import NOW, USD, YES, bought, fill, funded, signal

RUNBOOK_TABLES = {
    "portfolios",
    "portfolio_positions",
    "trades",
    "trading_signals",
    "portfolio_history",
    "events",
    "markets",
    "market_snapshots",
}
RUNBOOK_QUERIES = (
    """
SELECT portfolio_id, name, current_balance, total_profit_loss, status
FROM portfolios;
""",
    """
SELECT portfolio_id, market_question, action, amount, entry_price, status
FROM trades
ORDER BY timestamp DESC
LIMIT 10;
""",
    """
SELECT snapshot_date, balance, total_invested, total_profit_loss, total_value
FROM portfolio_history
WHERE portfolio_id = 1
ORDER BY snapshot_date DESC;
""",
)


@asynccontextmanager
async def connected(dsn: str) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(dsn)
    try:
        yield connection
    finally:
        await connection.close()


async def test_an_empty_database_is_brought_to_the_head_and_then_left_alone(empty_dsn: str) -> None:
    assert await schema_version(empty_dsn) is None
    assert await migrate(empty_dsn)
    assert await schema_version(empty_dsn) == HEAD
    assert not await migrate(empty_dsn)
    store = await open_store(empty_dsn)
    await funded(store)
    await store.close()


async def test_several_programs_starting_at_once_make_it_once(empty_dsn: str) -> None:
    made = await asyncio.gather(*(migrate(empty_dsn) for _ in range(4)))
    assert sorted(made) == [False, False, False, True]
    assert await schema_version(empty_dsn) == HEAD


@pytest.mark.parametrize("delay_s", [0.0, 0.05, 0.1])
def test_a_kill_in_the_middle_leaves_nothing_half(empty_dsn: str, delay_s: float) -> None:
    code = (
        "import asyncio, sys; from prescient.adapters.postgres import migrate as m; import alembic.command; "
        "print('go', flush=True); asyncio.run(m.migrate(sys.argv[1]))"
    )
    process = subprocess.Popen([sys.executable, "-c", code, empty_dsn], stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline() == b"go\n"
    time.sleep(delay_s)
    process.kill()
    process.wait()
    process.stdout.close()
    version = asyncio.run(schema_version(empty_dsn))
    assert version in (None, HEAD)
    assert asyncio.run(migrate(empty_dsn)) is (version is None)
    assert asyncio.run(schema_version(empty_dsn)) == HEAD


async def test_a_schema_from_a_newer_release_is_refused_with_the_cure(empty_dsn: str) -> None:
    await migrate(empty_dsn)
    async with connected(empty_dsn) as connection:
        await connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(SchemaTooNew, match=r"9999.*Update the program"):
        await migrate(empty_dsn)


async def test_no_server_is_said_clearly(postgres_server: PostgresServer) -> None:
    nowhere = f"postgresql://prescient@127.0.0.1:{free_port()}/prescient_os"
    for call in (migrate(nowhere), open_store(nowhere)):
        with pytest.raises(StoreUnavailable, match="Error connecting to database"):
            await call
    missing = postgres_server.dsn("no_such_database")
    with pytest.raises(StoreUnavailable, match="no_such_database"):
        await open_store(missing)


def test_the_known_revisions_are_those_of_the_migrations() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    scripts = list(ScriptDirectory.from_config(config).walk_revisions())
    assert tuple(script.revision for script in reversed(scripts)) == REVISIONS


async def test_psql_lists_the_runbooks_tables_and_no_partitions_among_them(
    postgres_server: PostgresServer, postgres_dsn: str, shared_database: str
) -> None:
    store = await open_store(postgres_dsn)
    await store.prune(NOW, 14, 3)
    await store.close()
    listed = {line.split("|")[1] for line in postgres_server.run(shared_database, r"\dt").splitlines()}
    assert listed >= RUNBOOK_TABLES
    assert not any(name.startswith(("decisions_", "market_snapshots_")) for name in listed)


async def test_the_runbooks_queries_run_as_they_stand_and_read_in_dollars(
    postgres_server: PostgresServer, postgres_dsn: str, shared_database: str
) -> None:
    store = await open_store(postgres_dsn)
    made = await store.create_portfolio(NewPortfolio("Default Portfolio", "momentum", 10_000 * USD), NOW)
    await bought(store, signal(1, made.portfolio_id), fill(560_000, 100 * USD, 12_345))
    await store.snapshot(made.portfolio_id, "cycle-1", NOW)
    await store.close()
    portfolios, trades, history = (postgres_server.run(shared_database, query) for query in RUNBOOK_QUERIES)
    assert portfolios == "1|Default Portfolio|9943.987655|0.000000|active"
    assert trades == "1|Will it happen?|BUY|56.000000|0.560000|filled"
    assert history == "2026-05-17|9943.987655|56.012345|0.000000|10000.000000"
    executed = postgres_server.run(shared_database, "SELECT executed, token_id FROM trading_signals")
    assert executed == f"t|{YES}"


async def test_the_owner_is_no_superuser(postgres_dsn: str) -> None:
    async with connected(postgres_dsn) as connection:
        assert await connection.fetchval("SELECT NOT rolsuper FROM pg_roles WHERE rolname = current_user")
