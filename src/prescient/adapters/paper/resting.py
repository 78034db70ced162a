"""The paper venue's resting side: our orders in the queues of real markets, moved on by what the venue's stream tells."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from weakref import WeakValueDictionary

from polymarket_kit.model import Side
from polymarket_kit.rules import EXPIRES_EARLY_S
from prescient.adapters.paper.taken import Taken
from prescient.domain.booking import OrderUpdate
from prescient.domain.market import OrderBook, TradingRules
from prescient.domain.order import ApprovedOrder, Fill, OrderIntent, OrderStatus
from prescient.domain.resting import RestingOrder
from prescient.domain.stream import BookSeen, GapSeen, LevelSeen, MarketResolvedSeen, StreamEvent
from prescient.paper_matching.queue import MarketQueue
from prescient.paper_matching.queue_model import LevelKey, Outcome, QueueModel
from prescient.ports.clock import Clock
from prescient.ports.market_data import MarketStream

GAME_START_MS = "game_start_ms"
SELF_MATCH = "order would have matched another order of the same portfolio"


class PaperResting:
    """The queues of all markets in which an order of ours rests. One instance per installation."""

    def __init__(self, stream: MarketStream, clock: Clock, taken: Taken, model: QueueModel) -> None:
        self._stream = stream
        self._clock = clock
        self._taken = taken
        self._model = model
        self._queues: dict[str, MarketQueue] = {}
        self._condition_by_token: dict[str, str] = {}
        self._orders: dict[str, ApprovedOrder] = {}
        # What ended while something else was asked, by market, until it is asked for.
        self._ended: dict[str, list[OrderUpdate]] = {}
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        # Whether this process owns what rests: only then is anything taken in.
        self.is_open = False

    # Orders in

    async def follow(self, rules: TradingRules) -> None:
        """Have a market's two tokens told, from now on. Raises VenueUnavailable."""
        queue = self._queue(rules.condition_id, (rules.token_ids[0], rules.token_ids[1]))
        if rules.game_start_ms > self._now_ms():
            queue.game_start_ms = rules.game_start_ms
        await self._taken.load(rules.token_ids[0])
        await self._stream.follow(list(rules.token_ids))

    def join(self, order: ApprovedOrder, rules: TradingRules, book: OrderBook, matched: Sequence[Fill]) -> RestingOrder:
        """Put what is left of an order into its queue, behind all that the book displays there."""
        intent = order.intent
        levels = book.bids if intent.side is Side.BUY else book.asks
        shown = next((level.size_micro for level in levels if level.price_micro == intent.limit_price_micro), 0)
        filled = sum(fill.size_micro for fill in matched)
        paid = sum(fill.cost_micro + fill.fee_micro for fill in matched)
        left = intent.size_micro - filled
        held = min(-(-order.reserved_cash_micro * left // intent.size_micro), order.reserved_cash_micro - paid)
        tokens = rules.token_ids[0], rules.token_ids[1]
        state = RestingOrder(
            intent.order_id,
            intent.portfolio_id,
            intent.condition_id,
            tokens,
            intent.token_id,
            intent.side,
            intent.limit_price_micro,
            intent.size_micro,
            joined_ms=book.time_ms,
            expires_ms=(intent.expiration_s - EXPIRES_EARLY_S) * 1000 if intent.expiration_s else 0,
            filled_micro=filled,
            fill_count=len(matched),
            ahead_micro=shown,
            shown_micro=shown,
            held_cash_micro=held if intent.side is Side.BUY else 0,
        )
        queue = self._queue(intent.condition_id, tokens)
        joined = queue.join(state)
        self._orders[intent.order_id] = order
        model = (*self._model.entries(), ("queue_ahead_at_join", str(joined.ahead_micro)), ("liquidity", "maker"))
        if queue.game_start_ms:
            # Kept with the order, and so over a restart.
            model += ((GAME_START_MS, str(queue.game_start_ms)),)
        return self._replace(replace(joined, model=model))

    def opened(self, order_id: str) -> list[OrderUpdate]:
        order = self._orders.get(order_id)
        if order is None:
            return []
        return self._updates(self._queues[order.intent.condition_id].opened(order_id))

    async def restore(self, kept: Sequence[tuple[ApprovedOrder, RestingOrder]]) -> None:
        """Hold exactly these orders from now on, with a gap before now."""
        self.release()
        self.is_open = True
        for order, state in kept:
            queue = self._queue(state.condition_id, state.token_ids)
            queue.restore(state)
            queue.game_start_ms = max(queue.game_start_ms, int(dict(state.model).get(GAME_START_MS, 0)))
            await self._taken.load(state.token_ids[0])
            self._orders[state.order_id] = order
        tokens = list(self._condition_by_token)
        if tokens:
            # Followed anew, so that whole books are told: the queue waits for them.
            await self._stream.unfollow(tokens)
            await self._stream.follow(tokens)

    def release(self) -> None:
        """Own nothing any more: another process may, and what rests is in the store."""
        self.is_open = False
        self._queues.clear()
        self._orders.clear()
        self._ended.clear()
        self._condition_by_token.clear()

    # What happens to them

    @asynccontextmanager
    async def turn(self, condition_id: str) -> AsyncIterator[None]:
        """One at a time in each market: what an event did is booked before the next one is heard."""
        async with self._turns.setdefault(condition_id, asyncio.Lock()):
            yield

    async def updates(self) -> AsyncGenerator[OrderUpdate]:
        async for event in self._stream.events():
            async with aclosing(self.heard(event)) as updates:
                async for update in updates:
                    yield update

    async def heard(self, event: StreamEvent) -> AsyncGenerator[OrderUpdate]:
        """What one event did, and what else has ended in its market by now, with the market's turn held."""
        condition_id = self.condition_of(event)
        if condition_id is None:
            return
        async with self.turn(condition_id):
            for update in [*self.observe(event), *self.sweep(condition_id)]:
                yield update

    def condition_of(self, event: StreamEvent) -> str | None:
        if isinstance(event, MarketResolvedSeen):
            return event.condition_id if event.condition_id in self._queues else None
        if isinstance(event, GapSeen):
            for token_id in event.token_ids:
                found = self._condition_by_token.get(token_id)
                if found is not None:
                    return found
            return None
        token_id = event.book.token_id if isinstance(event, BookSeen) else event.token_id
        return self._condition_by_token.get(token_id)

    def observe(self, event: StreamEvent) -> list[OrderUpdate]:
        condition_id = self.condition_of(event)
        if condition_id is None:
            return []
        if isinstance(event, GapSeen):
            # It may be about several markets, and fills nothing in any of them.
            for queue in self._queues.values():
                queue.see(event)
            return []
        told = self._queues[condition_id]
        # Time is what the venue says it is: whatever expired before this event is gone before it.
        updates = self._updates(told.expire(event.time_ms))
        before = told.places()
        updates += self._updates(told.see(event))
        if isinstance(event, (LevelSeen, BookSeen)):
            self._dump_state(told, before)
        return updates

    def _dump_state(self, queue: MarketQueue, before: dict[LevelKey, int]) -> None:
        after = queue.places()
        for place in before.keys() | after.keys():
            old, new = before.get(place, 0), after.get(place, 0)
            if old == new:
                continue
            self._taken.see(queue.token_ids[0], place, new, after)
            met = queue.meet(place, new - old) if new > old else 0
            if met:
                self._taken.add(queue.token_ids[0], place, met, new)

    def sweep(self, condition_id: str) -> list[OrderUpdate]:
        queue = self._queues.get(condition_id)
        ended = self._ended.pop(condition_id, [])
        if queue is None:
            return ended
        return ended + self._updates(queue.expire(self._now_ms()))

    def meet(self, intent: OrderIntent, worst_price_micro: int) -> None:
        """An order takes up to this price: the portfolio's own orders on its way are cancelled, not matched (assumed)."""
        queue = self._queues.get(intent.condition_id)
        if queue is None:
            return
        index = queue.token_ids.index(intent.token_id)
        side = Side.SELL if intent.side is Side.BUY else Side.BUY
        (ladder, price), _ = queue.level(index, side, worst_price_micro)
        for state in list(queue.orders.values()):
            mine = state.portfolio_id == intent.portfolio_id and state.order_id != intent.order_id
            if mine and queue.is_open(state.order_id) and state.ladder == ladder and state.ladder_price_micro >= price:
                update = self._end(state, SELF_MATCH)
                self._ended.setdefault(intent.condition_id, []).append(update)

    def cancel(self, order_id: str, reason: str) -> bool:
        """Take an order off the book, to be told by the next ``sweep``; False if it does not rest here (any more)."""
        order = self._orders.get(order_id)
        if order is None or not self._queues[order.intent.condition_id].is_open(order_id):
            return False
        update = self._end(self._queues[order.intent.condition_id].orders[order_id], reason)
        self._ended.setdefault(order.intent.condition_id, []).append(update)
        return True

    def forget(self, order_id: str) -> None:
        order = self._orders.pop(order_id, None)
        if order is not None:
            self._queues[order.intent.condition_id].leave(order_id)

    def states(self) -> dict[str, RestingOrder]:
        return {order_id: state for queue in self._queues.values() for order_id, state in queue.orders.items()}

    def waiting(self) -> set[str]:
        """The markets in which something has ended that nobody has asked for yet."""
        return set(self._ended)

    async def tidy(self) -> None:
        """Let go of the markets in which nothing rests any more."""
        idle = [queue for queue in self._queues.values() if not queue.orders and queue.condition_id not in self._ended]
        for queue in idle:
            del self._queues[queue.condition_id]
            for token_id in queue.token_ids:
                del self._condition_by_token[token_id]
        if idle:
            await self._stream.unfollow([token_id for queue in idle for token_id in queue.token_ids])

    # Inside

    def _now_ms(self) -> int:
        return round(self._clock.now().timestamp() * 1000)

    def _queue(self, condition_id: str, token_ids: tuple[str, str]) -> MarketQueue:
        queue = self._queues.get(condition_id)
        if queue is None:
            queue = self._queues[condition_id] = MarketQueue(condition_id, token_ids, self._model)
            self._condition_by_token |= dict.fromkeys(token_ids, condition_id)
        return queue

    def _replace(self, state: RestingOrder) -> RestingOrder:
        self._queues[state.condition_id].orders[state.order_id] = state
        return state

    def _end(self, state: RestingOrder, reason: str) -> OrderUpdate:
        self._queues[state.condition_id].leave(state.order_id)
        gone = Outcome(replace(state, held_cash_micro=0), OrderStatus.CANCELED, None, state.held_cash_micro, reason)
        return self._updates([gone])[0]

    def _updates(self, outcomes: list[Outcome]) -> list[OrderUpdate]:
        updates = []
        for outcome in outcomes:
            state = outcome.order
            order = self._orders[state.order_id]
            if outcome.status is not OrderStatus.PARTIALLY_FILLED:
                del self._orders[state.order_id]
            released = outcome.held_before_micro - state.held_cash_micro
            updates.append(
                OrderUpdate(order, state, outcome.status, outcome.fill, released, self._clock.now(), outcome.reason)
            )
        return updates
