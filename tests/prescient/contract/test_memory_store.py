"""What only the memory store's own rows can show: a tampered row is found, and rows outlive the store that wrote them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from prescient.adapters.memory import MemoryStore
from prescient.adapters.memory.tables import Tables
from prescient.domain.errors import InvariantBroken
from prescient.domain.ledger import CASH, USD, opening
from tests.prescient.contract.store_examples import NOW, bought, fill, funded, signal
from tests.prescient.contract.store_examples import USD as DOLLAR


async def test_a_kept_cash_that_is_not_the_ledgers_is_found() -> None:
    tables = Tables()
    store = MemoryStore(tables)
    one = await funded(store)
    row = tables.portfolios[one.portfolio_id]
    row.portfolio = replace(row.portfolio, cash_micro=row.portfolio.cash_micro + 1)
    with pytest.raises(InvariantBroken, match="ledger cash"):
        await store.snapshot(one.portfolio_id, "c", NOW)


async def test_a_kept_cost_that_is_not_the_positions_is_found() -> None:
    tables = Tables()
    store = MemoryStore(tables)
    one = await funded(store)
    await bought(store, signal(1, one.portfolio_id), fill(500_000, 10 * DOLLAR))
    row = tables.portfolios[one.portfolio_id]
    row.portfolio = replace(row.portfolio, invested_micro=row.portfolio.invested_micro - 1)
    with pytest.raises(InvariantBroken, match="kept cost"):
        await store.snapshot(one.portfolio_id, "c", NOW)


async def test_the_ledger_can_be_read_in_the_order_of_booking() -> None:
    store = MemoryStore()
    one, two = await funded(store, "One"), await funded(store, "Two")
    first, second = opening(one.portfolio_id, one.cash_micro, NOW), opening(two.portfolio_id, two.cash_micro, NOW)
    assert store.transfers() == first + second
    assert store.transfers(two.portfolio_id) == second
    store.transfers().clear()
    assert len(store.transfers()) == 2
    assert (await store.ledger_balances(one.portfolio_id))[CASH, USD] == one.cash_micro


async def test_rows_outlive_the_store_that_wrote_them() -> None:
    first = MemoryStore()
    one = await funded(first)
    second = first.another_process()
    await first.close()
    assert await second.portfolio(one.portfolio_id) == one
