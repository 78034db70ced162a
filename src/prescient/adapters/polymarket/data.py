"""The venue's public data as the core's ``MarketData``: catalogue pages for collect, books and rules for decide and execute."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from functools import partial
from random import Random
from typing import Any, TypeVar

import msgspec
import structlog

from polymarket_kit.messages.pages import Decoded, RawPage, reason_of, split_page
from prescient.adapters.polymarket import limits
from prescient.adapters.polymarket.client import RequestRefused, RetryPolicy, VenueClient, VenueRequest
from prescient.adapters.polymarket.messages.clob import (
    decode_books,
    decode_clob_market,
    decode_price_history,
    decode_rules,
    payout_of_winner,
)
from prescient.adapters.polymarket.messages.gamma import StateReport, decode_events, decode_market_states
from prescient.adapters.polymarket.messages.http import HttpTransport
from prescient.adapters.polymarket.rules_cache import RulesCache
from prescient.adapters.polymarket.transport import AiohttpTransport, is_loopback
from prescient.domain.errors import VenueUnavailable
from prescient.domain.market import MarketState, OrderBook, PricePoint, Resolution, TradingRules
from prescient.ports.clock import Clock, Gather
from prescient.ports.market_data import EventPage

T = TypeVar("T")
log = structlog.get_logger(__name__)

# The venue allows 1..500 events a page. Pages come one after the other, so few are fast; large ones time out.
EVENTS_PER_PAGE = 200
PAGES_MAX = 2_000
# About this much JSON is decoded in one go (5 ms of catalogue, 15 ms of books), then everybody else has a turn.
STRETCH_BYTES = 250_000
BOOKS_PER_REQUEST = 200
STATES_PER_REQUEST = 100
# The venue's series end at about 4,300 points without saying so; longer ranges are asked for piece by piece.
POINTS_PER_REQUEST = 4_000
HISTORY_PIECES_MAX = 100
MINUTE_S = 60


class PolymarketData:
    """Reads catalogue, books, rules, price history and results. Safe to use from many tasks of one event loop.

    ``jitter`` gives numbers in 0..1 for the back-off; ``gather`` runs independent requests (one by one without it).
    ``dropped`` counts what was malformed, by kind of item.
    """

    def __init__(
        self,
        *,
        gamma_url: str,
        clob_url: str,
        clock: Clock,
        gather: Gather | None = None,
        jitter: Callable[[], float] | None = None,
        transport: HttpTransport | None = None,
        retry: RetryPolicy | None = None,
        concurrency: int = 8,
        timeout_s: float = 20.0,
        rules_max_age_s: float = 30.0,
        events_per_page: int = EVENTS_PER_PAGE,
    ) -> None:
        if not 1 <= events_per_page <= 500:
            raise ValueError("events_per_page must be 1..500, the venue's own bounds")
        self._gamma_url = gamma_url.rstrip("/")
        self._clob_url = clob_url.rstrip("/")
        self._clock = clock
        self._gather = gather or _one_by_one
        self._concurrency = concurrency
        self._events_per_page = events_per_page
        self._transport = transport or AiohttpTransport(
            timeout_s=timeout_s,
            connections_max=2 * concurrency,
            loopback=is_loopback(gamma_url) and is_loopback(clob_url),
        )
        self._client = VenueClient(self._transport, clock, jitter or Random(0).random, retry or RetryPolicy())
        self._rules = RulesCache(clock, rules_max_age_s)
        self.dropped: Counter[str] = Counter()

    @property
    def counts(self) -> Counter[str]:
        """Requests sent and attempts failed since the start."""
        return self._client.counts

    async def active_events(self) -> AsyncIterator[EventPage]:
        """All active, open events with their markets, page by page; the next page is on its way meanwhile.

        Raises VenueUnavailable when the listing breaks off or runs in a circle: a part is never passed off as the whole.
        """
        ahead: asyncio.Task[RawPage] | None = asyncio.create_task(self._event_page(""))
        cursors: set[str] = set()
        listed: set[str] = set()
        try:
            while ahead is not None:
                page = await ahead
                ahead = self._fetch_ahead(page.next_cursor, cursors)
                yield await self._read_events(page, listed)
        finally:
            if ahead is not None:
                ahead.cancel()
                await asyncio.gather(ahead, return_exceptions=True)

    def _fetch_ahead(self, cursor: str, cursors: set[str]) -> asyncio.Task[RawPage] | None:
        if not cursor:
            return None
        if cursor in cursors or len(cursors) >= PAGES_MAX:
            raise VenueUnavailable(
                f"The venue's catalogue has no end: a page cursor came twice or there are over {PAGES_MAX} pages. "
                "Nothing is wrong here; collect again later."
            )
        cursors.add(cursor)
        return asyncio.create_task(self._event_page(cursor))

    async def _event_page(self, cursor: str) -> RawPage:
        params = [
            ("limit", str(self._events_per_page)),
            ("active", "true"),
            ("closed", "false"),
            ("archived", "false"),
        ]
        if cursor:
            params.append(("after_cursor", cursor))
        question = VenueRequest("GET", f"{self._gamma_url}/events/keyset", params)
        return await self._client.fetch(question, limits.GAMMA_EVENTS, split_page)

    async def _read_events(self, page: RawPage, listed: set[str]) -> EventPage:
        """Decode a page in stretches short enough for everybody else, leaving out what an earlier page had."""
        events = EventPage([], [])
        for stretch in _stretches(page.items):
            decoded = decode_events(stretch)
            for event in decoded.items:
                if event.event_id in listed:
                    decoded.skipped.append((event.event_id, "event: listed twice"))
                    continue
                listed.add(event.event_id)
                events.events.append(event)
            events.skipped += decoded.skipped
            await self._clock.sleep(0)
        self._count(events.skipped)
        return events

    async def books(self, token_ids: Sequence[str]) -> dict[str, OrderBook]:
        """Fresh books by token id; a token without a book, or with one that makes no sense, is absent."""
        wanted = [token for token in dict.fromkeys(token_ids) if token.isascii() and token.isdecimal()]
        tasks = [partial(self._books, part) for part in _parts(wanted, BOOKS_PER_REQUEST)]
        found: dict[str, OrderBook] = {}
        for books in await self._gather(tasks, self._concurrency):
            found |= books
        return found

    async def _books(self, token_ids: Sequence[str]) -> dict[str, OrderBook]:
        body = msgspec.json.encode([{"token_id": token} for token in token_ids])
        question = VenueRequest("POST", f"{self._clob_url}/books", body=body)
        page = await self._client.fetch(question, limits.CLOB_BOOKS, split_page)
        decoded: Decoded[OrderBook] = Decoded()
        for stretch in _stretches(page.items):
            part = decode_books(stretch)
            decoded.items += part.items
            decoded.skipped += part.skipped
            await self._clock.sleep(0)
        asked = set(token_ids)
        decoded.skipped += [
            (book.token_id, "book: not asked for") for book in decoded.items if book.token_id not in asked
        ]
        self._count(decoded.skipped)
        return {book.token_id: book for book in decoded.items if book.token_id in asked}

    async def rules(self, condition_ids: Sequence[str]) -> dict[str, TradingRules]:
        """What the venue enforces, by condition id; unknown ones, and ones with fees that cannot be computed, are absent.

        Answers are kept for ``rules_max_age_s``: tick and fees seldom change, and an order on an old tick is refused.
        """
        found: dict[str, TradingRules] = {}
        missing: list[str] = []
        for condition_id in dict.fromkeys(condition_ids):
            known = self._rules.fresh(condition_id)
            if known is None:
                missing.append(condition_id)
            else:
                found[condition_id] = known
        tasks = [partial(self._fetch_rules, condition_id) for condition_id in missing]
        for rules in await self._gather(tasks, self._concurrency):
            if rules is not None:
                self._rules.put(rules)
                found[rules.condition_id] = rules
        return found

    async def _fetch_rules(self, condition_id: str) -> TradingRules | None:
        question = VenueRequest("GET", f"{self._clob_url}/clob-markets/{condition_id}")
        rules = await self._fetch_one(question, limits.CLOB_OTHER, decode_rules)
        if rules is not None and rules.condition_id != condition_id:
            self._count([(condition_id, "rules: of another market")])
            return None
        return rules

    async def price_history(self, token_id: str, start_s: int, end_s: int, fidelity_min: int) -> tuple[PricePoint, ...]:
        """Prices of one token from ``start_s`` to ``end_s`` (Unix seconds, both inclusive), oldest first.

        Raises ValueError for a range that would take more than a hundred requests.
        """
        piece_s = POINTS_PER_REQUEST * MINUTE_S * max(fidelity_min, 1)
        starts = range(start_s, end_s, piece_s) if end_s > start_s else range(0)
        if len(starts) > HISTORY_PIECES_MAX:
            raise ValueError(f"price history is too long: at most {HISTORY_PIECES_MAX * piece_s} s at this fidelity")
        points: dict[int, int] = {}
        for piece_start_s in starts:
            piece_end_s = min(piece_start_s + piece_s, end_s)
            points |= dict(await self._history(token_id, piece_start_s, piece_end_s, fidelity_min))
        return tuple(PricePoint(time_s, points[time_s]) for time_s in sorted(points))

    async def _history(self, token_id: str, start_s: int, end_s: int, fidelity_min: int) -> list[PricePoint]:
        params = [
            ("market", token_id),
            ("startTs", str(start_s)),
            ("endTs", str(end_s)),
            ("fidelity", str(fidelity_min)),
        ]
        question = VenueRequest("GET", f"{self._clob_url}/prices-history", params)
        decoded = await self._fetch_one(question, limits.CLOB_HISTORY, decode_price_history)
        if decoded is None:
            return []
        self._count(decoded.skipped)
        # The venue appends a point stamped with its own present, whatever the range.
        return [point for point in decoded.items if start_s <= point.time_s <= end_s]

    async def market_states(self, condition_ids: Sequence[str]) -> dict[str, MarketState]:
        """Resolution state by condition id; unknown ones are absent.

        The listing shows open markets unless told otherwise, so what is not among them is asked for among the closed.
        """
        wanted = list(dict.fromkeys(condition_ids))
        found: dict[str, StateReport] = {}
        for closed in ("false", "true"):
            missing = [condition_id for condition_id in wanted if condition_id not in found]
            tasks = [partial(self._states, part, closed) for part in _parts(missing, STATES_PER_REQUEST)]
            for reports in await self._gather(tasks, self._concurrency):
                found |= {report.state.condition_id: report for report in reports}
        reports = [found[condition_id] for condition_id in wanted if condition_id in found]
        states = await self._gather([partial(self._confirmed, report) for report in reports], self._concurrency)
        return {state.condition_id: state for state in states}

    async def _states(self, condition_ids: Sequence[str], closed: str) -> list[StateReport]:
        params = [("limit", str(len(condition_ids))), ("closed", closed)]
        params += [("condition_ids", condition_id) for condition_id in condition_ids]
        question = VenueRequest("GET", f"{self._gamma_url}/markets", params)
        page = await self._client.fetch(question, limits.GAMMA_MARKETS, split_page)
        decoded = decode_market_states(page.items)
        self._count(decoded.skipped)
        return decoded.items

    async def _confirmed(self, report: StateReport) -> MarketState:
        """Settle a market that closed without a word of the oracle, if the exchange names the same winner."""
        state, claimed = report
        if claimed is None:
            return state
        question = VenueRequest("GET", f"{self._clob_url}/markets/{state.condition_id}")
        market = await self._fetch_one(question, limits.CLOB_OTHER, decode_clob_market)
        if market is None or payout_of_winner(market) != claimed:
            return state
        return MarketState(
            condition_id=state.condition_id,
            resolution=Resolution.RESOLVED,
            closed=True,
            payout=claimed,
            market_id=state.market_id,
            extra={**state.extra, "confirmed_by": "exchange"},
        )

    async def _fetch_one(self, question: VenueRequest, rate: limits.Rate, read: Callable[[bytes], T]) -> T | None:
        """Ask for one object: None when the venue does not know it, or describes it so that it cannot be used."""

        def read_or_drop(body: bytes) -> T | None:
            try:
                return read(body)
            except ValueError as error:
                self._count([(str(question), f"answer: {reason_of(error)}")])
                return None

        try:
            return await self._client.fetch(question, rate, read_or_drop)
        except RequestRefused as refusal:
            if refusal.status == 404:
                return None
            raise

    def _count(self, skipped: Sequence[tuple[str, str]]) -> None:
        self.dropped.update(reason.partition(":")[0] for _, reason in skipped)
        if skipped:
            log.debug("venue_items_dropped", count=len(skipped), first_id=skipped[0][0], first_reason=skipped[0][1])

    async def close(self) -> None:
        await self._transport.close()


async def _one_by_one(tasks: Sequence[Callable[[], Awaitable[Any]]], limit: int) -> list[Any]:
    return [await task() for task in tasks]


def _parts(items: Sequence[str], size: int) -> list[Sequence[str]]:
    return [items[start : start + size] for start in range(0, len(items), size)]


def _stretches(items: Sequence[msgspec.Raw]) -> Iterator[list[msgspec.Raw]]:
    """Cut items into runs of about ``STRETCH_BYTES``."""
    stretch: list[msgspec.Raw] = []
    size = 0
    for item in items:
        stretch.append(item)
        size += memoryview(item).nbytes
        if size >= STRETCH_BYTES:
            yield stretch
            stretch, size = [], 0
    if stretch:
        yield stretch
