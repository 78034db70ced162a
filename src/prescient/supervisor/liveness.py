"""Notices a process that runs but answers nobody, as one that a signal has stopped; beside the supervisor's loop."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Protocol

# A machine that slept must not be taken for a process that hung: so many questions in a row went unanswered.
QUESTIONS_MIN = 3
INTERVAL_MAX_S = 5.0


class Responsiveness:
    """How long a process has not answered; one that has not answered yet is still starting."""

    def __init__(self, limit_s: float) -> None:
        self.limit_s = limit_s
        self._answered = False
        self._since_s: float | None = None
        self._questions = 0

    @property
    def question_timeout_s(self) -> float:
        """So long a process may be busy with one thing, and still answers in time to be let live."""
        return self.limit_s / QUESTIONS_MIN

    def begin_anew(self) -> None:
        """The process was started again."""
        self._answered, self._since_s, self._questions = False, None, 0

    def record(self, *, answered: bool, asked_s: float) -> None:
        """Record one question, asked at that time of the monotonic clock."""
        if answered:
            self._answered, self._since_s, self._questions = True, None, 0
        elif self._answered:
            self._since_s = asked_s if self._since_s is None else self._since_s
            self._questions += 1

    def is_lost(self, now_s: float) -> bool:
        return self._since_s is not None and self._questions >= QUESTIONS_MIN and now_s - self._since_s >= self.limit_s


class Asked(Protocol):
    """A process that can be asked whether it lives; asking blocks."""

    responsiveness: Responsiveness

    def ask(self) -> None: ...


def watch(processes: Sequence[Asked]) -> None:
    """Ask all of these again and again, each in a thread of its own that ends with ours."""
    for process in processes:
        threading.Thread(target=_watch, args=(process,), name="liveness", daemon=True).start()


def _watch(process: Asked) -> None:
    while True:
        process.ask()
        time.sleep(min(process.responsiveness.question_timeout_s / 2, INTERVAL_MAX_S))
