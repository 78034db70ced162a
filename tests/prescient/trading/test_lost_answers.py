"""What a venue does not say: an order whose answer is lost stays reserved, suspends its set, and is resolved later."""

from __future__ import annotations

from dataclasses import replace

import pytest

from polymarket_kit.model import NO_FEES, Side
from polymarket_kit.values import MICRO
from prescient.adapters.gather import ConcurrentGather
from prescient.domain.cycle import CycleStatus, StepReport
from prescient.domain.order import OrderStatus
from prescient.domain.signal import Signal, Step
from prescient.ports.context import TradingContext
from prescient.trading.execute import execute_signals
from prescient.trading.orders.resolve import resolve_all
from prescient.trading.recover import recover
from tests.fakes import StaticMarketData, binary_market, context_over, mine
from tests.prescient.faults.house import check_books
from tests.prescient.trading.test_complete_set import crossed_market
from tests.prescient.trading.test_cycle import portfolio_of, run
from tests.venues import ScriptedVenue

pytestmark = pytest.mark.asyncio

SHARES = 40 * MICRO


def scripted(data: StaticMarketData, *, signs: bool = True) -> tuple[TradingContext, ScriptedVenue]:
    context = context_over(data)
    venue = ScriptedVenue(context.venues["paper"], context.clock, signs=signs)
    return replace(context, venues={"scripted": venue}), venue


async def held(context: TradingContext, portfolio_id: int) -> dict[str, int]:
    return {one.token_id: one.size_micro for one in await context.store.positions(portfolio_id)}


async def statuses(context: TradingContext) -> list[tuple[str, OrderStatus]]:
    return [(order.intent.token_id, status) for order, status in await context.store.open_orders()]


# --- an unknown leg of a set


@pytest.mark.parametrize("signs", [True, False])
async def test_an_unknown_leg_suspends_its_set_and_a_fill_found_later_completes_it(signs: bool) -> None:
    context, venue = scripted(crossed_market(), signs=signs)
    venue.on("submit", 2, "lose")
    portfolio_id = await portfolio_of(context, strategy_type="complete_set", venue="scripted")
    report = await run(context)
    assert report.status is CycleStatus.COMPLETED
    assert report.total(Step.EXECUTE).dropped == {"outcome_unknown": 1}
    # Nothing is sold back: the lost leg may be filled, and here it is.
    assert await held(context, portfolio_id) == {"11": SHARES}
    assert await statuses(context) == [("12", OrderStatus.UNKNOWN)]
    assert (await context.store.portfolio(portfolio_id)).reserved_micro > 0
    assert len(venue.world.arrived) == 2
    resolved, _ = await recover(context)
    assert len(resolved) == 1
    assert await held(context, portfolio_id) == {"11": SHARES, "12": SHARES}
    assert len(venue.world.arrived) == 2
    await check_books(context.store, context.clock.now())


async def test_an_unknown_leg_that_was_never_placed_is_released_and_its_counterpart_sold_back() -> None:
    context, venue = scripted(crossed_market())
    venue.on("submit", 2, "drop")
    portfolio_id = await portfolio_of(context, strategy_type="complete_set", venue="scripted")
    await run(context)
    assert await held(context, portfolio_id) == {"11": SHARES}
    await recover(context)
    await mine(context)
    assert await held(context, portfolio_id) == {}
    sides = [trade.side for trade in await context.store.trades(portfolio_id, 10)]
    assert sides == [Side.SELL, Side.BUY]
    await check_books(context.store, context.clock.now())


async def test_a_venue_that_does_not_even_answer_about_it_is_asked_again_each_time() -> None:
    context, venue = scripted(crossed_market())
    venue.on("submit", 2, "lose").always("resolve", "lose")
    portfolio_id = await portfolio_of(context, strategy_type="complete_set", venue="scripted")
    await run(context)
    for _ in range(3):
        assert await recover(context) == ([], [])
        assert await statuses(context) == [("12", OrderStatus.UNKNOWN)]
    venue.always("resolve", "raise")
    assert await recover(context) == ([], [])
    venue.well()
    await recover(context)
    assert await held(context, portfolio_id) == {"11": SHARES, "12": SHARES}
    await check_books(context.store, context.clock.now())


async def test_a_lost_sale_of_a_leg_is_never_sold_twice() -> None:
    """The set breaks, and the answer of its sale back is lost as well."""
    context, venue = scripted(crossed_market())
    venue.on("submit", 2, "refuse").on("submit", 3, "lose")
    portfolio_id = await portfolio_of(context, strategy_type="complete_set", venue="scripted")
    report = await run(context)
    assert report.total(Step.EXECUTE).dropped["unwind_not_mined"] == 1
    await mine(context)
    assert await statuses(context) == [("11", OrderStatus.UNKNOWN)]
    sent = len(venue.world.arrived)
    await mine(context)
    await recover(context)
    assert await held(context, portfolio_id) == {}
    for _ in range(2):
        await mine(context)
    assert await context.store.obligations(portfolio_id, None, 10) == []
    assert len(venue.world.arrived) == sent
    await check_books(context.store, context.clock.now())


# --- three legs, the lost one at each place


def leg(number: int, portfolio_id: int, context: TradingContext) -> Signal:
    market = binary_market(number)
    return Signal(
        signal_id=f"signal-{number}",
        cycle_id="cycle",
        portfolio_id=portfolio_id,
        strategy="three",
        market_id=market.market_id,
        condition_id=market.condition_id,
        token_id=f"{number}1",
        market_question=market.question,
        outcome="Yes",
        side=Side.BUY,
        score_micro=MICRO,
        catalogue_price_micro=None,
        price_micro=550_000,
        size_micro=10 * MICRO,
        group_id="three",
        reason="three of a kind",
        time=context.clock.now(),
    )


async def three_legs(mishap: str, place: int) -> tuple[TradingContext, ScriptedVenue, int, StepReport]:
    data = StaticMarketData()
    for number in (1, 2, 3):
        data.add(binary_market(number, fees=NO_FEES), [("0.54", "500")], [("0.55", "500")])
    context, venue = scripted(data)
    venue.on("submit", place, mishap)
    portfolio_id = await portfolio_of(context, venue="scripted")
    await context.store.save_signals([leg(number, portfolio_id, context) for number in (1, 2, 3)])
    return context, venue, portfolio_id, await execute_signals(context, "cycle", portfolio_id)


@pytest.mark.parametrize("place", [1, 2, 3])
async def test_no_leg_is_sent_after_an_unknown_one(place: int) -> None:
    context, venue, portfolio_id, report = await three_legs("lose", place)
    assert venue.calls["submit"] == place
    assert report.dropped == {"outcome_unknown": 1, **({"group_suspended": 3 - place} if place < 3 else {})}
    assert len(await held(context, portfolio_id)) == place - 1
    found = await statuses(context)
    assert found == [(f"{place}1", OrderStatus.UNKNOWN)] + [
        (f"{n}1", OrderStatus.APPROVED) for n in range(place + 1, 4)
    ]
    await resolve_all(context)
    await mine(context)
    # The last leg found filled makes the set whole; before that, legs never sent leave it broken.
    assert len(await held(context, portfolio_id)) == (3 if place == 3 else 0)
    await check_books(context.store, context.clock.now())


@pytest.mark.parametrize("place", [1, 2, 3])
async def test_an_unknown_leg_that_never_arrived_undoes_the_set_wherever_it_stands(place: int) -> None:
    context, _, portfolio_id, _ = await three_legs("drop", place)
    await resolve_all(context)
    await mine(context)
    assert await held(context, portfolio_id) == {}
    trades = await context.store.trades(portfolio_id, 10)
    assert len(trades) == 2 * (place - 1)
    await check_books(context.store, context.clock.now())


# --- single orders


async def test_a_lost_sale_keeps_its_shares_set_aside_until_it_is_known() -> None:
    data = StaticMarketData()
    data.add(binary_market(1, fees=NO_FEES), [("0.54", "500")], [("0.55", "500")])
    context, venue = scripted(data)
    portfolio_id = await portfolio_of(context, venue="scripted")
    bought = replace(leg(1, portfolio_id, context), group_id="")
    await context.store.save_signals([bought])
    await execute_signals(context, "cycle", portfolio_id)
    await mine(context)
    sale = replace(bought, signal_id="sale", side=Side.SELL, price_micro=540_000)
    venue.on("submit", 2, "lose")
    await context.store.save_signals([sale])
    report = await execute_signals(context, "cycle", portfolio_id)
    assert report.dropped == {"outcome_unknown": 1}
    ((order, status),) = await context.store.open_orders()
    assert (order.reserved_shares_micro, status) == (10 * MICRO, OrderStatus.UNKNOWN)
    assert order.wire is not None
    venue.always("resolve", "lose")
    await context.store.save_signals([replace(sale, signal_id="again")])
    assert (await execute_signals(context, "cycle", portfolio_id)).dropped == {"insufficient_shares": 1}
    venue.well()
    await resolve_all(context)
    assert await held(context, portfolio_id) == {}
    await check_books(context.store, context.clock.now())


@pytest.mark.parametrize("mishap", ["late", "double"])
async def test_a_late_or_doubled_answer_is_booked_once(mishap: str) -> None:
    context, venue = scripted(crossed_market())
    venue.always("submit", mishap)
    portfolio_id = await portfolio_of(context, strategy_type="complete_set", venue="scripted")
    report = await run(context)
    assert report.total(Step.EXECUTE).count_out == 2
    assert [trade.size_micro for trade in await context.store.trades(portfolio_id, 10)] == [SHARES, SHARES]
    await check_books(context.store, context.clock.now())


async def test_an_order_that_cannot_be_signed_is_not_sent_and_not_reserved() -> None:
    context, venue = scripted(crossed_market())
    venue.always("prepare", "raise")
    portfolio_id = await portfolio_of(context, strategy_type="complete_set", venue="scripted")
    report = await run(context)
    assert report.total(Step.EXECUTE).dropped == {"not_prepared": 1, "group_leg_failed": 1}
    assert (venue.world.arrived, await context.store.open_orders()) == ([], [])
    await check_books(context.store, context.clock.now())
    assert (await context.store.portfolio(portfolio_id)).reserved_micro == 0


# --- one among six


@pytest.mark.parametrize("mishap", ["raise", "lose", "late"])
async def test_one_order_of_six_that_goes_wrong_leaves_the_five_others_alone(mishap: str) -> None:
    data = StaticMarketData()
    for number in range(1, 7):
        data.add(binary_market(number), [("0.54", "500")], [("0.55", "500")])
    context, venue = scripted(data)
    context = replace(context, gather=ConcurrentGather())
    venue.on("submit", 3, mishap)
    portfolio_id = await portfolio_of(context, venue="scripted")
    report = await run(context)
    assert report.status is CycleStatus.COMPLETED
    lost = 0 if mishap == "late" else 1
    assert report.total(Step.EXECUTE).dropped.get("outcome_unknown", 0) == lost
    assert len(await held(context, portfolio_id)) == 6 - lost
    await recover(context)
    assert len(await held(context, portfolio_id)) == 6
    assert len(venue.world.arrived) == 6
    await check_books(context.store, context.clock.now())
