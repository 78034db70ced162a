"""What the exchange refuses and in which words: grid, precision, sizes, money, expirations, duplicates, modes."""

from __future__ import annotations

import pytest

from polymarket_kit import rejections
from polymarket_kit.model import OrderType, Payout, Side
from polymarket_kit.rejections import Rejection
from polymarket_kit.values import MICRO, parse_micro
from practice_exchange.engine.accounts import COLLATERAL
from practice_exchange.engine.matching import Exchange
from practice_exchange.engine.orders import Mode, OrderRequest, OrderState, Placed, Restriction
from tests.exchange.engine.harness import MARKET, NO, NOW_MS, SPORTS, YES, EngineHarness, check_books

TICKS = ("0.1", "0.01", "0.005", "0.0025", "0.001", "0.0001")


@pytest.mark.fidelity(
    "Six ticks; a price lies on the grid from one tick to one less a tick",
    area="Orders",
    evidence="specification",
    source="order rules",
)
@pytest.mark.parametrize("tick", TICKS)
def test_every_tick_takes_its_grid_and_nothing_else(tick: str) -> None:
    harness = EngineHarness(tick=tick)
    harness.fund("ann", dollars=100_000)
    step = parse_micro(tick)
    for price_micro in (step, 5 * step, MICRO - step):
        harness.buy("ann", f"{price_micro / MICRO:.4f}", 10)
        harness.exchange.cancel_all("ann", harness.now_ms)
    for price_micro in (step // 2, step + step // 2, MICRO - step // 2, MICRO, MICRO + step):
        request = OrderRequest("off", "ann", "k", YES, Side.BUY, OrderType.GTC, 100 * price_micro, 100 * MICRO)
        refusal = harness.refused(request)
        assert refusal.code == "price_off_grid"
        assert refusal.text.startswith("order off is invalid. Price (")
        assert refusal.text.endswith(f") breaks minimum tick size rule: {tick}")


@pytest.mark.fidelity(
    "The price of an order is dollars by shares",
    area="Orders",
    evidence="field report",
    source="py-clob-client-v2 issue 59",
)
def test_the_price_is_computed_from_the_amounts_and_printed_as_the_venue_does() -> None:
    harness = EngineHarness()
    harness.fund("ann")
    # A market order's amounts posted as a limit order: the refusal seen on the venue, digit for digit.
    request = OrderRequest("0xab", "ann", "k", YES, Side.BUY, OrderType.GTC, 5 * MICRO, 9_803_900)
    assert harness.refused(request).text == (
        "order 0xab is invalid. Price (0.5100011220024684) breaks minimum tick size rule: 0.01"
    )


@pytest.mark.fidelity(
    "Limit orders: shares to two decimals, dollars by the tick's table",
    area="Orders",
    evidence="specification",
    source="order rules",
)
def test_limit_orders_have_two_decimals_of_shares() -> None:
    harness = EngineHarness(tick="0.01")
    harness.fund("ann")
    assert harness.refused(harness.request("ann", Side.BUY, "0.50", "10.005")).text == (
        "invalid amounts, the buy orders maker amount supports a max accuracy of 4 decimals, "
        "taker amount a max of 2 decimals"
    )
    fine = EngineHarness(tick="0.001")
    fine.fund("ann")
    assert fine.refused(fine.request("ann", Side.SELL, "0.500", "10.005")).text == (
        "invalid amounts, the sell orders maker amount supports a max accuracy of 2 decimals, "
        "taker amount a max of 5 decimals"
    )
    assert fine.buy("ann", "0.501", "10.01").status is OrderState.LIVE


@pytest.mark.fidelity(
    "Market orders: two and four decimals whatever the tick",
    area="Orders",
    evidence="field report",
    source="py-clob-client-v2 issue 99",
)
@pytest.mark.parametrize("tick", TICKS)
@pytest.mark.parametrize("order_type", [OrderType.FOK, OrderType.FAK])
def test_market_orders_have_two_and_four_decimals_whatever_the_tick(tick: str, order_type: OrderType) -> None:
    harness = EngineHarness(tick=tick)
    harness.fund("ann", "bob")
    harness.sell("bob", "0.5", 100)
    text = "orders maker amount supports a max accuracy of 2 decimals, taker amount a max of 4 decimals"
    bad = [("2.005", "4"), ("2", "3.99995")]
    for made, taken in bad:
        refusal = harness.refused(harness.market_request("ann", Side.BUY, made, taken, order_type=order_type))
        assert refusal.text == f"invalid amounts, the market buy {text}"
        refusal = harness.refused(harness.market_request("ann", Side.SELL, made, taken, order_type=order_type))
        assert refusal.text == f"invalid amounts, the market sell {text}"
    harness.taken(harness.market_request("ann", Side.BUY, "2.05", "4.0999", order_type=order_type))


@pytest.mark.fidelity(
    "Five shares are the minimum of orders that rest",
    area="Orders",
    evidence="field report",
    source="the documentation speaks of dollars, the refusal of size",
)
def test_the_minimum_size_is_for_orders_that_rest() -> None:
    harness = EngineHarness()
    harness.fund("ann", "bob")
    assert harness.refused(harness.request("ann", Side.BUY, "0.50", "4.99", order_id="x")).text == (
        "order x is invalid. Size (4.99) lower than the minimum: 5"
    )
    harness.sell("bob", "0.50", 100)
    assert harness.buy("ann", "0.50", "4.99").status is OrderState.MATCHED


@pytest.mark.fidelity(
    "A marketable BUY is for a dollar at least",
    area="Orders",
    evidence="specification",
    source="error codes",
)
@pytest.mark.parametrize(("price", "size", "shown"), [("0.50", "1.68", "0.84"), ("0.99", "1.01", "0.9999")])
def test_a_marketable_buy_is_at_least_a_dollar(price: str, size: str, shown: str) -> None:
    harness = EngineHarness()
    harness.fund("ann", "bob")
    harness.sell("bob", "0.40", 100)
    text = f"invalid amount for a marketable BUY order (${shown}), min size: $1"
    assert harness.refused(harness.request("ann", Side.BUY, price, size)).text == text
    assert harness.refused(harness.market_request("ann", Side.BUY, "0.99", "1.98")).code == "below_minimum"
    # A sale may be as small as it likes.
    harness.buy("bob", "0.30", 10)
    assert harness.sell("ann", "0.30", "0.01").status is OrderState.MATCHED


@pytest.mark.fidelity(
    "Reservations count open orders, unsettled matches, and fees",
    area="Account",
    evidence="specification",
    source="error codes",
)
def test_money_is_checked_against_all_open_and_matched_orders() -> None:
    harness = EngineHarness(SPORTS)
    harness.fund("ann", dollars=100, sets=0)
    harness.fund("bob")
    prefix = "not enough balance / allowance: the balance is not enough -> balance: 100000000, "
    assert harness.refused(harness.request("ann", Side.BUY, "0.50", 200)).text == f"{prefix}order amount: 102500000"
    harness.buy("ann", "0.40", 100)
    active = 40 * MICRO + 1_200_000
    refusal = harness.refused(harness.request("ann", Side.BUY, "0.50", 120))
    assert refusal.text == f"{prefix}sum of active orders: {active}, order amount (inc. fees): 61500000"
    harness.sell("bob", "0.50", 100)
    harness.buy("ann", "0.50", 20)
    refusal = harness.refused(harness.request("ann", Side.BUY, "0.50", 120))
    assert refusal.text == (
        f"{prefix}sum of active orders: {active}, sum of matched orders: 10250000, order amount (inc. fees): 61500000"
    )
    assert refusal.code == "not_enough_balance" and refusal.status == 400
    check_books(harness.exchange)


@pytest.mark.fidelity(
    "Shares can be sold when their trade is mined",
    area="Settlement",
    evidence="field report",
    source="py-clob-client-v2 issue 34",
)
def test_shares_are_checked_and_fresh_ones_cannot_be_sold_before_they_are_mined() -> None:
    harness = EngineHarness()
    harness.fund("ann", sets=0)
    harness.fund("bob")
    harness.sell("bob", "0.50", 100)
    harness.buy("ann", "0.50", 10)
    text = "not enough balance / allowance: the balance is not enough -> balance: 0, order amount: 10000000"
    assert harness.refused(harness.request("ann", Side.SELL, "0.60", 10)).text == text
    harness.settle()
    assert harness.sell("ann", "0.60", 10).status is OrderState.LIVE


@pytest.mark.fidelity(
    "Allowances are checked for dollars and for shares",
    area="Account",
    evidence="specification",
    source="error codes",
)
def test_the_allowance_is_checked_for_dollars_and_for_shares() -> None:
    harness = EngineHarness()
    harness.fund("ann")
    harness.exchange.approve("ann", COLLATERAL, 5 * MICRO, harness.now_ms)
    harness.exchange.approve("ann", YES, 0, harness.now_ms)
    refusal = harness.refused(harness.request("ann", Side.BUY, "0.60", 10))
    assert refusal.text == (
        "not enough balance / allowance: the allowance is not enough -> allowance: 5000000, order amount: 6000000"
    )
    assert harness.refused(harness.request("ann", Side.SELL, "0.60", 10)).code == "not_enough_allowance"
    harness.buy("ann", "0.50", 10)
    assert harness.refused(harness.request("ann", Side.BUY, "0.50", 10)).code == "not_enough_allowance"
    harness.exchange.approve("ann", COLLATERAL, None, harness.now_ms)
    harness.buy("ann", "0.50", 10)


def test_a_market_buy_must_also_cover_its_fees_at_better_prices() -> None:
    harness = EngineHarness(SPORTS)
    harness.fund("ann", dollars="10.20", sets=0)
    harness.fund("bob")
    harness.sell("bob", "0.20", 100)
    # At the limit of 0.90 the fee would be 0.05; at 0.20 the ten dollars buy 50 shares and the fee is 0.40.
    refusal = harness.refused(harness.market_request("ann", Side.BUY, 10, "11.1111"))
    assert refusal.text.endswith("balance: 10200000, order amount: 10400000")
    harness.exchange.deposit("ann", 200_000)
    harness.taken(harness.market_request("ann", Side.BUY, 10, "11.1111"))
    assert harness.dollars("ann").free_micro == 0


@pytest.mark.fidelity(
    "GTD ends at least three minutes ahead",
    area="Orders",
    evidence="specification",
    source="order types",
)
def test_expirations() -> None:
    harness = EngineHarness()
    harness.fund("ann")
    soonest_s = NOW_MS // 1000 + 180
    for order_type, expiration_s in (
        (OrderType.GTD, 0),
        (OrderType.GTD, soonest_s - 1),
        (OrderType.GTC, soonest_s),
        (OrderType.FAK, soonest_s),
        (OrderType.FOK, soonest_s),
    ):
        request = harness.request("ann", Side.BUY, "0.50", 10, order_type=order_type, expiration_s=expiration_s)
        assert harness.refused(request).text == "invalid expiration"
    placed = harness.buy("ann", "0.50", 10, order_type=OrderType.GTD, expiration_s=soonest_s)
    assert harness.order(placed).expires_ms == soonest_s * 1000 - 60_000
    assert harness.order(placed).expiration_s == soonest_s


@pytest.mark.fidelity(
    "Post-only is for GTC and GTD alone",
    area="Orders",
    evidence="specification",
    source="clob-openapi, SendOrder",
)
def test_post_only_is_refused_when_it_crosses_and_for_market_orders() -> None:
    harness = EngineHarness()
    harness.fund("ann", "bob")
    harness.sell("bob", "0.50", 10)
    refusal = harness.refused(harness.request("ann", Side.BUY, "0.50", 10, post_only=True))
    assert refusal.text == "invalid post-only order: order crosses book"
    # Through the mirror it crosses as well.
    assert (
        harness.refused(harness.request("ann", Side.SELL, "0.50", 10, NO, post_only=True)).code == "post_only_crosses"
    )
    assert harness.buy("ann", "0.49", 10, post_only=True).status is OrderState.LIVE
    market = harness.request("ann", Side.BUY, "0.50", 10, order_type=OrderType.FAK, post_only=True)
    assert harness.refused(market).code == "invalid_order"


@pytest.mark.fidelity(
    "A hash is spent once, also after a cancel",
    area="Orders",
    evidence="specification",
    source="error codes",
)
def test_an_order_comes_once() -> None:
    harness = EngineHarness()
    harness.fund("ann")
    request = harness.request("ann", Side.BUY, "0.50", 10, order_id="0x1")
    harness.taken(request)
    assert harness.refused(request).text == "order 0x1 is invalid. Duplicated."
    harness.exchange.cancel("ann", "0x1", harness.now_ms)
    assert harness.refused(request).code == "duplicated"
    harness.wait(10_000)
    harness.exchange.forget(harness.now_ms)
    assert harness.exchange.order("0x1") is None
    assert harness.refused(request).code == "duplicated"


@pytest.mark.parametrize(("made", "taken"), [(0, 10), (10, 0), (-1, 10), (10, -1), (10**18, 10**18)])
@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("order_type", [OrderType.GTC, OrderType.FAK])
def test_senseless_amounts(made: int, taken: int, side: Side, order_type: OrderType) -> None:
    harness = EngineHarness()
    harness.fund("ann")
    request = OrderRequest("x", "ann", "k", YES, side, order_type, made, taken)
    assert harness.refused(request).text == "Invalid order payload"


def test_unknown_closed_and_waiting_markets() -> None:
    harness = EngineHarness(waiting=True)
    harness.fund("ann")
    assert harness.refused(harness.request("ann", Side.BUY, "0.50", 10, "other")).status == 404
    refusal = harness.refused(harness.request("ann", Side.BUY, "0.50", 10))
    assert refusal.text == "the market is not yet ready to process new orders"
    harness.exchange.open_market(MARKET, harness.now_ms)
    harness.buy("ann", "0.50", 10)
    harness.exchange.close_market(MARKET, harness.now_ms)
    refusal = harness.refused(harness.request("ann", Side.BUY, "0.50", 10))
    assert (refusal.text, refusal.status) == ("No orderbook exists for the requested token id", 404)
    harness.exchange.resolve_market(Payout(MARKET, (YES, NO), (MICRO, 0)), harness.now_ms)
    assert harness.refused(harness.request("ann", Side.BUY, "0.50", 10)).status == 404


def test_restricted_addresses() -> None:
    harness = EngineHarness()
    harness.fund("ann")
    harness.account("ann").restriction = Restriction.CLOSED_ONLY
    assert harness.refused(harness.request("ann", Side.BUY, "0.50", 10)).text == "'ann' address in closed only mode"
    harness.sell("ann", "0.50", 10)
    harness.account("ann").restriction = Restriction.BANNED
    assert harness.refused(harness.request("ann", Side.SELL, "0.50", 10)).text == "'ann' address banned"


def modes(harness: EngineHarness) -> tuple[Placed | Rejection, Placed | Rejection, object]:
    """What an order, a post-only order and a cancel are answered."""
    plain = harness.place(harness.request("ann", Side.BUY, "0.10", 10))
    passive = harness.place(harness.request("ann", Side.BUY, "0.10", 10, post_only=True))
    return plain, passive, harness.exchange.cancel("ann", "nothing", harness.now_ms)


@pytest.mark.fidelity(
    "After a restart two minutes are post-only",
    area="Limits and modes",
    evidence="specification",
    source="matching engine",
)
def test_a_restart_and_the_post_only_window_after_it() -> None:
    harness = EngineHarness()
    harness.fund("ann", "bob")
    harness.exchange.set_mode(Mode.RESTARTING, harness.now_ms, harness.now_ms + 90_000)
    for answer in modes(harness):
        assert isinstance(answer, Rejection)
        assert (answer.status, answer.text) == (425, "service not ready")
    harness.wait(91_000)
    plain, passive, cancel = modes(harness)
    assert isinstance(plain, Rejection) and isinstance(passive, Placed) and not isinstance(cancel, Rejection)
    assert (plain.status, plain.code, plain.retry_after_s) == (503, "post_only_mode", 119)
    assert plain.text == "post-only mode: only post-only orders and cancels are allowed"
    crossing = harness.refused(harness.request("bob", Side.SELL, "0.10", 10, post_only=True, order_id="0x9"))
    assert crossing.text == "order 0x9 crosses the book"
    harness.wait(119_000)
    assert isinstance(modes(harness)[0], Placed)


@pytest.mark.fidelity(
    "Cancel-only lets cancels through, disabled lets nothing through",
    area="Limits and modes",
    evidence="specification",
    source="matching engine",
)
def test_cancel_only_and_disabled() -> None:
    harness = EngineHarness()
    harness.fund("ann")
    harness.exchange.set_mode(Mode.CANCEL_ONLY, harness.now_ms)
    plain, passive, cancel = modes(harness)
    assert plain == passive == rejections.CANCEL_ONLY and not isinstance(cancel, Rejection)
    harness.exchange.set_mode(Mode.DISABLED, harness.now_ms)
    assert modes(harness) == (rejections.DISABLED,) * 3
    assert rejections.DISABLED.status == rejections.CANCEL_ONLY.status == 503
    harness.wait(10**9)
    harness.exchange.set_mode(Mode.NORMAL, harness.now_ms)
    assert isinstance(modes(harness)[0], Placed)


def test_faults_and_batch_texts_are_the_venues() -> None:
    assert [fault.text for fault in rejections.FAULTS] == [
        "order timed out",
        "could not run the execution",
        "could not insert order",
        "there are no matching orders",
        "the trade contains rounding issues",
    ]
    assert {fault.status for fault in rejections.FAULTS} == {500}
    assert rejections.too_many_orders(16).text == "Too many orders in payload: 16, max allowed: 15"


def test_listing_refuses_what_cannot_be() -> None:
    harness = EngineHarness()
    with pytest.raises(ValueError, match="already listed"):
        harness.exchange.list_market(harness.exchange.market(MARKET).state.spec)
    with pytest.raises(ValueError, match="ticks"):
        EngineHarness(tick="0.02")
    assert Exchange().next_due_ms is None
