"""Windows' programs in the place of the check, as the steps start them and look at them."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tools.windows_check.place import REPOSITORY, CheckFolder, Failed

# Every sign that cmd and PostgreSQL may stumble over.
PROJECT_NAME = "Prescient (new) & co"
HOME = r"Z:\opt\work\my home"
STEP_TIMEOUT_S = 120.0
POLL_S = 0.2
# What belongs to Wine itself; anything else that still runs at the end is the product's.
OWN_PROCESSES = frozenset(
    {
        "wineserver",
        "services.exe",
        "winedevice.exe",
        "explorer.exe",
        "plugplay.exe",
        "svchost.exe",
        "rpcss.exe",
        "conhost.exe",
    }
)
ENVIRONMENT = {
    "PATH": "/usr/bin:/bin:/usr/sbin:/sbin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "XDG_RUNTIME_DIR": "/tmp",
    "WINEPREFIX": "/opt/work/prefix",
    "WINEDEBUG": "-all",
    "WINEDLLOVERRIDES": "mscoree=d;mshtml=d",
    "WINEPATH": r"Z:\opt\python\windows",
    "PRESCIENT_HOME": HOME,
    # There is no network: what set-up installs lies in a folder.
    "PIP_NO_INDEX": "1",
    "PIP_FIND_LINKS": r"Z:\opt\work\wheels",
    "UV_OFFLINE": "1",
    "UV_NO_INDEX": "1",
    "UV_FIND_LINKS": r"Z:\opt\work\wheels",
}


class Started:
    """A program that runs while others are tried; what it says goes to a file."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process = process
        self._log = log

    def said(self) -> str:
        return self._log.read_text(encoding="cp1252", errors="replace")

    def wait_for(self, text: str, timeout_s: float) -> None:
        """Wait until it has said something. Raises Failed when it ends before, or does not say it in time."""
        wait_until(lambda: text in self.said() or self._process.poll() is not None, f"{text!r} was not said", timeout_s)
        if text not in self.said():
            raise Failed(f"it ended before it said {text!r}:\n{self.said()}")

    def ended(self, timeout_s: float = 30.0) -> int:
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired as error:
            raise Failed(f"it did not end:\n{self.said()}") from error


class Windows:
    """Wine in the place, with a fresh copy of the project and fresh settings."""

    def __init__(self, place: CheckFolder, version: str) -> None:
        self._root = place.root
        self.work = place.root / "opt" / "work"
        self.project = self.work / PROJECT_NAME
        shutil.rmtree(self.work, ignore_errors=True)
        shutil.copytree(place.wheels(version), self.work / "wheels")
        _copy_project(self.project)

    def start(self, *command: str, answers: str = "", **environment: str) -> Started:
        """Start a program in the project's folder and return at once."""
        log = self.work / f"started-{time.monotonic_ns()}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                self._command(command, environment), stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT
            )
        assert process.stdin is not None
        process.stdin.write(answers.replace("\n", "\r\n").encode())
        process.stdin.close()
        return Started(process, log)

    def run(self, *command: str, **environment: str) -> tuple[int, str]:
        """Run a program to its end; return its exit code and what it said, as a pipe of Windows carries it."""
        done = subprocess.run(
            self._command(command, environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=STEP_TIMEOUT_S,
            check=False,
        )
        return done.returncode, done.stdout.decode("cp1252", errors="replace")

    def prescient(self, *arguments: str, **environment: str) -> str:
        """Run one command of the product and return what it said. Raises Failed when it fails or shows a traceback."""
        code, said = self.run("wine", *self.program(), *arguments, **environment)
        if code != 0 or "Traceback" in said:
            raise Failed(f"prescient {' '.join(arguments)} ended with {code}:\n{said}")
        return said

    def asked(self, *arguments: str) -> Any:
        said = self.prescient(*arguments, "--json")
        try:
            return json.loads(said)
        except ValueError as error:
            raise Failed(f"prescient {' '.join(arguments)} --json said no JSON:\n{said}") from error

    def program(self) -> list[str]:
        return [str(self.project / ".venv" / "Scripts" / "prescient.exe").removeprefix(str(self._root))]

    def left_over(self) -> list[str]:
        """Return the product's processes that still run. This process namespace holds nothing but the check."""
        names = []
        for entry in (self._root / "proc").iterdir():
            words = _read(entry / "cmdline").split("\0") if entry.name.isdigit() else [""]
            name = words[0].replace("\\", "/").rsplit("/", 1)[-1].lower()
            if name.endswith(".exe") and name not in OWN_PROCESSES:
                names.append(f"{name} ({entry.name})")
        return sorted(names)

    def logs(self) -> str:
        """Return the end of each of the product's logs."""
        files = sorted((self.work / "my home" / "logs").glob("*.log"))
        return "\n".join(
            f"--- {file.name}\n{file.read_text(encoding='utf-8', errors='replace')[-1500:]}" for file in files
        )

    def remove(self) -> None:
        """Free the room of this run; wineserver may still write the last of its settings."""
        subprocess.run(self._command(("wineserver", "-k", "-w"), {}), timeout=STEP_TIMEOUT_S, check=False)
        shutil.rmtree(self.work, ignore_errors=True)

    def _command(self, command: tuple[str, ...], extra: dict[str, str]) -> list[str]:
        settings = [f"{name}={value}" for name, value in (ENVIRONMENT | extra).items()]
        folder = str(self.project).removeprefix(str(self._root))
        return ["chroot", str(self._root), "/usr/bin/env", "-i", "-C", folder, *settings, *command]


def wait_until(condition: Callable[[], bool], otherwise: str, timeout_s: float) -> None:
    """Wait for a condition. Raises Failed with the text when it does not hold in time."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise Failed(f"{otherwise} within {timeout_s:g} s")
        time.sleep(POLL_S)


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        # It has ended in this moment.
        return ""


def _copy_project(target: Path) -> None:
    """Copy what is the project's own: what is committed, and what is about to be."""
    command = ["git", "-C", str(REPOSITORY), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, capture_output=True, check=True).stdout.decode().split("\0")
    for name in filter(None, listed):
        source = REPOSITORY / name
        if source.is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target / name)
