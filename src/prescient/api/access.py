"""Middleware that every request passes first: checks Host, origin and size, and adds security headers to every answer.

Pure ASGI, in front of routing and parsing. One ``AccessPolicy`` configures it for all five services.
"""

from __future__ import annotations

import asyncio
import hmac
import re
import secrets
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from prescient.api.errors import problem
from prescient.service_table import LOOPBACK, SERVICES

log = structlog.get_logger(__name__)

BODY_BYTES_MAX = 64 * 1024
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
OPEN_PATHS = frozenset({"/health"})
HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::(?P<port>\d{1,5}))?", re.ASCII)

SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True, slots=True)
class AccessPolicy:
    """Which requests are accepted. ``ports`` are those of all services; ``token`` is None while loopback needs none.

    A body must arrive within ``body_receive_s`` seconds.
    """

    ports: frozenset[int] = frozenset(service.port for service in SERVICES)
    names: frozenset[str] = frozenset({"localhost", LOOPBACK, "[::1]"})
    token: str | None = field(default=None, repr=False)
    body_receive_s: float = 10.0

    def knows(self, host: str) -> bool:
        """Whether a Host (``name`` or ``name:port``) is one of ours."""
        match = HOST.fullmatch(host.lower())
        if match is None or match["name"] not in self.names:
            return False
        return match["port"] is None or int(match["port"]) in self.ports


class Refusal(NamedTuple):
    status: int
    code: str
    detail: str


WRONG_HOST = Refusal(
    421, "host_not_allowed", "This Host is not one of ours. Use http://localhost or http://127.0.0.1 and the port."
)
CROSS_SITE = Refusal(
    403,
    "cross_site_refused",
    "A request that changes something must not come from another site. Use curl, the docs page or the dashboard.",
)
PREFETCH = Refusal(
    403, "prefetch_refused", "A prefetch or prerender must not change anything. Open the address itself."
)
NO_TOKEN = Refusal(
    401, "token_required", "Send the API token: Authorization: Bearer <token> (`prescient status` says where it is)."
)
TOO_LARGE = Refusal(413, "body_too_large", f"The body is larger than {BODY_BYTES_MAX} bytes. Send less at once.")
TOO_SLOW = Refusal(408, "body_too_slow", "The body did not arrive in time. Send it again.")


def check_visitor(policy: AccessPolicy, headers: Headers, path: str) -> Refusal | None:
    """Refuse a Host that is not ours (DNS rebinding), and a missing token where one is needed."""
    hosts = headers.getlist("host")
    if len(hosts) != 1 or not policy.knows(hosts[0]):
        return WRONG_HOST
    if policy.token is None or path in OPEN_PATHS:
        return None
    given = headers.get("authorization", "")
    expected = f"Bearer {policy.token}"
    return None if hmac.compare_digest(given.encode(), expected.encode()) else NO_TOKEN


def check_change(policy: AccessPolicy, headers: Headers) -> Refusal | None:
    """Refuse a change that another site, a prefetch or a prerender asks for (Fetch Metadata; curl sends none of it)."""
    sites = headers.getlist("sec-fetch-site")
    if any(site.strip().lower() not in ("none", "same-origin") for site in sites):
        return CROSS_SITE
    # Browsers that send no Fetch Metadata still name the page's origin with a POST.
    if any(not _own_origin(policy, origin) for origin in headers.getlist("origin")):
        return CROSS_SITE
    purposes = ",".join(headers.getlist("sec-purpose") + headers.getlist("purpose")).lower()
    if "prefetch" in purposes or "prerender" in purposes:
        return PREFETCH
    return None


def _own_origin(policy: AccessPolicy, origin: str) -> bool:
    scheme, separator, host = origin.strip().partition("://")
    return bool(separator) and scheme.lower() in ("http", "https") and policy.knows(host)


class AccessMiddleware:
    """The outermost ASGI middleware: checks the request, reads the body up to its limit, and lets no exception out."""

    def __init__(self, app: ASGIApp, policy: AccessPolicy) -> None:
        self._app = app
        self._policy = policy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            # No service speaks websocket, and unknown kinds of connections are refused.
            await send({"type": "websocket.close", "code": 1008})
            return
        answer = _Answer(send)
        refusal = self._judge(scope)
        body = b""
        if refusal is None:
            body, refusal = await _read_body(scope, receive, self._policy.body_receive_s)
        if refusal is not None:
            log.warning("request refused", code=refusal.code, method=scope["method"], path=scope["path"][:200])
            await problem(*refusal)(scope, receive, answer)
            return
        await self._answered(scope, _replay(body, receive), answer)

    def _judge(self, scope: Scope) -> Refusal | None:
        headers = Headers(scope=scope)
        refusal = check_visitor(self._policy, headers, scope["path"])
        if refusal is None and scope["method"] not in SAFE_METHODS:
            refusal = check_change(self._policy, headers)
        return refusal

    async def _answered(self, scope: Scope, receive: Receive, answer: _Answer) -> None:
        try:
            await self._app(scope, receive, answer)
        except Exception:
            error_id = secrets.token_hex(6)
            log.exception("request failed", error_id=error_id, method=scope["method"], path=scope["path"][:200])
            if answer.started:
                raise
            detail = f"Something is broken on our side. The log has the details under {error_id}."
            await problem(500, "internal_error", detail, error_id=error_id)(scope, receive, answer)


class _Answer:
    """Wraps ``send``: adds the security headers and records whether an answer has begun."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            headers = MutableHeaders(scope=message)
            for name, value in SECURITY_HEADERS.items():
                headers.setdefault(name, value)
        await self._send(message)


async def _read_body(scope: Scope, receive: Receive, timeout_s: float) -> tuple[bytes, Refusal | None]:
    """Read the whole body within its bounds of size and time, before anything parses it."""
    headers = Headers(scope=scope)
    length = headers.get("content-length", "0")
    if "transfer-encoding" not in headers and length == "0":
        return b"", None
    if length.isdecimal() and int(length[:20]) > BODY_BYTES_MAX:
        return b"", TOO_LARGE
    try:
        async with asyncio.timeout(timeout_s):
            return await _read_chunks(receive)
    except TimeoutError:
        return b"", TOO_SLOW


async def _read_chunks(receive: Receive) -> tuple[bytes, Refusal | None]:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b"", TOO_SLOW
        body += message.get("body", b"")
        if len(body) > BODY_BYTES_MAX:
            return b"", TOO_LARGE
        if not message.get("more_body", False):
            return bytes(body), None


def _replay(body: bytes, receive: Receive) -> Receive:
    """Pass the body on in one piece, then whatever else the connection sends."""
    first: list[dict[str, Any]] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return first.pop() if first else await receive()

    return replayed
