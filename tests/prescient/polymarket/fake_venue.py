"""A venue that says what a test scripted: behind a real socket, or as a local object in the transport's place."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from prescient.adapters.polymarket.messages.http import HttpResponse

CONDITION = "0x" + "ab" * 32


@dataclass(frozen=True)
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    params: tuple[tuple[str, str], ...]
    body: bytes

    def param(self, name: str) -> str | None:
        return dict(self.params).get(name)

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.params if key == name]


Answer = HttpResponse | Callable[[Asked], HttpResponse] | Callable[[Asked], Awaitable[HttpResponse]]


def json_answer(content: Any, status: int = 200, **headers: str) -> HttpResponse:
    named = {"content-type": "application/json"} | {key.replace("_", "-"): value for key, value in headers.items()}
    return HttpResponse(status, json.dumps(content).encode(), named)


@dataclass
class Script:
    """Answers by path; a list is used up one by one and its last answer stays."""

    answers: dict[str, list[Answer]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    def on(self, path: str, *answers: Answer) -> None:
        self.answers[path] = list(answers)

    async def answer(self, asked: Asked) -> HttpResponse:
        self.asked.append(asked)
        waiting = self.answers.get(asked.path) or self.answers.get(asked.path.rpartition("/")[0] + "/*")
        if not waiting:
            return json_answer({"error": "not found"}, 404)
        chosen = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        if isinstance(chosen, HttpResponse):
            return chosen
        made = chosen(asked)
        return made if isinstance(made, HttpResponse) else await made

    def paths(self) -> list[str]:
        return [asked.path for asked in self.asked]


class LocalTransport:
    """The seam without sockets: a request is a call."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self.closed = False

    async def request(
        self, method: str, url: str, params: Sequence[tuple[str, str]], body: bytes | None
    ) -> HttpResponse:
        return await self._script.answer(Asked(method, urlsplit(url).path, tuple(params), body or b""))

    async def close(self) -> None:
        self.closed = True


@asynccontextmanager
async def served(script: Script) -> AsyncIterator[str]:
    """Serve a script on a free loopback port; yields the base URL."""

    async def handle(request: web.Request) -> web.StreamResponse:
        params = tuple(request.query.items())
        answer = await script.answer(Asked(request.method, request.path, params, await request.read()))
        if answer.headers.get("x-cut-off"):
            return await _cut_off(request, answer)
        return web.Response(status=answer.status, body=answer.body, headers=dict(answer.headers))

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        port = runner.addresses[0][1]
        yield f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


async def _cut_off(request: web.Request, answer: HttpResponse) -> web.StreamResponse:
    """Promise more than is sent, then drop the connection."""
    response = web.StreamResponse(headers={"Content-Length": str(len(answer.body) + 100)})
    await response.prepare(request)
    await response.write(answer.body)
    assert request.transport is not None
    request.transport.abort()
    return response


async def never(_: Asked) -> HttpResponse:
    await asyncio.Event().wait()
    raise AssertionError("unreachable")


def market_object(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "id": str(number),
        "question": f"Question {number}?",
        "conditionId": condition_id(number),
        "slug": f"question-{number}",
        "outcomes": '["Yes", "No"]',
        "outcomePrices": '["0.6", "0.4"]',
        "clobTokenIds": json.dumps([str(10 * number), str(10 * number + 1)]),
        "active": True,
        "closed": False,
        "acceptingOrders": True,
        "enableOrderBook": True,
    } | changes


def event_object(number: int, *markets: Any, **changes: Any) -> dict[str, Any]:
    return {
        "id": str(number),
        "title": f"Event {number}",
        "slug": f"event-{number}",
        "active": True,
        "closed": False,
        "markets": list(markets),
    } | changes


def condition_id(number: int) -> str:
    return f"0x{number:064x}"


def book_object(token: str, **changes: Any) -> dict[str, Any]:
    return {
        "market": CONDITION,
        "asset_id": token,
        "timestamp": "1778997825875",
        "hash": "",
        "bids": [{"price": "0.4", "size": "10"}],
        "asks": [{"price": "0.42", "size": "10"}],
        "min_order_size": "5",
        "tick_size": "0.01",
        "neg_risk": False,
        "last_trade_price": "",
    } | changes


def rules_object(number: int, **changes: Any) -> dict[str, Any]:
    tokens = [{"t": str(10 * number), "o": "Yes"}, {"t": str(10 * number + 1), "o": "No"}]
    return {"c": condition_id(number), "t": tokens, "mts": 0.01, "mos": 5, "ao": True} | changes
