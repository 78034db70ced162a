"""The seam under the venue's client: one request, one answer. Sockets behind it in production, a local object in a simulation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from polymarket_kit.errors import PrescientError


class TransportFailed(PrescientError):
    """No complete answer came: refused, timed out, cut off or larger than allowed. It says nothing about what the venue did."""

    code = "transport_failed"


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A complete answer. Header names are lower case."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


class HttpTransport(Protocol):
    async def request(
        self, method: str, url: str, params: Sequence[tuple[str, str]], body: bytes | None
    ) -> HttpResponse:
        """Send one request with a JSON body or none; redirects are answers, not followed. Raises TransportFailed."""
        ...

    async def close(self) -> None: ...
