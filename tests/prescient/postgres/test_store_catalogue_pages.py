"""Large catalogues: read ahead, nothing rewritten in vain, odd characters, days in partitions, several collectors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from prescient.adapters.postgres.store.catalogue_upsert import CATALOGUE_LOCK
from prescient.adapters.postgres.store.store import PostgresStore, open_store
from prescient.domain.records import Collected
from prescient.domain.signal import Decision, Step
from prescient.ports.market_data import EventPage
from tests.prescient.contract.store_examples import NOW, book, event, later, market, pages


@pytest.fixture
async def store(postgres_dsn: str) -> AsyncIterator[PostgresStore]:
    opened = await open_store(postgres_dsn)
    yield opened
    await opened.close()


@pytest.fixture
async def sql(postgres_dsn: str) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(postgres_dsn)
    yield connection
    await connection.close()


async def test_the_next_page_is_on_its_way_while_one_is_written(store: PostgresStore, sql: Any) -> None:
    asked_for_second = asyncio.Event()

    async def listing() -> AsyncIterator[EventPage]:
        yield EventPage([event(1, market(1, "1"))], [])
        asked_for_second.set()
        yield EventPage([event(2)], [])

    # As long as another session holds the catalogue, the first page cannot be written.
    await sql.execute("SELECT pg_advisory_lock($1)", CATALOGUE_LOCK)
    saving = asyncio.create_task(store.save_events(listing(), "c", NOW))
    async with asyncio.timeout(10):
        await asked_for_second.wait()
    assert await store.active_events() == []
    await sql.execute("SELECT pg_advisory_unlock($1)", CATALOGUE_LOCK)
    assert await saving == Collected(2, 1, 0, 0)


async def test_rows_that_say_the_same_are_not_written_again(store: PostgresStore, sql: Any) -> None:
    listed = [event(n, market(n, str(n))) for n in range(1, 4)]
    await store.save_events(pages(listed), "c", NOW)
    versions = "SELECT array_agg(xmin::text ORDER BY market_id) FROM markets"
    before = await sql.fetchval(versions)
    changed = [*listed[:2], replace(listed[2], markets=(market(3, "3", best_ask_micro=560_000),))]
    await store.save_events(pages(changed), "c", later(minutes=5))
    after = await sql.fetchval(versions)
    assert after[:2] == before[:2] and after[2] != before[2]
    assert await sql.fetchval("SELECT count(*) FROM events WHERE updated_at = $1", NOW) == 3


async def test_characters_that_cannot_be_kept_are_left_out_and_the_page_goes_on(store: PostgresStore) -> None:
    odd = market(1, "1", question="Will\x00 it \ud83d happen?")
    await store.save_events(pages([event(1, odd, title="A\x00B", tags=("a\x00", "ok")), event(2)]), "c", NOW)
    assert [(one.title, one.tags[0]) for one in await store.active_events()] == [("AB", "a"), ("Event 2 ✓", "politics")]
    assert [one.question for one in await store.markets_of(["1"])] == ["Will it  happen?"]


async def test_two_collections_side_by_side_agree(store: PostgresStore) -> None:
    def listing(offset: int) -> AsyncIterator[EventPage]:
        numbers = [(n + offset) % 300 for n in range(300)]
        made = [event(n, market(n, str(n), volume_micro=n)) for n in numbers]
        return pages(made[:150], made[150:])

    collected = await asyncio.gather(*(store.save_events(listing(offset), "c", NOW) for offset in (0, 100, 200)))
    assert collected == [Collected(300, 300, 0, 0)] * 3
    assert len(await store.active_events()) == 300


async def test_a_page_larger_than_any_chunk_arrives_whole(store: PostgresStore) -> None:
    events = [event(n, *(market(n * 10 + m, str(n)) for m in range(10))) for n in range(600)]
    assert await store.save_events(pages(events), "c", NOW) == Collected(600, 6000, 0, 0)
    found = await store.markets_of([str(n) for n in range(600)])
    assert len(found) == 6000
    assert [one.market_id for one in found] == sorted(one.market_id for one in found)
    assert found[0] == market(0, "0")


@pytest.mark.parametrize("year", [2020, 2026, 2031])
async def test_any_clocks_day_has_its_partition(store: PostgresStore, sql: Any, year: int) -> None:
    now = datetime(year, 2, 28, 23, 59, 59, 999_999, tzinfo=UTC)
    first = market(1, "1")
    await store.save_decisions("c", [Decision(Step.SCREEN, "market", "1", True, "kept")], now)
    await store.save_snapshots("cycle", [(first, book("yes-1")), (first, None)], now)
    assert (await store.decisions())[0][1] == now
    rows = await sql.fetch(
        "SELECT tableoid::regclass::text AS day, outcome, best_bid_micro, bid_depth_micro, catalogue_price_micro "
        "FROM market_snapshots ORDER BY best_bid_micro NULLS LAST, outcome DESC"
    )
    assert [tuple(row) for row in rows] == [
        (f"partitions.market_snapshots_{year}0228", "Yes", 540_000, 30_000_000, 550_000),
        (f"partitions.market_snapshots_{year}0228", "Yes", None, 0, 550_000),
        (f"partitions.market_snapshots_{year}0228", "No", None, 0, None),
    ]


async def test_pruning_makes_room_ahead_and_drops_whole_days(store: PostgresStore, sql: Any) -> None:
    for days in (-20, -14, 0):
        await store.save_decisions("c", [Decision(Step.SCREEN, "market", "1", True, "kept")], later(days=days))
    await asyncio.gather(*(store.prune(NOW, decisions_days=14, snapshots_days=3) for _ in range(3)))
    names = "SELECT tablename FROM pg_tables WHERE schemaname = 'partitions' ORDER BY 1"
    assert [row[0] for row in await sql.fetch(names)] == [
        "decisions_20260503",
        "decisions_20260517",
        "decisions_20260518",
        "decisions_20260519",
        "market_snapshots_20260517",
        "market_snapshots_20260518",
        "market_snapshots_20260519",
    ]


async def test_first_rows_of_a_day_from_many_sides_make_its_partition_once(postgres_dsn: str) -> None:
    stores = [await open_store(postgres_dsn) for _ in range(3)]
    decision = [Decision(Step.SCREEN, "market", "1", True, "kept")]
    try:
        await asyncio.gather(*(one.save_decisions(f"c{n}", decision, NOW) for one in stores for n in range(4)))
        assert len(await stores[0].decisions()) == 12
    finally:
        for one in stores:
            await one.close()


async def test_tens_of_thousands_of_decisions_are_found_again(store: PostgresStore) -> None:
    made = [
        Decision(Step.SCREEN, "market", str(n), n % 2 == 0, "volume_low", "1.5", "min_volume") for n in range(12_000)
    ]
    await store.save_decisions("cycle-1", made, NOW)
    assert [row[2] for row in await store.decisions(subject_id="777")] == [made[777]]
    newest = await store.decisions(cycle_id="cycle-1", limit=3)
    assert [row[2] for row in newest] == made[:-4:-1]
