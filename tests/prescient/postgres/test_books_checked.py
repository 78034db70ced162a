"""`prescient doctor` holds every balance against its ledger, and says which portfolio is off and by how much."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from prescient import wiring
from prescient.cli.checkup import Finding, check_up
from prescient.domain.portfolio import NewPortfolio
from prescient.settings import Settings
from tests.postgres_fixture import PostgresServer
from tests.prescient.contract.store_examples import NOW, USD
from tests.prescient.postgres.test_source import external
from tests.running import free_shift


@pytest.fixture
def settings(postgres_dsn: str, tmp_path: Path) -> Settings:
    return external(postgres_dsn, tmp_path, PRESCIENT_PORT_SHIFT=free_shift())


async def two_portfolios(settings: Settings) -> None:
    store = await wiring.open_store(settings, source=wiring.source_info(settings).name)
    for name in ("First", "Second"):
        await store.create_portfolio(NewPortfolio(name, "majority", 10 * USD), NOW)
    await store.close()


def books(settings: Settings) -> Finding:
    return next(finding for finding in check_up(settings) if finding.check == "books")


def test_a_balance_that_differs_from_its_ledger_is_named(
    settings: Settings, postgres_server: PostgresServer, shared_database: str
) -> None:
    asyncio.run(two_portfolios(settings))
    assert (books(settings).level, books(settings).text) == ("ok", "every balance agrees with its ledger (2)")
    # As no program of ours could: past every trigger, by the server's own superuser.
    corrupt = "UPDATE portfolios SET current_balance = current_balance + 1.5 WHERE portfolio_id = 2"
    postgres_server.run(shared_database, f"SET session_replication_role = replica; {corrupt}")
    found = books(settings)
    assert found.level == "fail" and found.cure
    assert found.text == "current_balance differs from the ledger: portfolio 2 by $1.50"
