"""Price history by the venue's observed rules: grid, minimum fidelity, cap, the point of now, closed markets."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest

from polymarket_kit.values import MICRO
from practice_exchange.app.exchange import PracticeExchange
from practice_exchange.world.state import MarketState
from practice_exchange.world.world import World

from .conftest import START, Ask, asking

NOW_S = int(START.timestamp())


@pytest.fixture(scope="module")
def old(still: PracticeExchange) -> MarketState:
    """A market that has been listed for more than two days."""
    markets = still.world.register.markets.values()
    return next(
        m for m in markets if m.trading and m.maker and START.timestamp() * 1000 - m.listed_ms > 10 * 86_400_000
    )


def points(ask: Ask, token: str, query: str) -> list[dict[str, float]]:
    status, answer = ask("/clob/prices-history", f"market={token}&{query}")
    assert status == 200, answer
    assert list(answer) == ["history"]
    history: list[dict[str, float]] = answer["history"]
    return history


@pytest.mark.fidelity(
    "A price history ends with a point of now",
    area="Market data",
    evidence="field report",
    source="observed in 2026-10",
)
def test_a_day_by_the_hour_ends_now(ask: Ask, old: MarketState) -> None:
    history = points(ask, old.token_ids[0], "interval=1d&fidelity=60")
    assert 24 <= len(history) <= 26
    assert history[-1]["t"] == NOW_S
    assert all(point["t"] % 3600 == 0 for point in history[:-1])
    assert history[0]["t"] >= NOW_S - 86_400
    assert history[-1]["p"] == pytest.approx(old.book.midpoint_micro / MICRO)
    assert len({point["p"] for point in history}) > 5, "prices have moved before the world began"


def test_the_second_outcome_sees_the_complement(ask: Ask, old: MarketState) -> None:
    first, second = (points(ask, token, "interval=1d&fidelity=60") for token in old.token_ids)
    assert [point["t"] for point in first] == [point["t"] for point in second]
    assert all(a["p"] + b["p"] == pytest.approx(1) for a, b in zip(first, second, strict=True))


def test_bounds_in_seconds(ask: Ask, old: MarketState) -> None:
    history = points(ask, old.token_ids[0], f"startTs={NOW_S - 7200}&endTs={NOW_S - 3600}&fidelity=10")
    assert history[0]["t"] >= NOW_S - 7200 and history[-1]["t"] <= NOW_S - 3600
    assert len(history) == 7
    assert points(ask, old.token_ids[0], f"startTs={NOW_S + 60}") == []


@pytest.mark.fidelity(
    "A price history has about 4,300 points at most",
    area="Market data",
    evidence="field report",
    source="observed in 2026-10",
)
def test_the_series_is_capped(ask: Ask, old: MarketState) -> None:
    history = points(ask, old.token_ids[0], "interval=max&fidelity=1")
    assert 4_300 <= len(history) <= 4_301
    assert history[-1]["t"] == NOW_S


@pytest.mark.fidelity(
    "Long intervals have a least fidelity; `endTs` alone and milliseconds are refused",
    area="Market data",
    evidence="field report",
    source="observed in 2026-10",
)
@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("interval=1m&fidelity=9", "invalid filters: minimum 'fidelity' for '1m' range is 10"),
        ("interval=1w&fidelity=4", "invalid filters: minimum 'fidelity' for '1w' range is 5"),
        ("interval=2y", "invalid filters: 'interval' is not supported"),
        (f"endTs={NOW_S}", "invalid filters: 'startTs' or 'interval' is required"),
        ("", "invalid filters: 'startTs' or 'interval' is required"),
        (f"startTs={NOW_S * 1000}", "invalid filters: 'startTs' and 'endTs' interval is too long"),
        ("startTs=nan", "invalid filters: 'startTs' must be a time in seconds"),
        ("interval=1d&fidelity=0", "invalid filters: 'fidelity' must be a number of minutes"),
        ("interval=1d&fidelity=x", "invalid filters: 'fidelity' must be a number of minutes"),
    ],
)
def test_refusals(ask: Ask, old: MarketState, query: str, message: str) -> None:
    assert ask("/clob/prices-history", f"market={old.token_ids[0]}&{query}") == (400, {"error": message})


def test_the_allowed_minimum_is_allowed(ask: Ask, old: MarketState) -> None:
    assert points(ask, old.token_ids[0], "interval=1m&fidelity=10")
    assert points(ask, old.token_ids[0], "interval=1w&fidelity=5")
    assert points(ask, old.token_ids[0], "interval=1w")


def test_unknown_tokens_have_no_history(ask: Ask) -> None:
    assert points(ask, "123", "interval=max&fidelity=60") == []
    assert ask("/clob/prices-history", "interval=max") == (400, {"error": "invalid filters: 'market' is required"})


def test_closed_markets_are_told_every_twelve_hours_only(ask: Ask, still: PracticeExchange) -> None:
    closed = next(market for market in still.world.register.markets.values() if market.closed)
    token = closed.token_ids[0]
    assert points(ask, token, "interval=max&fidelity=60") == []
    history = points(ask, token, "interval=max&fidelity=720")
    assert history and history[-1]["p"] == closed.payouts_micro[0] / MICRO


def test_history_grows_with_the_world_and_stays_bounded() -> None:
    world = World(9, 12, START)
    busiest = max(
        world.register.markets.values(), key=lambda m: m.daily_volume_micro * m.trading * (m.end_ms > 2e12 or 1)
    )
    before = len(busiest.history_s)
    for minute in range(1, 181):
        world.step(START + timedelta(minutes=minute))
    assert len(busiest.history_s) > before + 30
    assert all(later - earlier >= 60 for earlier, later in pairwise(busiest.history_s))
    history = points(asking(PracticeExchange(world)), busiest.token_ids[0], "interval=1h&fidelity=1")
    assert len(history) >= 60
    assert len(busiest.history_s) <= 2_400
