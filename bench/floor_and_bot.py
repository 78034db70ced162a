"""What the cycle is measured against: the least that could be done with the same pages, and what the usual bot does."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections.abc import Sequence
from typing import Any

import aiohttp
import asyncpg

from prescient.adapters.postgres.catalogue_rows import EVENT_COLUMNS, MARKET_COLUMNS, event_row, market_row
from prescient.adapters.postgres.catalogue_upsert import incoming, stage
from prescient.wire.gamma import decode_events
from prescient.wire.pages import RawPage, split_page

# The pages that we ask for ourselves.
PAGE_LIMIT = 200
BOT_PAGE_LIMIT = 100


class Floor:
    """Fetch the same pages with read-ahead, decode typed, COPY and upsert the same rows: nothing else."""

    def __init__(self, gamma_url: str, dsn: str) -> None:
        self._gamma_url = gamma_url
        self._dsn = dsn

    async def open(self) -> None:
        self._session = aiohttp.ClientSession(headers={"Accept-Encoding": "identity"})
        self._database: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(self._dsn)
        await self._database.execute("SET synchronous_commit = off; SET enable_hashjoin = off; SET jit = off")
        for table, columns in (("events", EVENT_COLUMNS), ("markets", MARKET_COLUMNS)):
            await self._database.execute(stage(f"floor_{table}", table, columns))

    async def run(self) -> None:
        ahead = asyncio.create_task(self._page(""))
        while True:
            page = await ahead
            if page.next_cursor:
                ahead = asyncio.create_task(self._page(page.next_cursor))
            await self._write(page)
            if not page.next_cursor:
                break

    async def close(self) -> None:
        await self._session.close()
        await self._database.close()

    async def _page(self, cursor: str) -> RawPage:
        params = {"limit": str(PAGE_LIMIT), "active": "true", "closed": "false", "archived": "false"}
        if cursor:
            params["after_cursor"] = cursor
        async with self._session.get(f"{self._gamma_url}/events/keyset", params=params) as response:
            return split_page(await response.read())

    async def _write(self, page: RawPage) -> None:
        events = decode_events(page.items).items
        event_rows = [event_row(event) for event in events]
        market_rows = [market_row(market) for event in events for market in event.markets]
        async with self._database.transaction():
            await self._upsert("events", EVENT_COLUMNS, event_rows)
            await self._upsert("markets", MARKET_COLUMNS, market_rows)

    async def _upsert(self, table: str, columns: Sequence[str], rows: Sequence[tuple[object, ...]]) -> None:
        await self._database.copy_records_to_table(f"floor_{table}", records=rows, columns=columns)
        key, *rest = columns
        names, changes = ", ".join(columns), ", ".join(f"{name} = excluded.{name}" for name in rest)
        await self._database.execute(
            f"INSERT INTO {table} ({names}, updated_at) SELECT {', '.join(incoming(columns))}, now() FROM floor_{table} AS new "
            f"ON CONFLICT ({key}) DO UPDATE SET {changes}, updated_at = now()"
        )


class UsualBot:
    """Sequential pages of 100, ``json``, a loop over dicts, one autocommitted INSERT per row, and no more than that."""

    def __init__(self, gamma_url: str, dsn: str) -> None:
        self._gamma_url = gamma_url
        self._dsn = dsn

    async def open(self) -> None:
        self._database: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(self._dsn)
        await self._database.execute(
            "CREATE TABLE IF NOT EXISTS bot_events (id text PRIMARY KEY, title text, liquidity float8, volume float8,"
            " end_date text);"
            "CREATE TABLE IF NOT EXISTS bot_markets (id text PRIMARY KEY, event_id text, question text, condition_id text,"
            " outcomes text, prices text, tokens text, liquidity float8, volume float8, best_bid float8, best_ask float8)"
        )

    async def run(self) -> None:
        cursor = ""
        while True:
            page = self._page(cursor)
            for event in page["events"]:
                await self._insert_event(event)
                for market in event["markets"]:
                    await self._insert_market(event["id"], market)
            cursor = page.get("next_cursor") or ""
            if not cursor:
                break

    async def close(self) -> None:
        await self._database.close()

    def _page(self, cursor: str) -> dict[str, Any]:
        after = f"&after_cursor={cursor}" if cursor else ""
        address = f"{self._gamma_url}/events/keyset?limit={BOT_PAGE_LIMIT}&active=true&closed=false{after}"
        with urllib.request.urlopen(address) as response:
            page: dict[str, Any] = json.loads(response.read())
        return page

    async def _insert_event(self, event: dict[str, Any]) -> None:
        await self._database.execute(
            "INSERT INTO bot_events VALUES ($1, $2, $3, $4, $5) ON CONFLICT (id) DO UPDATE SET title = excluded.title,"
            " liquidity = excluded.liquidity, volume = excluded.volume, end_date = excluded.end_date",
            event["id"],
            event.get("title"),
            float(event.get("liquidity") or 0),
            float(event.get("volume") or 0),
            event.get("endDate"),
        )

    async def _insert_market(self, event_id: str, market: dict[str, Any]) -> None:
        await self._database.execute(
            "INSERT INTO bot_markets VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (id) DO UPDATE SET"
            " question = excluded.question, prices = excluded.prices, liquidity = excluded.liquidity,"
            " volume = excluded.volume, best_bid = excluded.best_bid, best_ask = excluded.best_ask",
            market["id"],
            event_id,
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
