"""How the supervisor's children begin: hold on to the life line, load, wait for go, then do one role's work."""

from __future__ import annotations

import os
import signal
import sys
import threading

from polymarket_kit.errors import ExitCode, PrescientError
from prescient.supervisor.plan import SUPERVISED_VARIABLE

LAST_GRACE_S = 5.0


class ParentPipe:
    """Standard input from the supervisor: its first line says go, its end says that the supervisor is gone."""

    def __init__(self, descriptor: int = 0) -> None:
        self._descriptor = descriptor
        self._go = threading.Event()

    def hold(self) -> None:
        """Watch the line from now on; when it ends, this process ends in order, and by force if it does not heed that."""
        threading.Thread(target=self._watch, name="life-line", daemon=True).start()

    def wait_for_go(self) -> None:
        self._go.wait()

    def _watch(self) -> None:
        while True:
            try:
                received = os.read(self._descriptor, 64)
            except OSError:
                received = b""
            if not received:
                break
            self._go.set()
        force = threading.Timer(LAST_GRACE_S, os._exit, args=(1,))
        force.daemon = True
        force.start()
        # In its own main thread, as if it had been asked from outside; on Windows only the interrupt is caught.
        if sys.platform == "win32":
            signal.raise_signal(signal.SIGINT)
        else:
            os.kill(os.getpid(), signal.SIGTERM)


def watch_parent() -> ParentPipe | None:
    """Take up the life line if a supervisor started this process."""
    if os.environ.pop(SUPERVISED_VARIABLE, "") != "1":
        return None
    line = ParentPipe()
    line.hold()
    return line


def main(role: str) -> int:
    """Do one role's work under a supervisor (or alone, for who runs this module by hand); returns the exit code."""
    line = watch_parent()
    # While the database is still starting, everything heavy is loaded already.
    from prescient.service_table import SERVICE_NAMES
    from prescient.settings import Settings
    from prescient.supervisor import processes

    settings = Settings()
    processes.load(role)
    if line is not None:
        line.wait_for_go()
    try:
        if role == "api":
            return processes.run_services(settings, SERVICE_NAMES, first_portfolio=True)
        return processes.run_worker(settings)
    except PrescientError as error:
        # One line for people, at the very end of the error log, where the supervisor looks for it.
        sys.stderr.write(f"{error}\n")
        return ExitCode.PERMANENT if error.permanent else ExitCode.FAILURE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
