"""Orders that rest, on both stores: reserved as long as they rest, filled once, kept with their place, given back at the end."""

from __future__ import annotations

from dataclasses import replace

import pytest

from polymarket_kit.model import Level, OrderType, Side
from polymarket_kit.values import MICRO
from prescient.domain.errors import InvariantBroken
from prescient.domain.ledger import CASH, RESERVED, USD
from prescient.domain.order import Accepted, OrderStatus, Refused
from prescient.domain.portfolio import NewPortfolio, PortfolioStatus
from prescient.domain.stream import GapSeen, LevelSeen, MarketResolvedSeen, TickSeen
from prescient.ports.context import TradingContext
from prescient.ports.store import Store
from prescient.trading.orders.book import book_matched
from prescient.trading.recover import recover
from prescient.trading.resting import (
    LimitForm,
    NothingRests,
    OrderNotOpen,
    PlacedOrder,
    cancel_order,
    cancel_stranded,
    mend,
    place_limit,
    restore,
    sweep,
)
from tests.fakes import START, context_over
from tests.prescient.contract.resting_market import CENT, NO, SHARE, START_MS, START_S, YES, RestingHarness
from tests.prescient.contract.store_examples import House
from tests.prescient.faults.house import check_books
from tests.streams import FedStream


@pytest.fixture
async def harness(store: Store) -> RestingHarness:
    return await RestingHarness(store).open()


async def test_an_order_rests_with_its_reservation_and_its_place(harness: RestingHarness) -> None:
    placed = await harness.place()
    assert (placed.status, placed.trade) == (OrderStatus.OPEN, None)
    (kept,) = await harness.store.resting_orders()
    order, state = kept
    assert state.order_id == order.intent.order_id == placed.order_id
    assert (state.ahead_micro, state.left_micro, state.side, state.token_ids) == (
        100 * SHARE,
        50 * SHARE,
        Side.BUY,
        (YES, NO),
    )
    assert dict(state.model)["queue_model"] == "cancels_behind_first"
    assert dict(state.model)["queue_ahead_at_join"] == str(100 * SHARE)
    portfolio = await harness.store.portfolio(harness.portfolio_id)
    assert portfolio.reserved_micro == order.reserved_cash_micro == state.held_cash_micro > 27 * MICRO
    assert (await harness.store.open_orders())[0][1] is OrderStatus.OPEN
    await check_books(harness.store, START, resting=False)


async def test_prints_fill_it_part_by_part_each_in_one_transaction(harness: RestingHarness) -> None:
    placed = await harness.place()
    assert await harness.listen(harness.printed(90)) == []
    assert await harness.listen(harness.printed(30)) == [("PARTIALLY_FILLED", 20)]
    ((_, state),) = await harness.store.resting_orders()
    assert (state.filled_micro, state.fill_count, state.ahead_micro) == (20 * SHARE, 1, 0)
    reserved, shares = await harness.held()
    assert shares == 20 and reserved == state.held_cash_micro // CENT
    assert await harness.listen(harness.printed(100)) == [("FILLED", 30)]
    assert await harness.held() == (0, 50)
    assert await harness.store.resting_orders() == []
    assert await harness.store.open_orders() == []
    fills = await harness.store.fills(placed.order_id)
    assert [(fill.price_micro, fill.size_micro // SHARE, fill.fee_micro) for fill in fills] == [
        (54 * CENT, 20, 0),
        (54 * CENT, 30, 0),
    ]
    trades = await harness.store.trades(harness.portfolio_id, 10)
    assert [trade.status for trade in trades] == ["filled", "partially_filled"]
    assert dict(trades[0].model)["liquidity"] == "maker"
    portfolio = await harness.store.portfolio(harness.portfolio_id)
    assert portfolio.cash_micro == 1_000 * MICRO - 27 * MICRO
    await check_rested(harness)


async def test_more_than_ten_fills_keep_their_order(harness: RestingHarness) -> None:
    placed = await harness.place(size=100)
    await harness.listen(harness.printed(100))
    for size in range(1, 13):
        await harness.listen(harness.printed(size))
    fills = await harness.store.fills(placed.order_id)
    assert [fill.size_micro // SHARE for fill in fills] == list(range(1, 13))


async def check_rested(harness: RestingHarness) -> None:
    """The books agree, whatever rests."""
    balances = await harness.store.ledger_balances(harness.portfolio_id)
    portfolio = await harness.store.portfolio(harness.portfolio_id)
    assert portfolio.cash_micro == balances[CASH, USD] + balances.get((RESERVED, USD), 0)
    assert portfolio.reserved_micro == balances.get((RESERVED, USD), 0)
    kept = await harness.store.resting_orders()
    assert portfolio.reserved_micro == sum(state.held_cash_micro for _, state in kept)
    await harness.store.snapshot(harness.portfolio_id, "check", START)


@pytest.mark.fidelity(
    "A limit order that crosses takes first, with fees, and rests after, without",
    area="Paper",
    evidence="specification",
    source="order types and fees",
)
async def test_an_order_that_crosses_takes_first_and_rests_after(harness: RestingHarness) -> None:
    placed = await harness.place(56, 130)
    assert placed.status is OrderStatus.PARTIALLY_FILLED and placed.trade is not None
    assert placed.trade.size_micro == 100 * SHARE and placed.trade.fee_micro > 0
    ((_, state),) = await harness.store.resting_orders()
    assert (state.left_micro, state.fill_count, state.ahead_micro) == (30 * SHARE, 1, 0)
    assert await harness.listen(harness.printed(40, 56)) == [("FILLED", 30)]
    trades = await harness.store.trades(harness.portfolio_id, 10)
    assert len({trade.trade_id for trade in trades}) == 2 and trades[0].fee_micro == 0
    assert await harness.held() == (0, 130)
    await check_rested(harness)


async def test_a_sale_rests_with_its_shares_set_aside(harness: RestingHarness) -> None:
    await harness.with_shares(60)
    await harness.place(58, 40, Side.SELL)
    refused = await harness.try_place(59, 21, Side.SELL)
    assert isinstance(refused, Refused) and refused.code == "insufficient_shares"
    await harness.place(59, 20, Side.SELL)
    # Somebody buys NO at 42, which is YES at 58.
    assert await harness.listen(harness.printed(110, 42, Side.SELL, NO)) == [("PARTIALLY_FILLED", 10)]
    assert await harness.held() == (0, 50)
    await check_rested(harness)


async def test_a_cancel_gives_back_what_is_left(harness: RestingHarness) -> None:
    placed = await harness.place()
    await harness.listen(harness.printed(120))
    update = await cancel_order(harness.context, placed.order_id)
    assert update.status is OrderStatus.CANCELED
    assert await harness.held() == (0, 20)
    assert await harness.listen(harness.printed(500)) == []
    with pytest.raises(OrderNotOpen):
        await cancel_order(harness.context, placed.order_id)
    await check_rested(harness)


@pytest.mark.fidelity(
    "A GTD order on paper leaves the book 60 s early and must lie 3 minutes ahead",
    area="Paper",
    evidence="specification",
    source="order types",
)
async def test_an_order_with_an_end_leaves_a_minute_early(harness: RestingHarness) -> None:
    refused = await harness.try_place(order_type=OrderType.GTD, expiration_s=START_S + 179)
    assert isinstance(refused, Refused) and refused.reason == "invalid expiration"
    refused = await harness.try_place(expiration_s=START_S + 1_000)
    assert isinstance(refused, Refused) and refused.reason == "invalid expiration"
    await harness.place(order_type=OrderType.GTD, expiration_s=START_S + 180)
    harness.time_ms = START_MS + 119_000
    assert await harness.listen(harness.printed(110)) == [("PARTIALLY_FILLED", 10)]
    harness.time_ms = START_MS + 119_999
    assert await harness.listen(harness.printed(110)) == [("EXPIRED", 0)]
    assert await harness.held() == (0, 10)
    assert await harness.store.open_orders() == []


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"cents": 56, "post_only": True}, "invalid post-only order: order crosses book"),
        ({"size": 4}, "Size (4) lower than the minimum: 5"),
        ({"cents": 56, "size": 1}, "invalid amount for a marketable BUY order ($0.56), min size: $1"),
        ({"price_micro": 545_000}, "breaks minimum tick size rule: 0.01"),
        (
            {"size_micro": 5_001_000},
            "maker amount supports a max accuracy of 4 decimals, taker amount a max of 2 decimals",
        ),
    ],
)
async def test_refused_as_the_venue_does(harness: RestingHarness, changes: dict[str, object], text: str) -> None:
    refused = await harness.try_place(**changes)  # type: ignore[arg-type] # by name
    assert isinstance(refused, Refused) and text in refused.reason
    assert await harness.held() == (0, 0)
    assert await harness.store.open_orders() == []


async def test_post_only_rests_where_it_does_not_cross(harness: RestingHarness) -> None:
    assert (await harness.place(55, post_only=True)).status is OrderStatus.OPEN
    ((order, state),) = await harness.store.resting_orders()
    assert order.intent.post_only and state.ahead_micro == 0


async def test_two_portfolios_share_a_print_in_the_order_of_time(harness: RestingHarness) -> None:
    other = await harness.store.create_portfolio(NewPortfolio("Two", "majority", 1_000 * MICRO), START)
    await harness.place()
    await harness.place(portfolio_id=other.portfolio_id)
    assert await harness.listen(harness.printed(170)) == [("FILLED", 50), ("PARTIALLY_FILLED", 20)]
    one, two = await harness.held(), await harness.store.position(other.portfolio_id, YES)
    assert one[1] == 50 and two is not None and two.size_micro == 20 * SHARE


async def test_a_restart_keeps_orders_reservations_and_places_and_fills_nothing_meanwhile(
    harness: RestingHarness, house: House
) -> None:
    placed = await harness.place()
    await harness.listen(harness.printed(110))
    again = await harness.restarted(await house.open())
    assert again.context.resting is not None
    state = again.context.resting.states()[placed.order_id]
    assert (state.filled_micro, state.ahead_micro, state.in_gap) == (10 * SHARE, 0, True)
    # Told after the restart, before the whole books were: not credited.
    missed = again.printed(500)
    books = again.stream.told()
    assert await again.listen(missed) == []
    assert await again.listen(*books) == []
    assert await again.listen(again.printed(15)) == [("PARTIALLY_FILLED", 15)]
    assert await again.held() == (((await again.store.resting_orders())[0][1]).held_cash_micro // CENT, 25)
    await check_rested(again)


async def test_recovery_leaves_alone_what_rests(harness: RestingHarness) -> None:
    await harness.place()
    resolved, _ = await recover(harness.context)
    assert resolved == []
    assert len(await harness.store.resting_orders()) == 1


async def test_a_second_process_with_an_old_state_books_nothing_twice(harness: RestingHarness, house: House) -> None:
    await harness.place()
    stale = await harness.restarted(await house.open())
    await stale.listen()
    assert await harness.listen(harness.printed(110)) == [("PARTIALLY_FILLED", 10)]
    with pytest.raises(InvariantBroken):
        await stale.listen(stale.printed(130))
    assert (await harness.held())[1] == 10
    await check_rested(harness)


async def test_places_are_kept_between_fills(harness: RestingHarness, house: House) -> None:
    await harness.place()
    await harness.listen(harness.printed(60))
    assert await sweep(harness.context) == []
    again = await harness.restarted(await house.open())
    ((_, state),) = await again.store.resting_orders()
    assert state.ahead_micro == 40 * SHARE
    await harness.listen(harness.printed(50))
    await again.store.save_resting([state], START)
    # An older place than that of the fill changes nothing.
    ((_, newer),) = await again.store.resting_orders()
    assert (newer.fill_count, newer.ahead_micro) == (1, 0)


async def test_nothing_fills_across_a_gap(harness: RestingHarness) -> None:
    await harness.place()
    assert await harness.listen(GapSeen((YES,), "the socket closed", START_MS)) == []
    assert await harness.listen(harness.printed(1_000), harness.printed(1_000, 40)) == []
    assert await harness.listen(*await harness.stream.books([YES])) == []
    assert await harness.listen(harness.printed(110)) == [("PARTIALLY_FILLED", 10)]


async def test_a_tick_change_and_a_resolution_cancel_and_give_back(harness: RestingHarness) -> None:
    harness.data.rules_by_condition["0xc1"] = replace(harness.data.rules_by_condition["0xc1"], tick_micro=1_000)
    await harness.place(price_micro=541_000)
    await harness.place()
    assert await harness.listen(TickSeen(YES, CENT, START_MS)) == [("CANCELED", 0)]
    assert await harness.listen(MarketResolvedSeen("0xc1", START_MS)) == [("CANCELED", 0)]
    assert await harness.held() == (0, 0)
    assert await harness.store.open_orders() == []


async def test_a_market_that_takes_no_orders_gives_them_back(harness: RestingHarness) -> None:
    await harness.place()
    assert await cancel_stranded(harness.context) == []
    rules = harness.data.rules_by_condition
    rules["0xc1"] = replace(rules["0xc1"], accepting_orders=False)
    assert [update.status for update in await cancel_stranded(harness.context)] == [OrderStatus.CANCELED]
    assert await harness.held() == (0, 0)


@pytest.mark.fidelity(
    "An order that comes to another one of its own portfolio takes it off instead of matching it",
    area="Paper",
    evidence="assumed",
    source="the venue documents no self-match policy",
    seam="orders of two portfolios never meet on paper",
)
async def test_an_order_of_the_same_portfolio_is_cancelled_not_matched(harness: RestingHarness) -> None:
    await harness.with_shares(60)
    await harness.place(57, 30, Side.SELL)
    placed = await harness.place(57, 130)
    # Forty are left at 56, and a hundred at 57 where our own offer waits.
    assert placed.trade is not None and placed.trade.size_micro == 130 * SHARE
    assert await harness.store.resting_orders() == []
    assert (await harness.held())[1] == 190


@pytest.mark.parametrize("status", [PortfolioStatus.PAUSED, PortfolioStatus.ARCHIVED])
async def test_a_portfolio_that_trades_no_more_leaves_nothing_resting(
    harness: RestingHarness, status: PortfolioStatus
) -> None:
    await harness.place()
    await harness.store.change_portfolio(harness.portfolio_id, {"status": status}, START)
    assert [update.status for update in await cancel_stranded(harness.context)] == [OrderStatus.CANCELED]
    assert await harness.held() == (0, 0)


async def test_quotes_that_cross_our_order_are_not_there_for_our_takers(harness: RestingHarness) -> None:
    other = await harness.store.create_portfolio(NewPortfolio("Two", "majority", 1_000 * MICRO), START)
    await harness.place(55, 30, portfolio_id=other.portfolio_id)
    book = harness.data.book_by_token[YES]
    asks = (Level(55 * CENT, 50 * SHARE), *book.asks)
    harness.data.set_book(replace(book, asks=asks), NO)
    assert await harness.listen(LevelSeen(YES, Side.SELL, 55 * CENT, 50 * SHARE, harness.time_ms + 1)) == []
    # Thirty of those fifty would have met the order at 55, had it been there for all to see.
    placed = await harness.place(55, 40)
    assert placed.trade is not None and placed.trade.size_micro == 20 * SHARE
    assert len(await harness.store.resting_orders()) == 2


async def test_what_we_took_moves_on_when_others_take_too(harness: RestingHarness) -> None:
    await harness.place(50)
    await harness.with_shares(60)
    await harness.listen(
        harness.printed(70, 56, Side.BUY), LevelSeen(YES, Side.SELL, 56 * CENT, 30 * SHARE, harness.time_ms + 1)
    )
    book = harness.data.book_by_token[YES]
    asks = (book.asks[0]._replace(size_micro=30 * SHARE), *book.asks[1:])
    harness.data.set_book(replace(book, asks=asks), NO)
    # They would have found 40 at 56 and taken 30 at 57: that leaves 70 there, and none at 56.
    placed = await harness.place(57, 200)
    assert placed.trade is not None and placed.trade.size_micro == 70 * SHARE


async def test_a_booking_that_fails_leaves_nothing_resting_and_one_that_did_not_is_found_again(
    harness: RestingHarness, house: House
) -> None:
    placed = await harness.place()
    assert harness.context.resting is not None
    harness.context.resting.forget(placed.order_id)
    assert await harness.listen(harness.printed(500)) == []
    assert await mend(harness.context)
    assert placed.order_id in harness.context.resting.states()
    assert not await mend(harness.context)


async def test_an_ended_order_is_booked_once(harness: RestingHarness) -> None:
    placed = await harness.place()
    ((order, state),) = await harness.store.resting_orders()
    (signal,) = await harness.store.signals(signal_ids=[order.intent.signal_id])
    update = await cancel_order(harness.context, placed.order_id)
    again = Accepted(placed.order_id, OrderStatus.CANCELED, (), START, resting=update.resting)
    with pytest.raises(InvariantBroken):
        await book_matched(harness.context, order, again, signal, state.held_cash_micro)


async def test_who_does_not_own_what_rests_takes_nothing_in(harness: RestingHarness, house: House) -> None:
    other = RestingHarness(await house.open())
    other.portfolio_id = harness.portfolio_id
    refused = await other.try_place()
    assert isinstance(refused, Refused) and refused.code == "not_open"
    await restore(other.context)
    assert isinstance(await other.try_place(), PlacedOrder)
    assert other.context.resting is not None
    other.context.resting.release()
    assert other.context.resting.states() == {}
    assert len(await other.store.resting_orders()) == 1


async def test_without_a_stream_nothing_rests_and_it_says_so(harness: RestingHarness) -> None:
    plain: TradingContext = context_over(harness.data, harness.store)
    form = LimitForm(harness.portfolio_id, harness.market.slug, "Yes", Side.BUY, 54 * CENT, 50 * SHARE)
    with pytest.raises(NothingRests, match="FAK or FOK"):
        await place_limit(plain, form)
    assert FedStream(harness.data).evidence_age_s(YES) is None
