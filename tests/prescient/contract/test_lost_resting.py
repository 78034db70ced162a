"""Orders that rest, and a venue that does not answer: on both stores, through the same ways that people take."""

from __future__ import annotations

from dataclasses import replace

import pytest

from prescient.domain.order import OrderStatus, Unresolved
from prescient.ports.store import Store
from prescient.trading.orders.resolve import resolve_all
from prescient.trading.resting import CancelUnanswered, OrderNotOpen, cancel_order, sweep
from tests.prescient.contract.resting_market import RestingHarness
from tests.venues import ScriptedVenue

# 50 shares at 54 cents, and the most that a taker would pay in fees, in cents.
RESERVED = 2_835


@pytest.fixture
async def harness(store: Store) -> RestingHarness:
    """Its venue is paper behind an unreliable line."""
    harness = await RestingHarness(store).open()
    paper, clock = harness.context.venues["paper"], harness.context.clock
    lossy = ScriptedVenue(paper, clock, name="paper", signs=False, rests_at_matching=True)
    harness.context = replace(harness.context, venues={"paper": lossy})
    return harness


def line(harness: RestingHarness) -> ScriptedVenue:
    venue = harness.context.venues["paper"]
    assert isinstance(venue, ScriptedVenue)
    return venue


async def status(harness: RestingHarness, order_id: str) -> OrderStatus:
    found = await harness.store.order(order_id)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("mishap", ["lose", "raise"])
async def test_a_cancel_that_was_done_and_not_answered_keeps_the_reservation_until_its_end_is_told(
    harness: RestingHarness, mishap: str
) -> None:
    placed = await harness.place()
    line(harness).always("cancel", mishap)
    with pytest.raises(CancelUnanswered, match="Cancel it again"):
        await cancel_order(harness.context, placed.order_id)
    assert await status(harness, placed.order_id) is OrderStatus.OPEN
    assert await harness.held() == (RESERVED, 0)
    (ended,) = await sweep(harness.context)
    assert (ended.order.intent.order_id, ended.status) == (placed.order_id, OrderStatus.CANCELED)
    assert await harness.held() == (0, 0)
    assert await sweep(harness.context) == []
    line(harness).well()
    with pytest.raises(OrderNotOpen):
        await cancel_order(harness.context, placed.order_id)


async def test_a_cancel_that_never_arrived_leaves_an_order_that_fills_or_is_cancelled_again(
    harness: RestingHarness,
) -> None:
    placed = await harness.place()
    line(harness).on("cancel", 1, "drop")
    with pytest.raises(CancelUnanswered):
        await cancel_order(harness.context, placed.order_id)
    assert await sweep(harness.context) == []
    assert await harness.listen(harness.printed(120)) == [("PARTIALLY_FILLED", 20)]
    update = await cancel_order(harness.context, placed.order_id)
    assert update.status is OrderStatus.CANCELED
    assert await harness.held() == (0, 20)


async def test_what_fills_while_its_cancel_is_unanswered_is_booked(harness: RestingHarness) -> None:
    placed = await harness.place()
    line(harness).always("cancel", "drop")
    with pytest.raises(CancelUnanswered):
        await cancel_order(harness.context, placed.order_id)
    assert await harness.listen(harness.printed(150)) == [("FILLED", 50)]
    with pytest.raises(OrderNotOpen):
        await cancel_order(harness.context, placed.order_id)
    assert await harness.held() == (0, 50)


async def test_an_unknown_resting_order_is_reserved_and_rests_once_it_is_known(harness: RestingHarness) -> None:
    line(harness).on("submit", 1, "lose").always("resolve", "lose")
    unknown = await harness.try_place()
    assert isinstance(unknown, Unresolved)
    assert await status(harness, unknown.order_id) is OrderStatus.UNKNOWN
    assert await harness.held() == (RESERVED, 0)
    # Nobody can cancel what is not known to rest, and asking in vain changes nothing.
    with pytest.raises(OrderNotOpen):
        await cancel_order(harness.context, unknown.order_id)
    assert await resolve_all(harness.context) == []
    assert await harness.held() == (RESERVED, 0)
    line(harness).well()
    assert await resolve_all(harness.context) == [unknown.order_id]
    assert await status(harness, unknown.order_id) is OrderStatus.OPEN
    assert [state.order_id for _, state in await harness.store.resting_orders()] == [unknown.order_id]
    # Known and resting, it is not asked about any more: what is told of its market moves it.
    assert await resolve_all(harness.context) == []
    assert await harness.listen(harness.printed(150)) == [("FILLED", 50)]
    assert await harness.held() == (0, 50)
    assert line(harness).world.arrived == [unknown.order_id]


async def test_an_unknown_resting_order_that_never_arrived_is_given_back(harness: RestingHarness) -> None:
    line(harness).on("submit", 1, "drop")
    unknown = await harness.try_place()
    assert isinstance(unknown, Unresolved)
    assert await harness.held() == (RESERVED, 0)
    assert await resolve_all(harness.context) == [unknown.order_id]
    assert await harness.held() == (0, 0)
    assert await harness.listen(harness.printed(1_000)) == []
    assert await harness.store.open_orders() == []
