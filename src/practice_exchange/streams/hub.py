"""Both websockets of the practice exchange: accepts clients, reads their subscriptions, and sends what each step changes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import count

import msgspec
import structlog
from aiohttp import WSMessage, WSMsgType, web

from practice_exchange.engine.events import Event
from practice_exchange.streams.faults import ChannelName, StreamFaults
from practice_exchange.streams.frames import PONG_FRAME
from practice_exchange.streams.market import MarketChannel
from practice_exchange.streams.requests import PING, MarketRequest, read_market_request, read_user_request
from practice_exchange.streams.socket import UNREAD_MAX_BYTES, StreamSocket
from practice_exchange.streams.user import UserChannel, Wording
from practice_exchange.venue.accounts import KeyRing
from practice_exchange.venue.venue_engine import VenueEngine
from practice_exchange.web.responses import Answer, clob_invalid, json_answer
from practice_exchange.web.route import Request
from practice_exchange.world.world import WorldView

log = structlog.get_logger("prescient.practice")

# Asks the exchange: method, path, query, body, headers.
Ask = Callable[[str, str, str, bytes, Mapping[str, str]], Awaitable[Answer]]
CHANNELS: dict[str, ChannelName] = {"/ws/market": "market", "/ws/user": "user"}
WATCH_PATH = "/practice/watch"
# How long a socket may say nothing before it is closed (the venue closes such sockets; after how long is assumed).
PATIENCE_S = 30.0
# A subscription to ten thousand tokens has less than a tenth of this.
MESSAGE_MAX_BYTES = 4 * 1024 * 1024
SOCKETS_MAX = 1_000
# How long a client may take to answer a good-bye.
GOODBYE_S = 1.0
# So many markets are listed before other requests get a turn.
WATCHED_AT_ONCE = 20
# The world waits for readers that have more than this unread, as long as they get on by so much in so long.
BACKLOG_LOW_BYTES = 2 * 1024 * 1024
PROGRESS_BYTES = 128 * 1024
PROGRESS_S = 1.0
POLL_S = 0.005
POLICY_VIOLATION = 1008
GOING_AWAY = 1001


class _Watch(msgspec.Struct, forbid_unknown_fields=True):
    tokens: list[str]


class Streams:
    """The hub of ``/ws/market`` and ``/ws/user``. ``faults`` are its injected faults.

    The engine's events become frames at once; they wait in each socket until the event loop's present
    turn is over, so that one step of the world is one write per socket.
    """

    def __init__(
        self,
        world: WorldView,
        venue_engine: VenueEngine,
        render: Wording,
        keys: KeyRing,
        *,
        patience_s: float = PATIENCE_S,
        unread_max_bytes: int = UNREAD_MAX_BYTES,
    ) -> None:
        self.faults = StreamFaults(world.seed)
        self.market = MarketChannel(world, venue_engine, self.faults, render.transaction_hash)
        self.user = UserChannel(keys, render)
        self.patience_s = patience_s
        self.unread_max_bytes = unread_max_bytes
        self.backlog_low_bytes = BACKLOG_LOW_BYTES
        self._world = world
        self._venue_engine = venue_engine
        self._numbers = count(1)
        self._open: dict[StreamSocket, web.WebSocketResponse] = {}
        self._waiting: list[StreamSocket] = []
        venue_engine.listeners.append(self._on_events)
        venue_engine.watchers.append(self.market.look_around)

    def watch(self, request: Request) -> Answer:
        """List the markets of some tokens in the engine.

        As a first order would: readers of a market need it there. It is a request like any other so that it can be
        repeated after a crash.
        """
        try:
            tokens = msgspec.json.decode(request.body, type=_Watch).tokens
        except msgspec.MsgspecError as error:
            raise clob_invalid(f'Send {{"tokens": ["..."]}}: {error}') from None
        for market in self.market.wanted(MarketRequest(tokens)):
            self._venue_engine.enter(market)
        return json_answer({"watched": len(tokens)})

    # Connections

    def serves(self, path: str) -> bool:
        """Whether a path is one of the two websockets."""
        return path.rstrip("/") in CHANNELS

    async def serve(self, request: web.BaseRequest, ask: Ask) -> web.StreamResponse:
        """Talk with one client until it leaves; ``ask`` asks the exchange as a request over HTTP would."""
        response = web.WebSocketResponse(timeout=GOODBYE_S, compress=False, max_msg_size=MESSAGE_MAX_BYTES)
        if not response.can_prepare(request):
            return web.Response(status=400, text="Bad Request: this address speaks websocket only\n")
        if len(self._open) >= SOCKETS_MAX:
            return web.Response(status=503, text="Too many websockets are open\n")
        await response.prepare(request)
        transport = request.transport
        if transport is None:
            return response
        channel = CHANNELS[request.path.rstrip("/")]
        number = next(self._numbers)
        socket = StreamSocket(number, channel, transport, self.faults, self._wake, self.unread_max_bytes)
        self._open[socket] = response
        self.faults.enlist(socket)
        try:
            await self._talk(socket, response, ask)
        finally:
            self._forget(socket)
        return response

    async def apply_backpressure(self) -> None:
        """Wait for slow consumers before the world moves on: it can produce frames faster than they can be read.

        Who hardly reads is not waited for, and is cut off when too much has piled up.
        """
        loop = asyncio.get_running_loop()
        for socket in list(self._open):
            seen_bytes, seen_s = socket.unread_bytes, loop.time()
            if seen_bytes <= self.backlog_low_bytes:
                socket.abandoned = False
            while socket.unread_bytes > self.backlog_low_bytes and not socket.abandoned and socket in self._open:
                await asyncio.sleep(POLL_S)
                if loop.time() - seen_s > PROGRESS_S:
                    socket.abandoned = socket.unread_bytes > seen_bytes - PROGRESS_BYTES
                    seen_bytes, seen_s = socket.unread_bytes, loop.time()

    async def close(self) -> None:
        """Close all sockets."""
        for socket in self._open:
            socket.flush()
            socket.end()
        leaving = [
            response.close(code=GOING_AWAY, message=b"the exchange is closing") for response in self._open.values()
        ]
        await asyncio.gather(*leaving)

    async def _talk(self, socket: StreamSocket, response: web.WebSocketResponse, ask: Ask) -> None:
        try:
            first = await response.receive(timeout=self.patience_s)
        except TimeoutError:
            await response.close(code=POLICY_VIOLATION, message=b"no subscription")
            return
        if first.type in (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR):
            return
        if not await self._begin(socket, _text(first), ask):
            await response.close(code=POLICY_VIOLATION, message=b"invalid subscription payload")
            return
        async for message in response:
            text = _text(message)
            if text == PING:
                socket.answer(PONG_FRAME)
            else:
                await self._go_on(socket, text, ask)

    async def _begin(self, socket: StreamSocket, text: str, ask: Ask) -> bool:
        """The first message has to subscribe; even a PING before it ends the connection."""
        if socket.channel == "user":
            login = read_user_request(text)
            return login is not None and self.user.log_in(socket, login)
        request = read_market_request(text)
        if request is None:
            return False
        await self._subscribe(socket, request, ask, first=True)
        return True

    async def _go_on(self, socket: StreamSocket, text: str, ask: Ask) -> None:
        if socket.channel == "user":
            change = read_user_request(text)
            if change is None:
                self.user.refuse(socket)
            else:
                self.user.apply(socket, change)
            return
        request = read_market_request(text)
        if request is None:
            self.market.refuse(socket)
        else:
            await self._subscribe(socket, request, ask, first=False)

    async def _subscribe(self, socket: StreamSocket, request: MarketRequest, ask: Ask, first: bool) -> None:
        wanted = self.market.wanted(request)
        for start in range(0, len(wanted), WATCHED_AT_ONCE):
            tokens = [market.token_ids[0] for market in wanted[start : start + WATCHED_AT_ONCE]]
            await ask("POST", WATCH_PATH, "", msgspec.json.encode(_Watch(tokens)), {})
            await asyncio.sleep(0)
        self.market.apply(socket, request, first)

    def _forget(self, socket: StreamSocket) -> None:
        socket.end()
        self.market.leave(socket)
        self.user.leave(socket)
        self.faults.dismiss(socket)
        self._open.pop(socket, None)
        if socket.too_slow:
            log.warning("a websocket was cut off", channel=socket.channel, reason="it left too much unread")

    # Sending

    def _on_events(self, events: Sequence[Event]) -> None:
        if self._open:
            self.market.on_events(events)
            self.user.on_events(events)

    def _wake(self, socket: StreamSocket) -> None:
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._flush)
        self._waiting.append(socket)

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        for socket in waiting:
            socket.flush()


def _text(message: WSMessage) -> str:
    return message.data if message.type is WSMsgType.TEXT else ""
