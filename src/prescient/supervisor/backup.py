"""Backup and restore of one installation's database, with PostgreSQL's own programs."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from polymarket_kit.errors import ExitCode, InvalidRequest, PrescientError
from prescient import wiring
from prescient.domain.errors import InvariantBroken
from prescient.domain.ledger import CASH, RESERVED, USD
from prescient.domain.portfolio import Portfolio
from prescient.ports.store import History
from prescient.settings import Settings
from prescient.supervisor.home import Home
from prescient.tcp_ports import answers

TOOL_TIMEOUT_S = 3_600.0
STEM_LENGTH_MAX = 30
# The tools need these of our environment, and nothing that may hold a secret.
PASSED_ON = ("PATH", "SYSTEMROOT", "TEMP", "TMP", "LD_LIBRARY_PATH")


class Login(Protocol):
    """How to reach a database, as wiring returns it."""

    @property
    def database(self) -> str: ...
    @property
    def user(self) -> str: ...
    def environment(self) -> dict[str, str]: ...


class ServicesRunning(PrescientError):
    """A restore needs a stopped system."""

    code = "services_running"
    exit_code = ExitCode.REFUSED

    def __init__(self) -> None:
        super().__init__("Prescient is running on this home. Stop it first: prescient down")


class BackupOfOtherSource(PrescientError):
    """The backup is of another source of markets than the database it should replace."""

    code = "other_source"
    exit_code = ExitCode.REFUSED

    def __init__(self, backup: Path, held: str, wanted: str) -> None:
        super().__init__(
            f"{backup} is a backup of {held}, and this installation's database is of {wanted}; nothing was changed. "
            "Choose its source with PRESCIENT_VENUE or PRESCIENT_SEED, or take it as it is with --any-source."
        )


class NothingToBackUp(PrescientError):
    """Nothing was ever started on this home."""

    code = "nothing_to_back_up"
    exit_code = ExitCode.NOT_RUNNING

    def __init__(self, home: Path) -> None:
        super().__init__(f"Nothing to back up yet in {home}; start with prescient up (or make run).")


class ToolFailed(PrescientError):
    """One of PostgreSQL's programs ended with an error."""

    code = "database_tool_failed"


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did. ``kept_as`` is the name of the former database, empty if there was none."""

    portfolios: int
    kept_as: str


@contextmanager
def database_for_a_while(settings: Settings) -> Iterator[None]:
    """The database answers inside: an embedded one that nobody runs is started, and stopped again at the end."""
    home = Home(settings.home)
    if not settings.uses_embedded_postgres or home.running() is not None:
        yield
        return
    server = wiring.embedded_server(settings.home, settings.embedded_postgres_port, wiring.database_name(settings))
    server.start()
    try:
        yield
    finally:
        server.stop()


def back_up(settings: Settings, target: Path | None) -> Path:
    """Write a backup and return where; it gets its name only when it is whole and readable.

    Without a target it goes to ``<home>/backups`` under a name made of database and time. An existing file is never
    replaced. Raises NothingToBackUp, InvalidRequest, ToolFailed, and what the database's start raises.
    """
    if settings.uses_embedded_postgres and not (settings.home / "postgres").exists():
        raise NothingToBackUp(settings.home)
    moment = datetime.now(UTC)
    path = target or settings.home / "backups" / f"{wiring.database_name(settings)}-{moment:%Y%m%dT%H%M%SZ}.dump"
    if path.exists():
        raise InvalidRequest("file", f"{path} exists already; name another, or none.")
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}.partial")
    os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        with database_for_a_while(settings):
            folders = wiring.connection(settings)
            _run("pg_dump", ["--format=custom", "--no-owner", "--no-privileges", f"--file={draft}"], folders)
        _contents(draft)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return path


def restore(settings: Settings, backup: Path, *, any_source: bool = False) -> Restored:
    """Restore a backup into a fresh database, check it to the last cent, then swap it in. The former one is kept.

    ``any_source`` takes a backup of another source of markets too; from then on it counts as one of this source.
    Raises InvalidRequest, ServicesRunning, BackupOfOtherSource, ToolFailed, InvariantBroken; on each of these nothing
    has changed.
    """
    if not backup.is_file():
        raise InvalidRequest("file", f"{backup} is not a file.")
    home = Home(settings.home)
    served = any(answers(port, "/health") for port in settings.service_ports.values())
    if served or not home.try_lock():
        raise ServicesRunning
    try:
        _contents(backup)
        with database_for_a_while(settings):
            return _restore_beside(settings, backup, any_source=any_source)
    finally:
        home.unlock()


def _restore_beside(settings: Settings, backup: Path, *, any_source: bool) -> Restored:
    name = wiring.database_name(settings)
    admin = wiring.admin_connection(settings)
    fresh = wiring.connection(settings, f"{name[:STEM_LENGTH_MAX]}_restoring_{secrets.token_hex(4)}")
    _sql(admin, f"CREATE DATABASE {_quoted(fresh.database)} OWNER {_quoted(fresh.user)};")
    try:
        arguments = ["--exit-on-error", "--single-transaction", "--no-owner", "--no-privileges"]
        _run("pg_restore", [*arguments, f"--dbname={fresh.database}", str(backup)], fresh)
        source = asyncio.run(wiring.recorded_source(settings)) or wiring.source_info(settings).name
        held = asyncio.run(wiring.recorded_source(settings, fresh.database))
        if held not in (None, source):
            if not any_source:
                raise BackupOfOtherSource(backup, str(held), source)
            _sql(fresh, "DELETE FROM source;")
        portfolios = asyncio.run(_check_books(settings, fresh.database, source))
        kept_as = f"{name[:STEM_LENGTH_MAX]}_before_{datetime.now(UTC):%Y%m%d%H%M%S}"
        return Restored(portfolios, _swap(admin, name, fresh.database, kept_as))
    except BaseException:
        _sql(admin, f"DROP DATABASE IF EXISTS {_quoted(fresh.database)} WITH (FORCE);")
        raise


async def _check_books(settings: Settings, database: str, source: str) -> int:
    """Open the restored database as the product would, and hold every balance against its ledger."""
    store = await wiring.open_store(settings, database, source=source)
    try:
        portfolios = await store.portfolios()
        for portfolio in portfolios:
            if await balance_off_micro(store, portfolio):
                raise InvariantBroken(
                    f"The backup's balance of portfolio {portfolio.portfolio_id} differs from its ledger; it was not restored."
                )
        return len(portfolios)
    finally:
        await store.close()


async def balance_off_micro(store: History, portfolio: Portfolio) -> int:
    """By how many micro-dollars a portfolio's balance is above what its ledger says; 0 when the books are right."""
    ledger = await store.ledger_balances(portfolio.portfolio_id)
    return portfolio.cash_micro - ledger.get((CASH, USD), 0) - ledger.get((RESERVED, USD), 0)


def _swap(admin: Login, name: str, fresh: str, kept_as: str) -> str:
    """Put the fresh database in the place of the present one, both renamed or neither."""
    found = _sql(admin, f"SELECT 1 FROM pg_database WHERE datname = '{name}';")  # noqa: S608 (a checked name)
    renames = [f"ALTER DATABASE {_quoted(fresh)} RENAME TO {_quoted(name)};"]
    if found.strip():
        renames.insert(0, f"ALTER DATABASE {_quoted(name)} RENAME TO {_quoted(kept_as)};")
    others = f"datname IN ('{name}', '{fresh}') AND pid <> pg_backend_pid()"
    _sql(
        admin,
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others};\n"  # noqa: S608 (checked names)
        f"BEGIN;\n{chr(10).join(renames)}\nCOMMIT;",
    )
    return kept_as if found.strip() else ""


def _contents(backup: Path) -> str:
    """Return the backup's table of contents. Raises InvalidRequest if it is none of ours."""
    try:
        listed = _run("pg_restore", ["--list", str(backup)], None)
    except ToolFailed as error:
        raise InvalidRequest("file", f"{backup} is not a readable backup ({error}).") from error
    if "TABLE DATA public portfolios" not in listed:
        raise InvalidRequest("file", f"{backup} is a backup of something else: it has no portfolios.")
    return listed


def _sql(folders: Login, text: str) -> str:
    return _run("psql", ["-X", "-q", "-A", "-t", "-w", "-v", "ON_ERROR_STOP=1", "-f", "-"], folders, text)


def _run(program: str, arguments: list[str], folders: Login | None, text: str = "") -> str:
    """Run one of PostgreSQL's programs; the password goes by the environment, never by an argument."""
    kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    try:
        done = subprocess.run(
            [str(wiring.client_program(program)), *arguments],
            input=text,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            env=kept | {"LC_ALL": "C"} | (folders.environment() if folders is not None else {}),
            timeout=TOOL_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ToolFailed(f"{program} did not end within {TOOL_TIMEOUT_S:g} s.") from error
    if done.returncode != 0:
        raise ToolFailed(f"{program}: {(done.stderr or done.stdout).strip()[-1_000:]}")
    return done.stdout


def _quoted(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,62}", name):
        raise InvalidRequest("POSTGRES_DB", "must be letters, digits and underscores, at most 63, to be restored into.")
    return f'"{name}"'
