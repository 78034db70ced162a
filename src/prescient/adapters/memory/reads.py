"""What the API reads from the memory store beside the cycle's own needs: pages of the catalogue, a market's past."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from prescient.adapters.memory.tables import StoreBase
from prescient.domain.market import Event, Market
from prescient.domain.records import MarketSnapshot


class ReadMethods(StoreBase):
    """The part of ``Store`` that answers lists."""

    async def events_page(self, limit: int, offset: int, *, active_only: bool = True) -> list[Event]:
        found = [event for event in self._tables.events.values() if event.active or not active_only]
        found.sort(key=lambda event: (-event.volume_micro, event.event_id))
        return found[offset : offset + limit]

    async def event(self, event_id: str) -> Event | None:
        return self._tables.events.get(event_id)

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
        found = [
            market
            for market in self._tables.markets.values()
            if (market.active or not active_only)
            and (event_id is None or market.event_id == event_id)
            and market.liquidity_micro >= min_liquidity_micro
            and market.volume_micro >= min_volume_micro
        ]
        found.sort(key=lambda market: (-market.volume_micro, market.market_id))
        return found[offset : offset + limit]

    async def snapshots_of_market(self, market_id: str, limit: int) -> list[MarketSnapshot]:
        days = self._tables.snapshots
        newest_first = (
            MarketSnapshot(*row)
            for day in sorted(days, reverse=True)
            for row in reversed(days[day])
            if row.market_id == market_id
        )
        return list(islice(newest_first, limit))

    async def titles(self, subjects: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
        markets, events = self._tables.markets, self._tables.events
        found: dict[tuple[str, str], str] = {}
        for kind, subject_id in subjects:
            if kind == "market" and subject_id in markets:
                found[kind, subject_id] = markets[subject_id].question
            elif kind == "event" and subject_id in events:
                found[kind, subject_id] = events[subject_id].title
        return found

    async def last_screened(self) -> str | None:
        screened = self._tables.screened
        return max((cycle_id for cycle_id, market_ids in screened.items() if market_ids), default=None)
