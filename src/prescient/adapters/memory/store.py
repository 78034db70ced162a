"""The memory store as one class: each part of the ``Store`` port lies in the file of its own subject."""

from __future__ import annotations

from prescient.adapters.memory.catalogue import CatalogueMethods, DecisionMethods
from prescient.adapters.memory.executions import ExecutionMethods
from prescient.adapters.memory.orders import OrderMethods, SignalMethods
from prescient.adapters.memory.portfolios import CycleMethods, LeaseMethods, PortfolioMethods
from prescient.adapters.memory.positions import HistoryMethods, PositionMethods
from prescient.adapters.memory.reads import ReadMethods
from prescient.adapters.memory.requests import RequestMethods
from prescient.adapters.memory.settlements import ObligationMethods, SettlementMethods
from prescient.adapters.memory.submissions import SubmissionMethods


class MemoryStore(
    PortfolioMethods,
    CycleMethods,
    LeaseMethods,
    CatalogueMethods,
    DecisionMethods,
    SignalMethods,
    OrderMethods,
    SubmissionMethods,
    RequestMethods,
    ExecutionMethods,
    PositionMethods,
    SettlementMethods,
    ObligationMethods,
    HistoryMethods,
    ReadMethods,
):
    """Keeps everything in plain Python and refuses what PostgreSQL refuses, with the same errors.

    No method gives way to another task between its check and its write, so each is one transaction
    (``save_events`` is one per page). A booking costs the same however many came before.
    """

    def another_process(self) -> MemoryStore:
        """Open the same rows as a second process would. Closing either ends its leases and leaves its cycles dead."""
        return MemoryStore(self._shared)
