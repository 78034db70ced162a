"""Configuration of the embedded server: its settings, its passwords and the SQL that creates role and database."""

from __future__ import annotations

import json
import re
import secrets
import sys
from dataclasses import dataclass, field
from pathlib import Path

from prescient.adapters.postgres.server.folders import ServerFolders, write_private
from prescient.adapters.postgres.server.types import HomeNotUsable
from prescient.service_table import LOOPBACK

SUPERUSER = "postgres"
APPLICATION_ROLE = "prescient"
DATABASE_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
CREDENTIAL_CHARACTERS = re.compile(r"[A-Za-z0-9_-]{16,200}")


@dataclass(frozen=True, slots=True)
class Credentials:
    superuser_password: str = field(repr=False)
    application_password: str = field(repr=False)


def read_credentials(path: Path) -> Credentials | None:
    """Return the passwords of a home, None if it has none yet. Raises HomeNotUsable when the file is damaged."""
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        credentials = Credentials(stored["superuser_password"], stored["application_password"])
        for password in (credentials.superuser_password, credentials.application_password):
            # They are put into SQL, so nothing but our own alphabet passes.
            if not CREDENTIAL_CHARACTERS.fullmatch(password):
                raise ValueError("unexpected characters")
    except FileNotFoundError:
        return None
    except PermissionError as error:
        raise HomeNotUsable(
            f"{path} belongs to another account. Start Prescient as the account that made this home."
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise HomeNotUsable(
            f"{path} is damaged. Delete it and start again: new passwords are made, and no data is lost."
        ) from error
    return credentials


def make_credentials(path: Path) -> Credentials:
    credentials = Credentials(secrets.token_urlsafe(24), secrets.token_urlsafe(24))
    document = {
        "superuser_password": credentials.superuser_password,
        "application_password": credentials.application_password,
    }
    write_private(path, json.dumps(document, indent=2) + "\n")
    return credentials


def server_settings(folders: ServerFolders, port: int) -> str:
    """Return postgresql.conf, whole. It is written anew at each start; ALTER SYSTEM still overrides it."""
    settings: dict[str, str | int] = _connection_checks()
    settings |= {
        "cluster_name": "prescient",
        # Who may connect: loopback and our own socket folder.
        "listen_addresses": LOOPBACK,
        "port": port,
        # A list of folders: the double quotes keep a comma or a space in the path from dividing it.
        "unix_socket_directories": f'"{folders.socket_folder}"' if folders.socket_folder else "",
        "unix_socket_permissions": "0700",
        "max_connections": 60,
        "password_encryption": "scram-sha-256",
        # Nothing that was committed may be lost.
        "fsync": "on",
        "full_page_writes": "on",
        "synchronous_commit": "on",
        "data_sync_retry": "off",
        # Backups are pg_dump's, so the log carries what crash recovery needs and no more.
        "wal_level": "minimal",
        "max_wal_senders": 0,
        "max_replication_slots": 0,
        "max_wal_size": "512MB",
        "min_wal_size": "64MB",
        "wal_buffers": "4MB",
        # It shares somebody's machine: little memory, few processes.
        "shared_buffers": "32MB",
        "huge_pages": "off",
        "work_mem": "8MB",
        "maintenance_work_mem": "64MB",
        "effective_cache_size": "512MB",
        "random_page_cost": "1.1",
        "io_method": "sync",
        "jit": "off",
        "max_worker_processes": 4,
        "max_parallel_workers": 2,
        "max_parallel_workers_per_gather": 1,
        "max_parallel_maintenance_workers": 1,
        "max_logical_replication_workers": 0,
        "max_locks_per_transaction": 128,
        "autovacuum": "on",
        "autovacuum_max_workers": 2,
        "autovacuum_worker_slots": 2,
        # Clients that died or froze must not hold locks.
        "idle_in_transaction_session_timeout": "10s",
        "log_lock_waits": "on",
        # The log is standard error, which the supervisor hands over as an open file and rotates.
        "logging_collector": "off",
        "log_destination": "stderr",
        "log_checkpoints": "off",
        "log_autovacuum_min_duration": "-1",
        "log_line_prefix": "%m [%p] %q%u@%d ",
        "log_timezone": "UTC",
        "timezone": "UTC",
        "datestyle": "iso, ymd",
        "lc_messages": "C",
    }
    lines = [f"{name} = {_quoted(str(value))}" for name, value in settings.items()]
    head = "# Written by Prescient at each start: changes here are lost, those of ALTER SYSTEM are kept."
    return "\n".join([head, *lines, ""])


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def _connection_checks() -> dict[str, str | int]:
    """How soon a vanished client is noticed; each system knows only some of these and refuses the others."""
    if sys.platform == "win32":
        return {"tcp_keepalives_idle": 10, "tcp_keepalives_interval": 5}
    checks: dict[str, str | int] = {
        "tcp_keepalives_idle": 10,
        "tcp_keepalives_interval": 5,
        "tcp_keepalives_count": 3,
        "client_connection_check_interval": "2s",
    }
    if sys.platform == "linux":
        checks["tcp_user_timeout"] = "15s"
    return checks


def check_database_name(name: str) -> None:
    """Raises ValueError for a name that would need quoting in SQL or does not fit."""
    if not DATABASE_NAME.fullmatch(name):
        raise ValueError(
            "a database name starts with a lower-case letter and goes on with at most 62 lower-case letters, digits or "
            "underscores"
        )


def provision_sql(database: str, credentials: Credentials) -> str:
    """Return the psql script that makes the application role (no superuser) and a database it owns; safe to repeat."""
    check_database_name(database)
    # Name and password were both held against an alphabet that needs no quoting.
    return f"""
SET log_min_error_statement = panic;  -- a failing statement must not put the password into the log
SELECT 'CREATE ROLE {APPLICATION_ROLE}'
 WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{APPLICATION_ROLE}') \\gexec
ALTER ROLE {APPLICATION_ROLE} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS
      PASSWORD '{credentials.application_password}';
SELECT 'CREATE DATABASE {database} OWNER {APPLICATION_ROLE}'
 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = '{database}') \\gexec
"""  # noqa: S608
