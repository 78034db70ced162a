"""When a portfolio trades by itself: nothing, an interval such as ``every 60m``, or the five fields of cron, in UTC."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from polymarket_kit.errors import InvalidRequest

UNITS_S = {"m": 60, "h": 3_600, "d": 86_400}
INTERVAL_MIN_S = 60
INTERVAL_MAX_S = 7 * 86_400
TEXT_LENGTH_MAX = 100
INTERVAL = re.compile(r"every\s+(\d{1,5})\s*(m|h|d)", re.ASCII | re.IGNORECASE)
# Numbers, ranges, steps, and names of months and days. Dialects beyond that (random minutes, seconds) are refused.
NUMBERS = r"[0-9*,/-]+"
MONTHS = r"(?:[0-9*,/-]|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)+"
DAYS = r"(?:[0-9*,/-]|sun|mon|tue|wed|thu|fri|sat)+"
CRON = re.compile(rf"{NUMBERS} {NUMBERS} {NUMBERS} {MONTHS} {DAYS}", re.ASCII | re.IGNORECASE)
CURE = "must be empty, 'every <number>m|h|d' (1m to 7d) or five cron fields in UTC, such as '0 9 * * 1-5'"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Schedule:
    """A schedule that was read. Either ``interval_s`` or ``cron`` is set, or neither: only on demand."""

    text: str = ""
    interval_s: int = 0
    cron: str = ""

    @property
    def on_demand(self) -> bool:
        return not self.interval_s and not self.cron


def parse_schedule(text: str) -> Schedule:
    """Read a schedule. Whether a cron expression names a time that exists is for the edge to check, which has a library.

    Raises InvalidRequest for the field ``schedule``.
    """
    plain = " ".join(text.split())
    if not plain:
        return Schedule()
    if len(plain) > TEXT_LENGTH_MAX:
        raise InvalidRequest("schedule", CURE)
    interval = INTERVAL.fullmatch(plain)
    if interval is not None:
        seconds = int(interval[1]) * UNITS_S[interval[2].lower()]
        if not INTERVAL_MIN_S <= seconds <= INTERVAL_MAX_S:
            raise InvalidRequest("schedule", CURE)
        return Schedule(plain.lower(), interval_s=seconds)
    if CRON.fullmatch(plain):
        return Schedule(plain, cron=plain)
    raise InvalidRequest("schedule", CURE)


def latest_interval_slot(interval_s: int, now: datetime) -> datetime:
    """Return the last slot not after now. Slots are counted from 1970, so that a restart does not move them."""
    assert interval_s > 0 and now.tzinfo is not None
    elapsed_s = int((now - EPOCH).total_seconds())
    return EPOCH + timedelta(seconds=elapsed_s - elapsed_s % interval_s)
