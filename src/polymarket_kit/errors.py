"""The root of every error that carries a message for people, and the one for a value outside its bounds.

Each product adds its own errors below ``PrescientError``. Foreseen answers are values, not exceptions.
"""

from __future__ import annotations


class PrescientError(Exception):
    """The root. ``code`` is stable for programs; the message is for people and carries the cure."""

    code = "error"


class InvalidRequest(PrescientError):
    """A value is outside its bounds (HTTP 422). ``field`` names it; the value itself is never echoed."""

    code = "invalid_request"

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
