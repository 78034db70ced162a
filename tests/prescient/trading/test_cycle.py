"""The cycle as a user meets it: what trades, at what price, what is dropped and why, and what happens when it is asked twice."""

from __future__ import annotations

from dataclasses import replace

import pytest

from polymarket_kit.model import Level
from polymarket_kit.values import MICRO
from prescient.administration.portfolios import PortfolioForm, create_portfolio
from prescient.domain.cycle import CycleReport, CycleRequest, CycleStatus
from prescient.domain.errors import (
    IdempotencyKeyReused,
    NoActivePortfolios,
    PortfolioNotActive,
    PortfolioNotFound,
)
from prescient.domain.market import Market, TradingRules
from prescient.domain.portfolio import PortfolioStatus
from prescient.domain.screening import MarketFilter
from prescient.domain.signal import Step
from prescient.ports.context import TradingContext
from prescient.reports.cycles import message_of
from prescient.reports.explain import explain
from prescient.steps.local import LocalCycleSteps
from prescient.trading.cycle import start_cycle
from prescient.trading.mark import mark_positions
from tests.fakes import StaticMarketData, advance, binary_market, context_over

pytestmark = pytest.mark.asyncio


def market_with_three_levels() -> tuple[StaticMarketData, Market]:
    data = StaticMarketData()
    market = binary_market(1)
    data.add(market, [("0.54", "300")], [("0.55", "50"), ("0.56", "100"), ("0.57", "1000")])
    return data, market


async def portfolio_of(context: TradingContext, **fields: object) -> int:
    form = PortfolioForm(name="Test", initial_balance_micro=10_000 * MICRO)
    return (await create_portfolio(context, replace(form, **fields))).portfolio_id  # type: ignore[arg-type]  # any field


async def run(context: TradingContext, **fields: object) -> CycleReport:
    request = CycleRequest(cycle_id=context.ids.new("cycle"), portfolio_ids=())
    request = replace(request, **fields)  # type: ignore[arg-type]  # any field of the request
    return await start_cycle(context.store, LocalCycleSteps(context), context.clock, request)


async def test_fill_walks_the_book_and_pays_the_venue_fee() -> None:
    data, _ = market_with_three_levels()
    context = context_over(data)
    portfolio_id = await portfolio_of(context, strategy_config={"max_slippage_pct": 5})

    report = await run(context)

    # By hand: 50 @ 0.55 = 27.50; 100 @ 0.56 = 56.00; 16.50 left buys 28.947368 @ 0.57 = 16.49999976 -> 16.5 up.
    (trade,) = await context.store.trades(portfolio_id, 10)
    assert [(fill.price_micro, fill.size_micro, fill.cost_micro) for fill in trade.fills] == [
        (550_000, 50 * MICRO, 27_500_000),
        (560_000, 100 * MICRO, 56_000_000),
        (570_000, 28_947_368, 16_500_000),
    ]
    # Fees at rate 0.05: 50 x .05 x .2475 = 0.61875; 100 x .05 x .2464 = 1.232; 28.947368 x .05 x .2451 = 0.35475.
    assert [fill.fee_micro for fill in trade.fills] == [618_750, 1_232_000, 354_750]
    portfolio = await context.store.portfolio(portfolio_id)
    assert portfolio.cash_micro == 10_000 * MICRO - 100 * MICRO - 2_205_500
    assert portfolio.invested_micro == 102_205_500
    assert portfolio.reserved_micro == 0
    assert report.status is CycleStatus.COMPLETED
    assert message_of(report) == "1 trades executed from 1 signals"
    # Value is what a sale now would bring: 178.947368 shares into 300 bids at 0.54, less the fee of that sale.
    gross = 178_947_368 * 540_000 // MICRO
    fee = 2_222_530  # 178.947368 x .05 x .2484 = 2.2225263, to five decimals
    assert portfolio.value_micro == portfolio.cash_micro + gross - fee


async def test_limit_stops_the_walk_and_the_rest_is_killed() -> None:
    data, _ = market_with_three_levels()
    context = context_over(data)
    portfolio_id = await portfolio_of(context, strategy_config={"max_slippage_pct": 2})

    await run(context)

    (trade,) = await context.store.trades(portfolio_id, 10)
    assert [fill.price_micro for fill in trade.fills] == [550_000, 560_000]
    assert trade.status == "partially_filled"
    assert (await context.store.portfolio(portfolio_id)).reserved_micro == 0


async def test_what_we_took_stays_taken_until_the_level_grows() -> None:
    data, market = market_with_three_levels()
    context = context_over(data)
    config = {"max_slippage_pct": 0, "add_to_positions": True, "trade_size_usd": 20}
    first = await portfolio_of(context, strategy_config=config)

    await run(context)
    await run(context)
    trades = await context.store.trades(first, 10)
    # 20 / 0.55 = 36.36 shares, then only what is left of the 50.
    assert [trade.size_micro for trade in reversed(trades)] == [36_363_636, 50 * MICRO - 36_363_636]

    third = await run(context)
    assert third.total(Step.EXECUTE).dropped == {"not_filled": 1}

    yes, no = (outcome.token_id for outcome in market.outcomes)
    grown = replace(data.book_by_token[yes], asks=(Level(550_000, 60 * MICRO), *data.book_by_token[yes].asks[1:]))
    data.set_book(grown, no)
    await run(context)
    assert (await context.store.trades(first, 1))[0].size_micro == 36_363_636


async def test_second_outcome_takes_from_the_same_book() -> None:
    """Buying NO at 1-p takes the YES bid at p: both tokens share one book, so one memory."""
    data = StaticMarketData()
    market = binary_market(1, price_micro=450_000)
    data.add(market, [("0.45", "30")], [("0.46", "500")])
    context = context_over(data)
    portfolio_id = await portfolio_of(context, strategy_config={"max_slippage_pct": 0})
    await run(context)
    (trade,) = await context.store.trades(portfolio_id, 10)
    assert (trade.outcome, trade.price_micro, trade.size_micro) == ("No", 550_000, 30 * MICRO)
    memory = await context.store.consumption("11", "bids")
    assert memory.levels == {450_000: (30 * MICRO, 30 * MICRO)}


async def test_every_market_has_a_reason() -> None:
    data = StaticMarketData(skipped=[("bad", "no id")])
    tradable = binary_market(1)
    cases = {
        "kept": tradable,
        "liquidity_low": replace(binary_market(2), liquidity_micro=9_999_999_999),
        "volume_low": replace(binary_market(3), volume_micro=1),
        "conviction_high": binary_market(4, price_micro=600_001),
        "market_not_tradable": replace(binary_market(5), accepting_orders=False),
    }
    for market in cases.values():
        data.add(market, [("0.54", "300")], [("0.55", "5000")])
    for event in data.events:
        event.liquidity_micro = event.volume_micro = 100_000 * MICRO
    data.events[2].volume_micro = 1
    context = context_over(data)
    await portfolio_of(context)

    report = await run(context)

    assert report.total(Step.COLLECT).dropped == {"malformed": 1}
    assert report.total(Step.FILTER).dropped == {"event_volume_low": 1}
    assert report.total(Step.SCREEN).dropped == {"liquidity_low": 1, "conviction_high": 1, "market_not_tradable": 1}
    for code, market in cases.items():
        if code in ("kept", "volume_low"):
            continue
        found = await explain(context, market=market.slug)
        assert found.decisions[0].decision.code == code
    high = await explain(context, market="m4")
    assert (
        high.message
        == "Stopped at step screen: its highest outcome price 0.600001 is above max_market_conviction (0.6)."
    )
    event_dropped = await explain(context, market="m3")
    assert event_dropped.decisions[0].decision.setting == "event_min_volume"


async def test_a_portfolio_is_told_why_also_where_all_were_dropped_together() -> None:
    data, _ = market_with_three_levels()
    data.add(replace(binary_market(2), volume_micro=1), [("0.54", "300")], [("0.55", "5000")])
    data.events[1].volume_micro = 10**12
    context = context_over(data)
    first, second = await portfolio_of(context), await portfolio_of(context, name="Second")
    report = await run(context, portfolio_ids=(first,))
    found = await explain(context, market="m2", portfolio_id=second)
    assert found.message == "Stopped at step screen: its volume of $0.000001 is below min_volume (50000)."
    other = await explain(context, cycle_id=report.cycle_id, portfolio_id=second)
    assert other.message == f"Cycle {report.cycle_id} was not run for portfolio {second}."
    own = await explain(context, portfolio_id=first)
    assert own.reasons == {"volume_low": 1, "traded": 1}


async def test_no_signals_names_the_setting_that_dropped_most() -> None:
    data, _ = market_with_three_levels()
    context = context_over(data)
    await portfolio_of(context)
    report = await run(context, market_filter=MarketFilter(min_liquidity_micro=10**12))
    assert message_of(report) == (
        "No trading signals found: 1 events -> 1 events kept -> 0 markets kept -> 0 signals. "
        "Most were dropped by liquidity_low: 1 (setting min_liquidity)."
    )


async def test_fresh_price_outside_the_band_is_not_bought() -> None:
    data = StaticMarketData()
    data.add(binary_market(1), [("0.54", "300")], [("0.62", "300")])
    context = context_over(data)
    portfolio_id = await portfolio_of(context)
    report = await run(context)
    assert report.total(Step.DECIDE).dropped == {"fresh_price_high": 1}
    assert await context.store.trades(portfolio_id, 10) == []


@pytest.mark.parametrize(("bids", "asks", "code"), [([("0.5", "9")], [], "no_ask"), (None, None, "no_book")])
async def test_empty_and_one_sided_books_do_not_trade(
    bids: list[tuple[str, str]] | None, asks: list[tuple[str, str]] | None, code: str
) -> None:
    data = StaticMarketData()
    market = binary_market(1)
    data.add(market, bids or [], asks or [])
    if bids is None:
        data.book_by_token.clear()
    context = context_over(data)
    await portfolio_of(context)
    report = await run(context)
    assert report.total(Step.DECIDE).dropped == {code: 1}


class ClosesAfterDecision(StaticMarketData):
    """The market stops taking orders between decision and execution."""

    async def rules(self, condition_ids: object) -> dict[str, TradingRules]:
        return {name: replace(rules, accepting_orders=False) for name, rules in self.rules_by_condition.items()}


async def test_market_closed_between_decision_and_execution_is_refused_and_costs_nothing() -> None:
    data = ClosesAfterDecision()
    data.add(binary_market(1), [("0.54", "300")], [("0.55", "5000")])
    context = context_over(data)
    portfolio_id = await portfolio_of(context)
    report = await run(context)
    assert report.total(Step.EXECUTE).dropped == {"market_closed": 1}
    portfolio = await context.store.portfolio(portfolio_id)
    assert (portfolio.cash_micro, portfolio.reserved_micro) == (10_000 * MICRO, 0)


async def test_trade_size_above_cash_is_refused_with_the_number() -> None:
    data, _ = market_with_three_levels()
    context = context_over(data)
    await portfolio_of(context, initial_balance_micro=50 * MICRO)
    report = await run(context)
    assert report.total(Step.EXECUTE).dropped == {"insufficient_cash": 1}
    found = await explain(context, market="m1")
    assert found.message == (
        "Stopped at step execute: the trade costs more than the cash available ($50); lower trade_size_usd."
    )


async def test_one_key_runs_once_and_another_body_under_it_is_refused() -> None:
    data, _ = market_with_three_levels()
    context = context_over(data)
    portfolio_id = await portfolio_of(context, strategy_config={"add_to_positions": True})
    first = await run(context, idempotency_key="morning")
    second = await run(context, idempotency_key="morning")
    assert second.cycle_id == first.cycle_id
    assert len(await context.store.trades(portfolio_id, 10)) == 1
    with pytest.raises(IdempotencyKeyReused):
        await run(context, idempotency_key="morning", market_filter=MarketFilter(min_volume_micro=1))


async def test_portfolios_that_cannot_trade_are_refused() -> None:
    data, _ = market_with_three_levels()
    context = context_over(data)
    with pytest.raises(NoActivePortfolios, match="No active portfolios found"):
        await run(context)
    with pytest.raises(PortfolioNotFound):
        await run(context, portfolio_ids=(99,))
    portfolio_id = await portfolio_of(context)
    for status in (PortfolioStatus.PAUSED, PortfolioStatus.ARCHIVED):
        await context.store.change_portfolio(portfolio_id, {"status": status}, context.clock.now())
        with pytest.raises(PortfolioNotActive, match=status.value):
            await run(context, portfolio_ids=(portfolio_id,))


@pytest.mark.parametrize(
    ("payouts", "paid"), [((MICRO, 0), 178_947_368), ((0, MICRO), 0), ((500_000, 500_000), 89_473_684)]
)
async def test_resolution_pays_the_vector_once(payouts: tuple[int, int], paid: int) -> None:
    data, market = market_with_three_levels()
    context = context_over(data)
    portfolio_id = await portfolio_of(context, strategy_config={"max_slippage_pct": 5})
    await run(context)
    before = await context.store.portfolio(portfolio_id)
    data.resolve(market, payouts)
    await mark_positions(context, portfolio_id)
    # Not mined yet: the chain may still undo the purchase.
    assert (await context.store.portfolio(portfolio_id)).cash_micro == before.cash_micro
    advance(context, 2)
    for _ in range(3):
        await mark_positions(context, portfolio_id)
    after = await context.store.portfolio(portfolio_id)
    assert after.cash_micro == before.cash_micro + paid
    assert after.realized_pnl_micro == paid - before.invested_micro
    assert await context.store.positions(portfolio_id) == []
    await context.store.snapshot(portfolio_id, "", context.clock.now())
