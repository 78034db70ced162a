"""The practice exchange as an HTTP server on a loopback port: sockets, the passing of time, faults, checkpoints."""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import structlog
from aiohttp import web

from practice_exchange.app.checkpoint import CheckpointWriter
from practice_exchange.app.exchange import PracticeExchange
from practice_exchange.app.recorded import Catalogue
from practice_exchange.clob.trading_routes import TradingSide
from practice_exchange.faults.fault_runner import Asked
from practice_exchange.web.controls import TICK_S, WorldClock
from practice_exchange.web.responses import Answer, WireError, json_answer
from practice_exchange.world.world import WorldView

# A batch of 15 orders has 15 kB, a thousand cancels have 70. The venue does not document its bound: assumed.
BODY_MAX_BYTES = 1024 * 1024
# Who sends nothing for so long is cut off: with a body begun, and between two requests.
BODY_WAIT_S = 30.0
IDLE_WAIT_S = 75.0
# How long the rest of a body that was refused is let run out, so that its sender gets to read the refusal.
LINGER_S = 5.0


async def read_body(request: web.BaseRequest, wait_s: float = BODY_WAIT_S) -> bytes:
    """Return the whole body. Raises WireError: 413 if it is too large, 408 if it does not come in time."""
    if (request.content_length or 0) > BODY_MAX_BYTES:
        raise _too_large()
    try:
        if request.content.is_eof():
            # It is all here; a timer would only cost.
            return await request.read()
        async with asyncio.timeout(wait_s):
            return await request.read()
    except web.HTTPRequestEntityTooLarge as error:
        raise _too_large() from error
    except TimeoutError as error:
        raise WireError(json_answer({"error": "Request Timeout"}, 408)) from error


def _too_large() -> WireError:
    return WireError(json_answer({"error": "Request Entity Too Large"}, 413))


log = structlog.get_logger("prescient.practice")

LOOPBACK = "127.0.0.1"
# Work on the world gives way to requests after this long.
SLICE_S = 0.005
CHECKPOINT_INTERVAL_S = 30.0
# Sooner when so much came in: it is repeated after a crash.
JOURNAL_MAX_BYTES = 32 * 1024 * 1024
FLUSH_INTERVAL_S = 1.0
ATTENTION_S = 0.5
# The world's time waits rather than pass the last checkpoint by more than this much of ours.
CHECKPOINT_REACH_S = 45.0
TIDY_INTERVAL_S = 300.0
CONTROL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})


class PracticeServer:
    """Serves one exhibit on one port: ``/gamma``, ``/clob`` and the controls under ``/practice``.

    ``speed`` is how many seconds of the world pass in one of ours; 0 makes its time move by ``/practice/advance`` only.
    ``checkpoint`` names the file to keep the world in, if it is to be kept. ``trading`` lets a seeded world take
    orders; a recorded catalogue can only be read.
    """

    def __init__(
        self,
        world: WorldView,
        host: str = LOOPBACK,
        port: int = 0,
        *,
        speed: float = 0.0,
        checkpoint: Path | None = None,
        exchange: PracticeExchange | None = None,
        trading: bool = False,
    ) -> None:
        self.world = world
        self.host, self.port = host, port
        self.clock = WorldClock(world.now_ms, speed)
        self.exchange = exchange or self._make_exchange(trading)
        self.exchange.controls.speed = speed
        self.checkpoint_writer = CheckpointWriter(checkpoint, self.exchange, self.clock)
        # How long a client may keep us waiting, in seconds: for a body, and for a request at all.
        self.body_wait_s, self.idle_wait_s = BODY_WAIT_S, IDLE_WAIT_S
        self._moving = asyncio.Lock()
        self._silenced = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._runner: web.ServerRunner | None = None

    def _make_exchange(self, trading: bool) -> PracticeExchange:
        if isinstance(self.world, Catalogue):
            return self.world.exchange()
        clock = self.clock
        gateway = TradingSide(self.world, clock.now_ms, machine_s=clock.machine_s) if trading else None
        return PracticeExchange(self.world, now_ms=clock.now_ms, trading=gateway)

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def gamma_url(self) -> str:
        return f"{self.url}/gamma"

    @property
    def clob_url(self) -> str:
        return f"{self.url}/clob"

    @property
    def market_ws_url(self) -> str:
        return f"ws://{self.host}:{self.port}/ws/market"

    @property
    def user_ws_url(self) -> str:
        return f"ws://{self.host}:{self.port}/ws/user"

    async def start(self) -> None:
        """Write a first checkpoint, then bind and serve. Raises OSError when the port is taken."""
        await self._save(CHECKPOINT_REACH_S)
        self.checkpoint_writer.listen()
        server = web.Server(self._serve, access_log=None, keepalive_timeout=self.idle_wait_s, lingering_time=LINGER_S)
        self._runner = web.ServerRunner(server, shutdown_timeout=2.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self.host, self.port, reuse_address=True)
        await site.start()
        self.port = self._runner.addresses[0][1]
        if self.clock.speed > 0:
            self.clock.resume()
            self._tasks.append(asyncio.create_task(self._pass_time(), name="practice-time"))
        if self.checkpoint_writer.path is not None:
            self._tasks.append(asyncio.create_task(self._keep(), name="practice-checkpoint"))
        if self.exchange.trading is not None:
            self._tasks.append(asyncio.create_task(self._advance(), name="practice-attention"))

    async def stop(self) -> None:
        """Finish the current step, write a checkpoint, close the port."""
        self._silenced.set()
        async with self._moving:
            for task in self._tasks:
                task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task
        self._tasks.clear()
        if self.exchange.trading is not None:
            await self.exchange.trading.streams.close()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        async with self._moving:
            if self.clock.speed > 0:
                # The world continues at the last time that clients saw.
                await self._step_to(self.clock.now_ms())
                self.clock.stand(self.world.now_ms)
            await self.checkpoint_writer.save(reach_s=0)
        self.checkpoint_writer.close()

    # --- time

    async def _pass_time(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            async with self._moving:
                with _disk_may_fail("the world waits for its journal"):
                    await self._step_to(self.clock.now_ms())

    async def _step_to(self, until_ms: int) -> None:
        """Move the world while requests are answered. Until the step ends, the reported time is its end."""
        until_ms = self.clock.stand(until_ms)
        try:
            self.checkpoint_writer.write_step(until_ms)
            self.checkpoint_writer.slices = 0
            await self._move(until_ms)
        finally:
            self.checkpoint_writer.slices = -1
            self.clock.resume()

    async def _move(self, until_ms: int) -> None:
        began_s = time.perf_counter()
        for _ in self.exchange.step_slices(until_ms):
            self.checkpoint_writer.slices += 1
            if time.perf_counter() - began_s > SLICE_S:
                await asyncio.sleep(0)
                if self.exchange.trading is not None:
                    await self.exchange.trading.streams.apply_backpressure()
                began_s = time.perf_counter()

    async def _advance(self) -> None:
        """Process what is due without a request: settlements, expiries, heartbeats that stopped."""
        assert self.exchange.trading is not None
        while True:
            await asyncio.sleep(ATTENTION_S)
            self.clock.hold()
            try:
                with _disk_may_fail("what is due waits for the journal"):
                    self.exchange.advance()
            finally:
                self.clock.release()

    # --- checkpoints

    async def _keep(self) -> None:
        saved_s = tidied_s = time.monotonic()
        while True:
            await asyncio.sleep(FLUSH_INTERVAL_S)
            # The former checkpoint and the journals since then still hold everything.
            with _disk_may_fail("checkpoint not written"):
                await self.checkpoint_writer.make_safe()
                if self.checkpoint_writer.is_full or time.monotonic() - saved_s > CHECKPOINT_INTERVAL_S:
                    saved_s = time.monotonic()
                    await self._save(CHECKPOINT_REACH_S)
            if time.monotonic() - tidied_s > TIDY_INTERVAL_S:
                tidied_s = time.monotonic()
                self.exchange.prune()

    async def _save(self, reach_s: float) -> None:
        async with self._moving:
            await self.checkpoint_writer.save(reach_s)

    # --- requests

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        method, path = request.method, request.path
        trading = self.exchange.trading
        if trading is not None and trading.streams.serves(path):
            return await trading.streams.serve(request, self._ask)
        refused = await self._queue(request) if self.exchange.limits.addresses.on else None
        if refused is not None:
            return _last(refused)
        try:
            body = await read_body(request, self.body_wait_s) if request.body_exists else b""
        except WireError as error:
            return _last(error.answer)
        if path.startswith("/practice"):
            refused = _refuse_stranger(request)
            answer = refused if refused is not None else await self._control(method, path, body)
        else:
            headers = {name.lower(): value for name, value in request.headers.items()}
            answer = await self._ask(method, path, request.query_string, body, headers)
        if answer.status <= 0:
            return await self._stay_silent(request, at_once=answer.status < 0)
        if "Content-Length" in answer.headers:
            return await self._break_off(request, answer)
        return web.Response(status=answer.status, headers=answer.headers, body=answer.body)

    async def _ask(self, method: str, path: str, query: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Answer a request with both clocks stopped."""
        fault = self.exchange.take_fault(method, path)
        if fault is not None and fault.kind == "held":
            await self._linger(fault.number("seconds"))
            fault = None
        if method not in ("GET", "HEAD") and not self.checkpoint_writer.gate.is_set():
            await self.checkpoint_writer.gate.wait()
        self.clock.hold()
        try:
            answer = self.exchange.answer(Asked(method, path, query, body, headers), fault)
        finally:
            self.clock.release()
        if fault is not None and fault.kind == "slow":
            await self._linger(fault.number("seconds"))
        return answer

    async def _queue(self, request: web.BaseRequest) -> Answer | None:
        """Queue a request at its address's limits; returns the refusal if the wait would be too long."""
        if request.path.startswith("/practice"):
            return None
        limits, now_s = self.exchange.limits, time.monotonic()
        queued = limits.queue_s(request.remote or "", request.method, request.path, now_s)
        if isinstance(queued, Answer):
            return queued
        if queued > 0:
            await self._linger(queued)
        return None

    async def _linger(self, seconds: float) -> None:
        """Sleep, but end early when the server stops."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._silenced.wait()

    async def _control(self, method: str, path: str, body: bytes) -> Answer:
        if (method, path.rstrip("/")) != ("POST", "/practice/advance"):
            return await self._ask(method, path, "", body, {})
        try:
            async with self._moving:
                await self._step_to(self.exchange.controls.read_advance(body))
                await self.checkpoint_writer.save(CHECKPOINT_REACH_S)
        except WireError as error:
            return error.answer
        return self.exchange.controls.time_answer()

    async def _stay_silent(self, request: web.BaseRequest, at_once: bool) -> web.StreamResponse:
        """Never answer: hang up at once, or when the other side gives up or the server stops."""
        if not at_once:
            await self._silenced.wait()
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=503)

    async def _break_off(self, request: web.BaseRequest, answer: Answer) -> web.StreamResponse:
        """Promise a whole page, send what there is and hang up."""
        response = web.StreamResponse(status=answer.status, headers=answer.headers)
        await response.prepare(request)
        await response.write(answer.body)
        if request.transport is not None:
            request.transport.close()
        return response


@contextmanager
def _disk_may_fail(event: str) -> Iterator[None]:
    """Log that a file cannot be written, and go on: the next round tries again."""
    try:
        yield
    except OSError as error:
        log.error(event, error=str(error))


def _last(answer: Answer) -> web.Response:
    """An answer to a request that was not read to its end: nothing can follow it on its connection."""
    response = web.Response(status=answer.status, headers=answer.headers, body=answer.body)
    response.force_close()
    return response


def _refuse_stranger(request: web.BaseRequest) -> Answer | None:
    """Controls are for this machine only, and not for a page of another site: neither one that resolves its name to us
    nor one that just posts to us, which a browser lets it do and tells in ``Origin`` and ``Sec-Fetch-Site``."""
    try:
        near = request.remote is not None and ipaddress.ip_address(request.remote).is_loopback
    except ValueError:
        near = False
    origins = [origin.partition("://")[2] for origin in request.headers.getall("Origin", [])]
    hosts = [request.headers.get("Host", ""), *origins]
    sites = request.headers.getall("Sec-Fetch-Site", [])
    if near and all(_host_name(host) in CONTROL_HOSTS for host in hosts) and "cross-site" not in sites:
        return None
    return json_answer({"error": "The controls answer on this machine only; call them as localhost."}, 403)


def _host_name(host: str) -> str:
    return host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
