"""The checks of `prescient doctor`, each a finding: ok, warn or fail, with its cure."""

from __future__ import annotations

import asyncio
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from polymarket_kit.errors import PrescientError
from polymarket_kit.values import format_usd
from prescient import wiring
from prescient.cli.services import Services
from prescient.settings import Settings
from prescient.supervisor.backup import balance_off_micro
from prescient.supervisor.disk import free_bytes
from prescient.supervisor.home import Home, RunState
from prescient.tcp_ports import answers, holder_of, is_free

OK, WARN, FAIL = "ok", "warn", "fail"
DISK_FAIL_BYTES = 200_000_000
DISK_WARN_BYTES = 2_000_000_000
SKEW_WARN_S = 2.0
SKEW_FAIL_S = 30.0
REACH_TIMEOUT_S = 5.0
START = "Start the system: prescient up (or make run)."


@dataclass(frozen=True, slots=True)
class Finding:
    check: str
    level: str
    text: str
    cure: str = ""


def check_up(settings: Settings) -> list[Finding]:
    """Run every check; one that raises is itself a finding."""
    home = Home(settings.home)
    state = home.running() if settings.home.exists() else None
    checks: list[Callable[[], Iterator[Finding]]] = [
        lambda: _home(settings),
        lambda: _disk(settings),
        lambda: _supervisor(home, state),
        lambda: _ports(settings, running=state is not None),
        lambda: _database(settings),
        lambda: _venue(settings),
        lambda: _updater(settings),
    ]
    findings: list[Finding] = []
    for check in checks:
        try:
            findings += check()
        except (PrescientError, OSError) as error:
            findings.append(Finding("this check", FAIL, str(error)))
    return findings


def _home(settings: Settings) -> Iterator[Finding]:
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=settings.home):
            pass
    except OSError as error:
        cure = "Give this account the folder, or set PRESCIENT_HOME to one of its own."
        yield Finding("home", FAIL, f"{settings.home} cannot be written: {error.strerror}", cure)
        return
    yield Finding("home", OK, str(settings.home))


def _disk(settings: Settings) -> Iterator[Finding]:
    free = min(free_bytes(folder) for folder in wiring.data_folders(settings))
    level = FAIL if free < DISK_FAIL_BYTES else WARN if free < DISK_WARN_BYTES else OK
    cure = "" if level == OK else "Make room: a full disk stops the database."
    yield Finding("disk space", level, f"{free / 1e9:.1f} GB free", cure)


def _supervisor(home: Home, state: RunState | None) -> Iterator[Finding]:
    if state is None:
        yield Finding("supervisor", WARN, "not running", START)
        return
    yield Finding("supervisor", OK, f"process {state.supervisor.pid}, {state.phase} since {state.started_at}")
    for name, child in state.children.items():
        if child.state == "given up":
            yield Finding(name, FAIL, "ended again and again; given up", f"See {home.logs}/{name}_stderr.log.")
        elif child.restarts:
            yield Finding(name, WARN, f"was started again {child.restarts} times", f"See {home.logs}.")


def _ports(settings: Settings, *, running: bool) -> Iterator[Finding]:
    for name, port in settings.service_ports.items():
        if answers(port, "/health"):
            yield Finding(f"{name} service", OK, f"answers on port {port}")
        elif is_free(port):
            yield Finding(f"{name} service", FAIL if running else OK, f"port {port} is free", START if running else "")
        else:
            cure = "Stop that program, or set PRESCIENT_PORT_SHIFT."
            yield Finding(f"{name} service", FAIL, f"port {port} is taken by {holder_of(port)}", cure)


def _database(settings: Settings) -> Iterator[Finding]:
    try:
        version, known = asyncio.run(wiring.schema_versions(settings))
    except PrescientError as error:
        stopped = error.code == "database_not_running"
        cure = START if stopped else "Check POSTGRES_HOST, POSTGRES_PORT, POSTGRES_USER and POSTGRES_PASSWORD."
        yield Finding("database", WARN if stopped else FAIL, str(error), cure)
        return
    yield Finding("database", OK, f"{wiring.database_name(settings)} answers")
    if version == known:
        yield Finding("schema", OK, f"version {version}")
        yield asyncio.run(_books(settings))
    else:
        cure = "The next start brings it up to date; if it is newer, update the program."
        yield Finding("schema", WARN, f"version {version or 'none'}, this program knows {known}", cure)


async def _books(settings: Settings) -> Finding:
    """Compare each balance with the sum of its ledger."""
    store = await wiring.open_store(settings, source=None)
    try:
        portfolios = await store.portfolios()
        wrong = {}
        for portfolio in portfolios:
            off_micro = await balance_off_micro(store, portfolio)
            if off_micro:
                # A trade may have been booked between the two reads: only a difference that persists counts.
                off_micro = await balance_off_micro(store, await store.portfolio(portfolio.portfolio_id))
            if off_micro:
                wrong[portfolio.portfolio_id] = off_micro
    finally:
        await store.close()
    if not wrong:
        return Finding("books", OK, f"every balance agrees with its ledger ({len(portfolios)})")
    told = ", ".join(f"portfolio {number} by {format_usd(off)}" for number, off in wrong.items())
    cure = "Trade no more on them (prescient portfolio pause ID), and bring back a backup: prescient restore FILE."
    return Finding("books", FAIL, f"current_balance differs from the ledger: {told}", cure)


def _venue(settings: Settings) -> Iterator[Finding]:
    practice_port = wiring.source_info(settings).practice_port
    if practice_port is not None:
        there = answers(practice_port, "/practice/time")
        text = f"practice exchange on port {practice_port} " + ("answers" if there else "does not answer")
        yield Finding("venue", OK if there else WARN, text, "" if there else START)
        return
    address = f"{wiring.gamma_url(settings)}/events?limit=1"
    request = urllib.request.Request(address, headers={"User-Agent": "prescient"})  # noqa: S310 (our own setting)
    try:
        with urllib.request.urlopen(request, timeout=REACH_TIMEOUT_S) as answer:  # noqa: S310
            date = answer.headers.get("Date")
    except (OSError, ValueError) as error:
        cure = "Check the network. Offline, the practice exchange works: make run"
        yield Finding("venue", FAIL, f"{wiring.gamma_url(settings)}: {getattr(error, 'reason', error)}", cure)
        return
    yield Finding("venue", OK, f"{wiring.gamma_url(settings)} answers")
    if date:
        yield _skew(parsedate_to_datetime(date), datetime.now(UTC))


def _skew(theirs: datetime, ours: datetime) -> Finding:
    """Compare with the venue's own clock; its header has whole seconds."""
    skew_s = abs((ours - theirs).total_seconds())
    level = FAIL if skew_s > SKEW_FAIL_S else WARN if skew_s > SKEW_WARN_S else OK
    cure = "" if level == OK else "Set this machine's clock by the network (NTP)."
    return Finding("clock", level, f"{skew_s:.0f} s away from the venue's", cure)


def _updater(settings: Settings) -> Iterator[Finding]:
    services = Services(settings.service_ports)
    started_s = time.monotonic()
    try:
        answer = services.get("paper-trading", "/paper-trading/status", timeout_s=REACH_TIMEOUT_S)
    except PrescientError as error:
        yield Finding("price updater", WARN, "cannot be asked", str(error))
        return
    if answer["price_updater_running"]:
        text = f"runs every {answer['price_update_interval']} s (asked in {time.monotonic() - started_s:.2f} s)"
        yield Finding("price updater", OK, text)
    else:
        yield Finding("price updater", FAIL, "has no fresh heartbeat", "Restart: prescient down, then prescient up.")
