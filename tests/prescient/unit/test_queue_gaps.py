"""What vanishes from a book without a trade: a resting order keeps its place and does not fill until it is displayed again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from polymarket_kit.model import Side
from polymarket_kit.order_ends import OrderEnd
from prescient.domain.order import OrderStatus
from prescient.paper_matching.queue_model import QueueModel
from tests.prescient.unit.test_queue import SHARE, book, level, order, printed, queue_of, rest, shares


@pytest.mark.parametrize("prints_told_late_ms", [0, 1_000])
def test_a_level_that_vanishes_without_prints_leaves_the_place_and_is_a_gap(prints_told_late_ms: int) -> None:
    queue = queue_of({50: 100, 49: 100}, {52: 100}, QueueModel(level_before_print_ms=prints_told_late_ms))
    rest(queue, order("a", 50, 30))
    queue.see(level(50, 0, time_ms=2_000))
    assert (queue.orders["a"].ahead_micro, queue.orders["a"].in_gap) == (100 * SHARE, True)
    # Others trade at a worse price: our order may have been wiped with the level.
    assert queue.see(printed(49, 500, time_ms=3_000)) == []
    # Nobody who comes later stands before us, and nobody is more than what stood there.
    queue.see(level(50, 60, time_ms=3_001))
    assert (queue.orders["a"].ahead_micro, queue.orders["a"].in_gap) == (60 * SHARE, False)
    assert shares(queue.see(printed(50, 70, time_ms=3_002))) == [("a", 10)]


def test_a_vanished_level_is_explained_by_prints_that_are_told_after_it() -> None:
    queue = queue_of({50: 100, 49: 100}, {52: 100}, QueueModel(level_before_print_ms=1_000))
    rest(queue, order("a", 50, 30))
    queue.see(level(50, 0, time_ms=2_000))
    assert queue.see(printed(50, 90, time_ms=2_500)) == []
    assert [resting.in_gap for resting in queue.orders.values()] == [True]
    assert shares(queue.see(printed(50, 15, time_ms=4_000))) == [("a", 5)]
    assert [resting.in_gap for resting in queue.orders.values()] == [False]
    # A taker goes through a level that was told to be gone just before.
    queue.see(level(50, 40, time_ms=4_001))
    rest(queue, order("b", 50, 30))
    queue.see(level(50, 0, time_ms=5_000))
    assert shares(queue.see(printed(49, 60, time_ms=5_400))) == [("a", 25), ("b", 30)]


@pytest.mark.parametrize("whole", [True, False], ids=["told as a book", "told level by level"])
def test_a_book_that_vanishes_without_prints_leaves_every_place_and_is_a_gap(whole: bool) -> None:
    queue = queue_of({50: 100}, {52: 100})
    rest(queue, order("behind", 50, 30))
    rest(queue, order("first", 51, 30))
    for event in [book({}, {})] if whole else [level(50, 0), level(52, 0, Side.SELL)]:
        queue.see(event)
    assert queue.is_known() and all(one.in_gap for one in queue.orders.values())
    assert queue.see(printed(51, 500, time_ms=2_001)) == [] == queue.see(printed(48, 500, time_ms=2_002))
    queue.see(level(52, 10, Side.SELL, time_ms=2_003))
    assert [(name, one.ahead_micro, one.in_gap) for name, one in queue.orders.items()] == [
        ("behind", 100 * SHARE, True),
        ("first", 0, False),
    ]


def test_the_book_is_cleared_once_when_the_game_starts() -> None:
    queue = queue_of({50: 0}, {52: 100})
    queue.game_start_ms = 9_000
    rest(queue, order("before", 50, 10, joined_ms=8_000))
    rest(queue, replace(order("expired", 50, 10, joined_ms=8_000), expires_ms=8_500))
    rest(queue, order("after", 50, 10, joined_ms=9_000))
    queue.join(order("not booked", 50, 10, joined_ms=8_000))
    assert [out.order.order_id for out in queue.expire(8_999)] == ["expired"]
    (gone,) = queue.expire(9_000)
    assert (gone.order.order_id, gone.status, gone.reason) == (
        "before",
        OrderStatus.CANCELED,
        OrderEnd.GAME_START.text,
    )
    assert [out.order.order_id for out in queue.opened("not booked")] == ["not booked"]
    assert queue.expire(10_000) == [] and list(queue.orders) == ["after"]
