"""What ends a resting order though nobody asked for it ends it at the exchange and on paper, from one list (``OrderEnd``)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from polymarket_kit.model import OrderType, Payout, Side
from polymarket_kit.order_ends import OrderEnd
from polymarket_kit.values import MICRO
from prescient.domain.booking import OrderUpdate
from prescient.domain.order import OrderStatus
from prescient.domain.stream import MarketResolvedSeen, TickSeen
from prescient.trading.resting import cancel_stranded, sweep

from .both import MARKET, NO, START_MS, YES, Both

MINUTE_MS = 60_000
NEVER_ON_PAPER = {
    OrderEnd.RESTART_WIPE: "market data does not tell a wipe from makers who leave; their levels gone are a gap (queue.py)",
    OrderEnd.UNDER_FUNDED: "what a paper order needs is reserved in its ledger until it ends, and nothing else can take it",
}
NEVER_AT_THE_EXCHANGE = {
    OrderEnd.RESTART_WIPE: "the practice exchange keeps its books over a restart, as the venue's documents describe one",
}


def later(both: Both, milliseconds: int) -> None:
    """Let time pass on both sides."""
    both.now_ms += milliseconds
    both.engine.advance(both.now_ms)
    both.context.clock.advance(milliseconds / 1000)  # type: ignore[attr-defined] # a simulated clock


async def game_start(both: Both) -> list[OrderUpdate]:
    later(both, 10 * MINUTE_MS)
    return await sweep(both.context)


async def close(both: Both) -> list[OrderUpdate]:
    both.engine.close_market(MARKET, both.now_ms)
    return await cancel_stranded(both.context)


async def resolve(both: Both) -> list[OrderUpdate]:
    both.engine.resolve_market(Payout(MARKET, (YES, NO), (MICRO, 0)), both.now_ms)
    return await both.hear(MarketResolvedSeen(MARKET, both.now_ms))


async def expire(both: Both) -> list[OrderUpdate]:
    later(both, 4 * MINUTE_MS)
    return await sweep(both.context)


async def change_tick(both: Both) -> list[OrderUpdate]:
    both.engine.change_tick(MARKET, 100_000, both.now_ms)
    return await both.hear(TickSeen(YES, 100_000, both.now_ms))


ENDS: dict[OrderEnd, Callable[[Both], Awaitable[list[OrderUpdate]]]] = {
    OrderEnd.GAME_START: game_start,
    OrderEnd.MARKET_CLOSED: close,
    OrderEnd.RESOLUTION: resolve,
    OrderEnd.EXPIRY: expire,
    OrderEnd.NEW_TICK: change_tick,
}


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.name)
async def test_an_order_ends_alike_on_both_sides(end: OrderEnd) -> None:
    both = await Both(game_start_ms=START_MS + 10 * MINUTE_MS if end is OrderEnd.GAME_START else 0).open()
    kind, expiration_s = (OrderType.GTD, START_MS // 1000 + 300) if end is OrderEnd.EXPIRY else (OrderType.GTC, 0)
    order = both.intent(Side.BUY, kind, 530_000, size_micro=20 * MICRO, expiration_s=expiration_s)
    real = await both.rest(order)
    if end in (OrderEnd.GAME_START, OrderEnd.EXPIRY):
        # Not a moment too soon: a second before, the order still rests on both sides.
        later(both, 4 * MINUTE_MS - 1_000 if end is OrderEnd.EXPIRY else 10 * MINUTE_MS - 1_000)
        assert await sweep(both.context) == [] and real.closed_ms == 0
        both_left = both.context.resting
        assert both_left is not None and list(both_left.states()) == [order.order_id]
    (update,) = await ENDS[end](both)
    assert (real.status.value, update.reason) == (end.status, end.text)
    assert update.status is (OrderStatus.EXPIRED if end is OrderEnd.EXPIRY else OrderStatus.CANCELED)
    assert (update.fill, update.resting.held_cash_micro) == (None, 0)
    assert (await both.context.store.portfolio(both.portfolio_id)).reserved_micro == 0


async def test_an_order_that_is_no_longer_funded_ends_at_the_exchange_and_cannot_come_about_on_paper() -> None:
    both = await Both().open()
    intent = both.intent(Side.BUY, OrderType.GTC, 530_000, size_micro=20 * MICRO)
    real = await both.rest(intent)
    free = both.engine.account(real.account_id).collateral.balance_micro
    assert both.engine.transfer(real.account_id, "house", "collateral", free, both.now_ms) is None
    assert real.status.value == OrderEnd.UNDER_FUNDED.status
    portfolio = await both.context.store.portfolio(both.portfolio_id)
    assert portfolio.reserved_micro >= 20 * 530_000


async def test_where_a_market_only_pauses_the_exchange_waits_and_paper_gives_up() -> None:
    """A pause and an end look alike in a market's rules; paper gives up what the exchange would keep, never the reverse."""
    both = await Both().open()
    real = await both.rest(both.intent(Side.BUY, OrderType.GTC, 530_000, size_micro=20 * MICRO))
    both.engine.suspend_market(MARKET, both.now_ms)
    (update,) = await cancel_stranded(both.context)
    assert (real.closed_ms, update.reason) == (0, OrderEnd.MARKET_CLOSED.text)


def test_every_end_is_proven_or_excused() -> None:
    assert set(ENDS) | set(NEVER_ON_PAPER) == set(OrderEnd)
    assert not set(ENDS) & set(NEVER_ON_PAPER) and set(NEVER_AT_THE_EXCHANGE) <= set(NEVER_ON_PAPER)
