"""The paper venue, taker side: an order meets the real book as it is when the venue's taker delay ends.

Same rules, fees and walk as everywhere else (domain and exchange); what cannot be known is a named model whose value
goes into the trade record. The real book does not know about our fills, so what we took stays taken (see exchange.book).
"""

from __future__ import annotations

import asyncio
import logging
from weakref import WeakValueDictionary

from prescient.domain.market import OrderBook, TradingRules
from prescient.domain.order import (
    Accepted,
    ApprovedOrder,
    Consumption,
    OrderStatus,
    OrderType,
    Rejected,
    Submission,
)
from prescient.domain.rules import check_taker_order
from prescient.domain.values import micro_to_text
from prescient.exchange.book import Walk, book_side, walk, with_taken, without_own
from prescient.ports import Clock, MarketData, Store

# The venue holds marketable orders of flagged markets for 50 ms (since 2026-08-17) and cannot be asked to cancel them.
TAKER_DELAY_S = 0.05
MEMORY_SIDES_MAX = 20_000
# By the standard library: where nobody wants the details they cost nothing and print nothing.
detail = logging.getLogger(__name__)


class PaperVenue:
    """Fills taker orders from the venue's own books. One instance per installation owns the memory of what was taken."""

    name = "paper"

    def __init__(self, market_data: MarketData, store: Store, clock: Clock) -> None:
        self._market_data = market_data
        self._store = store
        self._clock = clock
        self._memory: dict[tuple[str, str], Consumption] = {}
        self._first_tokens: dict[str, str] = {}
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
        rejected = check_taker_order(intent, rules)
        if rejected is not None:
            return rejected
        delay_s = rules.seconds_delay + (TAKER_DELAY_S if rules.taker_delay_enabled else 0.0)
        if delay_s > 0:
            await self._clock.sleep(delay_s)
        async with self._locks.setdefault(intent.condition_id, asyncio.Lock()):
            return await self._match(order, rules, delay_s)

    async def resolve(self, order: ApprovedOrder) -> Submission:
        """A paper fill exists only once it is booked, so an order without a booking was never filled."""
        self._forget(order.intent.condition_id)
        return Accepted(
            venue_order_id=order.intent.order_id,
            status=OrderStatus.CANCELED,
            fills=(),
            time=self._clock.now(),
            reason="the process ended before the order was booked; a paper order fills only when it is booked",
        )

    async def _match(self, order: ApprovedOrder, rules: TradingRules, delay_s: float) -> Submission:
        intent = order.intent
        books = await self._market_data.books([intent.token_id])
        book = books.get(intent.token_id)
        if book is None:
            return Rejected("market_closed", "No orderbook exists for the requested token id")
        side, mirrored = book_side(book, intent.side, rules.token_ids[0])
        memory = await self._remembered(rules.token_ids[0], side)
        displayed = book.levels_against(intent.side)
        levels, memory = without_own(displayed, memory, mirrored)
        result = walk(
            levels,
            intent.side,
            intent.limit_price_micro,
            rules.fees,
            amount_micro=intent.amount_micro,
            size_micro=intent.size_micro,
        )
        killed = self._killed(intent.order_type, result)
        if killed is not None:
            return killed
        memory = with_taken(memory, displayed, result.taken, mirrored)
        self._memory[memory.token_id, memory.side] = memory
        self._first_tokens[intent.condition_id] = memory.token_id
        return Accepted(
            venue_order_id=intent.order_id,
            status=OrderStatus.FILLED if result.complete else OrderStatus.CANCELED,
            fills=result.fills,
            time=self._clock.now(),
            book_hash=book.hash,
            model=self._model(book, delay_s, displayed_taken=len(displayed) - len(levels)),
            consumption=memory,
            reason="" if result.complete else "the rest of the FAK order found no match within its limit",
        )

    def _killed(self, order_type: OrderType, result: Walk) -> Rejected | None:
        if order_type is OrderType.FOK and not result.complete:
            return Rejected("not_filled", "order couldn't be fully filled. FOK orders are fully filled or killed.")
        if not result.fills:
            return Rejected(
                "not_filled",
                "no orders found to match with FAK order. FAK orders are partially filled or killed if no match is found.",
            )
        return None

    def _model(self, book: OrderBook, delay_s: float, *, displayed_taken: int) -> tuple[tuple[str, str], ...]:
        return (
            ("book", "as displayed when the taker delay ended"),
            ("book_time_ms", str(book.time_ms)),
            ("book_hash", book.hash),
            ("taker_delay_ms", str(round(delay_s * 1000))),
            ("latency_ms", "0 added: the book is fetched after the order is sent"),
            ("own_levels_hidden", str(displayed_taken)),
        )

    async def _rules(self, condition_id: str) -> TradingRules | None:
        return (await self._market_data.rules([condition_id])).get(condition_id)

    def _forget(self, condition_id: str) -> None:
        """Read the memory of a market's book again: what an order took that was never booked, it never took."""
        first_token = self._first_tokens.pop(condition_id, None)
        if first_token is not None:
            for side in ("bids", "asks"):
                self._memory.pop((first_token, side), None)

    async def _remembered(self, token_id: str, side: str) -> Consumption:
        known = self._memory.get((token_id, side))
        if known is None:
            known = await self._store.consumption(token_id, side)
            if len(self._memory) >= MEMORY_SIDES_MAX:
                # Everything in here is in the store as well: forgetting costs a read, not the memory itself.
                self._memory.clear()
                self._first_tokens.clear()
        return known


def _trace(order: ApprovedOrder, outcome: Submission) -> None:
    intent = order.intent
    if isinstance(outcome, Accepted):
        size = micro_to_text(sum(fill.size_micro for fill in outcome.fills))
        said = f"{outcome.status.value}, {size} shares in {len(outcome.fills)} fills"
    else:
        said = f"{outcome.code}: {outcome.reason}" if isinstance(outcome, Rejected) else f"unknown: {outcome.reason}"
    limit = micro_to_text(intent.limit_price_micro)
    detail.debug("order %s %s token %s limit %s: %s", intent.order_id, intent.side.value, intent.token_id, limit, said)
