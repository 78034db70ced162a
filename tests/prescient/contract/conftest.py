"""The stores under test: the same suite runs on each implementation of the port."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from prescient.adapters.memory import MemoryStore
from prescient.ports.store import Store
from tests.prescient.contract.store_examples import House


@pytest.fixture(params=["memory", "postgres"])
async def house(request: pytest.FixtureRequest) -> AsyncIterator[House]:
    opened: list[Store] = []
    if request.param == "memory":
        first = MemoryStore()

        async def open_store() -> Store:
            return first.another_process()

    else:
        postgres = pytest.importorskip("prescient.adapters.postgres.store.store")
        dsn = request.getfixturevalue("postgres_dsn")

        async def open_store() -> Store:
            store: Store = await postgres.open_store(dsn)
            return store

    async def open_and_keep() -> Store:
        store = await open_store()
        opened.append(store)
        return store

    yield House(open_and_keep)
    for store in opened:
        await store.close()


@pytest.fixture
async def store(house: House) -> Store:
    return await house.open()
