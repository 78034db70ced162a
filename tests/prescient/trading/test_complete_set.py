"""Complete sets: both legs or none; a lone leg is sold back once it is mined."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from polymarket_kit.model import NO_FEES, Level, Side
from polymarket_kit.values import MICRO
from prescient.domain.market import OrderBook
from prescient.domain.signal import Step
from prescient.trading.mark import mark_positions
from prescient.trading.obligations import settling_round
from tests.fakes import START, StaticMarketData, advance, binary_market, context_over
from tests.prescient.trading.test_cycle import portfolio_of, run
from tests.venues import ScriptedVenue

pytestmark = pytest.mark.asyncio


def crossed_market() -> StaticMarketData:
    """A book caught in the middle of a move: YES asks 0.55 while NO still asks 0.43."""
    data = StaticMarketData()
    market = binary_market(1, fees=NO_FEES)
    data.add(market, [("0.54", "500")], [("0.55", "500")])
    no = data.book_by_token["12"]
    data.book_by_token["12"] = replace(no, asks=(Level(430_000, 40 * MICRO), *no.asks))
    return data


async def test_both_legs_are_bought_in_equal_shares() -> None:
    context = context_over(crossed_market())
    portfolio_id = await portfolio_of(context, strategy_type="complete_set")
    report = await run(context)
    trades = await context.store.trades(portfolio_id, 10)
    assert {trade.outcome: trade.size_micro for trade in trades} == {"Yes": 40 * MICRO, "No": 40 * MICRO}
    assert report.total(Step.EXECUTE).amounts["amount_micro"] == 39_200_000


async def test_a_complete_set_is_merged_once_it_is_mined() -> None:
    context = context_over(crossed_market())
    portfolio_id = await portfolio_of(context, strategy_type="complete_set")
    report = await run(context)
    assert "merged" not in report.total(Step.MARK).amounts
    (owed,) = await context.store.obligations(portfolio_id, None, 10)
    assert (owed.kind, owed.due_at) == ("merge", START + timedelta(seconds=2))
    advance(context, 1.9)
    assert await settling_round(context) == 0
    assert len(await context.store.positions(portfolio_id)) == 2
    advance(context, 0.1)
    assert await settling_round(context) == 1
    assert await context.store.positions(portfolio_id) == []
    assert await context.store.obligations(portfolio_id, None, 10) == []
    # 40 sets cost 22.00 + 17.20 and pay 40 whatever happens, so they are cashed in as soon as they are mined.
    portfolio = await context.store.portfolio(portfolio_id)
    assert portfolio.cash_micro == 10_000 * MICRO + 800_000
    assert portfolio.realized_pnl_micro == 800_000


async def test_a_set_that_the_mark_merges_first_is_not_owed_any_more() -> None:
    context = context_over(crossed_market())
    portfolio_id = await portfolio_of(context, strategy_type="complete_set")
    await run(context)
    advance(context, 3)
    report = await mark_positions(context, portfolio_id)
    assert report.amounts["merged"] == 1
    assert await settling_round(context) == 1
    assert await context.store.obligations(portfolio_id, None, 10) == []
    assert (await context.store.portfolio(portfolio_id)).realized_pnl_micro == 800_000


async def test_a_lone_leg_is_sold_back_once_it_is_mined_and_the_cycle_does_not_wait() -> None:
    context = context_over(crossed_market())
    context = replace(
        context, venues={"paper": ScriptedVenue(context.venues["paper"], context.clock).on("submit", 2, "refuse")}
    )
    portfolio_id = await portfolio_of(context, strategy_type="complete_set")
    report = await run(context)
    assert report.total(Step.EXECUTE).dropped == {"not_filled": 1, "unwind_not_mined": 1}
    (held,) = await context.store.positions(portfolio_id)
    assert (held.size_micro, held.settled_micro) == (40 * MICRO, 0)
    assert await settling_round(context) == 0
    advance(context, 2)
    assert await settling_round(context) == 1
    assert await context.store.positions(portfolio_id) == []
    sides = [trade.side for trade in await context.store.trades(portfolio_id, 10)]
    assert sides == [Side.SELL, Side.BUY]
    portfolio = await context.store.portfolio(portfolio_id)
    # 40 shares bought at 0.55 and sold at 0.54; the proceeds are not to be spent before the sale is mined.
    assert (portfolio.cash_micro, portfolio.settling_micro) == (10_000 * MICRO - 400_000, 21_600_000)
    assert portfolio.available_micro == 10_000 * MICRO - 22 * MICRO
    advance(context, 2)
    await settling_round(context)
    assert await context.store.obligations(portfolio_id, None, 10) == []
    portfolio = await context.store.portfolio(portfolio_id)
    assert portfolio.available_micro == portfolio.cash_micro == 10_000 * MICRO - 400_000


async def test_an_honest_book_has_no_cheap_sets() -> None:
    data = StaticMarketData()
    data.add(binary_market(1), [("0.54", "500")], [("0.55", "500")])
    assert isinstance(data.book_by_token["11"], OrderBook)
    context = context_over(data)
    await portfolio_of(context, strategy_type="complete_set")
    report = await run(context)
    assert report.total(Step.DECIDE).dropped == {"set_too_dear": 1}
