"""Schedules: what is understood, what is refused, and which slot is the latest."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as some

from polymarket_kit.errors import InvalidRequest
from prescient.administration.schedule import EPOCH, INTERVAL_MAX_S, latest_interval_slot, parse_schedule
from prescient.api.portfolios import CreateForm
from prescient.worker.schedules import check_schedule, latest_slot

NOON = datetime(2026, 5, 17, 12, 0, tzinfo=UTC)  # a Sunday


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("every 1m", 60), ("every 60m", 3600), ("EVERY  2h", 7200), (" every 7d ", 604_800), ("every 90 m", 5400)],
)
def test_intervals_are_read(text: str, seconds: int) -> None:
    assert parse_schedule(text).interval_s == seconds


@pytest.mark.parametrize("text", ["", "   "])
def test_nothing_means_on_demand(text: str) -> None:
    assert parse_schedule(text).on_demand
    assert latest_slot(parse_schedule(text), NOON) is None


@pytest.mark.parametrize(
    "text",
    [
        "every 0m",
        "every 8d",
        "every 30s",
        "every -5m",
        "every 99999h",
        "hourly",
        "60",
        "* * * *",
        "* * * * * *",
        "@daily",
        "r * * * *",
        "h h * * *",
        "* * * * fri; drop table",
        "x" * 101,
        "every ١m",
    ],
)
def test_what_is_not_understood_names_the_field_and_the_cure(text: str) -> None:
    with pytest.raises(InvalidRequest, match="schedule: must be empty, 'every <number>m") as refused:
        parse_schedule(text)
    assert refused.value.field == "schedule"
    assert text not in str(refused.value)


@pytest.mark.parametrize("text", ["61 * * * *", "0 9 31 2 *", "*/0 * * * *", "0 0 0 1 *", "0 9 * 13 *"])
def test_a_cron_time_that_never_comes_is_refused_at_the_edge(text: str) -> None:
    with pytest.raises(InvalidRequest):
        check_schedule(text)


@pytest.mark.parametrize(
    ("text", "slot"),
    [
        ("every 60m", NOON),
        ("every 7d", datetime(2026, 5, 14, tzinfo=UTC)),
        ("0 12 * * *", NOON),
        ("0 9 * * 1-5", datetime(2026, 5, 15, 9, 0, tzinfo=UTC)),
        ("30 8 1 * *", datetime(2026, 5, 1, 8, 30, tzinfo=UTC)),
        ("0 0 29 2 *", datetime(2024, 2, 29, tzinfo=UTC)),
        ("*/7 * * * MON-FRI", datetime(2026, 5, 15, 23, 56, tzinfo=UTC)),
    ],
)
def test_latest_slot(text: str, slot: datetime) -> None:
    assert latest_slot(parse_schedule(check_schedule(text)), NOON) == slot
    just_before = NOON - timedelta(microseconds=1)
    assert (latest_slot(parse_schedule(text), just_before) == slot) is (slot < NOON)


MOMENTS = some.datetimes(min_value=EPOCH.replace(tzinfo=None), timezones=some.just(UTC)).filter(
    lambda moment: moment.year < 9_000
)


@given(some.integers(60, INTERVAL_MAX_S), MOMENTS)
def test_interval_slots_never_lie_ahead_and_follow_each_other(interval_s: int, now: datetime) -> None:
    slot = latest_interval_slot(interval_s, now)
    assert slot <= now < slot + timedelta(seconds=interval_s)
    assert latest_interval_slot(interval_s, slot) == slot
    assert latest_interval_slot(interval_s, slot + timedelta(seconds=interval_s)) == slot + timedelta(
        seconds=interval_s
    )


def test_a_form_from_python_is_refused_a_schedule_that_never_comes() -> None:
    """The service and Python callers make the core's form in one place, with the check that needs the cron library."""
    form = CreateForm(name="Never", initial_balance=100_000_000, schedule="0 0 31 2 *")
    with pytest.raises(InvalidRequest, match="schedule"):
        form.portfolio_form()
    assert CreateForm(name="Hourly", initial_balance=100_000_000, schedule="EVERY 1h").portfolio_form().schedule
