"""The store's role for executions that are handed over to the process that holds a portfolio's venue."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from prescient.domain.cycle import StepReport
from prescient.domain.execution import ExecutionRequest


class Executions(Protocol):
    """Asked by whoever runs a step, claimed once by the owner of the venue's lease, ended by it."""

    async def ask_execution(self, request: ExecutionRequest) -> None:
        """Keep a request. Raises InvariantBroken for an id that is kept already."""
        ...

    async def execution(self, request_id: str) -> ExecutionRequest:
        """Raises NotFoundError."""
        ...

    async def withdraw_execution(self, request_id: str, now: datetime, *, only_if_unowned: bool = False) -> bool:
        """Take a request back that nobody has claimed: from now on nobody can. False if it is claimed or has ended.

        ``only_if_unowned``: and only while no process holds the lease of its venue, judged in the same transaction.
        """
        ...

    async def claim_execution(self, venue: str, owner: str, now: datetime) -> ExecutionRequest | None:
        """The oldest request for a venue that nobody has claimed; it is ``owner``'s from now on. None: there is none."""
        ...

    async def end_execution(
        self, request_id: str, report: StepReport | None, error: tuple[str, str] | None, now: datetime
    ) -> None:
        """End a claimed request; one that has ended stays."""
        ...

    async def abandoned_executions(self, venue: str) -> list[str]:
        """Claimed requests of a venue that have not ended: to whoever has just taken its lease, those of the dead."""
        ...

    async def is_owned(self, venue: str) -> bool:
        """Whether any process holds the lease of a venue now."""
        ...
