"""Dates of the venue's messages, in every form it is known to write them, as aware UTC times."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

DATE_LENGTH_MAX = 40


def time_from_wire(text: str | None) -> datetime | None:
    """Return an aware UTC time, or None when the date is absent or cannot be read.

    Read are RFC 3339 with any fraction, ``2026-07-24 00:00:16+00``, and a bare date, which means its midnight; what
    names no zone is UTC. A date is never worth losing a market for, so an unreadable one counts as absent.
    """
    return _read(text) if text and len(text) <= DATE_LENGTH_MAX else None


def time_to_wire(time_ms: int) -> str:
    """Return a moment as RFC 3339 in UTC, to the millisecond where it has any."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat().replace("+00:00", "Z")


@lru_cache(maxsize=4_096)
def _read(text: str) -> datetime | None:
    """The markets of an event share their dates, so these are kept."""
    try:
        time = datetime.fromisoformat(text)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
