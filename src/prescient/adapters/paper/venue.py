"""The paper venue's way in: an order meets the real book as it is when the venue's taker delay ends, and then may rest.

Same rules and fees as everywhere else (polymarket_kit); what cannot be known is a named model whose value
goes into the trade record. The real book does not know about our fills, so what we took stays taken (see paper_matching.book).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import NamedTuple
from weakref import WeakValueDictionary

from polymarket_kit.model import OrderType
from polymarket_kit.rejections import MARKET_CLOSED, MARKET_NOT_FOUND, NOT_READY, Rejection
from polymarket_kit.rules import TAKER_DELAY_MS, killed, refuse_at_book
from polymarket_kit.values import micro_to_text
from prescient.adapters.paper.resting import PaperResting
from prescient.adapters.paper.taken import Taken
from prescient.domain.errors import VenueUnavailable
from prescient.domain.market import OrderBook, TradingRules
from prescient.domain.order import Accepted, ApprovedOrder, Consumption, OrderIntent, OrderStatus, Rejected, Submission
from prescient.domain.reasons import Reason
from prescient.domain.venue_answers import (
    Canceled,
    Cancellation,
    Done,
    NotCanceled,
    PositionOutcome,
    PositionRequest,
    VenueUpdate,
)
from prescient.paper_matching.book import Walk, book_side, walk, with_taken, without_own
from prescient.paper_matching.queue_model import QueueModel
from prescient.paper_matching.signed import LIMIT_TYPES, amounts_of, limit_of, refuse_intent
from prescient.ports.clock import Clock
from prescient.ports.market_data import MarketData, MarketStream
from prescient.ports.store import Store

ON_REQUEST = "canceled on request"
# By the standard library: where nobody wants the details they cost nothing and print nothing.
detail = logging.getLogger("prescient.adapters.paper")

NO_STREAM = Rejected(
    Reason.NO_STREAM,
    "an order can rest only where its market is told as it happens, and this source of markets has no such stream; "
    "send it as FAK or FOK",
)

NOT_OPEN = Rejected(
    Reason.NOT_OPEN,
    "the process that keeps resting orders is starting or is another one; try again in a few seconds",
)


# What the chain would ask and take is not simulated.
CONTRACTS = (("contracts", "done at once, without gas, limits of the relayer or a failed transaction"),)


class Found(NamedTuple):
    """What an order would get: the walk to its limit, the memory after it, and how many levels were hidden as our own."""

    walk: Walk
    limit_micro: int
    memory: Consumption
    hidden: int


class PaperVenue:
    """Fills taker orders from the venue's own books. One instance per installation owns the memory of what was taken."""

    name = "paper"

    def __init__(
        self,
        market_data: MarketData,
        store: Store,
        clock: Clock,
        stream: MarketStream | None = None,
        queue_model: QueueModel | None = None,
    ) -> None:
        self._market_data = market_data
        self._clock = clock
        self._taken = Taken(store)
        # Without a stream nothing is told of a queue, so no order may rest.
        self.resting = PaperResting(stream, clock, self._taken, queue_model or QueueModel()) if stream else None
        # By condition id, as long as anybody holds or awaits one: two orders on one market's book must not both see the
        # same shares as free.
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def prepare(self, order: ApprovedOrder) -> None:
        """Nothing is sent, so nothing is signed: the intent, committed once, is all there is."""

    async def submit(self, order: ApprovedOrder) -> Submission:
        """Check the rules, wait out the taker delay, walk the book that is there then."""
        try:
            outcome = await self._submit(order)
        except VenueUnavailable as error:
            # Only the market was asked, and nothing was taken: this order is not placed, for certain.
            return Rejected(error.code, str(error))
        if detail.isEnabledFor(logging.DEBUG):
            _trace(order, outcome)
        return outcome

    async def _submit(self, order: ApprovedOrder) -> Submission:
        intent = order.intent
        rules = await self._rules(intent.condition_id)
        if rules is None:
            return _rejected(MARKET_NOT_FOUND)
        limited = intent.order_type in LIMIT_TYPES
        if limited and (self.resting is None or len(rules.token_ids) != 2):
            return NO_STREAM
        if limited and self.resting is not None and not self.resting.is_open:
            return NOT_OPEN
        now_ms = round(self._clock.now().timestamp() * 1000)
        refusal = await self._refuse_market(intent, rules) or refuse_intent(intent, rules.tick_micro, now_ms)
        if refusal is not None:
            return _rejected(refusal)
        if limited and self.resting is not None:
            await self.resting.follow(rules)
        delay_s = rules.seconds_delay + (TAKER_DELAY_MS / 1000 if rules.taker_delay_enabled else 0.0)
        answer = await self._arrive(order, rules, delay_s)
        if answer is not None:
            return answer
        await self._clock.sleep(delay_s)
        async with self._lock(intent.condition_id):
            book = await self._book(intent.token_id)
            if book is None:
                return _rejected(MARKET_CLOSED)
            return self._act(order, rules, book, await self._walk(order, rules, book), delay_s)

    async def _refuse_market(self, intent: OrderIntent, rules: TradingRules) -> Rejection | None:
        """The venue's refusal for the state that the order's market is in, or None."""
        if intent.token_id not in rules.token_ids:
            return MARKET_NOT_FOUND
        if rules.accepting_orders:
            return None
        # A market that only takes no orders now has a book still; a closed one has none.
        return MARKET_CLOSED if await self._book(intent.token_id) is None else NOT_READY

    async def _arrive(self, order: ApprovedOrder, rules: TradingRules, delay_s: float) -> Submission | None:
        """Meet the book as the order arrives. None: it has to wait out the taker delay, as whatever meets another does."""
        intent = order.intent
        async with self._lock(intent.condition_id):
            book = await self._book(intent.token_id)
            if book is None:
                return _rejected(MARKET_CLOSED)
            found = await self._walk(order, rules, book)
            crosses = bool(found.walk.fills)
            dollars, shares = amounts_of(intent).dollars_and_shares(intent.side)
            refusal = refuse_at_book(
                intent.order_id,
                intent.side,
                intent.order_type,
                dollars,
                shares,
                rules.minimum_size_micro,
                crosses=crosses,
                post_only=intent.post_only,
            )
            if refusal is not None:
                return _rejected(refusal)
            if crosses and delay_s > 0:
                return None
            return self._act(order, rules, book, found, 0.0)

    def _act(
        self, order: ApprovedOrder, rules: TradingRules, book: OrderBook, found: Found, delay_s: float
    ) -> Submission:
        """Match what is there now; then a limit order rests, and a market order's remainder is gone."""
        if self.resting is not None and order.intent.order_type in LIMIT_TYPES:
            return self._take_and_rest(self.resting, order, rules, book, found, delay_s)
        if not found.walk.fills or (order.intent.order_type is OrderType.FOK and not found.walk.complete):
            return _rejected(killed(order.intent.order_type))
        return self._take(order, book, found, delay_s)

    async def cancel(self, order: ApprovedOrder) -> Cancellation:
        """Take a resting order off; its end is told by the next ``sweep`` of its market."""
        if self.resting is not None and self.resting.cancel(order.intent.order_id, ON_REQUEST):
            return Canceled()
        return NotCanceled("the order does not rest (any more): it is filled, ended, or was never placed")

    async def updates(self) -> AsyncGenerator[VenueUpdate]:
        """What happens to resting orders; takers are answered in whole."""
        if self.resting is not None:
            async with aclosing(self.resting.updates()) as updates:
                async for update in updates:
                    yield update

    async def prepare_request(self, request: PositionRequest) -> None:
        """As ``prepare``."""

    async def merge(self, request: PositionRequest) -> PositionOutcome:
        """Done at once by the contracts' rules."""
        return Done(request.gained, model=CONTRACTS)

    async def redeem(self, request: PositionRequest) -> PositionOutcome:
        """Done at once by the contracts' rules."""
        return Done(request.gained, model=CONTRACTS)

    async def convert(self, request: PositionRequest) -> PositionOutcome:
        """Done at once by the contracts' rules."""
        return Done(request.gained, model=CONTRACTS)

    async def resolve_request(self, request: PositionRequest) -> PositionOutcome:
        """On paper a request happens only when it is booked, so one without a booking never happened."""
        return Rejected(
            Reason.NOT_DONE, "the process ended before it was booked; on paper it happens only when it is booked"
        )

    async def resolve(self, order: ApprovedOrder) -> Submission:
        """A paper fill exists only once it is booked, so an order without a booking was never filled."""
        self._taken.forget(order.intent.condition_id)
        if self.resting is not None:
            self.resting.forget(order.intent.order_id)
        return Accepted(
            venue_order_id=order.intent.order_id,
            status=OrderStatus.CANCELED,
            fills=(),
            time=self._clock.now(),
            reason="the process ended before the order was booked; a paper order fills only when it is booked",
        )

    def _take(self, order: ApprovedOrder, book: OrderBook, found: Found, delay_s: float) -> Accepted:
        intent = order.intent
        self._took(order, found)
        return Accepted(
            venue_order_id=intent.order_id,
            status=OrderStatus.FILLED if found.walk.complete else OrderStatus.CANCELED,
            fills=found.walk.fills,
            time=self._clock.now(),
            book_hash=book.hash,
            model=_model(book, delay_s, found.hidden),
            consumption=found.memory,
            reason="" if found.walk.complete else "the rest of the FAK order found no match within its limit",
        )

    async def _walk(self, order: ApprovedOrder, rules: TradingRules, book: OrderBook) -> Found:
        """What the order would get now; nothing is changed."""
        intent = order.intent
        limit_micro = limit_of(intent, rules.tick_micro)
        side, mirrored = book_side(book, intent.side, rules.token_ids[0])
        displayed = book.levels_against(intent.side)
        levels, memory = without_own(displayed, await self._taken.of(rules.token_ids[0], side), mirrored)
        result = walk(
            levels,
            intent.side,
            limit_micro,
            rules.fees,
            amount_micro=intent.amount_micro,
            size_micro=intent.size_micro,
        )
        return Found(
            result, limit_micro, with_taken(memory, displayed, result.taken, mirrored), len(displayed) - len(levels)
        )

    def _took(self, order: ApprovedOrder, found: Found) -> None:
        """Remember what an order takes, and let go of the portfolio's own orders that it came to."""
        self._taken.put(order.intent.condition_id, found.memory)
        if self.resting is not None:
            worst = found.walk.fills[-1].price_micro if found.walk.complete else found.limit_micro
            self.resting.meet(order.intent, worst)

    def _take_and_rest(
        self,
        resting: PaperResting,
        order: ApprovedOrder,
        rules: TradingRules,
        book: OrderBook,
        found: Found,
        delay_s: float,
    ) -> Accepted:
        fills = found.walk.fills
        model = _model(book, delay_s, found.hidden)
        if fills:
            self._took(order, found)
        place = None if found.walk.complete else resting.join(order, rules, book, fills)
        status = OrderStatus.FILLED if place is None else OrderStatus.PARTIALLY_FILLED if fills else OrderStatus.OPEN
        return Accepted(
            venue_order_id=order.intent.order_id,
            status=status,
            fills=fills,
            time=self._clock.now(),
            book_hash=book.hash,
            model=model,
            consumption=found.memory if fills else None,
            resting=place,
        )

    async def _book(self, token_id: str) -> OrderBook | None:
        return (await self._market_data.books([token_id])).get(token_id)

    def _lock(self, condition_id: str) -> asyncio.Lock:
        return self._locks.setdefault(condition_id, asyncio.Lock())

    async def _rules(self, condition_id: str) -> TradingRules | None:
        return (await self._market_data.rules([condition_id])).get(condition_id)


def _rejected(refusal: Rejection) -> Rejected:
    return Rejected(refusal.code, refusal.text)


def _model(book: OrderBook, delay_s: float, own_levels_hidden: int) -> tuple[tuple[str, str], ...]:
    return (
        ("book", "as displayed when the taker delay ended"),
        ("book_time_ms", str(book.time_ms)),
        ("book_hash", book.hash),
        ("taker_delay_ms", str(round(delay_s * 1000))),
        ("latency_ms", "0 added: the book is fetched after the order is sent"),
        ("own_levels_hidden", str(own_levels_hidden)),
    )


def _trace(order: ApprovedOrder, outcome: Submission) -> None:
    intent = order.intent
    if isinstance(outcome, Accepted):
        size = micro_to_text(sum(fill.size_micro for fill in outcome.fills))
        said = f"{outcome.status.value}, {size} shares in {len(outcome.fills)} fills"
    else:
        said = f"{outcome.code}: {outcome.reason}" if isinstance(outcome, Rejected) else f"unknown: {outcome.reason}"
    limit = micro_to_text(intent.limit_price_micro)
    detail.debug("order %s %s token %s limit %s: %s", intent.order_id, intent.side.value, intent.token_id, limit, said)
