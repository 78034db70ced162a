"""Trades after the match: mined and confirmed in time, retried, failed and reversed exactly; rebates for makers."""

from __future__ import annotations

import itertools

import pytest

from polymarket_kit.model import Side
from polymarket_kit.values import MICRO
from practice_exchange.engine.accounts import COLLATERAL
from practice_exchange.engine.events import TradeEvent
from practice_exchange.engine.matching import Exchange
from practice_exchange.engine.settlement import FOLLOWERS, SettlementPlan, Trade, TradeStatus, next_step
from tests.exchange.engine.harness import MARKET, NO, NOW_MS, SPORTS, YES, EngineHarness, check_books, wealth

M, MINED, RETRYING, CONFIRMED, FAILED = (
    TradeStatus.MATCHED,
    TradeStatus.MINED,
    TradeStatus.RETRYING,
    TradeStatus.CONFIRMED,
    TradeStatus.FAILED,
)

PLANS = [
    (SettlementPlan(), [(2_000, MINED), (6_000, CONFIRMED)]),
    (SettlementPlan(mined_after_ms=0, confirmed_after_ms=0), [(0, MINED), (0, CONFIRMED)]),
    (SettlementPlan(retries=1), [(2_000, RETRYING), (5_000, MINED), (9_000, CONFIRMED)]),
    (SettlementPlan(retries=2), [(2_000, RETRYING), (5_000, RETRYING), (8_000, MINED), (12_000, CONFIRMED)]),
    (SettlementPlan(fails=True), [(2_000, RETRYING), (5_000, FAILED)]),
    (SettlementPlan(fails=True, retries=2), [(2_000, RETRYING), (5_000, RETRYING), (8_000, FAILED)]),
    (SettlementPlan(mined_after_ms=600_000), [(600_000, MINED), (604_000, CONFIRMED)]),
]


def statuses(harness: EngineHarness) -> list[tuple[int, TradeStatus]]:
    """When a trade moved on, from its match on."""
    return [
        (event.time_ms - NOW_MS, event.status)
        for event in harness.events()
        if isinstance(event, TradeEvent) and event.status is not M
    ]


@pytest.mark.fidelity(
    "MATCHED, MINED, CONFIRMED, or RETRYING and FAILED",
    area="Settlement",
    evidence="specification",
    source="trade status",
)
@pytest.mark.parametrize(("plan", "steps"), PLANS)
def test_a_trade_takes_the_steps_of_its_plan(plan: SettlementPlan, steps: list[tuple[int, TradeStatus]]) -> None:
    harness = EngineHarness(settlement_policy=lambda trade: plan)
    harness.fund("ann", "bob")
    harness.sell("ann", "0.50", 10)
    harness.buy("bob", "0.50", 10)
    harness.wait(700_000)
    assert statuses(harness) == steps
    path = [M] + [status for _, status in steps]
    assert all(after in FOLLOWERS[before] for before, after in itertools.pairwise(path))
    check_books(harness.exchange)


@pytest.mark.parametrize("funded", [True, False])
@pytest.mark.parametrize("plan", [plan for plan, _ in PLANS])
def test_every_step_is_allowed_and_there_is_an_end(plan: SettlementPlan, funded: bool) -> None:
    trade = Trade(1, MARKET, YES, "o", "ann", "k", Side.BUY, 500_000, MICRO, 500_000, 0, [], 0, 0, plan)
    for _ in range(10):
        status, wait_ms = next_step(trade, funded)
        assert status in FOLLOWERS[trade.status]
        trade.attempts += status is RETRYING
        trade.status = status
        if wait_ms is None:
            break
    assert trade.status is (CONFIRMED if funded and not plan.fails else FAILED)


def test_a_plan_cannot_go_back_in_time() -> None:
    with pytest.raises(ValueError, match="back in time"):
        SettlementPlan(mined_after_ms=-1)


def holdings(harness: EngineHarness) -> dict[str, tuple[int, ...]]:
    return {
        name: tuple(
            number
            for holding in (account.collateral, account.holding(YES), account.holding(NO))
            for number in (holding.balance_micro, holding.active_micro, holding.matched_micro)
        )
        for name, account in harness.exchange.core.accounts.items()
    }


@pytest.mark.fidelity(
    "A failed trade moves nothing",
    area="Settlement",
    evidence="specification",
    source="trade status",
)
def test_a_failed_trade_leaves_every_balance_as_it_was() -> None:
    """Direct, mint and merge, at odd prices and with fees: matched, failed, and nothing of it left."""
    harness = EngineHarness(SPORTS, tick="0.001", settlement_policy=lambda trade: SettlementPlan(fails=True))
    harness.fund("ann", "bob", "cat")
    before, rich = holdings(harness), wealth(harness.exchange)
    harness.sell("ann", "0.337", "10.01")
    harness.buy("bob", "0.663", "7.77", NO)
    harness.buy("cat", "0.40", "17.78")
    harness.buy("ann", "0.337", "10.01")
    harness.sell("bob", "0.663", "7.77", NO)
    harness.sell("cat", "0.30", "17.78")
    assert harness.book() == ([], []) and len(harness.exchange.core.trades) == 2
    assert holdings(harness) != before
    assert [holding[0::3] for holding in holdings(harness).values()] == [holding[0::3] for holding in before.values()]
    harness.settle()
    assert holdings(harness) == before and wealth(harness.exchange) == rich
    assert harness.exchange.core.fees_micro == harness.exchange.core.rounding_micro == 0
    check_books(harness.exchange)


def test_a_third_of_all_trades_failing_keeps_the_books_right() -> None:
    harness = EngineHarness(
        SPORTS,
        settlement_policy=lambda trade: SettlementPlan(fails=trade.trade_id % 3 == 0, retries=trade.trade_id % 2),
    )
    harness.fund("ann", "bob")
    rich = wealth(harness.exchange)
    for index in range(60):
        harness.sell("ann", "0.50", 10, YES if index % 2 else NO)
        harness.buy("bob", "0.50", 10, YES if index % 2 else NO)
        harness.wait(700)
        check_books(harness.exchange)
    harness.settle()
    trades = list(harness.exchange.core.trades.values())
    assert [trade.status for trade in trades].count(FAILED) == 20
    assert harness.shares("bob").balance_micro + harness.shares("bob", NO).balance_micro == 2_400 * MICRO
    assert harness.exchange.core.fees_micro == sum(t.fee_micro for t in trades if t.status is CONFIRMED)
    assert wealth(harness.exchange) == rich


def test_who_moves_the_money_away_makes_the_trade_fail_and_nobody_goes_below_zero() -> None:
    harness = EngineHarness()
    harness.fund("ann", "bob")
    harness.sell("ann", "0.50", 10)
    harness.buy("bob", "0.50", 10)
    assert harness.exchange.withdraw("bob", 996 * MICRO, harness.now_ms) is None
    harness.settle()
    assert [status for _, status in statuses(harness)] == [RETRYING, FAILED]
    assert harness.dollars("bob").balance_micro == 4 * MICRO and harness.dollars("bob").matched_micro == 0
    assert harness.shares("ann").balance_micro == 1_000 * MICRO


def test_money_that_comes_back_in_time_lets_the_retry_through() -> None:
    harness = EngineHarness()
    harness.fund("ann", "bob")
    harness.sell("ann", "0.50", 10)
    harness.buy("bob", "0.50", 10)
    harness.exchange.withdraw("bob", 1_000 * MICRO, harness.now_ms)
    harness.wait(3_000)
    harness.exchange.deposit("bob", 5 * MICRO)
    harness.settle()
    assert [status for _, status in statuses(harness)] == [RETRYING, MINED, CONFIRMED]
    assert harness.dollars("bob").balance_micro == 0


def test_two_trades_on_the_same_money_settle_as_far_as_it_goes() -> None:
    harness = EngineHarness()
    harness.fund("ann", "bob")
    for _ in range(2):
        harness.sell("ann", "0.50", 10)
        harness.buy("bob", "0.50", 10)
    harness.exchange.withdraw("bob", 994 * MICRO, harness.now_ms)
    harness.settle()
    assert [trade.status for trade in harness.exchange.core.trades.values()] == [CONFIRMED, FAILED]
    assert harness.dollars("bob").balance_micro == MICRO
    check_books(harness.exchange)


def test_a_maker_twice_in_one_trade_needs_the_money_for_both() -> None:
    harness = EngineHarness()
    harness.fund("ann", "bob")
    for _ in range(2):
        harness.sell("ann", "0.50", 10)
    placed = harness.buy("bob", "0.50", 20)
    assert len(placed.trade_ids) == 1
    harness.exchange.transfer("ann", "cat", YES, 985 * MICRO, harness.now_ms)
    harness.settle()
    assert [trade.status for trade in harness.exchange.core.trades.values()] == [FAILED]
    assert harness.shares("ann").balance_micro == 15 * MICRO
    check_books(harness.exchange)


@pytest.mark.fidelity(
    "Makers get their part of the fees, paid from a dollar on",
    area="Fees",
    evidence="specification",
    source="maker rebates",
)
def test_makers_get_their_part_of_the_fees() -> None:
    harness = EngineHarness(SPORTS)
    harness.fund("ann", "bob", "cat", "dan", dollars=10_000, sets=10_000)
    harness.sell("ann", "0.50", 3_000)
    harness.sell("bob", "0.50", 1_000)
    harness.sell("cat", "0.50", 10)
    harness.buy("dan", "0.50", 4_010)
    assert harness.exchange.pay_rebates(MARKET, harness.now_ms) == {}
    harness.settle()
    rich = wealth(harness.exchange)
    fees = 50_125_000
    assert harness.exchange.core.fees_micro == fees
    paid = harness.exchange.pay_rebates(MARKET, harness.now_ms)
    # 15 % of the fees by share of the volume; cat's four cents are below a dollar.
    assert paid == {"ann": 5_625_000, "bob": 1_875_000}
    assert harness.exchange.core.fees_micro == fees - 7_500_000
    assert harness.exchange.pay_rebates(MARKET, harness.now_ms) == {}
    assert wealth(harness.exchange) == rich


def test_forgetting_drops_only_what_is_over() -> None:
    harness = EngineHarness()
    harness.fund("ann", "bob")
    harness.sell("ann", "0.50", 20)
    placed = harness.buy("bob", "0.50", 10)
    harness.exchange.forget(harness.now_ms + 1)
    assert harness.exchange.order(placed.order_id) is None
    assert harness.exchange.trade(placed.trade_ids[0]) is not None
    harness.settle()
    harness.exchange.forget(harness.now_ms)
    assert harness.exchange.trade(placed.trade_ids[0]) is None
    assert len(harness.exchange.open_orders("ann")) == 1


def test_next_due_is_told() -> None:
    harness = EngineHarness()
    harness.fund("ann", "bob")
    exchange: Exchange = harness.exchange
    due_ms = [exchange.next_due_ms]
    harness.sell("ann", "0.50", 10)
    harness.buy("bob", "0.50", 10)
    due_ms.append(exchange.next_due_ms)
    harness.settle()
    due_ms.append(exchange.next_due_ms)
    assert due_ms == [None, NOW_MS + 2_000, None]


def test_allowances_given_by_asset_name() -> None:
    harness = EngineHarness()
    harness.fund("ann")
    harness.exchange.approve("ann", YES, 3 * MICRO, harness.now_ms)
    assert harness.shares("ann").allowance_micro == 3 * MICRO
    assert harness.account("ann").holding(COLLATERAL) is harness.dollars("ann")
