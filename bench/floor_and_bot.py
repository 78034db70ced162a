"""What the cycle is measured against: the least that could be done with the same pages, and what the usual bot does."""

from __future__ import annotations

import asyncio
import json
import time
import urllib.request
from collections.abc import Sequence

import aiohttp
import asyncpg

from prescient.adapters.postgres.catalogue_rows import EVENT_COLUMNS, MARKET_COLUMNS, event_row, market_row
from prescient.wire.gamma import decode_events
from prescient.wire.pages import RawPage, split_page

PAGE_LIMIT = 500
BOT_PAGE_LIMIT = 100


async def floor_s(gamma_url: str, dsn: str, page_limit: int) -> float:
    """Fetch the same pages with read-ahead, decode typed, COPY and upsert the same rows: nothing else. Seconds."""
    database = await asyncpg.connect(dsn)
    await database.execute("SET synchronous_commit = off")
    for table, columns in (("events", EVENT_COLUMNS), ("markets", MARKET_COLUMNS)):
        await database.execute(f"CREATE TEMP TABLE floor_{table} AS SELECT {', '.join(columns)} FROM {table} LIMIT 0")
    started_s = time.perf_counter()
    async with aiohttp.ClientSession() as session:
        ahead = asyncio.create_task(_page(session, gamma_url, page_limit, ""))
        while True:
            page = await ahead
            if page.next_cursor:
                ahead = asyncio.create_task(_page(session, gamma_url, page_limit, page.next_cursor))
            await _write(database, page)
            if not page.next_cursor:
                break
    elapsed_s = time.perf_counter() - started_s
    await database.close()
    return elapsed_s


async def _page(session: aiohttp.ClientSession, gamma_url: str, limit: int, cursor: str) -> RawPage:
    params = {"limit": str(limit), "active": "true", "closed": "false", "archived": "false"}
    if cursor:
        params["after_cursor"] = cursor
    async with session.get(f"{gamma_url}/events/keyset", params=params) as response:
        return split_page(await response.read())


async def _write(database: asyncpg.Connection, page: RawPage) -> None:
    events = decode_events(page.items).items
    event_rows = [event_row(event) for event in events]
    market_rows = [market_row(market) for event in events for market in event.markets]
    async with database.transaction():
        await _upsert(database, "events", EVENT_COLUMNS, event_rows)
        await _upsert(database, "markets", MARKET_COLUMNS, market_rows)


async def _upsert(
    database: asyncpg.Connection, table: str, columns: Sequence[str], rows: Sequence[tuple[object, ...]]
) -> None:
    await database.execute(f"TRUNCATE floor_{table}")
    await database.copy_records_to_table(f"floor_{table}", records=rows, columns=columns)
    key, *rest = columns
    await database.execute(
        f"INSERT INTO {table} ({', '.join(columns)}, updated_at) SELECT {', '.join(columns)}, now() FROM floor_{table} "
        f"ON CONFLICT ({key}) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in rest)}, updated_at = now()"
    )


async def usual_bot_s(gamma_url: str, dsn: str) -> float:
    """Sequential pages of 100, ``json``, a loop over dicts, one autocommitted INSERT per row. Seconds."""
    database = await asyncpg.connect(dsn)
    await database.execute(
        "CREATE TABLE bot_events (id text PRIMARY KEY, title text, liquidity float8, volume float8, end_date text);"
        "CREATE TABLE bot_markets (id text PRIMARY KEY, event_id text, question text, condition_id text, outcomes text,"
        " prices text, tokens text, liquidity float8, volume float8, best_bid float8, best_ask float8)"
    )
    started_s = time.perf_counter()
    cursor = ""
    while True:
        page = await asyncio.to_thread(_get, gamma_url, cursor)
        for event in page["events"]:
            await _insert_event(database, event)
        cursor = page.get("next_cursor") or ""
        if not cursor:
            break
    elapsed_s = time.perf_counter() - started_s
    await database.execute("DROP TABLE bot_events, bot_markets")
    await database.close()
    return elapsed_s


def _get(gamma_url: str, cursor: str) -> dict[str, list[dict[str, object]]]:
    after = f"&after_cursor={cursor}" if cursor else ""
    address = f"{gamma_url}/events/keyset?limit={BOT_PAGE_LIMIT}&active=true&closed=false{after}"
    with urllib.request.urlopen(address) as response:
        page: dict[str, list[dict[str, object]]] = json.loads(response.read())
    return page


async def _insert_event(database: asyncpg.Connection, event: dict[str, object]) -> None:
    await database.execute(
        "INSERT INTO bot_events VALUES ($1, $2, $3, $4, $5) ON CONFLICT (id) DO NOTHING",
        event["id"],
        event.get("title"),
        float(event.get("liquidity") or 0),  # type: ignore[arg-type]  # JSON
        float(event.get("volume") or 0),  # type: ignore[arg-type]  # JSON
        event.get("endDate"),
    )
    for market in event["markets"]:  # type: ignore[attr-defined]  # JSON
        await database.execute(
            "INSERT INTO bot_markets VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (id) DO NOTHING",
            market["id"],
            event["id"],
            market["question"],
            market["conditionId"],
            json.dumps(json.loads(market["outcomes"])),
            json.dumps([float(price) for price in json.loads(market.get("outcomePrices") or "[]")]),
            json.dumps(json.loads(market.get("clobTokenIds") or "[]")),
            float(market.get("liquidity") or 0),
            float(market.get("volume") or 0),
            market.get("bestBid"),
            market.get("bestAsk"),
        )
