"""Worlds do not mix: a database belongs to the source that opened it first, and every other one is turned away."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from practice_exchange.app.checkpoint import CheckpointRefused
from practice_exchange.app.recorded import CatalogueUnreadable
from practice_exchange.app.server import PracticeServer
from practice_exchange.world.world import World
from prescient import wiring
from prescient.adapters.postgres.migrate import migrate
from prescient.adapters.postgres.source import OtherSource, claim_source, recorded_source
from prescient.domain.portfolio import NewPortfolio
from prescient.settings import Settings
from prescient.supervisor.backup import BackupOfOtherSource, back_up, restore
from tests.postgres_fixture import PostgresServer
from tests.prescient.contract.store_examples import NOW, USD
from tests.running import free_shift


def external(dsn: str, home: Path, **values: object) -> Settings:
    """Settings as of somebody who has a PostgreSQL server of their own."""
    folders = urlsplit(dsn)
    given = {
        "PRESCIENT_HOME": home,
        "POSTGRES_HOST": folders.hostname,
        "POSTGRES_PORT": folders.port,
        "POSTGRES_USER": folders.username,
        "POSTGRES_DB": folders.path[1:],
    }
    return Settings(_env_file=None, **given | values)  # type: ignore[arg-type]  # aliases


async def test_the_first_source_stays_and_another_is_refused_with_the_cure(empty_dsn: str, tmp_path: Path) -> None:
    practice = external(empty_dsn, tmp_path)
    assert await wiring.recorded_source(practice) is None
    for _ in range(2):
        store = await wiring.open_store(practice, source=wiring.source_info(practice).name)
        await store.create_portfolio(NewPortfolio(f"Mine {_}", "majority", 10 * USD), NOW)
        await store.close()
    assert await wiring.recorded_source(practice) == "practice-7"
    for other in (
        external(empty_dsn, tmp_path, PRESCIENT_VENUE="polymarket"),
        external(empty_dsn, tmp_path, PRESCIENT_SEED=8),
    ):
        name = wiring.source_info(other).name
        with pytest.raises(OtherSource, match=rf"practice-7.*{name}.*another POSTGRES_DB"):
            await wiring.open_store(other, source=name)
    store = await wiring.open_store(external(empty_dsn, tmp_path, PRESCIENT_SEED=8), source=None)
    assert len(await store.portfolios()) == 2
    await store.close()


async def test_many_that_open_a_new_database_at_once_agree_on_one(empty_dsn: str) -> None:
    await migrate(empty_dsn)
    names = [f"practice-{number % 2}" for number in range(8)]
    outcomes = await asyncio.gather(*(claim_source(empty_dsn, name) for name in names), return_exceptions=True)
    held = await recorded_source(empty_dsn)
    assert [isinstance(outcome, OtherSource) for outcome in outcomes] == [name != held for name in names]


async def test_a_database_that_is_not_there_has_no_source(postgres_server: PostgresServer) -> None:
    assert await recorded_source(postgres_server.dsn("no_such_database")) is None


async def test_the_exchange_says_which_world_it_plays_whatever_the_settings_say(empty_dsn: str, tmp_path: Path) -> None:
    shift = free_shift()
    settings = external(empty_dsn, tmp_path, PRESCIENT_PORT_SHIFT=shift)
    for seed, refused in ((11, False), (12, True)):
        server = PracticeServer(World(seed, start=NOW), port=settings.practice_port)
        await server.start()
        try:
            if refused:
                with pytest.raises(OtherSource, match=r"practice-11.*practice-12"):
                    async with wiring.open_context(settings):
                        pass
            else:
                async with wiring.open_context(settings) as context:
                    assert context.source == "practice-11"
        finally:
            await server.stop()


@pytest.fixture
def two_sources(postgres_server: PostgresServer, empty_dsn: str, tmp_path: Path) -> Iterator[tuple[Settings, Settings]]:
    """A database of the practice exchange with a portfolio, and an empty one of Polymarket, on one server."""
    other = postgres_server.empty_database()
    administrator = {"POSTGRES_USER": "postgres", "PRESCIENT_PORT_SHIFT": free_shift()}
    practice = external(empty_dsn, tmp_path, **administrator)
    polymarket = external(postgres_server.dsn(other), tmp_path, PRESCIENT_VENUE="polymarket", **administrator)
    asyncio.run(_filled(practice))
    yield practice, polymarket
    kept = postgres_server.run("postgres", f"SELECT datname FROM pg_database WHERE datname LIKE '{other}%'")
    for name in kept.splitlines():
        postgres_server.drop(name)


async def _filled(settings: Settings) -> None:
    store = await wiring.open_store(settings, source=wiring.source_info(settings).name)
    await store.create_portfolio(NewPortfolio("Mine", "majority", 10 * USD), NOW)
    await store.close()


def test_a_backup_of_another_source_is_restored_only_when_told(
    two_sources: tuple[Settings, Settings], tmp_path: Path
) -> None:
    practice, polymarket = two_sources
    file = back_up(practice, tmp_path / "a backup.dump")
    with pytest.raises(BackupOfOtherSource, match=r"practice-7.*polymarket.*--any-source"):
        restore(polymarket, file)
    assert asyncio.run(wiring.recorded_source(polymarket)) is None, "nothing was changed"
    assert restore(polymarket, file, any_source=True).portfolios == 1
    assert asyncio.run(wiring.recorded_source(polymarket)) == "polymarket"
    with pytest.raises(BackupOfOtherSource, match=r"polymarket.*practice-7"):
        restore(practice, back_up(polymarket, tmp_path / "another.dump"))
    assert restore(practice, file).portfolios == 1


def test_a_child_that_meets_another_source_is_not_started_again() -> None:
    assert OtherSource.permanent
    assert CatalogueUnreadable.permanent and CheckpointRefused.permanent


def test_the_command_line_says_it_in_one_line(empty_dsn: str, tmp_path: Path) -> None:
    asyncio.run(migrate(empty_dsn))
    asyncio.run(claim_source(empty_dsn, "practice-7"))
    settings = external(empty_dsn, tmp_path)
    environment = {
        "PRESCIENT_HOME": str(tmp_path),
        "PRESCIENT_VENUE": "polymarket",
        "PRESCIENT_PORT_SHIFT": str(free_shift()),
        "POSTGRES_HOST": settings.postgres_host,
        "POSTGRES_PORT": str(settings.postgres_port),
        "POSTGRES_USER": settings.postgres_user,
        "POSTGRES_DB": settings.postgres_db,
    }
    done = subprocess.run(
        [sys.executable, "-m", "prescient", "serve", "paper-trading"],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 4
    assert "holds what was traded on practice-7" in done.stderr and "Traceback" not in done.stderr
