"""What every venue keeps to, whichever it is: it raises for nothing, sends once, and knows again what it was asked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace

import pytest

from polymarket_kit.model import NO_FEES, OrderType, Side
from polymarket_kit.values import MICRO
from prescient.domain.booking import OrderUpdate
from prescient.domain.errors import VenueUnavailable
from prescient.domain.ledger import USD
from prescient.domain.market import OrderBook, TradingRules
from prescient.domain.order import TERMINAL_STATUSES, Accepted, ApprovedOrder, Fill, OrderIntent, OrderStatus, Rejected
from prescient.domain.order_state import ENDINGS, Fact, FactKind
from prescient.domain.stream import PrintSeen
from prescient.domain.venue_answers import Done, NotCanceled, PositionRequest, RequestKind, UpdatesMissed
from prescient.ports.context import TradingContext
from prescient.ports.venue import Venue
from prescient.trading.resting import restore
from tests.fakes import StaticMarketData, binary_market
from tests.streams import FedStream, streaming_context
from tests.venues import ScriptedVenue


class Market(StaticMarketData):
    """A market whose source can be away."""

    away = False

    async def rules(self, condition_ids: object) -> dict[str, TradingRules]:
        if self.away:
            raise VenueUnavailable("no answer within 20 s")
        return dict(self.rules_by_condition)

    async def books(self, token_ids: object) -> dict[str, OrderBook]:
        if self.away:
            raise VenueUnavailable("no answer within 20 s")
        return dict(self.book_by_token)


@dataclass
class VenueUnderTest:
    """A venue with one market on which 500 shares are offered at 0.55 and wanted at 0.54."""

    venue: Venue
    data: Market
    context: TradingContext
    stream: FedStream

    async def resting(self, number: int = 1) -> ApprovedOrder:
        """A BUY of ten shares that rests alone at 0.53, in front of everybody."""
        order = await self.ready(number, order_type=OrderType.GTC, limit_price_micro=530_000)
        answer = await self.venue.submit(order)
        assert isinstance(answer, Accepted) and answer.status is OrderStatus.OPEN
        if self.context.resting is not None:
            self.context.resting.opened(order.intent.order_id)
        return order

    def taken(self, order: ApprovedOrder, shares: int) -> None:
        """Somebody sells into it."""
        if isinstance(self.venue, ScriptedVenue):
            fill = Fill(530_000, shares * MICRO, shares * 530_000, 0)
            status = OrderStatus.FILLED if shares == 10 else OrderStatus.PARTIALLY_FILLED
            self.venue.world.fill(order.intent.order_id, fill, status)
            return
        time_ms = round(self.context.clock.now().timestamp() * 1000)
        self.stream.tell(PrintSeen("11", 530_000, shares * MICRO, Side.SELL, time_ms))

    async def told(self, *happenings: Callable[[], object]) -> list[tuple[FactKind, int]]:
        """Listen, let things happen, and return (kind, shares) of what is told of them; gaps are left out."""
        heard = list[tuple[FactKind, int]]()

        async def listen() -> None:
            async with aclosing(self.venue.updates()) as updates:
                async for update in updates:
                    if isinstance(update, OrderUpdate):
                        kind = FactKind.MATCHED if update.fill else ENDINGS[update.status]
                        heard.append((kind, update.fill.size_micro // MICRO if update.fill else 0))
                    elif isinstance(update, Fact):
                        heard.append((update.kind, update.size_micro // MICRO))

        listening = asyncio.create_task(listen())
        for happening in (lambda: None, *happenings):
            done = happening()
            if isinstance(done, Awaitable):
                await done
            # A fixed number of turns of the loop, in which nothing waits for time.
            for _ in range(50):
                await asyncio.sleep(0)
        listening.cancel()
        await asyncio.wait([listening])
        return heard

    async def ready(self, number: int, **changes: object) -> ApprovedOrder:
        """An order that passed the gate and is prepared, as its caller would have it before it sends."""
        intent = OrderIntent(
            f"order:{number}",
            1,
            f"signal-{number}",
            "0xc1",
            "11",
            Side.BUY,
            OrderType.FOK,
            550_000,
            size_micro=10 * MICRO,
        )
        intent = replace(intent, **changes)  # type: ignore[arg-type]  # by name
        order = ApprovedOrder(intent, 10 * MICRO if intent.side is Side.BUY else 0, 0)
        return replace(order, wire=await self.venue.prepare(order))


@pytest.fixture(params=["paper", "scripted"])
async def under_test(request: pytest.FixtureRequest) -> VenueUnderTest:
    data = Market()
    data.add(binary_market(1, fees=NO_FEES), [("0.54", "500")], [("0.55", "500")])
    context, stream = streaming_context(data)
    await restore(context)
    venue = context.venues["paper"]
    if request.param == "scripted":
        venue = ScriptedVenue(venue, context.clock)
    return VenueUnderTest(venue, data, context, stream)


def request_for(kind: RequestKind, number: int = 1) -> PositionRequest:
    gained = ((USD, 0),) if kind is RequestKind.REDEEM else ((USD, 5 * MICRO),)
    return PositionRequest(f"{kind}-{number}", 1, kind, ("0xc1",), (("11", 5 * MICRO), ("12", 5 * MICRO)), gained)


async def test_it_has_the_name_that_portfolios_give(under_test: VenueUnderTest) -> None:
    assert under_test.venue.name in ("paper", "scripted")


async def test_what_it_would_send_is_its_own_and_is_not_sent(under_test: VenueUnderTest) -> None:
    first, second = await under_test.ready(1), await under_test.ready(2)
    assert (first.wire is None) == (second.wire is None)
    if first.wire is not None and second.wire is not None:
        assert first.wire.order_hash != second.wire.order_hash
        assert first.wire == (await under_test.ready(1)).wire
    for order in (first, second):
        answer = await under_test.venue.resolve(order)
        assert isinstance(answer, Rejected) or (isinstance(answer, Accepted) and not answer.fills)


@pytest.mark.parametrize(("side", "price"), [(Side.BUY, 550_000), (Side.SELL, 540_000)])
async def test_an_order_that_matches_is_filled_within_its_limit(
    under_test: VenueUnderTest, side: Side, price: int
) -> None:
    order = await under_test.ready(1, side=side, limit_price_micro=price)
    answer = await under_test.venue.submit(order)
    assert isinstance(answer, Accepted) and answer.status in TERMINAL_STATUSES
    assert sum(fill.size_micro for fill in answer.fills) == 10 * MICRO
    assert {fill.price_micro for fill in answer.fills} == {price}
    assert answer.model


async def test_an_order_that_finds_nothing_is_refused_with_a_reason(under_test: VenueUnderTest) -> None:
    answer = await under_test.venue.submit(await under_test.ready(1, limit_price_micro=500_000))
    assert isinstance(answer, Rejected) and answer.code == "not_filled" and answer.reason


async def test_a_source_that_is_away_is_an_answer_and_nothing_is_placed(under_test: VenueUnderTest) -> None:
    order = await under_test.ready(1)
    under_test.data.away = True
    answer = await under_test.venue.submit(order)
    assert isinstance(answer, Rejected) and answer.code == "venue_unavailable"
    under_test.data.away = False
    resolved = await under_test.venue.resolve(order)
    assert isinstance(resolved, Rejected) or (isinstance(resolved, Accepted) and not resolved.fills)


async def test_asking_what_became_of_an_order_sends_nothing(under_test: VenueUnderTest) -> None:
    order = await under_test.ready(1)
    for _ in range(3):
        answer = await under_test.venue.resolve(order)
        assert isinstance(answer, Rejected) or answer.status in TERMINAL_STATUSES  # type: ignore[union-attr]  # not unknown
    # All 500 are still there.
    whole = await under_test.venue.submit(await under_test.ready(2, size_micro=500 * MICRO))
    assert isinstance(whole, Accepted) and sum(fill.size_micro for fill in whole.fills) == 500 * MICRO


async def test_what_is_not_on_the_book_is_not_cancelled(under_test: VenueUnderTest) -> None:
    never = await under_test.ready(1)
    matched = await under_test.ready(2)
    await under_test.venue.submit(matched)
    for order in (never, matched):
        answer = await under_test.venue.cancel(order)
        assert isinstance(answer, NotCanceled) and answer.reason


async def test_what_is_taken_and_ended_is_told(under_test: VenueUnderTest) -> None:
    order = await under_test.resting()
    heard = await under_test.told(
        lambda: under_test.taken(order, 4),
        lambda: under_test.venue.cancel(order),
        lambda: under_test.taken(order, 1) if under_test.venue.name == "paper" else None,
    )
    assert heard == [(FactKind.MATCHED, 4), (FactKind.CANCELED, 0)]


async def test_what_is_taken_whole_is_told_match_by_match(under_test: VenueUnderTest) -> None:
    order = await under_test.resting()
    heard = await under_test.told(lambda: under_test.taken(order, 4), lambda: under_test.taken(order, 6))
    assert heard == [(FactKind.MATCHED, 4), (FactKind.MATCHED, 6)]


async def test_one_who_listens_again_is_told_what_happens_from_then_on(under_test: VenueUnderTest) -> None:
    order = await under_test.resting()
    assert await under_test.told(lambda: under_test.taken(order, 4)) == [(FactKind.MATCHED, 4)]
    assert await under_test.told(lambda: under_test.taken(order, 6)) == [(FactKind.MATCHED, 6)]


async def test_a_venue_elsewhere_says_first_that_something_may_have_been_missed(under_test: VenueUnderTest) -> None:
    order = await under_test.resting()
    under_test.taken(order, 4)
    async with aclosing(under_test.venue.updates()) as updates:
        first = await anext(updates)
    if under_test.venue.name == "paper":
        # Its market waited for the listener.
        assert isinstance(first, OrderUpdate)
    else:
        assert isinstance(first, UpdatesMissed)


@pytest.mark.parametrize("kind", list(RequestKind))
async def test_positions_are_changed_as_asked_and_the_payment_is_told(
    under_test: VenueUnderTest, kind: RequestKind
) -> None:
    ask = {
        RequestKind.MERGE: under_test.venue.merge,
        RequestKind.REDEEM: under_test.venue.redeem,
        RequestKind.CONVERT: under_test.venue.convert,
    }[kind]
    request = request_for(kind)
    await under_test.venue.prepare_request(request)
    done = await ask(request)
    assert isinstance(done, Done) and done.gained == request.gained
    # Either the chain's name for it, or the names of what was assumed.
    assert done.transaction_id or done.model


@pytest.mark.parametrize("kind", list(RequestKind))
async def test_a_request_that_was_never_made_is_known_as_such(under_test: VenueUnderTest, kind: RequestKind) -> None:
    assert isinstance(await under_test.venue.resolve_request(request_for(kind)), Rejected)


async def test_a_request_gives_something_and_gains_no_less_than_nothing() -> None:
    with pytest.raises(ValueError, match="gives nothing"):
        PositionRequest("merge-1", 1, RequestKind.MERGE, ("0xc1",), (), ((USD, 1),))
    with pytest.raises(ValueError, match="less than nothing"):
        PositionRequest("merge-1", 1, RequestKind.MERGE, ("0xc1",), (("11", 1),), ((USD, -1),))
