"""A client that costs little: signed orders written beforehand as bytes, sent over raw connections, answers only counted."""

from __future__ import annotations

import asyncio
import json
import time
import urllib.request
from collections import Counter, deque
from dataclasses import dataclass, field
from random import Random
from typing import Any, cast
from urllib.parse import urlsplit

import uvloop

from polymarket_kit.messages.orders import PostedOrder, encode_order
from polymarket_kit.model import OrderType, Side
from polymarket_kit.signing.auth import ApiCredentials, l1_headers, l2_headers
from polymarket_kit.signing.eip712 import SigningKey
from polymarket_kit.signing.order_signing import ContractOrder, SignatureType, contract_for, order_id, sign_order

MARKETS = 20
# What is sent: orders that rest, orders that cross (fill and kill), cancels of what rests.
CROSSING_SHARE, CANCEL_SHARE = 0.15, 0.10
HEAD_END = b"\r\n\r\n"


@dataclass
class Trader:
    """A wallet that has logged in."""

    funder: str
    kind: SignatureType
    key: SigningKey
    credentials: ApiCredentials

    @classmethod
    def of(cls, wallet: dict[str, Any], clob_url: str) -> Trader:
        key = SigningKey(wallet["private_key"])
        headers = l1_headers(key, int(time.time()), chain_id=137)
        request = urllib.request.Request(f"{clob_url}/auth/api-key", method="POST", headers=headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            made = json.load(answer)
        credentials = ApiCredentials(made["apiKey"], made["secret"], made["passphrase"])
        return cls(wallet["funder"], SignatureType(wallet["signature_type"]), key, credentials)

    @property
    def signer(self) -> str:
        return self.funder if self.kind is SignatureType.DEPOSIT_WALLET else self.key.address


@dataclass
class Writer:
    """Writes whole requests as a bot would send them: a fresh salt, a signature, an HMAC over the body. Seeded."""

    traders: list[Trader]
    # (token id, negative risk)
    tokens: list[tuple[int, bool]]
    random: Random
    salt: int = 0
    resting: list[tuple[Trader, str]] = field(default_factory=list)

    def requests(self, count: int) -> list[bytes]:
        return [self._request() for _ in range(count)]

    def _request(self) -> bytes:
        draw = self.random.random()
        if draw < CANCEL_SHARE and self.resting:
            index = self.random.randrange(len(self.resting))
            self.resting[index], self.resting[-1] = self.resting[-1], self.resting[index]
            trader, canceled = self.resting.pop()
            return http(trader, "DELETE", "/order", json.dumps({"orderID": canceled}).encode())
        return self._order(crossing=draw < CANCEL_SHARE + CROSSING_SHARE)

    def resting_order(self) -> bytes:
        return self._order(crossing=False)

    def _order(self, crossing: bool) -> bytes:
        trader = self.random.choice(self.traders)
        token_id, negative_risk = self.random.choice(self.tokens)
        price, size = (99, 2) if crossing else (self.random.randint(1, 5), self.random.randint(5, 12))
        self.salt += 1
        order = ContractOrder(
            self.salt,
            trader.funder,
            trader.signer,
            token_id,
            price * size * 10_000,
            size * 1_000_000,
            Side.BUY,
            trader.kind,
            int(time.time() * 1000),
        )
        contract = contract_for(token_id, negative_risk)
        kind = OrderType.FAK if crossing else OrderType.GTC
        posted = PostedOrder(order, sign_order(order, contract, trader.key), trader.credentials.key, kind)
        if not crossing:
            self.resting.append((trader, order_id(order, contract)))
        return http(trader, "POST", "/order", encode_order(posted))


def http(trader: Trader, method: str, path: str, body: bytes) -> bytes:
    headers = l2_headers(trader.credentials, trader.key.address, int(time.time()), method, path, body)
    lines = [f"{method} /clob{path} HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json"]
    lines += [f"Content-Length: {len(body)}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join(lines).encode() + HEAD_END + body


def writer_for(known: dict[str, Any]) -> Writer:
    """Log in with every wallet, and take markets far from their end."""
    with urllib.request.urlopen(f"{known['clob_url']}/sampling-markets", timeout=10) as answer:
        markets = [market for market in json.load(answer)["data"] if market["accepting_orders"]]
    priced = [market for market in markets if 0.2 < market["tokens"][0]["price"] < 0.8]
    tokens = [(int(market["tokens"][0]["token_id"]), bool(market["neg_risk"])) for market in priced]
    traders = [Trader.of(wallet, known["clob_url"]) for wallet in known["wallets"]]
    return Writer(traders, [token for token in tokens if _takes_orders(traders[0], *token, known)][:MARKETS], Random(7))


def _takes_orders(trader: Trader, token_id: int, negative_risk: bool, known: dict[str, Any]) -> bool:
    """Whether a market takes orders now; some are listed and not yet open."""
    request = Writer([trader], [(token_id, negative_risk)], Random(token_id), salt=token_id % 2**40).resting_order()
    return uvloop.run(flood(known["clob_url"], [request], 1)).statuses[200] == 1


class Connection(asyncio.Protocol):
    """One request at a time; ``done`` gets the status of its answer."""

    def __init__(self) -> None:
        self._rest = b""
        self._done: asyncio.Future[int] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def send(self, request: bytes) -> asyncio.Future[int]:
        self._done = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return self._done

    def data_received(self, data: bytes) -> None:
        self._rest += data
        end = self._rest.find(HEAD_END)
        if end < 0:
            return
        head = self._rest[:end].lower()
        start = head.index(b"content-length:") + 15
        line_end = head.find(b"\r\n", start)
        length = int(head[start : line_end if line_end > 0 else None])
        if len(self._rest) < end + 4 + length or self._done is None:
            return
        self._rest = b""
        self._done.set_result(int(head[9:12]))

    def connection_lost(self, error: Exception | None) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_exception(error or ConnectionError("the server hung up"))


@dataclass
class Outcome:
    """``latencies_s`` are counted from the moment at which a request was due, so that a slow server cannot hide."""

    seconds: float
    statuses: Counter[int]
    latencies_s: list[float]

    def quantile_ms(self, part: float) -> float:
        return sorted(self.latencies_s)[min(int(part * len(self.latencies_s)), len(self.latencies_s) - 1)] * 1000


async def connect(url: str, count: int) -> list[Connection]:
    place = urlsplit(url)
    assert place.hostname is not None and place.port is not None
    loop = asyncio.get_running_loop()
    made = [await loop.create_connection(Connection, place.hostname, place.port) for _ in range(count)]
    return [connection for _, connection in made]


async def flood(url: str, requests: list[bytes], connections: int) -> Outcome:
    """Send all as fast as they are answered."""
    waiting, statuses, latencies = deque(requests), Counter[int](), list[float]()

    async def work(connection: Connection) -> None:
        while waiting:
            began_s = time.perf_counter()
            statuses[await connection.send(waiting.popleft())] += 1
            latencies.append(time.perf_counter() - began_s)

    workers = await connect(url, connections)
    began_s = time.perf_counter()
    await asyncio.gather(*map(work, workers))
    return close(workers, Outcome(time.perf_counter() - began_s, statuses, latencies))


async def pace(url: str, requests: list[bytes], per_second: float, connections: int) -> Outcome:
    """Send at a steady pace, whether or not earlier ones are answered."""
    statuses, latencies = Counter[int](), list[float]()
    workers = await connect(url, connections)
    free: asyncio.Queue[Connection] = asyncio.Queue()
    for connection in workers:
        free.put_nowait(connection)
    began_s = time.perf_counter()

    async def one(due_s: float, request: bytes) -> None:
        connection = await free.get()
        statuses[await connection.send(request)] += 1
        latencies.append(time.perf_counter() - due_s)
        free.put_nowait(connection)

    async with asyncio.TaskGroup() as group:
        for number, request in enumerate(requests):
            due_s = began_s + number / per_second
            if (early_s := due_s - time.perf_counter()) > 0:
                await asyncio.sleep(early_s)
            group.create_task(one(due_s, request))
    return close(workers, Outcome(time.perf_counter() - began_s, statuses, latencies))


def close(workers: list[Connection], outcome: Outcome) -> Outcome:
    for connection in workers:
        connection.transport.close()
    return outcome
