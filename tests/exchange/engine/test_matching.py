"""How orders meet: direct, mint and merge, price before time, improvement to the taker, and what everybody is told."""

from __future__ import annotations

import pytest

from polymarket_kit.fees import fee_terms, taker_fee
from polymarket_kit.model import FeeSchedule, OrderType, Side
from polymarket_kit.rejections import FAK_KILLED, FOK_KILLED
from polymarket_kit.values import MICRO
from practice_exchange.engine.events import LevelChanged, OrderChange, OrderEvent, TradeEvent
from practice_exchange.engine.markets import MarketSpec
from practice_exchange.engine.matching import Exchange
from practice_exchange.engine.orders import OrderState
from practice_exchange.engine.settlement import MatchKind, TradeStatus
from tests.exchange.engine.harness import MARKET, NO, SPORTS, YES, EngineHarness, check_books, outstanding


@pytest.mark.fidelity("Orders meet directly, by minting and by merging", area="Matching", evidence="specification")
@pytest.mark.parametrize(
    ("maker_side", "maker_token", "maker_price", "taker_side", "taker_price", "kind", "maker_pays", "taker_pays"),
    [
        (Side.SELL, YES, "0.40", Side.BUY, "0.40", MatchKind.DIRECT, -4, 4),
        (Side.BUY, YES, "0.40", Side.SELL, "0.40", MatchKind.DIRECT, 4, -4),
        # A BUY of each token: together they pay a dollar for each new set. The taker pays what the maker leaves.
        (Side.BUY, NO, "0.60", Side.BUY, "0.45", MatchKind.MINT, 6, 4),
        # A SELL of each token: a set is taken apart and both are paid.
        (Side.SELL, NO, "0.60", Side.SELL, "0.35", MatchKind.MERGE, -6, -4),
    ],
)
def test_two_orders_meet_in_every_way(
    maker_side: Side,
    maker_token: str,
    maker_price: str,
    taker_side: Side,
    taker_price: str,
    kind: MatchKind,
    maker_pays: int,
    taker_pays: int,
) -> None:
    harness = EngineHarness()
    harness.fund("ann", "bob")
    harness.taken(harness.request("ann", maker_side, maker_price, 10, maker_token))
    placed = harness.taken(harness.request("bob", taker_side, taker_price, 10))
    assert placed.status is OrderState.MATCHED
    trade = harness.exchange.trade(placed.trade_ids[0])
    assert trade is not None
    # The price is the maker's, so the taker keeps the difference to its own limit.
    assert trade.price_micro == 400_000 and trade.makers[0].kind is kind
    harness.settle()
    assert harness.dollars("ann").balance_micro == (1_000 - maker_pays) * MICRO
    assert harness.dollars("bob").balance_micro == (1_000 - taker_pays) * MICRO
    change = 10 * MICRO if taker_side is Side.BUY else -10 * MICRO
    assert harness.shares("bob").balance_micro == 1_000 * MICRO + change
    maker_change = 10 * MICRO if maker_side is Side.BUY else -10 * MICRO
    assert harness.shares("ann", maker_token).balance_micro == 1_000 * MICRO + maker_change
    assert outstanding(harness.exchange, YES) == outstanding(harness.exchange, NO)
    check_books(harness.exchange)


@pytest.mark.fidelity("Price improvement is the taker's", area="Matching", evidence="specification")
def test_placed_amounts_are_what_was_matched() -> None:
    harness = EngineHarness()
    harness.fund("ann", "bob")
    harness.sell("ann", "0.50", 10)
    bought = harness.buy("bob", "0.52", 25)
    assert (bought.making_micro, bought.taking_micro) == (5 * MICRO, 10 * MICRO)
    sold = harness.sell("ann", "0.52", 15)
    assert (sold.making_micro, sold.taking_micro) == (15 * MICRO, 7_800_000)
    assert harness.book() == ([], [])


def test_one_book_shows_on_both_tokens() -> None:
    harness = EngineHarness()
    harness.fund("ann")
    harness.buy("ann", "0.40", 10)
    harness.sell("ann", "0.70", 20, NO)
    harness.sell("ann", "0.55", 30)
    harness.buy("ann", "0.45", 5, NO)
    assert harness.book(YES) == ([(40, 10), (30, 20)], [(55, 35)])
    assert harness.book(NO) == ([(45, 35)], [(60, 10), (70, 20)])


@pytest.mark.fidelity("Within a price the oldest goes first", area="Matching", evidence="assumed")
def test_best_price_first_then_the_oldest_whatever_its_kind() -> None:
    harness = EngineHarness()
    harness.fund("ann", "bob", "cat", "dan", "eve")
    first = harness.sell("ann", "0.52", 10)
    second = harness.buy("bob", "0.48", 10, NO)
    third = harness.sell("cat", "0.52", 10)
    better = harness.sell("dan", "0.51", 10)
    placed = harness.buy("eve", "0.52", 25)
    trades = [harness.exchange.trade(number) for number in placed.trade_ids]
    met = [(maker.order_id, maker.size_micro // MICRO) for trade in trades if trade for maker in trade.makers]
    assert met == [(better.order_id, 10), (first.order_id, 10), (second.order_id, 5)]
    # Several makers at one price are one trade, also when one of them mints.
    assert [trade.size_micro // MICRO for trade in trades if trade] == [10, 15]
    assert harness.order(second).remaining_micro == 5 * MICRO
    assert harness.state(third) is OrderState.LIVE
    assert harness.book() == ([], [(52, 15)])


def test_a_partly_filled_order_keeps_its_place() -> None:
    harness = EngineHarness()
    harness.fund("ann", "bob", "cat")
    first = harness.sell("ann", "0.50", 10)
    second = harness.sell("bob", "0.50", 10)
    harness.buy("cat", "0.50", 5)
    harness.buy("cat", "0.50", 5)
    assert (harness.state(first), harness.state(second)) == (OrderState.MATCHED, OrderState.LIVE)
    assert harness.order(second).matched_micro == 0


@pytest.mark.fidelity("What is left of a limit order rests", area="Matching", evidence="specification")
def test_a_marketable_limit_order_rests_with_what_is_left() -> None:
    harness = EngineHarness()
    harness.fund("ann", "bob")
    harness.sell("ann", "0.50", 10)
    placed = harness.buy("bob", "0.51", 30)
    order = harness.order(placed)
    assert (placed.status, order.status, order.matched_micro) == (OrderState.MATCHED, OrderState.LIVE, 10 * MICRO)
    assert harness.book() == ([(51, 20)], [])
    assert order.reserved_micro == harness.dollars("bob").active_micro == 10_200_000
    assert harness.dollars("bob").matched_micro == 5 * MICRO


@pytest.mark.fidelity("FOK all or nothing, FAK what there is", area="Matching", evidence="specification")
def test_fok_is_all_or_nothing_and_fak_takes_what_there_is() -> None:
    harness = EngineHarness()
    harness.fund("ann", "bob")
    harness.sell("ann", "0.50", 10)
    harness.events()
    assert harness.refused(harness.market_request("bob", Side.BUY, 6, 12, order_type=OrderType.FOK)).text == FOK_KILLED
    [killed] = harness.events()
    assert isinstance(killed, OrderEvent)
    assert (killed.change, killed.reason) == (OrderChange.CANCELLATION, FOK_KILLED)
    placed = harness.taken(harness.market_request("bob", Side.BUY, 6, 12))
    assert (placed.making_micro, placed.taking_micro) == (5 * MICRO, 10 * MICRO)
    assert harness.state(placed) is OrderState.MATCHED and harness.book() == ([], [])
    assert harness.refused(harness.market_request("bob", Side.BUY, 6, 12)).text == FAK_KILLED
    sold = harness.refused(harness.market_request("bob", Side.SELL, 12, 6, order_type=OrderType.FOK))
    assert sold.text == FOK_KILLED


def test_fok_takes_several_prices_when_they_suffice() -> None:
    harness = EngineHarness()
    harness.fund("ann", "bob")
    harness.sell("ann", "0.50", 10)
    harness.sell("ann", "0.51", 10)
    placed = harness.taken(harness.market_request("bob", Side.BUY, "10.10", "19.8039", order_type=OrderType.FOK))
    assert (placed.making_micro, placed.taking_micro) == (10_100_000, 20_000_000)
    assert len(placed.trade_ids) == 2


@pytest.mark.fidelity("A market BUY spends its dollars", area="Matching", evidence="specification")
def test_a_market_buy_spends_its_dollars_at_better_prices() -> None:
    harness = EngineHarness()
    harness.fund("ann", "bob")
    harness.sell("ann", "0.40", 100)
    placed = harness.taken(harness.market_request("bob", Side.BUY, 10, 20))
    assert (placed.making_micro, placed.taking_micro) == (10 * MICRO, 25 * MICRO)


@pytest.mark.fidelity("Shares rounded up never fill", area="Matching", evidence="field report")
def test_a_market_buy_whose_shares_were_rounded_up_never_reaches_its_price() -> None:
    harness = EngineHarness()
    harness.fund("ann", "bob")
    harness.sell("ann", "0.07", 100)
    assert harness.refused(harness.market_request("bob", Side.BUY, 1, "14.29")).text == FAK_KILLED
    placed = harness.taken(harness.market_request("bob", Side.BUY, 1, "14.2857"))
    # Dollars buy down to the last millionth of a share.
    assert (placed.making_micro, placed.taking_micro) == (1_000_000, 14_285_714)


def test_a_market_sell_does_not_go_below_its_limit() -> None:
    harness = EngineHarness()
    harness.fund("ann", "bob")
    harness.buy("ann", "0.50", 100)
    assert harness.refused(harness.market_request("bob", Side.SELL, 10, "5.0001")).text == FAK_KILLED
    placed = harness.taken(harness.market_request("bob", Side.SELL, 10, "4.9999"))
    assert (placed.making_micro, placed.taking_micro) == (10 * MICRO, 5 * MICRO)


def test_an_account_does_not_trade_with_itself() -> None:
    harness = EngineHarness()
    harness.fund("ann", "bob")
    own = harness.sell("ann", "0.50", 10)
    mirrored = harness.buy("ann", "0.49", 10, NO)
    harness.sell("bob", "0.51", 10)
    placed = harness.buy("ann", "0.51", 5)
    assert placed.taking_micro == 5 * MICRO
    # Its own orders stood before the other's, one directly and one through the other token.
    assert harness.state(own) is harness.state(mirrored) is OrderState.CANCELED
    assert harness.book() == ([], [(51, 5)])
    check_books(harness.exchange)


def test_own_orders_do_not_count_for_fok_and_stay_when_it_is_killed() -> None:
    harness = EngineHarness()
    harness.fund("ann", "bob")
    own = harness.sell("ann", "0.50", 10)
    harness.sell("bob", "0.50", 10)
    refusal = harness.refused(harness.market_request("ann", Side.BUY, 10, 20, order_type=OrderType.FOK))
    assert refusal.text == FOK_KILLED and harness.state(own) is OrderState.LIVE
    placed = harness.taken(harness.market_request("ann", Side.BUY, 5, 10, order_type=OrderType.FOK))
    assert placed.taking_micro == 10 * MICRO and harness.state(own) is OrderState.CANCELED


def test_only_own_orders_in_the_way_are_cancelled_and_the_order_rests() -> None:
    harness = EngineHarness()
    harness.fund("ann")
    own = harness.sell("ann", "0.50", 10)
    placed = harness.buy("ann", "0.50", 10)
    assert placed.status is OrderState.LIVE and harness.state(own) is OrderState.CANCELED
    assert harness.book() == ([(50, 10)], [])
    check_books(harness.exchange)


@pytest.mark.fidelity("Takers pay, on top or out of it", area="Fees", evidence="specification")
def test_fees_are_the_takers_on_top_of_a_buy_and_out_of_a_sale() -> None:
    harness = EngineHarness(SPORTS)
    harness.fund("ann", "bob")
    harness.sell("ann", "0.40", 10)
    harness.buy("bob", "0.40", 10)
    fee = taker_fee(SPORTS, 10 * MICRO, 400_000)
    assert fee == 120_000
    harness.settle()
    assert harness.dollars("bob").balance_micro == 996 * MICRO - fee
    assert harness.dollars("ann").balance_micro == 1_004 * MICRO
    harness.buy("ann", "0.40", 10)
    harness.sell("bob", "0.40", 10)
    harness.settle()
    assert harness.dollars("bob").balance_micro == 1_000 * MICRO - 2 * fee
    assert harness.dollars("ann").balance_micro == 1_000 * MICRO
    assert harness.exchange.core.fees_micro == 2 * fee


@pytest.mark.fidelity("Fees have five decimals", area="Fees", evidence="specification")
def test_a_fee_is_rounded_once_for_all_makers_of_a_price() -> None:
    fees = FeeSchedule(rate_micro=70_000)
    harness = EngineHarness(fees)
    harness.fund("ann", "bob", "cat")
    for name in ("ann", "bob"):
        harness.sell(name, "0.03", "5.01")
    placed = harness.buy("cat", "0.50", "10.02")
    [trade] = [harness.exchange.trade(number) for number in placed.trade_ids]
    assert trade is not None and trade.fee_micro == taker_fee(fees, 10_020_000, 30_000) == 20_410
    assert 2 * taker_fee(fees, 5_010_000, 30_000) != trade.fee_micro


@pytest.mark.parametrize("rate", [0, 40_000, 50_000, 70_000])
@pytest.mark.parametrize("exponent", [1, 2])
def test_the_quick_fee_is_the_rulebooks_fee(rate: int, exponent: int) -> None:
    fees = FeeSchedule(rate, exponent)
    exchange = Exchange()
    market = exchange.list_market(MarketSpec(MARKET, (YES, NO), tick_micro=100, fees=fees))
    for points in (1, 7, 250, 4_999, 5_000, 9_999):
        for size in (0, 1, 99, 10_000, 1_234_567, 5_000_000, 10**13):
            assert market.fee(size, points) == taker_fee(fees, size, points * 100)
    if rate:
        assert fee_terms(fees, MICRO // 2)[0] > 0


def test_what_everybody_is_told_about_a_match() -> None:
    harness = EngineHarness()
    harness.fund("ann", "bob")
    resting = harness.sell("ann", "0.60", 10)
    placement, level = harness.events()[-2:]
    assert isinstance(placement, OrderEvent) and isinstance(level, LevelChanged)
    assert (placement.change, placement.order.order_id) == (OrderChange.PLACEMENT, resting.order_id)
    yes, no = sorted(level.sides())
    assert (yes.side, yes.price_micro, yes.size_micro) == (Side.SELL, 600_000, 10 * MICRO)
    assert (no.side, no.price_micro, no.size_micro) == (Side.BUY, 400_000, 10 * MICRO)
    taker = harness.buy("bob", "0.60", 4)
    update, trade, level, placement = harness.events()
    assert isinstance(update, OrderEvent) and isinstance(placement, OrderEvent)
    assert (update.change, update.status, update.matched_micro) == (OrderChange.UPDATE, OrderState.LIVE, 4 * MICRO)
    assert isinstance(trade, TradeEvent) and trade.status is TradeStatus.MATCHED
    assert trade.trade.taker_order_id == taker.order_id and trade.trade.makers[0].order_id == resting.order_id
    assert isinstance(level, LevelChanged) and level.size_micro == 6 * MICRO and level.order_id == taker.order_id
    assert (placement.change, placement.status) == (OrderChange.PLACEMENT, OrderState.MATCHED)
    assert harness.order(resting).trade_ids == harness.order(taker).trade_ids == [trade.trade.trade_id]
    harness.exchange.cancel("ann", resting.order_id, harness.now_ms)
    cancellation, level = harness.events()
    assert isinstance(cancellation, OrderEvent) and cancellation.change is OrderChange.CANCELLATION
    assert cancellation.matched_micro == 4 * MICRO
    assert isinstance(level, LevelChanged) and level.size_micro == 0
    last = harness.exchange.market(MARKET).last_trade
    assert last is not None and (last.token_index, last.side, last.price_micro) == (0, Side.BUY, 600_000)


def test_dust_is_rounded_against_each_party_once_and_never_lost() -> None:
    """A third of a cent's worth of shares: many odd fills of one order still pay its limit rounded up once."""
    harness = EngineHarness(tick="0.01")
    harness.fund("ann", "bob", dollars=100)
    harness.sell("ann", "0.37", 100)
    for _ in range(7):
        harness.taken(harness.market_request("bob", Side.BUY, 1, "2.7027"))
    harness.settle()
    spent = 100 * MICRO - harness.dollars("bob").balance_micro
    earned = harness.dollars("ann").balance_micro - 100 * MICRO
    assert spent == 7 * MICRO
    assert earned + harness.exchange.core.rounding_micro == spent
    assert abs(harness.exchange.core.rounding_micro) <= 7
    check_books(harness.exchange)


def test_rounding_in_parts_never_asks_for_more_than_was_checked() -> None:
    """Two parts of an order, each rounded up, cost a micro-dollar more than the whole; who has exactly enough pays that."""
    harness = EngineHarness()
    harness.fund("ann", "bob")
    harness.sell("ann", "0.37", 10)
    harness.taken(harness.market_request("bob", Side.BUY, 1, "2.7027"))
    harness.exchange.deposit("cat", 3_700_000)
    placed = harness.buy("cat", "0.37", 10)
    trade = harness.exchange.trade(placed.trade_ids[0])
    assert trade is not None and trade.size_micro * 37 % 100 and trade.cost_micro == trade.size_micro * 37 // 100
    assert harness.dollars("cat").free_micro == 0
    harness.sell("bob", "0.37", 10)
    harness.settle()
    assert [trade.status for trade in harness.exchange.core.trades.values()] == [TradeStatus.CONFIRMED] * 3
    assert harness.dollars("cat").balance_micro == 0
    check_books(harness.exchange)


@pytest.mark.parametrize("cents", range(40, 60))
def test_fees_in_parts_never_ask_for_more_than_was_checked(cents: int) -> None:
    for offered in ("5.01", "5.03", "5.57", "6.11", "7.93"):
        harness = EngineHarness(SPORTS)
        harness.fund("ann", "bob")
        harness.sell("ann", f"0.{cents}", offered)
        request = harness.request("cat", Side.BUY, f"0.{cents}", "13.37")
        needed = request.maker_amount_micro + taker_fee(SPORTS, 13_370_000, cents * 10_000)
        harness.exchange.deposit("cat", needed - 1)
        assert harness.refused(request).code == "not_enough_balance"
        harness.exchange.deposit("cat", 1)
        placed = harness.taken(request)
        assert harness.dollars("cat").free_micro >= 0
        assert harness.order(placed).reserved_micro >= harness.order(placed).remaining_micro * cents // 100
        check_books(harness.exchange)


def test_a_fee_never_exceeds_what_a_sale_brings() -> None:
    harness = EngineHarness(FeeSchedule(rate_micro=MICRO), tick="0.0001")
    harness.fund("ann", "bob")
    harness.buy("ann", "0.0001", 10)
    placed = harness.sell("bob", "0.0001", "0.16")
    trade = harness.exchange.trade(placed.trade_ids[0])
    assert trade is not None and trade.cost_micro == trade.fee_micro == 16


def test_a_busy_price_does_not_grow_with_the_orders_that_left_it() -> None:
    harness = EngineHarness()
    harness.fund("ann")
    harness.buy("ann", "0.50", 10)
    for _ in range(500):
        placed = harness.buy("ann", "0.50", 10)
        harness.exchange.cancel("ann", placed.order_id, harness.now_ms)
    level = harness.exchange.market(MARKET).ladders[0].levels[5_000]
    assert level.count == 1 and len(level.queue) < 50
    check_books(harness.exchange)


def test_a_maker_that_is_cut_short_has_paid_its_limit_rounded_once() -> None:
    """Whoever made 2.702702 shares at 0.37 (0.99999974) and cancels has paid a dollar, or was paid a micro less."""
    harness = EngineHarness()
    harness.fund("ann", "bob", dollars=100)
    sale = harness.sell("ann", "0.37", 100)
    harness.taken(harness.market_request("bob", Side.BUY, 1, "2.7027"))
    harness.settle()
    harness.exchange.cancel("ann", sale.order_id, harness.now_ms)
    assert harness.dollars("ann").balance_micro == 100 * MICRO + 999_999
    purchase = harness.buy("ann", "0.63", 100, token=NO)
    harness.taken(harness.market_request("bob", Side.BUY, 1, "2.7027"))
    harness.settle()
    harness.exchange.cancel("ann", purchase.order_id, harness.now_ms)
    made = 2_702_702
    assert harness.dollars("ann").balance_micro == 100 * MICRO + 999_999 - (made * 63 + 99) // 100
    check_books(harness.exchange)
