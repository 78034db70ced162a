"""Eight orders at once of two API services and a cycle, each a process of its own: the short form of `make races`."""

from __future__ import annotations

import pytest

from tests.prescient.races.course import raced

pytestmark = pytest.mark.slow

ROUNDS, LOST_MIN, ROUNDS_MAX = 20, 20, 200


def test_who_loses_a_race_for_cash_or_shares_is_refused_and_nothing_breaks(postgres_dsn: str) -> None:
    tally = raced(postgres_dsn, ROUNDS, LOST_MIN, ROUNDS_MAX)
    assert tally.lost_count >= LOST_MIN
    assert tally.at_the_gate["insufficient_cash"] and tally.at_the_gate["insufficient_shares"]
    assert tally.orders == tally.approved + tally.refused >= 8 * tally.rounds
