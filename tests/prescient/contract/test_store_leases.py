"""Leases and heartbeats: one worker among all processes, and a true sign of life."""

from __future__ import annotations

import pytest

from prescient.domain.errors import StoreUnavailable
from prescient.ports.store import Store
from tests.prescient.contract.store_examples import NOW, House, later


async def test_a_lease_has_one_holder_among_all_processes(house: House) -> None:
    one, two = await house.open(), await house.open()
    lease = await one.lease("price-updater")
    assert lease is not None and await lease.held()
    assert await two.lease("price-updater") is None
    assert await one.lease("price-updater") is None
    other = await two.lease("scheduler")
    assert other is not None and await other.held()
    assert await lease.held()


async def test_a_released_lease_is_free(house: House) -> None:
    one, two = await house.open(), await house.open()
    lease = await one.lease("price-updater")
    assert lease is not None
    await lease.release()
    assert not await lease.held()
    taken = await two.lease("price-updater")
    assert taken is not None and await taken.held()
    # Releasing again must not take it from the new holder.
    await lease.release()
    assert not await lease.held()
    assert await taken.held()


async def test_a_lease_ends_with_its_process(house: House) -> None:
    one, two = await house.open(), await house.open()
    lease = await one.lease("price-updater")
    assert lease is not None
    await one.close()
    assert not await lease.held()
    taken = await two.lease("price-updater")
    assert taken is not None and await taken.held()
    await lease.release()
    assert await taken.held()


async def test_a_heartbeat_is_seen_by_all_and_the_newest_counts(house: House) -> None:
    one, two = await house.open(), await house.open()
    assert await two.heartbeat("price-updater") is None
    await one.beat("price-updater", NOW, {"pid": 7, "interval_s": 300, "note": "✓"})
    assert await two.heartbeat("price-updater") == (NOW, {"pid": 7, "interval_s": 300, "note": "✓"})
    await two.beat("price-updater", later(seconds=1), {})
    assert await one.heartbeat("price-updater") == (later(seconds=1), {})
    assert await one.heartbeat("scheduler") is None


async def test_a_closed_store_says_so_and_may_be_closed_again(store: Store) -> None:
    await store.ping()
    await store.close()
    for call in (store.ping(), store.portfolios(), store.lease("x"), store.beat("x", NOW, {})):
        with pytest.raises(StoreUnavailable):
            await call
    await store.close()
