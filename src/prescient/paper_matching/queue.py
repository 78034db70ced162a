"""Where our resting orders stand in a real market's queue: reduced by what the venue tells, filled on prints alone.

Beside book.py, which walks a book for takers. Everything is in terms of the unified book's two ladders (a SELL of one
token at p is a bid for the other at 1-p), so both tokens' messages count alike.
The model "cancels_behind_first" keeps each order's ``ahead`` an upper bound of what truly stands before it:
- at join it is all that the level displays, and what our own fills there have spared (see below);
- a print at the level eats it from the front; what is left over fills us, our own orders sharing each print by time;
- a print at a worse price (through ours) means that nothing is ahead any more, and fills us up to its size;
- the level's displayed size bounds it: cancels reduce it only when the level is smaller than the queue ahead;
- a level or a whole book that vanishes without prints leaves it as it was, and is a gap until it is displayed again;
- across a gap nothing fills; then it is at most what the level displays: nobody who came later stands before us.
The real book does not know of our orders: shares that we were given went to somebody behind us in it, who would still be
there. Those are ``spared`` at that level and stand before whoever of ours joins later.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import replace

from polymarket_kit.model import Side
from polymarket_kit.order_ends import OrderEnd
from polymarket_kit.rules import on_grid
from polymarket_kit.values import MICRO
from prescient.domain.market import OrderBook
from prescient.domain.order import Fill, OrderStatus
from prescient.domain.resting import RestingOrder
from prescient.domain.stream import BookSeen, GapSeen, LevelSeen, MarketResolvedSeen, PrintSeen, StreamEvent, TickSeen
from prescient.paper_matching.queue_model import LevelKey, Outcome, QueueModel

PRINTS_REMEMBERED = 64


class MarketQueue:
    """Our resting orders in one market, oldest first, and the levels of its unified book as last told."""

    def __init__(self, condition_id: str, token_ids: tuple[str, str], model: QueueModel) -> None:
        self.condition_id = condition_id
        self.token_ids = token_ids
        self.orders: dict[str, RestingOrder] = {}
        self._model = model
        self._levels: dict[LevelKey, int] = {}
        # Tokens of whose book nothing is known now.
        self._unknown = set(token_ids)
        self._spared: dict[LevelKey, int] = {}
        # Printed at a place, and not yet seen to be gone from its level.
        self._printed: dict[LevelKey, int] = {}
        # By order: by how much, and when, a shrinking level reduced the queue ahead.
        self._falls: dict[str, deque[tuple[int, int]]] = {}
        # The latest prints: one that is told twice, or for both tokens, is one trade.
        self._prints: deque[tuple[int, LevelKey, int]] = deque(maxlen=PRINTS_REMEMBERED)
        # By order: the shares that would have met it without a print.
        self._met: dict[str, int] = {}
        # Orders before which everything is gone though nothing was printed, and when that was told.
        self._vanished: dict[str, int] = {}
        # When the venue clears this book, once; 0: never.
        self.game_start_ms = 0
        # Not in the books yet: what reaches them is not credited, and what ends them is told when they are.
        self._held_back: dict[str, str] = {}

    def is_known(self) -> bool:
        """Whether the whole book was seen since the last gap."""
        return not self._unknown

    def displayed(self, ladder: int, price_micro: int) -> int:
        """What a level displays now, and what our fills have spared there."""
        place = ladder, price_micro
        return self._levels.get(place, 0) + self._spared.get(place, 0)

    def level(self, token_index: int, side: Side, price_micro: int) -> tuple[LevelKey, int]:
        """Where one price of one token's book lies in the unified book, and what it displays."""
        place = self._place(token_index, side, price_micro)
        return place, self._levels.get(place, 0)

    def places(self) -> dict[LevelKey, int]:
        """Everything that is displayed."""
        return dict(self._levels)

    def meet(self, place: LevelKey, grown_micro: int) -> int:
        """How many of a level's new shares would have met our orders that they cross, though nobody printed that trade.

        Ours stay unfilled, for lack of evidence; but those shares are not there for our takers, and meet each of ours once.
        """
        ladder, price = place
        crossed = [
            one for one in self.orders.values() if one.ladder != ladder and one.ladder_price_micro + price >= MICRO
        ]
        left = grown_micro
        for order in sorted(crossed, key=lambda one: -one.ladder_price_micro):
            met = self._met.get(order.order_id, 0)
            meets = min(left, max(order.left_micro - met, 0))
            if meets:
                self._met[order.order_id] = met + meets
                left -= meets
        return grown_micro - left

    def join(self, order: RestingOrder) -> RestingOrder:
        """Put an order behind all that its level displays; nothing is credited until ``opened``.

        ``order.ahead_micro`` is what a book fetched for it displayed there; the larger of the two counts.
        """
        shown = self._levels.get((order.ladder, order.ladder_price_micro), 0)
        ahead = max(order.ahead_micro, self.displayed(order.ladder, order.ladder_price_micro))
        joined = replace(order, ahead_micro=ahead, shown_micro=max(shown, order.shown_micro), in_gap=True)
        self.orders[order.order_id] = joined
        self._held_back[order.order_id] = ""
        return joined

    def opened(self, order_id: str) -> list[Outcome]:
        """From now on an order may be filled: it is in the books. Returns its end if it ended meanwhile."""
        reason = self._held_back.pop(order_id, "")
        if order_id not in self.orders:
            return []
        if reason:
            return [self._end(order_id, OrderStatus.CANCELED, reason)]
        if self.is_known():
            self._take_place(self.orders[order_id])
        return []

    def is_open(self, order_id: str) -> bool:
        """Whether an order rests here and is in the books."""
        return order_id in self.orders and order_id not in self._held_back

    def restore(self, order: RestingOrder) -> None:
        """Take in an order from the books. What happened meanwhile is unknown: a gap."""
        self.orders[order.order_id] = replace(order, in_gap=True)

    def leave(self, order_id: str) -> RestingOrder | None:
        """Take an order out of the queue; None if it is not there."""
        self._falls.pop(order_id, None)
        self._met.pop(order_id, None)
        self._vanished.pop(order_id, None)
        self._held_back.pop(order_id, None)
        return self.orders.pop(order_id, None)

    def see(self, event: StreamEvent) -> list[Outcome]:
        """Take in what the venue told; return what it did to our orders, in order."""
        if isinstance(event, PrintSeen):
            return self._print(event)
        if isinstance(event, LevelSeen):
            index = self.token_ids.index(event.token_id)
            place = self._place(index, event.side, event.price_micro)
            self._change({place: event.size_micro}, event.time_ms)
        elif isinstance(event, BookSeen):
            self._book(event.book, event.time_ms)
        elif isinstance(event, GapSeen):
            self._lose(event.token_ids)
        elif isinstance(event, MarketResolvedSeen):
            return self._end_all(list(self.orders), OrderEnd.RESOLUTION)
        else:
            return self._tick(event)
        return []

    def expire(self, now_ms: int) -> list[Outcome]:
        """End the orders whose moment has come, and all that rested when the game started."""
        start_ms = self.game_start_ms
        if not 0 < start_ms <= now_ms:
            return self._expire(now_ms)
        self.game_start_ms = 0
        outcomes = self._expire(start_ms)
        rested = [order.order_id for order in self.orders.values() if order.joined_ms < start_ms]
        return outcomes + self._end_all(rested, OrderEnd.GAME_START) + self._expire(now_ms)

    def _expire(self, now_ms: int) -> list[Outcome]:
        due = [one for one in self.orders.values() if 0 < one.expires_ms <= now_ms and self.is_open(one.order_id)]
        return [self._end(one.order_id, OrderStatus.EXPIRED, OrderEnd.EXPIRY.text) for one in due]

    # Levels

    def _place(self, token_index: int, side: Side, price_micro: int) -> LevelKey:
        """Where one price of one token's book lies in the unified book."""
        return (token_index, price_micro) if side is Side.BUY else (1 - token_index, MICRO - price_micro)

    def _at(self, place: LevelKey) -> list[RestingOrder]:
        return [order for order in self.orders.values() if (order.ladder, order.ladder_price_micro) == place]

    def _change(self, sizes: dict[LevelKey, int], time_ms: int) -> None:
        """Take in new sizes of levels, and what their going or coming back means for our orders."""
        vanished = [place for place, size_micro in sizes.items() if self._level(place, size_micro, time_ms)]
        if vanished and not self._levels:
            for order in [order for order in self.orders.values() if not order.in_gap]:
                self._vanish(order, time_ms)
        self._find_again()

    def _level(self, place: LevelKey, size_micro: int, time_ms: int) -> bool:
        """Take in a level's size; returns whether all of it is gone though not all of it was printed."""
        before, vanished = self._levels.get(place, 0), False
        if size_micro:
            self._levels[place] = size_micro
        else:
            self._levels.pop(place, None)
        if size_micro < before:
            explained = min(before - size_micro, self._printed.get(place, 0))
            self._printed[place] = self._printed.get(place, 0) - explained
            vanished = size_micro == 0 and before > explained
            if vanished:
                # Whoever stood here took everything down, those whom our fills had spared among them.
                self._spared.pop(place, None)
        if size_micro == 0:
            self._printed.pop(place, None)
        if size_micro > before:
            # Whoever our fills had spared at prices that this one meets would have met it.
            ladder, price = place
            for other in [other for other in self._spared if other[0] != ladder and other[1] + price >= MICRO]:
                del self._spared[other]
        for order in self._at(place):
            if vanished and order.ahead_micro and not order.in_gap:
                self._vanish(order, time_ms)
            else:
                self._bound(order, size_micro, time_ms)
        return vanished

    def _bound(self, order: RestingOrder, shown_micro: int, time_ms: int) -> None:
        """A level cannot hide more in front of us than it displays."""
        if order.in_gap:
            return
        most = shown_micro + self._spared.get((order.ladder, order.ladder_price_micro), 0)
        if order.ahead_micro > most and time_ms >= order.joined_ms:
            self._falls.setdefault(order.order_id, deque()).append((time_ms, order.ahead_micro - most))
            order = replace(order, ahead_micro=most)
        self.orders[order.order_id] = replace(order, shown_micro=shown_micro)

    def _book(self, book: OrderBook, time_ms: int) -> None:
        index = self.token_ids.index(book.token_id)
        told = {self._place(index, Side.BUY, level.price_micro): level.size_micro for level in book.bids}
        told |= {self._place(index, Side.SELL, level.price_micro): level.size_micro for level in book.asks}
        if self.is_known():
            places = self._levels.keys() | told.keys()
            changed = {at: told.get(at, 0) for at in places if self._levels.get(at, 0) != told.get(at, 0)}
            self._change(changed, time_ms)
            return
        self._levels = {place: size for place, size in told.items() if size}
        self._unknown.discard(book.token_id)
        if self.is_known():
            for order in list(self.orders.values()):
                self._take_place(order)

    def _take_place(self, order: RestingOrder) -> None:
        """After a gap: nobody who came later stands before us, and nobody who is gone."""
        if order.order_id in self._held_back:
            return
        self._vanish(order, 0)
        self._find_again()

    def _vanish(self, order: RestingOrder, time_ms: int) -> None:
        """Everything before an order is gone untraded: as well the venue may have wiped its book, and our order with it.

        So it keeps its place, and nothing but prints at its own price moves it until its level is displayed again.
        """
        self._vanished[order.order_id] = time_ms
        self.orders[order.order_id] = replace(order, shown_micro=0, in_gap=True)

    def _find_again(self) -> None:
        """A book is displayed again: nobody who came later stands before us. Who has a queue waits for its own level."""
        if not self._levels:
            return
        for order_id in list(self._vanished):
            order = self.orders[order_id]
            place = order.ladder, order.ladder_price_micro
            if self.displayed(*place) or order.ahead_micro == 0:
                self._rejoin(replace(order, ahead_micro=min(order.ahead_micro, self.displayed(*place))))

    def _rejoin(self, order: RestingOrder) -> None:
        del self._vanished[order.order_id]
        shown = self._levels.get((order.ladder, order.ladder_price_micro), 0)
        self.orders[order.order_id] = replace(order, shown_micro=shown, in_gap=False)

    def _lose(self, token_ids: Iterable[str]) -> None:
        lost = set(self.token_ids).intersection(token_ids)
        if not lost:
            return
        self._unknown |= lost
        self._falls.clear()
        self._printed.clear()
        self._vanished.clear()
        for order in list(self.orders.values()):
            self.orders[order.order_id] = replace(order, in_gap=True)

    # Prints

    def _print(self, event: PrintSeen) -> list[Outcome]:
        """A taker who buys a token at p takes offers of it, which are bids for the other token at 1-p."""
        index = self.token_ids.index(event.token_id)
        resting_side = Side.SELL if event.side is Side.BUY else Side.BUY
        place = self._place(index, resting_side, event.price_micro)
        told = event.time_ms, place, event.size_micro
        if told in self._prints:
            return []
        self._prints.append(told)
        self._printed[place] = min(self._printed.get(place, 0) + event.size_micro, self._levels.get(place, 0))
        outcomes: list[Outcome] = []
        left = event.size_micro
        for better in self._better(place):
            left -= self._pass(better, left, event.time_ms, outcomes)
        ours = self._reach(place, left, event.time_ms, outcomes, claims=True)
        self._spare(place, event.size_micro - left + ours)
        return outcomes

    def _better(self, place: LevelKey) -> list[LevelKey]:
        """The places before this one where anybody waits in a world with us, best first."""
        ladder, price = place
        ours = {(order.ladder, order.ladder_price_micro) for order in self.orders.values()}
        found = [other for other in ours | self._spared.keys() if other[0] == ladder and other[1] > price]
        return sorted(found, key=lambda other: -other[1])

    def _pass(self, place: LevelKey, volume_micro: int, time_ms: int, outcomes: list[Outcome]) -> int:
        """A taker went through a place: only those whom our fills had spared can still stand there. Returns what stayed."""
        spared = self._spared.get(place, 0)
        for order in self._at(place):
            told_ms = self._vanished.get(order.order_id)
            if told_ms is not None and time_ms - told_ms < self._model.level_before_print_ms:
                # Its level went by this very taker, and was told first.
                self._rejoin(order)
        for order in self._at(place):
            if self._can_fill(order, time_ms):
                self.orders[order.order_id] = replace(order, ahead_micro=min(order.ahead_micro, spared))
        ours = self._reach(place, volume_micro, time_ms, outcomes, claims=False)
        eaten = min(spared, volume_micro - ours)
        self._spare(place, -eaten)
        return ours + eaten

    def _spare(self, place: LevelKey, size_micro: int) -> None:
        left = self._spared.pop(place, 0) + size_micro
        if left:
            self._spared[place] = left

    def _reach(self, place: LevelKey, volume_micro: int, time_ms: int, outcomes: list[Outcome], *, claims: bool) -> int:
        """Let a print's volume pass the queue at one place, from the front; returns what our orders got of it."""
        ours = 0
        for order in self._at(place):
            if not self._can_fill(order, time_ms, at_its_price=claims):
                continue
            volume = volume_micro - ours
            if claims:
                volume -= self._claim(order.order_id, volume, time_ms)
            reached = max(volume - order.ahead_micro, 0)
            order = replace(order, ahead_micro=max(order.ahead_micro - volume, 0))
            self.orders[order.order_id] = order
            if order.order_id in self._vanished and order.ahead_micro == 0:
                # All that stood before it was printed after all.
                self._rejoin(order)
            ours += self._fill(self.orders[order.order_id], reached, outcomes)
        return ours

    def _can_fill(self, order: RestingOrder, time_ms: int, *, at_its_price: bool = False) -> bool:
        heard = not order.in_gap or (at_its_price and order.ahead_micro > 0 and order.order_id in self._vanished)
        return heard and time_ms >= order.joined_ms

    def _claim(self, order_id: str, volume_micro: int, time_ms: int) -> int:
        """How much of a print had reduced this order's queue already, by a fall of the level that was told first."""
        falls, claimed = self._falls.get(order_id), 0
        while falls and claimed < volume_micro:
            fell_ms, size = falls.popleft()
            if time_ms - fell_ms >= self._model.level_before_print_ms:
                continue
            taken = min(size, volume_micro - claimed)
            claimed += taken
            if taken < size:
                falls.appendleft((fell_ms, size - taken))
        return claimed

    def _fill(self, order: RestingOrder, reached_micro: int, outcomes: list[Outcome]) -> int:
        """Give an order what reached it; return how much that was."""
        size = min(reached_micro, order.left_micro)
        if size <= 0:
            self.orders[order.order_id] = order
            return 0
        after, cost = order.filled(size)
        fill = Fill(order.price_micro, size, cost, 0)
        if after.left_micro == 0:
            self.leave(order.order_id)
            status = OrderStatus.FILLED
        else:
            self.orders[order.order_id] = after
            status = OrderStatus.PARTIALLY_FILLED
        outcomes.append(Outcome(after, status, fill, order.held_cash_micro))
        return size

    # Ends

    def _tick(self, event: TickSeen) -> list[Outcome]:
        """The venue takes what is off the new grid off the book; the book is to be read afresh."""
        tick = event.tick_micro
        gone = [order.order_id for order in self.orders.values() if not on_grid(order.price_micro, tick)]
        outcomes = self._end_all(gone, OrderEnd.NEW_TICK)
        self._lose([event.token_id])
        return outcomes

    def _end_all(self, order_ids: list[str], end: OrderEnd) -> list[Outcome]:
        for order_id in order_ids:
            if order_id in self._held_back:
                self._held_back[order_id] = end.text
        free = [order_id for order_id in order_ids if order_id not in self._held_back]
        return [self._end(order_id, OrderStatus.CANCELED, end.text) for order_id in free]

    def _end(self, order_id: str, status: OrderStatus, reason: str) -> Outcome:
        order = self.leave(order_id)
        assert order is not None
        return Outcome(replace(order, held_cash_micro=0), status, None, order.held_cash_micro, reason)
