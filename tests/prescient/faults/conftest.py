"""The stores that faults meet: the one in memory, and a real PostgreSQL where the store itself matters."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from prescient.adapters.memory import MemoryStore
from prescient.adapters.postgres.store.store import open_store
from prescient.ports.store import Store


@pytest.fixture
async def postgres_store(postgres_dsn: str) -> AsyncIterator[Store]:
    store = await open_store(postgres_dsn)
    yield store
    await store.close()


@pytest.fixture(params=["memory", "postgres"])
def store(request: pytest.FixtureRequest) -> Store:
    """The same fault over both stores."""
    if request.param == "memory":
        return MemoryStore()
    found: Store = request.getfixturevalue("postgres_store")
    return found
