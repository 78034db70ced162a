"""The six verbs of a cycle as one port: run in this process, or asked from the services that run them."""

from __future__ import annotations

from typing import Protocol

from prescient.domain.cycle import StepReport
from prescient.domain.screening import EventFilter, MarketFilter


class CycleSteps(Protocol):
    """``steps.local`` runs the verbs here, ``adapters.http_steps`` asks the services that do.

    The runbook counts seven steps: collect is its steps 1 and 2, of which ``filter`` is the second. Each step reports
    what came in, what went out, and what was dropped and why; the rows lie in the store. All raise StoreUnavailable,
    and over HTTP StepUnavailable.
    """

    async def collect(self, cycle_id: str) -> StepReport:
        """Store all active events with their markets. Raises VenueUnavailable."""
        ...

    async def filter(self, cycle_id: str, limits: EventFilter) -> StepReport:
        """Count the events that pass, and record why the others do not."""
        ...

    async def screen(self, cycle_id: str, limits: EventFilter, market_limits: MarketFilter) -> StepReport:
        """Store which markets of the passing events pass as well. Raises VenueUnavailable."""
        ...

    async def decide(self, cycle_id: str, portfolio_id: int, limits: MarketFilter) -> StepReport:
        """Store the portfolio's signals for the screened markets. Raises PortfolioNotFound, VenueUnavailable."""
        ...

    async def execute(self, cycle_id: str, portfolio_id: int) -> StepReport:
        """Trade the pending signals once. Raises PortfolioNotFound, ExecutionRunning."""
        ...

    async def mark(self, portfolio_id: int) -> StepReport:
        """Settle what has resolved and value what is held. Raises PortfolioNotFound, VenueUnavailable."""
        ...

    async def snapshot(self, cycle_id: str, portfolio_id: int) -> StepReport:
        """Check the books and write the day's history. Raises PortfolioNotFound, InvariantBroken."""
        ...
