"""What a venue tells of its orders: booked once, however often, how late and in what order it is told."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from random import Random

import pytest

from polymarket_kit.model import NO_FEES, OrderType, Side
from polymarket_kit.values import MICRO
from prescient.domain.errors import InvariantBroken
from prescient.domain.order import Fill, OrderStatus
from prescient.domain.order_state import Fact, FactKind, fill_id, state_of
from prescient.ports.context import TradingContext
from prescient.trading.execute import execute_signals
from prescient.trading.follow import book_told, follow
from prescient.trading.orders.portfolio_lock import placing_by_hand
from prescient.trading.orders.resolve import resolve_all
from prescient.trading.resting import LimitForm, PlacedOrder, place_limit
from tests.fakes import StaticMarketData, advance, binary_market, mine
from tests.prescient.contract.store_examples import pages
from tests.prescient.faults.house import check_books
from tests.prescient.trading.test_complete_set import crossed_market
from tests.prescient.trading.test_cycle import portfolio_of, run
from tests.prescient.trading.test_lost_answers import leg, statuses
from tests.prescient.trading.test_lost_answers import scripted as takers
from tests.streams import streaming_context
from tests.venues import ScriptedVenue

pytestmark = pytest.mark.asyncio

CENT = 10_000


@dataclass
class Told:
    """A portfolio at the scripted venue, with orders of ten shares at 53 cents that rest there."""

    context: TradingContext
    venue: ScriptedVenue
    portfolio_id: int = 0

    async def place(self) -> str:
        form = LimitForm(self.portfolio_id, "0xc1", "Yes", Side.BUY, 53 * CENT, 10 * MICRO, OrderType.GTC)
        placed = await place_limit(self.context, form)
        assert isinstance(placed, PlacedOrder) and placed.status is OrderStatus.OPEN
        return placed.order_id

    async def cancel(self, order_id: str) -> None:
        found = await self.context.store.order(order_id)
        assert found is not None
        await self.venue.cancel(found[0])

    def fill(self, order_id: str, shares: int, status: OrderStatus = OrderStatus.PARTIALLY_FILLED) -> None:
        self.venue.world.fill(order_id, filled(shares), status)

    async def listen(self, *, asked: bool = False) -> None:
        """Take in all that waits until the stream breaks off. Unless ``asked``, the venue answers nothing at its start."""
        if not asked:
            self.venue.always("resolve", "lose")
        news = self.venue.world.news
        waiting = [news.get_nowait() for _ in range(news.qsize())]
        listening = asyncio.create_task(follow(self.context, self.venue.updates()))
        await asyncio.sleep(0)
        for one in (*waiting, None):
            news.put_nowait(one)
        with pytest.raises(ConnectionResetError):
            await listening
        self.venue.well()

    async def check(self) -> None:
        """Money and shares are what the trades say, and the ledger says so too."""
        store = self.context.store
        await store.snapshot(self.portfolio_id, "check", self.context.clock.now())
        kept = [one for one in await store.trades(self.portfolio_id, 1_000) if one.settlement != "failed"]
        assert sum(trade.size_micro for trade in kept) == await self.shares() * MICRO
        portfolio = await store.portfolio(self.portfolio_id)
        assert portfolio.initial_balance_micro - portfolio.cash_micro == sum(trade.amount_micro for trade in kept)
        open_ids = {order.intent.order_id for order, _ in await store.open_orders()}
        assert open_ids or portfolio.reserved_micro == 0

    async def status(self, order_id: str) -> OrderStatus:
        found = await self.context.store.order(order_id)
        assert found is not None
        return found[1]

    async def shares(self) -> int:
        position = await self.context.store.position(self.portfolio_id, "11")
        return position.size_micro // MICRO if position else 0

    async def reserved(self) -> int:
        return (await self.context.store.portfolio(self.portfolio_id)).reserved_micro // CENT


def filled(shares: int) -> Fill:
    return Fill(53 * CENT, shares * MICRO, shares * 53 * CENT, 0)


def matched(order_id: str, number: int, shares: int, told: Told) -> Fact:
    fill = filled(shares)
    amounts = fill.price_micro, fill.size_micro, fill.cost_micro, fill.fee_micro
    return Fact(FactKind.MATCHED, order_id, told.context.clock.now(), fill_id(order_id, number), *amounts)


@pytest.fixture
async def told() -> Told:
    data = StaticMarketData()
    data.add(binary_market(1, fees=NO_FEES), [("0.54", "500")], [("0.55", "500")])
    context, _ = streaming_context(data)
    venue = ScriptedVenue(context.venues["paper"], context.clock)
    context = replace(context, venues={"scripted": venue})
    await context.store.save_events(pages(data.events), "cycle", context.clock.now())
    return Told(context, venue, await portfolio_of(context, venue="scripted"))


async def test_what_is_told_is_booked_and_what_is_left_stays_reserved(told: Told) -> None:
    order_id = await told.place()
    told.fill(order_id, 4)
    await told.listen()
    assert (await told.status(order_id), await told.shares(), await told.reserved()) == ("PARTIALLY_FILLED", 4, 318)
    told.fill(order_id, 6, OrderStatus.FILLED)
    await told.listen()
    assert (await told.status(order_id), await told.shares(), await told.reserved()) == ("FILLED", 10, 0)
    assert len(await told.context.store.trades(told.portfolio_id, 10)) == 2
    await told.check()


@pytest.mark.parametrize("number", [1, 2, 3, 4])
async def test_a_doubled_telling_counts_once(told: Told, number: int) -> None:
    told.venue.world.telling = {number: "double"}
    order_id = await told.place()
    told.fill(order_id, 4)
    told.fill(order_id, 3)
    await told.cancel(order_id)
    await told.listen()
    assert (await told.status(order_id), await told.shares(), await told.reserved()) == ("CANCELED", 7, 0)
    assert len(await told.context.store.trades(told.portfolio_id, 10)) == 2
    await told.check()


async def test_a_fill_told_after_our_cancel_is_booked(told: Told) -> None:
    order_id = await told.place()
    told.fill(order_id, 2)
    await told.cancel(order_id)
    await told.listen()
    assert (await told.status(order_id), await told.shares(), await told.reserved()) == ("CANCELED", 2, 0)
    # It had matched before the cancel arrived, and the venue says so a moment later.
    told.fill(order_id, 8, OrderStatus.FILLED)
    await told.listen()
    assert (await told.status(order_id), await told.shares(), await told.reserved()) == ("FILLED", 10, 0)
    portfolio = await told.context.store.portfolio(told.portfolio_id)
    assert portfolio.initial_balance_micro - portfolio.cash_micro == 10 * 53 * CENT
    await told.check()


async def test_what_is_told_the_wrong_way_round_is_the_same(told: Told) -> None:
    told.venue.world.telling = {2: "late", 4: "late"}
    order_id = await told.place()
    told.fill(order_id, 4)
    told.fill(order_id, 3)
    await told.cancel(order_id)
    told.fill(order_id, 1, OrderStatus.CANCELED)
    await told.listen()
    assert (await told.status(order_id), await told.shares(), await told.reserved()) == ("CANCELED", 8, 0)
    fills = await told.context.store.fills(order_id)
    assert [fill.size_micro // MICRO for fill in fills] == [3, 4, 1]
    await told.check()


async def test_what_was_told_out_of_order_agrees_with_what_the_venue_answers(told: Told) -> None:
    told.venue.world.telling = {2: "late", 4: "lose"}
    order_id = await told.place()
    told.fill(order_id, 4)
    told.fill(order_id, 3)
    told.fill(order_id, 2)
    await told.listen()
    assert await told.shares() == 7
    # The third was not told; after the gap the venue is asked, and names the other two as it told them.
    await told.listen(asked=True)
    assert (await told.shares(), await told.reserved()) == (9, 53)
    await told.check()


async def test_any_order_and_repetition_comes_to_the_same(told: Told) -> None:
    random, now = Random(20_261_201), told.context.clock.now()
    for round_number in range(1, 31):
        order_id = await told.place()
        facts = [matched(order_id, number, shares, told) for number, shares in enumerate((4, 3, 2))]
        facts += [Fact(FactKind.CANCELED, order_id, now), Fact(FactKind.ACKNOWLEDGED, order_id, now)]
        facts += random.choices(facts, k=5)
        random.shuffle(facts)
        for fact in facts:
            await book_told(told.context, fact)
        assert (await told.status(order_id), await told.shares()) == ("CANCELED", 9 * round_number)
        assert await told.reserved() == 0
    await told.check()


async def test_after_a_broken_stream_every_open_order_is_resolved(told: Told) -> None:
    told.venue.world.telling = dict.fromkeys(range(1, 10), "lose")
    orders = [await told.place() for _ in range(3)]
    told.fill(orders[0], 10, OrderStatus.FILLED)
    told.fill(orders[1], 4)
    await told.cancel(orders[2])
    assert await told.shares() == 0
    await told.listen(asked=True)
    assert [await told.status(order_id) for order_id in orders] == ["FILLED", "PARTIALLY_FILLED", "CANCELED"]
    assert (await told.shares(), await told.reserved()) == (14, 6 * 53)
    assert told.venue.calls["resolve"] == 3
    await told.check()


async def test_one_order_that_cannot_be_booked_keeps_no_other_from_it(told: Told) -> None:
    first, second = await told.place(), await told.place()
    told.venue.world.tell(matched(first, 0, 4, told), matched(first, 0, 5, told), matched(second, 0, 3, told))
    assert await book_told(told.context, matched(first, 0, 4, told))
    with pytest.raises(InvariantBroken, match="conflicting"):
        await book_told(told.context, matched(first, 0, 5, told))
    told.venue.world.tell(Fact(FactKind.CANCELED, "order:of-somebody-else", told.context.clock.now()))
    await told.listen()
    assert await told.shares() == 7
    await told.check()


async def test_what_is_told_waits_for_the_answer_that_is_on_its_way(told: Told) -> None:
    """The stream is faster than the answer: it is booked once, by whoever has the order."""
    order_id = await told.place()
    async with placing_by_hand(told.context.store, told.portfolio_id):
        booking = asyncio.create_task(book_told(told.context, matched(order_id, 0, 4, told)))
        for _ in range(10):
            await asyncio.sleep(0)
        assert not booking.done() and await told.shares() == 0
    assert await booking
    assert await told.shares() == 4


async def test_shares_are_settled_as_the_chain_says(told: Told) -> None:
    order_id, now = await told.place(), told.context.clock.now()
    told.fill(order_id, 4)
    told.fill(order_id, 6, OrderStatus.FILLED)
    mined = Fact(FactKind.MINED, order_id, now, fill_id(order_id, 0))
    told.venue.world.tell(mined, mined, Fact(FactKind.CONFIRMED, order_id, now, fill_id(order_id, 0)), mined)
    told.venue.world.tell(Fact(FactKind.FAILED, order_id, now, fill_id(order_id, 1)))
    await told.listen()
    state = state_of(await told.context.store.facts(order_id))
    assert (state.confirmed.size_micro, state.reversed.size_micro) == (4 * MICRO, 6 * MICRO)
    position = await told.context.store.position(told.portfolio_id, "11")
    assert position is not None and (position.size_micro, position.settled_micro) == (4 * MICRO, 4 * MICRO)
    advance(told.context, 60)
    await mine(told.context)
    assert await told.shares() == 4
    await told.check()


async def test_a_match_that_is_told_failed_before_it_is_told_is_asked_for_and_undone(told: Told) -> None:
    told.venue.world.telling = {2: "lose"}
    order_id = await told.place()
    told.fill(order_id, 10, OrderStatus.FILLED)
    failed = Fact(FactKind.FAILED, order_id, told.context.clock.now(), fill_id(order_id, 0))
    assert await book_told(told.context, failed)
    assert not await book_told(told.context, failed)
    assert (await told.status(order_id), await told.shares(), await told.reserved()) == ("FILLED", 0, 0)
    portfolio = await told.context.store.portfolio(told.portfolio_id)
    assert portfolio.cash_micro == portfolio.initial_balance_micro
    await told.check()


# --- orders of cycles


async def test_an_unknown_leg_that_is_told_later_completes_its_set() -> None:
    context, venue = takers(crossed_market())
    venue.on("submit", 2, "lose")
    portfolio_id = await portfolio_of(context, strategy_type="complete_set", venue="scripted")
    await run(context)
    assert await statuses(context) == [("12", OrderStatus.UNKNOWN)]
    await Told(context, venue, portfolio_id).listen()
    assert await context.store.open_orders() == []
    assert len(await context.store.trades(portfolio_id, 10)) == 2
    assert len(venue.world.arrived) == 2
    await check_books(context.store, context.clock.now())


@pytest.mark.parametrize("kind", [FactKind.CANCELED, FactKind.REJECTED])
async def test_the_end_of_an_unknown_leg_undoes_its_set(kind: FactKind) -> None:
    context, venue = takers(crossed_market())
    venue.on("submit", 2, "drop")
    portfolio_id = await portfolio_of(context, strategy_type="complete_set", venue="scripted")
    await run(context)
    ((order, _),) = await context.store.open_orders()
    assert await book_told(context, Fact(kind, order.intent.order_id, context.clock.now()))
    await mine(context)
    assert await context.store.positions(portfolio_id) == []
    await check_books(context.store, context.clock.now())


async def test_a_lost_answer_of_a_taker_is_made_good_by_what_is_told() -> None:
    data = StaticMarketData()
    data.add(binary_market(1, fees=NO_FEES), [("0.54", "500")], [("0.55", "500")])
    context, venue = takers(data)
    venue.on("submit", 1, "lose")
    portfolio_id = await portfolio_of(context, venue="scripted")
    await context.store.save_signals([replace(leg(1, portfolio_id, context), group_id="")])
    assert (await execute_signals(context, "cycle", portfolio_id)).dropped == {"outcome_unknown": 1}
    told = Told(context, venue, portfolio_id)
    await told.listen()
    assert (await told.shares(), await told.reserved()) == (10, 0)
    assert await resolve_all(context) == []
    assert await told.shares() == 10
    await check_books(context.store, context.clock.now())
