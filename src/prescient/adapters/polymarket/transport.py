"""Requests over real sockets. Every failure on the way is raised as TransportFailed with its cause."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

import aiohttp

from prescient.adapters.polymarket.messages.http import HttpResponse, TransportFailed

MEBIBYTE = 1024 * 1024
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})


def is_loopback(url: str) -> bool:
    """Whether a URL names this machine."""
    return (urlsplit(url).hostname or "") in LOOPBACK_HOSTS


class AiohttpTransport:
    """One session with a bounded number of connections; follows no redirect and bounds the size of answers.

    On loopback it asks for no compression, which only costs there, and uses no proxy from the environment.
    """

    def __init__(
        self,
        *,
        timeout_s: float = 20.0,
        connect_timeout_s: float = 5.0,
        connections_max: int = 16,
        body_max_bytes: int = 64 * MEBIBYTE,
        loopback: bool = False,
    ) -> None:
        self._timeout = aiohttp.ClientTimeout(total=timeout_s, connect=connect_timeout_s)
        self._timeout_s = timeout_s
        self._connections_max = connections_max
        self._body_max_bytes = body_max_bytes
        self._loopback = loopback
        self._session: aiohttp.ClientSession | None = None

    async def request(
        self, method: str, url: str, params: Sequence[tuple[str, str]], body: bytes | None
    ) -> HttpResponse:
        """Send one request. Raises TransportFailed when no complete answer of allowed size came in time."""
        headers = {"Content-Type": "application/json"} if body is not None else None
        try:
            async with self._open().request(
                method, url, params=list(params), data=body, headers=headers, allow_redirects=False
            ) as response:
                content = await self._read(response)
                named = {name.lower(): value for name, value in response.headers.items()}
                return HttpResponse(response.status, content, named)
        except TimeoutError as error:
            raise TransportFailed(f"no answer within {self._timeout_s:g} s") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise TransportFailed(f"{type(error).__name__}: {str(error)[:200]}") from error

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        parts: list[bytes] = []
        size = 0
        async for part in response.content.iter_any():
            parts.append(part)
            size += len(part)
            if size > self._body_max_bytes:
                raise TransportFailed(f"the answer is larger than {self._body_max_bytes // MEBIBYTE} MiB")
        return b"".join(parts)

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=self._connections_max, keepalive_timeout=30)
            self._session = aiohttp.ClientSession(
                connector=connector,
                timeout=self._timeout,
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=not self._loopback,
                headers={
                    "User-Agent": "prescient",
                    "Accept": "application/json",
                    "Accept-Encoding": "identity" if self._loopback else "gzip, deflate",
                },
            )
        return self._session

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None
