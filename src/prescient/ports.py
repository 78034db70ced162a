"""Every way out of the core, on one page: the clock, the market data, the venue, the store, the stages.

The core sees only these protocols; ``wiring`` picks the classes. Fakes in tests are small real implementations.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from prescient.domain.booking import Booking as Booking
from prescient.domain.booking import OrderUpdate
from prescient.domain.cycle import CycleReport, CycleRequest, StepReport
from prescient.domain.ledger import Transfer
from prescient.domain.market import Event, Market, MarketFigures, MarketState, OrderBook, PricePoint, TradingRules
from prescient.domain.order import (
    ApprovedOrder,
    Consumption,
    Fill,
    OrderIntent,
    OrderStatus,
    Refused,
    Submission,
    Trade,
)
from prescient.domain.portfolio import Mark, NewPortfolio, Portfolio, PortfolioStatus, Position, Snapshot
from prescient.domain.records import Claim as Claim
from prescient.domain.records import Collected as Collected
from prescient.domain.records import ComponentHealth as ComponentHealth
from prescient.domain.records import MarketSnapshot as MarketSnapshot
from prescient.domain.resting import RestingOrder
from prescient.domain.screening import EventFilter, MarketFilter
from prescient.domain.signal import Decision, MarketView, Pass, Proposal, Signal
from prescient.domain.stream import StreamEvent


class Clock(Protocol):
    """Time comes from here alone, so that a run is a plain sequence that a seed reproduces."""

    def now(self) -> datetime:
        """The present in UTC, aware."""

    def monotonic_s(self) -> float: ...

    async def sleep(self, seconds: float) -> None: ...


class Ids(Protocol):
    def new(self, kind: str) -> str:
        """Return a fresh id such as ``cycle-01J...``: unique, sortable by time, safe in a URL."""


class Gather(Protocol):
    """Runs independent coroutines side by side (or one by one in a simulation), results in order."""

    async def __call__(self, tasks: Sequence[Callable[[], Awaitable[Any]]], limit: int) -> list[Any]: ...


@dataclass(slots=True)
class EventPage:
    """One page of the catalogue, decoded. ``skipped`` lists (id, reason) of malformed items that were left out."""

    events: list[Event]
    skipped: list[tuple[str, str]]


class MarketData(Protocol):
    """What the venue publishes. Raises VenueUnavailable after bounded retries; never invents a price."""

    def active_events(self) -> AsyncIterator[EventPage]:
        """All active, open events with their markets, page by page; pages are fetched ahead."""

    async def books(self, token_ids: Sequence[str]) -> dict[str, OrderBook]:
        """Fresh books by token id; tokens without a book are absent."""

    async def rules(self, condition_ids: Sequence[str]) -> dict[str, TradingRules]:
        """What the venue enforces now, by condition id; unknown ones are absent."""

    async def price_history(
        self, token_id: str, start_s: int, end_s: int, fidelity_min: int
    ) -> tuple[PricePoint, ...]: ...

    async def market_states(self, condition_ids: Sequence[str]) -> dict[str, MarketState]:
        """Resolution state of markets by condition id, closed ones included; unknown ones are absent."""

    async def close(self) -> None: ...


class MarketStream(Protocol):
    """What the venue publishes as it happens. Reconnects by itself; whatever it may have missed, it tells as a gap."""

    async def follow(self, token_ids: Sequence[str]) -> None:
        """Follow these tokens from now on, beside those followed already."""

    async def unfollow(self, token_ids: Sequence[str]) -> None: ...

    def events(self) -> AsyncIterator[StreamEvent]:
        """Everything about the followed tokens, in order; ends when the stream is closed."""

    def book(self, token_id: str) -> OrderBook | None:
        """The book as last told, or None while there is a gap."""

    def evidence_age_s(self, token_id: str) -> float | None:
        """Seconds since anything proved this token's book right (an event, an equal REST book); None: never."""

    async def close(self) -> None: ...


class Venue(Protocol):
    """Takes approved orders and nothing else. One for paper, one for the real thing."""

    name: str

    async def submit(self, order: ApprovedOrder) -> Submission: ...

    async def resolve(self, order: ApprovedOrder) -> Submission:
        """Find out what became of an order whose answer was lost. Never sends it again."""


class RestingVenue(Protocol):
    """Where orders rest at a venue that fills them from what it is told. ``turn`` holds one market until all is booked."""

    def turn(self, condition_id: str) -> AbstractAsyncContextManager[None]: ...

    def condition_of(self, event: StreamEvent) -> str | None:
        """The market with orders of ours that an event is about, or None: nobody needs to hear it."""

    def observe(self, event: StreamEvent) -> list[OrderUpdate]: ...

    def sweep(self, condition_id: str) -> list[OrderUpdate]:
        """What has ended by itself: expired orders, and those that an order of ours came to (markets in ``waiting``)."""

    def opened(self, order_id: str) -> list[OrderUpdate]:
        """An accepted order is booked: from now on it may fill. Returns its end if it ended meanwhile."""

    def cancel(self, order_id: str) -> OrderUpdate | None:
        """Take an order off the book; None if it does not rest here (any more)."""

    def forget(self, order_id: str) -> None:
        """Let go of an order whose booking failed."""

    async def restore(self, kept: Sequence[tuple[ApprovedOrder, RestingOrder]]) -> None:
        """Own what rests: hold exactly these orders from now on, with a gap before now, and take in others."""

    def release(self) -> None:
        """Own nothing any more, and take in nothing."""

    def states(self) -> dict[str, RestingOrder]: ...
    def waiting(self) -> set[str]: ...
    async def tidy(self) -> None:
        """Let go of the markets in which nothing rests any more."""


class Strategy(Protocol):
    """One file, pure: looks at one market and proposes, or says why not. See strategies/majority.py."""

    name: str
    description: str
    parameters: tuple[Parameter, ...]
    # Hours of price history wanted for each outcome; 0 means none is fetched.
    history_hours: int

    def decide(self, view: MarketView, config: dict[str, Any]) -> Sequence[Proposal] | Pass: ...


@dataclass(frozen=True, slots=True)
class Parameter:
    """One key of ``strategy_config``. ``kind`` is number, integer, text, boolean or text_list."""

    name: str
    kind: str
    default: Any
    description: str
    minimum: float | None = None
    maximum: float | None = None
    unit: str = ""


class Store(Protocol):
    """Everything that is kept. Writers first lock the portfolio's row; the memory store refuses what PostgreSQL refuses.

    Raises StoreUnavailable when the database is away, and the domain errors named at each method.
    """

    # --- portfolios
    async def create_portfolio(self, new: NewPortfolio, now: datetime) -> Portfolio: ...
    async def portfolio(self, portfolio_id: int) -> Portfolio:
        """Raises PortfolioNotFound."""

    async def portfolios(self, status: PortfolioStatus | None = None) -> list[Portfolio]: ...
    async def ever_had_portfolio(self) -> bool: ...
    async def change_portfolio(self, portfolio_id: int, changes: dict[str, Any], now: datetime) -> Portfolio:
        """Change name, description, strategy_type, strategy_config, schedule or status; archived is final."""

    # --- cycles
    async def claim_cycle(self, request: CycleRequest, now: datetime) -> Claim:
        """Start a cycle, or replay one with the same key. Raises CycleAlreadyRunning, IdempotencyKeyReused."""

    async def save_cycle(self, report: CycleReport) -> None:
        """Raises NotFoundError, and CycleInterrupted when the cycle was taken for dead and closed."""

    async def finish_cycle(self, report: CycleReport) -> None:
        """Save the report and let the portfolios go; a cycle that was taken for dead stays as it was closed.

        Whatever goes wrong, the cycle is not under way any more: the next ``close_dead_cycles`` closes it.
        """

    async def cycle(self, cycle_id: str) -> CycleReport:
        """Raises NotFoundError."""

    async def cycles(self, limit: int) -> list[CycleReport]: ...
    async def close_dead_cycles(self, now: datetime) -> list[str]:
        """Mark cycles whose process is gone as interrupted; returns their ids. A living process's cycle is left alone."""

    # --- catalogue
    async def save_events(self, pages: AsyncIterator[EventPage], cycle_id: str, now: datetime) -> Collected:
        """Upsert every page as it arrives; events no longer listed are marked inactive when all pages came."""

    async def active_events(self) -> list[Event]:
        """The collected active events without their markets."""

    async def markets_of(self, event_ids: Sequence[str]) -> list[Market]: ...
    async def market_figures(self, event_ids: Sequence[str]) -> list[MarketFigures]:
        """What screening asks of all markets of these events, by id."""

    async def markets_by_condition(self, condition_ids: Sequence[str]) -> dict[str, Market]: ...
    async def find_market(self, text: str) -> Market | None:
        """A market by its id, condition id or slug."""

    async def save_screened(self, cycle_id: str, market_ids: Sequence[str]) -> None: ...
    async def screened(self, cycle_id: str) -> list[Market]: ...
    async def save_snapshots(
        self, source: str, books: Sequence[tuple[Market, OrderBook | None]], now: datetime
    ) -> None:
        """Append to ``market_snapshots``: one row per outcome with best bid and ask, depth and catalogue price."""

    # --- why
    async def save_decisions(self, cycle_id: str, decisions: Sequence[Decision], now: datetime) -> None: ...
    async def decisions(
        self,
        *,
        cycle_id: str | None = None,
        subject_id: str | None = None,
        portfolio_id: int | None = None,
        limit: int = 200,
    ) -> list[tuple[str, datetime, Decision]]:
        """(cycle id, time, decision), newest first. A portfolio's are its own and those that all portfolios share."""

    # --- signals, orders, trades
    async def save_signals(self, signals: Sequence[Signal]) -> None: ...
    async def signals(
        self,
        *,
        cycle_id: str | None = None,
        portfolio_id: int | None = None,
        signal_ids: Sequence[str] | None = None,
        pending_only: bool = False,
        limit: int = 1000,
    ) -> list[Signal]: ...
    async def save_refusal(self, intent: OrderIntent, refused: Refused, now: datetime) -> None: ...
    async def reserve(self, order: ApprovedOrder, transfers: Sequence[Transfer], now: datetime) -> bool:
        """Commit the order's row and its reservation before anything is sent; False if this signal has an order already."""

    async def book(self, booking: Booking, now: datetime) -> None:
        """Commit an answered order. Raises InvariantBroken rather than let cash or shares go below zero.

        Raises PositionMoved when the position is not ``booking.before`` any more; nothing is booked then.
        """

    async def open_orders(self) -> list[tuple[ApprovedOrder, OrderStatus]]:
        """Orders without a final status, oldest first: what a restart must resolve."""

    async def resting_orders(self) -> list[tuple[ApprovedOrder, RestingOrder]]:
        """Orders that rest at a venue of ours, oldest first, as they were kept last."""

    async def save_resting(self, states: Sequence[RestingOrder], now: datetime) -> None:
        """Keep places in queues between two bookings; an order that was filled or ended since changes nothing."""

    async def consumption(self, token_id: str, side: str) -> Consumption: ...
    async def trades(self, portfolio_id: int | None, limit: int) -> list[Trade]: ...
    async def fills(self, order_id: str) -> list[Fill]: ...

    # --- positions, marks, snapshots
    async def positions(self, portfolio_id: int | None, *, open_only: bool = True) -> list[Position]: ...
    async def position(self, portfolio_id: int, token_id: str) -> Position | None: ...
    async def save_marks(self, portfolio_id: int, marks: Sequence[Mark], now: datetime) -> None: ...
    async def settle(
        self,
        portfolio_id: int,
        transfers: Sequence[Transfer],
        position: Position,
        now: datetime,
        before: Position | None = None,
    ) -> bool:
        """Book a resolved position once; False if these transfers were booked before. Raises PositionMoved like ``book``."""

    async def swap(
        self,
        portfolio_id: int,
        transfers: Sequence[Transfer],
        changes: Sequence[tuple[Position, Position]],
        now: datetime,
    ) -> bool:
        """Book positions that turn into one another or into cash, as (before, after); False if booked before.

        Raises PositionMoved like ``book``, InvariantBroken.
        """

    async def snapshot(self, portfolio_id: int, cycle_id: str, now: datetime) -> Snapshot:
        """Check the identities, then write the day's row and an equity point. Raises InvariantBroken."""

    async def history(self, portfolio_id: int | None, limit: int) -> list[Snapshot]: ...
    async def equity(self, portfolio_id: int, since: datetime, limit: int) -> list[Snapshot]: ...
    async def trade_counts(self, portfolio_id: int | None) -> dict[int, tuple[int, int, int]]:
        """By portfolio: trades, wins and losses (closed positions with realised profit above or below zero)."""

    async def ledger_balances(self, portfolio_id: int) -> dict[tuple[str, str], int]:
        """Sum of the ledger by (account, asset), for the audit."""

    async def prune(self, now: datetime, decisions_days: int, snapshots_days: int) -> None:
        """Drop decisions and market snapshots past their time, and make the partitions ahead."""

    # --- reads for the API
    async def events_page(self, limit: int, offset: int, *, active_only: bool = True) -> list[Event]:
        """Collected events without their markets: highest volume first, then by id as text."""

    async def event(self, event_id: str) -> Event | None:
        """One event without its markets, active or not."""

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
        """Collected markets above both floors (inclusive): highest volume first, then by id as text."""

    async def snapshots_of_market(self, market_id: str, limit: int) -> list[MarketSnapshot]:
        """The kept ``market_snapshots`` rows of one market, newest first."""

    async def titles(self, subjects: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """Questions and titles by (kind, id), kind "market" or "event"; unknown ones are absent."""

    async def last_screened(self) -> str | None:
        """The latest cycle id (ids sort by time) under which any market was screened, or None."""

    # --- one updater among all processes
    async def lease(self, name: str, wait_s: float = 0.0) -> Lease | None:
        """Take a lease that ends with this process, or None while another holds it.

        ``wait_s`` is how long to wait for it, in seconds of our own whatever the clock of the world says.
        """

    async def beat(self, name: str, now: datetime, detail: dict[str, Any]) -> None: ...
    async def heartbeat(self, name: str) -> tuple[datetime, dict[str, Any]] | None: ...
    async def ping(self) -> None: ...
    async def close(self) -> None: ...


class Lease(Protocol):
    async def held(self) -> bool: ...
    async def release(self) -> None: ...


class CycleSteps(Protocol):
    """The six verbs. ``trading.local_steps`` runs them here, ``adapters.http_steps`` asks the services that do."""

    async def collect(self, cycle_id: str) -> StepReport: ...
    async def filter(self, cycle_id: str, limits: EventFilter) -> StepReport: ...
    async def screen(self, cycle_id: str, limits: EventFilter, market_limits: MarketFilter) -> StepReport: ...
    async def decide(self, cycle_id: str, portfolio_id: int, limits: MarketFilter) -> StepReport: ...
    async def execute(self, cycle_id: str, portfolio_id: int) -> StepReport: ...
    async def mark(self, portfolio_id: int) -> StepReport: ...
    async def snapshot(self, cycle_id: str, portfolio_id: int) -> StepReport: ...


@dataclass(frozen=True, slots=True)
class TradingContext:
    """The ports that one process trades with, chosen once in ``wiring``."""

    clock: Clock
    ids: Ids
    gather: Gather
    market_data: MarketData
    venue: Venue
    store: Store
    strategies: dict[str, Strategy]
    # What the source of markets is called ("polymarket", "practice seed 7"), for status pages.
    source: str = ""
    # Where orders rest, and what is told of the markets they rest in. None: this source has no stream, so none may rest.
    resting: RestingVenue | None = None
    stream: MarketStream | None = None
