"""Hostile values on every route: always a clear refusal that names the field, never a 500, never an echo, no effect."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from prescient.ports.context import TradingContext
from prescient.service_table import SERVICE_NAMES
from tests.prescient.api.conftest import Clients
from tests.prescient.api.test_access import everything, routes_of

JSON = {"Content-Type": "application/json"}
ECHO = "S3ntinel"
# What is put in the place of a number, as it stands in the JSON text.
NOT_NUMBERS = {
    "NaN": "NaN",
    "Infinity": "Infinity",
    "-Infinity": "-Infinity",
    "exponent without end": "1e999",
    "huge exponent": "1E+999999",
    "huge negative exponent": "1e-999999",
    "negative": "-1",
    "negative zero": "-0.0",
    "negative whole zero": "-0",
    "twenty digits": "12345678901234567890",
    "ten thousand digits": "9" * 10_000,
    "many decimals": "0." + "1" * 5_000,
    "true": "true",
    "list": "[1]",
    "object": '{"a": 1}',
    "words": f'"{ECHO}"',
    "nan in words": '"nan"',
    "underscore": '"1_000"',
    "foreign digits": '"\u0661\u0662"',
    "spaces": '" 5 "',
    "lone surrogate": '"\\ud800"',
    "NUL": '"5\\u0000"',
    "empty": '""',
}
NOT_TEXTS = {
    "NUL": '"a\\u0000b"',
    "lone surrogate": '"a\\udfff"',
    "control character": '"a\\u001b[31m"',
    "right-to-left override": '"a\\u202eb"',
    "too long": '"' + "x" * 2_000 + '"',
    "number": "5",
    "null": "null",
    "list": '["a"]',
    "NaN": "NaN",
    "true": "true",
}
NOT_IDS = {**NOT_TEXTS, "path": '"../../etc/passwd"', "SQL": "\"1' OR '1'='1\"", "spaces": '"a b"', "empty": '""'}
del NOT_IDS["null"]
# Route, a body that is right, and per kind the fields that are tried.
FORMS: list[tuple[str, str, str, dict[str, Any], dict[str, list[str]]]] = [
    (
        "paper-trading",
        "POST",
        "/portfolios/create",
        {"name": '"Good"', "initial_balance": "100"},
        {
            "number": ["initial_balance", "current_balance", "strategy_config.trade_size_usd"],
            "text": ["name", "description", "strategy_type", "schedule"],
        },
    ),
    (
        "paper-trading",
        "PATCH",
        "/portfolios/1",
        {},
        {"text": ["name", "description", "strategy_type", "schedule", "status"]},
    ),
    (
        "paper-trading",
        "POST",
        "/paper-trading/execute-signals",
        {"portfolio_id": "1"},
        {"number": ["portfolio_id"], "id": ["cycle_id"]},
    ),
    ("paper-trading", "POST", "/paper-trading/mark", {"portfolio_id": "1"}, {"number": ["portfolio_id"]}),
    (
        "paper-trading",
        "POST",
        "/paper-trading/snapshot",
        {"portfolio_id": "1"},
        {"number": ["portfolio_id"], "id": ["cycle_id"]},
    ),
    (
        "strategy",
        "POST",
        "/strategy/generate-signals",
        {"portfolio_id": "1"},
        {"number": ["portfolio_id", "min_market_conviction", "max_market_conviction", "limit"], "id": ["cycle_id"]},
    ),
    ("events", "POST", "/events/export", {}, {"id": ["cycle_id"]}),
    (
        "events",
        "POST",
        "/events/filter",
        {},
        {"number": ["event_min_liquidity", "event_min_volume", "limit"], "id": ["cycle_id"]},
    ),
    (
        "markets",
        "POST",
        "/markets/export-filtered-markets-db",
        {},
        {
            "number": ["min_liquidity", "min_volume", "event_min_volume", "max_market_conviction", "limit"],
            "id": ["cycle_id"],
        },
    ),
    (
        "controller",
        "POST",
        "/trading/run-full-cycle",
        {},
        {"number": ["min_liquidity", "event_min_liquidity", "min_market_conviction"]},
    ),
    ("controller", "POST", "/trading/run-all-portfolios", {}, {"number": ["min_volume", "event_min_volume"]}),
    (
        "controller",
        "POST",
        "/trading/run-portfolio-cycle",
        {"portfolio_id": "1"},
        {"number": ["portfolio_id", "min_volume"]},
    ),
]
KINDS = {"number": NOT_NUMBERS, "text": NOT_TEXTS, "id": NOT_IDS}


def body_of(good: dict[str, str], field: str, text: str) -> str:
    """A body's JSON text with one field's value replaced; a dotted name is a field of an object."""
    outer, _, inner = field.partition(".")
    fields = {**good, outer: f'{{"{inner}": {text}}}' if inner else text}
    return "{" + ", ".join(f'"{name}": {value}' for name, value in fields.items()) + "}"


def refused(answer: httpx.Response, field: str | None = None) -> None:
    assert answer.status_code == 422, answer.text
    body = answer.json()
    assert body["code"] == "invalid_request"
    assert ECHO not in answer.text
    if field is not None:
        assert body["field"] == field, body
        assert field in body["detail"]


@pytest.mark.parametrize(("service", "method", "path", "good", "fields"), FORMS, ids=[form[2] for form in FORMS])
async def test_hostile_values_in_bodies_are_refused_by_field(
    clients: Clients,
    portfolio_id: int,
    context: TradingContext,
    service: str,
    method: str,
    path: str,
    good: dict[str, str],
    fields: dict[str, list[str]],
) -> None:
    before = await everything(context)
    for kind, names in fields.items():
        for name in names:
            for what, text in KINDS[kind].items():
                content = body_of(good, name, text)
                answer = await clients[service].request(method, path, content=content, headers=JSON)
                assert answer.status_code == 422, (name, what, answer.text)
                refused(answer, name)
    assert await everything(context) == before


# Bodies that are wrong as a whole.
BAD_BODIES = {
    "not JSON": b"{",
    "trailing data": b"{} {}",
    "comment": b"{} // fine",
    "byte order mark": b"\xef\xbb\xbf{}",
    "not UTF-8": b'{"name": "\xff\xfe"}',
    "UTF-16": '{"name": "a"}'.encode("utf-16"),
    "list": b"[]",
    "word": b'"create"',
    "number": b"5",
    "nested deep": b'{"name":' * 5_000 + b"1" + b"}" * 5_000,
    "nested very deep": b"[" * 60_000,
    "nested in a free object": b'{"name":"a","initial_balance":5,"strategy_config":{"a":'
    + b"[" * 40
    + b"]" * 40
    + b"}}",
    "duplicate key": b'{"name": "a", "initial_balance": 5, "initial_balance": 500}',
    "duplicate key in an object": b'{"name": "a", "initial_balance": 5, "strategy_config": {"a": 1, "a": 2}}',
    "unknown field": b'{"name": "a", "initial_balance": 5, "user": "admin"}',
    "unprintable unknown field": b'{"name": "a", "initial_balance": 5, "\\ud800\\u0000S3ntinel \\u001b[2J": 1}',
    "NaN in a free object": b'{"name": "a", "initial_balance": 5, "strategy_config": {"min_confidence": NaN}}',
    "huge in a free object": b'{"name": "a", "initial_balance": 5, "strategy_config": {"trade_size_usd": '
    + b"9" * 9_000
    + b"}}",
    "list of texts with a surrogate": b'{"name": "a", "initial_balance": 5, "strategy_config": {"market_types": ["\\ud800"]}}',
    "nothing": b"",
}


@pytest.mark.parametrize("content", BAD_BODIES.values(), ids=BAD_BODIES.keys())
async def test_bodies_that_are_wrong_as_a_whole_are_refused(
    clients: Clients, context: TradingContext, content: bytes
) -> None:
    answer = await clients["paper-trading"].post("/portfolios/create", content=content, headers=JSON)
    refused(answer)
    assert answer.json()["field"]
    assert await context.store.portfolios() == []


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "",
        "application/jsonp",
        "application/vnd.api+json",
        "text/json",
    ],
)
async def test_only_json_is_read(clients: Clients, context: TradingContext, content_type: str) -> None:
    content = b'{"name": "a", "initial_balance": 5}'
    answer = await clients["paper-trading"].post(
        "/portfolios/create", content=content, headers={"Content-Type": content_type}
    )
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
    assert await context.store.portfolios() == []
    right = {"Content-Type": "application/json; charset=utf-8"}
    assert (
        await clients["paper-trading"].post("/portfolios/create", content=content, headers=right)
    ).status_code == 200


# How the same values look in a URL.
BAD_QUERY = {
    "number": [
        "NaN",
        "Infinity",
        "-1",
        "-0",
        "1e999",
        "1e-999999",
        "9" * 400,
        "12345678901234567890",
        "true",
        "1_000",
        "%D9%A1",
        "%00",
        "%ED%A0%80",
        "0x10",
        "",
        "+5",
        "5%20",
        "5;--",
        ECHO,
    ],
    "id": ["%00", "a%00b", "%ED%A0%80", "../x", "a%20b", "x" * 300, "'%20OR%201=1", "%1b[2J", ""],
    "text": ["%00", "%1b[2J", "%E2%80%AE", "x" * 300, ""],
    "boolean": ["maybe", "2", "%00", ""],
}
QUERIES = [
    (
        "controller",
        "/trading/run-full-cycle",
        "number",
        [
            "event_min_liquidity",
            "event_min_volume",
            "min_liquidity",
            "min_volume",
            "min_market_conviction",
            "max_market_conviction",
        ],
    ),
    ("controller", "/trading/run-all-portfolios", "number", ["min_liquidity"]),
    ("controller", "/trading/run-portfolio-cycle", "number", ["portfolio_id"]),
    ("controller", "/trading/performance-summary", "number", ["portfolio_id", "days"]),
    ("controller", "/trading/cycles", "number", ["limit"]),
    ("controller", "/trading/explain", "number", ["portfolio_id", "limit"]),
    ("controller", "/trading/explain", "id", ["cycle_id"]),
    ("controller", "/trading/explain", "text", ["market"]),
    ("paper-trading", "/paper-trading/portfolio", "number", ["portfolio_id"]),
    ("paper-trading", "/paper-trading/trades-history", "number", ["portfolio_id", "limit"]),
    ("paper-trading", "/paper-trading/closed-positions", "number", ["portfolio_id", "limit"]),
    ("paper-trading", "/portfolios/list", "text", ["status"]),
    ("strategy", "/strategy/signals", "number", ["portfolio_id", "limit"]),
    ("strategy", "/strategy/signals", "id", ["cycle_id"]),
    ("strategy", "/strategy/signals", "boolean", ["pending_only"]),
    ("events", "/events", "number", ["limit", "offset"]),
    ("events", "/events", "boolean", ["active_only"]),
    ("events", "/events/filter", "number", ["event_min_liquidity", "limit"]),
    ("events", "/events/filter", "id", ["cycle_id"]),
    ("markets", "/markets", "number", ["min_liquidity", "min_volume", "limit", "offset"]),
    ("markets", "/markets", "id", ["event_id"]),
    ("markets", "/markets/export-filtered-markets-db", "number", ["min_volume", "limit"]),
    ("markets", "/markets/1/book", "number", ["levels"]),
    ("markets", "/markets/1/snapshots", "number", ["limit"]),
]


@pytest.mark.parametrize(
    ("service", "path", "kind", "names"), QUERIES, ids=[f"{query[1]} {query[2]}" for query in QUERIES]
)
async def test_hostile_values_in_urls_are_refused_by_field(
    clients: Clients, portfolio_id: int, context: TradingContext, service: str, path: str, kind: str, names: list[str]
) -> None:
    before = await everything(context)
    for name in names:
        for value in BAD_QUERY[kind]:
            answer = await clients[service].get(f"{path}?{name}={value}")
            assert answer.status_code == 422, (name, value, answer.text)
            refused(answer, name)
    assert await everything(context) == before


@pytest.mark.parametrize(
    ("service", "path"),
    [
        (service, route.path_format)
        for service in SERVICE_NAMES
        for route in routes_of(service)
        if "GET" in (route.methods or ())
    ],
)
async def test_unknown_and_repeated_parameters_are_refused_everywhere(
    clients: Clients, portfolio_id: int, context: TradingContext, service: str, path: str
) -> None:
    before = await everything(context)
    place = path.replace("{portfolio_id}", "1").replace("{name}", "start.js")
    unknown = await clients[service].get(f"{place}?mim_liquidity=5")
    refused(unknown, "mim_liquidity")
    refused(await clients[service].get(f"{place}?{ECHO}%00%20=5"))
    with_body = await clients[service].request("GET", place, content=b"{}", headers=JSON)
    refused(with_body, "body")
    assert await everything(context) == before
    repeated = await clients["controller"].get("/trading/cycles?limit=1&limit=2")
    refused(repeated, "limit")


PATHS = [
    (
        "paper-trading",
        "/portfolios/{}",
        ["0", "2147483648", "9" * 30],
    ),
    ("events", "/events/{}", ["%00", "a%20b", "x" * 300, "%ED%A0%80", "'"]),
    ("markets", "/markets/{}", ["%00", "a%20b", "x" * 300, "%ED%A0%80", ";", "%2e%2e"]),
    ("markets", "/markets/{}/book", ["%00", "a%20b", "x" * 300]),
    ("markets", "/markets/{}/snapshots", ["%00", "a%20b", "x" * 300]),
    ("controller", "/trading/cycles/{}", ["%00", "a%20b", "x" * 300, "%1b[2J"]),
]


@pytest.mark.parametrize(("service", "path", "values"), PATHS, ids=[item[1] for item in PATHS])
async def test_path_ids_are_bounded(clients: Clients, service: str, path: str, values: list[str]) -> None:
    for value in values:
        answer = await clients[service].get(path.format(value))
        assert answer.status_code == 422, (value, answer.text)
        refused(answer)


async def test_a_portfolio_id_is_digits(clients: Clients) -> None:
    for value in ("-1", "1.0", "1e3", "NaN", "%00", "%D9%A1", "1%20", "abc", "create"):
        answer = await clients["paper-trading"].get(f"/portfolios/{value}")
        assert answer.status_code == (405 if value == "create" else 404), value
        assert answer.json()["code"] in ("not_found", "method_not_allowed")


async def test_paths_out_of_the_tree_lead_nowhere(clients: Clients) -> None:
    for path in (
        "/docs/assets/../app.py",
        "/docs/assets/%2e%2e%2fapp.py",
        "/docs/assets/..%5capp.py",
        "/docs/assets/",
        "//events",
    ):
        assert (await clients["events"].get(path)).status_code == 404
