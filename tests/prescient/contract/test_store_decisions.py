"""Decisions: why each event and market went on or was dropped, found again by cycle, subject and portfolio."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

from prescient.domain.cycle import CycleStatus
from prescient.domain.signal import Decision, Step
from prescient.ports.store import Store
from tests.prescient.contract.store_examples import NOW, book, cycle_request, event, funded, later, market, pages


def decision(subject: str, portfolio_id: int | None = None, **changes: Any) -> Decision:
    made = Decision(Step.SCREEN, "market", subject, False, "volume_low", "12.5", "min_volume", portfolio_id)
    return made._replace(**changes)


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
    # A portfolio's decisions are its own and those that all portfolios share.
    assert await found(portfolio_id=b, subject_id="m1", cycle_id="cycle-2") == [
        ("cycle-2", "m1", b),
        ("cycle-2", "m1", None),
    ]
    assert await found(portfolio_id=b, cycle_id="cycle-1") == [("cycle-1", "m2", None), ("cycle-1", "m1", None)]
    assert len(await found(portfolio_id=a)) == 5
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


async def test_decisions_of_many_savers_still_come_newest_first(store: Store) -> None:
    # Several portfolios and the API save side by side, each over whatever connection is free.
    for minute in range(6):
        saves = [
            store.save_decisions(f"cycle-{n}", [decision(f"m{n}")] * 3, later(minutes=minute))
            for n in range(minute % 4 + 1)
        ]
        await asyncio.gather(*saves)
    times = [time for _, time, _ in await store.decisions(limit=1000)]
    assert len(times) == 3 * (1 + 2 + 3 + 4 + 1 + 2)
    assert times == sorted(times, reverse=True)


async def test_decisions_are_ordered_by_their_time_not_by_their_saving(store: Store) -> None:
    await store.save_decisions("late", [decision("m1")], later(minutes=2))
    await store.save_decisions("early", [decision("m1")], NOW)
    await store.save_decisions("middle", [decision("m1")], later(minutes=1))
    assert [cycle_id for cycle_id, _, _ in await store.decisions()] == ["late", "middle", "early"]


async def test_pruning_goes_by_whole_utc_days(store: Store) -> None:
    midnight = NOW.replace(hour=0, minute=0, second=0, microsecond=0)
    await store.save_decisions("last of its day", [decision("m1")], midnight - timedelta(days=14, seconds=1))
    await store.save_decisions("first of the next", [decision("m1")], midnight - timedelta(days=14))
    await store.prune(NOW, decisions_days=14, snapshots_days=3)
    assert [cycle_id for cycle_id, _, _ in await store.decisions()] == ["first of the next"]


async def test_what_old_cycles_screened_is_dropped_with_their_decisions(store: Store) -> None:
    one = await funded(store)
    await store.save_events(pages([event(1, market(1, "1"))]), "cycle-1", NOW)
    for cycle_id, days in (("cycle-1", -20), ("cycle-2", -1)):
        claim = await store.claim_cycle(cycle_request(cycle_id, one.portfolio_id), later(days=days))
        await store.save_screened(cycle_id, ["1001"])
        await store.finish_cycle(replace(claim.report, status=CycleStatus.COMPLETED))
    await store.prune(NOW, decisions_days=14, snapshots_days=3)
    assert await store.screened("cycle-1") == []
    assert len(await store.screened("cycle-2")) == 1
    assert (await store.cycle("cycle-1")).status is CycleStatus.COMPLETED
