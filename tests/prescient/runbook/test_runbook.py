"""The runbook from top to bottom with its own values: against one process with all services, and against five."""

from __future__ import annotations

import asyncio
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from prescient.adapters.postgres.server.embedded import EmbeddedPostgres
from prescient.service_table import SERVICE_NAMES
from prescient.wiring import connection
from tests.conftest import REPOSITORY
from tests.prescient.runbook.test_table import rows
from tests.running import Installation

pytestmark = pytest.mark.slow

EIGHT_TABLES = {
    "portfolios",
    "portfolio_positions",
    "trades",
    "trading_signals",
    "portfolio_history",
    "events",
    "markets",
    "market_snapshots",
}
# What must read the same after kill -9 of everything.
NUMBERS = (
    "GET 8003 /portfolios/list",
    "GET 8003 /paper-trading/portfolio?portfolio_id=1",
    "GET 8003 /paper-trading/portfolio?portfolio_id=2",
    "GET 8003 /paper-trading/trades-history?limit=500",
    "GET 8004 /trading/cycles",
    "GET 8004 /trading/performance-summary",
)


def one_process(home: Path) -> Iterator[Installation]:
    """`prescient up`: everything as a new user gets it."""
    installation = Installation(home)
    try:
        installation.start("up")
        installation.wait_ready()
        yield installation
    finally:
        installation.stop()


def start_five(installation: Installation) -> None:
    installation.start("practice")
    installation.wait_for("GET 8010 /practice/time")
    for service in SERVICE_NAMES:
        installation.start("serve", service)
    installation.wait_ready()


def five_processes(home: Path) -> Iterator[Installation]:
    """The five services as five programs on a PostgreSQL that somebody else runs."""
    installation = Installation(home)
    server = EmbeddedPostgres(home, installation.settings.embedded_postgres_port)
    info = server.start()
    installation.extra = {
        "POSTGRES_HOST": info.host,
        "POSTGRES_PORT": str(info.port),
        "POSTGRES_DB": info.database,
        "POSTGRES_USER": info.user,
        "POSTGRES_PASSWORD": info.password,
    }
    try:
        start_five(installation)
        created = {"name": "Default Portfolio", "initial_balance": 10000}
        assert installation.call("POST 8003 /portfolios/create", created)[0] < 300
        yield installation
    finally:
        for process in reversed(installation.processes):
            process.terminate()
        for process in installation.processes:
            process.wait(timeout=20)
        server.stop()


@pytest.fixture(scope="module", params=[one_process, five_processes], ids=["one process", "five processes"])
def system(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    yield from request.param(tmp_path_factory.mktemp("home of the runbook"))


def query(installation: Installation, sql: str) -> list[asyncpg.Record]:
    """Run a query on the installation's database as its own user."""

    async def fetch() -> list[asyncpg.Record]:
        extra = installation.extra
        dsn = (
            f"postgresql://{extra['POSTGRES_USER']}:{extra['POSTGRES_PASSWORD']}@{extra['POSTGRES_HOST']}"
            f":{extra['POSTGRES_PORT']}/{extra['POSTGRES_DB']}"
            if extra
            else connection(installation.settings).dsn()
        )
        database = await asyncpg.connect(dsn)
        try:
            return list(await database.fetch(sql))
        finally:
            await database.close()

    return asyncio.run(fetch())


def values_at(answer: Any, path: str) -> list[Any]:
    """Read a path such as ``positions[].entry_price`` or ``steps[0].name``; [] stands for every item."""
    found = [answer]
    for part in re.findall(r"[^.\[\]]+|\[\d*\]", path):
        if part == "[]":
            found = [item for value in found for item in value]
        elif part.startswith("["):
            found = [value[int(part[1:-1])] for value in found]
        else:
            found = [value[part] for value in found]
    return found


def check_row(installation: Installation, row: dict[str, Any]) -> None:
    if "sql" in row:
        assert query(installation, row["sql"]) is not None
        return
    status, answer = installation.call(row["call"], row.get("body"))
    assert status in (row.get("status", 200), 201), answer
    for path in row.get("has", ()):
        assert values_at(answer, path), f"{path} is missing or empty in {answer}"
    for path, wanted in row.get("is", {}).items():
        assert values_at(answer, path) == [wanted], f"{path} is not {wanted}"


def test_the_runbook_top_to_bottom(system: Installation) -> None:
    """Every call and query of the table, in the runbook's order, then what it promises at the end."""
    failures = []
    for row in rows():
        if "call" in row or "sql" in row:
            try:
                check_row(system, row)
            except (AssertionError, KeyError, IndexError, TypeError, asyncpg.PostgresError) as error:
                failures.append(f"{row['says'][:90]}: {type(error).__name__}: {str(error)[:600]}")
    assert not failures, "\n".join(failures)
    trades = query(system, "SELECT portfolio_id, count(*) AS n FROM trades GROUP BY 1 ORDER BY 1")
    counts = {row["portfolio_id"]: row["n"] for row in trades}
    assert counts[1] >= 10
    assert counts[2] >= 1


def test_the_eight_tables_are_there(system: Installation) -> None:
    found = query(system, "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
    assert {row["table_name"] for row in found} >= EIGHT_TABLES


def test_a_trade_leaves_its_marks_everywhere(system: Installation) -> None:
    trade = query(system, "SELECT * FROM trades WHERE portfolio_id = 1 ORDER BY timestamp LIMIT 1")[0]
    assert trade["amount"] <= 100
    position = query(
        system, f"SELECT * FROM portfolio_positions WHERE portfolio_id = 1 AND token_id = '{trade['token_id']}'"
    )
    assert len(position) == 1
    signal = query(system, f"SELECT * FROM trading_signals WHERE signal_id = '{trade['signal_id']}'")[0]
    assert signal["executed"]
    spent = query(system, "SELECT sum(amount + fee) AS spent FROM trades WHERE portfolio_id = 1")[0]["spent"]
    balance = query(system, "SELECT current_balance FROM portfolios WHERE portfolio_id = 1")[0]["current_balance"]
    assert balance == 10_000 - spent


def test_every_number_is_explained(system: Installation) -> None:
    """Each screened market of the first cycle has an answer to "why did it (not) trade?"."""
    cycles = system.call("GET 8004 /trading/cycles")[1]["cycles"]
    first = cycles[-1]["cycle_id"]
    answer = system.call(f"GET 8004 /trading/explain?cycle_id={first}&portfolio_id=1")[1]
    assert answer["decisions"]
    for decision in answer["decisions"]:
        assert decision["text"]
        assert decision["code"]


def test_env_example_has_the_keys_of_the_runbook(system: Installation) -> None:
    text = (REPOSITORY / ".env.example").read_text(encoding="utf-8")
    keys = ("POSTGRES_HOST", "POSTGRES_PORT", "POSTGRES_DB", "POSTGRES_USER", "POSTGRES_PASSWORD")
    for key in keys:
        assert re.search(rf"^# ?{key}=", text, re.M), f"{key} is there, commented out"
    assert re.search(r"^PRICE_UPDATE_INTERVAL=300", text, re.M)
    assert re.search(r"^PYTHON_LOG_LEVEL=INFO", text, re.M)


def test_create_portfolio_from_python(system: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in system.environment.items():
        if name.startswith(("PRESCIENT_", "POSTGRES_")):
            monkeypatch.setenv(name, value)
    from prescient import create_portfolio

    portfolio_id = create_portfolio(
        {
            "name": "From Python",
            "description": "Primary trading portfolio",
            "strategy_type": "momentum",
            "initial_balance": 10000.00,
            "current_balance": 10000.00,
            "strategy_config": {"min_confidence": 0.75, "market_types": ["politics", "crypto"]},
        }
    )
    assert system.call(f"GET 8003 /portfolios/{portfolio_id}")[1]["name"] == "From Python"


def test_the_price_updater_says_that_it_started(system: Installation) -> None:
    assert "Price updater started with 300s interval" in system.logs() + "".join(
        file.read_text(errors="replace") for file in [*system.home.glob("logs/*"), *system.home.glob("test-*.log")]
    )


def test_kill_everything_and_every_number_reads_the_same(system: Installation) -> None:
    before = {call: system.call(call) for call in NUMBERS}
    if system.extra:
        # The database belongs to somebody else here: the five services and the exchange are what dies.
        for process in system.processes:
            process.kill()
            process.wait(timeout=10)
        system.processes.clear()
        start_five(system)
    else:
        system.kill_everything()
        system.start("up")
        system.wait_ready()
    after = {call: system.call(call) for call in NUMBERS}
    assert after == before


def test_table_is_well_formed() -> None:
    tomllib.loads((Path(__file__).parent / "table.toml").read_text(encoding="utf-8"))
