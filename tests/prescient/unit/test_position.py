"""Positions and portfolios: cost is conserved to the micro-dollar through any row of purchases and sales."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymarket_kit.values import MICRO
from prescient.domain.portfolio import Portfolio, PortfolioStatus, Position

NOW = datetime(2026, 5, 17, tzinfo=UTC)
LATER = datetime(2026, 5, 18, tzinfo=UTC)
EMPTY = Position(1, "yes", "0x1", "1", "Will it?", "Yes", 0, 0, 0, None, 0, "cost", None, NOW)
PORTFOLIO = Portfolio(
    portfolio_id=1,
    name="One",
    description="",
    strategy_type="majority",
    strategy_config={},
    initial_balance_micro=100 * MICRO,
    cash_micro=70 * MICRO,
    reserved_micro=12 * MICRO,
    invested_micro=35 * MICRO,
    realized_pnl_micro=5 * MICRO,
    unrealized_pnl_micro=-2 * MICRO,
    status=PortfolioStatus.ACTIVE,
    venue="paper",
    schedule="",
    created_at=NOW,
    updated_at=NOW,
)


def test_a_purchase_adds_shares_and_cost_and_is_carried_at_cost() -> None:
    first = EMPTY.bought(10 * MICRO, 5_010_000)
    assert (first.size_micro, first.cost_micro, first.mark_value_micro) == (10 * MICRO, 5_010_000, 5_010_000)
    assert (first.entry_price_micro, first.unrealized_pnl_micro, first.status) == (501_000, 0, "open")
    marked = replace(first, mark_value_micro=6_000_000)
    second = marked.bought(10 * MICRO, 7_000_000)
    assert second.entry_price_micro == 600_500
    # The old shares keep their mark; the new ones stand at what they cost.
    assert second.mark_value_micro == 13_000_000
    assert second.unrealized_pnl_micro == 990_000


def test_a_sale_takes_cost_and_mark_in_proportion() -> None:
    held = replace(EMPTY.bought(10 * MICRO, 5 * MICRO), mark_value_micro=6 * MICRO)
    after = held.reduced(4 * MICRO, 3 * MICRO, LATER)
    assert (after.size_micro, after.cost_micro, after.mark_value_micro) == (6 * MICRO, 3 * MICRO, 3_600_000)
    assert after.realized_pnl_micro == 3 * MICRO - 2 * MICRO
    assert (after.status, after.closed_at) == ("open", None)
    closed = after.reduced(6 * MICRO, 0, LATER)
    assert (closed.size_micro, closed.cost_micro, closed.mark_value_micro) == (0, 0, 0)
    assert closed.realized_pnl_micro == 1 * MICRO - 3 * MICRO
    assert (closed.status, closed.closed_at, closed.entry_price_micro) == ("closed", LATER, 0)


def test_the_mark_left_after_a_sale_is_exact_to_the_micro_dollar() -> None:
    # Two of three shares stay: a ratio cut to six decimals (0.666666) would lose 6,666 micro-dollars of 10,000 dollars.
    held = replace(EMPTY.bought(3, 1), mark_value_micro=10_000 * MICRO)
    assert held.reduced(1, 0, LATER).mark_value_micro == 6_666_666_666
    large = replace(EMPTY.bought(10**15, 1), mark_value_micro=10**15)
    assert large.reduced(1, 0, LATER).mark_value_micro == 10**15 - 1


def test_a_closed_position_opens_again_when_bought() -> None:
    closed = EMPTY.bought(MICRO, 500_000).reduced(MICRO, 700_000, LATER)
    again = closed.bought(2 * MICRO, MICRO)
    assert (again.status, again.closed_at) == ("open", None)
    assert again.realized_pnl_micro == 200_000
    assert (again.size_micro, again.cost_micro, again.mark_value_micro) == (2 * MICRO, MICRO, MICRO)


@pytest.mark.parametrize("size", [0, -1, 10 * MICRO + 1])
def test_no_more_is_taken_than_is_held(size: int) -> None:
    with pytest.raises(AssertionError):
        EMPTY.bought(10 * MICRO, MICRO).reduced(size, 0, LATER)


MOVES = st.lists(
    st.tuples(st.booleans(), st.integers(1, 10**12), st.integers(0, 10**12), st.integers(0, 10**12)),
    min_size=1,
    max_size=30,
)


@given(MOVES)
def test_cost_and_profit_are_conserved_through_any_moves(moves: list[tuple[bool, int, int, int]]) -> None:
    position, paid, received = EMPTY, 0, 0
    for is_buy, size, money, mark in moves:
        if is_buy:
            position = position.bought(size, money)
            paid += money
        elif position.size_micro:
            sold = 1 + size % position.size_micro
            before = position
            position = position.reduced(sold, money, LATER)
            received += money
            assert 0 <= position.cost_micro <= before.cost_micro
            # Cost leaves within a micro-dollar of its share, never less than that: rounding is against our profit.
            exact_left = before.cost_micro * (before.size_micro - sold)
            assert position.cost_micro * before.size_micro <= exact_left
            assert exact_left < (position.cost_micro + 1) * before.size_micro
        # All that was paid is either still in the position or has left through the profit.
        assert paid == position.cost_micro + received - position.realized_pnl_micro
        assert (position.size_micro == 0) <= (position.cost_micro == 0 and position.mark_value_micro == 0)
        if position.size_micro:
            position = replace(position, mark_value_micro=mark)


@given(st.integers(1, 10**15), st.integers(0, 10**15), st.lists(st.integers(1, 10**15), max_size=20))
def test_selling_out_in_any_pieces_leaves_no_cost(size: int, cost: int, pieces: list[int]) -> None:
    position = EMPTY.bought(size, cost)
    for piece in pieces:
        if position.size_micro:
            position = position.reduced(min(piece, position.size_micro), 0, LATER)
    if position.size_micro:
        position = position.reduced(position.size_micro, 0, LATER)
    assert (position.size_micro, position.cost_micro, position.mark_value_micro) == (0, 0, 0)
    assert position.realized_pnl_micro == -cost


def test_a_portfolio_is_worth_its_cash_and_its_marks() -> None:
    assert PORTFOLIO.available_micro == 58 * MICRO
    assert PORTFOLIO.profit_micro == 3 * MICRO
    assert PORTFOLIO.value_micro == 70 * MICRO + 35 * MICRO - 2 * MICRO
    assert PORTFOLIO.value_micro == PORTFOLIO.initial_balance_micro + PORTFOLIO.profit_micro
