"""The catalogue of the memory store: what collect brought, what screen let through, and why the rest was dropped."""

from __future__ import annotations

from bisect import insort
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from polymarket_kit.model import Level
from prescient.adapters.memory.tables import DecisionBatch, SnapshotRow, StoreBase, Tables
from prescient.domain.market import Event, Market, MarketFigures, OrderBook
from prescient.domain.records import Collected
from prescient.domain.signal import Decision
from prescient.ports.market_data import EventPage


class CatalogueMethods(StoreBase):
    """The part of ``Store`` about events and markets. Events and markets are kept as they came, not copied."""

    async def save_events(self, pages: AsyncIterator[EventPage], cycle_id: str, now: datetime) -> Collected:
        tables = self._tables
        event_ids: set[str] = set()
        market_ids: set[str] = set()
        skipped = 0
        async for page in pages:
            skipped += len(page.skipped)
            for event in page.events:
                event_ids.add(event.event_id)
                market_ids.update(market.market_id for market in event.markets)
                _upsert(tables, event)
        # Reached only when every page came: an error in the middle leaves what was listed before as it is.
        closed = _mark_unlisted(tables, event_ids, market_ids)
        return Collected(len(event_ids), len(market_ids), skipped, closed)

    async def active_events(self) -> list[Event]:
        events = self._tables.events
        return [events[event_id] for event_id in sorted(events) if events[event_id].active]

    async def markets_of(self, event_ids: Sequence[str]) -> list[Market]:
        tables = self._tables
        found: set[str] = set()
        for event_id in set(event_ids):
            found.update(tables.markets_by_event.get(event_id, ()))
        return [tables.markets[market_id] for market_id in sorted(found)]

    async def market_figures(self, event_ids: Sequence[str]) -> list[MarketFigures]:
        return [market.figures for market in await self.markets_of(event_ids)]

    async def markets_by_condition(self, condition_ids: Sequence[str]) -> dict[str, Market]:
        tables = self._tables
        by_condition = tables.market_by_condition
        return {
            condition_id: tables.markets[by_condition[condition_id]]
            for condition_id in condition_ids
            if condition_id in by_condition
        }

    async def find_market(self, text: str) -> Market | None:
        tables = self._tables
        market_id = text if text in tables.markets else tables.market_by_condition.get(text)
        market_id = market_id or tables.market_by_slug.get(text)
        return None if market_id is None else tables.markets[market_id]

    async def save_screened(self, cycle_id: str, market_ids: Sequence[str]) -> None:
        self._tables.screened[cycle_id] = tuple(dict.fromkeys(market_ids))

    async def screened(self, cycle_id: str) -> list[Market]:
        tables = self._tables
        market_ids = tables.screened.get(cycle_id, ())
        return [tables.markets[market_id] for market_id in market_ids if market_id in tables.markets]

    async def save_snapshots(
        self, source: str, books: Sequence[tuple[Market, OrderBook | None]], now: datetime
    ) -> None:
        rows = self._tables.snapshots[now.astimezone(UTC).date()]
        for market, book in books:
            rows.extend(_snapshot_rows(source, market, book, now))


def _upsert(tables: Tables, event: Event) -> None:
    tables.events[event.event_id] = replace(event, markets=())
    for market in event.markets:
        before = tables.markets.get(market.market_id)
        if before is not None and before.event_id != market.event_id:
            tables.markets_by_event[before.event_id].pop(market.market_id, None)
        tables.markets[market.market_id] = market
        tables.markets_by_event[market.event_id][market.market_id] = None
        tables.market_by_condition[market.condition_id] = market.market_id
        tables.market_by_slug[market.slug] = market.market_id


def _mark_unlisted(tables: Tables, event_ids: set[str], market_ids: set[str]) -> int:
    """Mark what the venue no longer lists as inactive; returns how many events that were."""
    closed = 0
    for event_id, event in tables.events.items():
        if event.active and event_id not in event_ids:
            tables.events[event_id] = replace(event, active=False)
            closed += 1
    for market_id, market in tables.markets.items():
        if market.active and market_id not in market_ids:
            tables.markets[market_id] = replace(market, active=False)
    return closed


def _snapshot_rows(source: str, market: Market, book: OrderBook | None, now: datetime) -> Iterator[SnapshotRow]:
    """One row per outcome, or the one outcome whose book was read."""
    for outcome in market.outcomes:
        if book is not None and book.token_id != outcome.token_id:
            continue
        yield SnapshotRow(
            now,
            source,
            market.market_id,
            outcome.token_id,
            book.best_bid_micro if book else None,
            book.best_ask_micro if book else None,
            _depth(book.bids) if book else 0,
            _depth(book.asks) if book else 0,
            outcome.price_micro,
        )


def _depth(levels: Iterable[Level]) -> int:
    return sum(level.size_micro for level in levels)


def _time(batch: DecisionBatch) -> datetime:
    return batch.time


class DecisionMethods(StoreBase):
    """The part of ``Store`` that answers "why did it not trade?", and its retention."""

    async def save_decisions(self, cycle_id: str, decisions: Sequence[Decision], now: datetime) -> None:
        if decisions:
            # Kept by time, whoever saves late; at the end in nearly every case.
            insort(self._tables.decisions, DecisionBatch(cycle_id, now, tuple(decisions)), key=_time)

    async def decisions(
        self,
        *,
        cycle_id: str | None = None,
        subject_id: str | None = None,
        portfolio_id: int | None = None,
        limit: int = 200,
    ) -> list[tuple[str, datetime, Decision]]:
        found: list[tuple[str, datetime, Decision]] = []
        for batch in reversed(self._tables.decisions):
            if cycle_id is not None and batch.cycle_id != cycle_id:
                continue
            for decision in reversed(batch.decisions):
                if len(found) >= limit:
                    return found
                if subject_id is not None and decision.subject_id != subject_id:
                    continue
                if portfolio_id is not None and decision.portfolio_id not in (None, portfolio_id):
                    continue
                found.append((batch.cycle_id, batch.time, decision))
        return found

    async def prune(self, now: datetime, decisions_days: int, snapshots_days: int) -> None:
        """Drop whole UTC days past their time, and what cycles of those times screened."""
        tables = self._tables
        oldest = now - timedelta(days=decisions_days)
        first_kept = oldest.astimezone(UTC).date()
        tables.decisions = [batch for batch in tables.decisions if batch.time.astimezone(UTC).date() >= first_kept]
        first_kept = (now - timedelta(days=snapshots_days)).astimezone(UTC).date()
        for day in [day for day in tables.snapshots if day < first_kept]:
            del tables.snapshots[day]
        for cycle_id in list(tables.screened):
            cycle = tables.cycles.get(cycle_id)
            if cycle is not None and cycle.started_at < oldest:
                del tables.screened[cycle_id]
