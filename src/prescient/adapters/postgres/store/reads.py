"""What the API reads from PostgreSQL beside the cycle's own needs: pages of the catalogue, a market's past."""

from __future__ import annotations

from collections.abc import Sequence

from prescient.adapters.postgres.store.base import StoreBase
from prescient.adapters.postgres.store.catalogue_rows import EVENT, MARKET, event_of, market_of
from prescient.adapters.postgres.store.rows import value_of
from prescient.domain.market import Event, Market
from prescient.domain.records import MarketSnapshot

EVENTS_PAGE = f"""
SELECT {EVENT} FROM events WHERE active OR NOT $3 ORDER BY volume_micro DESC, event_id COLLATE "C" LIMIT $1 OFFSET $2
"""  # noqa: S608 # our own names
ONE_EVENT = f"SELECT {EVENT} FROM events WHERE event_id = $1"  # noqa: S608 # our own names
MARKETS_PAGE = f"""
SELECT {MARKET} FROM markets
 WHERE (active OR NOT $3) AND ($4::text IS NULL OR event_id = $4) AND liquidity_micro >= $5 AND volume_micro >= $6
 ORDER BY volume_micro DESC, market_id COLLATE "C" LIMIT $1 OFFSET $2
"""  # noqa: S608 # our own names
SNAPSHOTS_OF_MARKET = """
SELECT timestamp AS time, source, market_id, token_id, best_bid_micro, best_ask_micro, bid_depth_micro, ask_depth_micro,
       catalogue_price_micro
  FROM market_snapshots WHERE market_id = $1 ORDER BY timestamp DESC LIMIT $2
"""
TITLES = """
SELECT 'market' AS kind, market_id AS id, question AS title FROM markets WHERE market_id = ANY($1::text[])
 UNION ALL SELECT 'event', event_id, title FROM events WHERE event_id = ANY($2::text[])
"""
LAST_SCREENED = "SELECT max(cycle_id) FROM cycle_markets"


class ReadMethods(StoreBase):
    """The part of ``Store`` that answers lists; a page is at most some thousand rows."""

    async def events_page(self, limit: int, offset: int, *, active_only: bool = True) -> list[Event]:
        return [event_of(row) for row in await self._database.rows(EVENTS_PAGE, limit, offset, active_only)]

    async def event(self, event_id: str) -> Event | None:
        row = await self._database.row(ONE_EVENT, event_id)
        return None if row is None else event_of(row)

    async def markets_page(
        self,
        limit: int,
        offset: int,
        *,
        event_id: str | None = None,
        min_liquidity_micro: int = 0,
        min_volume_micro: int = 0,
        active_only: bool = True,
    ) -> list[Market]:
        rows = await self._database.rows(
            MARKETS_PAGE, limit, offset, active_only, event_id, min_liquidity_micro, min_volume_micro
        )
        return [market_of(row) for row in rows]

    async def snapshots_of_market(self, market_id: str, limit: int) -> list[MarketSnapshot]:
        rows = await self._database.rows(SNAPSHOTS_OF_MARKET, market_id, limit)
        return [value_of(MarketSnapshot, row) for row in rows]

    async def titles(self, subjects: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
        by_kind = {kind: [found for named, found in subjects if named == kind] for kind in ("market", "event")}
        rows = await self._database.rows(TITLES, by_kind["market"], by_kind["event"])
        return {(row["kind"], row["id"]): row["title"] for row in rows}

    async def last_screened(self) -> str | None:
        latest: str | None = await self._database.value(LAST_SCREENED)
        return latest
