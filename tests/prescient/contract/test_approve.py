"""Check and reserve are one on both stores: what the gate refuses to the loser of a race, and that it never reserves twice."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial

import pytest

from polymarket_kit.model import NO_FEES, OrderType, Side
from prescient.domain import risk
from prescient.domain.booking import Booking
from prescient.domain.errors import InvariantBroken
from prescient.domain.market import TradingRules
from prescient.domain.order import Accepted, ApprovedOrder, OrderIntent, OrderStatus, Refused
from prescient.domain.order_state import answered
from prescient.domain.resting import RestingOrder
from prescient.domain.risk import ALREADY_ORDERED, Holdings
from prescient.ports.store import Store
from tests.prescient.contract.store_examples import (
    NO,
    NOW,
    USD,
    YES,
    House,
    bought,
    fill,
    funded,
    intent_of,
    judged,
    signal,
)

RULES = TradingRules("0x1", (YES, NO), True, 10_000, 5 * USD, NO_FEES)


def ask(number: int, portfolio_id: int, side: Side = Side.BUY, **changes: object) -> OrderIntent:
    """An order of 30 dollars, or of 30 shares to sell."""
    made = intent_of(signal(number, portfolio_id, side=side))
    amounts = {"amount_micro": 30 * USD, "size_micro": 0} if side is Side.BUY else {"size_micro": 30 * USD}
    return replace(made, **{**amounts, **changes})  # type: ignore[arg-type]


async def approve(store: Store, intent: OrderIntent) -> ApprovedOrder | Refused:
    return await store.approve(intent, partial(risk.check, intent, RULES), NOW)


async def approve_at_once(house: House, intents: list[OrderIntent]) -> list[ApprovedOrder | Refused]:
    stores = [await house.open() for _ in range(2)]
    return await asyncio.gather(*(approve(stores[n % 2], intent) for n, intent in enumerate(intents)))


def codes(answers: list[ApprovedOrder | Refused]) -> list[str]:
    return sorted(answer.code if isinstance(answer, Refused) else "approved" for answer in answers)


async def test_of_purchases_at_once_those_beyond_the_cash_are_refused(house: House) -> None:
    store = await house.open()
    one = await funded(store, cash_micro=100 * USD)
    answers = await approve_at_once(house, [ask(number, one.portfolio_id) for number in range(8)])
    assert codes(answers) == ["approved"] * 3 + ["insufficient_cash"] * 5
    after = await store.portfolio(one.portfolio_id)
    assert (after.reserved_micro, after.available_micro) == (90 * USD, 10 * USD)
    assert len(await store.open_orders()) == 3
    (loser, *_) = [answer for answer in answers if isinstance(answer, Refused)]
    assert loser.number == "10" and "$10.00 is available" in loser.reason


async def test_of_sales_at_once_those_beyond_the_shares_are_refused(house: House) -> None:
    store = await house.open()
    one = await funded(store)
    await bought(store, signal(100, one.portfolio_id), fill(500_000, 70 * USD))
    await bought(store, signal(101, one.portfolio_id, token_id=NO), fill(500_000, 70 * USD))
    answers = await approve_at_once(house, [ask(number, one.portfolio_id, Side.SELL) for number in range(6)])
    assert codes(answers) == ["approved"] * 2 + ["insufficient_shares"] * 4
    assert sum(order.reserved_shares_micro for order, _ in await store.open_orders()) == 60 * USD
    # Another token's shares, and another portfolio's, are none of these.
    other = await approve(store, ask(7, one.portfolio_id, Side.SELL, token_id=NO))
    assert isinstance(other, ApprovedOrder)
    two = await funded(store, "Two")
    assert codes([await approve(store, ask(8, two.portfolio_id, Side.SELL))]) == ["insufficient_shares"]


async def test_a_portfolio_paused_meanwhile_reserves_nothing(house: House) -> None:
    stores = [await house.open() for _ in range(2)]
    one = await funded(stores[0])
    asked = asyncio.gather(*(approve(stores[n % 2], ask(n, one.portfolio_id, amount_micro=USD)) for n in range(6)))
    paused = stores[1].change_portfolio(one.portfolio_id, {"status": "paused"}, NOW)
    answers, _ = await asyncio.gather(asked, paused)
    assert set(codes(answers)) <= {"approved", "portfolio_not_active"}
    # Nobody who comes afterwards gets in, and the money reserved is that of those who came before.
    assert codes([await approve(stores[0], ask(9, one.portfolio_id))]) == ["portfolio_not_active"]
    assert (await stores[0].portfolio(one.portfolio_id)).reserved_micro == codes(answers).count("approved") * USD


async def test_one_signal_asked_many_times_at_once_is_ordered_once(house: House) -> None:
    store = await house.open()
    one = await funded(store, cash_micro=100 * USD)
    answers = await approve_at_once(house, [ask(1, one.portfolio_id) for _ in range(6)])
    assert codes(answers) == ["already_ordered"] * 5 + ["approved"]
    assert (await store.portfolio(one.portfolio_id)).reserved_micro == 30 * USD


async def test_what_is_left_of_a_resting_sale_stays_set_aside_and_no_more(store: Store) -> None:
    one = await funded(store)
    await bought(store, signal(100, one.portfolio_id), fill(500_000, 50 * USD))
    order = await approve(store, ask(1, one.portfolio_id, Side.SELL, order_type=OrderType.GTC))
    assert isinstance(order, ApprovedOrder)
    place = RestingOrder(
        order.intent.order_id, one.portfolio_id, "0x1", (YES, NO), YES, Side.SELL, 570_000, 30 * USD, 1, filled_micro=0
    )
    rests = answered(order.intent.order_id, Accepted(order.intent.order_id, OrderStatus.OPEN, (), NOW), NOW)
    await store.book(Booking(order.intent.order_id, rests, (), None, None, order.intent.signal_id, resting=place), NOW)
    assert codes([await approve(store, ask(2, one.portfolio_id, Side.SELL))]) == ["insufficient_shares"]
    twenty = await approve(store, ask(3, one.portfolio_id, Side.SELL, size_micro=20 * USD))
    assert isinstance(twenty, ApprovedOrder)
    seen: list[Holdings] = []
    await store.approve(ask(4, one.portfolio_id), lambda holdings: seen.append(holdings) or ALREADY_ORDERED, NOW)  # type: ignore[func-returns-value]
    assert (seen[0].held_micro, seen[0].set_aside_micro, seen[0].free_shares_micro) == (50 * USD, 50 * USD, 0)
    assert seen[0].open_positions == 1


@pytest.mark.parametrize(("cash", "shares"), [(100 * USD + 1, 0), (0, 10 * USD + 1)])
async def test_a_gate_that_approves_more_than_there_is_reserves_nothing(store: Store, cash: int, shares: int) -> None:
    one = await funded(store, cash_micro=105 * USD)
    await bought(store, signal(100, one.portfolio_id), fill(500_000, 10 * USD))
    generous = ApprovedOrder(ask(1, one.portfolio_id), cash, shares)
    with pytest.raises(InvariantBroken):
        await judged(store, generous)
    another = ApprovedOrder(ask(2, one.portfolio_id), 0, 0)
    with pytest.raises(InvariantBroken):
        await store.approve(ask(1, one.portfolio_id), lambda _: another, NOW)
    assert await store.open_orders() == []
