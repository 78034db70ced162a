"""Walking a book: never more than is there, never worse than the limit, never the same shares twice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymarket_kit.model import FeeSchedule, Level, Side
from polymarket_kit.values import MICRO
from prescient.domain.market import OrderBook
from prescient.domain.order import Consumption
from prescient.paper_matching.book import book_side, walk, with_taken, without_own

FEES = FeeSchedule(rate_micro=70_000)

prices = st.integers(1, 999).map(lambda tick: tick * 1_000)
sizes = st.integers(10_000, 10**12)


@st.composite
def asks(draw: st.DrawFn) -> list[Level]:
    chosen = sorted(draw(st.sets(prices, min_size=1, max_size=8)))
    return [Level(price, draw(sizes)) for price in chosen]


@given(asks(), prices, st.integers(1, 10**9).map(lambda cents: cents * 10_000))
def test_buy_for_dollars_spends_at_most_the_amount_within_the_limit(
    levels: list[Level], limit: int, amount: int
) -> None:
    result = walk(levels, Side.BUY, limit, FEES, amount_micro=amount)
    assert result.cost_micro <= amount
    assert all(fill.price_micro <= limit for fill in result.fills)
    offered = {level.price_micro: level.size_micro for level in levels}
    assert all(fill.size_micro <= offered[fill.price_micro] for fill in result.fills)
    # Rounded against us: what is paid is never below size times price.
    assert all(fill.cost_micro * MICRO >= fill.size_micro * fill.price_micro for fill in result.fills)
    if not result.complete:
        reachable = [level for level in levels if level.price_micro <= limit]
        assert result.size_micro == sum(level.size_micro for level in reachable)


@given(asks(), sizes)
def test_sell_is_paid_at_most_size_times_price(levels: list[Level], size: int) -> None:
    bids = levels[::-1]
    result = walk(bids, Side.SELL, 0, FEES, size_micro=size)
    assert result.size_micro == min(size, sum(level.size_micro for level in bids))
    assert all(fill.cost_micro * MICRO <= fill.size_micro * fill.price_micro for fill in result.fills)


@pytest.mark.fidelity(
    "What was taken is gone from the book for all",
    area="Paper",
    evidence="specification",
    source="order book",
    seam="nobody else sees paper's takes; paper remembers them, and takes no share twice",
)
@given(asks(), st.lists(sizes, min_size=1, max_size=6))
def test_the_same_shares_are_never_taken_twice(levels: list[Level], orders: list[int]) -> None:
    memory = Consumption("1", "asks", {})
    total = 0
    for size in orders:
        free, memory = without_own(levels, memory, mirrored=False)
        result = walk(free, Side.BUY, 999_000, FEES, size_micro=size)
        memory = with_taken(memory, levels, result.taken, mirrored=False)
        total += result.size_micro
    assert total <= sum(level.size_micro for level in levels)


@pytest.mark.fidelity(
    "New shares at a price may be taken",
    area="Paper",
    evidence="assumed",
    seam="paper frees what it took only as far as the displayed level grows",
)
def test_memory_is_forgotten_only_where_the_level_grew() -> None:
    seen = [Level(500_000, 100), Level(510_000, 100)]
    memory = with_taken(Consumption("1", "asks", {}), seen, {500_000: 60, 510_000: 60}, mirrored=False)
    later = [Level(500_000, 101), Level(510_000, 90)]
    free, memory = without_own(later, memory, mirrored=False)
    assert free == [Level(500_000, 101), Level(510_000, 30)]
    assert memory.levels == {510_000: (60, 90)}


def test_both_tokens_share_one_memory() -> None:
    yes = OrderBook("1", "c", (Level(450_000, 10),), (Level(460_000, 20),), 0, 10_000, 0)
    no = OrderBook("2", "c", (Level(540_000, 20),), (Level(550_000, 10),), 0, 10_000, 0)
    assert book_side(yes, Side.SELL, "1") == ("bids", False)
    assert book_side(no, Side.BUY, "1") == ("bids", True)
    assert book_side(yes, Side.BUY, "1") == ("asks", False)
    assert book_side(no, Side.SELL, "1") == ("asks", True)
    memory = with_taken(Consumption("1", "bids", {}), no.asks, {550_000: 10}, mirrored=True)
    free, _ = without_own(yes.bids, memory, mirrored=False)
    assert free == []
