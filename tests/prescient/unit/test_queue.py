"""A resting order's place in the queue: filled on prints alone, never twice, never across a gap, never ahead of its turn."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymarket_kit.model import Level, Side
from polymarket_kit.values import MICRO
from prescient.domain.market import OrderBook
from prescient.domain.order import OrderStatus
from prescient.domain.resting import RestingOrder
from prescient.domain.stream import BookSeen, GapSeen, LevelSeen, MarketResolvedSeen, PrintSeen, TickSeen
from prescient.paper_matching.queue import MarketQueue
from prescient.paper_matching.queue_model import Outcome, QueueModel

YES, NO = "11", "12"
SHARE = MICRO
CENT = 10_000
PRINTS_FIRST = QueueModel(level_before_print_ms=0)


def book(bids: dict[int, int], asks: dict[int, int], token_id: str = YES, time_ms: int = 1_000) -> BookSeen:
    """Prices in cents, sizes in shares."""
    made = OrderBook(
        token_id,
        "0xc",
        tuple(Level(price * CENT, size * SHARE) for price, size in sorted(bids.items(), reverse=True)),
        tuple(Level(price * CENT, size * SHARE) for price, size in sorted(asks.items())),
        time_ms,
        CENT,
        5 * SHARE,
    )
    return BookSeen(made, time_ms)


def mirror(cents: dict[int, int]) -> dict[int, int]:
    return {100 - price: size for price, size in cents.items()}


def queue_of(bids: dict[int, int], asks: dict[int, int], model: QueueModel = PRINTS_FIRST) -> MarketQueue:
    queue = MarketQueue("0xc", (YES, NO), model)
    queue.see(book(bids, asks))
    queue.see(book(mirror(asks), mirror(bids), NO))
    return queue


def order(
    name: str, cents: int, size: int, side: Side = Side.BUY, token_id: str = YES, joined_ms: int = 0
) -> RestingOrder:
    held = size * cents * CENT if side is Side.BUY else 0
    price, shares = cents * CENT, size * SHARE
    return RestingOrder(name, 1, "0xc", (YES, NO), token_id, side, price, shares, joined_ms, held_cash_micro=held)


def rest(queue: MarketQueue, made: RestingOrder) -> RestingOrder:
    queue.join(made)
    assert queue.opened(made.order_id) == []
    return queue.orders[made.order_id]


def printed(cents: int, size: int, side: Side = Side.SELL, token_id: str = YES, time_ms: int = 2_000) -> PrintSeen:
    return PrintSeen(token_id, cents * CENT, size * SHARE, side, time_ms)


def level(cents: int, size: int, side: Side = Side.BUY, token_id: str = YES, time_ms: int = 2_000) -> LevelSeen:
    return LevelSeen(token_id, side, cents * CENT, size * SHARE, time_ms)


def shares(outcomes: list[Outcome]) -> list[tuple[str, int]]:
    return [(out.order.order_id, out.fill.size_micro // SHARE) for out in outcomes if out.fill is not None]


@pytest.mark.fidelity(
    "A resting order waits behind everything that its level displays when it joins",
    area="Paper",
    evidence="assumed",
    source="price and time priority; time within a level is not documented",
)
@pytest.mark.fidelity(
    "The venue knows an order's place in its queue",
    area="Paper",
    evidence="assumed",
    seam="paper puts it behind all that is displayed when it joins",
)
def test_what_is_displayed_at_the_join_goes_first() -> None:
    queue = queue_of({50: 100}, {52: 100})
    assert rest(queue, order("a", 50, 30)).ahead_micro == 100 * SHARE
    assert queue.see(printed(50, 60)) == []
    assert queue.orders["a"].ahead_micro == 40 * SHARE
    assert shares(queue.see(printed(50, 50, time_ms=2_001))) == [("a", 10)]
    (last,) = queue.see(printed(50, 500, time_ms=2_002))
    assert last.status is OrderStatus.FILLED and last.fill is not None and last.fill.size_micro == 20 * SHARE
    assert queue.orders == {}


@pytest.mark.fidelity(
    "Both tokens of a market have one queue",
    area="Paper",
    evidence="recording",
    source="books of 2026-05-17",
)
@pytest.mark.parametrize(
    ("token_id", "cents", "side"),
    [(YES, 50, Side.SELL), (NO, 50, Side.BUY)],
    ids=["a sale of the token", "a purchase of the other"],
)
def test_prints_on_either_token_reach_the_same_queue(token_id: str, cents: int, side: Side) -> None:
    queue = queue_of({50: 10}, {52: 100})
    rest(queue, order("a", 50, 30))
    assert shares(queue.see(printed(cents, 15, side, token_id))) == [("a", 5)]


def test_an_offer_waits_among_the_other_tokens_bids() -> None:
    queue = queue_of({50: 100}, {52: 40})
    offer = rest(queue, order("offer", 52, 30, Side.SELL))
    bid = rest(queue, order("bid", 48, 30, Side.BUY, NO))
    assert offer.ahead_micro == bid.ahead_micro == 40 * SHARE
    assert (offer.ladder, offer.ladder_price_micro) == (bid.ladder, bid.ladder_price_micro)
    # Somebody buys YES at 52: forty go to those before us, then ours in the order of time.
    assert shares(queue.see(printed(52, 85, Side.BUY))) == [("offer", 30), ("bid", 15)]


def test_a_trade_told_for_both_tokens_counts_once() -> None:
    queue = queue_of({50: 0}, {52: 100})
    rest(queue, order("a", 50, 30))
    assert shares(queue.see(printed(50, 10))) == [("a", 10)]
    assert queue.see(printed(50, 10, Side.BUY, NO)) == []
    assert queue.see(printed(50, 10)) == []
    assert shares(queue.see(printed(50, 10, time_ms=2_001))) == [("a", 10)]


def test_a_print_beside_the_order_does_nothing() -> None:
    queue = queue_of({50: 10}, {52: 100})
    rest(queue, order("a", 49, 30))
    assert queue.see(printed(50, 500)) == []
    assert queue.see(printed(52, 500, Side.BUY)) == []
    # A purchase at our price is another queue than ours.
    assert queue.see(printed(49, 500, Side.BUY)) == []


@pytest.mark.fidelity(
    "A trade at a worse price fills the orders before it, at their own limit, up to its size",
    area="Paper",
    evidence="assumed",
    source="price priority",
)
def test_a_print_through_the_price_fills_at_our_limit_up_to_its_size() -> None:
    queue = queue_of({50: 100, 49: 100}, {52: 100})
    rest(queue, order("far", 49, 30))
    rest(queue, order("near", 50, 30))
    (first,) = queue.see(printed(49, 20))
    assert first.order.order_id == "near" and first.fill is not None
    assert (first.fill.price_micro, first.fill.size_micro, first.fill.fee_micro) == (50 * CENT, 20 * SHARE, 0)
    # The next ones: ten still go to the better price; the hundred before the other order are eaten by what is left.
    assert shares(queue.see(printed(49, 60, time_ms=2_001))) == [("near", 10)]
    assert queue.orders["far"].ahead_micro == 50 * SHARE
    assert shares(queue.see(printed(49, 55, time_ms=2_002))) == [("far", 5)]


def test_one_print_is_shared_never_credited_twice() -> None:
    queue = queue_of({50: 0}, {52: 100})
    for name in ("a", "b", "c"):
        rest(queue, order(name, 50, 10))
    assert shares(queue.see(printed(50, 25))) == [("a", 10), ("b", 10), ("c", 5)]


@pytest.mark.fidelity(
    "Cancels shorten the queue only when the level is smaller than what stands ahead",
    area="Paper",
    evidence="assumed",
    source="the model cancels_behind_first, named in each trade record",
    seam="nobody outside the venue knows whose order was cancelled; this model is the pessimistic one",
)
def test_cancels_count_only_when_the_level_is_smaller_than_the_queue() -> None:
    queue = queue_of({50: 100}, {52: 100})
    rest(queue, order("a", 50, 30))
    queue.see(level(50, 300))
    queue.see(level(50, 150))
    assert queue.orders["a"].ahead_micro == 100 * SHARE
    queue.see(level(50, 70))
    assert queue.orders["a"].ahead_micro == 70 * SHARE
    queue.see(level(70, 10))
    assert queue.orders["a"].ahead_micro == 70 * SHARE
    queue.see(level(50, 30, Side.SELL, NO))
    assert queue.orders["a"].ahead_micro == 30 * SHARE


@pytest.mark.fidelity(
    "A level that shrinks shortly before a trade is told has shrunk by that trade",
    area="Paper",
    evidence="assumed",
    source="the order of both frames is not documented",
    seam="a cancel within the second before a trade counts as that trade: level_before_print_ms, 1000 on Polymarket",
)
def test_a_fall_told_before_its_print_counts_once() -> None:
    queue = queue_of({50: 100}, {52: 100}, QueueModel(level_before_print_ms=1_000))
    rest(queue, order("a", 50, 30))
    queue.see(level(50, 80, time_ms=2_000))
    assert queue.see(printed(50, 20, time_ms=2_003)) == []
    assert queue.orders["a"].ahead_micro == 80 * SHARE
    queue.see(level(50, 0, time_ms=3_000))
    # Eighty went in that fall and this print is its cause: nothing reached us.
    assert queue.see(printed(50, 80, time_ms=3_999)) == []
    assert shares(queue.see(printed(50, 10, time_ms=4_000))) == [("a", 10)]


def test_what_our_fills_spared_stands_before_our_later_orders() -> None:
    queue = queue_of({50: 100}, {52: 100})
    rest(queue, order("a", 50, 50))
    queue.see(level(50, 130))
    assert shares(queue.see(printed(50, 120))) == [("a", 20)]
    queue.see(level(50, 10))
    # Thirty joined behind us; the print took twenty of them in the real book, which are there in a world with us.
    assert rest(queue, order("b", 50, 5)).ahead_micro == 30 * SHARE
    assert shares(queue.see(printed(50, 10, time_ms=2_001))) == [("a", 10)]
    queue.see(level(50, 0))
    assert queue.orders["b"].ahead_micro == 30 * SHARE


def test_what_our_fills_spared_holds_up_later_takers_too() -> None:
    queue = queue_of({50: 0, 49: 40}, {52: 100})
    rest(queue, order("a", 50, 30))
    queue.see(level(50, 35))
    assert shares(queue.see(printed(50, 30))) == [("a", 30)]
    queue.see(level(50, 5))
    rest(queue, order("b", 49, 10))
    # The five that are left and 45 more: in a world with us, thirty of those would still have found somebody at 50.
    assert queue.see(printed(50, 5, time_ms=2_001)) == []
    queue.see(level(50, 0))
    assert queue.see(printed(49, 40, time_ms=2_001)) == []
    queue.see(level(49, 0))
    assert queue.orders["b"].ahead_micro == 30 * SHARE
    assert shares(queue.see(printed(48, 35, time_ms=2_002))) == [("b", 5)]
    # Whoever offers at 50 now would have met them.
    rest(queue, order("c", 49, 10))
    queue.see(level(50, 10, Side.SELL))
    assert shares(queue.see(printed(48, 10, time_ms=2_003))) == [("b", 5), ("c", 5)]


@pytest.mark.fidelity(
    "Nothing fills across a gap in the data; then the place is at most what it was and what is displayed",
    area="Paper",
    evidence="assumed",
    source="nobody who came later stands before us",
    seam="what traded during the gap is lost for paper",
)
def test_nothing_fills_across_a_gap_and_the_place_is_kept() -> None:
    queue = queue_of({50: 100}, {52: 100})
    rest(queue, order("a", 50, 30))
    queue.see(printed(50, 60))
    queue.see(GapSeen((NO, "another"), "reconnected", 2_001))
    assert queue.see(printed(50, 500, time_ms=2_002)) == []
    assert queue.see(printed(40, 500, time_ms=2_003)) == []
    queue.see(book({50: 500}, {52: 100}))
    assert not queue.is_known() and [resting.in_gap for resting in queue.orders.values()] == [True]
    queue.see(book(mirror({52: 100}), mirror({50: 500}), NO))
    assert queue.is_known() and [resting.in_gap for resting in queue.orders.values()] == [False]
    assert queue.orders["a"].ahead_micro == 40 * SHARE
    queue.see(GapSeen((YES,), "reconnected", 2_004))
    queue.see(book({50: 15}, {52: 100}))
    assert queue.orders["a"].ahead_micro == 15 * SHARE


def test_a_restored_order_waits_for_whole_books() -> None:
    before = queue_of({50: 100}, {52: 100})
    rest(before, order("a", 50, 30))
    before.see(printed(50, 60))
    queue = MarketQueue("0xc", (YES, NO), PRINTS_FIRST)
    queue.restore(before.orders["a"])
    assert queue.see(printed(50, 500, time_ms=3_000)) == []
    queue.see(book({50: 300}, {52: 100}))
    queue.see(book(mirror({52: 100}), mirror({50: 300}), NO))
    assert queue.orders["a"] == replace(before.orders["a"], shown_micro=300 * SHARE)


def test_nothing_is_credited_before_the_order_is_in_the_books_or_that_happened_before_it_joined() -> None:
    queue = queue_of({50: 0}, {52: 100})
    queue.join(order("a", 50, 30, joined_ms=5_000))
    assert queue.see(printed(50, 500, time_ms=6_000)) == []
    queue.opened("a")
    assert queue.see(printed(50, 500, time_ms=4_999)) == []
    assert shares(queue.see(printed(50, 10, time_ms=5_000))) == [("a", 10)]


def test_a_tick_change_takes_off_what_is_off_the_grid() -> None:
    queue = queue_of({50: 0}, {52: 100})
    rest(queue, order("on", 50, 10))
    rest(queue, replace(order("off", 50, 10), price_micro=505_000))
    (gone,) = queue.see(TickSeen(YES, CENT, 3_000))
    assert (gone.order.order_id, gone.status, gone.order.held_cash_micro) == ("off", OrderStatus.CANCELED, 0)
    assert gone.held_before_micro == 10 * 50 * CENT
    assert list(queue.orders) == ["on"] and not queue.is_known()


def test_a_resolution_ends_everything_also_what_is_not_booked_yet() -> None:
    queue = queue_of({50: 0}, {52: 100})
    rest(queue, order("a", 50, 10))
    queue.join(order("b", 50, 10))
    assert [out.order.order_id for out in queue.see(MarketResolvedSeen("0xc", 3_000))] == ["a"]
    (late,) = queue.opened("b")
    assert (late.order.order_id, late.status) == ("b", OrderStatus.CANCELED)
    assert queue.orders == {}


def test_an_order_expires_at_its_moment() -> None:
    queue = queue_of({50: 0}, {52: 100})
    rest(queue, replace(order("a", 50, 10), expires_ms=9_000))
    rest(queue, order("b", 50, 10))
    assert queue.expire(8_999) == []
    (gone,) = queue.expire(9_000)
    assert (gone.order.order_id, gone.status) == ("a", OrderStatus.EXPIRED)
    assert list(queue.orders) == ["b"]


@given(
    st.integers(1, 10**6),
    st.integers(1, 99),
    st.lists(st.integers(1, 10**5), min_size=1, max_size=8),
    st.sampled_from(Side),
)
def test_fills_pay_the_limit_rounded_once_against_us(size: int, cents: int, parts: list[int], side: Side) -> None:
    price = cents * CENT - (1 if cents > 1 else 0)
    held = -(-size * price // MICRO) + 7 if side is Side.BUY else 0
    left = RestingOrder("a", 1, "0xc", (YES, NO), YES, side, price, size, 0, held_cash_micro=held)
    paid = 0
    for part in parts:
        if left.left_micro == 0:
            break
        before = left.held_cash_micro
        left, cost = left.filled(min(part, left.left_micro))
        paid += cost
        assert side is Side.SELL or before - left.held_cash_micro >= cost
        # Also when it ends here: cut short, it has paid or was paid its limit for what it got.
        done = size - left.left_micro
        assert paid == (-(-done * price // MICRO) if side is Side.BUY else done * price // MICRO)
    assert left.left_micro or left.held_cash_micro == 0


@pytest.mark.fidelity(
    "A resting order fills against whoever comes",
    area="Paper",
    evidence="assumed",
    seam="on paper it fills on prints of the real venue alone, never beyond their size",
)
@given(
    st.lists(
        st.tuples(st.sampled_from(["print", "level", "gap", "book"]), st.integers(47, 50), st.integers(0, 40)),
        max_size=30,
    )
)
def test_fills_never_exceed_what_was_printed_at_or_through_the_price(steps: list[tuple[str, int, int]]) -> None:
    queue = queue_of({50: 20, 49: 20}, {52: 100})
    rest(queue, order("a", 50, 30))
    rest(queue, order("b", 49, 30))
    printed_through, filled = {"a": 0, "b": 0}, {"a": 0, "b": 0}
    total = 0
    for number, (kind, cents, size) in enumerate(steps):
        time_ms = 3_000 + number
        if kind == "print" and size:
            total += size
            printed_through["a"] += size
            printed_through["b"] += size if cents <= 49 else 0
            for name, part in shares(queue.see(printed(cents, size, time_ms=time_ms))):
                filled[name] += part
        elif kind == "level":
            queue.see(level(cents, size, time_ms=time_ms))
        elif kind == "gap":
            queue.see(GapSeen((YES,), "test", time_ms))
        else:
            queue.see(book({cents: size}, {52: 5}, time_ms=time_ms))
        assert all(0 <= kept.ahead_micro <= 20 * SHARE + total * SHARE for kept in queue.orders.values())
    assert filled["a"] <= printed_through["a"] and filled["b"] <= printed_through["b"]
    assert sum(filled.values()) <= total
