"""One websocket to the venue with its share of the tokens: connects, subscribes, pings and reconnects."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import structlog
from picows import WSCloseCode, WSError, WSFrame, WSListener, WSMsgType, WSTransport, ws_connect
from python_socks import ProxyError

from polymarket_kit.messages.pages import printable
from prescient.adapters.polymarket.messages.stream_messages import subscription, subscription_change
from prescient.adapters.polymarket.stream.assets import Asset, StreamLimits
from prescient.adapters.polymarket.stream.book_tracker import OrderBookTracker
from prescient.adapters.polymarket.transport import LOOPBACK_HOSTS
from prescient.ports.clock import Clock

log = structlog.get_logger(__name__)
PING, PONG = b"PING", b"PONG"
REASON_LENGTH_MAX = 160
TEXT, CONTINUATION, BINARY, CLOSE = WSMsgType.TEXT, WSMsgType.CONTINUATION, WSMsgType.BINARY, WSMsgType.CLOSE


class _Listener(WSListener):
    """Passes on the whole messages of one connection."""

    def __init__(self, socket: StreamSocket, bytes_max: int) -> None:
        super().__init__()
        # False once the connection is given up: what it still delivers is ignored.
        self.active = True
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.reason = ""
        self._socket = socket
        self._on_message = socket.on_message
        self._bytes_max = bytes_max
        # The parts so far of a message that comes in several frames.
        self._parts = bytearray()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if not self.active:
            return
        kind = frame.msg_type
        if kind is TEXT and frame.fin:
            # A copy: it is decoded faster than a view of the library's memory, and outlives it.
            self._on_message(frame.get_payload_as_bytes())
        elif kind in (TEXT, CONTINUATION):
            self._gather(transport, frame)
        elif kind is CLOSE:
            self.reason = printable(f"{frame.get_close_code()} {frame.get_close_reason() or ''}", REASON_LENGTH_MAX)
            transport.send_close(WSCloseCode.OK)
            transport.disconnect()
        elif kind is BINARY:
            self._socket.tracker.counts["binary frames"] += 1

    def _gather(self, transport: WSTransport, frame: WSFrame) -> None:
        self._parts += frame.get_payload_as_memoryview()
        if len(self._parts) > self._bytes_max:
            self.reason = "a message is too large"
            transport.disconnect(graceful=False)
        elif frame.fin:
            message, self._parts = bytes(self._parts), bytearray()
            self._on_message(message)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.end(self.reason or "cut off")

    def end(self, reason: str) -> None:
        """Report the end of this connection to the socket, once."""
        if self.active:
            self.active = False
            self._socket.on_lost(reason)
        if not self.gone.done():
            self.gone.set_result(None)


class StreamSocket:
    """Keeps one connection for ``tokens``. Losing it is a gap for all of them at once; ``run`` then reconnects."""

    def __init__(
        self, url: str, tracker: OrderBookTracker, timer: Clock, jitter: Callable[[], float], limits: StreamLimits
    ) -> None:
        self.tokens: dict[str, Asset] = {}
        self.tracker = tracker
        self.connected = False
        self.last_message_s = 0.0
        self.connected_s = 0.0
        self.stalls = 0
        self._url = url
        self._timer = timer
        self._jitter = jitter
        self._limits = limits
        self._pong_s = 0.0
        self._transport: WSTransport | None = None
        self._listener: _Listener | None = None
        self._closing = False

    @property
    def room(self) -> int:
        return self._limits.tokens_per_socket - len(self.tokens)

    # --- what is subscribed

    def add(self, assets: Sequence[Asset]) -> None:
        """Subscribe to more tokens, at once if connected."""
        for asset in assets:
            asset.socket = self
            self.tokens[asset.token_id] = asset
        self._expect_books(assets)
        self._change([asset.token_id for asset in assets], subscribe=True)

    def drop(self, assets: Iterable[Asset]) -> None:
        """Unsubscribe from these."""
        named = [asset.token_id for asset in assets if self.tokens.pop(asset.token_id, None) is not None]
        self._change(named, subscribe=False)

    def resubscribe(self, assets: Sequence[Asset]) -> None:
        """Subscribe to these again on the same connection: the venue then sends their books again."""
        named = [asset.token_id for asset in assets]
        self._expect_books(assets)
        self._change(named, subscribe=False)
        self._change(named, subscribe=True)

    def _change(self, token_ids: Sequence[str], *, subscribe: bool) -> None:
        if token_ids and self._transport is not None and self.connected:
            self._transport.send(TEXT, subscription_change(token_ids, subscribe=subscribe))

    def _expect_books(self, assets: Iterable[Asset]) -> None:
        due_s = self._timer.monotonic_s() + self._limits.snapshot_wait_s
        for asset in assets:
            asset.due_s = due_s

    # --- the connection

    async def run(self) -> None:
        """Connect and reconnect until closed."""
        failures = 0
        while True:
            connected_s = self._timer.monotonic_s()
            await self._connect_once()
            if self._closing:
                return
            steady = (
                self.last_message_s >= connected_s and self._timer.monotonic_s() - connected_s >= self._limits.steady_s
            )
            failures = 0 if steady else failures + 1
            self.tracker.counts["reconnects"] += 1
            await self._timer.sleep(self._pause_s(failures))

    def _pause_s(self, failures: int) -> float:
        """Return the back-off with jitter, so that sockets lost together do not reconnect together."""
        return self._limits.backoff.pause_s(failures + 1) * (0.1 + 0.9 * self._jitter())

    async def _connect_once(self) -> None:
        try:
            async with asyncio.timeout(self._limits.connect_timeout_s):
                transport, listener = await ws_connect(
                    lambda: _Listener(self, self._limits.frame_bytes_max),
                    self._url,
                    max_frame_size=self._limits.frame_bytes_max,
                    max_redirects=0,
                    proxy=_proxy(self._url),
                    logger_name="prescient",
                )
        except (OSError, WSError, ProxyError, TimeoutError) as error:
            self.tracker.counts["failed connections"] += 1
            cause = printable(str(error) or type(error).__name__, REASON_LENGTH_MAX)
            log.warning("stream_not_connected", url=self._url, cause=cause)
            return
        assert isinstance(listener, _Listener)
        try:
            if listener.active and not self._closing:
                self._begin(transport, listener)
                await self._ping(transport, listener)
        finally:
            listener.end("closed")
            transport.disconnect(graceful=False)

    def _begin(self, transport: WSTransport, listener: _Listener) -> None:
        """Subscribe before the first PING: the venue closes a socket that pings and follows nothing."""
        self._transport, self._listener = transport, listener
        self.connected = True
        self.connected_s = self._pong_s = self._timer.monotonic_s()
        self.tracker.gap(self.tokens.values(), "connected anew")
        self._expect_books(self.tokens.values())
        if self.tokens:
            transport.send(TEXT, subscription(list(self.tokens)))

    async def _ping(self, transport: WSTransport, listener: _Listener) -> None:
        while not listener.gone.done():
            pause = asyncio.ensure_future(self._timer.sleep(self._limits.ping_every_s))
            try:
                await asyncio.wait((pause, listener.gone), return_when=asyncio.FIRST_COMPLETED)
            finally:
                pause.cancel()
                await asyncio.gather(pause, return_exceptions=True)
            if listener.gone.done():
                return
            if self._timer.monotonic_s() - self._pong_s > self._limits.pong_dead_s:
                self.restart("no PONG")
                return
            transport.send(TEXT, PING)

    def restart(self, reason: str) -> None:
        """Drop this connection and open another."""
        if self._listener is not None:
            self._listener.end(reason)

    def close(self) -> None:
        """Close it for good; ``run`` returns."""
        self._closing = True
        self.restart("closed")

    # --- called by the listener

    def on_message(self, message: bytes) -> None:
        now_s = self._timer.monotonic_s()
        if message == PONG:
            self._pong_s = now_s
            return
        self.last_message_s = now_s
        self.tracker.receive(message, self, now_s)

    def on_lost(self, reason: str) -> None:
        """Handle the end of the connection: its tokens are unknown until there is another."""
        if not self.connected:
            return
        self.connected, self._transport, self._listener = False, None, None
        if self._closing:
            return
        self.tracker.counts["lost connections"] += 1
        log.warning("stream_lost", url=self._url, tokens=len(self.tokens), reason=reason)
        self.tracker.gap(self.tokens.values(), f"the socket was lost: {reason}")
        self._expect_books(self.tokens.values())


def _proxy(url: str) -> str | None:
    """The proxy that the environment names for this address, if any; never for this machine itself."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if host in LOOPBACK_HOSTS or proxy_bypass(host):
        return None
    return getproxies().get("https" if parts.scheme == "wss" else "http")
