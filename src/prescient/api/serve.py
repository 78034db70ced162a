"""Runs any number of services on one event loop: sockets first, so that a taken port is reported before anything starts."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import sys
from collections.abc import Iterator, Sequence

import psutil
import structlog
import uvicorn
from fastapi import FastAPI
from uvicorn.config import Config

from polymarket_kit.errors import PrescientError
from prescient.api.protocol import DeadlineProtocol
from prescient.domain.errors import PortTaken
from prescient.service_table import LOOPBACK

log = structlog.get_logger(__name__)

BACKLOG = 512
GRACEFUL_S = 1
KEEP_ALIVE_S = 15
LOOPBACK_NAMES = frozenset({"localhost", LOOPBACK})


class ServiceDidNotStart(PrescientError):
    """A service failed before it took its first request; the cause is chained."""

    code = "service_did_not_start"


class LoopServer(uvicorn.Server):
    """A uvicorn server that leaves signals to whoever owns the process, and never ends the process itself."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            await super().startup(sockets=sockets)
        except SystemExit as error:
            raise ServiceDidNotStart("the service gave up while it started") from error


async def serve_apps(apps: Sequence[tuple[FastAPI, str, int]], stop: asyncio.Event) -> None:
    """Serve each (app, host, port) until ``stop`` is set, then let requests and cycles end and return.

    ``localhost`` and 127.0.0.1 bind both loopback addresses, where the machine has both.
    Raises PortTaken before anything is started, ServiceDidNotStart when a service's start fails; all others end first.
    """
    bound = _bind_all([(host, port) for _, host, port in apps])
    servers = [LoopServer(_config(app)) for app, _, _ in apps]
    tasks = [asyncio.create_task(server.serve(sockets=sockets)) for server, sockets in zip(servers, bound, strict=True)]
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([*tasks, stopping], return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        for server in servers:
            server.should_exit = True
        results = await asyncio.gather(*tasks, return_exceptions=True)
        for sockets in bound:
            _close(sockets)
    _raise_first(apps, results)


def _raise_first(apps: Sequence[tuple[FastAPI, str, int]], results: list[BaseException | None]) -> None:
    for (app, _, port), result in zip(apps, results, strict=True):
        if isinstance(result, ServiceDidNotStart):
            cause = getattr(app.state, "start_error", None) or result
            raise ServiceDidNotStart(f"{app.title} on port {port} did not start: {cause}") from cause
        if isinstance(result, BaseException):
            raise result


def _config(app: FastAPI) -> Config:
    return Config(
        app,
        http=DeadlineProtocol,
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACEFUL_S,
    )


def _bind_all(places: Sequence[tuple[str, int]]) -> list[list[socket.socket]]:
    """Bind every address or none."""
    bound: list[list[socket.socket]] = []
    try:
        for host, port in places:
            bound.append(_bind_host(host, port))
    except BaseException:
        for sockets in bound:
            _close(sockets)
        raise
    return bound


def _bind_host(host: str, port: int) -> list[socket.socket]:
    if host not in LOOPBACK_NAMES:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return [_bind(family, host, port)]
    first = _bind(socket.AF_INET, LOOPBACK, port)
    if not _has_ipv6_loopback():
        return [first]
    try:
        # Port 0 means any free port: the second address takes the one that the first was given.
        return [first, _bind(socket.AF_INET6, "::1", port or first.getsockname()[1])]
    except BaseException:
        first.close()
        raise


def _bind(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform == "win32":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((host, port))
        # Listening now, not later: with SO_REUSEADDR two may bind, but only one may listen.
        sock.listen(BACKLOG)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        if error.errno in (errno.EADDRINUSE, errno.EACCES):
            raise PortTaken(host, port, holder_of(port)) from error
        raise
    return sock


def _has_ipv6_loopback() -> bool:
    if not socket.has_ipv6:
        return False
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def holder_of(port: int) -> str:
    """Name the process that listens on a port: its name and id, or that the system does not tell."""
    try:
        connections = psutil.net_connections(kind="tcp")
    except (psutil.AccessDenied, OSError):
        return "a process that this user may not see"
    pids = [
        item.pid for item in connections if item.status == psutil.CONN_LISTEN and item.laddr and item.laddr[1] == port
    ]
    for pid in pids:
        if pid is None:
            continue
        with contextlib.suppress(psutil.Error):
            return f"{psutil.Process(pid).name()} (process {pid})"
    return "a process that this user may not see" if pids else "a process that has just ended; try again"


def _close(sockets: Sequence[socket.socket]) -> None:
    for sock in sockets:
        sock.close()
