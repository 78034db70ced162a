"""A venue with true books that speaks over a real websocket and by REST, and goes wrong in every way a test asks for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web

from polymarket_kit.messages.pages import split_page
from polymarket_kit.model import Side
from polymarket_kit.values import MICRO, micro_to_text, parse_micro
from prescient.adapters.clock import SystemClock
from prescient.adapters.polymarket.messages.clob import decode_books
from prescient.adapters.polymarket.stream.assets import StreamLimits
from prescient.adapters.polymarket.stream.stream import PolymarketStream
from prescient.backoff import Backoff
from prescient.domain.errors import VenueUnavailable
from prescient.domain.market import OrderBook
from prescient.domain.stream import BookSeen, GapSeen, LevelSeen, PrintSeen, StreamEvent

# Patience in hundredths of what it is in production.
SHORT = StreamLimits(
    ping_every_s=0.1,
    pong_dead_s=0.35,
    connect_timeout_s=1.0,
    backoff=Backoff(first_s=0.02, most_s=0.1),
    steady_s=0.5,
    check_every_s=0.02,
    quiet_s=0.12,
    confirm_s=0.05,
    lag_s=0.3,
    snapshot_wait_s=0.15,
    rest_timeout_s=1.0,
    poll_s=0.06,
    poll_backoff=Backoff(first_s=0.5, most_s=900.0),
    invalidations_within_s=2.0,
    future_s=None,
)
START_MS = 1_790_000_000_000


class Market:
    """Two tokens over one book: prices by text of the first token, sizes in micro; ``yes`` and ``no`` are its tokens."""

    def __init__(self, number: int) -> None:
        self.condition = f"0x{number:064x}"
        self.yes, self.no = str(10 * number + 1), str(10 * number + 2)
        self.bids: dict[int, int] = {400_000: 10 * MICRO, 390_000: 20 * MICRO}
        self.asks: dict[int, int] = {420_000: 10 * MICRO, 450_000: 5_500_000}
        self.time_ms = START_MS
        self.tick = "0.01"
        self.minimum, self.negative_risk = "15", True

    def sides(self, token: str) -> tuple[dict[int, int], dict[int, int]]:
        """Bids and asks as this token's book shows them."""
        if token == self.yes:
            return self.bids, self.asks
        mirrored = [{MICRO - price: size for price, size in side.items()} for side in (self.asks, self.bids)]
        return mirrored[0], mirrored[1]

    def best(self, token: str) -> tuple[str, str]:
        bids, asks = self.sides(token)
        return micro_to_text(max(bids, default=0)), micro_to_text(min(asks, default=MICRO))

    def book(self, token: str) -> dict[str, Any]:
        bids, asks = self.sides(token)
        return {
            "market": self.condition,
            "asset_id": token,
            "timestamp": str(self.time_ms),
            "hash": "h",
            "bids": [_level(price, bids) for price in sorted(bids)],
            "asks": [_level(price, asks) for price in sorted(asks, reverse=True)],
            "tick_size": self.tick,
        }

    def set(self, side: Side, price: str, size: str) -> dict[str, Any]:
        """Change the first token's book; returns the frame that says so."""
        self.time_ms += 1
        price_micro, size_micro = parse_micro(price), parse_micro(size)
        levels = self.bids if side is Side.BUY else self.asks
        if size_micro:
            levels[price_micro] = size_micro
        else:
            levels.pop(price_micro, None)
        mirrored = Side.SELL if side is Side.BUY else Side.BUY
        changes = [
            self._change(self.yes, price, size, side),
            self._change(self.no, micro_to_text(MICRO - price_micro), size, mirrored),
        ]
        return {
            "market": self.condition,
            "price_changes": changes,
            "timestamp": str(self.time_ms),
            "event_type": "price_change",
        }

    def _change(self, token: str, price: str, size: str, side: Side) -> dict[str, str]:
        bid, fetch = self.best(token)
        return {
            "asset_id": token,
            "price": price,
            "size": size,
            "side": side.value,
            "hash": f"{self.time_ms:040x}",
            "best_bid": bid,
            "best_ask": fetch,
        }

    def trade(self, price: str, size: str, side: Side) -> dict[str, Any]:
        return {
            "market": self.condition,
            "asset_id": self.yes,
            "price": price,
            "size": size,
            "fee_rate_bps": "0",
            "side": side.value,
            "timestamp": str(self.time_ms),
            "event_type": "last_trade_price",
            "transaction_hash": f"0x{self.time_ms:064x}",
        }


def _level(price: int, side: dict[int, int]) -> dict[str, str]:
    return {"price": micro_to_text(price), "size": micro_to_text(side[price])}


@dataclass(eq=False)
class Connection:
    """One client of the venue, what it follows and what it said."""

    socket: web.WebSocketResponse
    tokens: dict[str, None] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)


class FakeStreamVenue:
    """``markets`` hold the truth. The switches below say how much of it a client is told."""

    def __init__(self, markets: int = 2) -> None:
        self.markets = [Market(number) for number in range(1, markets + 1)]
        self.by_token = {token: market for market in self.markets for token in (market.yes, market.no)}
        self.connections: list[Connection] = []
        self.url = ""
        self.accepted = 0
        self.refuse = False
        self.answers_ping = True
        # Nothing but PONG is sent; with a number, only to connections up to this one.
        self.silent = False
        self.silent_up_to = 0
        # Tokens whose changes are not sent; whose first books are not sent.
        self.mute: set[str] = set()
        self.bookless: set[str] = set()
        self.rest_asked: list[list[str]] = []
        self.rest_fails = False
        # Books by REST as they were, instead of as they are.
        self.rest_frozen: dict[str, OrderBook] = {}

    @property
    def tokens(self) -> list[str]:
        return list(self.by_token)

    # --- REST

    async def books(self, token_ids: Sequence[str]) -> dict[str, OrderBook]:
        self.rest_asked.append(list(token_ids))
        if self.rest_fails:
            raise VenueUnavailable("no answer")
        await asyncio.sleep(0.002)
        return {
            token: self.rest_frozen.get(token) or self.true_book(token) for token in token_ids if token in self.by_token
        }

    def true_book(self, token: str) -> OrderBook:
        """The book as REST gives it, which alone names minimum size and negative risk."""
        market = self.by_token[token]
        named = market.book(token) | {"min_order_size": market.minimum, "neg_risk": market.negative_risk}
        body = json.dumps([named | {"last_trade_price": ""}]).encode()
        decoded = decode_books(split_page(body).items)
        assert not decoded.skipped, decoded.skipped
        return decoded.items[0]

    # --- websocket

    async def send(self, frame: Any, *, to: Connection | None = None) -> None:
        """Send a frame (text and bytes as they are) to one client, or to all whose tokens it names."""
        for connection in [to] if to is not None else list(self.connections):
            if self._is_silent(connection) or connection.socket.closed:
                continue
            content = self._seen_by(frame, connection) if to is None else frame
            if isinstance(content, bytes):
                await connection.socket.send_bytes(content)
            elif content is not None:
                await connection.socket.send_str(content if isinstance(content, str) else json.dumps(content))

    async def change(self, market: Market, side: Side, price: str, size: str) -> None:
        await self.send(market.set(side, price, size))

    def _is_silent(self, connection: Connection) -> bool:
        number = self.connections.index(connection) + 1 if connection in self.connections else 0
        return self.silent or number <= self.silent_up_to

    def _seen_by(self, frame: Any, connection: Connection) -> Any:
        """A frame as this client gets it. Who follows one token of a market hears the changes of both."""
        if not isinstance(frame, dict) or "price_changes" not in frame:
            token = frame.get("asset_id") if isinstance(frame, dict) else None
            return None if token is not None and (token not in connection.tokens or token in self.mute) else frame
        if not any(change["asset_id"] in connection.tokens for change in frame["price_changes"]):
            return None
        changes = [change for change in frame["price_changes"] if change["asset_id"] not in self.mute]
        return {**frame, "price_changes": changes} if changes else None

    async def serve(self, request: web.Request) -> web.StreamResponse:
        if self.refuse:
            return web.Response(status=503)
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        connection = Connection(socket)
        self.connections.append(connection)
        self.accepted += 1
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                await self._answer(connection, message.data)
        return socket

    async def _answer(self, connection: Connection, text: str) -> None:
        connection.said.append(text)
        if text == "PING":
            if self.answers_ping:
                await connection.socket.send_str("PONG")
            return
        asked = json.loads(text)
        if asked.get("operation") == "unsubscribe":
            for token in asked["assets_ids"]:
                connection.tokens.pop(token, None)
            return
        connection.tokens.update(dict.fromkeys(asked["assets_ids"]))
        books = [
            self.by_token[token].book(token) | {"event_type": "book"}
            for token in asked["assets_ids"]
            if token in self.by_token and token not in self.bookless
        ]
        await self.send(books, to=connection)

    async def drop(self) -> None:
        """Cut every connection off without a word."""
        for connection in self.connections:
            transport = connection.socket._req.transport if connection.socket._req else None
            if transport is not None:
                transport.abort()


@asynccontextmanager
async def streaming(
    venue: FakeStreamVenue, limits: StreamLimits = SHORT
) -> AsyncIterator[tuple[PolymarketStream, Consumer]]:
    """The venue on a free port, a stream to it, and a consumer that takes all its events."""
    app = web.Application()
    app.router.add_get("/ws/market", venue.serve)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    venue.url = f"ws://127.0.0.1:{runner.addresses[0][1]}/ws/market"
    stream = PolymarketStream(url=venue.url, books=venue.books, clock=SystemClock(), jitter=lambda: 0.5, limits=limits)
    consumer = Consumer(stream)
    try:
        yield stream, consumer
    finally:
        await stream.close()
        await consumer.stop()
        await venue.drop()
        await runner.cleanup()


class Consumer:
    """Takes events as paper's resting orders would, and builds the books again from events alone."""

    def __init__(self, stream: PolymarketStream) -> None:
        self.stream = stream
        self.events: list[StreamEvent] = []
        self.books: dict[str, dict[Side, dict[int, int]]] = {}
        self._task = asyncio.ensure_future(self._take())
        self.may_take = asyncio.Event()
        self.may_take.set()

    async def _take(self) -> None:
        async for event in self.stream.events():
            self.events.append(event)
            self._apply(event)
            await self.may_take.wait()

    def _apply(self, event: StreamEvent) -> None:
        if isinstance(event, BookSeen):
            book = event.book
            self.books[book.token_id] = {Side.BUY: dict(book.bids), Side.SELL: dict(book.asks)}
        elif isinstance(event, LevelSeen):
            assert event.token_id in self.books, "a level of a book that is not known"
            levels = self.books[event.token_id][event.side]
            levels[event.price_micro] = event.size_micro
            if event.size_micro == 0:
                del levels[event.price_micro]
        elif isinstance(event, PrintSeen):
            assert event.token_id in self.books, "a trade across a gap"
        elif isinstance(event, GapSeen):
            for token in event.token_ids:
                self.books.pop(token, None)

    async def stop(self) -> None:
        self.may_take.set()
        await asyncio.wait_for(self._task, 2)

    def of(self, kind: type[StreamEvent]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def gaps(self, token: str) -> list[str]:
        return [gap.reason for gap in self.of(GapSeen) if token in gap.token_ids]

    def has(self, book: OrderBook) -> bool:
        """Whether both the stream and the events tell exactly this book."""
        told, kept = self.books.get(book.token_id), self.stream.book(book.token_id)
        return (
            told == {Side.BUY: dict(book.bids), Side.SELL: dict(book.asks)}
            and kept is not None
            and (kept.bids, kept.asks) == (book.bids, book.asks)
        )

    def has_all(self, venue: FakeStreamVenue) -> bool:
        return all(self.has(venue.true_book(token)) for token in venue.tokens)


async def eventually(holds: Callable[[], bool], within_s: float = 5.0) -> None:
    """Wait until something holds; fails when it does not in time."""
    for _ in range(round(within_s / 0.01)):
        if holds():
            return
        await asyncio.sleep(0.01)
    assert holds(), f"did not come to hold within {within_s:g} s"
