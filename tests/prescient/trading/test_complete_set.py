"""Complete sets: both legs or none; a lone leg is sold back at once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from polymarket_kit.model import NO_FEES, Level, Side
from polymarket_kit.values import MICRO
from prescient.domain.market import OrderBook
from prescient.domain.signal import Step
from tests.fakes import StaticMarketData, binary_market, context_over
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


async def test_a_complete_set_is_merged_at_the_end_of_its_cycle() -> None:
    context = context_over(crossed_market())
    portfolio_id = await portfolio_of(context, strategy_type="complete_set")
    report = await run(context)
    assert report.total(Step.MARK).amounts["merged"] == 1
    assert await context.store.positions(portfolio_id) == []
    # 40 sets cost 22.00 + 17.20 and pay 40 whatever happens, so they are cashed in at once.
    portfolio = await context.store.portfolio(portfolio_id)
    assert portfolio.cash_micro == 10_000 * MICRO + 800_000
    assert portfolio.realized_pnl_micro == 800_000


async def test_a_lone_leg_is_sold_back() -> None:
    context = context_over(crossed_market())
    context = replace(
        context, venues={"paper": ScriptedVenue(context.venues["paper"], context.clock).on("submit", 2, "refuse")}
    )
    portfolio_id = await portfolio_of(context, strategy_type="complete_set")
    report = await run(context)
    assert await context.store.positions(portfolio_id) == []
    sides = [trade.side for trade in await context.store.trades(portfolio_id, 10)]
    assert sorted(sides) == [Side.BUY, Side.SELL]
    portfolio = await context.store.portfolio(portfolio_id)
    # 40 shares bought at 0.55 and sold at 0.54.
    assert portfolio.cash_micro == 10_000 * MICRO - 400_000
    assert report.total(Step.EXECUTE).dropped["not_filled"] == 1


async def test_an_honest_book_has_no_cheap_sets() -> None:
    data = StaticMarketData()
    data.add(binary_market(1), [("0.54", "500")], [("0.55", "500")])
    assert isinstance(data.book_by_token["11"], OrderBook)
    context = context_over(data)
    await portfolio_of(context, strategy_type="complete_set")
    report = await run(context)
    assert report.total(Step.DECIDE).dropped == {"set_too_dear": 1}
