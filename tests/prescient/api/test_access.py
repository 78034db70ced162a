"""The door: who may come in, and that nothing which another site, a rebound name or a prefetch asks for has any effect."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute

from prescient.api.access import AccessPolicy
from prescient.api.app import ROUTERS, SHARED, create_app
from prescient.api.strict_routes import StrictRoute, reads
from prescient.ports.context import TradingContext
from prescient.steps.local import LocalCycleSteps
from tests.prescient.api.conftest import Clients

# What hostile pages, extensions and browsers ahead of their user can make a browser send; none of it may do anything.
HOSTILE: dict[str, dict[str, str]] = {
    "image on another site": {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
    "link on another site": {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-User": "?1"},
    "frame on another site": {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "iframe"},
    "fetch from another site": {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
    "another port of this machine": {"Sec-Fetch-Site": "same-site", "Origin": "http://localhost:9999"},
    "form without Fetch Metadata": {"Origin": "https://evil.example"},
    "form from a sandbox": {"Origin": "null"},
    "name that begins like ours": {"Origin": "http://localhost.evil.example:8004"},
    "our name on a foreign port": {"Origin": "http://localhost:1234"},
    "unknown kind of site": {"Sec-Fetch-Site": "friendly-site"},
    "shouted site": {"Sec-Fetch-Site": "CROSS-SITE"},
    "prefetch": {"Sec-Fetch-Site": "none", "Sec-Purpose": "prefetch"},
    "prerender": {"Sec-Fetch-Site": "none", "Sec-Purpose": "prefetch;prerender"},
    "old prefetch": {"Purpose": "prefetch"},
    "rebound name": {"Host": "evil.example:8004"},
    "rebound name without port": {"Host": "evil.example"},
    "our name with a dot": {"Host": "localhost.:8004"},
    "user in the host": {"Host": "evil@localhost:8004"},
    "port of another program": {"Host": "localhost:9999"},
    "address of the network": {"Host": "192.168.1.5:8004"},
    "empty host": {"Host": ""},
}
FRIENDLY: dict[str, dict[str, str]] = {
    "curl": {},
    "typed address": {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"},
    "docs page": {"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost:8004"},
    "by address": {"Host": "127.0.0.1:8004"},
    "by IPv6 address": {"Host": "[::1]:8004"},
    "in capitals": {"Host": "LOCALHOST:8004"},
}


def routes_of(service: str) -> list[StrictRoute]:
    routes = [route for router in (*ROUTERS[service], *SHARED) for route in router.routes]
    assert all(isinstance(route, StrictRoute) for route in routes)
    return [route for route in routes if isinstance(route, StrictRoute)]


def changing() -> list[Any]:
    """Every route that changes something, with a request that would do so."""
    return [
        pytest.param(service, method, route.path_format, id=f"{method} {route.path_format}")
        for service in ROUTERS
        for route in routes_of(service)
        for method in sorted(route.methods or ())
        # A conversion needs an event of its own kind: see test_orders.
        if route.changes_state and route.path_format != "/paper-trading/convert"
    ]


BODIES: dict[str, dict[str, Any]] = {
    "/portfolios/create": {"name": "Made by a stranger", "initial_balance": 5},
    "/portfolios/{portfolio_id}": {"name": "Renamed by a stranger"},
    "/strategy/generate-signals": {"portfolio_id": 1},
    "/paper-trading/execute-signals": {"portfolio_id": 1},
    "/paper-trading/mark": {"portfolio_id": 1},
    "/paper-trading/snapshot": {"portfolio_id": 1},
    "/paper-trading/orders": {"portfolio_id": 1, "market": "1", "outcome": "Yes", "price": 0.5, "size": 10},
    "/paper-trading/merge": {"portfolio_id": 1, "condition_id": "0xc1"},
    "/events/filter": {"cycle_id": "cycle-stranger"},
}


async def ask(client: httpx.AsyncClient, method: str, path: str, headers: dict[str, str]) -> httpx.Response:
    place: dict[str, Any] = {}
    if method in ("POST", "PATCH") and path in BODIES:
        place["json"] = BODIES[path]
    elif path == "/trading/run-portfolio-cycle":
        place["params"] = {"portfolio_id": 1}
    elif path == "/events/filter":
        place["params"] = BODIES[path]
    return await client.request(method, path.replace("{portfolio_id}", "1"), headers=headers, **place)


async def everything(context: TradingContext) -> tuple[Any, ...]:
    """All that a request could have changed, in the store and at the venue."""
    store = context.store
    asked = list(context.market_data.asked)  # type: ignore[attr-defined]  # the small world counts what it is asked
    return (
        await store.portfolios(),
        await store.positions(None),
        await store.trades(None, 100),
        await store.signals(),
        await store.decisions(),
        await store.cycles(100),
        await store.history(None, 100),
        await store.events_page(100, 0, active_only=False),
        await store.last_screened(),
        await store.resting_orders(),
        asked,
    )


@pytest.mark.parametrize(("service", "method", "path"), changing())
async def test_no_hostile_request_has_any_effect(
    clients: Clients, portfolio_id: int, context: TradingContext, service: str, method: str, path: str
) -> None:
    assert len(HOSTILE) >= 12
    # Something to change must be there: a position, and a signal that waits for its order.
    await clients["events"].post("/events/export")
    await clients["markets"].post("/markets/export-filtered-markets-db")
    signals = (await clients["strategy"].post("/strategy/generate-signals", json={"portfolio_id": 1})).json()["signals"]
    one = {"portfolio_id": 1, "signal_ids": [signals[0]["signal_id"]]}
    await clients["paper-trading"].post("/paper-trading/execute-signals", json=one)
    placed = await clients["paper-trading"].post("/paper-trading/orders", json=BODIES["/paper-trading/orders"])
    for outcome, price in (("Yes", 0.56), ("No", 0.46)):
        leg = BODIES["/paper-trading/orders"] | {"outcome": outcome, "price": price}
        assert (await clients["paper-trading"].post("/paper-trading/orders", json=leg)).json()["status"] == "FILLED"
    path = path.replace("{order_id}", placed.json()["order_id"])
    before = await everything(context)
    for what, headers in HOSTILE.items():
        answer = await ask(clients[service], method, path, headers)
        assert answer.status_code in (403, 421), what
        assert answer.json()["code"] in ("cross_site_refused", "prefetch_refused", "host_not_allowed")
        assert await everything(context) == before, what
    # The same request is one that works, so that the refusals above prove something.
    friendly = await ask(clients[service], method, path, {})
    assert friendly.status_code == 200, friendly.text
    assert await everything(context) != before


@pytest.mark.parametrize("headers", FRIENDLY.values(), ids=FRIENDLY.keys())
async def test_people_and_programs_of_this_machine_come_in(
    clients: Clients, portfolio_id: int, headers: dict[str, str]
) -> None:
    for method in ("GET", "POST"):
        answer = await clients["controller"].request(method, "/trading/run-full-cycle", headers=headers)
        assert answer.status_code == 200, answer.text


async def test_reading_is_allowed_from_a_link_but_not_under_a_foreign_name(clients: Clients) -> None:
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert (await clients["controller"].get("/trading/cycles", headers=link)).status_code == 200
    rebound = await clients["controller"].get("/trading/cycles", headers={"Host": "evil.example:8004"})
    assert (rebound.status_code, rebound.json()["code"]) == (421, "host_not_allowed")
    for path in ("/health", "/docs", "/openapi.json", "/nothing"):
        assert (await clients["events"].get(path, headers={"Host": "evil.example"})).status_code == 421


async def test_two_hosts_are_refused(context: TradingContext) -> None:
    app = create_app("events", context, LocalCycleSteps(context), AccessPolicy())
    sent = await raw_request(app, [(b"host", b"localhost"), (b"host", b"evil.example")])
    assert sent[0]["status"] == 421


async def raw_request(
    app: Any, headers: list[tuple[bytes, bytes]], chunks: list[bytes] | None = None, kind: str = "http"
) -> list[dict[str, Any]]:
    """Send what no client library would, and return the application's messages."""
    arriving = iter(chunks or [])
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        chunk = next(arriving, None)
        if chunk is None:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": chunk, "more_body": True}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": kind,
        "method": "POST",
        "path": "/events/export",
        "raw_path": b"/events/export",
        "query_string": b"",
        "headers": headers,
        "http_version": "1.1",
        "scheme": "http",
        "root_path": "",
    }
    await app(scope, receive, send)
    return sent


@pytest.mark.parametrize("size", [64 * 1024 + 1, 10_000_000])
async def test_a_large_body_is_refused_before_it_is_parsed(clients: Clients, size: int) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(0, size, 4096):
            yield b" " * 4096

    named = await clients["paper-trading"].post("/portfolios/create", content=b" " * size)
    unnamed = await clients["paper-trading"].post("/portfolios/create", content=chunks())
    for answer in (named, unnamed):
        assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


async def test_a_body_that_never_ends_is_given_up(context: TradingContext) -> None:
    app = create_app("events", context, LocalCycleSteps(context), AccessPolicy(body_receive_s=0.05))
    sent = await raw_request(app, [(b"host", b"localhost"), (b"transfer-encoding", b"chunked")], [b"{"])
    assert sent[0]["status"] == 408
    assert await context.store.events_page(1, 0) == []


async def test_websockets_are_refused(context: TradingContext) -> None:
    app = create_app("events", context, LocalCycleSteps(context), AccessPolicy())
    assert await raw_request(app, [(b"host", b"localhost")], kind="websocket") == [
        {"type": "websocket.close", "code": 1008}
    ]


async def test_every_answer_carries_the_security_headers_and_no_cors(clients: Clients) -> None:
    origin = {"Origin": "https://evil.example"}
    answers = [
        await clients["events"].get("/events", headers=origin),
        await clients["events"].get("/nothing"),
        await clients["events"].get("/events", headers={"Host": "evil.example"}),
        await clients["events"].options("/events", headers={**origin, "Access-Control-Request-Method": "POST"}),
        await clients["events"].get("/events?limit=x"),
        await clients["events"].get("/docs"),
    ]
    for answer in answers:
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert not [name for name in answer.headers if name.startswith("access-control")]


async def test_with_a_token_only_health_is_open(context: TradingContext) -> None:
    policy = AccessPolicy(token="s3cret-token")
    assert "s3cret-token" not in repr(policy)
    app = create_app("events", context, LocalCycleSteps(context), policy)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost:8000") as client:
        assert (await client.get("/health")).status_code == 200
        for path in ("/events", "/docs", "/openapi.json", "/nothing"):
            assert (await client.get(path)).json()["code"] == "token_required"
            for wrong in ("Bearer wrong", "s3cret-token", "Bearer s3cret-toke", "Bearer é"):
                answer = await client.get(path, headers={b"Authorization": wrong.encode()})
                assert answer.status_code == 401
        assert (await client.get("/events", headers={"Authorization": "Bearer s3cret-token"})).status_code == 200


def test_a_route_must_say_whether_it_changes_something() -> None:
    async def silent() -> None: ...

    @reads
    async def lying() -> None: ...

    with pytest.raises(TypeError, match="must be marked"):
        StrictRoute("/silent", silent, methods=["GET"])
    with pytest.raises(TypeError, match="must be marked @changes"):
        StrictRoute("/lying", lying, methods=["POST"])


@pytest.mark.parametrize("service", ROUTERS)
def test_the_app_has_the_marked_routes_and_no_others(service: str, context: TradingContext) -> None:
    app = create_app(service, context, LocalCycleSteps(context), AccessPolicy())
    included = {id(route.original_router) for route in app.routes if hasattr(route, "original_router")}
    others = [route for route in app.routes if not hasattr(route, "original_router")]
    assert included == {id(router) for router in (*ROUTERS[service], *SHARED)}
    assert others == []
    for route in routes_of(service):
        assert isinstance(route, APIRoute)
        assert route.changes_state or route.methods == {"GET"}
