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
from tests.exchange.engine.floor import MARKET, NO, NOW_MS, SPORTS, YES, Floor, check_books, wealth

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


def statuses(floor: Floor) -> list[tuple[int, TradeStatus]]:
    """When a trade moved on, from its match on."""
    return [
        (event.time_ms - NOW_MS, event.status)
        for event in floor.events()
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
    floor = Floor(fate=lambda trade: plan)
    floor.fund("ann", "bob")
    floor.sell("ann", "0.50", 10)
    floor.buy("bob", "0.50", 10)
    floor.wait(700_000)
    assert statuses(floor) == steps
    path = [M] + [status for _, status in steps]
    assert all(after in FOLLOWERS[before] for before, after in itertools.pairwise(path))
    check_books(floor.exchange)


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


def holdings(floor: Floor) -> dict[str, tuple[int, ...]]:
    return {
        name: tuple(
            number
            for holding in (account.collateral, account.holding(YES), account.holding(NO))
            for number in (holding.balance_micro, holding.active_micro, holding.matched_micro)
        )
        for name, account in floor.exchange.core.accounts.items()
    }


@pytest.mark.fidelity(
    "A failed trade moves nothing",
    area="Settlement",
    evidence="specification",
    source="trade status",
)
def test_a_failed_trade_leaves_every_balance_as_it_was() -> None:
    """Direct, mint and merge, at odd prices and with fees: matched, failed, and nothing of it left."""
    floor = Floor(SPORTS, tick="0.001", fate=lambda trade: SettlementPlan(fails=True))
    floor.fund("ann", "bob", "cat")
    before, rich = holdings(floor), wealth(floor.exchange)
    floor.sell("ann", "0.337", "10.01")
    floor.buy("bob", "0.663", "7.77", NO)
    floor.buy("cat", "0.40", "17.78")
    floor.buy("ann", "0.337", "10.01")
    floor.sell("bob", "0.663", "7.77", NO)
    floor.sell("cat", "0.30", "17.78")
    assert floor.book() == ([], []) and len(floor.exchange.core.trades) == 2
    assert holdings(floor) != before
    assert [holding[0::3] for holding in holdings(floor).values()] == [holding[0::3] for holding in before.values()]
    floor.settle()
    assert holdings(floor) == before and wealth(floor.exchange) == rich
    assert floor.exchange.core.fees_micro == floor.exchange.core.rounding_micro == 0
    check_books(floor.exchange)


def test_a_third_of_all_trades_failing_keeps_the_books_right() -> None:
    floor = Floor(SPORTS, fate=lambda trade: SettlementPlan(fails=trade.trade_id % 3 == 0, retries=trade.trade_id % 2))
    floor.fund("ann", "bob")
    rich = wealth(floor.exchange)
    for index in range(60):
        floor.sell("ann", "0.50", 10, YES if index % 2 else NO)
        floor.buy("bob", "0.50", 10, YES if index % 2 else NO)
        floor.wait(700)
        check_books(floor.exchange)
    floor.settle()
    trades = list(floor.exchange.core.trades.values())
    assert [trade.status for trade in trades].count(FAILED) == 20
    assert floor.shares("bob").balance_micro + floor.shares("bob", NO).balance_micro == 2_400 * MICRO
    assert floor.exchange.core.fees_micro == sum(t.fee_micro for t in trades if t.status is CONFIRMED)
    assert wealth(floor.exchange) == rich


def test_who_moves_the_money_away_makes_the_trade_fail_and_nobody_goes_below_zero() -> None:
    floor = Floor()
    floor.fund("ann", "bob")
    floor.sell("ann", "0.50", 10)
    floor.buy("bob", "0.50", 10)
    assert floor.exchange.withdraw("bob", 996 * MICRO, floor.now_ms) is None
    floor.settle()
    assert [status for _, status in statuses(floor)] == [RETRYING, FAILED]
    assert floor.dollars("bob").balance_micro == 4 * MICRO and floor.dollars("bob").matched_micro == 0
    assert floor.shares("ann").balance_micro == 1_000 * MICRO


def test_money_that_comes_back_in_time_lets_the_retry_through() -> None:
    floor = Floor()
    floor.fund("ann", "bob")
    floor.sell("ann", "0.50", 10)
    floor.buy("bob", "0.50", 10)
    floor.exchange.withdraw("bob", 1_000 * MICRO, floor.now_ms)
    floor.wait(3_000)
    floor.exchange.deposit("bob", 5 * MICRO)
    floor.settle()
    assert [status for _, status in statuses(floor)] == [RETRYING, MINED, CONFIRMED]
    assert floor.dollars("bob").balance_micro == 0


def test_two_trades_on_the_same_money_settle_as_far_as_it_goes() -> None:
    floor = Floor()
    floor.fund("ann", "bob")
    for _ in range(2):
        floor.sell("ann", "0.50", 10)
        floor.buy("bob", "0.50", 10)
    floor.exchange.withdraw("bob", 994 * MICRO, floor.now_ms)
    floor.settle()
    assert [trade.status for trade in floor.exchange.core.trades.values()] == [CONFIRMED, FAILED]
    assert floor.dollars("bob").balance_micro == MICRO
    check_books(floor.exchange)


def test_a_maker_twice_in_one_trade_needs_the_money_for_both() -> None:
    floor = Floor()
    floor.fund("ann", "bob")
    for _ in range(2):
        floor.sell("ann", "0.50", 10)
    placed = floor.buy("bob", "0.50", 20)
    assert len(placed.trade_ids) == 1
    floor.exchange.transfer("ann", "cat", YES, 985 * MICRO, floor.now_ms)
    floor.settle()
    assert [trade.status for trade in floor.exchange.core.trades.values()] == [FAILED]
    assert floor.shares("ann").balance_micro == 15 * MICRO
    check_books(floor.exchange)


@pytest.mark.fidelity(
    "Makers get their part of the fees, paid from a dollar on",
    area="Fees",
    evidence="specification",
    source="maker rebates",
)
def test_makers_get_their_part_of_the_fees() -> None:
    floor = Floor(SPORTS)
    floor.fund("ann", "bob", "cat", "dan", dollars=10_000, sets=10_000)
    floor.sell("ann", "0.50", 3_000)
    floor.sell("bob", "0.50", 1_000)
    floor.sell("cat", "0.50", 10)
    floor.buy("dan", "0.50", 4_010)
    assert floor.exchange.pay_rebates(MARKET, floor.now_ms) == {}
    floor.settle()
    rich = wealth(floor.exchange)
    fees = 50_125_000
    assert floor.exchange.core.fees_micro == fees
    paid = floor.exchange.pay_rebates(MARKET, floor.now_ms)
    # 15 % of the fees by share of the volume; cat's four cents are below a dollar.
    assert paid == {"ann": 5_625_000, "bob": 1_875_000}
    assert floor.exchange.core.fees_micro == fees - 7_500_000
    assert floor.exchange.pay_rebates(MARKET, floor.now_ms) == {}
    assert wealth(floor.exchange) == rich


def test_forgetting_drops_only_what_is_over() -> None:
    floor = Floor()
    floor.fund("ann", "bob")
    floor.sell("ann", "0.50", 20)
    placed = floor.buy("bob", "0.50", 10)
    floor.exchange.forget(floor.now_ms + 1)
    assert floor.exchange.order(placed.order_id) is None
    assert floor.exchange.trade(placed.trade_ids[0]) is not None
    floor.settle()
    floor.exchange.forget(floor.now_ms)
    assert floor.exchange.trade(placed.trade_ids[0]) is None
    assert len(floor.exchange.open_orders("ann")) == 1


def test_next_due_is_told() -> None:
    floor = Floor()
    floor.fund("ann", "bob")
    exchange: Exchange = floor.exchange
    assert exchange.next_due_ms is None
    floor.sell("ann", "0.50", 10)
    floor.buy("bob", "0.50", 10)
    assert exchange.next_due_ms == NOW_MS + 2_000
    floor.settle()
    assert exchange.next_due_ms is None


def test_allowances_given_by_asset_name() -> None:
    floor = Floor()
    floor.fund("ann")
    floor.exchange.approve("ann", YES, 3 * MICRO, floor.now_ms)
    assert floor.shares("ann").allowance_micro == 3 * MICRO
    assert floor.account("ann").holding(COLLATERAL) is floor.dollars("ann")
