"""Timestamps as the venue writes them; inside, every time is an integer of milliseconds since 1970."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

SECOND_MS = 1_000
MINUTE_MS = 60_000
HOUR_MS = 3_600_000
DAY_MS = 86_400_000


def to_ms(moment: datetime) -> int:
    """Return milliseconds since 1970. Raises ValueError for a naive datetime."""
    if moment.tzinfo is None:
        raise ValueError("the moment needs a time zone; write it with a Z or an offset")
    return round(moment.timestamp() * 1000)


def to_datetime(moment_ms: int) -> datetime:
    return datetime.fromtimestamp(moment_ms // 1000, UTC).replace(microsecond=moment_ms % 1000 * 1000)


def parse_moment_ms(text: str) -> int:
    """Read RFC 3339, the venue's ``2026-07-24 00:00:16+00`` or a plain date (midnight UTC). Raises ValueError."""
    cleaned = text.strip().replace(" ", "T", 1) if ":" in text else text.strip()
    if cleaned.endswith(("+00", "-00")):
        cleaned += ":00"
    moment = datetime.fromisoformat(cleaned)
    return to_ms(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


@lru_cache(maxsize=65_536)
def _seconds_text(moment_s: int) -> str:
    return datetime.fromtimestamp(moment_s, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def rfc3339(moment_ms: int) -> str:
    """``2026-05-17T06:03:56.461Z``; whole seconds carry no fraction, as on the venue."""
    seconds, fraction_ms = divmod(moment_ms, 1000)
    if fraction_ms == 0:
        return _seconds_text(seconds) + "Z"
    return f"{_seconds_text(seconds)}.{fraction_ms:03d}".rstrip("0") + "Z"


def spaced(moment_ms: int) -> str:
    """``2026-07-24 00:00:16+00``, the form of ``closedTime`` and ``gameStartTime``."""
    return _seconds_text(moment_ms // 1000).replace("T", " ") + "+00"


def day_text(moment_ms: int) -> str:
    return _seconds_text(moment_ms // 1000)[:10]


def day_label(moment_ms: int) -> str:
    """``May 17``, as titles write a day."""
    moment = to_datetime(moment_ms)
    return f"{moment.strftime('%B')} {moment.day}"
