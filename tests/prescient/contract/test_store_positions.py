"""Positions, settlement and snapshots: what is held, paid once, and written only if the books agree."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from polymarket_kit.model import Side
from prescient.domain.booking import Booking
from prescient.domain.errors import InvariantBroken
from prescient.domain.ledger import settlement
from prescient.domain.portfolio import Mark
from prescient.ports.store import Store
from tests.prescient.contract.store_examples import (
    NO,
    NOW,
    USD,
    YES,
    House,
    bought,
    empty_position,
    fill,
    filled,
    funded,
    later,
    reserved,
    settled,
    signal,
    sold,
    trace,
)


async def test_positions_of_one_or_all_open_or_closed(store: Store) -> None:
    one, two = await funded(store, "One"), await funded(store, "Two")
    first = await bought(store, signal(1, one.portfolio_id, token_id=YES), fill(500_000, 10 * USD))
    second = await bought(store, signal(2, one.portfolio_id, token_id=NO), fill(400_000, 5 * USD))
    third = await bought(store, signal(3, two.portfolio_id, token_id=YES), fill(500_000, 1 * USD))
    closed = await sold(store, signal(4, one.portfolio_id, token_id=NO, side=Side.SELL), fill(300_000, 5 * USD))
    assert closed.status == "closed" and closed.closed_at == NOW
    assert await store.positions(one.portfolio_id) == [first]
    assert {p.token_id: p for p in await store.positions(one.portfolio_id, open_only=False)} == {YES: first, NO: closed}
    assert await store.positions(None) == [first, third]
    assert len(await store.positions(None, open_only=False)) == 3
    assert await store.position(one.portfolio_id, NO) == closed
    assert await store.position(two.portfolio_id, NO) is None
    assert second.size_micro == 5 * USD


async def test_a_position_bought_again_is_open_again_and_keeps_its_past_profit(store: Store) -> None:
    one = await funded(store)
    await bought(store, signal(1, one.portfolio_id), fill(500_000, 10 * USD))
    await sold(store, signal(2, one.portfolio_id, side=Side.SELL), fill(600_000, 10 * USD))
    assert await store.trade_counts(one.portfolio_id) == {one.portfolio_id: (2, 1, 0)}
    again = await bought(store, signal(3, one.portfolio_id), fill(700_000, 1 * USD))
    assert (again.status, again.closed_at) == ("open", None)
    assert await store.positions(one.portfolio_id) == [again]
    assert again.realized_pnl_micro == 1 * USD
    assert await store.trade_counts(one.portfolio_id) == {one.portfolio_id: (3, 0, 0)}
    assert (await store.snapshot(one.portfolio_id, "c", NOW)).realized_pnl_micro == 1 * USD


async def test_marks_change_value_and_nothing_else(store: Store) -> None:
    one = await funded(store)
    first = await bought(store, signal(1, one.portfolio_id, token_id=YES), fill(500_000, 10 * USD))
    second = await bought(store, signal(2, one.portfolio_id, token_id=NO), fill(400_000, 5 * USD))
    marks = [Mark(YES, 610_000, 6_050_000, "bids"), Mark("not held", 1, 1, "bids")]
    await store.save_marks(one.portfolio_id, marks, later(minutes=5))
    marked = replace(
        first, mark_price_micro=610_000, mark_value_micro=6_050_000, mark_source="bids", mark_time=later(minutes=5)
    )
    assert await store.position(one.portfolio_id, YES) == marked
    assert await store.position(one.portfolio_id, NO) == second
    portfolio = await store.portfolio(one.portfolio_id)
    assert portfolio.unrealized_pnl_micro == 6_050_000 - first.cost_micro
    assert portfolio.value_micro == one.initial_balance_micro + portfolio.profit_micro
    await store.save_marks(one.portfolio_id, [Mark(YES, None, 0, "no_bids")], later(minutes=6))
    after = await store.position(one.portfolio_id, YES)
    assert after is not None and (after.mark_price_micro, after.mark_value_micro) == (None, 0)


async def test_a_closed_position_takes_no_mark(store: Store) -> None:
    one = await funded(store)
    await bought(store, signal(1, one.portfolio_id), fill(500_000, 10 * USD))
    closed = await sold(store, signal(2, one.portfolio_id, side=Side.SELL), fill(600_000, 10 * USD))
    await store.save_marks(one.portfolio_id, [Mark(YES, 610_000, 6_000_000, "bids")], later(minutes=5))
    assert await store.position(one.portfolio_id, YES) == closed
    assert (await store.snapshot(one.portfolio_id, "c", NOW)).unrealized_pnl_micro == 0


@pytest.mark.parametrize("payout", [10 * USD, 5 * USD, 0])
async def test_a_resolved_position_is_paid_once(store: Store, payout: int) -> None:
    one = await funded(store, cash_micro=100 * USD)
    position = await bought(store, signal(1, one.portfolio_id), fill(600_000, 10 * USD, 12_000))
    await store.save_marks(one.portfolio_id, [Mark(YES, 990_000, 9_900_000, "bids")], NOW)
    marked = await store.position(one.portfolio_id, YES)
    assert marked is not None
    assert await settled(store, marked, payout, later(hours=1))
    after = await store.portfolio(one.portfolio_id)
    assert after.cash_micro == 100 * USD - 6_012_000 + payout
    assert after.realized_pnl_micro == payout - position.cost_micro
    assert (after.invested_micro, after.unrealized_pnl_micro) == (0, 0)
    assert await store.positions(one.portfolio_id) == []
    won, lost = int(payout > position.cost_micro), int(payout < position.cost_micro)
    assert await store.trade_counts(None) == {one.portfolio_id: (1, won, lost)}
    before = await trace(store, one.portfolio_id)
    assert not await settled(store, marked, payout, later(hours=2))
    assert not await settled(store, marked, 10 * USD - payout, later(hours=2))
    assert await trace(store, one.portfolio_id) == before
    await store.snapshot(one.portfolio_id, "c", later(hours=3))


async def test_of_two_processes_one_settles(house: House) -> None:
    stores = [await house.open() for _ in range(2)]
    one = await funded(stores[0])
    position = await bought(stores[0], signal(1, one.portfolio_id), fill(600_000, 10 * USD))
    answers = await asyncio.gather(*(settled(stores[n % 2], position, 10 * USD) for n in range(4)))
    assert sorted(answers) == [False, False, False, True]
    assert (await stores[1].portfolio(one.portfolio_id)).cash_micro == one.cash_micro + 4 * USD


async def test_each_portfolio_settles_its_own_position_in_one_market(store: Store) -> None:
    one, two = await funded(store, "One"), await funded(store, "Two")
    first = await bought(store, signal(1, one.portfolio_id), fill(600_000, 10 * USD))
    second = await bought(store, signal(1, two.portfolio_id), fill(600_000, 5 * USD))
    assert await settled(store, first, 10 * USD)
    assert await settled(store, second, 5 * USD)


async def test_what_is_not_held_is_not_paid(store: Store) -> None:
    one = await funded(store)
    ghost = empty_position(signal(1, one.portfolio_id)).bought(10 * USD, 0)
    before = await trace(store, one.portfolio_id)
    with pytest.raises(InvariantBroken):
        await settled(store, ghost, 10 * USD)
    assert await trace(store, one.portfolio_id) == before
    held = await bought(store, signal(1, one.portfolio_id), fill(600_000, 10 * USD))
    before = await trace(store, one.portfolio_id)
    with pytest.raises(InvariantBroken):
        await settled(store, replace(held, size_micro=10 * USD + 1), 10 * USD)
    assert await trace(store, one.portfolio_id) == before


async def test_a_snapshot_says_what_the_portfolio_is_worth(store: Store) -> None:
    one = await funded(store, cash_micro=100 * USD)
    await bought(store, signal(1, one.portfolio_id), fill(500_000, 10 * USD, 10_000))
    await sold(store, signal(2, one.portfolio_id, side=Side.SELL), fill(700_000, 5 * USD))
    await store.save_marks(one.portfolio_id, [Mark(YES, 650_000, 3_200_000, "bids")], NOW)
    await reserved(store, signal(3, one.portfolio_id), 9 * USD)
    snapshot = await store.snapshot(one.portfolio_id, "cycle-9", NOW)
    assert (snapshot.portfolio_id, snapshot.cycle_id) == (one.portfolio_id, "cycle-9")
    assert (snapshot.snapshot_date, snapshot.time) == (date(2026, 5, 17), NOW)
    # 100 - 5.01 + 3.5; half of the cost of 5.01 left; 3.5 - 2.505; 3.2 - 2.505
    assert snapshot.cash_micro == 98_490_000
    assert snapshot.invested_micro == 2_505_000
    assert snapshot.realized_pnl_micro == 995_000
    assert snapshot.unrealized_pnl_micro == 695_000
    assert snapshot.value_micro == 98_490_000 + 3_200_000 == 100 * USD + 995_000 + 695_000
    assert (snapshot.open_positions, snapshot.trades) == (1, 2)
    assert await store.history(one.portfolio_id, 5) == [snapshot]
    assert await store.equity(one.portfolio_id, NOW, 5) == [snapshot]


async def test_history_has_one_row_a_utc_day_and_the_last_write_wins(store: Store) -> None:
    one = await funded(store, cash_micro=100 * USD)
    await store.snapshot(one.portfolio_id, "first", datetime(2026, 5, 17, 0, 0, tzinfo=UTC))
    await bought(store, signal(1, one.portfolio_id), fill(500_000, 10 * USD, 10_000))
    last = await store.snapshot(one.portfolio_id, "last", datetime(2026, 5, 17, 23, 59, 59, 999_999, tzinfo=UTC))
    # In Tokyo it is the 18th from 15:00 UTC on; the row is of the UTC day.
    tokyo = timezone(timedelta(hours=9))
    tomorrow = await store.snapshot(one.portfolio_id, "next", datetime(2026, 5, 19, 8, 59, tzinfo=tokyo))
    rows = await store.history(one.portfolio_id, 10)
    assert [row.snapshot_date for row in rows] == [date(2026, 5, 18), date(2026, 5, 17)]
    assert [row.cycle_id for row in rows] == ["next", "last"]
    assert rows == [tomorrow, last]
    assert await store.history(one.portfolio_id, 1) == [tomorrow]
    equity = await store.equity(one.portfolio_id, datetime(2026, 5, 17, tzinfo=UTC), 10)
    assert [point.cycle_id for point in equity] == ["first", "last", "next"]
    since = await store.equity(one.portfolio_id, last.time, 10)
    assert [point.cycle_id for point in since] == ["last", "next"]


async def test_the_last_write_of_a_day_wins_even_if_its_clock_is_behind(store: Store) -> None:
    one = await funded(store)
    await store.snapshot(one.portfolio_id, "ahead", later(hours=2))
    await store.snapshot(one.portfolio_id, "behind", later(hours=1))
    assert [row.cycle_id for row in await store.history(one.portfolio_id, 5)] == ["behind"]
    points = await store.equity(one.portfolio_id, NOW, 5)
    assert [point.cycle_id for point in points] == ["behind", "ahead"]


async def test_history_of_all_portfolios_lies_side_by_side(store: Store) -> None:
    one, two = await funded(store, "One"), await funded(store, "Two")
    for day in (0, 1):
        for portfolio in (two, one):
            await store.snapshot(portfolio.portfolio_id, f"c{day}", later(days=day))
    rows = [(row.snapshot_date.day, row.portfolio_id) for row in await store.history(None, 10)]
    a, b = one.portfolio_id, two.portfolio_id
    assert rows == [(18, a), (18, b), (17, a), (17, b)]
    assert len(await store.history(None, 3)) == 3


async def book_and_snapshot(store: Store, booking: Booking) -> None:
    """A store may notice at the booking already that shares and ledger differ."""
    await store.book(booking, NOW)
    assert booking.trade is not None
    await store.snapshot(booking.trade.portfolio_id, "c", NOW)


@pytest.mark.parametrize(
    ("size", "cost", "token"),
    [(10 * USD + 1, 5 * USD, YES), (9 * USD, 5 * USD, YES), (0, 0, YES), (10 * USD, -1, YES), (10 * USD, 5 * USD, NO)],
)
async def test_a_position_with_other_shares_than_the_ledger_is_not_booked(
    store: Store, size: int, cost: int, token: str
) -> None:
    one = await funded(store)
    made = signal(1, one.portfolio_id)
    order = await reserved(store, made, 10 * USD)
    good = filled(order, made, [fill(500_000, 10 * USD)])
    assert good.position is not None
    wrong = replace(good.position, size_micro=size, cost_micro=cost, token_id=token)
    before = await trace(store, one.portfolio_id)
    with pytest.raises(InvariantBroken):
        await store.book(replace(good, position=wrong), NOW)
    assert await trace(store, one.portfolio_id) == before
    await store.book(good, NOW)
    before = await trace(store, one.portfolio_id)
    wrong_payout = settlement(one.portfolio_id, "0x1", YES, 4 * USD, 4 * USD, NOW)
    with pytest.raises(InvariantBroken):
        await store.settle(one.portfolio_id, wrong_payout, good.position.reduced(10 * USD, 4 * USD, NOW), NOW)
    assert await trace(store, one.portfolio_id) == before


async def refused_snapshot(store: Store, portfolio_id: int) -> None:
    with pytest.raises(InvariantBroken):
        await store.snapshot(portfolio_id, "c", NOW)
    assert await store.history(portfolio_id, 5) == []
    assert await store.equity(portfolio_id, later(days=-1), 5) == []


async def test_shares_without_a_position_are_not_snapshot(store: Store) -> None:
    one = await funded(store)
    made = signal(1, one.portfolio_id)
    order = await reserved(store, made, 10 * USD)
    await store.book(replace(filled(order, made, [fill(500_000, 10 * USD)]), position=None), NOW)
    await refused_snapshot(store, one.portfolio_id)


@pytest.mark.parametrize("changes", [{"cost_micro": 5 * USD - 1}, {"cost_micro": 6 * USD}, {"realized_pnl_micro": 1}])
async def test_a_cost_or_profit_that_was_never_paid_is_not_snapshot(store: Store, changes: dict[str, Any]) -> None:
    one = await funded(store)
    made = signal(1, one.portfolio_id)
    order = await reserved(store, made, 10 * USD)
    good = filled(order, made, [fill(500_000, 10 * USD)])
    assert good.position is not None
    await store.book(replace(good, position=replace(good.position, **changes)), NOW)
    await refused_snapshot(store, one.portfolio_id)


@pytest.mark.parametrize(("price", "value"), [(1_000_001, 1), (-1, 1), (500_000, -1)])
async def test_a_mark_out_of_bounds_is_refused_with_all_others(store: Store, price: int, value: int) -> None:
    one = await funded(store)
    await bought(store, signal(1, one.portfolio_id, token_id=YES), fill(500_000, 10 * USD))
    await bought(store, signal(2, one.portfolio_id, token_id=NO), fill(500_000, 10 * USD))
    before = await trace(store, one.portfolio_id)
    marks = [Mark(YES, 600_000, 6 * USD, "bids"), Mark(NO, price, value, "bids")]
    with pytest.raises(InvariantBroken):
        await store.save_marks(one.portfolio_id, marks, later(minutes=5))
    assert await trace(store, one.portfolio_id) == before


async def test_a_mark_that_is_not_its_value_is_still_consistent(store: Store) -> None:
    one = await funded(store)
    made = signal(1, one.portfolio_id)
    order = await reserved(store, made, 10 * USD)
    good = filled(order, made, [fill(500_000, 10 * USD)])
    assert good.position is not None
    await store.book(replace(good, position=replace(good.position, mark_value_micro=4 * USD)), NOW)
    snapshot = await store.snapshot(one.portfolio_id, "c", NOW)
    assert snapshot.unrealized_pnl_micro == -1 * USD
    assert snapshot.value_micro == one.initial_balance_micro - 1 * USD


async def test_trade_counts_of_all_portfolios(store: Store) -> None:
    one, two = await funded(store, "One"), await funded(store, "Two")
    await bought(store, signal(1, one.portfolio_id), fill(500_000, 10 * USD))
    await sold(store, signal(2, one.portfolio_id, side=Side.SELL), fill(400_000, 10 * USD))
    await bought(store, signal(3, one.portfolio_id, token_id=NO), fill(500_000, 10 * USD))
    await sold(store, signal(4, one.portfolio_id, token_id=NO, side=Side.SELL), fill(500_000, 10 * USD))
    # A loss, and one that came out even: neither won nor lost.
    assert await store.trade_counts(None) == {one.portfolio_id: (4, 0, 1), two.portfolio_id: (0, 0, 0)}
    assert await store.trade_counts(two.portfolio_id) == {two.portfolio_id: (0, 0, 0)}


async def test_ledger_balances_sum_to_zero_for_each_asset(store: Store) -> None:
    one = await funded(store)
    position = await bought(store, signal(1, one.portfolio_id), fill(333_333, 7_777_777, 123_450))
    await sold(store, signal(2, one.portfolio_id, side=Side.SELL), fill(444_444, 1_111_111, 9_990))
    left = await store.position(one.portfolio_id, YES)
    assert left is not None and left.size_micro == position.size_micro - 1_111_111
    await settled(store, left, left.size_micro)
    sums: dict[str, int] = {}
    for (_, asset), amount in (await store.ledger_balances(one.portfolio_id)).items():
        sums[asset] = sums.get(asset, 0) + amount
    assert sums == {"USD": 0, YES: 0}


async def test_settling_with_no_money_still_takes_the_shares(store: Store) -> None:
    one = await funded(store)
    position = await bought(store, signal(1, one.portfolio_id), fill(500_000, 10 * USD))
    transfers = settlement(one.portfolio_id, "0x1", YES, 10 * USD, 0, NOW)
    assert len(transfers) == 1
    assert await store.settle(one.portfolio_id, transfers, position.reduced(10 * USD, 0, NOW), NOW)
    assert (await store.ledger_balances(one.portfolio_id))["shares", YES] == 0
