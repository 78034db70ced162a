"""The OpenAPI document, generated from the route table and from the structs that responses are encoded from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from polymarket_kit.messages.order_messages import ErrorMessage
from practice_exchange.web.responses import Answer, json_answer
from practice_exchange.web.route import OBJECT, Login, Request, Route
from practice_exchange.world.world import WorldView

VERSION = "3.1.0"
TEXT = {"type": "string"}
TRUTH = {"type": "boolean"}
OBJECTS = {"type": "array", "items": OBJECT}
TEXTS = {"type": "array", "items": TEXT}
TOKENS = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {"token_id": TEXT, "side": {"enum": ["BUY", "SELL"]}},
        "required": ["token_id"],
    },
}
# An answer that is not JSON.
PLAIN = {"type": "string", "contentMediaType": "text/plain"}
BY_TOKEN = {"type": "object", "additionalProperties": TEXT}
L1_HEADERS = ("POLY_ADDRESS", "POLY_SIGNATURE", "POLY_TIMESTAMP", "POLY_NONCE")
L2_HEADERS = ("POLY_ADDRESS", "POLY_SIGNATURE", "POLY_TIMESTAMP", "POLY_API_KEY", "POLY_PASSPHRASE")
KEY_LOGINS = (Login.KEY, Login.KEY_OR_READ_ONLY, Login.KEY_OR_WALLET, Login.BUILDER)
HEADERS = {Login.WALLET: L1_HEADERS, **dict.fromkeys(KEY_LOGINS, L2_HEADERS)}
DIGITS = {"type": "string", "pattern": "^[0-9]{1,78}$"}
ADDRESS = {"type": "string", "pattern": "^0x[0-9a-fA-F]{40}$"}
HASH = {"type": "string", "pattern": "^0x[0-9a-fA-F]{64}$"}
HASH_OR_NOTHING = {"type": "string", "pattern": "^(0x[0-9a-fA-F]{64})?$"}
WHOLE = {"type": "integer", "minimum": 0, "maximum": 1_000}
# What the structs leave to the checks behind them: fields of an order, and parameters by name.
FIELDS: dict[str, dict[str, Any]] = {
    "OrderMessage": {
        "maker": ADDRESS,
        "signer": ADDRESS,
        "tokenId": DIGITS,
        "makerAmount": DIGITS,
        "takerAmount": DIGITS,
        "expiration": {**DIGITS, "default": "0"},
        "timestamp": DIGITS,
        "signatureType": {"enum": [0, 1, 2, 3]},
        "metadata": {**HASH_OR_NOTHING, "default": ""},
        "builder": {**HASH_OR_NOTHING, "default": ""},
    },
    "CancelOrderBody": {"orderID": HASH},
}
PARAMETERS: dict[str, dict[str, Any]] = {
    "token_id": DIGITS,
    "condition_id": HASH,
    "order_id": HASH,
    "side": {"enum": ["BUY", "SELL"]},
    "asset_type": {"enum": ["COLLATERAL", "CONDITIONAL", "CONDITIONAL-V2"]},
    "signature_type": {"enum": ["0", "1", "2", "3"]},
    "interval": {"enum": ["max", "all", "1m", "1w", "1d", "6h", "1h"]},
    **dict.fromkeys(("limit", "offset", "page", "limit_per_type"), WHOLE),
    **dict.fromkeys(("closed", "ascending", "include_tag", "decimalized"), TRUTH),
    "order": {"enum": ["volume24hr", "liquidityNum", "startDate", "endDate", "createdAt", "id"]},
}
REFERENCE = "#/components/schemas/{name}"


class OpenApi:
    """Serves the document of the routes that ``routes`` returns."""

    def __init__(self, world: WorldView, routes: Callable[[], Sequence[Route]]) -> None:
        self._world = world
        self._routes = routes

    def document(self, request: Request) -> Answer:
        """This document."""
        return json_answer(describe(self._world, self._routes()))


def describe(world: WorldView, routes: Sequence[Route]) -> dict[str, Any]:
    """Return the document of these routes, with examples of ids that this world has."""
    examples = _examples(world)
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, examples)
    shapes = [shape for route in routes for shape in (route.answer, route.body) if not isinstance(shape, dict | None)]
    _, components = msgspec.json.schema_components([*shapes, ErrorMessage], ref_template=REFERENCE)
    for name in FIELDS.keys() & components.keys():
        components[name]["properties"] |= FIELDS[name]
    # An order for the first contracts has no timestamp; who reads this document makes none of those.
    if "OrderMessage" in components:
        components["OrderMessage"]["required"].append("timestamp")
    info = {
        "title": "Practice exchange",
        "version": "1",
        "description": "Polymarket's paths as served here. A status of 5xx comes only where a fault or a mode asks for it.",
    }
    return {"openapi": VERSION, "info": info, "paths": paths, "components": {"schemas": components}}


def _operation(each: Route, examples: dict[str, str]) -> dict[str, Any]:
    names = [part[1:-1] for part in each.path.split("/") if part.startswith("{")]
    parameters = [_parameter(name, "path", examples) for name in names]
    parameters += [_parameter(name, "query", examples) for name in each.query.split()]
    parameters += [
        {"name": name, "in": "header", "required": True, "schema": TEXT} for name in HEADERS.get(each.login, ())
    ]
    described: dict[str, Any] = {
        "summary": each.summary,
        "operationId": each.operation,
        "parameters": parameters,
        "responses": dict(_responses(each)),
    }
    if each.body is not None:
        described["requestBody"] = {"required": True, "content": _content(each.body)}
    return described


def _parameter(name: str, place: str, examples: dict[str, str]) -> dict[str, Any]:
    described: dict[str, Any] = {"name": name, "in": place, "required": place == "path"}
    described["schema"] = PARAMETERS.get(name, TEXT)
    if name in examples:
        described["example"] = examples[name]
    return described


def _responses(each: Route) -> Iterator[tuple[str, Any]]:
    done = "201" if each.operation == "POST /practice/faults" else "200"
    yield done, {"description": "Done", "content": _content(each.answer)}
    # The catalogue says more about a refusal than the rest does.
    refusal = OBJECT if each.area in ("gamma", "practice") else ErrorMessage
    refusals = (("400", "Refused"), ("404", "Not there"), ("422", "Senseless"), ("429", "Over a rate limit"))
    for status, meaning in refusals:
        yield status, {"description": meaning, "content": _content(refusal)}
    if each.login:
        yield "401", {"description": "Not who it says it is", "content": _content(ErrorMessage)}


def _content(what: Any) -> dict[str, Any]:
    schema = what if isinstance(what, dict) else _reference(what)
    return {schema.get("contentMediaType", "application/json"): {"schema": schema}}


def _reference(struct: Any) -> Any:
    (schema,), _ = msgspec.json.schema_components((struct,), ref_template=REFERENCE)
    return schema


def _examples(world: WorldView) -> dict[str, str]:
    """Ids that exist, so that who reads the document can ask at once."""
    market = next((each for each in world.register.markets.values() if each.trading), None)
    if market is None:
        return {}
    event = world.register.events[market.event_number]
    return {
        **dict.fromkeys(("token_id", "asset_id", "clob_token_ids", "market"), market.token_ids[0]),
        "condition_id": market.condition_id,
        "id": str(event.number),
        "slug": event.slug,
        "side": "BUY",
        "interval": "1d",
        "fidelity": "60",
        "limit": "20",
        "asset_type": "COLLATERAL",
        "signature_type": "0",
        "q": market.question.split()[0],
    }
