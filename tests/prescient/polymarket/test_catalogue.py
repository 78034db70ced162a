"""Collecting the catalogue: every page once, the next one fetched ahead, and never a part passed off as the whole."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from prescient.adapters.clock import SimulatedClock
from prescient.adapters.polymarket import PolymarketData
from prescient.adapters.polymarket.data import PAGES_MAX
from prescient.adapters.polymarket.messages.http import HttpResponse
from prescient.domain.errors import VenueUnavailable
from prescient.ports.market_data import EventPage
from tests.prescient.messages.recorded import read
from tests.prescient.polymarket.fake_venue import (
    Asked,
    LocalTransport,
    Script,
    event_object,
    json_answer,
    market_object,
    served,
)

EVENTS = "/gamma/events/keyset"


async def collect(data: PolymarketData) -> list[EventPage]:
    return [page async for page in data.active_events()]


def ids(pages: list[EventPage]) -> list[str]:
    return [event.event_id for page in pages for event in page.events]


def page(*events: Any, cursor: str = "") -> HttpResponse:
    return json_answer({"events": list(events)} | ({"next_cursor": cursor} if cursor else {}))


async def test_all_pages_in_order_with_the_right_questions(over_sockets: PolymarketData, script: Script) -> None:
    script.on(
        EVENTS,
        page(event_object(1, market_object(11), market_object(12)), event_object(2), cursor="abc="),
        page(cursor="def"),
        page(event_object(3, market_object(31))),
    )
    pages = await collect(over_sockets)
    assert ids(pages) == ["1", "2", "3"]
    assert [len(event.markets) for page in pages for event in page.events] == [2, 0, 1]
    fixed = (("limit", "200"), ("active", "true"), ("closed", "false"), ("archived", "false"))
    assert [asked.params for asked in script.asked] == [
        fixed,
        (*fixed, ("after_cursor", "abc=")),
        (*fixed, ("after_cursor", "def")),
    ]


async def test_an_empty_catalogue(local: PolymarketData, script: Script) -> None:
    script.on(EVENTS, page())
    assert ids(await collect(local)) == []


async def test_malformed_items_are_handed_on_and_counted(local: PolymarketData, script: Script) -> None:
    bad_market, bad_event = market_object(12, volume="-1"), event_object(2, volume="x")
    script.on(EVENTS, page(event_object(1, market_object(11), bad_market), bad_event))
    (only,) = await collect(local)
    assert [subject for subject, _ in only.skipped] == ["12", "2"]
    assert local.dropped == {"market": 1, "event": 1}


async def test_an_event_on_two_pages_comes_once(local: PolymarketData, script: Script) -> None:
    script.on(EVENTS, page(event_object(1), event_object(2), cursor="b"), page(event_object(2), event_object(3)))
    pages = await collect(local)
    assert ids(pages) == ["1", "2", "3"]
    assert pages[1].skipped == [("2", "event: listed twice")]


async def test_a_cursor_that_comes_again_is_an_error(local: PolymarketData, script: Script) -> None:
    script.on(EVENTS, page(event_object(1), cursor="a"), page(event_object(2), cursor="b"), page(cursor="a"))
    pages = local.active_events()
    assert ids([await anext(pages), await anext(pages)]) == ["1", "2"]
    with pytest.raises(VenueUnavailable, match="no end"):
        await anext(pages)
    assert len(script.asked) == 3


async def test_a_cursor_that_always_moves_on_is_an_error(local: PolymarketData, script: Script) -> None:
    script.on(EVENTS, lambda asked: page(cursor=f"x{len(script.asked)}"))
    with pytest.raises(VenueUnavailable, match="no end"):
        await collect(local)
    assert len(script.asked) == PAGES_MAX + 1


async def test_a_page_that_fails_for_good_ends_the_listing_with_an_error(local: PolymarketData, script: Script) -> None:
    script.on(EVENTS, page(event_object(1), cursor="b"), json_answer({}, 503))
    with pytest.raises(VenueUnavailable, match="HTTP 503"):
        await collect(local)
    assert len(script.asked) == 1 + 5


async def test_the_next_page_is_on_its_way_while_one_is_worked_on(local: PolymarketData, script: Script) -> None:
    second_asked = asyncio.Event()

    def answer(asked: Asked) -> HttpResponse:
        if asked.param("after_cursor") is None:
            return page(event_object(1), cursor="b")
        second_asked.set()
        return page(event_object(2))

    script.on(EVENTS, answer)
    pages = local.active_events()
    first = await anext(pages)
    # Nobody has asked for the second page yet, and still it is fetched.
    await asyncio.wait_for(second_asked.wait(), 5)
    assert ids([first, await anext(pages)]) == ["1", "2"]
    with pytest.raises(StopAsyncIteration):
        await anext(pages)


async def test_leaving_early_calls_off_the_page_ahead(local: PolymarketData, script: Script) -> None:
    started, stopped = asyncio.Event(), asyncio.Event()

    async def hang(asked: Asked) -> HttpResponse:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()
        raise AssertionError("unreachable")

    script.on(EVENTS, page(event_object(1), cursor="b"), hang)
    pages = local.active_events()
    await anext(pages)
    await started.wait()
    await pages.aclose()  # type: ignore[attr-defined]  # the port promises an iterator; this one is a generator
    assert stopped.is_set()


async def test_a_large_page_lets_others_have_their_turn(local: PolymarketData, script: Script) -> None:
    text = "x" * 19_000
    big = [event_object(number, market_object(number, question=text), title=text) for number in range(200)]
    script.on(EVENTS, page(*big))
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(others())
    pages = await collect(local)
    task.cancel()
    assert len(ids(pages)) == 200
    # Over seven megabytes in stretches of a quarter.
    assert turns >= 28


async def test_the_recorded_catalogue_over_sockets(recorded_data: Path, clock: SimulatedClock) -> None:
    events = read(recorded_data, "catalog/gamma-events-2025-12-11.json.gz")["markets"]
    script = Script()

    def answer(asked: Asked) -> HttpResponse:
        start, limit = int(asked.param("after_cursor") or 0), int(asked.param("limit") or 20)
        more = str(start + limit) if start + limit < len(events) else ""
        return page(*events[start : start + limit], cursor=more)

    script.on(EVENTS, answer)
    async with served(script) as url:
        data = PolymarketData(gamma_url=f"{url}/gamma", clob_url=url, clock=clock, events_per_page=50)
        pages = await collect(data)
        await data.close()
    assert ids(pages) == [event["id"] for event in events] and len(pages) == 3
    found = [market.market_id for page in pages for event in page.events for market in event.markets]
    left_out = [subject for page in pages for subject, _ in page.skipped]
    assert sorted(found + left_out) == sorted(market["id"] for event in events for market in event["markets"])
    assert len(left_out) == 2


@pytest.mark.parametrize("size", [0, 501])
def test_the_page_size_is_the_venues(size: int, clock: SimulatedClock) -> None:
    with pytest.raises(ValueError, match="must be 1"):
        PolymarketData(gamma_url="http://v", clob_url="http://v", clock=clock, events_per_page=size)


async def test_closing_closes_the_transport(script: Script, clock: SimulatedClock) -> None:
    transport = LocalTransport(script)
    data = PolymarketData(gamma_url="http://v", clob_url="http://v", clock=clock, transport=transport)
    await data.close()
    assert transport.closed
