"""How the supervisor's child processes start: watch the parent's pipe, import, wait for go, then run."""

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

    def watch(self) -> None:
        """Watch the pipe from now on; when it ends, this process is asked to stop, and killed if it does not."""
        threading.Thread(target=self._watch, name="parent-pipe", daemon=True).start()

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
        # In the main thread, as if the signal came from outside; on Windows only the interrupt is caught.
        if sys.platform == "win32":
            signal.raise_signal(signal.SIGINT)
        else:
            os.kill(os.getpid(), signal.SIGTERM)


def watch_parent() -> ParentPipe | None:
    """Watch the parent's pipe if a supervisor started this process."""
    if os.environ.pop(SUPERVISED_VARIABLE, "") != "1":
        return None
    pipe = ParentPipe()
    pipe.watch()
    return pipe


def main(role: str) -> int:
    """Run the services or the worker under a supervisor (or alone, if started by hand); return the exit code."""
    pipe = watch_parent()
    # While the database is still starting, everything heavy is loaded already.
    from prescient.service_table import SERVICE_NAMES
    from prescient.settings import read_settings
    from prescient.supervisor import processes

    settings = read_settings()
    processes.load(role)
    if pipe is not None:
        pipe.wait_for_go()
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
