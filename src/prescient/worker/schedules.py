"""The part of schedules that needs a cron library, shared by the API and the worker."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from polymarket_kit.errors import InvalidRequest
from prescient.administration.schedule import CURE, Schedule, latest_interval_slot, parse_schedule

# 29 February occurs within eight years even at the turn of a century; what never occurs is refused.
CRON_YEARS_MAX = 9
PROBE = datetime(2024, 1, 1, tzinfo=UTC)


def check_schedule(text: str) -> str:
    """Return the schedule in its plain spelling. Raises InvalidRequest, also for a cron time that never comes."""
    schedule = parse_schedule(text)
    if schedule.cron:
        _previous(schedule.cron, PROBE)
    return schedule.text


def latest_slot(schedule: Schedule, now: datetime) -> datetime | None:
    """Return the last time at or before now at which this schedule asks for a cycle; None when it never does."""
    if schedule.on_demand:
        return None
    if schedule.interval_s:
        return latest_interval_slot(schedule.interval_s, now)
    return _previous(schedule.cron, now)


def _previous(cron: str, now: datetime) -> datetime:
    # Imported here: most installations have no cron schedule, and the library loads others.
    from croniter import CroniterError, croniter

    try:
        # One microsecond later, because the library's "previous" leaves out the very moment it starts from.
        times = croniter(cron, now + timedelta(microseconds=1), max_years_between_matches=CRON_YEARS_MAX)
        previous: datetime = times.get_prev(datetime)
    except (CroniterError, ValueError, KeyError) as error:
        raise InvalidRequest("schedule", CURE) from error
    return previous
