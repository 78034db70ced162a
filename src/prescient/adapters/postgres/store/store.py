"""The store in PostgreSQL as one class: each part of the ``Store`` port lies in the file of its own subject."""

from __future__ import annotations

from prescient.adapters.postgres.connection import open_database
from prescient.adapters.postgres.lock_session import LockSession
from prescient.adapters.postgres.store.approving import ApprovalMethods
from prescient.adapters.postgres.store.catalogue import CatalogueMethods
from prescient.adapters.postgres.store.cycles import CycleMethods
from prescient.adapters.postgres.store.decisions import DecisionMethods
from prescient.adapters.postgres.store.executions import ExecutionMethods
from prescient.adapters.postgres.store.facts import FactMethods
from prescient.adapters.postgres.store.history import HistoryMethods
from prescient.adapters.postgres.store.leases import LeaseMethods
from prescient.adapters.postgres.store.marks import PositionMethods
from prescient.adapters.postgres.store.obligations import ObligationMethods
from prescient.adapters.postgres.store.portfolios import PortfolioMethods
from prescient.adapters.postgres.store.reads import ReadMethods
from prescient.adapters.postgres.store.requests import RequestMethods
from prescient.adapters.postgres.store.resting import RestingMethods
from prescient.adapters.postgres.store.settlements import SettlementMethods
from prescient.adapters.postgres.store.signals import SignalMethods
from prescient.adapters.postgres.store.submissions import SubmissionMethods
from prescient.adapters.postgres.store.trading import OrderMethods


class PostgresStore(
    PortfolioMethods,
    CycleMethods,
    CatalogueMethods,
    DecisionMethods,
    SignalMethods,
    ApprovalMethods,
    OrderMethods,
    SubmissionMethods,
    RequestMethods,
    ExecutionMethods,
    FactMethods,
    RestingMethods,
    PositionMethods,
    SettlementMethods,
    ObligationMethods,
    HistoryMethods,
    LeaseMethods,
    ReadMethods,
):
    """Everything that is kept. Every transaction that moves a portfolio's money locks its row first.

    All methods raise StoreUnavailable while the database is away, and work again when it is back.
    """


async def open_store(dsn: str, *, pool_size: int = 5, application: str = "prescient") -> PostgresStore:
    """Open the store of a migrated database (see ``migrate``). Raises StoreUnavailable.

    ``dsn`` is a ``postgresql://`` URL. ``pool_size`` bounds the connections; one more holds the process's locks.
    """
    database = await open_database(dsn, pool_size=pool_size, application=application)
    store = PostgresStore(database, LockSession(dsn, application))
    try:
        await store.ping()
    except BaseException:
        await store.close()
        raise
    return store
