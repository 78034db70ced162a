"""The root of every error that carries a message for people, and the one for a value outside its bounds.

Each product adds its own errors below ``PrescientError``. Foreseen answers are values, not exceptions.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What a command or process ends with, stable for scripts (docs/cli.md)."""

    OK = 0
    FAILURE = 1
    USAGE = 2
    NOT_RUNNING = 3
    REFUSED = 4
    NOT_FOUND = 5
    # To a supervisor: another start would end the same way (sysexits.h: EX_CONFIG).
    PERMANENT = 78


class PrescientError(Exception):
    """The root. ``code`` is stable for programs; the message is for people and carries the cure."""

    code = "error"
    # What a command that meets it ends with.
    exit_code: ExitCode = ExitCode.FAILURE
    # The next start of the process would meet it again: only a person can help.
    permanent = False


class InvalidRequest(PrescientError):
    """A value is outside its bounds (HTTP 422). ``field`` names it; the value itself is never echoed."""

    code = "invalid_request"
    exit_code = ExitCode.USAGE
    permanent = True

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
