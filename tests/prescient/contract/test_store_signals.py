"""Signals: what the strategies proposed, kept in their order, each with one order or one refusal at most."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from prescient.domain.errors import InvariantBroken, PortfolioNotFound
from prescient.domain.order import ApprovedOrder, Refused
from prescient.domain.risk import ALREADY_ORDERED
from prescient.ports.store import Store
from tests.prescient.contract.store_examples import USD, funded, intent_of, judged, later, reserved, signal, trace


async def test_signals_read_back_in_the_order_they_were_saved(store: Store) -> None:
    one = await funded(store)
    made = [signal(n, one.portfolio_id) for n in (1, 2, 3)]
    made[1] = replace(made[1], catalogue_price_micro=550_000, size_micro=7, group_id="g", reason="✓ 'quoted'")
    await store.save_signals(made)
    assert await store.signals() == made
    await store.save_signals([])
    # Deciding twice in one cycle makes the same ids and adds nothing.
    await store.save_signals([replace(made[0], reason="again"), signal(4, one.portfolio_id)])
    assert await store.signals() == [*made, signal(4, one.portfolio_id)]


async def test_signals_are_filtered(store: Store) -> None:
    one, two = await funded(store, "One"), await funded(store, "Two")
    first = [signal(n, one.portfolio_id) for n in (1, 2)]
    second = [signal(n, two.portfolio_id, cycle_id="cycle-2", time=later(hours=1)) for n in (1, 2)]
    await store.save_signals(first + second)
    assert await store.signals(cycle_id="cycle-1") == first
    assert await store.signals(portfolio_id=two.portfolio_id) == second
    assert await store.signals(cycle_id="cycle-1", portfolio_id=two.portfolio_id) == []
    assert await store.signals(signal_ids=[second[1].signal_id, first[0].signal_id, "none"]) == [first[0], second[1]]
    assert await store.signals(signal_ids=[]) == []
    assert len(await store.signals(limit=3)) == 3


@pytest.mark.parametrize(
    "changes",
    [{"score_micro": 1_000_001}, {"score_micro": -1}, {"price_micro": 1_000_001}, {"size_micro": -1}],
)
async def test_signals_out_of_bounds_are_refused_with_all_others(store: Store, changes: dict[str, Any]) -> None:
    one = await funded(store)
    with pytest.raises(InvariantBroken):
        await store.save_signals([signal(1, one.portfolio_id), replace(signal(2, one.portfolio_id), **changes)])
    assert await store.signals() == []


async def test_signals_and_refusals_of_an_unknown_portfolio_are_refused(store: Store) -> None:
    one = await funded(store)
    with pytest.raises(PortfolioNotFound):
        await store.save_signals([signal(1, one.portfolio_id), signal(2, 999)])
    with pytest.raises(PortfolioNotFound):
        await judged(store, Refused("x", "y"), intent=intent_of(signal(2, 999)))
    assert await store.signals() == []


async def test_a_refusal_may_be_of_a_price_out_of_bounds(store: Store) -> None:
    one = await funded(store)
    made = signal(1, one.portfolio_id)
    await store.save_signals([made])
    intent = replace(intent_of(made), limit_price_micro=1_500_000)
    await judged(store, Refused("price_out_of_bounds", "above one dollar"), intent=intent)
    assert await store.signals(pending_only=True) == []


async def test_a_signal_is_pending_until_it_has_an_order_or_a_refusal(store: Store) -> None:
    one = await funded(store)
    made = [signal(n, one.portfolio_id) for n in (1, 2, 3)]
    await store.save_signals(made)
    await reserved(store, made[0], USD)
    await judged(store, Refused("insufficient_cash", "too dear", "trade_size_usd", "1"), intent=intent_of(made[1]))
    assert await store.signals(cycle_id="cycle-1", pending_only=True) == [made[2]]
    assert len(await store.signals(cycle_id="cycle-1")) == 3


async def test_a_refused_signal_gets_no_order_afterwards(store: Store) -> None:
    one = await funded(store)
    made = signal(1, one.portfolio_id)
    await store.save_signals([made])
    refused = Refused("insufficient_cash", "too dear")
    assert await judged(store, refused, intent=intent_of(made)) == refused
    assert await judged(store, refused, later(seconds=1), intent_of(made)) == ALREADY_ORDERED
    order = ApprovedOrder(intent_of(made), USD, 0)
    before = await trace(store, one.portfolio_id)
    assert await judged(store, order) == ALREADY_ORDERED
    assert await trace(store, one.portfolio_id) == before
    assert await store.open_orders() == []
