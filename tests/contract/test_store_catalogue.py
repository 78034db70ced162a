"""Catalogue: what the venue lists now, what was screened, and the decisions that say why."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from prescient.domain.errors import VenueUnavailable
from prescient.domain.market import Event, Resolution
from prescient.domain.signal import Decision, Step
from prescient.ports import Collected, EventPage, Store
from tests.contract.store_examples import NOW, book, event, funded, later, market, pages


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


async def test_snapshots_are_taken_with_and_without_a_book(store: Store) -> None:
    first = market(1, "1")
    await store.save_events(pages([event(1, first)]), "cycle-1", NOW)
    await store.save_snapshots("cycle", [(first, book("yes-1")), (first, None)], NOW)
    # The same moment again, as when two portfolios hold one market, is no error.
    await store.save_snapshots("mark", [(first, book("yes-1"))], NOW)
    await store.save_snapshots("mark", [], NOW)


def decision(subject: str, portfolio_id: int | None = None, **changes: Any) -> Decision:
    made = Decision(Step.SCREEN, "market", subject, False, "volume_low", "12.5", "min_volume", portfolio_id)
    return replace(made, **changes)


async def test_decisions_are_kept_word_for_word(store: Store) -> None:
    one = await funded(store)
    full = decision("1001", one.portfolio_id, step=Step.DECIDE, passed=True, code="signal", number="", setting="✓")
    await store.save_decisions("cycle-1", [full], NOW)
    assert await store.decisions() == [("cycle-1", NOW, full)]
    await store.save_decisions("cycle-1", [], NOW)
    assert len(await store.decisions()) == 1


async def test_decisions_are_filtered_and_newest_come_first(store: Store) -> None:
    one, two = await funded(store, "One"), await funded(store, "Two")
    await store.save_decisions("cycle-1", [decision("m1"), decision("m2"), decision("m1", one.portfolio_id)], NOW)
    second = [decision("m1"), decision("m1", one.portfolio_id), decision("m1", two.portfolio_id)]
    await store.save_decisions("cycle-2", second, later(minutes=1))

    async def found(**filters: Any) -> list[tuple[str, str, int | None]]:
        rows = await store.decisions(**filters)
        return [(cycle_id, row.subject_id, row.portfolio_id) for cycle_id, _, row in rows]

    a, b = one.portfolio_id, two.portfolio_id
    assert sorted(await found(cycle_id="cycle-1"), key=str) == sorted(
        [("cycle-1", "m1", None), ("cycle-1", "m1", a), ("cycle-1", "m2", None)], key=str
    )
    assert {row[0] for row in (await found(subject_id="m1"))[:3]} == {"cycle-2"}
    assert len(await found(subject_id="m1")) == 5
    assert await found(subject_id="m2") == [("cycle-1", "m2", None)]
    assert await found(portfolio_id=a) == [("cycle-2", "m1", a), ("cycle-1", "m1", a)]
    assert await found(portfolio_id=b, subject_id="m1", cycle_id="cycle-2") == [("cycle-2", "m1", b)]
    assert await found(portfolio_id=b, cycle_id="cycle-1") == []
    assert await found(cycle_id="cycle-9") == []
    assert [row[0] for row in await found(limit=3)] == ["cycle-2"] * 3
    assert len(await found(limit=4)) == 4


async def test_pruning_drops_what_is_past_its_time_and_nothing_else(store: Store) -> None:
    await store.save_decisions("old", [decision("m1")], later(days=-16))
    await store.save_decisions("kept", [decision("m1")], later(days=-12))
    await store.save_decisions("new", [decision("m1")], NOW)
    await store.prune(NOW, decisions_days=14, snapshots_days=3)
    assert [cycle_id for cycle_id, _, _ in await store.decisions()] == ["new", "kept"]
    await store.prune(NOW, decisions_days=14, snapshots_days=3)
    assert len(await store.decisions()) == 2


async def test_there_is_room_for_rows_of_coming_days_after_pruning(store: Store) -> None:
    first = market(1, "1")
    await store.save_events(pages([event(1, first)]), "cycle-1", NOW)
    for day in range(4):
        await store.prune(later(days=day), decisions_days=14, snapshots_days=3)
        await store.save_decisions(f"cycle-{day}", [decision("m1")], later(days=day, hours=11, minutes=20))
        await store.save_snapshots("mark", [(first, book("yes-1"))], later(days=day, hours=11, minutes=20))
    assert len(await store.decisions()) == 4
