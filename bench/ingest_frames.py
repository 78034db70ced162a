"""The flow of frames for ``bench.ingest``, as the venue writes them, and the server that sends them rendered beforehand.

Run as `python -m bench.ingest_frames FRAMES MARKETS` it prints what a receiver must know and serves until its input ends.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import os
import sys
from random import Random
from typing import Any

import msgspec

from polymarket_kit.values import MICRO, micro_to_text

MARKETS = 100
SEED = 7
START_MS = 1_790_000_000_000
CENT = 10_000
CORE = 0
# How long the books may take to arrive before the changes start.
PAUSE_S = 0.5
CHUNK_BYTES = 1 << 18
HANDSHAKE_KEY = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class _Market:
    def __init__(self, random: Random) -> None:
        self.condition = f"0x{random.getrandbits(256):064x}"
        self.tokens = (str(random.getrandbits(255)), str(random.getrandbits(255)))
        # A third of the markets have the fine grid, and prices further out.
        self.tick = random.choice((CENT, CENT, CENT // 10))
        middle = random.randrange(20, 80) * CENT
        self.bids = {middle - step * self.tick: _size(random) for step in range(1, 40) if middle > step * self.tick}
        self.asks = {
            middle + step * self.tick: _size(random) for step in range(1, 40) if middle + step * self.tick < MICRO
        }

    def books(self) -> list[dict[str, Any]]:
        mirrored = (
            {MICRO - price: size for price, size in self.asks.items()},
            {MICRO - price: size for price, size in self.bids.items()},
        )
        return [
            self._book(token, bids, asks)
            for token, (bids, asks) in zip(self.tokens, ((self.bids, self.asks), mirrored), strict=True)
        ]

    def _book(self, token: str, bids: dict[int, int], asks: dict[int, int]) -> dict[str, Any]:
        return {
            "market": self.condition,
            "asset_id": token,
            "timestamp": str(START_MS),
            "hash": "0" * 40,
            "bids": [{"price": micro_to_text(price), "size": micro_to_text(bids[price])} for price in sorted(bids)],
            "asks": [
                {"price": micro_to_text(price), "size": micro_to_text(asks[price])}
                for price in sorted(asks, reverse=True)
            ],
            "tick_size": micro_to_text(self.tick),
            "event_type": "book",
            "last_trade_price": "0.500",
        }

    def change(self, random: Random, time_ms: int) -> dict[str, Any]:
        """One level set or removed, mostly near the best, as market makers do."""
        buys = random.random() < 0.5
        side, best = (self.bids, max(self.bids)) if buys else (self.asks, min(self.asks))
        away = random.choice((1, 0, 0, -1, -1, -2, -2, -3, -5, -8)) * self.tick
        price = best + away if buys else best - away
        if not 0 < price < MICRO or (price >= min(self.asks) if buys else price <= max(self.bids)):
            price = best
        size = 0 if price in side and len(side) > 5 and random.random() < 0.4 else _size(random)
        # A message without a change would be none.
        size = size + CENT if side.get(price) == size else size
        if size:
            side[price] = size
        else:
            del side[price]
        return self._message(price, size, "BUY" if buys else "SELL", random, time_ms)

    def _message(self, price: int, size: int, side: str, random: Random, time_ms: int) -> dict[str, Any]:
        other = "SELL" if side == "BUY" else "BUY"
        named = [(self.tokens[0], price, side), (self.tokens[1], MICRO - price, other)]
        bid, ask = max(self.bids), min(self.asks)
        bests = (bid, ask), (MICRO - ask, MICRO - bid)
        changes = [
            {
                "asset_id": token,
                "price": micro_to_text(own_price),
                "size": micro_to_text(size),
                "side": own_side,
                "hash": f"{random.getrandbits(160):040x}",
                "best_bid": micro_to_text(best_bid),
                "best_ask": micro_to_text(best_ask),
            }
            for (token, own_price, own_side), (best_bid, best_ask) in zip(named, bests, strict=True)
        ]
        return {
            "market": self.condition,
            "price_changes": changes,
            "timestamp": str(time_ms),
            "event_type": "price_change",
        }


def _size(random: Random) -> int:
    """Shares as they are seen: round numbers, and any number with two decimals."""
    if random.random() < 0.3:
        return random.choice((5, 10, 20, 50, 100, 200, 500, 1000)) * MICRO
    return random.randrange(500, 2_000_000) * CENT


class Facts(msgspec.Struct):
    """What a contestant is given, and judged by: what to follow, how it ends, and the best prices at the end."""

    port: int
    frames: int
    tokens: list[str]
    last_ms: int
    last_token: str
    bests: dict[str, tuple[int, int]]


class Flow:
    """The same frames for the same numbers, seeded."""

    def __init__(self, frames: int, markets: int) -> None:
        random = Random(SEED)
        self.frames = frames
        dealt = [_Market(random) for _ in range(markets)]
        self.tokens = [token for market in dealt for token in market.tokens]
        self.books = [book for market in dealt for book in market.books()]
        # A hundred changes in a millisecond are a busy venue; the last one has a time of its own.
        self.messages = [
            random.choice(dealt).change(random, START_MS + 1 + number // 100 + (number == frames - 1))
            for number in range(frames)
        ]
        self.bests = {}
        for market in dealt:
            bid, ask = max(market.bids), min(market.asks)
            self.bests[market.tokens[0]] = bid, ask
            self.bests[market.tokens[1]] = MICRO - ask, MICRO - bid

    def facts(self, port: int) -> Facts:
        last = self.messages[-1]
        last_token = last["price_changes"][-1]["asset_id"]
        return Facts(port, self.frames, self.tokens, int(last["timestamp"]), last_token, self.bests)


def settle_on_core(core: int) -> None:
    """Stay on one core, where the system can do that and has so many."""
    if hasattr(os, "sched_setaffinity") and core in os.sched_getaffinity(0):
        os.sched_setaffinity(0, {core})


def _framed(text: bytes) -> bytes:
    """A text frame as a server sends it."""
    size = len(text)
    if size < 126:
        return bytes((0x81, size)) + text
    if size < 1 << 16:
        return b"\x81\x7e" + size.to_bytes(2) + text
    return b"\x81\x7f" + size.to_bytes(8) + text


def _encoded(message: Any) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode()


async def serve(frames: int, markets: int) -> None:
    """Send the books to whoever subscribes, then every change as fast as they are taken."""
    flow = Flow(frames, markets)
    books = _framed(_encoded(flow.books))
    changes = b"".join(_framed(_encoded(message)) for message in flow.messages)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        named = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
        key = next(value for name, value in named.items() if name.lower() == "sec-websocket-key")
        accept = base64.b64encode(hashlib.sha1(f"{key}{HANDSHAKE_KEY}".encode()).digest()).decode()
        lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"]
        writer.write("\r\n".join([*lines, f"Sec-WebSocket-Accept: {accept}", "", ""]).encode())
        # Whatever comes first is the subscription.
        await reader.read(1)
        writer.write(books)
        await asyncio.sleep(PAUSE_S)
        with contextlib.suppress(ConnectionError):
            for start in range(0, len(changes), CHUNK_BYTES):
                writer.write(changes[start : start + CHUNK_BYTES])
                await writer.drain()
            await reader.read()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    print(msgspec.json.encode(flow.facts(server.sockets[0].getsockname()[1])).decode(), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    server.close()


if __name__ == "__main__":
    settle_on_core(CORE)
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2])))
