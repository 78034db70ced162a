"""A practice exchange that serves in a thread of its own, and users who talk to it over loopback with plain HTTP."""

from __future__ import annotations

import asyncio
import hashlib
import http.client
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from polymarket_kit.signing.auth import l2_headers
from polymarket_kit.signing.eip712 import SigningKey
from practice_exchange.app.server import PracticeServer
from practice_exchange.clob.trading_routes import FUNDS_MICRO
from practice_exchange.venue.accounts import PracticeWallet
from practice_exchange.world.world import World

from .conftest import START
from .trading_user import NOW_S, Venue
from .trading_venue import quiet_market, trading_of

TIMEOUT_S = 20.0


class Heard(NamedTuple):
    """An answer as it came over the wire; names of headers are lower case."""

    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.content)


@contextmanager
def serve_in_thread(events: int = 60) -> Iterator[PracticeServer]:
    """Serve a small world that stands still, beside a test that is not asynchronous.

    The serving thread does nothing between two requests, so the test may look at and change the world meanwhile.
    """
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="practice-exchange", daemon=True)
    thread.start()
    server = PracticeServer(World(7, events, START), trading=True)
    asyncio.run_coroutine_threadsafe(server.start(), loop).result(TIMEOUT_S)
    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(TIMEOUT_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(TIMEOUT_S)
        loop.close()


class HttpUser(Venue):
    """A user as in ``Venue``, whose every request goes over a socket."""

    def __init__(self, server: PracticeServer, wallet: PracticeWallet) -> None:
        assert isinstance(server.world, World)
        self.server, self.world, self.exchange = server, server.world, server.exchange
        self.trading = trading_of(server)
        self.market = quiet_market(self.world)
        self.salt = 0
        self.log_in(wallet)

    def hear(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        query: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> Heard:
        """Send a request below ``/clob``, signed with the user's API key unless ``headers`` are given."""
        if headers is None:
            headers = l2_headers(self.credentials, self.key.address, NOW_S, method, path, body or b"")
        return hear(self.server, method, f"/clob{path}", body, query, headers)

    def send(self, method: str, path: str, body: bytes = b"", query: str = "", **given: Any) -> tuple[int, Any]:
        heard = self.hear(method, path, body or None, query, given.get("headers"))
        return heard.status, heard.body


def funded_wallet(server: PracticeServer, name: str, micro: int = FUNDS_MICRO) -> PracticeWallet:
    """A key of its own for this name, which trades from its own address and has play money."""
    secret = hashlib.sha256(f"tests/{name}".encode()).hexdigest()
    address = SigningKey(secret).address
    trading_of(server).fund(address, micro)
    return PracticeWallet(f"0x{secret}", address, address, "eoa", 0)


def hear(
    server: PracticeServer,
    method: str,
    path: str,
    body: bytes | None = None,
    query: str = "",
    headers: Mapping[str, str] | None = None,
) -> Heard:
    """Send one request on a connection of its own and return the whole answer."""
    connection = http.client.HTTPConnection(server.host, server.port, timeout=TIMEOUT_S)
    try:
        connection.request(method, f"{path}?{query}" if query else path, body, dict(headers or {}))
        response = connection.getresponse()
        named = {name.lower(): value for name, value in response.getheaders()}
        return Heard(response.status, named, response.read())
    finally:
        connection.close()
