"""The docs pages and the description behind them: complete, readable by their Swagger, and from no other origin."""

from __future__ import annotations

import re
from typing import Any

import pytest

from prescient.api.docs import as_version_3_0
from prescient.service_table import SERVICE_NAMES, SERVICE_TITLES
from tests.prescient.api.conftest import Clients

# The contract: every path of every service with its methods.
CONTRACT = {
    "events": """
        POST /events/export
        GET POST /events/filter
        GET /events
        GET /events/{event_id}
    """,
    "markets": """
        GET POST /markets/export-filtered-markets-db
        GET /markets
        GET /markets/{market_id}
        GET /markets/{market_id}/book
        GET /markets/{market_id}/snapshots
    """,
    "strategy": """
        POST /strategy/generate-signals
        GET /strategy/signals
        GET /strategy/strategies
    """,
    "paper-trading": """
        GET /portfolios/list
        POST /portfolios/create
        GET PATCH DELETE /portfolios/{portfolio_id}
        GET /paper-trading/status
        GET /paper-trading/portfolio
        GET /paper-trading/trades-history
        GET /paper-trading/closed-positions
        GET POST /price-updater/update
        POST /paper-trading/execute-signals
        POST /paper-trading/mark
        POST /paper-trading/snapshot
        GET POST /paper-trading/orders
        DELETE /paper-trading/orders/{order_id}
        POST /paper-trading/merge
        POST /paper-trading/convert
    """,
    "controller": """
        GET /trading/status
        GET POST /trading/run-full-cycle
        GET POST /trading/run-all-portfolios
        GET POST /trading/run-portfolio-cycle
        GET /trading/performance-summary
        GET /trading/cycles
        GET /trading/cycles/{cycle_id}
        GET /trading/explain
    """,
}


def contract_of(service: str) -> dict[str, set[str]]:
    lines = [line.split() for line in CONTRACT[service].splitlines() if line.strip()]
    return {line[-1]: {method.lower() for method in line[:-1]} for line in lines} | {"/health": {"get"}}


async def description(clients: Clients, service: str) -> dict[str, Any]:
    answer = await clients[service].get("/openapi.json")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize("service", SERVICE_NAMES)
async def test_the_routes_are_those_of_the_contract(clients: Clients, service: str) -> None:
    paths = (await description(clients, service))["paths"]
    assert {path: set(operations) for path, operations in paths.items()} == contract_of(service)


@pytest.mark.parametrize("service", SERVICE_NAMES)
async def test_every_operation_describes_its_answer_and_its_errors(clients: Clients, service: str) -> None:
    schema = await description(clients, service)
    operations = [operation for path in schema["paths"].values() for operation in path.values()]
    ids = [operation["operationId"] for operation in operations]
    assert len(ids) == len(set(ids))
    for operation in operations:
        assert operation["description"].startswith(operation["summary"])
        assert " " in operation["summary"] and not operation["summary"].endswith((".", ";", ":"))
        answers = operation["responses"]
        assert {"200", "403", "413", "415", "421", "422", "500", "503", "default"} <= answers.keys()
        assert answers["200"]["content"]["application/json"]["schema"]["$ref"]
        for status, answer in answers.items():
            if status != "200":
                assert answer["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Problem"}
    assert "HTTPValidationError" not in schema["components"]["schemas"]


async def test_parameters_are_described_in_dollars_with_the_runbooks_defaults(clients: Clients) -> None:
    operation = (await description(clients, "controller"))["paths"]["/trading/run-full-cycle"]["get"]
    described = {item["name"]: item["schema"] for item in operation["parameters"]}
    defaults = {name: schema.get("default") for name, schema in described.items()}
    assert defaults == {
        "event_min_liquidity": 10000,
        "event_min_volume": 50000,
        "min_liquidity": 10000,
        "min_volume": 50000,
        "min_market_conviction": 0.5,
        "max_market_conviction": 0.6,
        "Idempotency-Key": None,
    }
    assert (described["max_market_conviction"]["minimum"], described["max_market_conviction"]["maximum"]) == (0, 1)
    assert described["min_volume"]["type"] == "number"


def nodes(node: Any) -> list[dict[str, Any]]:
    if isinstance(node, list):
        return [found for item in node for found in nodes(item)]
    if not isinstance(node, dict):
        return []
    return [node, *(found for item in node.values() for found in nodes(item))]


@pytest.mark.parametrize("service", SERVICE_NAMES)
async def test_the_description_is_of_the_version_that_its_swagger_reads(clients: Clients, service: str) -> None:
    schema = await description(clients, service)
    assert schema["openapi"] == "3.0.3"
    for node in nodes(schema):
        assert node.get("type") != "null"
        assert not isinstance(node.get("type"), list)
        assert "const" not in node
        assert isinstance(node.get("exclusiveMinimum", True), bool)
    script = (await clients[service].get("/docs/assets/swagger-ui-bundle.js")).text
    # Its check, as it stands in the installed script: only versions that begin with 3.0.
    assert 'get("openapi");return"string"==typeof t&&(i()(t).call(t,"3.0.")' in script


def test_later_words_of_openapi_are_rewritten() -> None:
    later = {
        "openapi": "3.1.0",
        "a": {"anyOf": [{"type": "string"}, {"type": "null"}], "title": "A"},
        "b": {"anyOf": [{"$ref": "#/x"}, {"type": "null"}]},
        "c": {"anyOf": [{"type": "string"}, {"type": "integer"}, {"type": "null"}]},
        "d": {"type": "number", "exclusiveMinimum": 0},
        "e": {"const": "x"},
    }
    assert as_version_3_0(later) == {
        "openapi": "3.0.3",
        "a": {"type": "string", "title": "A", "nullable": True},
        "b": {"allOf": [{"$ref": "#/x"}], "nullable": True},
        "c": {"anyOf": [{"type": "string"}, {"type": "integer"}], "nullable": True},
        "d": {"type": "number", "minimum": 0, "exclusiveMinimum": True},
        "e": {"enum": ["x"]},
    }


@pytest.mark.parametrize("service", SERVICE_NAMES)
async def test_the_docs_page_loads_nothing_from_elsewhere(clients: Clients, service: str) -> None:
    answer = await clients[service].get("/docs")
    assert answer.headers["content-type"].startswith("text/html")
    page = answer.text
    assert SERVICE_TITLES[service] in page
    assert "http:" not in page and "https:" not in page and 'src="//' not in page
    # No script stands in the page itself, so the policy can forbid all that do.
    assert not re.search(r"<script(?![^>]* src=)", page)
    policy = answer.headers["Content-Security-Policy"]
    assert "script-src 'self';" in policy and "connect-src 'self';" in policy
    assert "unsafe-eval" not in policy and "*" not in policy
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(loaded) == 4
    for path in loaded:
        assert path.startswith("/docs/assets/")
        part = await clients[service].get(path)
        assert part.status_code == 200
        assert part.headers["content-type"].split(";")[0] in ("text/css", "text/javascript", "image/png")
    start = (await clients[service].get("/docs/assets/start.js")).text
    assert '"/openapi.json"' in start
    # Swagger would else ask its makers' server to validate the page.
    assert "validatorUrl: null" in start
