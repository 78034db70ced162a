"""Orders: reserved before the wire, booked once and whole after it, and never a cent or a share below zero."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from polymarket_kit.model import Side
from prescient.domain.booking import Booking
from prescient.domain.errors import InvariantBroken
from prescient.domain.ledger import release
from prescient.domain.order import ApprovedOrder, Consumption, OrderStatus, Refused, Rejected, Unknown
from prescient.domain.order_state import answered
from prescient.domain.risk import ALREADY_ORDERED
from prescient.ports.store import Store
from tests.prescient.contract.store_examples import (
    NOW,
    USD,
    YES,
    House,
    bought,
    fill,
    filled,
    funded,
    intent_of,
    judged,
    later,
    reserved,
    signal,
    sold,
    trace,
)

CLOSED = Rejected("market_closed", "closed")


@pytest.mark.parametrize(
    "changes", [{"limit_price_micro": 1_000_001}, {"limit_price_micro": -1}, {"amount_micro": -1}, {"size_micro": -1}]
)
async def test_an_order_out_of_bounds_is_not_reserved(store: Store, changes: dict[str, Any]) -> None:
    one = await funded(store)
    made = signal(1, one.portfolio_id)
    await store.save_signals([made])
    before = await trace(store, one.portfolio_id)
    order = ApprovedOrder(replace(intent_of(made), **changes), USD, 0)
    with pytest.raises(InvariantBroken):
        await judged(store, order)
    assert await trace(store, one.portfolio_id) == before


async def test_a_reservation_sets_cash_aside_and_the_order_is_open(store: Store) -> None:
    one = await funded(store, cash_micro=1_000 * USD)
    made = signal(1, one.portfolio_id)
    order = await reserved(store, made, 101 * USD, time=later(minutes=1))
    after = await store.portfolio(one.portfolio_id)
    assert after.updated_at == later(minutes=1)
    assert (after.cash_micro, after.reserved_micro, after.available_micro) == (1_000 * USD, 101 * USD, 899 * USD)
    assert await store.open_orders() == [(order, OrderStatus.APPROVED)]
    balances = await store.ledger_balances(one.portfolio_id)
    assert (balances["cash", "USD"], balances["reserved", "USD"]) == (899 * USD, 101 * USD)


async def test_open_orders_come_oldest_first_and_whole(store: Store) -> None:
    one, two = await funded(store, "One"), await funded(store, "Two")
    await bought(store, signal(8, one.portfolio_id), fill(500_000, USD))
    third = await reserved(store, signal(3, two.portfolio_id), 3, time=later(seconds=1))
    first = await reserved(store, signal(9, one.portfolio_id), 1, time=later(seconds=2))
    second = await reserved(store, signal(1, one.portfolio_id, side=Side.SELL), 0, 5, time=later(seconds=3))
    assert [order for order, _ in await store.open_orders()] == [third, first, second]


async def test_a_signal_has_one_order(store: Store) -> None:
    one = await funded(store)
    order = await reserved(store, signal(1, one.portfolio_id), 10 * USD)
    before = await trace(store, one.portfolio_id)
    assert await judged(store, order) == ALREADY_ORDERED
    other = replace(order, intent=replace(order.intent, order_id="order:other"))
    assert await judged(store, other) == ALREADY_ORDERED
    # Whatever the gate says now: the signal keeps the order it has.
    refused = Refused("insufficient_cash", "too dear")
    assert await judged(store, refused, intent=order.intent) == ALREADY_ORDERED
    assert await trace(store, one.portfolio_id) == before


async def test_of_many_reservations_of_one_signal_at_once_one_wins(house: House) -> None:
    stores = [await house.open() for _ in range(2)]
    one = await funded(stores[0])
    made = signal(1, one.portfolio_id)
    await stores[0].save_signals([made])
    order = ApprovedOrder(intent_of(made), 10 * USD, 0)
    answers = await asyncio.gather(*(judged(stores[n % 2], order) for n in range(6)))
    assert answers.count(order) == 1 and answers.count(ALREADY_ORDERED) == 5
    assert (await stores[1].portfolio(one.portfolio_id)).reserved_micro == 10 * USD


async def test_an_order_id_belongs_to_one_signal(store: Store) -> None:
    one = await funded(store)
    order = await reserved(store, signal(1, one.portfolio_id), 10 * USD)
    other = signal(2, one.portfolio_id)
    await store.save_signals([other])
    before = await trace(store, one.portfolio_id)
    stolen = ApprovedOrder(replace(intent_of(other), order_id=order.intent.order_id), 0, 0)
    with pytest.raises(InvariantBroken):
        await judged(store, stolen)
    assert await trace(store, one.portfolio_id) == before


async def test_overspending_reservations_are_refused_whole(store: Store) -> None:
    one = await funded(store, cash_micro=100 * USD)
    await reserved(store, signal(1, one.portfolio_id), 60 * USD)
    made = signal(2, one.portfolio_id)
    await store.save_signals([made])
    before = await trace(store, one.portfolio_id)
    order = ApprovedOrder(intent_of(made), 40 * USD + 1, 0)
    with pytest.raises(InvariantBroken):
        await judged(store, order)
    assert await trace(store, one.portfolio_id) == before
    exact = replace(order, reserved_cash_micro=40 * USD)
    assert await judged(store, exact) == exact
    assert (await store.portfolio(one.portfolio_id)).available_micro == 0


async def test_a_purchase_books_money_shares_position_and_trade(store: Store) -> None:
    one = await funded(store, cash_micro=1_000 * USD)
    made = signal(1, one.portfolio_id)
    order = await reserved(store, made, 101 * USD)
    matched = (fill(560_000, 7 * USD, 86_240), fill(570_000, 3_333_333, 40_850))
    booking = filled(order, made, matched, time=later(seconds=1))
    taken = Consumption(YES, "asks", {560_000: (7 * USD, 7 * USD), 570_000: (3_333_333, 9 * USD)})
    await store.book(replace(booking, consumption=taken, reason="matched"), later(seconds=1))
    cost = 3_920_000 + 1_900_000  # 7 x 0.56, and 3.333333 x 0.57 = 1.89999981 rounded up
    after = await store.portfolio(one.portfolio_id)
    assert after.cash_micro == 1_000 * USD - cost - 127_090
    assert (after.reserved_micro, after.invested_micro) == (0, cost + 127_090)
    assert await store.trades(one.portfolio_id, 10) == [booking.trade]
    assert await store.fills(order.intent.order_id) == list(matched)
    assert await store.position(one.portfolio_id, YES) == booking.position
    assert await store.positions(one.portfolio_id) == [booking.position]
    assert await store.consumption(YES, "asks") == taken
    assert await store.open_orders() == []
    balances = await store.ledger_balances(one.portfolio_id)
    assert (balances["shares", YES], balances["venue", YES]) == (10_333_333, -10_333_333)
    assert balances["fees", "USD"] == 127_090


async def test_an_order_that_filled_nothing_gives_its_cash_back(store: Store) -> None:
    one = await funded(store)
    made = signal(1, one.portfolio_id)
    order = await reserved(store, made, 10 * USD)
    moves = release(one.portfolio_id, order.intent.order_id, 10 * USD, NOW)
    await store.book(
        Booking(
            order.intent.order_id,
            answered(order.intent.order_id, CLOSED, NOW),
            tuple(moves),
            None,
            None,
            made.signal_id,
            "closed",
        ),
        NOW,
    )
    after = await store.portfolio(one.portfolio_id)
    assert (after.reserved_micro, after.available_micro) == (0, one.cash_micro)
    assert await store.open_orders() == [] and await store.trades(one.portfolio_id, 5) == []
    assert await store.fills(order.intent.order_id) == []
    assert await store.signals(pending_only=True) == []


async def test_an_unknown_outcome_stays_open_until_it_is_resolved(store: Store) -> None:
    one = await funded(store)
    made = signal(1, one.portfolio_id)
    order = await reserved(store, made, 10 * USD)
    lost = answered(order.intent.order_id, Unknown("lost"), NOW)
    await store.book(Booking(order.intent.order_id, lost, (), None, None, made.signal_id, "lost"), NOW)
    assert await store.open_orders() == [(order, OrderStatus.UNKNOWN)]
    assert (await store.portfolio(one.portfolio_id)).reserved_micro == 10 * USD
    await store.book(filled(order, made, [fill(500_000, 10 * USD)]), NOW)
    assert await store.open_orders() == []
    assert (await store.portfolio(one.portfolio_id)).reserved_micro == 0


async def test_booking_twice_is_refused_whole(store: Store) -> None:
    one = await funded(store)
    made = signal(1, one.portfolio_id)
    order = await reserved(store, made, 10 * USD)
    booking = filled(order, made, [fill(500_000, 10 * USD)])
    await store.book(booking, NOW)
    before = await trace(store, one.portfolio_id)
    with pytest.raises(InvariantBroken):
        await store.book(booking, later(seconds=1))
    empty = Booking(order.intent.order_id, answered(order.intent.order_id, CLOSED, NOW), (), None, None, made.signal_id)
    with pytest.raises(InvariantBroken):
        await store.book(empty, later(seconds=1))
    assert await trace(store, one.portfolio_id) == before


async def test_of_one_booking_by_two_processes_one_wins(house: House) -> None:
    stores = [await house.open() for _ in range(2)]
    one = await funded(stores[0])
    made = signal(1, one.portfolio_id)
    order = await reserved(stores[0], made, 10 * USD)
    booking = filled(order, made, [fill(500_000, 10 * USD)])
    answers = await asyncio.gather(*(each.book(booking, NOW) for each in stores), return_exceptions=True)
    assert sorted(isinstance(answer, InvariantBroken) for answer in answers) == [False, True]
    assert len(await stores[0].trades(one.portfolio_id, 5)) == 1
    assert await stores[1].snapshot(one.portfolio_id, "c", NOW)


async def test_an_order_that_was_never_reserved_is_not_booked(store: Store) -> None:
    one = await funded(store)
    made, refused = signal(1, one.portfolio_id), signal(2, one.portfolio_id)
    await store.save_signals([made, refused])
    await judged(store, Refused("below_minimum", "too small"), intent=intent_of(refused))
    before = await trace(store, one.portfolio_id)
    for of in (made, refused):
        booking = filled(ApprovedOrder(intent_of(of), 0, 0), of, [fill(500_000, 10 * USD)])
        with pytest.raises(InvariantBroken):
            await store.book(booking, NOW)
    assert await trace(store, one.portfolio_id) == before


async def test_a_booking_beyond_the_cash_is_refused_whole(store: Store) -> None:
    one = await funded(store, cash_micro=100 * USD)
    made = signal(1, one.portfolio_id)
    order = await reserved(store, made, 90 * USD)
    before = await trace(store, one.portfolio_id)
    taken = Consumption(YES, "asks", {500_000: (1, 1)})
    with pytest.raises(InvariantBroken):
        await store.book(
            replace(filled(order, made, [fill(500_000, 200 * USD), fill(500_000, 2)]), consumption=taken), NOW
        )
    assert await trace(store, one.portfolio_id) == before
    assert await store.consumption(YES, "asks") == Consumption(YES, "asks", {})
    # The whole cash to the last micro-dollar is allowed.
    await store.book(filled(order, made, [fill(500_000, 200 * USD)]), NOW)
    assert (await store.portfolio(one.portfolio_id)).cash_micro == 0


async def test_more_shares_than_held_are_not_sold(store: Store) -> None:
    one = await funded(store)
    position = await bought(store, signal(1, one.portfolio_id), fill(500_000, 10 * USD))
    made = signal(2, one.portfolio_id, side=Side.SELL)
    order = await reserved(store, made, 0, 10 * USD)
    before = await trace(store, one.portfolio_id)
    roomy = replace(position, size_micro=20 * USD)
    with pytest.raises(InvariantBroken):
        await store.book(filled(order, made, [fill(600_000, 10 * USD + 1)], roomy), NOW)
    assert await trace(store, one.portfolio_id) == before
    await store.book(filled(order, made, [fill(600_000, 10 * USD)], position), NOW)
    assert await store.positions(one.portfolio_id) == []


async def test_another_portfolios_shares_cannot_be_sold(store: Store) -> None:
    one, two = await funded(store, "One"), await funded(store, "Two")
    await bought(store, signal(1, one.portfolio_id), fill(500_000, 10 * USD))
    made = signal(2, two.portfolio_id, side=Side.SELL)
    await store.save_signals([made])
    before = await trace(store, two.portfolio_id)
    with pytest.raises(InvariantBroken):
        await judged(store, ApprovedOrder(intent_of(made), 0, 10 * USD))
    assert await trace(store, two.portfolio_id) == before


async def test_a_booking_touches_its_own_portfolio_only(store: Store) -> None:
    one, two = await funded(store, "One"), await funded(store, "Two")
    made = signal(1, one.portfolio_id)
    order = await reserved(store, made, 10 * USD)
    good = filled(order, made, [fill(500_000, 10 * USD)])
    assert good.position is not None and good.trade is not None
    before = await trace(store, one.portfolio_id), await trace(store, two.portfolio_id)
    for bad in (
        replace(good, transfers=tuple(replace(move, portfolio_id=two.portfolio_id) for move in good.transfers)),
        replace(good, position=replace(good.position, portfolio_id=two.portfolio_id)),
        replace(good, trade=replace(good.trade, portfolio_id=two.portfolio_id)),
        replace(good, trade=replace(good.trade, order_id="order:other")),
        replace(good, trade=replace(good.trade, fee_micro=-1)),
        replace(good, trade=replace(good.trade, fills=(replace(good.trade.fills[0], price_micro=1_000_001),))),
    ):
        with pytest.raises(InvariantBroken):
            await store.book(bad, NOW)
    assert (await trace(store, one.portfolio_id), await trace(store, two.portfolio_id)) == before
    await store.book(good, NOW)


async def test_a_transfer_id_is_booked_once(store: Store) -> None:
    one = await funded(store)
    first = signal(1, one.portfolio_id)
    order = await reserved(store, first, 10 * USD)
    before = await trace(store, one.portfolio_id)
    replayed = release(one.portfolio_id, order.intent.order_id, USD, NOW)
    again = filled(order, first, [fill(500_000, USD)])
    with pytest.raises(InvariantBroken):
        await store.book(replace(again, transfers=(*again.transfers, *replayed)), NOW)
    assert await trace(store, one.portfolio_id) == before


async def test_trades_come_newest_first_for_one_or_all(store: Store) -> None:
    one, two = await funded(store, "One"), await funded(store, "Two")
    for number, portfolio in enumerate([one, two, one]):
        made = signal(number, portfolio.portfolio_id)
        await bought(store, made, fill(500_000, (number + 1) * USD), time=later(minutes=number))
    assert [trade.size_micro for trade in await store.trades(None, 10)] == [3 * USD, 2 * USD, 1 * USD]
    assert [trade.size_micro for trade in await store.trades(one.portfolio_id, 10)] == [3 * USD, 1 * USD]
    assert [trade.size_micro for trade in await store.trades(None, 1)] == [3 * USD]
    assert await store.fills("order:none") == []


async def test_consumption_is_replaced_by_the_newest_and_empty_at_first(store: Store) -> None:
    one = await funded(store)
    assert await store.consumption(YES, "asks") == Consumption(YES, "asks", {})
    for number, levels in enumerate([{560_000: (5, 10), 570_000: (1, 2)}, {570_000: (2, 2)}, {}]):
        made = signal(number, one.portfolio_id)
        order = await reserved(store, made, USD)
        taken = Consumption(YES, "asks", dict(levels))
        before = await store.position(one.portfolio_id, YES)
        booking = filled(order, made, [fill(500_000, USD)], before)
        await store.book(replace(booking, consumption=taken), NOW)
        taken.levels[1] = (1, 1)
        assert await store.consumption(YES, "asks") == Consumption(YES, "asks", levels)
    assert await store.consumption(YES, "bids") == Consumption(YES, "bids", {})


async def test_a_sale_pays_its_proceeds_and_its_fee(store: Store) -> None:
    one = await funded(store, cash_micro=100 * USD)
    await bought(store, signal(1, one.portfolio_id), fill(500_000, 10 * USD, 125_000))
    after = await sold(store, signal(2, one.portfolio_id, side=Side.SELL), fill(600_000, 4 * USD, 48_000))
    portfolio = await store.portfolio(one.portfolio_id)
    assert portfolio.cash_micro == 100 * USD - 5_125_000 + 2_400_000 - 48_000
    assert after.size_micro == 6 * USD
    assert portfolio.realized_pnl_micro == 2_352_000 - 2_050_000
    assert await store.position(one.portfolio_id, YES) == after
