"""The engine's quick looks and its rulebook agree: an order is refused for what it says exactly when the rulebook refuses it."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from polymarket_kit.model import OrderType, Side
from polymarket_kit.rejections import INVALID_EXPIRATION, Rejection
from polymarket_kit.rules import (
    EXPIRATION_AHEAD_S,
    EXPIRES_EARLY_S,
    MARKETABLE_MINIMUM_MICRO,
    TICKS_MICRO,
    Amounts,
    admit_market,
    limit_expires_ms,
    on_grid,
    refuse_at_book,
    refuse_limit,
)
from polymarket_kit.values import MICRO, MICRO_MAX
from practice_exchange.engine.markets import GRIDS, MarketSpec
from practice_exchange.engine.matching import Exchange
from practice_exchange.engine.orders import POINT_MICRO, OrderRequest

NOW_MS = 1_790_000_000_000
BY_ITSELF = {"price_off_grid", "amount_precision", "invalid_order", "invalid_expiration"}
ticks = st.sampled_from(TICKS_MICRO)
sides = st.sampled_from(Side)


@st.composite
def amounts(draw: st.DrawFn) -> tuple[int, int, int]:
    """A tick with dollars and shares: on the grid, next to it, or anything."""
    tick = draw(ticks)
    shares = draw(st.integers(0, 40_000)) * draw(st.sampled_from([1, 100, 5_000, 10_000, 1_000_000]))
    price = draw(st.integers(0, MICRO // tick)) * tick + draw(st.sampled_from([0, 0, 1, 50]))
    dollars = draw(st.one_of(st.just(shares * price // MICRO), st.integers(0, 10**9)))
    return tick, dollars, shares


def answer_of(tick_micro: int, side: Side, order_type: OrderType, made: int, taken: int, **given: int) -> str:
    """The code of the engine's refusal, or nothing."""
    exchange = Exchange()
    exchange.list_market(MarketSpec("m", ("yes", "no"), tick_micro=tick_micro))
    exchange.deposit("ann", MICRO_MAX)
    assert exchange.split("ann", "m", MICRO_MAX // 2, NOW_MS) is None
    request = OrderRequest("o", "ann", "key", "yes", side, order_type, made, taken, given.get("expiration_s", 0))
    answer = exchange.place(request, NOW_MS)
    return answer.code if isinstance(answer, Rejection) else ""


@settings(max_examples=300, deadline=None)
@given(amounts(), sides)
@example((10_000, MICRO_MAX, 2 * MICRO_MAX), Side.SELL)
def test_a_limit_order_is_refused_for_its_amounts_when_the_rulebook_says_so(
    given_amounts: tuple[int, int, int], side: Side
) -> None:
    tick, dollars, shares = given_amounts
    made, taken = (dollars, shares) if side is Side.BUY else (shares, dollars)
    refusal = refuse_limit("o", side, Amounts(made, taken), tick)
    code = answer_of(tick, side, OrderType.GTC, made, taken)
    assert (code if code in BY_ITSELF else "") == (refusal.code if refusal else "")


@settings(max_examples=300, deadline=None)
@given(amounts(), sides)
def test_a_market_order_is_refused_for_its_amounts_when_the_rulebook_says_so(
    given_amounts: tuple[int, int, int], side: Side
) -> None:
    tick, dollars, shares = given_amounts
    made, taken = (dollars, shares) if side is Side.BUY else (shares, dollars)
    limit = admit_market("o", side, (made, taken), tick)
    code = answer_of(tick, side, OrderType.FAK, made, taken)
    assert (code if code in BY_ITSELF else "") == (limit.code if isinstance(limit, Rejection) else "")
    if not isinstance(limit, Rejection):
        # Inside what was signed: never more for a BUY, never less for a SELL, and by less than a tick.
        exact = dollars * MICRO / shares
        assert on_grid(limit, tick)
        assert 0 <= (exact - limit if side is Side.BUY else limit - exact) < tick


@given(ticks, st.integers(-1, MICRO + 1))
def test_the_grids_of_the_engine_are_those_of_the_rulebook(tick_micro: int, price_micro: int) -> None:
    points, rest = divmod(price_micro, POINT_MICRO)
    assert on_grid(price_micro, tick_micro) == (rest == 0 and points in GRIDS[tick_micro // POINT_MICRO])


@pytest.mark.parametrize(
    ("order_type", "ahead_s", "leaves_s"),
    [
        (OrderType.GTC, None, None),
        (OrderType.GTD, EXPIRATION_AHEAD_S, EXPIRATION_AHEAD_S - EXPIRES_EARLY_S),
        (OrderType.GTD, EXPIRATION_AHEAD_S - 1, INVALID_EXPIRATION),
        (OrderType.GTD, None, INVALID_EXPIRATION),
        (OrderType.GTC, 1_000, INVALID_EXPIRATION),
    ],
)
def test_an_end_lies_well_ahead_and_comes_early(
    order_type: OrderType, ahead_s: int | None, leaves_s: int | Rejection | None
) -> None:
    expiration_s = NOW_MS // 1000 + ahead_s if ahead_s is not None else 0
    expires_ms = limit_expires_ms(order_type, expiration_s, NOW_MS)
    if isinstance(leaves_s, Rejection):
        assert expires_ms is leaves_s
    else:
        assert expires_ms == (NOW_MS + leaves_s * 1000 if leaves_s is not None else 0)


@given(sides, st.sampled_from(OrderType), st.integers(1, 10 * MICRO), st.integers(1, 10 * MICRO), st.booleans())
def test_small_sales_and_small_orders_that_match_are_never_refused_for_their_size(
    side: Side, order_type: OrderType, dollars: int, shares: int, crosses: bool
) -> None:
    refusal = refuse_at_book("o", side, order_type, dollars, shares, 5 * MICRO, crosses=crosses)
    code = refusal.code if refusal else ""
    rests = not crosses and order_type in (OrderType.GTC, OrderType.GTD)
    assert (code == "size_too_small") == (rests and shares < 5 * MICRO)
    assert (code == "below_minimum") == (crosses and side is Side.BUY and dollars < MARKETABLE_MINIMUM_MICRO)
    assert (code == "not_filled") == (not crosses and not rests)
