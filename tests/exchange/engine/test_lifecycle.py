"""Time and the life of a market: expiries, delays, game start, tick changes, close, cancels in all their forms."""

from __future__ import annotations

import pytest

from polymarket_kit.model import FeeSchedule, OrderType, Payout, Side
from polymarket_kit.rejections import FAK_KILLED, Rejection
from polymarket_kit.values import MICRO
from practice_exchange.engine.accounts import COLLATERAL
from practice_exchange.engine.events import DelayOver, MarketChanged, MarketStage, OrderChange, OrderEvent, TickChanged
from practice_exchange.engine.orders import CancelReport, OrderState, Placed
from tests.exchange.engine.harness import MARKET, NO, NOW_MS, YES, EngineHarness, check_books


def reasons(harness: EngineHarness) -> list[tuple[str, OrderState]]:
    return [
        (event.order.order_id, event.status)
        for event in harness.events()
        if isinstance(event, OrderEvent) and event.change is OrderChange.CANCELLATION
    ]


@pytest.mark.fidelity("GTD ends a minute early", area="Orders", evidence="specification", source="order types")
def test_gtd_ends_a_minute_early_at_its_own_moment() -> None:
    harness = EngineHarness()
    harness.fund("ann", "bob")
    expiration_s = NOW_MS // 1000 + 300
    placed = harness.buy("ann", "0.50", 10, order_type=OrderType.GTD, expiration_s=expiration_s)
    harness.wait(239_999)
    assert harness.state(placed) is OrderState.LIVE
    # The next message comes late; the order ended before it, at its own time.
    harness.now_ms += 10_000
    answer = harness.place(harness.market_request("bob", Side.SELL, 10, 5))
    assert isinstance(answer, Rejection) and answer.text == FAK_KILLED
    order = harness.order(placed)
    assert (order.status, order.closed_ms) == (OrderState.CANCELED_EXPIRED_ORDER, NOW_MS + 240_000)
    assert harness.dollars("ann").active_micro == 0


def test_many_cancelled_gtd_orders_leave_nothing_behind() -> None:
    harness = EngineHarness()
    harness.fund("ann")
    for _ in range(5_000):
        placed = harness.buy("ann", "0.50", 10, order_type=OrderType.GTD, expiration_s=NOW_MS // 1000 + 9_999)
        harness.exchange.cancel("ann", placed.order_id, harness.now_ms)
    assert len(harness.exchange.core.agenda) < 2_500


@pytest.mark.fidelity(
    "In markets with a taker delay marketable orders wait 150 ms, and the call with them",
    area="Matching",
    evidence="specification",
    source="changelog of 2026-09-04, by several notes that quote it",
)
def test_the_taker_delay_holds_marketable_orders_only() -> None:
    harness = EngineHarness(taker_delay=True)
    harness.fund("ann", "bob")
    assert harness.sell("ann", "0.50", 10).status is OrderState.LIVE
    placed = harness.buy("bob", "0.50", 10)
    assert placed == Placed(placed.order_id, OrderState.DELAYED, due_ms=NOW_MS + 150, waits=True)
    assert harness.dollars("bob").active_micro == 5 * MICRO
    report = harness.exchange.cancel("bob", placed.order_id, harness.now_ms)
    assert report == CancelReport((), ((placed.order_id, "order match delayed due to market conditions"),))
    harness.events()
    harness.wait(149)
    assert harness.state(placed) is OrderState.DELAYED and harness.events() == []
    harness.wait(1)
    assert harness.state(placed) is OrderState.MATCHED
    [over] = [event for event in harness.events() if isinstance(event, DelayOver)]
    assert isinstance(over.answer, Placed) and over.time_ms == NOW_MS + 150
    assert (over.answer.status, over.answer.making_micro) == (OrderState.MATCHED, 5 * MICRO)
    check_books(harness.exchange)


@pytest.mark.fidelity(
    "Sports orders are answered `delayed` and act after `seconds_delay`",
    area="Matching",
    evidence="specification",
    source="order types",
)
def test_sports_orders_are_answered_at_once_and_act_later() -> None:
    harness = EngineHarness(seconds_delay=3)
    harness.fund("ann", "bob", "cat")
    harness.sell("ann", "0.50", 10)
    placed = harness.buy("bob", "0.50", 10)
    assert (placed.status, placed.waits, placed.due_ms) == (OrderState.DELAYED, False, NOW_MS + 3_000)
    # Somebody cancels in the meantime, so the order goes to the book.
    harness.exchange.cancel_all("ann", harness.now_ms)
    harness.wait(3_000)
    [over] = [event for event in harness.events() if isinstance(event, DelayOver)]
    assert isinstance(over.answer, Placed) and over.answer.status is OrderState.UNMATCHED
    assert harness.state(placed) is OrderState.LIVE and harness.book() == ([(50, 10)], [])


@pytest.mark.fidelity(
    "A delayed order is checked again when it acts",
    area="Matching",
    evidence="specification",
    source="taker delay",
)
def test_a_delayed_order_is_looked_at_afresh() -> None:
    harness = EngineHarness(seconds_delay=1)
    harness.fund("ann", "bob", "cat", "dan")
    harness.sell("ann", "0.50", 10)
    killed = harness.taken(harness.market_request("bob", Side.BUY, 5, 10))
    broke = harness.buy("cat", "0.50", 100)
    harness.exchange.withdraw("cat", 990 * MICRO, harness.now_ms)
    assert harness.state(broke) is OrderState.DELAYED
    off_grid = harness.buy("dan", "0.55", 10)
    harness.exchange.cancel_all("ann", harness.now_ms)
    harness.exchange.change_tick(MARKET, 100_000, harness.now_ms)
    harness.wait(1_000)
    assert harness.state(killed) is OrderState.CANCELED
    assert harness.state(broke) is OrderState.CANCELED_NOT_ENOUGH_BALANCE
    assert harness.state(off_grid) is OrderState.INVALID
    answers = {e.order_id: e.answer for e in harness.events() if isinstance(e, DelayOver)}
    assert all(isinstance(answer, Rejection) for answer in answers.values()) and len(answers) == 3
    assert answers[off_grid.order_id].code == "price_off_grid"  # type: ignore[union-attr]  # just checked
    for name in ("bob", "cat", "dan"):
        assert harness.dollars(name).active_micro == 0 and not harness.exchange.open_orders(name)
    check_books(harness.exchange)


def test_a_delayed_order_of_a_market_that_closes_or_is_suspended_ends() -> None:
    for close in (True, False):
        harness = EngineHarness(seconds_delay=1)
        harness.fund("ann", "bob")
        harness.sell("ann", "0.50", 10)
        placed = harness.buy("bob", "0.50", 10)
        if close:
            harness.exchange.close_market(MARKET, harness.now_ms)
            assert harness.state(placed) is OrderState.CANCELED_MARKET_NOT_FOUND
            harness.wait(10)
            harness.exchange.forget(harness.now_ms)
        else:
            harness.exchange.suspend_market(MARKET, harness.now_ms)
        harness.wait(1_000)
        [over] = [event for event in harness.events() if isinstance(event, DelayOver)]
        assert isinstance(over.answer, Rejection) and over.order_id == placed.order_id
        assert harness.dollars("bob").active_micro == 0
        check_books(harness.exchange)


@pytest.mark.fidelity(
    "The book is cleared when a game starts",
    area="Matching",
    evidence="specification",
    source="order rules",
)
def test_the_book_is_cleared_when_the_game_starts() -> None:
    harness = EngineHarness(game_start_ms=NOW_MS + 5_000)
    harness.fund("ann")
    placed = harness.buy("ann", "0.50", 10)
    harness.wait(5_000)
    assert harness.state(placed) is OrderState.CANCELED and harness.book() == ([], [])
    [cleared] = [event for event in harness.events() if isinstance(event, MarketChanged)]
    assert cleared.cleared and cleared.stage is MarketStage.OPEN
    assert harness.buy("ann", "0.50", 10).status is OrderState.LIVE


@pytest.mark.fidelity("Orders off a changed grid are cancelled as INVALID", area="Matching", evidence="assumed")
@pytest.mark.parametrize(
    ("old", "new", "stays"),
    [("0.001", "0.01", {"0.10", "0.99"}), ("0.01", "0.001", {"0.10", "0.55", "0.99"}), ("0.0025", "0.1", {"0.10"})],
)
def test_a_tick_change_cancels_what_is_off_the_new_grid(old: str, new: str, stays: set[str]) -> None:
    harness = EngineHarness(tick=old)
    harness.fund("ann")
    prices = {"0.10", "0.99"} | ({"0.55"} if old != "0.001" else {"0.555"})
    placed = {price: harness.sell("ann", price, 5) for price in prices - {"0.10"}}
    placed["0.10"] = harness.buy("ann", "0.10", 5)
    harness.events()
    harness.exchange.change_tick(MARKET, round(float(new) * MICRO), harness.now_ms)
    assert {price for price, order in placed.items() if harness.state(order) is OrderState.LIVE} == stays
    first, *rest = harness.events()
    assert first == TickChanged(MARKET, round(float(old) * MICRO), round(float(new) * MICRO), harness.now_ms)
    assert len(rest) == 2 * len(set(placed) - stays)
    check_books(harness.exchange)


@pytest.mark.fidelity(
    "Resting orders end with their market, with the reason",
    area="Cancels",
    evidence="specification",
    source="user channel",
)
def test_closing_and_resolving_end_resting_orders_with_their_reason() -> None:
    harness = EngineHarness()
    harness.fund("ann")
    first = harness.buy("ann", "0.50", 10)
    harness.exchange.close_market(MARKET, harness.now_ms)
    assert reasons(harness) == [(first.order_id, OrderState.CANCELED_MARKET_NOT_FOUND)]
    other = EngineHarness()
    other.fund("ann")
    second = other.sell("ann", "0.50", 10, NO)
    other.exchange.resolve_market(Payout(MARKET, (YES, NO), (0, MICRO)), other.now_ms)
    assert reasons(other) == [(second.order_id, OrderState.CANCELED_MARKET_RESOLVED)]
    assert other.shares("ann", NO).active_micro == 0


@pytest.mark.fidelity(
    "One, many, all, by market, by token",
    area="Cancels",
    evidence="specification",
    source="clob-openapi",
)
def test_the_five_forms_of_cancel() -> None:
    harness = EngineHarness()
    harness.exchange.list_market(harness.exchange.market(MARKET).state.spec.__class__("m2", ("yes2", "no2")))
    harness.fund("ann", "bob")
    yes, no = harness.buy("ann", "0.10", 5), harness.buy("ann", "0.20", 5, NO)
    second, other_key = harness.buy("ann", "0.10", 5, "yes2"), harness.buy("ann", "0.11", 5, owner="key-2")
    matched = harness.sell("ann", "0.50", 5)
    harness.buy("bob", "0.50", 5)
    exchange, now = harness.exchange, harness.now_ms
    assert exchange.cancel("bob", yes.order_id, now) == CancelReport(
        (), ((yes.order_id, "Order not found or already canceled"),)
    )
    assert exchange.cancel("ann", yes.order_id, now) == CancelReport((yes.order_id,))
    many = exchange.cancel_many("ann", [yes.order_id, matched.order_id, "0x0", no.order_id, no.order_id], now)
    assert many == CancelReport(
        (no.order_id,),
        (
            (yes.order_id, "Order not found or already canceled"),
            (matched.order_id, "order already matched"),
            ("0x0", "Order not found or already canceled"),
        ),
    )
    assert exchange.cancel_market("ann", now) == CancelReport()
    assert exchange.cancel_market("ann", now, token_id="no2") == CancelReport()
    assert exchange.cancel_market("ann", now, "m2", "yes2") == CancelReport((second.order_id,))
    first = harness.buy("ann", "0.12", 5)
    assert exchange.cancel_all("ann", now, owner="key-2") == CancelReport((other_key.order_id,))
    assert exchange.cancel_market("ann", now, condition_id=MARKET) == CancelReport((first.order_id,))
    last = harness.buy("ann", "0.12", 5)
    assert exchange.cancel_all("ann", now) == CancelReport((last.order_id,))
    assert harness.dollars("ann").active_micro == 0 and harness.book() == ([], [])


@pytest.mark.fidelity(
    "Orders that lose their cover are cancelled",
    area="Cancels",
    evidence="specification",
    source="order validation; that the newest go first is assumed",
)
def test_orders_that_lose_their_cover_are_cancelled_newest_first() -> None:
    harness = EngineHarness()
    harness.fund("ann", dollars=30, sets=10)
    old, middle, new = (harness.buy("ann", "0.50", 20) for _ in range(3))
    sale = harness.sell("ann", "0.60", 10)
    assert harness.exchange.withdraw("ann", 12 * MICRO, harness.now_ms) is None
    assert reasons(harness) == [
        (new.order_id, OrderState.CANCELED_NOT_ENOUGH_BALANCE),
        (middle.order_id, OrderState.CANCELED_NOT_ENOUGH_BALANCE),
    ]
    harness.exchange.approve("ann", COLLATERAL, 9 * MICRO, harness.now_ms)
    assert harness.state(old) is OrderState.CANCELED_NOT_ENOUGH_BALANCE
    assert harness.state(sale) is OrderState.LIVE
    assert harness.exchange.merge("ann", MARKET, 5 * MICRO, harness.now_ms) is None
    assert harness.state(sale) is OrderState.CANCELED_NOT_ENOUGH_BALANCE
    check_books(harness.exchange)


def test_changed_terms_hold_for_the_next_order() -> None:
    harness = EngineHarness()
    harness.fund("ann", "bob")
    resting = harness.buy("ann", "0.50", 10)
    harness.exchange.change_terms(
        MARKET, harness.now_ms, fees=FeeSchedule(rate_micro=50_000), minimum_size_micro=20 * MICRO
    )
    assert harness.refused(harness.request("ann", Side.BUY, "0.50", 10)).code == "size_too_small"
    harness.sell("bob", "0.50", 5)
    # The resting BUY reserved no fee when it came, and does not now.
    assert harness.order(resting).reserved_micro == 2_500_000
    harness.settle()
    assert harness.exchange.core.fees_micro == 62_500
    check_books(harness.exchange)
