"""Broadcasts one market: the changes of a step become frames, each written once and sent to all subscribers."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha1

from polymarket_kit.model import Side
from polymarket_kit.values import MICRO
from practice_exchange.books.render import book_json
from practice_exchange.engine.events import LevelChanged, TickChanged
from practice_exchange.engine.markets import Market
from practice_exchange.engine.orders import POINT_MICRO, POINTS
from practice_exchange.engine.settlement import Trade
from practice_exchange.streams import frames
from practice_exchange.streams.faults import StreamFaults
from practice_exchange.streams.socket import StreamSocket
from practice_exchange.world.state import MarketState


class MarketBroadcaster:
    """The readers of one market and what they have been shown of it.

    The effects of one request are sent together: prints, then one ``frames.price_change`` with every level that is not what it was,
    then best prices, then whole books of the tokens that were traded (the order is assumed: undocumented).
    """

    def __init__(
        self, market: MarketState, engine_market: Market, faults: StreamFaults, transaction_hash: Callable[[int], str]
    ) -> None:
        self.market = market
        self.engine_market = engine_market
        # By token, in order of subscription; and all of both once.
        self.readers: tuple[dict[StreamSocket, None], dict[StreamSocket, None]] = ({}, {})
        self.everyone: tuple[StreamSocket, ...] = ()
        # What happened in the step that is being heard.
        self.levels: dict[int, LevelChanged] = {}
        self.trades: list[Trade] = []
        self.ticks: list[TickChanged] = []
        self._faults = faults
        self._transaction_hash = transaction_hash
        # As the first books show it: bids of the first token on its own ladder, its offers as bids for the other.
        book = market.book
        bids = ((0, price, size) for price, size in zip(book.bid_prices, book.bid_sizes, strict=True))
        asks = ((1, MICRO - price, size) for price, size in zip(book.ask_prices, book.ask_sizes, strict=True))
        self._shown = {number * POINTS + price // POINT_MICRO: size for number, price, size in (*bids, *asks)}
        self._best = self._best_points()

    def join(self, socket: StreamSocket, token_index: int) -> None:
        self.readers[token_index][socket] = None
        self.everyone = tuple({**self.readers[0], **self.readers[1]})

    def leave(self, socket: StreamSocket, token_index: int) -> None:
        self.readers[token_index].pop(socket, None)
        self.everyone = tuple({**self.readers[0], **self.readers[1]})

    def collect(self, event: LevelChanged) -> None:
        """Collect the last change of each level in a step."""
        self.levels[event.ladder * POINTS + event.points] = event

    def book(self, token_index: int, first: bool = False) -> bytes:
        """A ``book`` event, not framed."""
        return frames.book_event(book_json(self.market, token_index), first)

    def publish(self) -> None:
        """Send what the step did, and forget it."""
        condition_id, token_ids = self.market.condition_id, self.engine_market.token_ids
        afresh: dict[str, None] = {}
        for tick in self.ticks:
            for index, token_id in enumerate(token_ids):
                frame = frames.tick_change(
                    condition_id, token_id, tick.old_tick_micro, tick.new_tick_micro, tick.time_ms
                )
                self._send(index, frame)
                afresh[token_id] = None
        for trade in self.trades:
            frame = frames.last_trade(trade, self._transaction_hash(trade.trade_id))
            self._send(token_ids.index(trade.token_id), frame)
            afresh[trade.token_id] = None
            for maker in trade.makers:
                afresh[maker.token_id] = None
        if self.levels:
            self._tell_levels()
        for token_id in afresh:
            index = token_ids.index(token_id)
            if self.readers[index]:
                self._send(index, frames.text_frame(self.book(index)))
        self.ticks.clear()
        self.trades.clear()

    def _tell_levels(self) -> None:
        """Both tokens' views of each level that changed, in one message; the best prices are those after all of it."""
        shown, texts, token_ids = self._shown, frames.price_texts(), self.engine_market.token_ids
        best = self._best_points()
        stalled = self._faults.stalled_tokens
        # A token's best bid is its own ladder's top, its best ask the mirror of the other's; 0 and 1 where there is none.
        bids = (texts[best[0]], texts[best[1]])
        asks = (texts[POINTS - best[1]], texts[POINTS - best[0]])
        legs: list[str] = []
        time_ms = 0
        for place, event in self.levels.items():
            size_micro, time_ms = event.size_micro, event.time_ms
            if shown.get(place, 0) == size_micro:
                continue
            if size_micro:
                shown[place] = size_micro
            else:
                shown.pop(place)
            number, points = event.ladder, event.points
            size, own, other = frames.size_text(size_micro), token_ids[number], token_ids[1 - number]
            for token_id, price, side, seen in (
                (own, texts[points], Side.BUY, number),
                (other, texts[POINTS - points], Side.SELL, 1 - number),
            ):
                if token_id not in stalled:
                    # Opaque, and different for every change of every token: clients drop what they have seen.
                    identity = f"{event.order_id}/{token_id}/{price}/{size}/{time_ms}".encode()
                    change_hash = sha1(identity, usedforsecurity=False).hexdigest()
                    legs.append(frames.change_leg(token_id, price, size, side, change_hash, bids[seen], asks[seen]))
        self.levels.clear()
        if legs:
            frame = frames.price_change(self.market.condition_id, legs, time_ms)
            for socket in self.everyone:
                socket.put(frame)
        if best != self._best:
            self._best = best
            self._tell_best(best, time_ms)

    def _tell_best(self, best: tuple[int, int], time_ms: int) -> None:
        for index, token_id in enumerate(self.engine_market.token_ids):
            custom = [socket for socket in self.readers[index] if socket.custom]
            if custom and token_id not in self._faults.stalled_tokens:
                bid, ask = best[index], POINTS - best[1 - index]
                frame = frames.best_prices(self.market.condition_id, token_id, bid, ask, time_ms)
                for socket in custom:
                    socket.put(frame)

    def _send(self, token_index: int, frame: bytes) -> None:
        if self.engine_market.token_ids[token_index] not in self._faults.stalled_tokens:
            for socket in self.readers[token_index]:
                socket.put(frame)

    def _best_points(self) -> tuple[int, int]:
        """The highest bid for each token, in points; 0 where there is none."""
        first, second = self.engine_market.ladders
        return (first.points[-1] if first.points else 0, second.points[-1] if second.points else 0)
