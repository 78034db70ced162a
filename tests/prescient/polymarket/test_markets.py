"""Books, rules, history and results as the core asks for them: in bounded requests, and absent rather than invented."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from prescient.adapters.clock import SimulatedClock
from prescient.adapters.gather import ConcurrentGather
from prescient.adapters.polymarket import PolymarketData
from prescient.adapters.polymarket.messages.http import HttpResponse
from prescient.domain.errors import VenueUnavailable
from prescient.domain.market import PricePoint, Resolution
from tests.prescient.messages.recorded import all_books, read
from tests.prescient.polymarket.fake_venue import (
    Asked,
    LocalTransport,
    Script,
    book_object,
    condition_id,
    json_answer,
    market_object,
    rules_object,
)

BOOKS, HISTORY, STATES = "/clob/books", "/clob/prices-history", "/gamma/markets"


def serve_books(known: Callable[[str], bool], **changes: Any) -> Callable[[Asked], HttpResponse]:
    def answer(asked: Asked) -> HttpResponse:
        tokens = [item["token_id"] for item in json.loads(asked.body)]
        return json_answer([book_object(token, **changes) for token in tokens if known(token)])

    return answer


async def test_books_come_in_batches_and_unknown_tokens_are_absent(
    over_sockets: PolymarketData, script: Script
) -> None:
    script.on(BOOKS, serve_books(lambda token: int(token) % 10 != 0))
    tokens = [str(number) for number in range(1, 451)]
    books = await over_sockets.books(tokens)
    assert set(books) == {token for token in tokens if int(token) % 10 != 0}
    assert [len(json.loads(asked.body)) for asked in script.asked] == [200, 200, 50]
    assert all(asked.method == "POST" for asked in script.asked)


async def test_each_token_is_asked_for_once_and_nonsense_not_at_all(local: PolymarketData, script: Script) -> None:
    script.on(BOOKS, serve_books(lambda token: True))
    assert set(await local.books(["1", "2", "1", "", "0x12", "1 2", "\u0661"])) == {"1", "2"}
    assert [json.loads(asked.body) for asked in script.asked] == [[{"token_id": "1"}, {"token_id": "2"}]]
    assert await local.books([]) == {} and len(script.asked) == 1


async def test_senseless_and_unasked_books_are_absent_and_counted(local: PolymarketData, script: Script) -> None:
    crossed = book_object("2", bids=[{"price": "0.5", "size": "1"}])
    script.on(BOOKS, json_answer([book_object("1"), crossed, book_object("3"), {"asset_id": 4}]))
    assert set(await local.books(["1", "2"])) == {"1"}
    assert local.dropped == {"book": 3}


async def test_recorded_books_over_sockets(over_sockets: PolymarketData, script: Script, recorded_data: Path) -> None:
    recorded = {book["asset_id"]: book for book in all_books(recorded_data)}
    script.on(BOOKS, lambda asked: json_answer([recorded[item["token_id"]] for item in json.loads(asked.body)]))
    books = await over_sockets.books(list(recorded))
    assert {token: book.hash for token, book in books.items()} == {
        token: book["hash"] for token, book in recorded.items()
    }


def serve_rules(**changes: Any) -> Callable[[Asked], HttpResponse]:
    return lambda asked: json_answer(rules_object(int(asked.path.rpartition("/")[2], 16), **changes))


async def test_rules_are_kept_for_a_while(local: PolymarketData, script: Script, clock: SimulatedClock) -> None:
    script.on("/clob/clob-markets/*", serve_rules())
    wanted = [condition_id(1), condition_id(2), condition_id(1)]
    assert set(await local.rules(wanted)) == {condition_id(1), condition_id(2)}
    assert script.paths() == [f"/clob/clob-markets/{condition_id(number)}" for number in (1, 2)]
    clock.advance(29)
    assert set(await local.rules([*wanted, condition_id(3)])) == {condition_id(1), condition_id(2), condition_id(3)}
    assert len(script.asked) == 3
    script.on("/clob/clob-markets/*", serve_rules(mts=0.001))
    clock.advance(1)
    fresh = await local.rules(wanted)
    assert len(script.asked) == 5
    assert fresh[condition_id(1)].tick_micro == 1_000


async def test_rules_that_are_unknown_or_unusable_are_absent(local: PolymarketData, script: Script) -> None:
    path = "/clob/clob-markets/"
    script.on(path + condition_id(1), json_answer(rules_object(1)))
    script.on(path + condition_id(3), json_answer(rules_object(3, fd={"r": 0.03, "e": 0.5})))
    script.on(path + condition_id(4), json_answer(rules_object(5)))
    script.on(path + condition_id(6), json_answer(["not", "an", "object"]))
    wanted = [condition_id(number) for number in (1, 2, 3, 4, 6)]
    assert set(await local.rules(wanted)) == {condition_id(1)}
    # What is absent is not kept: a new market answers 404 for its first minutes.
    assert len(script.asked) == 5
    await local.rules(wanted)
    assert len(script.asked) == 9
    assert local.dropped == {"answer": 4, "rules": 2}


async def test_rules_are_asked_for_side_by_side_within_bounds(script: Script, clock: SimulatedClock) -> None:
    now, most = 0, 0

    async def answer(asked: Asked) -> HttpResponse:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0)
        now -= 1
        return serve_rules()(asked)

    script.on("/clob/clob-markets/*", answer)
    data = PolymarketData(
        gamma_url="http://v/gamma",
        clob_url="http://v/clob",
        clock=clock,
        gather=ConcurrentGather(),
        transport=LocalTransport(script),
        concurrency=4,
    )
    assert len(await data.rules([condition_id(number) for number in range(50)])) == 50
    assert most == 4


async def test_history_leaves_out_the_point_of_the_venues_present(local: PolymarketData, script: Script) -> None:
    points = [{"t": 1_000, "p": 0.5}, {"t": 1_060, "p": 0.51}, {"t": 1_120, "p": 1.5}, {"t": 9_999, "p": 0.9}]
    script.on(HISTORY, json_answer({"history": points}))
    assert await local.price_history("77", 1_000, 2_000, 1) == (PricePoint(1_000, 500_000), PricePoint(1_060, 510_000))
    (asked,) = script.asked
    assert asked.params == (("market", "77"), ("startTs", "1000"), ("endTs", "2000"), ("fidelity", "1"))
    assert local.dropped == {"price": 1}


async def test_a_long_history_is_asked_for_in_pieces(local: PolymarketData, script: Script) -> None:
    def answer(asked: Asked) -> HttpResponse:
        start, end = int(asked.param("startTs") or 0), int(asked.param("endTs") or 0)
        times = range(start, end + 1, 60)
        # The venue's series end at some 4,300 points and do not say so.
        return json_answer({"history": [{"t": time, "p": 0.5} for time in times[:4_300]]})

    script.on(HISTORY, answer)
    week_s = 7 * 24 * 3_600
    points = await local.price_history("77", 0, week_s, 1)
    assert [point.time_s for point in points] == list(range(0, week_s + 1, 60))
    assert len(script.asked) == 3
    assert await local.price_history("77", 50, 50, 1) == ()
    with pytest.raises(ValueError, match="too long"):
        await local.price_history("77", 0, 200 * week_s, 1)
    assert len(script.asked) == 3


async def test_history_of_an_unknown_token_is_empty(local: PolymarketData) -> None:
    assert await local.price_history("77", 0, 1_000, 1) == ()


def serve_states(*markets: dict[str, Any]) -> Callable[[Asked], HttpResponse]:
    """List as the venue does: open markets only, or closed ones only."""

    def answer(asked: Asked) -> HttpResponse:
        wanted, closed = asked.all("condition_ids"), asked.param("closed") == "true"
        found = [market for market in markets if market["conditionId"] in wanted and market["closed"] == closed]
        return json_answer(found[: int(asked.param("limit") or 20)])

    return answer


def closed_market(number: int, prices: str, status: str = "resolved") -> dict[str, Any]:
    changes = {"umaResolutionStatus": status} if status else {}
    return market_object(number, closed=True, outcomePrices=prices, **changes)


async def test_open_and_closed_markets_are_both_found(over_sockets: PolymarketData, script: Script) -> None:
    script.on(
        STATES,
        serve_states(
            market_object(1),
            closed_market(2, '["0", "1"]'),
            closed_market(3, '["0.5", "0.5"]'),
            closed_market(4, '["0.6", "0.4"]', "disputed"),
            closed_market(5, '["0", "0"]'),
        ),
    )
    states = await over_sockets.market_states([condition_id(number) for number in range(1, 7)])
    assert {int(key, 16): state.resolution for key, state in states.items()} == {
        1: Resolution.OPEN,
        2: Resolution.RESOLVED,
        3: Resolution.RESOLVED,
        4: Resolution.DISPUTED,
        5: Resolution.RESOLVED,
    }
    payouts = {int(key, 16): state.payout.payouts_micro for key, state in states.items() if state.payout}
    assert payouts == {2: (0, 1_000_000), 3: (500_000, 500_000)}
    assert states[condition_id(2)].payout.of("21") == 1_000_000  # type: ignore[union-attr]  # asserted just above
    assert [(asked.param("closed"), len(asked.all("condition_ids"))) for asked in script.asked] == [
        ("false", 6),
        ("true", 5),
    ]


async def test_states_are_asked_for_a_hundred_at_a_time(local: PolymarketData, script: Script) -> None:
    markets = [market_object(number) for number in range(250)]
    script.on(STATES, serve_states(*markets))
    assert len(await local.market_states([condition_id(number) for number in range(250)])) == 250
    assert [asked.param("limit") for asked in script.asked] == ["100", "100", "50"]


@pytest.mark.parametrize(
    ("record", "payout"),
    [
        ({"closed": True, "winners": (True, False)}, (1_000_000, 0)),
        ({"closed": True, "winners": (False, True)}, None),
        ({"closed": True, "winners": (False, False)}, None),
        ({"closed": False, "winners": (True, False)}, None),
        (None, None),
    ],
)
async def test_a_market_closed_in_silence_pays_only_what_the_exchange_confirms(
    local: PolymarketData, script: Script, record: dict[str, Any] | None, payout: tuple[int, int] | None
) -> None:
    script.on(STATES, serve_states(closed_market(1, '["1", "0"]', status="")))
    if record is not None:
        tokens = [{"token_id": str(10 + side), "winner": won} for side, won in enumerate(record["winners"])]
        body = {"condition_id": condition_id(1), "closed": record["closed"], "tokens": tokens}
        script.on(f"/clob/markets/{condition_id(1)}", json_answer(body))
    state = (await local.market_states([condition_id(1)]))[condition_id(1)]
    assert (state.payout.payouts_micro if state.payout else None) == payout
    assert state.resolution is (Resolution.RESOLVED if payout else Resolution.ENDED)


async def test_the_recorded_market_closed_in_silence_is_not_settled_by_its_price(
    local: PolymarketData, script: Script, recorded_data: Path
) -> None:
    plain = read(recorded_data, "gamma/gamma_market_closed_binary_accepting_true.json")
    script.on(STATES, serve_states(plain))
    states = await local.market_states([plain["conditionId"]])
    assert states[plain["conditionId"]].payout is None
    assert script.paths() == [STATES, STATES, f"/clob/markets/{plain['conditionId']}"]


async def test_a_failure_is_never_an_empty_answer(local: PolymarketData, script: Script) -> None:
    for path in (BOOKS, HISTORY, STATES, f"/clob/clob-markets/{condition_id(1)}"):
        script.on(path, json_answer({}, 500))
    for question in (
        local.books(["1"]),
        local.price_history("1", 0, 1_000, 1),
        local.market_states([condition_id(1)]),
        local.rules([condition_id(1)]),
    ):
        with pytest.raises(VenueUnavailable):
            await question


async def test_our_own_pace_stays_below_the_venues_limits(
    local: PolymarketData, script: Script, clock: SimulatedClock
) -> None:
    """The venue counts over ten seconds; nothing may come too fast even when the client is asked as fast as it can."""
    limits = {BOOKS: 500, HISTORY: 1_000, STATES: 300}
    times: dict[str, list[float]] = {path: [] for path in limits}

    def note(asked: Asked) -> HttpResponse:
        times[asked.path].append(clock.monotonic_s())
        return json_answer({"history": []} if asked.path == HISTORY else [])

    for path in limits:
        script.on(path, note)
    for _ in range(1_500):
        await local.books(["1"])
        await local.price_history("1", 0, 1_000, 1)
    for _ in range(400):
        await local.market_states([condition_id(1)])
    for path, limit in limits.items():
        moments = times[path]
        assert len(moments) >= 800
        assert all(later - first > 10 for first, later in zip(moments, moments[limit:], strict=False))
    # And not needlessly slow: well above half of what is allowed.
    assert times[BOOKS][-1] < 1_500 / 50 * 2
