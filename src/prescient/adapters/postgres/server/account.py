"""The account the embedded server runs under: PostgreSQL refuses root, so root uses a service account."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from prescient.adapters.postgres.server.types import NoServiceAccount

SERVICE_ACCOUNTS = ("prescient", "postgres", "nobody")


@dataclass(frozen=True, slots=True)
class Account:
    """The account that PostgreSQL's processes run under when we are root."""

    name: str
    uid: int
    gid: int


def is_root() -> bool:
    return sys.platform != "win32" and os.geteuid() == 0


def can_enter(folder: Path, account: Account) -> bool:
    """Ask the operating system, as that account: mode bits alone do not show access lists."""
    command = [shutil.which("test") or "/usr/bin/test", "-x", str(folder)]
    try:
        answer = subprocess.run(
            command, cwd="/", user=account.uid, group=account.gid, extra_groups=[], timeout=10, check=False
        )
    except PermissionError as error:
        raise NoServiceAccount(f"this root may not change accounts: {error.strerror}") from error
    return answer.returncode == 0


def choose_account(data: Path) -> Account:
    owner = owner_of(data)
    if owner is not None:
        return owner
    for name in SERVICE_ACCOUNTS:
        account = _account_named(name) or (_create_account(name) if name == SERVICE_ACCOUNTS[0] else None)
        if account is not None and account.uid != 0:
            return account
    raise NoServiceAccount("useradd made none, and there is none named " + ", ".join(SERVICE_ACCOUNTS))


def _create_account(name: str) -> Account | None:
    useradd = shutil.which("useradd", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")
    if useradd is None:
        return None
    command = [
        useradd,
        "--system",
        "--no-create-home",
        "--home-dir",
        "/nonexistent",
        "--shell",
        "/usr/sbin/nologin",
        name,
    ]
    # Two first starts at once: the second finds the account database locked, then the account made.
    for _ in range(10):
        subprocess.run(command, capture_output=True, timeout=20, check=False)
        account = _account_named(name)
        if account is not None:
            return account
        time.sleep(0.2)
    return None


def _account_named(name: str) -> Account | None:
    if sys.platform == "win32":
        return None
    import pwd

    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return Account(name, entry.pw_uid, entry.pw_gid)


def owner_of(data: Path) -> Account | None:
    """Return the account that owns existing data: PostgreSQL refuses to run as any other."""
    if sys.platform == "win32" or not data.exists() or data.stat().st_uid == 0:
        return None
    found = data.stat()
    return Account(account_name(found.st_uid), found.st_uid, found.st_gid)


def account_name(uid: int) -> str:
    if sys.platform == "win32":
        return str(uid)
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
