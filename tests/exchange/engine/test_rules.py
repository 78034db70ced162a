"""What the exchange refuses and in which words: grid, precision, sizes, money, expirations, duplicates, modes."""

from __future__ import annotations

import pytest

from polymarket_kit.model import OrderType, Payout, Side
from polymarket_kit.values import MICRO, parse_micro
from practice_exchange.engine import rejections
from practice_exchange.engine.accounts import COLLATERAL
from practice_exchange.engine.matching import Exchange
from practice_exchange.engine.orders import Mode, OrderRequest, OrderState, Placed, Restriction
from practice_exchange.engine.rejections import Rejection
from tests.exchange.engine.floor import MARKET, NO, NOW_MS, SPORTS, YES, Floor, check_books

TICKS = ("0.1", "0.01", "0.005", "0.0025", "0.001", "0.0001")


@pytest.mark.fidelity(
    "Six ticks; a price lies on the grid from one tick to one less a tick",
    area="Orders",
    evidence="specification",
    source="order rules",
)
@pytest.mark.parametrize("tick", TICKS)
def test_every_tick_takes_its_grid_and_nothing_else(tick: str) -> None:
    floor = Floor(tick=tick)
    floor.fund("ann", dollars=100_000)
    step = parse_micro(tick)
    for price_micro in (step, 5 * step, MICRO - step):
        floor.buy("ann", f"{price_micro / MICRO:.4f}", 10)
        floor.exchange.cancel_all("ann", floor.now_ms)
    for price_micro in (step // 2, step + step // 2, MICRO - step // 2, MICRO, MICRO + step):
        request = OrderRequest("off", "ann", "k", YES, Side.BUY, OrderType.GTC, 100 * price_micro, 100 * MICRO)
        refusal = floor.refused(request)
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
    floor = Floor()
    floor.fund("ann")
    # A market order's amounts posted as a limit order: the refusal seen on the venue, digit for digit.
    request = OrderRequest("0xab", "ann", "k", YES, Side.BUY, OrderType.GTC, 5 * MICRO, 9_803_900)
    assert floor.refused(request).text == (
        "order 0xab is invalid. Price (0.5100011220024684) breaks minimum tick size rule: 0.01"
    )


@pytest.mark.fidelity(
    "Limit orders: shares to two decimals, dollars by the tick's table",
    area="Orders",
    evidence="specification",
    source="order rules",
)
def test_limit_orders_have_two_decimals_of_shares() -> None:
    floor = Floor(tick="0.01")
    floor.fund("ann")
    assert floor.refused(floor.request("ann", Side.BUY, "0.50", "10.005")).text == (
        "invalid amounts, the buy orders maker amount supports a max accuracy of 4 decimals, "
        "taker amount a max of 2 decimals"
    )
    fine = Floor(tick="0.001")
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
    floor = Floor(tick=tick)
    floor.fund("ann", "bob")
    floor.sell("bob", "0.5", 100)
    text = "orders maker amount supports a max accuracy of 2 decimals, taker amount a max of 4 decimals"
    bad = [("2.005", "4"), ("2", "3.99995")]
    for made, taken in bad:
        refusal = floor.refused(floor.market_request("ann", Side.BUY, made, taken, order_type=order_type))
        assert refusal.text == f"invalid amounts, the market buy {text}"
        refusal = floor.refused(floor.market_request("ann", Side.SELL, made, taken, order_type=order_type))
        assert refusal.text == f"invalid amounts, the market sell {text}"
    floor.taken(floor.market_request("ann", Side.BUY, "2.05", "4.0999", order_type=order_type))


@pytest.mark.fidelity(
    "Five shares are the minimum of orders that rest",
    area="Orders",
    evidence="field report",
    source="the documentation speaks of dollars, the refusal of size",
)
def test_the_minimum_size_is_for_orders_that_rest() -> None:
    floor = Floor()
    floor.fund("ann", "bob")
    assert floor.refused(floor.request("ann", Side.BUY, "0.50", "4.99", order_id="x")).text == (
        "order x is invalid. Size (4.99) lower than the minimum: 5"
    )
    floor.sell("bob", "0.50", 100)
    assert floor.buy("ann", "0.50", "4.99").status is OrderState.MATCHED


@pytest.mark.fidelity(
    "A marketable BUY is for a dollar at least",
    area="Orders",
    evidence="specification",
    source="error codes",
)
@pytest.mark.parametrize(("price", "size", "shown"), [("0.50", "1.68", "0.84"), ("0.99", "1.01", "0.9999")])
def test_a_marketable_buy_is_at_least_a_dollar(price: str, size: str, shown: str) -> None:
    floor = Floor()
    floor.fund("ann", "bob")
    floor.sell("bob", "0.40", 100)
    text = f"invalid amount for a marketable BUY order (${shown}), min size: $1"
    assert floor.refused(floor.request("ann", Side.BUY, price, size)).text == text
    assert floor.refused(floor.market_request("ann", Side.BUY, "0.99", "1.98")).code == "marketable_too_small"
    # A sale may be as small as it likes.
    floor.buy("bob", "0.30", 10)
    assert floor.sell("ann", "0.30", "0.01").status is OrderState.MATCHED


@pytest.mark.fidelity(
    "Reservations count open orders, unsettled matches, and fees",
    area="Account",
    evidence="specification",
    source="error codes",
)
def test_money_is_checked_against_all_open_and_matched_orders() -> None:
    floor = Floor(SPORTS)
    floor.fund("ann", dollars=100, sets=0)
    floor.fund("bob")
    prefix = "not enough balance / allowance: the balance is not enough -> balance: 100000000, "
    assert floor.refused(floor.request("ann", Side.BUY, "0.50", 200)).text == f"{prefix}order amount: 102500000"
    floor.buy("ann", "0.40", 100)
    active = 40 * MICRO + 1_200_000
    refusal = floor.refused(floor.request("ann", Side.BUY, "0.50", 120))
    assert refusal.text == f"{prefix}sum of active orders: {active}, order amount (inc. fees): 61500000"
    floor.sell("bob", "0.50", 100)
    floor.buy("ann", "0.50", 20)
    refusal = floor.refused(floor.request("ann", Side.BUY, "0.50", 120))
    assert refusal.text == (
        f"{prefix}sum of active orders: {active}, sum of matched orders: 10250000, order amount (inc. fees): 61500000"
    )
    assert refusal.code == "not_enough_balance" and refusal.status == 400
    check_books(floor.exchange)


@pytest.mark.fidelity(
    "Shares can be sold when their trade is mined",
    area="Settlement",
    evidence="field report",
    source="py-clob-client-v2 issue 34",
)
def test_shares_are_checked_and_fresh_ones_cannot_be_sold_before_they_are_mined() -> None:
    floor = Floor()
    floor.fund("ann", sets=0)
    floor.fund("bob")
    floor.sell("bob", "0.50", 100)
    floor.buy("ann", "0.50", 10)
    text = "not enough balance / allowance: the balance is not enough -> balance: 0, order amount: 10000000"
    assert floor.refused(floor.request("ann", Side.SELL, "0.60", 10)).text == text
    floor.settle()
    assert floor.sell("ann", "0.60", 10).status is OrderState.LIVE


@pytest.mark.fidelity(
    "Allowances are checked for dollars and for shares",
    area="Account",
    evidence="specification",
    source="error codes",
)
def test_the_allowance_is_checked_for_dollars_and_for_shares() -> None:
    floor = Floor()
    floor.fund("ann")
    floor.exchange.approve("ann", COLLATERAL, 5 * MICRO, floor.now_ms)
    floor.exchange.approve("ann", YES, 0, floor.now_ms)
    refusal = floor.refused(floor.request("ann", Side.BUY, "0.60", 10))
    assert refusal.text == (
        "not enough balance / allowance: the allowance is not enough -> allowance: 5000000, order amount: 6000000"
    )
    assert floor.refused(floor.request("ann", Side.SELL, "0.60", 10)).code == "not_enough_allowance"
    floor.buy("ann", "0.50", 10)
    assert floor.refused(floor.request("ann", Side.BUY, "0.50", 10)).code == "not_enough_allowance"
    floor.exchange.approve("ann", COLLATERAL, None, floor.now_ms)
    floor.buy("ann", "0.50", 10)


def test_a_market_buy_must_also_cover_its_fees_at_better_prices() -> None:
    floor = Floor(SPORTS)
    floor.fund("ann", dollars="10.20", sets=0)
    floor.fund("bob")
    floor.sell("bob", "0.20", 100)
    # At the limit of 0.90 the fee would be 0.05; at 0.20 the ten dollars buy 50 shares and the fee is 0.40.
    refusal = floor.refused(floor.market_request("ann", Side.BUY, 10, "11.1111"))
    assert refusal.text.endswith("balance: 10200000, order amount: 10400000")
    floor.exchange.deposit("ann", 200_000)
    floor.taken(floor.market_request("ann", Side.BUY, 10, "11.1111"))
    assert floor.dollars("ann").free_micro == 0


@pytest.mark.fidelity(
    "GTD ends at least three minutes ahead",
    area="Orders",
    evidence="specification",
    source="order types",
)
def test_expirations() -> None:
    floor = Floor()
    floor.fund("ann")
    soonest_s = NOW_MS // 1000 + 180
    for order_type, expiration_s in (
        (OrderType.GTD, 0),
        (OrderType.GTD, soonest_s - 1),
        (OrderType.GTC, soonest_s),
        (OrderType.FAK, soonest_s),
        (OrderType.FOK, soonest_s),
    ):
        request = floor.request("ann", Side.BUY, "0.50", 10, order_type=order_type, expiration_s=expiration_s)
        assert floor.refused(request).text == "invalid expiration"
    placed = floor.buy("ann", "0.50", 10, order_type=OrderType.GTD, expiration_s=soonest_s)
    assert floor.order(placed).expires_ms == soonest_s * 1000 - 60_000
    assert floor.order(placed).expiration_s == soonest_s


@pytest.mark.fidelity(
    "Post-only is for GTC and GTD alone",
    area="Orders",
    evidence="specification",
    source="clob-openapi, SendOrder",
)
def test_post_only_is_refused_when_it_crosses_and_for_market_orders() -> None:
    floor = Floor()
    floor.fund("ann", "bob")
    floor.sell("bob", "0.50", 10)
    refusal = floor.refused(floor.request("ann", Side.BUY, "0.50", 10, post_only=True))
    assert refusal.text == "invalid post-only order: order crosses book"
    # Through the mirror it crosses as well.
    assert floor.refused(floor.request("ann", Side.SELL, "0.50", 10, NO, post_only=True)).code == "post_only_crosses"
    assert floor.buy("ann", "0.49", 10, post_only=True).status is OrderState.LIVE
    market = floor.request("ann", Side.BUY, "0.50", 10, order_type=OrderType.FAK, post_only=True)
    assert floor.refused(market).code == "invalid_payload"


@pytest.mark.fidelity(
    "A hash is spent once, also after a cancel",
    area="Orders",
    evidence="specification",
    source="error codes",
)
def test_an_order_comes_once() -> None:
    floor = Floor()
    floor.fund("ann")
    request = floor.request("ann", Side.BUY, "0.50", 10, order_id="0x1")
    floor.taken(request)
    assert floor.refused(request).text == "order 0x1 is invalid. Duplicated."
    floor.exchange.cancel("ann", "0x1", floor.now_ms)
    assert floor.refused(request).code == "duplicated"
    floor.wait(10_000)
    floor.exchange.forget(floor.now_ms)
    assert floor.exchange.order("0x1") is None
    assert floor.refused(request).code == "duplicated"


@pytest.mark.parametrize(("made", "taken"), [(0, 10), (10, 0), (-1, 10), (10, -1), (10**18, 10**18)])
@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("order_type", [OrderType.GTC, OrderType.FAK])
def test_senseless_amounts(made: int, taken: int, side: Side, order_type: OrderType) -> None:
    floor = Floor()
    floor.fund("ann")
    request = OrderRequest("x", "ann", "k", YES, side, order_type, made, taken)
    assert floor.refused(request).text == "Invalid order payload"


def test_unknown_closed_and_waiting_markets() -> None:
    floor = Floor(waiting=True)
    floor.fund("ann")
    assert floor.refused(floor.request("ann", Side.BUY, "0.50", 10, "other")).status == 404
    refusal = floor.refused(floor.request("ann", Side.BUY, "0.50", 10))
    assert refusal.text == "the market is not yet ready to process new orders"
    floor.exchange.open_market(MARKET, floor.now_ms)
    floor.buy("ann", "0.50", 10)
    floor.exchange.close_market(MARKET, floor.now_ms)
    refusal = floor.refused(floor.request("ann", Side.BUY, "0.50", 10))
    assert (refusal.text, refusal.status) == ("No orderbook exists for the requested token id", 404)
    floor.exchange.resolve_market(Payout(MARKET, (YES, NO), (MICRO, 0)), floor.now_ms)
    assert floor.refused(floor.request("ann", Side.BUY, "0.50", 10)).status == 404


def test_restricted_addresses() -> None:
    floor = Floor()
    floor.fund("ann")
    floor.account("ann").restriction = Restriction.CLOSED_ONLY
    assert floor.refused(floor.request("ann", Side.BUY, "0.50", 10)).text == "'ann' address in closed only mode"
    floor.sell("ann", "0.50", 10)
    floor.account("ann").restriction = Restriction.BANNED
    assert floor.refused(floor.request("ann", Side.SELL, "0.50", 10)).text == "'ann' address banned"


def modes(floor: Floor) -> tuple[Placed | Rejection, Placed | Rejection, object]:
    """What an order, a post-only order and a cancel are answered."""
    plain = floor.place(floor.request("ann", Side.BUY, "0.10", 10))
    passive = floor.place(floor.request("ann", Side.BUY, "0.10", 10, post_only=True))
    return plain, passive, floor.exchange.cancel("ann", "nothing", floor.now_ms)


@pytest.mark.fidelity(
    "After a restart two minutes are post-only",
    area="Limits and modes",
    evidence="specification",
    source="matching engine",
)
def test_a_restart_and_the_post_only_window_after_it() -> None:
    floor = Floor()
    floor.fund("ann", "bob")
    floor.exchange.set_mode(Mode.RESTARTING, floor.now_ms, floor.now_ms + 90_000)
    for answer in modes(floor):
        assert isinstance(answer, Rejection)
        assert (answer.status, answer.text) == (425, "service not ready")
    floor.wait(91_000)
    plain, passive, cancel = modes(floor)
    assert isinstance(plain, Rejection) and isinstance(passive, Placed) and not isinstance(cancel, Rejection)
    assert (plain.status, plain.code, plain.retry_after_s) == (503, "post_only_mode", 119)
    assert plain.text == "post-only mode: only post-only orders and cancels are allowed"
    crossing = floor.refused(floor.request("bob", Side.SELL, "0.10", 10, post_only=True, order_id="0x9"))
    assert crossing.text == "order 0x9 crosses the book"
    floor.wait(119_000)
    assert isinstance(modes(floor)[0], Placed)


@pytest.mark.fidelity(
    "Cancel-only lets cancels through, disabled lets nothing through",
    area="Limits and modes",
    evidence="specification",
    source="matching engine",
)
def test_cancel_only_and_disabled() -> None:
    floor = Floor()
    floor.fund("ann")
    floor.exchange.set_mode(Mode.CANCEL_ONLY, floor.now_ms)
    plain, passive, cancel = modes(floor)
    assert plain == passive == rejections.CANCEL_ONLY and not isinstance(cancel, Rejection)
    floor.exchange.set_mode(Mode.DISABLED, floor.now_ms)
    assert modes(floor) == (rejections.DISABLED,) * 3
    assert rejections.DISABLED.status == rejections.CANCEL_ONLY.status == 503
    floor.wait(10**9)
    floor.exchange.set_mode(Mode.NORMAL, floor.now_ms)
    assert isinstance(modes(floor)[0], Placed)


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
    floor = Floor()
    with pytest.raises(ValueError, match="already listed"):
        floor.exchange.list_market(floor.exchange.market(MARKET).state.spec)
    with pytest.raises(ValueError, match="ticks"):
        Floor(tick="0.02")
    assert Exchange().next_due_ms is None
