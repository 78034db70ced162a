"""The paper venue's way in: an order meets the real book as it is when the venue's taker delay ends, and then may rest.

Same rules, fees and walk as everywhere else (domain and exchange); what cannot be known is a named model whose value
goes into the trade record. The real book does not know about our fills, so what we took stays taken (see exchange.book).
"""

from __future__ import annotations

import asyncio
import logging
from typing import NamedTuple
from weakref import WeakValueDictionary

from polymarket_kit.model import OrderType
from polymarket_kit.values import micro_to_text
from prescient.adapters.paper.resting import PaperResting
from prescient.adapters.paper.taken import Taken
from prescient.domain.market import OrderBook, TradingRules
from prescient.domain.order import Accepted, ApprovedOrder, Consumption, OrderStatus, Rejected, Submission
from prescient.domain.rules import check_crossing, check_limit_order, check_taker_order
from prescient.paper_matching.book import Walk, book_side, walk, with_taken, without_own
from prescient.paper_matching.queue import QueueModel
from prescient.ports.clock import Clock
from prescient.ports.market_data import MarketData, MarketStream
from prescient.ports.store import Store

# The venue holds marketable orders of flagged markets for 50 ms (since 2026-08-17) and cannot be asked to cancel them.
TAKER_DELAY_S = 0.05
# By the standard library: where nobody wants the details they cost nothing and print nothing.
detail = logging.getLogger("prescient.adapters.paper")


LIMIT_TYPES = (OrderType.GTC, OrderType.GTD)
NO_BOOK = Rejected("market_closed", "No orderbook exists for the requested token id")
NO_STREAM = Rejected(
    "no_stream",
    "an order can rest only where its market is told as it happens, and this source of markets has no such stream; "
    "send it as FAK or FOK",
)

NOT_OPEN = Rejected(
    "not_open",
    "the process that keeps resting orders is starting or is another one; try again in a few seconds",
)


class Found(NamedTuple):
    """What an order would get: the walk, the memory after it, and how many levels were hidden as our own."""

    walk: Walk
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

    async def submit(self, order: ApprovedOrder) -> Submission:
        """Check the rules, wait out the taker delay, walk the book that is there then."""
        outcome = await self._submit(order)
        if detail.isEnabledFor(logging.DEBUG):
            _trace(order, outcome)
        return outcome

    async def _submit(self, order: ApprovedOrder) -> Submission:
        intent = order.intent
        rules = await self._rules(intent.condition_id)
        if rules is None:
            return Rejected("market_not_found", "No orderbook exists for the requested token id")
        delay_s = rules.seconds_delay + (TAKER_DELAY_S if rules.taker_delay_enabled else 0.0)
        if intent.order_type in LIMIT_TYPES:
            return await self._limit(order, rules, delay_s)
        if intent.post_only or intent.expiration_s:
            return Rejected("invalid_order", "Invalid order payload")
        rejected = check_taker_order(intent, rules)
        if rejected is not None:
            return rejected
        if delay_s > 0:
            await self._clock.sleep(delay_s)
        async with self._lock(intent.condition_id):
            return await self._match(order, rules, delay_s)

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

    async def _match(self, order: ApprovedOrder, rules: TradingRules, delay_s: float) -> Submission:
        intent = order.intent
        book = await self._book(intent.token_id)
        if book is None:
            return NO_BOOK
        found = await self._walk(order, rules, book)
        killed = self._killed(intent.order_type, found.walk)
        if killed is not None:
            return killed
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
        side, mirrored = book_side(book, intent.side, rules.token_ids[0])
        displayed = book.levels_against(intent.side)
        levels, memory = without_own(displayed, await self._taken.of(rules.token_ids[0], side), mirrored)
        result = walk(
            levels,
            intent.side,
            intent.limit_price_micro,
            rules.fees,
            amount_micro=intent.amount_micro,
            size_micro=intent.size_micro,
        )
        return Found(result, with_taken(memory, displayed, result.taken, mirrored), len(displayed) - len(levels))

    def _took(self, order: ApprovedOrder, found: Found) -> None:
        """Remember what an order takes, and let go of the portfolio's own orders that it came to."""
        self._taken.put(order.intent.condition_id, found.memory)
        if self.resting is not None:
            worst = found.walk.fills[-1].price_micro if found.walk.complete else order.intent.limit_price_micro
            self.resting.meet(order.intent, worst)

    async def _limit(self, order: ApprovedOrder, rules: TradingRules, delay_s: float) -> Submission:
        """Take a GTC or GTD order in: what crosses matches as a taker, after the delay; the rest joins its queue."""
        intent, resting = order.intent, self.resting
        if resting is None or len(rules.token_ids) != 2:
            return NO_STREAM
        if not resting.is_open:
            return NOT_OPEN
        rejected = check_limit_order(intent, rules, self._clock.now().timestamp())
        if rejected is not None:
            return rejected
        await resting.follow(rules)
        async with self._lock(intent.condition_id):
            book = await self._book(intent.token_id)
            if book is None:
                return NO_BOOK
            found = await self._walk(order, rules, book)
            crosses = bool(found.walk.fills)
            rejected = check_crossing(intent, rules.minimum_size_micro, crosses=crosses)
            if rejected is not None:
                return rejected
            if not crosses or delay_s == 0:
                return self._take_and_rest(resting, order, rules, book, found, 0.0)
        await self._clock.sleep(delay_s)
        async with self._lock(intent.condition_id):
            book = await self._book(intent.token_id)
            if book is None:
                return NO_BOOK
            return self._take_and_rest(resting, order, rules, book, await self._walk(order, rules, book), delay_s)

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

    def _killed(self, order_type: OrderType, result: Walk) -> Rejected | None:
        if order_type is OrderType.FOK and not result.complete:
            return Rejected("not_filled", "order couldn't be fully filled. FOK orders are fully filled or killed.")
        if not result.fills:
            return Rejected(
                "not_filled",
                "no orders found to match with FAK order. FAK orders are partially filled or killed if no match is found.",
            )
        return None

    async def _rules(self, condition_id: str) -> TradingRules | None:
        return (await self._market_data.rules([condition_id])).get(condition_id)


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
