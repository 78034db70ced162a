"""A client of the practice exchange's websockets for tests: says what it is told to say and keeps what it hears."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import ClientSession, ClientWebSocketResponse, WSMessage, WSMsgType

from polymarket_kit.model import OrderType, Side
from polymarket_kit.rejections import Rejection
from polymarket_kit.signing.auth import WalletClaim
from practice_exchange.app.server import PracticeServer
from practice_exchange.engine.orders import OrderRequest, Placed
from practice_exchange.venue.accounts import ApiKey
from practice_exchange.world.state import MarketState

from .trading_venue import trading_of, wallet_of_type

WAIT_S = 10.0


class StreamClient:
    """One connection, read all the time. ``heard`` are all events so far, arrays taken apart."""

    def __init__(self, socket: ClientWebSocketResponse) -> None:
        self.socket = socket
        self.heard: list[dict[str, Any]] = []
        self._read: asyncio.Queue[WSMessage] = asyncio.Queue()

    async def read_on(self) -> None:
        """Take in whatever comes, to the end of the connection."""
        while True:
            message = await self.socket.receive()
            self._read.put_nowait(message)
            if message.type in (WSMsgType.CLOSE, WSMsgType.CLOSED, WSMsgType.CLOSING, WSMsgType.ERROR):
                return

    async def say(self, message: object) -> None:
        await self.socket.send_str(message if isinstance(message, str) else json.dumps(message))

    async def subscribe(self, *token_ids: str, **more: object) -> Any:
        """Subscribe for the first time and return the first books."""
        await self.say({"assets_ids": list(token_ids), "type": "market", **more})
        return await self.next()

    async def next(self) -> Any:
        """The next frame: decoded JSON, or plain text."""
        message = await asyncio.wait_for(self._read.get(), WAIT_S)
        assert message.type is WSMsgType.TEXT, message
        try:
            content = json.loads(message.data)
        except json.JSONDecodeError:
            return message.data
        self.heard += content if isinstance(content, list) else [content]
        return content

    async def until(self, event_type: str) -> dict[str, Any]:
        """Read on to the next event of a type."""
        while True:
            frame = await self.next()
            if isinstance(frame, dict) and frame["event_type"] == event_type:
                return frame

    async def rest(self) -> list[dict[str, Any]]:
        """Everything that was sent before an answer to PING comes: what has been written by now."""
        start = len(self.heard)
        await self.say("PING")
        while await self.next() != "PONG":
            pass
        return self.heard[start:]

    async def closed(self) -> tuple[int | None, str]:
        """Read to the end of the connection; its code and reason."""
        while True:
            message = await asyncio.wait_for(self._read.get(), WAIT_S)
            if message.type is WSMsgType.CLOSE:
                return message.data, message.extra or ""
            if message.type in (WSMsgType.CLOSED, WSMsgType.CLOSING, WSMsgType.ERROR):
                return self.socket.close_code, ""


@asynccontextmanager
async def connect(url: str) -> AsyncIterator[StreamClient]:
    async with ClientSession() as session, session.ws_connect(url, max_msg_size=0) as socket:
        client = StreamClient(socket)
        reading = asyncio.create_task(client.read_on())
        try:
            yield client
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)


class Trader:
    """Places orders straight on the trading floor, without signatures, for whoever has an API key."""

    def __init__(self, server: PracticeServer, wallet_type: str = "eoa", number: int = 0) -> None:
        self.trading = trading_of(server)
        self.wallet = wallet_of_type(self.trading, wallet_type)
        claim = WalletClaim(self.wallet.address, 0, number)
        keys = self.trading.authenticator.keys
        key = keys.create(claim) or keys.derive(claim)
        assert key is not None
        self.key: ApiKey = key
        self.count = 0

    def login(self, **more: object) -> dict[str, object]:
        made = self.key.credentials
        auth = {"apiKey": made.key, "secret": made.secret, "passphrase": made.passphrase}
        return {"auth": auth, "type": "user", **more}

    def order(
        self,
        market: MarketState,
        price_cents: int,
        size: int,
        *,
        token_index: int = 0,
        side: str = "BUY",
        order_type: str = "GTC",
    ) -> Placed | Rejection:
        """A limit order, or with FOK and FAK a market order of as many dollars or shares."""
        self.trading.venue_engine.enter(market)
        self.count += 1
        dollars, shares = price_cents * size * 10_000, size * 1_000_000
        making, taking = (dollars, shares) if side == "BUY" else (shares, dollars)
        return self.trading.venue_engine.place(
            OrderRequest(
                f"0x{self.wallet.address[2:10].lower()}{self.count:056x}",
                self.wallet.funder,
                self.key.credentials.key,
                market.token_ids[token_index],
                Side(side),
                OrderType(order_type),
                making,
                taking,
            )
        )

    def placed(self, *arguments: Any, **named: Any) -> str:
        """Like ``order``, which must succeed; the order's id."""
        answer = self.order(*arguments, **named)
        assert isinstance(answer, Placed), answer
        return answer.order_id

    def cancel(self, order_id: str) -> None:
        venue_engine = self.trading.venue_engine
        venue_engine.engine.cancel(self.wallet.funder, order_id, venue_engine.now_ms)
        venue_engine.advance()


async def advance(server: PracticeServer, seconds: float) -> None:
    """Let the exchange's time pass."""
    url = f"{server.url}/practice/advance"
    async with ClientSession() as session, session.post(url, json={"seconds": seconds}) as answer:
        assert answer.status == 200, await answer.text()


async def rest_book(server: PracticeServer, token_id: str) -> dict[str, Any]:
    """A token's book as the order-book API answers it."""
    url = f"{server.clob_url}/book?token_id={token_id}"
    async with ClientSession() as session, session.get(url) as answer:
        assert answer.status == 200, await answer.text()
        content: dict[str, Any] = await answer.json()
        return content


async def eventually(reached: Callable[[], bool]) -> None:
    """Wait until something holds."""
    for _ in range(int(WAIT_S / 0.01)):
        if reached():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came to that")
