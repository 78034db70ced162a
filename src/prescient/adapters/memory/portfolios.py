"""Portfolios, cycles, leases and heartbeats of the memory store: who trades, and which run is under way."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from dataclasses import replace
from datetime import datetime
from typing import Any

from polymarket_kit.errors import InvalidRequest
from prescient.adapters.memory.settlements import settling_cash
from prescient.adapters.memory.tables import PortfolioRow, Process, StoreBase, Tables, checked_deltas, write_transfers
from prescient.domain.cycle import CycleReport, CycleRequest, CycleStatus, StepReport
from prescient.domain.errors import (
    ConflictError,
    CycleAlreadyRunning,
    CycleInterrupted,
    IdempotencyKeyReused,
    NotFoundError,
    PortfolioNotActive,
)
from prescient.domain.ledger import opening
from prescient.domain.portfolio import NewPortfolio, Portfolio, PortfolioStatus
from prescient.domain.records import Claim
from prescient.ports.store import Lease

INTERRUPTED = "The process that ran this cycle ended or lost the database. What it booked stays booked, whole."
# Whoever holds a lease in this process needs turns to get on, not time.
TURNS_PER_SECOND = 100
CHANGEABLE = frozenset({"name", "description", "strategy_type", "strategy_config", "schedule", "status"})


def copied_config(config: dict[str, Any]) -> dict[str, Any]:
    """Return the configuration as JSON keeps it: what the caller does to his own dict later changes nothing here."""
    copied: dict[str, Any] = json.loads(json.dumps(config))
    return copied


class PortfolioMethods(StoreBase):
    """The part of ``Store`` about portfolios."""

    async def create_portfolio(self, new: NewPortfolio, now: datetime) -> Portfolio:
        tables = self._tables
        if new.initial_balance_micro <= 0:
            raise InvalidRequest("initial_balance", "must be above zero.")
        _refuse_taken(tables, new.name, None)
        portfolio_id = len(tables.portfolios) + 1
        row = PortfolioRow(
            Portfolio(
                portfolio_id=portfolio_id,
                name=new.name,
                description=new.description,
                strategy_type=new.strategy_type,
                strategy_config=copied_config(new.strategy_config),
                initial_balance_micro=new.initial_balance_micro,
                cash_micro=0,
                reserved_micro=0,
                invested_micro=0,
                realized_pnl_micro=0,
                unrealized_pnl_micro=0,
                status=PortfolioStatus.ACTIVE,
                venue=new.venue,
                schedule=new.schedule,
                created_at=now,
                updated_at=now,
            )
        )
        transfers = opening(portfolio_id, new.initial_balance_micro, now)
        write_transfers(tables, row, transfers, checked_deltas(tables, row, transfers), now)
        tables.portfolios[portfolio_id] = row
        return _read(row)

    async def portfolio(self, portfolio_id: int) -> Portfolio:
        return _read(self._tables.row(portfolio_id))

    async def portfolios(self, status: PortfolioStatus | None = None) -> list[Portfolio]:
        rows = self._tables.portfolios.values()
        return [_read(row) for row in rows if status is None or row.portfolio.status is status]

    async def ever_had_portfolio(self) -> bool:
        return bool(self._tables.portfolios)

    async def change_portfolio(self, portfolio_id: int, changes: dict[str, Any], now: datetime) -> Portfolio:
        tables = self._tables
        row = tables.row(portfolio_id)
        if row.portfolio.status is PortfolioStatus.ARCHIVED:
            raise PortfolioNotActive(portfolio_id, PortfolioStatus.ARCHIVED.value)
        for name in changes:
            if name not in CHANGEABLE:
                raise InvalidRequest(name, f"cannot be changed; only {', '.join(sorted(CHANGEABLE))} can.")
        values = dict(changes)
        if "name" in values:
            _refuse_taken(tables, values["name"], portfolio_id)
        if "status" in values:
            values["status"] = PortfolioStatus(values["status"])
        if "strategy_config" in values:
            values["strategy_config"] = copied_config(values["strategy_config"])
        row.portfolio = replace(row.portfolio, **values, updated_at=now)
        return _read(row)


def _refuse_taken(tables: Tables, name: str, own_id: int | None) -> None:
    for portfolio_id, row in tables.portfolios.items():
        if row.portfolio.name == name and portfolio_id != own_id:
            raise ConflictError(f"Portfolio {portfolio_id} already has this name. Choose another name.")


def _read(row: PortfolioRow) -> Portfolio:
    config = copied_config(row.portfolio.strategy_config)
    return replace(row.portfolio, strategy_config=config, settling_micro=settling_cash(row))


class CycleMethods(StoreBase):
    """The part of ``Store`` about cycles."""

    async def claim_cycle(self, request: CycleRequest, now: datetime) -> Claim:
        tables = self._tables
        known_id = tables.cycle_by_key.get(request.idempotency_key) if request.idempotency_key else None
        if known_id is not None:
            known = tables.cycles[known_id]
            if _body(known.request) != _body(request):
                raise IdempotencyKeyReused
            return Claim(copied_report(known), replayed=True)
        for portfolio_id in request.portfolio_ids:
            tables.row(portfolio_id)
            running_id = tables.running.get(portfolio_id)
            if running_id is not None:
                raise CycleAlreadyRunning(portfolio_id, running_id)
        if request.cycle_id in tables.cycles:
            raise ConflictError(f"Cycle {request.cycle_id} ran before. Start another under a new id.")
        report = CycleReport(request, CycleStatus.RUNNING, now)
        tables.cycles[request.cycle_id] = copied_report(report)
        tables.cycle_owner[request.cycle_id] = self._process
        if request.idempotency_key:
            tables.cycle_by_key[request.idempotency_key] = request.cycle_id
        for portfolio_id in request.portfolio_ids:
            tables.running[portfolio_id] = request.cycle_id
        return Claim(report, replayed=False)

    async def save_cycle(self, report: CycleReport) -> None:
        tables = self._tables
        if _known(tables, report.cycle_id).status is not CycleStatus.RUNNING:
            raise CycleInterrupted(report.cycle_id)
        tables.cycles[report.cycle_id] = copied_report(report)

    async def finish_cycle(self, report: CycleReport) -> None:
        tables = self._tables
        if _known(tables, report.cycle_id).status is not CycleStatus.RUNNING:
            return
        tables.cycles[report.cycle_id] = copied_report(report)
        _let_go(tables, report.cycle_id)

    async def cycle(self, cycle_id: str) -> CycleReport:
        return copied_report(_known(self._tables, cycle_id))

    async def cycles(self, limit: int) -> list[CycleReport]:
        newest_first = sorted(self._tables.cycles.values(), key=_age, reverse=True)
        return [copied_report(report) for report in newest_first[:limit]]

    async def close_dead_cycles(self, now: datetime) -> list[str]:
        tables = self._tables
        dead = sorted(cycle_id for cycle_id, owner in tables.cycle_owner.items() if not owner.alive)
        for cycle_id in dead:
            report = tables.cycles[cycle_id]
            report.status = CycleStatus.INTERRUPTED
            report.ended_at = now
            report.error = report.error or INTERRUPTED
            _let_go(tables, cycle_id)
        return dead


def _body(request: CycleRequest) -> CycleRequest:
    """What one idempotency key stands for: all that was asked, but not under which id or by whom."""
    named = () if request.all_active else request.portfolio_ids
    return replace(request, cycle_id="", trigger="", portfolio_ids=named)


def _age(report: CycleReport) -> tuple[datetime, str]:
    return report.started_at, report.cycle_id


def _known(tables: Tables, cycle_id: str) -> CycleReport:
    report = tables.cycles.get(cycle_id)
    if report is None:
        raise NotFoundError(f"Cycle {cycle_id} does not exist. List them: GET /trading/cycles.")
    return report


def _let_go(tables: Tables, cycle_id: str) -> None:
    tables.cycle_owner.pop(cycle_id, None)
    for portfolio_id in tables.cycles[cycle_id].request.portfolio_ids:
        if tables.running.get(portfolio_id) == cycle_id:
            del tables.running[portfolio_id]


def copied_report(report: CycleReport) -> CycleReport:
    """Return a report of its own: the running cycle goes on filling in the one it holds."""
    # Built directly: a cycle saves its report after each step, and ``replace`` takes twice as long.
    steps = [
        StepReport(
            step.step,
            step.portfolio_id,
            step.count_in,
            step.count_out,
            step.seconds,
            Counter(step.dropped),
            dict(step.settings),
            dict(step.amounts),
        )
        for step in report.steps
    ]
    return replace(report, steps=steps)


class LeaseMethods(StoreBase):
    """The part of ``Store`` about one worker among all processes."""

    async def lease(self, name: str, wait_s: float = 0.0) -> Lease | None:
        """A free lease is taken without giving way; a held one is waited for in turns of the event loop."""
        leases = self._tables.leases
        for _ in range(int(wait_s * TURNS_PER_SECOND)):
            if name not in leases:
                break
            await asyncio.sleep(0)
        if name in leases:
            return None
        leases[name] = self._process
        return MemoryLease(leases, name, self._process)

    async def beat(self, name: str, now: datetime, detail: dict[str, Any]) -> None:
        self._tables.heartbeats[name] = (now, copied_config(detail))

    async def heartbeat(self, name: str) -> tuple[datetime, dict[str, Any]] | None:
        beat = self._tables.heartbeats.get(name)
        return None if beat is None else (beat[0], copied_config(beat[1]))

    async def ping(self) -> None:
        assert self._tables is self._shared

    async def close(self) -> None:
        """End this process: its leases are free and its running cycles dead. Closing twice is no error."""
        self._process.alive = False
        leases = self._shared.leases
        for name in [name for name, owner in leases.items() if owner is self._process]:
            del leases[name]


class MemoryLease:
    """A lease that ends when released or when its store is closed."""

    def __init__(self, leases: dict[str, Process], name: str, owner: Process) -> None:
        self._leases = leases
        self._name = name
        self._owner = owner
        self._released = False

    async def held(self) -> bool:
        return not self._released and self._leases.get(self._name) is self._owner

    async def release(self) -> None:
        if await self.held():
            del self._leases[self._name]
        self._released = True
