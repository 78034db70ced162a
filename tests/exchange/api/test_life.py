"""From listing to payout: ended, proposed, disputed, resolved, closed; what resolves how, and that prices know it fairly."""

from __future__ import annotations

import json
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from polymarket_kit.values import MICRO
from practice_exchange.app.exchange import PracticeExchange
from practice_exchange.world.latent_probability import advance_belief, draw_belief, probabilities
from practice_exchange.world.state import EventState
from practice_exchange.world.timestamps import DAY_MS
from practice_exchange.world.world import World

from .conftest import START, asking, every_event

Item = dict[str, Any]
DAYS = 12


@pytest.fixture(scope="module")
def lived() -> PracticeExchange:
    world = World(21, 130, START, tick=timedelta(hours=6))
    world.step(START + timedelta(days=DAYS))
    return PracticeExchange(world)


@pytest.fixture(scope="module")
def closed_markets(lived: PracticeExchange) -> list[Item]:
    events = every_event(lived, "closed=true")
    return [{**market, "event": event} for event in events for market in event["markets"]]


@pytest.mark.fidelity(
    "A resolved market pays 1 and 0, or a half each",
    area="Settlement",
    evidence="specification",
    source="resolution",
)
def test_closed_markets_have_paid_out(lived: PracticeExchange, closed_markets: list[Item]) -> None:
    assert len(closed_markets) > 100
    for market in closed_markets:
        assert market["closed"] and market["active"] | ("Other" in market["question"] or "Option" in market["question"])
        assert not market["acceptingOrders"]
        assert market["umaResolutionStatus"] == "resolved" and market["automaticallyResolved"]
        assert json.loads(market["outcomePrices"]) in (["1", "0"], ["0", "1"], ["0.5", "0.5"])
        assert "liquidity" not in market and market["closedTime"].endswith("+00")
        assert market["event"]["closed"] and "closedTime" in market["event"]


@pytest.mark.fidelity(
    "Resolutions are proposed, may be disputed, and are then final",
    area="Settlement",
    evidence="specification",
    source="resolution",
)
def test_resolutions_are_proposed_first_and_some_are_disputed(closed_markets: list[Item]) -> None:
    courses = {market["umaResolutionStatuses"] for market in closed_markets}
    assert courses == {"[]", '["proposed"]', '["proposed", "disputed", "proposed"]'}
    by_feed = [market for market in closed_markets if market["umaResolutionStatuses"] == "[]"]
    assert all("Up or Down" in market["question"] for market in by_feed)
    assert len(by_feed) < len(closed_markets) / 2


def test_one_or_two_in_a_hundred_end_half_and_half() -> None:
    """Counted over what is written for several seeds, before anybody trades."""
    worlds = [World(seed, 150, START, static=True) for seed in range(4)]
    markets = [market for world in worlds for market in world.register.markets.values()]
    share = sum(market.void for market in markets) / len(markets)
    assert 0.005 < share < 0.025
    assert not any(market.void for market in markets if market.negative_risk)


def test_a_void_market_pays_half_to_each_side() -> None:
    world = World(8, 20, START, tick=timedelta(hours=6))
    event = soonest(world)
    for market in event.markets:
        market.void = True
    world.step(START + timedelta(days=8))
    for market in event.markets:
        status, served = asking(PracticeExchange(world))(f"/gamma/markets/{market.number}")
        assert status == 200 and served["outcomePrices"] == '["0.5", "0.5"]' and served["closed"]
        _, clob = asking(PracticeExchange(world))(f"/clob/markets/{market.condition_id}")
        assert clob["is_50_50_outcome"] and [token["winner"] for token in clob["tokens"]] == [False, False]


def soonest(world: World) -> EventState:
    """The event that ends first among those of single markets that still trade."""
    waiting = [e for e in world.register.events.values() if e.end_ms > world.now_ms and not e.negative_risk]
    return min(waiting, key=lambda event: event.end_ms)


@pytest.mark.fidelity(
    "One option of a negative-risk event wins",
    area="Settlement",
    evidence="specification",
    source="negative risk",
)
def test_exactly_one_option_of_a_negative_risk_event_wins(closed_markets: list[Item]) -> None:
    options: dict[str, list[Item]] = {}
    for market in closed_markets:
        if market["negRisk"]:
            options.setdefault(market["event"]["id"], []).append(market)
    assert len(options) > 10
    for markets in options.values():
        winners = [market for market in markets if market["outcomePrices"] == '["1", "0"]']
        assert len(winners) == 1, "the placeholder for everything else wins when no named option does"


def test_a_ladder_resolves_without_contradiction(lived: PracticeExchange) -> None:
    """Who reaches the higher threshold has reached the lower one."""
    ladders = 0
    for event in lived.world.register.events.values():
        if event.closed and event.recipe in ("price_hit", "approval", "close", "opening", "mention"):
            yes = [market.payouts_micro[0] for market in sorted(event.markets, key=lambda m: m.group_threshold)]
            assert yes == sorted(yes, reverse=True)
            ladders += 1
    assert ladders > 3


def test_prices_of_a_negative_risk_event_sum_to_about_one(lived: PracticeExchange, still: PracticeExchange) -> None:
    checked = 0
    for event in [*lived.world.register.events.values(), *still.world.register.events.values()]:
        quoted = [m for m in event.markets if m.trading and m.book.bid_prices and m.book.ask_prices]
        named = [market for market in event.markets if not market.placeholder]
        if event.negative_risk and not event.negative_risk_augmented and len(quoted) == len(named):
            total = sum(market.book.midpoint_micro for market in quoted)
            # Each middle is off by at most half its spread and the tick that makers lean by.
            slack = sum((m.book.best_ask_micro - m.book.best_bid_micro) // 2 + 2 * m.tick_micro for m in quoted)
            assert abs(total - MICRO) <= slack
            checked += 1
    assert checked > 8


def test_orders_end_with_the_event_and_the_book_with_the_market(lived: PracticeExchange) -> None:
    ask, now_ms = asking(lived), lived.world.now_ms
    ended = 0
    for market in lived.world.register.markets.values():
        status, body = ask("/clob/book", f"token_id={market.token_ids[0]}")
        assert status == (404 if market.closed else 200)
        if market.end_ms <= now_ms:
            assert not market.accepting_orders
            ended += not market.closed
        if market.closed:
            assert body == {"error": "No orderbook exists for the requested token id"}
    assert ended > 0


def test_new_events_replace_those_that_end(lived: PracticeExchange) -> None:
    world = lived.world
    live = [event for event in world.register.events.values() if event.end_ms > world.now_ms]
    assert 120 <= len(live) <= 140
    listed = [event for event in live if event.listed_ms > world.now_ms - DAYS * 86_400_000 + 3_600_000]
    assert len(listed) > 40
    assert sum(market.volume.total_micro for event in listed for market in event.markets) > 0


def test_the_hidden_outcome_shows_in_nothing_that_is_served() -> None:
    honest, turned = World(13, 40, START), World(13, 40, START)
    for event in turned.register.events.values():
        for belief in event.beliefs:
            if event.end_ms > turned.now_ms:
                belief.winner = (belief.winner + 1) % len(belief.weights)
    assert every_event(PracticeExchange(honest)) == every_event(PracticeExchange(turned))


@pytest.mark.parametrize("days_left", [30.0, 5.0, 0.5])
def test_beliefs_mean_what_they_say(days_left: float) -> None:
    """Of what is believed at 0.3, about 0.3 comes true, early and late: prices are a fair game, not a tip."""
    rng, buckets = Random(5), [[0.0, 0.0, 0.0] for _ in range(10)]
    for _ in range(4_000):
        end_ms = 40 * DAY_MS
        belief = draw_belief([rng.uniform(0.1, 0.9), rng.uniform(0.1, 0.9), 0.2], 1.2, end_ms, rng)
        advance_belief(belief, 0, int(end_ms - days_left * DAY_MS), rng)
        chance = probabilities(belief)[0]
        bucket = buckets[min(int(chance * 10), 9)]
        bucket[0] += chance
        bucket[1] += belief.winner == 0
        bucket[2] += chance * (1 - chance)
    for expected, came_true, variance in buckets:
        assert abs(expected - came_true) < 4 * max(variance, 1.0) ** 0.5


def test_prices_arrive_at_the_outcome(closed_markets: list[Item]) -> None:
    """Towards the end the informed are nearly sure, and right."""
    decided = [m for m in closed_markets if m["outcomePrices"] != '["0.5", "0.5"]' and "lastTradePrice" in m]
    surprises = [m for m in decided if abs(float(json.loads(m["outcomePrices"])[0]) - m["lastTradePrice"]) > 0.5]
    assert len(decided) > 80
    assert len(surprises) < 0.15 * len(decided)
