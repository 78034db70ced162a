"""Catalogue: what the venue lists now, what was screened, and the books that were seen."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from prescient.domain.errors import VenueUnavailable
from prescient.domain.market import Event, Resolution
from prescient.domain.records import Collected, MarketSnapshot
from prescient.ports.market_data import EventPage
from prescient.ports.store import Store
from tests.prescient.contract.store_examples import NOW, USD, book, event, later, market, pages


def ids(events: Sequence[Event]) -> list[str]:
    return sorted(one.event_id for one in events)


async def test_events_and_markets_read_back_field_by_field(store: Store) -> None:
    first, second = market(1), market(2, resolution=Resolution.PROPOSED, end_time=None, game_start_time=NOW)
    made = event(100, first, second)
    collected = await store.save_events(pages([made]), "cycle-1", NOW)
    assert collected == Collected(events=1, markets=2, skipped=0, closed=0)
    assert await store.active_events() == [replace(made, markets=())]
    assert sorted(await store.markets_of(["100"]), key=lambda one: one.market_id) == [first, second]


async def test_counts_cover_all_pages_and_what_was_skipped(store: Store) -> None:
    async def listing() -> AsyncIterator[EventPage]:
        yield EventPage([event(1, market(1, "1"))], [("9", "no id"), ("8", "no title")])
        yield EventPage([], [])
        yield EventPage([event(2, market(2, "2"), market(3, "2")), event(3)], [("7", "bad")])

    assert await store.save_events(listing(), "cycle-1", NOW) == Collected(events=3, markets=3, skipped=3, closed=0)
    assert ids(await store.active_events()) == ["1", "2", "3"]


async def test_an_event_listed_on_two_pages_is_kept_once_as_last_seen(store: Store) -> None:
    early = event(1, market(1, "1"), title="early")
    late = event(1, market(1, "1", question="late?"), title="late")
    await store.save_events(pages([early, event(2)], [late]), "cycle-1", NOW)
    assert sorted(one.title for one in await store.active_events()) == ["Event 2 ✓", "late"]
    assert [one.question for one in await store.markets_of(["1"])] == ["late?"]


async def test_an_event_listed_twice_on_one_page_is_kept_once(store: Store) -> None:
    await store.save_events(
        pages([event(1, market(1, "1"), title="early"), event(1, market(1, "1"), title="late")]), "cycle-1", NOW
    )
    assert [one.title for one in await store.active_events()] == ["late"]
    assert len(await store.markets_of(["1"])) == 1


async def test_a_later_collection_updates_and_closes_what_is_gone(store: Store) -> None:
    await store.save_events(pages([event(1, market(1, "1")), event(2, market(2, "2"))], [event(3)]), "cycle-1", NOW)
    moved = market(1, "1", liquidity_micro=5, best_bid_micro=None)
    collected = await store.save_events(pages([event(1, moved, volume_micro=9), event(4)]), "cycle-2", later(hours=1))
    assert collected == Collected(events=2, markets=1, skipped=0, closed=2)
    assert ids(await store.active_events()) == ["1", "4"]
    assert await store.markets_of(["1"]) == [moved]
    # What is gone from the listing is still known: held positions need it.
    assert (await store.markets_by_condition([market(2).condition_id]))[market(2).condition_id].market_id == "1002"
    again = await store.save_events(pages([event(2), event(1), event(4)]), "cycle-3", later(hours=2))
    assert again.closed == 0
    assert ids(await store.active_events()) == ["1", "2", "4"]


async def test_a_market_no_longer_listed_under_its_event_is_not_traded(store: Store) -> None:
    await store.save_events(pages([event(1, market(1, "1"), market(2, "1"))]), "cycle-1", NOW)
    await store.save_events(pages([event(1, market(1, "1"))]), "cycle-2", later(hours=1))
    tradable = [one.market_id for one in await store.markets_of(["1"]) if one.tradable]
    assert tradable == ["1001"]


async def test_a_listing_that_breaks_off_closes_nothing_and_keeps_what_came(store: Store) -> None:
    await store.save_events(pages([event(1, market(1, "1")), event(2)]), "cycle-1", NOW)
    broken = pages([event(2, title="newer"), event(3, market(3, "3"))], error=VenueUnavailable("page 2 of 9"))
    with pytest.raises(VenueUnavailable, match="page 2"):
        await store.save_events(broken, "cycle-2", later(hours=1))
    assert ids(await store.active_events()) == ["1", "2", "3"]
    assert {one.event_id: one.title for one in await store.active_events()}["2"] == "newer"
    assert len(await store.markets_of(["1"])) == 1 and len(await store.markets_of(["3"])) == 1


async def test_an_event_that_the_venue_lists_as_inactive_is_not_active(store: Store) -> None:
    await store.save_events(pages([event(1, active=False), event(2)]), "cycle-1", NOW)
    assert ids(await store.active_events()) == ["2"]


async def test_markets_are_found_by_event_condition_id_and_slug(store: Store) -> None:
    first, second, third = market(1, "1"), market(2, "1"), market(3, "2")
    await store.save_events(pages([event(1, first, second), event(2, third)]), "cycle-1", NOW)
    assert sorted(one.market_id for one in await store.markets_of(["1", "2", "404"])) == ["1001", "1002", "1003"]
    assert [one.market_id for one in await store.markets_of(["2", "2"])] == ["1003"]
    assert await store.markets_of([]) == []
    found = await store.markets_by_condition([first.condition_id, "0xnone", third.condition_id])
    assert found == {first.condition_id: first, third.condition_id: third}
    assert await store.markets_by_condition([]) == {}
    for text in ("1002", second.condition_id, second.slug):
        assert await store.find_market(text) == second
    for text in ("", "nothing", "100"):
        assert await store.find_market(text) is None


async def test_figures_are_those_of_the_whole_markets_by_id(store: Store) -> None:
    second, first = market(2, "1", placeholder=True, closed=True), market(1, "1", outcomes=())
    third = market(3, "2", active=False, accepting_orders=False, order_book_enabled=False, liquidity_micro=5)
    await store.save_events(pages([event(1, second, first), event(2, third), event(3, market(4, "3"))]), "c", NOW)
    found = await store.market_figures(["2", "1", "404", "1"])
    assert found == [one.figures for one in (first, second, third)]
    assert [one.tradable for one in found] == [True, False, False]
    assert [one.conviction_micro for one in found] == [None, 550_000, 550_000]
    assert await store.market_figures([]) == []


async def test_screened_markets_come_back_in_order_for_their_cycle(store: Store) -> None:
    first, second, third = market(1, "1"), market(2, "1"), market(3, "1")
    await store.save_events(pages([event(1, first, second, third)]), "cycle-1", NOW)
    await store.save_screened("cycle-1", ["1003", "1001"])
    await store.save_screened("cycle-2", ["1002"])
    assert await store.screened("cycle-1") == [third, first]
    assert await store.screened("cycle-2") == [second]
    assert await store.screened("cycle-3") == []
    await store.save_screened("cycle-1", ["1003", "1001"])
    assert await store.screened("cycle-1") == [third, first]


async def test_many_markets_survive_one_page(store: Store) -> None:
    events = [event(n, *(market(n * 10 + m, str(n)) for m in range(5))) for n in range(200)]
    assert await store.save_events(pages(events), "cycle-1", NOW) == Collected(200, 1000, 0, 0)
    assert len(await store.markets_of([str(n) for n in range(200)])) == 1000


async def test_snapshots_are_kept_one_row_per_outcome_newest_first(store: Store) -> None:
    first = market(1, "1")
    await store.save_events(pages([event(1, first)]), "cycle-1", NOW)
    await store.save_snapshots("cycle", [(first, book("yes-1"))], NOW)
    await store.save_snapshots("mark", [(first, None)], later(minutes=5))
    # The same moment again, as when two portfolios hold one market, is no error.
    await store.save_snapshots("mark", [(first, book("no-1"))], later(minutes=5))
    await store.save_snapshots("mark", [], NOW)
    rows = await store.snapshots_of_market(first.market_id, 10)
    assert rows[-1] == MarketSnapshot(NOW, "cycle", "1001", "yes-1", 540_000, 560_000, 30 * USD, 7 * USD, 550_000)
    assert {(row.source, row.token_id, row.best_bid_micro, row.bid_depth_micro) for row in rows[:-1]} == {
        ("mark", "yes-1", None, 0),
        ("mark", "no-1", None, 0),
        ("mark", "no-1", 540_000, 30 * USD),
    }
    assert {row.time for row in rows[:-1]} == {later(minutes=5)}
    assert rows[0].catalogue_price_micro is None or rows[0].token_id == "yes-1"
    assert len(await store.snapshots_of_market(first.market_id, 2)) == 2
    assert await store.snapshots_of_market("404", 2) == []


async def test_snapshots_past_their_time_are_dropped(store: Store) -> None:
    first = market(1, "1")
    for days in (0, 1, 5):
        await store.save_snapshots("mark", [(first, book("yes-1"))], later(days=days))
    await store.prune(later(days=5), decisions_days=14, snapshots_days=4)
    assert [row.time for row in await store.snapshots_of_market("1001", 9)] == [later(days=5), later(days=1)]


async def test_the_catalogue_is_read_in_pages_by_volume(store: Store) -> None:
    listed = [
        event(n, market(n, str(n), volume_micro=volume), volume_micro=volume)
        for n, volume in [(1, 50), (2, 70), (10, 50), (3, 60)]
    ]
    gone = event(9, market(9, "9", volume_micro=99), volume_micro=99)
    await store.save_events(pages([gone, *listed]), "cycle-1", NOW)
    await store.save_events(pages(listed), "cycle-2", NOW)
    # Equal volumes by id as text, so that 1 comes before 10.
    assert [one.event_id for one in await store.events_page(10, 0)] == ["2", "3", "1", "10"]
    assert [one.event_id for one in await store.events_page(2, 1)] == ["3", "1"]
    assert [one.event_id for one in await store.events_page(10, 0, active_only=False)] == ["9", "2", "3", "1", "10"]
    assert await store.events_page(10, 4) == []
    assert await store.event("3") == replace(listed[3], markets=())
    known = await store.event("9")
    assert known is not None and not known.active
    assert await store.event("404") is None
    assert await store.titles([("event", "3"), ("market", "3"), ("event", "404")]) == {("event", "3"): "Event 3 ✓"}


async def test_markets_are_read_in_pages_above_both_floors(store: Store) -> None:
    made = [
        market(n, "1" if n < 4 else "2", liquidity_micro=liquidity, volume_micro=volume)
        for n, liquidity, volume in [(1, 10, 50), (2, 9, 70), (3, 10, 49), (4, 99, 60)]
    ]
    await store.save_events(pages([event(1, *made[:3]), event(2, made[3], active=False)]), "cycle-1", NOW)

    async def found(limit: int = 10, offset: int = 0, **filters: Any) -> list[str]:
        return [one.market_id for one in await store.markets_page(limit, offset, **filters)]

    assert await found() == ["1002", "1004", "1001", "1003"]
    assert await found(2, 1) == ["1004", "1001"]
    assert await found(event_id="1") == ["1002", "1001", "1003"]
    assert await found(min_liquidity_micro=10) == ["1004", "1001", "1003"]
    assert await found(min_liquidity_micro=10, min_volume_micro=50) == ["1004", "1001"]
    await store.save_events(pages([event(1, made[0])]), "cycle-2", NOW)
    assert await found() == ["1001"]
    assert await found(active_only=False) == ["1002", "1004", "1001", "1003"]
    assert (await store.markets_page(1, 0))[0] == made[0]


async def test_the_last_screen_is_that_of_the_latest_cycle_that_kept_any(store: Store) -> None:
    assert await store.last_screened() is None
    await store.save_events(pages([event(1, market(1, "1"))]), "cycle-1", NOW)
    await store.save_screened("cycle-2", ["1001"])
    await store.save_screened("cycle-1", ["1001"])
    await store.save_screened("cycle-3", [])
    assert await store.last_screened() == "cycle-2"
    await store.save_screened("cycle-2", [])
    assert await store.last_screened() == "cycle-1"
