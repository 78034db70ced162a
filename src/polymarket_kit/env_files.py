"""Which `.env` files count for a process: one rule for both products, before any settings are read.

Standard library only, but for the platform's folder of user data.
"""

from __future__ import annotations

import codecs
import json
import os
from collections.abc import Iterable
from pathlib import Path

import platformdirs

from polymarket_kit.errors import ExitCode, PrescientError

VARIABLE = "PRESCIENT_ENV_FILE"
RECORD_FILE = "last_run.json"
# Of the current folder; the later one wins where both name a key.
NAMES = (os.path.join("backend", ".env"), ".env")
# With or without the mark that Windows editors put in front.
ENCODING = "utf-8-sig"


class EnvFileWrong(PrescientError):
    """A settings file cannot be read. The message names it and the cure, and nothing of its content."""

    code = "env_file_wrong"
    exit_code = ExitCode.USAGE
    permanent = True


def default_home() -> Path:
    """The platform's folder for user data."""
    return Path(platformdirs.user_data_dir("prescient", appauthor=False))


def env_files() -> tuple[Path, ...]:
    """Return the files that count, the strongest last: PRESCIENT_ENV_FILE, else the current folder's, else the home's.

    The home's are those that `prescient up` read at its last start, as far as they are still there. Raises EnvFileWrong
    for a named file that is missing, and for one that cannot be read as text.
    """
    named = os.environ.get(VARIABLE, "")
    files = _named(named) if named else (_present(Path.cwd() / name for name in NAMES) or _recorded())
    for file in files:
        check_text(file)
    return files


def as_variable(files: tuple[Path, ...]) -> str:
    """Return what PRESCIENT_ENV_FILE must be for another process to read exactly these files, or none."""
    return os.pathsep.join(str(file) for file in files) or os.devnull


def check_text(file: Path) -> None:
    """Raises EnvFileWrong for a file that is unreadable, or not UTF-8."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise EnvFileWrong(f"{file} cannot be read: {error.strerror}.") from None
    cure = "Save it as UTF-8 (Notepad: Save as, Encoding: UTF-8)."
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in content:
        raise EnvFileWrong(f"{file} is UTF-16, as PowerShell's `>` writes it. {cure}")
    try:
        content.decode(ENCODING)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise EnvFileWrong(f"{file} is not UTF-8 (line {line}); it may be Windows' cp1252 (ANSI). {cure}") from None


def _named(named: str) -> tuple[Path, ...]:
    """Several are separated as in PATH; the system's null device means none."""
    if named == os.devnull:
        return ()
    parts = [named] if Path(named).exists() else [part for part in named.split(os.pathsep) if part]
    files = tuple(Path(part).expanduser().absolute() for part in parts)
    for file in files:
        if not file.is_file():
            raise EnvFileWrong(f"{VARIABLE} names {file}, which is not a file.")
    return files


def _recorded() -> tuple[Path, ...]:
    home = Path(os.environ.get("PRESCIENT_HOME") or default_home()).expanduser()
    try:
        stored = json.loads((home / RECORD_FILE).read_text(encoding="utf-8"))
        return _present(Path(str(name)) for name in stored.get("env_files", ()))
    except (OSError, ValueError, AttributeError, TypeError):
        # No start yet, or a record that a full disk cut off: then the environment alone counts.
        return ()


def _present(files: Iterable[Path]) -> tuple[Path, ...]:
    return tuple(file for file in files if file.is_file())
