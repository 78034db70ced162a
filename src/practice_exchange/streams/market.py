"""The market channel: subscriptions to tokens, first books, and updates from then on."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from practice_exchange.engine.events import Event, LevelChanged, TickChanged, TradeEvent
from practice_exchange.engine.settlement import TradeStatus
from practice_exchange.streams.announcements import Announcer
from practice_exchange.streams.faults import StreamFaults
from practice_exchange.streams.frames import INVALID_FRAME, NOTHING_NEW_FRAME, text_frame
from practice_exchange.streams.market_broadcaster import MarketBroadcaster
from practice_exchange.streams.requests import UNSUBSCRIBE, MarketRequest
from practice_exchange.streams.socket import StreamSocket
from practice_exchange.venue.venue_engine import VenueEngine
from practice_exchange.world.state import MarketState
from practice_exchange.world.world import WorldView

# From so many tokens on, a socket gets no first books, without notice: seen on the venue at 500 to 750 (500 assumed).
SNAPSHOT_TOKENS_MAX = 499


class MarketChannel:
    """Boards by condition id, one for each market that somebody reads."""

    def __init__(
        self, world: WorldView, venue_engine: VenueEngine, faults: StreamFaults, transaction_hash: Callable[[int], str]
    ) -> None:
        self._world = world
        self._venue_engine = venue_engine
        self._faults = faults
        self._transaction_hash = transaction_hash
        self._broadcasters: dict[str, MarketBroadcaster] = {}
        # Who gets news of the whole venue.
        self._custom: dict[StreamSocket, None] = {}
        self._announcer = Announcer(world.register)

    # What clients ask

    def wanted(self, request: MarketRequest) -> list[MarketState]:
        """The markets of a request that must be listed in the engine before they can be read."""
        if request.operation == UNSUBSCRIBE:
            return []
        named = (self._open_token(token_id) for token_id in request.assets_ids)
        markets = {market.condition_id: market for market, _ in filter(None, named)}
        find = self._venue_engine.engine.find_market
        return [market for market in markets.values() if find(market.condition_id) is None]

    def apply(self, socket: StreamSocket, request: MarketRequest, first: bool) -> None:
        """Change what a socket reads and answer with the first books. ``first`` says that nothing came before this."""
        if request.custom_feature_enabled is not None:
            self._set_custom(socket, request.custom_feature_enabled)
        if request.operation == UNSUBSCRIBE:
            for token_id in request.assets_ids:
                self._leave(socket, token_id)
            return
        fresh = [token_id for token_id in dict.fromkeys(request.assets_ids) if token_id not in socket.tokens]
        if not fresh:
            # A first subscription may name nothing: it then gets news of the venue only.
            if not first:
                socket.answer(NOTHING_NEW_FRAME)
            return
        kept = [token_id for token_id in fresh if not self._faults.loses_token()]
        joined = [token_id for token_id in kept if self._join(socket, token_id)]
        if not request.initial_dump or not kept or len(socket.tokens) > SNAPSHOT_TOKENS_MAX:
            return
        if self._faults.skips_snapshot():
            return
        socket.put(text_frame(b"[" + b",".join(self._first_books(joined)) + b"]"))

    def refuse(self, socket: StreamSocket) -> None:
        """Answer what cannot be understood."""
        socket.answer(INVALID_FRAME)

    def leave(self, socket: StreamSocket) -> None:
        """Forget a socket."""
        for token_id in list(socket.tokens):
            self._leave(socket, token_id)
        self._set_custom(socket, False)

    # What happens

    def on_events(self, events: Sequence[Event]) -> None:
        """Send subscribers what one step changed."""
        boards = self._broadcasters
        if not boards:
            return
        touched: dict[MarketBroadcaster, None] = {}
        for event in events:
            if isinstance(event, LevelChanged):
                broadcaster = boards.get(event.condition_id)
                if broadcaster is not None:
                    touched[broadcaster] = None
                    broadcaster.collect(event)
            elif isinstance(event, TradeEvent):
                broadcaster = boards.get(event.trade.condition_id)
                if broadcaster is not None and event.status is TradeStatus.MATCHED:
                    touched[broadcaster] = None
                    broadcaster.trades.append(event.trade)
            elif isinstance(event, TickChanged):
                broadcaster = boards.get(event.condition_id)
                if broadcaster is not None:
                    touched[broadcaster] = None
                    broadcaster.ticks.append(event)
        for broadcaster in touched:
            broadcaster.publish()

    def look_around(self) -> None:
        """Announce what was listed and resolved since the last call."""
        if not self._custom:
            return
        for frame in self._announcer.look():
            for socket in self._custom:
                socket.put(frame)

    # Readers

    def _open_token(self, token_id: str) -> tuple[MarketState, int] | None:
        """The market of a token, if there is one with an order book."""
        found = self._world.register.tokens.get(token_id)
        if found is None or found[0].closed or not found[0].order_book_enabled:
            return None
        return found

    def _join(self, socket: StreamSocket, token_id: str) -> bool:
        """Subscribe a socket to a token; False if there is no such open token."""
        found = self._open_token(token_id)
        if found is None:
            return False
        market, index = found
        broadcaster = self._broadcasters.get(market.condition_id)
        if broadcaster is None:
            engine_market = self._venue_engine.engine.find_market(market.condition_id)
            if engine_market is None:
                return False
            broadcaster = MarketBroadcaster(market, engine_market, self._faults, self._transaction_hash)
            self._broadcasters[market.condition_id] = broadcaster
        broadcaster.join(socket, index)
        socket.tokens.add(token_id)
        return True

    def _leave(self, socket: StreamSocket, token_id: str) -> None:
        if token_id not in socket.tokens:
            return
        socket.tokens.discard(token_id)
        engine_market, index = self._venue_engine.engine.listed(token_id)
        broadcaster = self._broadcasters[engine_market.condition_id]
        broadcaster.leave(socket, index)
        if not broadcaster.everyone:
            del self._broadcasters[engine_market.condition_id]

    def _first_books(self, token_ids: list[str]) -> list[bytes]:
        books = []
        for token_id in token_ids:
            engine_market, index = self._venue_engine.engine.listed(token_id)
            if token_id not in self._faults.stalled_tokens:
                books.append(self._broadcasters[engine_market.condition_id].book(index, first=True))
        return books

    def _set_custom(self, socket: StreamSocket, custom: bool) -> None:
        socket.custom = custom
        if custom:
            if not self._custom:
                self._announcer.begin()
            self._custom[socket] = None
        else:
            self._custom.pop(socket, None)
            if not self._custom:
                self._announcer.end()
