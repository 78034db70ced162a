"""Orders' facts: appended with what they cause, never changed, and the status is what they say."""

from __future__ import annotations

from dataclasses import replace

import pytest

from polymarket_kit.model import Side
from prescient.domain.booking import Booking
from prescient.domain.errors import InvariantBroken
from prescient.domain.ledger import fills as fill_transfers
from prescient.domain.order import Accepted, OrderStatus, Refused, Rejected, Unknown
from prescient.domain.order_state import Fact, FactKind, answered, approved, refused, state_of
from prescient.ports.store import Store
from tests.prescient.contract.store_examples import (
    NOW,
    USD,
    YES,
    fill,
    filled,
    funded,
    intent_of,
    judged,
    later,
    reserved,
    signal,
    trace,
)


def by_time(*facts: Fact) -> list[Fact]:
    return sorted(facts, key=lambda fact: (fact.time, fact.fact_id))


async def test_a_reservation_and_its_answer_leave_their_facts(store: Store) -> None:
    one = await funded(store)
    made = signal(1, one.portfolio_id)
    order = await reserved(store, made, 10 * USD)
    order_id = order.intent.order_id
    assert await store.facts(order_id) == by_time(*approved(order, NOW))
    booking = filled(order, made, [fill(500_000, 4 * USD, 7), fill(510_000, 2 * USD)], time=later(seconds=1))
    await store.book(booking, later(seconds=1))
    facts = await store.facts(order_id)
    assert facts == by_time(*approved(order, NOW), *booking.facts)
    assert [fact.fill_id for fact in facts if fact.kind is FactKind.MATCHED] == [f"{order_id}:0", f"{order_id}:1"]
    state = state_of(facts)
    assert (state.status, state.filled_micro, state.matched.fee_micro) == (OrderStatus.FILLED, 6 * USD, 7)
    assert await store.facts("order:none") == []


async def test_a_refusal_is_known_by_its_facts(store: Store) -> None:
    one = await funded(store)
    made = signal(1, one.portfolio_id)
    await store.save_signals([made])
    intent = intent_of(made)
    await judged(store, Refused("below_minimum", "too small"), intent=intent)
    await judged(store, Refused("insufficient_cash", "said again"), later(seconds=1), intent)
    assert await store.facts(intent.order_id) == by_time(*refused(intent, "below_minimum", NOW))


async def test_the_status_is_what_all_facts_say_not_the_last_ones(store: Store) -> None:
    """An answer that comes after the order was found again changes nothing about it."""
    one = await funded(store)
    made = signal(1, one.portfolio_id)
    order = await reserved(store, made, 10 * USD)
    order_id = order.intent.order_id
    told = (
        (answered(order_id, Unknown("lost"), NOW), OrderStatus.UNKNOWN),
        (answered(order_id, Accepted(order_id, OrderStatus.OPEN, (), NOW), NOW), OrderStatus.OPEN),
        (answered(order_id, Unknown("lost again"), later(seconds=1)), OrderStatus.OPEN),
    )
    for facts, status in told:
        await store.book(Booking(order_id, facts, (), None, None, made.signal_id), NOW)
        assert await store.open_orders() == [(order, status)]
    assert len(await store.facts(order_id)) == 4


async def test_a_fill_after_the_cancel_is_booked_once(store: Store) -> None:
    one = await funded(store)
    made = signal(1, one.portfolio_id)
    order = await reserved(store, made, 0)
    order_id = order.intent.order_id
    canceled = answered(order_id, Accepted(order_id, OrderStatus.CANCELED, (), NOW), NOW)
    await store.book(Booking(order_id, canceled, (), None, None, made.signal_id), NOW)
    late = filled(order, made, [fill(500_000, 10 * USD)], time=later(seconds=2))
    late = replace(late, facts=tuple(fact for fact in late.facts if fact.kind is FactKind.MATCHED))
    await store.book(late, later(seconds=2))
    assert await store.position(one.portfolio_id, YES) == late.position
    state = state_of(await store.facts(order_id))
    assert (state.status, state.filled_micro) == (OrderStatus.CANCELED, 10 * USD)
    before = await trace(store, one.portfolio_id)
    for again in (late, Booking(order_id, canceled, (), None, None, made.signal_id)):
        with pytest.raises(InvariantBroken):
            await store.book(again, later(seconds=3))
    assert await trace(store, one.portfolio_id) == before


async def test_a_whole_order_takes_no_more_fills(store: Store) -> None:
    one = await funded(store)
    made = signal(1, one.portfolio_id)
    order = await reserved(store, made, 5 * USD)
    booking = filled(order, made, [fill(500_000, 10 * USD)])
    await store.book(booking, NOW)
    before = await trace(store, one.portfolio_id), await store.facts(order.intent.order_id)
    assert booking.trade is not None and booking.position is not None
    more = answered(order.intent.order_id, Accepted("", OrderStatus.FILLED, booking.trade.fills, NOW), NOW, 1)
    moves = fill_transfers(one.portfolio_id, order.intent.order_id, YES, Side.BUY, booking.trade.fills, NOW, 1)
    second = replace(
        booking,
        facts=more,
        transfers=tuple(moves),
        trade=replace(booking.trade, trade_id="trade:second"),
        position=booking.position.bought(10 * USD, 5 * USD),
    )
    with pytest.raises(InvariantBroken):
        await store.book(second, NOW)
    assert (await trace(store, one.portfolio_id), await store.facts(order.intent.order_id)) == before


async def test_a_fact_told_in_two_ways_or_a_booking_of_nothing_is_refused_whole(store: Store) -> None:
    one = await funded(store)
    made = signal(1, one.portfolio_id)
    order = await reserved(store, made, 10 * USD)
    order_id = order.intent.order_id
    rejected = answered(order_id, Rejected("market_closed", "closed"), NOW)
    otherwise = Fact(FactKind.DRAFTED, order_id, NOW, size_micro=77)
    before = await trace(store, one.portfolio_id), await store.facts(order_id)
    for facts in ((), (otherwise, *rejected)):
        with pytest.raises(InvariantBroken):
            await store.book(Booking(order_id, facts, (), None, None, made.signal_id), NOW)
    assert (await trace(store, one.portfolio_id), await store.facts(order_id)) == before
