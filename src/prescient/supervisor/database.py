"""Keeps the embedded database running for the supervisor: started first, restarted when it ends, stopped last."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
import time
from typing import Any, Protocol

import psutil

from polymarket_kit.errors import PrescientError
from prescient.supervisor.disk import full_disks
from prescient.supervisor.home import ProcessMark
from prescient.supervisor.liveness import Responsiveness
from prescient.supervisor.restarts import Restarts
from prescient.tcp_ports import database_answers

CHECK_INTERVAL_S = 1.0
INTERRUPT_AFTER_S = 2.0
UNRESPONSIVE_S = 30.0
RECOVERING_CODE = "database_start_timed_out"


class Server(Protocol):
    """The embedded server as wiring hands it over; every method blocks."""

    def start(self) -> Any: ...
    def stop(self) -> None: ...
    def status(self) -> Any:
        """An object with ``state`` (stopped, starting, running), ``process_id``, ``port`` and ``data_folder``."""
        ...

    def rotate_log(self) -> bool: ...


class DatabaseProcess:
    """Runs the blocking calls in a thread, so that the supervisor handles signals and starts other processes meanwhile."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._restarts = Restarts()
        self._thread: threading.Thread | None = None
        self._error = ""
        self._recovering = False
        self._start_again_at_s: float | None = None
        self._next_check_s = 0.0
        self.ready = False
        self.responsiveness = Responsiveness(UNRESPONSIVE_S)
        self.mark: ProcessMark | None = None
        self.given_up = ""

    def start(self) -> None:
        """Begin to start it; ``check`` sets ``ready`` once it is."""
        self.ready = False
        self.responsiveness.begin_anew()
        self._error = ""
        self._start_again_at_s = None
        self._thread = threading.Thread(target=self._start, name="database", daemon=True)
        self._thread.start()

    def check(self) -> str:
        """Check its state and restart it when it died. Returns a line to print, mostly empty."""
        now_s = time.monotonic()
        if self.given_up or (self._thread is not None and self._thread.is_alive()):
            return ""
        if self._start_again_at_s is not None:
            if now_s >= self._start_again_at_s:
                self.start()
            return ""
        if self._error:
            return self._died(self._error, now_s)
        if self._thread is not None:
            self._thread = None
            self.ready = True
            process_id = self.process_id()
            self.mark = ProcessMark.of(process_id) if process_id is not None else None
            self._next_check_s = now_s + CHECK_INTERVAL_S
        if now_s < self._next_check_s:
            return ""
        self._next_check_s = now_s + CHECK_INTERVAL_S
        if self._server.status().state == "stopped":
            return self._died("it ended by itself", now_s)
        if self.responsiveness.is_lost(now_s):
            return self._died(self._end_unresponsive(), now_s)
        return ""

    def ask(self) -> None:
        """Ask whether it lives; PostgreSQL answers even when it takes no more connections."""
        port, asked_s = self._server.status().port if self.ready else None, time.monotonic()
        if port is not None:
            lives = database_answers(port, self.responsiveness.question_timeout_s)
            if self.ready:
                self.responsiveness.record(answered=lives, asked_s=asked_s)

    def _end_unresponsive(self) -> str:
        """Kill the main process; the next start ends what is left of the others, and recovers."""
        process = self.mark.process() if self.mark is not None else None
        if process is not None:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        return f"it had not answered for {self.responsiveness.limit_s:g} s and was killed"

    def state(self) -> str:
        """Return its state in words for people."""
        return "given up" if self.given_up else "running" if self.ready else "starting"

    @property
    def restarts(self) -> int:
        return self._restarts.count

    def process_id(self) -> int | None:
        found: int | None = self._server.status().process_id
        return found

    def rotate_log(self) -> None:
        # No room for a copy: the log stays as it is until there is.
        with contextlib.suppress(OSError):
            self._server.rotate_log()

    def stop(self) -> str:
        """Stop it cleanly, also in the middle of its start. Returns a line to print when that failed."""
        if self._thread is not None and self._thread.is_alive():
            self._interrupt_start(self._thread)
        try:
            self._server.stop()
        except (PrescientError, OSError) as error:
            return str(error)
        return ""

    def _start(self) -> None:
        try:
            self._server.start()
        except PrescientError as error:
            self._error = str(error)
            self._recovering = error.code == RECOVERING_CODE
        except OSError as error:
            self._error = f"{error.strerror}: {error.filename}"
        except Exception as error:
            # A thread's end must never be silent: the supervisor would wait for a database that nobody starts.
            self._error = f"{type(error).__name__}: {error}"
            raise

    def _died(self, why: str, now_s: float) -> str:
        was_ready, self.ready, self._error, self.mark = self.ready, False, "", None
        if self._recovering:
            # It was left running to finish; starting it again means waiting further.
            self._recovering = False
            self._start_again_at_s = now_s
            return why
        full = full_disks([self._server.status().data_folder])
        delay_s = self._restarts.delay_after_death(now_s, disk_full=bool(full))
        if delay_s is None or not (was_ready or self._restarts.count > 1):
            # What fails at the very first start (a taken port, a folder not ours) fails again until a person has acted.
            self.given_up = f"The database does not run: {why}"
            return self.given_up
        self._start_again_at_s = now_s + delay_s
        return "\n".join([f"The database stopped ({why}); starting it again in {delay_s:g} s.", *full])

    def _interrupt_start(self, thread: threading.Thread) -> None:
        thread.join(INTERRUPT_AFTER_S)
        if not thread.is_alive():
            return
        # Still recovering: the main process is asked to end, which ends the waiting, too.
        process_id = self.process_id()
        if process_id is not None:
            with contextlib.suppress(psutil.NoSuchProcess):
                # PostgreSQL takes the interrupt signal as "fast shutdown": clients are cut off instead of waited for.
                psutil.Process(process_id).send_signal(signal.SIGTERM if sys.platform == "win32" else signal.SIGINT)
        thread.join(INTERRUPT_AFTER_S)
