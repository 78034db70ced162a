"""Work that is cancelled in the middle, at every instant: the connection it used must not swallow what comes after it."""

from __future__ import annotations

import asyncio

from polymarket_kit.values import MICRO
from prescient.adapters.postgres.store.store import open_store
from prescient.domain.portfolio import NewPortfolio
from prescient.ports.store import Store
from tests.prescient.contract.store_examples import NOW, reserved, signal
from tests.prescient.faults.house import check_books

# Turns of the event loop after which the work is cancelled: from before the first byte to after the last.
TURNS = range(1, 60)


async def test_what_is_committed_after_a_cancelled_transaction_stays(postgres_dsn: str, postgres_store: Store) -> None:
    """A cancelled BEGIN used to leave its connection inside a transaction, which later "commits" then belonged to."""
    portfolio = await postgres_store.create_portfolio(NewPortfolio("One", "majority", 1_000 * MICRO), NOW)
    store = await open_store(postgres_dsn, pool_size=1)
    cancelled = 0
    for turns in TURNS:
        made = signal(turns, portfolio.portfolio_id)
        task = asyncio.create_task(reserved(store, made, 1 * MICRO))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        (outcome,) = await asyncio.gather(task, return_exceptions=True)
        cancelled += isinstance(outcome, asyncio.CancelledError)

        order = await reserved(store, signal(1_000 + turns, portfolio.portfolio_id), 1 * MICRO)

        # Read on another connection: what was answered as reserved is there for everybody.
        kept = {kept.intent.order_id for kept, _ in await postgres_store.open_orders()}
        assert order.intent.order_id in kept
    assert cancelled > 10
    await store.close()
    await check_books(postgres_store, NOW, resting=False)


async def test_a_lease_whose_taking_was_cancelled_is_nobodys(postgres_dsn: str, postgres_store: Store) -> None:
    """The server may have granted the lock: the session that holds it unknowingly must not hold it for ever."""
    store = await open_store(postgres_dsn)
    assert await store.lease("first") is not None
    for turns in TURNS:
        task = asyncio.create_task(store.lease(f"lease {turns}"))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        (lease,) = await asyncio.gather(task, return_exceptions=True)
        if not isinstance(lease, BaseException):
            assert lease is not None
            await lease.release()
        await _becomes_free(postgres_store, f"lease {turns}")
    await store.close()


async def _becomes_free(store: Store, name: str) -> None:
    for _ in range(200):
        lease = await store.lease(name)
        if lease is not None:
            await lease.release()
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"{name} is held by nobody who knows it")
