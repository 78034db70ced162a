"""The store, by role: each group of functions asks for the narrow port it needs; ``Store`` is all of them.

Writers first lock the portfolio's row. The memory store refuses what PostgreSQL refuses. Every method raises
StoreUnavailable when the database is away, and the domain errors that it names.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any, Protocol

from prescient.domain.booking import Booking
from prescient.domain.cycle import CycleReport, CycleRequest
from prescient.domain.ledger import Transfer
from prescient.domain.market import Event, Market, MarketFigures, OrderBook
from prescient.domain.order import (
    ApprovedOrder,
    Consumption,
    Fill,
    OrderIntent,
    OrderStatus,
    Refused,
    Trade,
)
from prescient.domain.order_state import Fact
from prescient.domain.portfolio import Mark, NewPortfolio, Portfolio, PortfolioStatus, Position, Snapshot
from prescient.domain.records import Claim, Collected, MarketSnapshot
from prescient.domain.resting import RestingOrder
from prescient.domain.risk import Check
from prescient.domain.signal import Decision, Signal
from prescient.ports.executions import Executions
from prescient.ports.market_data import EventPage
from prescient.ports.requests import PositionRequests
from prescient.ports.settlements import Obligations, Settlements
from prescient.ports.submissions import Submissions


class Portfolios(Protocol):
    """Portfolios as people manage them; rows are never deleted."""

    async def create_portfolio(self, new: NewPortfolio, now: datetime) -> Portfolio:
        """Create a portfolio with its opening entry in the ledger. Raises ConflictError for a name that is taken."""
        ...

    async def portfolio(self, portfolio_id: int) -> Portfolio:
        """Raises PortfolioNotFound."""
        ...

    async def portfolios(self, status: PortfolioStatus | None = None) -> list[Portfolio]:
        """All portfolios, or those of one status, by id."""
        ...

    async def ever_had_portfolio(self) -> bool:
        """Whether any portfolio was ever created, archived ones included."""
        ...

    async def change_portfolio(self, portfolio_id: int, changes: dict[str, Any], now: datetime) -> Portfolio:
        """Change name, description, strategy_type, strategy_config, schedule or status.

        Raises PortfolioNotFound, and ConflictError for a name that is taken or an archived portfolio: that is final.
        """
        ...


class Cycles(Protocol):
    """Cycles and their reports: one at a time for each portfolio."""

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

    async def cycles(self, limit: int) -> list[CycleReport]:
        """The latest cycles, newest first; at most ``limit``."""
        ...

    async def close_dead_cycles(self, now: datetime) -> list[str]:
        """Mark cycles whose process is gone as interrupted; returns their ids. A living process's cycle is left alone."""


class PortfolioCycles(Portfolios, Cycles, Protocol):
    """What running a cycle asks of the store itself; its steps ask for the rest."""


class Catalogue(Protocol):
    """Events and markets as they were collected, which of them passed the screen, and how their books looked."""

    async def save_events(self, pages: AsyncIterator[EventPage], cycle_id: str, now: datetime) -> Collected:
        """Upsert every page as it arrives; events no longer listed are marked inactive when all pages came."""

    async def active_events(self) -> list[Event]:
        """The collected active events without their markets."""

    async def markets_of(self, event_ids: Sequence[str]) -> list[Market]:
        """All markets of these events, by event and id."""
        ...

    async def market_figures(self, event_ids: Sequence[str]) -> list[MarketFigures]:
        """What screening asks of all markets of these events, by id."""

    async def markets_by_condition(self, condition_ids: Sequence[str]) -> dict[str, Market]:
        """Markets by condition id, active or not; unknown ones are absent."""
        ...

    async def find_market(self, text: str) -> Market | None:
        """A market by its id, condition id or slug."""

    async def save_screened(self, cycle_id: str, market_ids: Sequence[str]) -> None:
        """Record which markets passed this cycle's filters. Again with the same cycle adds to them."""
        ...

    async def screened(self, cycle_id: str) -> list[Market]:
        """The markets that passed this cycle's filters, by id."""
        ...

    async def save_snapshots(
        self, source: str, books: Sequence[tuple[Market, OrderBook | None]], now: datetime
    ) -> None:
        """Append to ``market_snapshots``: one row per outcome with best bid and ask, depth and catalogue price."""


class Decisions(Protocol):
    """Why something did or did not trade."""

    async def save_decisions(self, cycle_id: str, decisions: Sequence[Decision], now: datetime) -> None:
        """Append decisions; those equal to the latest ones about the same subject are stored by reference."""
        ...

    async def decisions(
        self,
        *,
        cycle_id: str | None = None,
        subject_id: str | None = None,
        portfolio_id: int | None = None,
        limit: int = 200,
    ) -> list[tuple[str, datetime, Decision]]:
        """(cycle id, time, decision), newest first. A portfolio's are its own and those that all portfolios share."""


class Signals(Protocol):
    """What strategies propose, before it is traded."""

    async def save_signals(self, signals: Sequence[Signal]) -> None:
        """Append signals; an id that is known stays as it was. Raises PortfolioNotFound."""
        ...

    async def signals(
        self,
        *,
        cycle_id: str | None = None,
        portfolio_id: int | None = None,
        signal_ids: Sequence[str] | None = None,
        pending_only: bool = False,
        limit: int = 1000,
    ) -> list[Signal]:
        """Signals in the order in which they were saved, at most ``limit``. ``pending_only``: those without an order."""
        ...


class Orders(Protocol):
    """Orders from the intent to the last fill: committed before the wire, booked whole or not at all after it."""

    async def approve(self, intent: OrderIntent, check: Check, now: datetime) -> ApprovedOrder | Refused:
        """Check and reserve in one: ``check`` judges the portfolio as it stands under its lock, for any intent.

        The verdict is committed before anything is sent: the order's row with its reservation, or its refusal. A signal
        that has an order or a refusal keeps it, and this is "already_ordered". ``check`` may be called more than once.
        Raises PortfolioNotFound.
        """
        ...

    async def book(self, booking: Booking, now: datetime) -> None:
        """Commit what is told of an order, and the status that follows from all its facts.

        Raises InvariantBroken rather than let cash or shares go below zero, and for what is booked already.

        Raises PositionMoved when the position is not ``booking.before`` any more; nothing is booked then.
        """

    async def facts(self, order_id: str) -> list[Fact]:
        """All that is known of one order, by time and id; empty for an unknown order and for one without facts."""
        ...

    async def order(self, order_id: str) -> tuple[ApprovedOrder, OrderStatus] | None:
        """One order that passed the gate, whatever became of it; None for any other."""
        ...

    async def open_orders(self) -> list[tuple[ApprovedOrder, OrderStatus]]:
        """Orders without a final status, oldest first: what a restart must resolve."""

    async def resting_orders(self) -> list[tuple[ApprovedOrder, RestingOrder]]:
        """Orders that rest at a venue of ours, oldest first, as they were kept last."""

    async def save_resting(self, states: Sequence[RestingOrder], now: datetime) -> None:
        """Keep places in queues between two bookings; an order that was filled or ended since changes nothing."""

    async def consumption(self, token_id: str, side: str) -> Consumption:
        """What paper orders took from one side ("bids" or "asks") of a book; empty if nothing."""
        ...

    async def trades(self, portfolio_id: int | None, limit: int) -> list[Trade]:
        """Trades with their fills, the one booked last first; at most ``limit``. None: of all portfolios."""
        ...

    async def fills(self, order_id: str) -> list[Fill]:
        """The fills of one order in the order in which they matched; empty for an unknown order."""
        ...


class Positions(Protocol):
    """What is held and what it would bring now."""

    async def positions(self, portfolio_id: int | None, *, open_only: bool = True) -> list[Position]:
        """Positions by portfolio, the one opened first first. None: of all portfolios."""
        ...

    async def position(self, portfolio_id: int, token_id: str) -> Position | None:
        """One position, closed or open; None if there never was one."""
        ...

    async def save_marks(self, portfolio_id: int, marks: Sequence[Mark], now: datetime) -> None:
        """Value open positions; a mark of a position that changed since is left out. Raises PortfolioNotFound."""
        ...

    async def settle(
        self,
        portfolio_id: int,
        transfers: Sequence[Transfer],
        position: Position,
        now: datetime,
        before: Position | None = None,
        closes: str = "",
    ) -> bool:
        """Book a resolved position once; False if these transfers were booked before.

        ``closes`` names the open request of which this is the outcome: both or neither. Raises RequestClosed.

        Raises PositionMoved like ``book``, and for shares of a SELL order that is on its way; a resting one gives way.
        """

    async def swap(
        self,
        portfolio_id: int,
        transfers: Sequence[Transfer],
        changes: Sequence[tuple[Position, Position]],
        now: datetime,
        closes: str = "",
    ) -> bool:
        """Book positions that turn into one another or into cash, as (before, after); False if booked before.

        ``closes`` as in ``settle``.

        Raises PositionMoved like ``book``, and for shares that open SELL orders may take; InvariantBroken.
        """

    async def trade_counts(self, portfolio_id: int | None) -> dict[int, tuple[int, int, int]]:
        """By portfolio: trades, wins and losses (closed positions with realised profit above or below zero)."""
        ...


class History(Protocol):
    """Value over time, and the audit of the ledger."""

    async def snapshot(self, portfolio_id: int, cycle_id: str, now: datetime) -> Snapshot:
        """Check the identities, then write the day's row and an equity point. Raises InvariantBroken."""

    async def history(self, portfolio_id: int | None, limit: int) -> list[Snapshot]:
        """Daily snapshots, the latest day first; at most ``limit``. None: of all portfolios."""
        ...

    async def equity(self, portfolio_id: int, since: datetime, limit: int) -> list[Snapshot]:
        """Intraday snapshots since a time, oldest first; at most ``limit``."""
        ...

    async def ledger_balances(self, portfolio_id: int) -> dict[tuple[str, str], int]:
        """Sum of the ledger by (account, asset), for the audit."""

    async def prune(self, now: datetime, decisions_days: int, snapshots_days: int) -> None:
        """Drop decisions and market snapshots past their time, and make the partitions ahead."""


class CatalogueReads(Protocol):
    """Pages and titles for the API."""

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


class Lease(Protocol):
    """A right that one process has, until it releases it or ends."""

    async def held(self) -> bool:
        """Whether it is still ours: a lost connection to the database loses it."""
        ...

    async def release(self) -> None:
        """Give it up; again is without effect."""
        ...


class Leases(Protocol):
    """One owner among all processes, and signs of life."""

    async def lease(self, name: str, wait_s: float = 0.0) -> Lease | None:
        """Take a lease that ends with this process, or None while another holds it.

        ``wait_s`` is how long to wait for it, in seconds of our own whatever the clock of the world says.
        """

    async def beat(self, name: str, now: datetime, detail: dict[str, Any]) -> None:
        """Record a sign of life under a name, with what is worth showing."""
        ...

    async def heartbeat(self, name: str) -> tuple[datetime, dict[str, Any]] | None:
        """The last sign of life under a name, or None."""
        ...


class Store(
    Portfolios,
    Cycles,
    Catalogue,
    Decisions,
    Signals,
    Orders,
    Submissions,
    PositionRequests,
    Executions,
    Positions,
    Settlements,
    Obligations,
    History,
    CatalogueReads,
    Leases,
    Protocol,
):
    """Everything that is kept."""

    async def ping(self) -> None:
        """Raises StoreUnavailable when the database does not answer."""
        ...

    async def close(self) -> None:
        """Close the connections; nothing may be asked afterwards."""
        ...
