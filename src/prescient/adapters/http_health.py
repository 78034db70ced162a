"""Who is online: each service truly asked for its /health, side by side, by whoever shows the system's state."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import aiohttp
import msgspec

from prescient.domain.records import ComponentHealth

# A service that waits for its database says so after three seconds; this must be longer.
HEALTH_S = 4.0


class _Answer(msgspec.Struct):
    service: str = ""
    detail: str = ""


class HttpHealth:
    """Call it for the state of the services by name. ``urls`` maps a component's name to its base URL."""

    def __init__(self, urls: Mapping[str, str]) -> None:
        self._urls = dict(urls)
        self._session: aiohttp.ClientSession | None = None

    async def __call__(self) -> dict[str, ComponentHealth]:
        found = await asyncio.gather(*(self._ask(name, url) for name, url in self._urls.items()))
        return dict(zip(self._urls, found, strict=True))

    async def close(self) -> None:
        """Close the connections. Closing twice is no error."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _ask(self, name: str, url: str) -> ComponentHealth:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=HEALTH_S), trust_env=False)
        service = name.replace("_", "-")
        try:
            async with self._session.get(f"{url}/health", allow_redirects=False) as response:
                status, body = response.status, await response.read()
        except TimeoutError:
            return ComponentHealth(False, url, f"did not answer within {HEALTH_S:.0f} s")
        except (aiohttp.ClientError, OSError) as error:
            cure = f"Start it: `prescient serve {service}`, or all with `prescient up`."
            return ComponentHealth(False, url, f"does not answer ({type(error).__name__}). {cure}")
        answer = _decoded(body)
        if status != 200:
            return ComponentHealth(False, url, answer.detail or f"answered with status {status}")
        if answer.service != service:
            return ComponentHealth(False, url, "something else answers there")
        return ComponentHealth(True, url)


def _decoded(body: bytes) -> _Answer:
    try:
        return msgspec.json.decode(body, type=_Answer)
    except msgspec.MsgspecError:
        return _Answer()
