"""Executions that are handed over, in the memory store."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from prescient.adapters.memory.tables import StoreBase
from prescient.domain.cycle import StepReport
from prescient.domain.errors import InvariantBroken, NotFoundError
from prescient.domain.execution import ExecutionRequest, owner_lease


class ExecutionMethods(StoreBase):
    """The part of ``Store`` about executions that are handed over."""

    async def ask_execution(self, request: ExecutionRequest) -> None:
        tables = self._tables
        tables.row(request.portfolio_id)
        if request.request_id in tables.executions:
            raise InvariantBroken(f"execution {request.request_id} is asked for already")
        tables.executions[request.request_id] = request

    async def execution(self, request_id: str) -> ExecutionRequest:
        found = self._tables.executions.get(request_id)
        if found is None:
            raise NotFoundError(f"Execution {request_id} was never asked for.")
        return found

    async def withdraw_execution(self, request_id: str, now: datetime, *, only_if_unowned: bool = False) -> bool:
        found = self._tables.executions.get(request_id)
        if found is None or found.claimed_at is not None or found.ended_at is not None:
            return False
        if only_if_unowned and await self.is_owned(found.venue):
            return False
        self._tables.executions[request_id] = replace(found, ended_at=now)
        return True

    async def claim_execution(self, venue: str, owner: str, now: datetime) -> ExecutionRequest | None:
        for request_id, request in self._tables.executions.items():
            if request.venue == venue and request.claimed_at is None and request.ended_at is None:
                claimed = replace(request, claimed_by=owner, claimed_at=now)
                self._tables.executions[request_id] = claimed
                return claimed
        return None

    async def end_execution(
        self, request_id: str, report: StepReport | None, error: tuple[str, str] | None, now: datetime
    ) -> None:
        found = self._tables.executions.get(request_id)
        if found is not None and found.claimed_at is not None and found.ended_at is None:
            self._tables.executions[request_id] = replace(found, report=report, error=error, ended_at=now)

    async def abandoned_executions(self, venue: str) -> list[str]:
        kept = self._tables.executions.values()
        return [one.request_id for one in kept if one.venue == venue and one.claimed_at and not one.ended_at]

    async def is_owned(self, venue: str) -> bool:
        return owner_lease(venue) in self._tables.leases
