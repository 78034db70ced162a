"""The lower bound: the least that can be done to bring the catalogue into the database, and nothing else of a cycle."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import aiohttp
import asyncpg

from polymarket_kit.messages.pages import RawPage, split_page
from prescient.adapters.polymarket.messages.gamma import decode_events
from prescient.adapters.postgres.store.catalogue_rows import EVENT_COLUMNS, MARKET_COLUMNS, event_row, market_row
from prescient.adapters.postgres.store.catalogue_upsert import incoming, stage

# The pages that we ask for ourselves.
PAGE_LIMIT = 200


class LowerBound:
    """Fetch the same pages with read-ahead, decode typed, COPY and upsert the same rows: nothing else."""

    def __init__(self, gamma_url: str, dsn: str) -> None:
        self._gamma_url = gamma_url
        self._dsn = dsn

    async def open(self) -> None:
        self._session = aiohttp.ClientSession(headers={"Accept-Encoding": "identity"})
        self._database: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(self._dsn)
        await self._database.execute("SET synchronous_commit = off; SET enable_hashjoin = off; SET jit = off")
        for table, columns in (("events", EVENT_COLUMNS), ("markets", MARKET_COLUMNS)):
            await self._database.execute(stage(f"lower_bound_{table}", table, columns))

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
        await self._database.copy_records_to_table(f"lower_bound_{table}", records=rows, columns=columns)
        key, *rest = columns
        names, changes = ", ".join(columns), ", ".join(f"{name} = excluded.{name}" for name in rest)
        await self._database.execute(
            f"INSERT INTO {table} ({names}, updated_at) SELECT {', '.join(incoming(columns))}, now() "
            f"FROM lower_bound_{table} AS new "
            f"ON CONFLICT ({key}) DO UPDATE SET {changes}, updated_at = now()"
        )
