"""The practice exchange on a loopback port: sockets, the passing of time, faults on the wire, checkpoints."""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from aiohttp import web

from prescient.surfaces.practice.answers import Answer, WireError, json_answer
from prescient.surfaces.practice.checkpoint import write_checkpoint
from prescient.surfaces.practice.clock import TICK_S, WorldClock
from prescient.surfaces.practice.exchange import PracticeExchange
from prescient.surfaces.practice.recorded import Catalogue
from prescient.surfaces.practice.trading.routes import TradingSide
from prescient.surfaces.practice.world import Exhibit

LOOPBACK = "127.0.0.1"
# Work on the world gives way to requests after this long.
SLICE_S = 0.02
CHECKPOINT_INTERVAL_S = 30.0
# The world's time waits rather than pass the last checkpoint by more than this much of ours.
CHECKPOINT_REACH_S = 45.0
TIDY_INTERVAL_S = 300.0
CONTROL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
BODY_MAX_BYTES = 4 * 1024 * 1024


class PracticeServer:
    """Serves one exhibit on one port: ``/gamma``, ``/clob`` and the controls under ``/practice``.

    ``speed`` is how many seconds of the world pass in one of ours; 0 makes its time move by ``/practice/advance`` only.
    ``checkpoint`` names the file to keep the world in, if it is to be kept. ``trading`` lets a seeded world take
    orders; a recorded catalogue can only be read.
    """

    def __init__(
        self,
        world: Exhibit,
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
        self._checkpoint = checkpoint
        self._moving = asyncio.Lock()
        self._silenced = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._runner: web.ServerRunner | None = None

    def _make_exchange(self, trading: bool) -> PracticeExchange:
        if isinstance(self.world, Catalogue):
            return self.world.exchange()
        clock = self.clock
        desk = TradingSide(self.world, clock.now_ms, machine_s=clock.machine_s) if trading else None
        return PracticeExchange(self.world, now_ms=clock.now_ms, trading=desk)

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def gamma_url(self) -> str:
        return f"{self.url}/gamma"

    @property
    def clob_url(self) -> str:
        return f"{self.url}/clob"

    async def start(self) -> None:
        """Keep the world once, then bind and serve. Raises OSError when the port is taken."""
        await self._save(CHECKPOINT_REACH_S)
        self._runner = web.ServerRunner(web.Server(self._serve, access_log=None), shutdown_timeout=2.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self.host, self.port, reuse_address=True)
        await site.start()
        self.port = self._runner.addresses[0][1]
        if self.clock.speed > 0:
            self.clock.go()
            self._tasks.append(asyncio.create_task(self._pass_time(), name="practice-time"))
        if self._checkpoint is not None:
            self._tasks.append(asyncio.create_task(self._keep(), name="practice-checkpoint"))

    async def stop(self) -> None:
        """Let a step that is under way end, keep the world, close the port."""
        self._silenced.set()
        async with self._moving:
            for task in self._tasks:
                task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task
        self._tasks.clear()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        await self._save(reach_s=0)

    # --- time

    async def _pass_time(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            async with self._moving:
                await self._step_to(self.clock.now_ms())

    async def _step_to(self, until_ms: int) -> None:
        """Move the world while requests go on being answered. The told time waits at the end of the step."""
        try:
            await _in_slices(self.world.step_slices(self.clock.stand(until_ms)))
        finally:
            self.clock.go()

    # --- checkpoints

    async def _keep(self) -> None:
        tidied_s = time.monotonic()
        while True:
            await asyncio.sleep(CHECKPOINT_INTERVAL_S)
            await self._save(CHECKPOINT_REACH_S)
            if time.monotonic() - tidied_s > TIDY_INTERVAL_S:
                tidied_s = time.monotonic()
                self.exchange.tidy()

    async def _save(self, reach_s: float) -> None:
        async with self._moving:
            await self._save_still(reach_s)

    async def _save_still(self, reach_s: float) -> None:
        """Write a checkpoint while the world stands; ``reach_s`` is how long it may run on before the next."""
        if self._checkpoint is None:
            return
        slices, content = self.world.save_slices(), b""
        while True:
            try:
                next(slices)
            except StopIteration as done:
                content = done.value
                break
            await asyncio.sleep(0)
        promise_ms = self.clock.promise(self.world.now_ms, reach_s)
        await asyncio.to_thread(write_checkpoint, self._checkpoint, content, promise_ms)
        self.clock.promise_ms = promise_ms

    # --- requests

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        method, path = request.method, request.path
        body = await request.read() if request.body_exists else b""
        if path.startswith("/practice"):
            refused = _refuse_stranger(request)
            answer = refused if refused is not None else await self._control(method, path, body)
        else:
            headers = {name.lower(): value for name, value in request.headers.items()}
            answer = self.exchange.handle(method, path, request.query_string, body, headers)
        if answer.status == 0:
            return await self._stay_silent(request)
        if "Content-Length" in answer.headers:
            return await self._break_off(request, answer)
        return web.Response(status=answer.status, headers=answer.headers, body=answer.body)

    async def _control(self, method: str, path: str, body: bytes) -> Answer:
        if (method, path.rstrip("/")) != ("POST", "/practice/advance"):
            return self.exchange.handle(method, path, "", body)
        try:
            async with self._moving:
                await self._step_to(self.exchange.controls.read_advance(body))
                await self._save_still(CHECKPOINT_REACH_S)
        except WireError as error:
            return error.answer
        return self.exchange.controls.time_answer()

    async def _stay_silent(self, request: web.BaseRequest) -> web.StreamResponse:
        """Never answer: until the other side gives up, or the server stops."""
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


async def _in_slices(slices: Iterator[None]) -> None:
    """Run pieces of work, giving way whenever they have taken long enough."""
    began_s = time.perf_counter()
    for _ in slices:
        if time.perf_counter() - began_s > SLICE_S:
            await asyncio.sleep(0)
            began_s = time.perf_counter()


def _refuse_stranger(request: web.BaseRequest) -> Answer | None:
    """Controls are for this machine only, and not for a page of another site that resolves its name to us."""
    try:
        near = request.remote is not None and ipaddress.ip_address(request.remote).is_loopback
    except ValueError:
        near = False
    host = request.headers.get("Host", "")
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    if near and name in CONTROL_HOSTS:
        return None
    return json_answer({"error": "The controls answer on this machine only; call them as localhost."}, 403)
