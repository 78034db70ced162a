"""Orders on their way, on both stores: what is sent is committed before it leaves, and a lost answer keeps all that is reserved."""

from __future__ import annotations

import pytest

from polymarket_kit.values import MICRO
from prescient.domain.errors import InvariantBroken
from prescient.domain.order import OrderStatus, Wire
from prescient.domain.order_state import FactKind
from prescient.ports.store import Store
from tests.prescient.contract.store_examples import House, fill, filled, funded, later, reserved, signal

WIRE = Wire(b"\x01" * 32, b'{"order": 1}', 2**53 - 1)


async def test_what_is_sent_is_read_back_with_the_order(house: House) -> None:
    store = await house.open()
    one = await funded(store)
    order = await reserved(store, signal(1, one.portfolio_id), 20 * MICRO)
    await store.mark_submitted(order.intent.order_id, WIRE, later(seconds=1))
    ((kept, status),) = await (await house.open()).open_orders()
    assert (kept.wire, kept.intent, status) == (WIRE, order.intent, OrderStatus.SUBMITTED)
    assert (await store.portfolio(one.portfolio_id)).reserved_micro == order.reserved_cash_micro


async def test_nothing_is_sent_twice_and_no_wire_is_two_orders(store: Store) -> None:
    one = await funded(store)
    first = await reserved(store, signal(1, one.portfolio_id), 20 * MICRO)
    second = await reserved(store, signal(2, one.portfolio_id), 20 * MICRO)
    await store.mark_submitted(first.intent.order_id, WIRE, later(seconds=1))
    with pytest.raises(InvariantBroken, match="SUBMITTED already"):
        await store.mark_submitted(first.intent.order_id, Wire(b"2", b"2", 2), later(seconds=2))
    with pytest.raises(InvariantBroken, match="another order's"):
        await store.mark_submitted(second.intent.order_id, WIRE, later(seconds=2))
    assert [status for _, status in await store.open_orders()] == [OrderStatus.SUBMITTED, OrderStatus.APPROVED]


@pytest.mark.parametrize("submitted", [True, False])
async def test_an_unknown_order_stays_reserved_until_it_is_booked(store: Store, submitted: bool) -> None:
    one = await funded(store)
    made = signal(1, one.portfolio_id)
    order = await reserved(store, made, 20 * MICRO)
    order_id = order.intent.order_id
    if submitted:
        await store.mark_submitted(order_id, WIRE, later(seconds=1))
    for second in (2, 3):
        await store.mark_unknown(order_id, "the connection closed", later(seconds=second))
    assert [status for _, status in await store.open_orders()] == [OrderStatus.UNKNOWN]
    assert (await store.portfolio(one.portfolio_id)).reserved_micro == order.reserved_cash_micro
    assert [fact.kind for fact in await store.facts(order_id)].count(FactKind.UNANSWERED) == 1
    await store.book(filled(order, made, [fill(500_000, 10 * MICRO)], time=later(seconds=4)), later(seconds=4))
    assert await store.open_orders() == []
    with pytest.raises(InvariantBroken, match="FILLED already"):
        await store.mark_unknown(order_id, "too late", later(seconds=5))


async def test_orders_that_were_never_reserved_are_not_on_their_way(store: Store) -> None:
    with pytest.raises(InvariantBroken, match="never reserved"):
        await store.mark_submitted("order:none", WIRE, later())
    with pytest.raises(InvariantBroken, match="never reserved"):
        await store.mark_unknown("order:none", "lost", later())
