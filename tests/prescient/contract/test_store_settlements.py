"""Trades on their way to the chain, on both stores: what is not mined is set apart, and what fails is undone exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import pytest

from polymarket_kit.model import Side
from prescient.domain.booking import Booking
from prescient.domain.errors import InvariantBroken, NotFoundError, PortfolioNotFound, PositionMoved
from prescient.domain.obligation import merge_owed, sell_back_owed
from prescient.domain.order import Fill, Refused
from prescient.domain.order_state import FactKind, state_of
from prescient.domain.portfolio import Mark, Position
from prescient.domain.risk import Holdings
from prescient.domain.settlement import Reversal, SettlementModel, SettlementState, TradeSettlement, undo
from prescient.domain.signal import Signal
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
    intent_of,
    later,
    reserved,
    signal,
    trace,
)

TWO_S = SettlementModel()
FAILING = SettlementModel(failed_share=1.0)


async def traded(
    store: Store, of: Signal, matched: Sequence[Fill], model: SettlementModel = TWO_S, time: datetime = NOW
) -> Booking:
    """Reserve and book an order whose trade has yet to settle."""
    money = sum(one.cost_micro + one.fee_micro for one in matched) if of.side is Side.BUY else 0
    order = await reserved(store, of, money, time=time)
    before = await store.position(of.portfolio_id, of.token_id)
    booking = filled(order, of, matched, before, time)
    assert booking.trade is not None and booking.position is not None
    settlement = model.begin(booking.trade, before or empty_position(of), booking.position, 0)
    trade = replace(booking.trade, settlement=settlement.state.value)
    booking = replace(
        booking, facts=(*booking.facts, *settlement.facts()), trade=trade, settlement=settlement, before=before
    )
    await store.book(booking, time)
    return booking


async def stand(store: Store, portfolio_id: int) -> object:
    """What a trade changes, apart from its own record."""
    one = await store.portfolio(portfolio_id)
    position = await store.position(portfolio_id, YES)
    money = one.cash_micro, one.reserved_micro, one.invested_micro, one.realized_pnl_micro, one.unrealized_pnl_micro
    return money, position and figures(position)


async def ledger(store: Store, portfolio_id: int) -> dict[tuple[str, str], int]:
    return {key: amount for key, amount in (await store.ledger_balances(portfolio_id)).items() if amount}


def figures(position: Position) -> tuple[int, ...]:
    return (
        position.size_micro,
        position.cost_micro,
        position.realized_pnl_micro,
        position.mark_value_micro,
        position.settled_micro,
    )


async def undone(store: Store, failed: TradeSettlement, time: datetime) -> Reversal:
    position = await store.position(failed.portfolio_id, failed.token_id)
    assert position is not None
    return undo(failed.at(time), position, time)


async def test_a_purchase_is_set_apart_until_it_is_mined(store: Store) -> None:
    one = await funded(store)
    await bought(store, signal(1, one.portfolio_id), fill(500_000, 10 * USD))
    booking = await traded(store, signal(2, one.portfolio_id), [fill(600_000, 5 * USD, 7), fill(610_000, USD)])
    position = await store.position(one.portfolio_id, YES)
    assert position is not None and [position] == await store.positions(one.portfolio_id)
    assert (position.settling_size_micro, position.settling_cost_micro) == (6 * USD, 3_610_007)
    assert position.settled_micro == 10 * USD
    assert [trade.settlement for trade in await store.trades(None, 5)] == ["matched", "confirmed"]
    assert await store.due_settlements(later(seconds=1.9), None, 10) == []
    assert await store.due_settlements(later(seconds=2), one.portfolio_id + 1, 10) == []
    (due,) = await store.due_settlements(later(seconds=2), one.portfolio_id, 10)
    assert due == booking.settlement
    mined = due.at(later(seconds=2))
    for _ in range(2):
        await store.save_settled(one.portfolio_id, [mined], later(seconds=2))
    position = await store.position(one.portfolio_id, YES)
    assert position is not None and position.settled_micro == position.size_micro == 16 * USD
    assert (await store.trades(None, 1))[0].settlement == "mined"
    state = state_of(await store.facts(due.order_id))
    assert (state.mined.size_micro, state.pending.size_micro) == (6 * USD, 0)
    (due,) = await store.due_settlements(later(seconds=6), None, 10)
    await store.save_settled(one.portfolio_id, [due.at(later(seconds=6))], later(seconds=6))
    assert (await store.trades(None, 1))[0].settlement == "confirmed"
    assert state_of(await store.facts(due.order_id)).confirmed.size_micro == 6 * USD
    assert await store.due_settlements(later(days=1), None, 10) == []
    # What is at its end stays, whoever comes late.
    await store.save_settled(one.portfolio_id, [mined], later(seconds=7))
    assert (await store.trades(None, 1))[0].settlement == "confirmed"


async def test_an_approval_counts_neither_shares_nor_proceeds_that_are_not_mined(store: Store) -> None:
    one = await funded(store, cash_micro=100 * USD)
    await bought(store, signal(1, one.portfolio_id), fill(500_000, 10 * USD))
    await traded(store, signal(2, one.portfolio_id, side=Side.SELL), [fill(600_000, 4 * USD, 60_000)])
    await traded(store, signal(3, one.portfolio_id), [fill(500_000, 3 * USD)])
    await traded(store, signal(4, one.portfolio_id, token_id=NO), [fill(500_000, 3 * USD)])
    seen: list[Holdings] = []

    def look(holdings: Holdings) -> Refused:
        seen.append(holdings)
        return Refused("portfolio_not_active", "only looking")

    for number, now in ((5, NOW), (6, later(seconds=2))):
        for due in await store.due_settlements(now, None, 10):
            await store.save_settled(one.portfolio_id, [due.at(now)], now)
        made = signal(number, one.portfolio_id, side=Side.SELL)
        await store.save_signals([made])
        await store.approve(intent_of(made), look, now)
    first, second = seen
    assert (first.held_micro, first.settling_shares_micro, first.free_shares_micro) == (9 * USD, 3 * USD, 6 * USD)
    assert (first.settling_cash_micro, first.free_cash_micro) == (2_340_000, 92 * USD)
    assert (second.settling_shares_micro, second.free_shares_micro) == (0, 9 * USD)
    assert (second.settling_cash_micro, second.free_cash_micro) == (0, 94_340_000)


async def test_proceeds_are_set_apart_until_the_sale_is_mined(store: Store) -> None:
    one = await funded(store, cash_micro=100 * USD)
    await bought(store, signal(1, one.portfolio_id), fill(500_000, 10 * USD))
    await traded(store, signal(2, one.portfolio_id, side=Side.SELL), [fill(600_000, 10 * USD, 60_000)])
    after = await store.portfolio(one.portfolio_id)
    assert (after.cash_micro, after.settling_micro) == (100_940_000, 5_940_000)
    assert after.available_micro == 95 * USD
    assert [after] == await store.portfolios()
    (due,) = await store.due_settlements(later(seconds=9), None, 10)
    await store.save_settled(one.portfolio_id, [due.at(later(seconds=9))], later(seconds=9))
    after = await store.portfolio(one.portfolio_id)
    assert (after.settling_micro, after.available_micro) == (0, 100_940_000)


@pytest.mark.parametrize("side", [Side.BUY, Side.SELL])
@pytest.mark.parametrize("held", [0, 7])
async def test_a_failed_trade_is_undone_as_though_it_had_never_been(store: Store, side: Side, held: int) -> None:
    if side is Side.SELL and not held:
        held = 3
    one = await funded(store)
    if held:
        await bought(store, signal(1, one.portfolio_id), fill(333_333, held * USD + 1, 1_234))
        await store.save_marks(one.portfolio_id, [Mark(YES, 290_000, 290_001 * held, "bids")], NOW)
    before, counts = await stand(store, one.portfolio_id), await store.trade_counts(one.portfolio_id)
    balances = await ledger(store, one.portfolio_id)
    size = 3 * USD if side is Side.SELL else 5 * USD + 1
    made = signal(2, one.portfolio_id, side=side)
    booking = await traded(store, made, [fill(611_111, size, 777)], FAILING, later(seconds=1))
    assert booking.settlement is not None and booking.settlement.mines_at == later(seconds=6)
    assert await stand(store, one.portfolio_id) != before
    reversal = await undone(store, booking.settlement, later(seconds=6))
    assert await store.reverse(reversal, later(seconds=6))
    found = await stand(store, one.portfolio_id)
    assert found == before if held else found == ((one.cash_micro, 0, 0, 0, 0), (0, 0, 0, 0, 0))
    assert await ledger(store, one.portfolio_id) == balances
    assert await store.trade_counts(one.portfolio_id) == counts
    (trade,) = await store.trades(one.portfolio_id, 1)
    assert (trade.status, trade.settlement, trade.realized_pnl_micro) == ("failed", "failed", 0)
    assert trade.reversed_micro == trade.amount_micro > 0
    snapshot = await store.snapshot(one.portfolio_id, "c", later(seconds=7))
    assert snapshot.trades == (1 if held else 0)
    kinds = {fact.kind for fact in await store.facts(booking.order_id)}
    assert {FactKind.RETRYING, FactKind.FAILED} <= kinds
    state = state_of(await store.facts(booking.order_id))
    assert (state.filled_micro, state.reversed.size_micro) == (0, size)
    # Once: neither again, nor settled after all.
    everything = await trace(store, one.portfolio_id)
    assert not await store.reverse(reversal, later(seconds=8))
    await store.save_settled(one.portfolio_id, [replace(booking.settlement, state=SettlementState.MINED)], NOW)
    assert await trace(store, one.portfolio_id) == everything


async def test_a_sale_between_purchase_and_failure_costs_what_the_settled_shares_cost(store: Store) -> None:
    one = await funded(store)
    await bought(store, signal(1, one.portfolio_id), fill(500_000, 10 * USD))
    booking = await traded(store, signal(2, one.portfolio_id), [fill(800_000, 10 * USD)], FAILING)
    await traded(store, signal(3, one.portfolio_id, side=Side.SELL), [fill(600_000, 5 * USD)], time=later(seconds=1))
    assert booking.settlement is not None
    assert await store.reverse(await undone(store, booking.settlement, later(seconds=9)), later(seconds=9))
    position = await store.position(one.portfolio_id, YES)
    assert position is not None
    assert (position.size_micro, position.cost_micro, position.realized_pnl_micro) == (5 * USD, 2_500_000, 500_000)
    await store.snapshot(one.portfolio_id, "c", later(seconds=9))


async def test_a_failed_trade_is_undone_once_by_two_processes_and_not_from_an_old_reading(house: House) -> None:
    first, second = await house.open(), await house.open()
    one = await funded(first)
    booking = await traded(first, signal(1, one.portfolio_id), [fill(500_000, 10 * USD)], FAILING)
    assert booking.settlement is not None
    reversal = await undone(first, booking.settlement, later(seconds=9))
    await second.save_marks(one.portfolio_id, [Mark(YES, 400_000, 4 * USD, "bids")], later(seconds=3))
    with pytest.raises(PositionMoved):
        await first.reverse(reversal, later(seconds=9))
    reversal = await undone(second, booking.settlement, later(seconds=9))
    assert [await store.reverse(reversal, later(seconds=9)) for store in (first, second)] == [True, False]
    assert await stand(first, one.portfolio_id) == ((one.cash_micro, 0, 0, 0, 0), (0, 0, 0, 0, 0))


async def test_a_settlement_belongs_to_a_booked_trade(store: Store) -> None:
    one = await funded(store)
    made = signal(1, one.portfolio_id)
    order = await reserved(store, made, 5 * USD)
    booking = filled(order, made, [fill(500_000, 10 * USD)])
    assert booking.trade is not None and booking.position is not None
    settlement = TWO_S.begin(booking.trade, empty_position(made), booking.position, 0)
    before = await trace(store, one.portfolio_id)
    with pytest.raises(InvariantBroken):
        await store.book(replace(booking, settlement=replace(settlement, trade_id="trade:none")), NOW)
    assert await trace(store, one.portfolio_id) == before


async def test_obligations_are_kept_until_they_are_done(store: Store) -> None:
    one, two = await funded(store, "One"), await funded(store, "Two")
    sale = sell_back_owed(one.portfolio_id, "signal-1", NOW, later(seconds=2))
    merge = merge_owed(two.portfolio_id, "0x1", NOW, later(seconds=1))
    with pytest.raises(PortfolioNotFound):
        await store.owe([replace(sale, portfolio_id=99)])
    with pytest.raises(NotFoundError):
        await store.save_obligation(sale)
    await store.owe([sale, merge])
    await store.owe([replace(sale, due_at=later(days=1))])
    assert await store.obligations(None, None, 10) == [merge, sale]
    assert await store.obligations(None, None, 1) == [merge]
    assert await store.obligations(one.portfolio_id, None, 10) == [sale]
    assert await store.obligations(None, later(seconds=1), 10) == [merge]
    failed = sale.failed(later(seconds=2), "unwind_not_filled: nobody buys")
    await store.save_obligation(failed)
    assert await store.obligations(one.portfolio_id, None, 10) == [failed]
    assert (failed.attempts, failed.due_at) == (1, later(seconds=4))
    for owed in (failed, merge):
        await store.save_obligation(owed.done(later(seconds=5)))
        await store.save_obligation(owed)
    assert await store.obligations(None, None, 10) == []
    # A market's sets may be owed anew; a leg is sold back once.
    anew = merge_owed(two.portfolio_id, "0x1", later(seconds=6), later(seconds=8))
    await store.owe([sale, anew])
    assert await store.obligations(None, None, 10) == [anew]
