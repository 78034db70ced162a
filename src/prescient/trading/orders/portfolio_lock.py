"""The locks that give each order on its way one owner: who executes a portfolio, and who places its orders by hand.

What resolves orders holds the same locks, so it never takes an order of a living process for a dead one's.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from prescient.domain.errors import ExecutionRunning
from prescient.ports.store import Leases

WAIT_S = 10.0


@asynccontextmanager
async def executing(store: Leases, portfolio_id: int, wait_s: float = WAIT_S) -> AsyncIterator[None]:
    """Be the only one, in all processes, who executes and resolves orders of this portfolio.

    Waits a few seconds for a recovery to end, or for the database to notice that a process was killed. Raises
    ExecutionRunning when somebody really executes.
    """
    lease = await store.lease(f"execute:{portfolio_id}", wait_s)
    if lease is None:
        raise ExecutionRunning(portfolio_id)
    try:
        yield
    finally:
        await lease.release()


@asynccontextmanager
async def placing_by_hand(store: Leases, portfolio_id: int, wait_s: float = WAIT_S) -> AsyncIterator[None]:
    """Be the only one, in all processes, who places orders of this portfolio that no cycle decided on, or resolves them.

    Apart from ``executing``, so that a person need not wait for a cycle. Raises ExecutionRunning.
    """
    lease = await store.lease(f"by_hand:{portfolio_id}", wait_s)
    if lease is None:
        raise ExecutionRunning(portfolio_id)
    try:
        yield
    finally:
        await lease.release()
