"""Merging, converting and paying out beside SELL orders on both stores: shares that an order may take are not given away."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from polymarket_kit.errors import InvalidRequest
from polymarket_kit.model import OrderType, Side
from polymarket_kit.values import MICRO
from prescient.domain.booking import Booking
from prescient.domain.market import Resolution
from prescient.domain.order import ApprovedOrder, OrderIntent, OrderStatus, Rejected
from prescient.domain.order_state import answered
from prescient.ports.store import Store
from prescient.trading.mark import mark_positions
from prescient.trading.orders.approve import approve_intent
from prescient.trading.positions.merge import NotConvertible, NothingToMerge, convert_no_shares, merge_sets
from prescient.trading.resting import cancel_stranded
from tests.fakes import START
from tests.prescient.contract.test_sets import SHARE, Hall
from tests.prescient.faults.house import Tripwire, check_books


@pytest.fixture
async def hall(store: Store) -> Hall:
    """Fifty shares of both outcomes of the first option, and of the second one's NO."""
    made = await Hall(store).open()
    await made.buy(1, "Yes", 50)
    await made.buy(1, "No", 50)
    await made.buy(2, "No", 50)
    return made


async def on_its_way(hall: Hall, token_id: str, size: int, number: int = 1) -> ApprovedOrder:
    """A sale that was approved and is not answered yet."""
    condition_id = f"0xc{token_id[0]}"
    intent = OrderIntent(
        f"order:sale-{number}", hall.portfolio_id, "", condition_id, token_id, Side.SELL, OrderType.FAK, 300_000,
        size_micro=size * SHARE,
    )  # fmt: skip
    rules = (await hall.data.rules([condition_id]))[condition_id]
    approved = await approve_intent(replace(hall.context, store=hall.store), intent, rules)
    assert isinstance(approved, ApprovedOrder), approved
    return approved


async def end(hall: Hall, order: ApprovedOrder) -> None:
    told = answered(order.intent.order_id, Rejected("market_closed", "closed"), START)
    await hall.store.book(Booking(order.intent.order_id, told, (), None, None, ""), START)


def interrupted(hall: Hall, method: str, action: Callable[[], Awaitable[Any]], number: int = 1) -> None:
    """Let something happen before the n-th call of a method from now."""
    wired: Any = Tripwire(hall.store, method, action, number=number, after=False)
    hall.context = replace(hall.context, store=wired)


async def test_shares_of_a_sale_on_its_way_neither_merge_nor_convert(hall: Hall) -> None:
    order = await on_its_way(hall, "12", 45)
    with pytest.raises(InvalidRequest):
        await merge_sets(hall.context, hall.portfolio_id, "0xc1", 6 * SHARE)
    assert (await merge_sets(hall.context, hall.portfolio_id, "0xc1")).size_micro == 5 * SHARE
    with pytest.raises(NothingToMerge):
        await merge_sets(hall.context, hall.portfolio_id, "0xc1")
    with pytest.raises(NotConvertible):
        await convert_no_shares(hall.context, hall.portfolio_id, ["0xc1", "0xc2"])
    await end(hall, order)
    assert (await merge_sets(hall.context, hall.portfolio_id, "0xc1")).size_micro == 45 * SHARE
    await check_books(hall.store, START)


async def test_a_sale_approved_while_a_merge_is_computed_keeps_its_shares(hall: Hall) -> None:
    interrupted(hall, "swap", partial(on_its_way, hall, "12", 50))
    with pytest.raises(NothingToMerge):
        await merge_sets(hall.context, hall.portfolio_id, "0xc1")
    assert await hall.shares() == {"11": 50, "12": 50, "22": 50}


async def test_sets_merged_by_another_between_two_readings_are_gone(hall: Hall) -> None:
    other = replace(hall.context)
    # The third reading of a position is that of what will be given up; before it was asked what is free.
    interrupted(hall, "position", lambda: merge_sets(other, hall.portfolio_id, "0xc1"), number=3)
    with pytest.raises(NothingToMerge):
        await merge_sets(hall.context, hall.portfolio_id, "0xc1")
    assert await hall.shares() == {"22": 50}


async def test_shares_converted_by_another_between_two_readings_are_gone(hall: Hall) -> None:
    other = replace(hall.context)
    interrupted(hall, "position", lambda: convert_no_shares(other, hall.portfolio_id, ["0xc1", "0xc2"]), number=3)
    with pytest.raises(NotConvertible):
        await convert_no_shares(hall.context, hall.portfolio_id, ["0xc1", "0xc2"])


async def test_a_merge_that_lost_a_part_merges_the_rest(hall: Hall) -> None:
    interrupted(hall, "swap", partial(on_its_way, hall, "11", 20))
    assert (await merge_sets(hall.context, hall.portfolio_id, "0xc1")).size_micro == 30 * SHARE


async def test_a_sale_approved_while_a_conversion_is_computed_keeps_its_shares(hall: Hall) -> None:
    interrupted(hall, "swap", partial(on_its_way, hall, "22", 50))
    with pytest.raises(NotConvertible):
        await convert_no_shares(hall.context, hall.portfolio_id, ["0xc1", "0xc2"])
    assert await hall.shares() == {"11": 50, "12": 50, "22": 50}


async def test_a_payout_leaves_a_sale_on_its_way_its_shares_and_pays_them_later(hall: Hall) -> None:
    order = await on_its_way(hall, "11", 20)
    hall.dispute(1, Resolution.RESOLVED, closed=True, payout=True)
    before = await hall.cash()
    assert (await mark_positions(hall.context, hall.portfolio_id)).amounts["settled"] == 1
    assert await hall.shares() == {"11": 20, "22": 50}
    assert await hall.cash() == before + 30 * MICRO
    await end(hall, order)
    assert (await mark_positions(hall.context, hall.portfolio_id)).amounts["settled"] == 1
    assert await hall.cash() == before + 50 * MICRO
    await check_books(hall.store, START)


async def test_a_sale_approved_while_a_payout_is_computed_keeps_its_shares(hall: Hall) -> None:
    hall.dispute(1, Resolution.RESOLVED, closed=True, payout=True)
    interrupted(hall, "settle", partial(on_its_way, hall, "11", 20))
    before = await hall.cash()
    await mark_positions(hall.context, hall.portfolio_id)
    assert await hall.shares() == {"11": 20, "22": 50}
    assert await hall.cash() == before + 30 * MICRO


async def test_a_payout_goes_past_a_resting_sale_which_then_ends(hall: Hall) -> None:
    rests = await hall.buy(1, "Yes", 45, 40, Side.SELL)
    assert rests.status is OrderStatus.OPEN
    hall.dispute(1, Resolution.RESOLVED, closed=True, payout=True)
    rules = hall.data.rules_by_condition["0xc1"]
    hall.data.rules_by_condition["0xc1"] = replace(rules, accepting_orders=False)
    before = await hall.cash()
    await mark_positions(hall.context, hall.portfolio_id)
    assert await hall.shares() == {"22": 50}
    assert await hall.cash() == before + 50 * MICRO
    (ended,) = await cancel_stranded(hall.context)
    assert (ended.status, ended.reason) == (OrderStatus.CANCELED, "the market takes no orders any more")
    assert await hall.store.open_orders() == []
    await check_books(hall.store, START)
