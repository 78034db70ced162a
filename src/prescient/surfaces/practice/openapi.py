"""What the practice exchange serves, as an OpenAPI document: its paths, and the very structs that its answers are written from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from prescient.surfaces.practice.clob_shapes import BookShape, ClobMarketShape, InfoShape, SimplifiedMarketShape
from prescient.surfaces.practice.faults import Fault
from prescient.surfaces.practice.gamma_shapes import TagShape
from prescient.surfaces.practice.world import Exhibit
from prescient.wire.order_messages import (
    ApiKeyMessage,
    ApiKeysMessage,
    BalanceAllowanceMessage,
    CancelAnswer,
    CancelMarketBody,
    CancelOrderBody,
    ErrorMessage,
    HeartbeatMessage,
    OpenOrderMessage,
    PageMessage,
    SendOrderAnswer,
    SendOrderMessage,
    TradeMessage,
)

VERSION = "3.1.0"
TEXT = {"type": "string"}
TRUTH = {"type": "boolean"}
OBJECT = {"type": "object"}
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
BY_TOKEN = {"type": "object", "additionalProperties": TEXT}
# Who may ask: anybody, who signs with a wallet (L1), who signs with an API key (L2).
ANYBODY, WALLET, KEY = "", "wallet", "key"
HEADERS = {
    WALLET: ("POLY_ADDRESS", "POLY_SIGNATURE", "POLY_TIMESTAMP", "POLY_NONCE"),
    KEY: ("POLY_ADDRESS", "POLY_SIGNATURE", "POLY_TIMESTAMP", "POLY_API_KEY", "POLY_PASSPHRASE"),
}
STRUCTS: tuple[Any, ...] = (
    ApiKeyMessage,
    ApiKeysMessage,
    BalanceAllowanceMessage,
    BookShape,
    CancelAnswer,
    CancelMarketBody,
    CancelOrderBody,
    ClobMarketShape,
    ErrorMessage,
    Fault,
    HeartbeatMessage,
    InfoShape,
    OpenOrderMessage,
    PageMessage[OpenOrderMessage],
    PageMessage[TradeMessage],
    SendOrderAnswer,
    SendOrderMessage,
    SimplifiedMarketShape,
    TagShape,
    TradeMessage,
)
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
    "limit": WHOLE,
    "offset": WHOLE,
    "page": WHOLE,
    "limit_per_type": WHOLE,
    "closed": TRUTH,
    "ascending": TRUTH,
    "include_tag": TRUTH,
    "decimalized": TRUTH,
    "order": {"enum": ["volume24hr", "liquidityNum", "startDate", "endDate", "createdAt", "id"]},
}
REFERENCE = "#/components/schemas/{name}"


class Served(NamedTuple):
    """One operation. ``answer`` and ``body`` are a struct, a schema, or None for nothing; ``query`` names its parameters."""

    operation: str
    summary: str
    answer: Any = OBJECT
    query: str = ""
    body: Any = None
    login: str = ANYBODY


CLOB: tuple[Served, ...] = (
    Served("GET /clob/ok", "Whether the exchange answers", TEXT),
    Served("GET /clob/time", "The exchange's time in seconds", {"type": "integer"}),
    Served("GET /clob/version", "The version of orders that are taken"),
    Served("GET /clob/book", "A token's book, best levels last", BookShape, "token_id"),
    Served("GET /clob/price", "The best price of a side", BY_TOKEN, "token_id side"),
    Served("GET /clob/midpoint", "The middle of the book", BY_TOKEN, "token_id"),
    Served("GET /clob/spread", "The spread", BY_TOKEN, "token_id"),
    Served("GET /clob/last-trade-price", "The last trade", BY_TOKEN, "token_id"),
    Served("GET /clob/tick-size", "The smallest step of a price", query="token_id"),
    Served("GET /clob/tick-size/{token_id}", "The smallest step of a price"),
    Served("GET /clob/neg-risk", "Whether the market's outcomes exclude one another", query="token_id"),
    Served("GET /clob/neg-risk/{token_id}", "Whether the market's outcomes exclude one another"),
    Served("GET /clob/fee-rate", "The base fee of the first contracts", query="token_id"),
    Served("GET /clob/fee-rate/{token_id}", "The base fee of the first contracts"),
    Served("POST /clob/books", "Books of many tokens", {"type": "array"}, body=TOKENS),
    Served("POST /clob/prices", "Prices of many tokens", body=TOKENS),
    Served("POST /clob/midpoints", "Middles of many tokens", BY_TOKEN, body=TOKENS),
    Served("POST /clob/spreads", "Spreads of many tokens", BY_TOKEN, body=TOKENS),
    Served("POST /clob/last-trades-prices", "Last trades of many tokens", OBJECTS, body=TOKENS),
    Served("GET /clob/prices-history", "A token's price over time", query="market interval fidelity startTs endTs"),
    Served("GET /clob/markets", "All markets, by page", query="next_cursor"),
    Served("GET /clob/simplified-markets", "All markets in short, by page", query="next_cursor"),
    Served("GET /clob/sampling-markets", "Markets with rewards, by page", query="next_cursor"),
    Served("GET /clob/sampling-simplified-markets", "Markets with rewards in short, by page", query="next_cursor"),
    Served("GET /clob/markets/{condition_id}", "One market", ClobMarketShape),
    Served("GET /clob/clob-markets/{condition_id}", "What orders of a market must obey", InfoShape),
    Served("GET /clob/markets-by-token/{token_id}", "The market of a token", BY_TOKEN),
)
GAMMA: tuple[Served, ...] = (
    Served(
        "GET /gamma/events",
        "Events",
        OBJECTS,
        "limit offset order ascending id slug tag_id tag_slug closed exclude_tag_id",
    ),
    Served("GET /gamma/events/keyset", "Events, by cursor", query="limit after_cursor order ascending closed tag_slug"),
    Served("GET /gamma/events/{id}", "One event"),
    Served("GET /gamma/events/slug/{slug}", "One event"),
    Served(
        "GET /gamma/markets",
        "Markets",
        OBJECTS,
        "limit offset order ascending id slug clob_token_ids closed include_tag",
    ),
    Served(
        "GET /gamma/markets/keyset", "Markets, by cursor", query="limit after_cursor order ascending closed decimalized"
    ),
    Served("GET /gamma/markets/{id}", "One market"),
    Served("GET /gamma/markets/slug/{slug}", "One market"),
    Served("GET /gamma/tags", "Tags", OBJECTS, "limit offset"),
    Served("GET /gamma/tags/{id}", "One tag", TagShape),
    Served("GET /gamma/tags/slug/{slug}", "One tag", TagShape),
    Served("GET /gamma/public-search", "Search", query="q events_status limit_per_type page"),
)
TRADING: tuple[Served, ...] = (
    Served("POST /clob/auth/api-key", "Make an API key", ApiKeyMessage, login=WALLET),
    Served("GET /clob/auth/derive-api-key", "Get an API key again", ApiKeyMessage, login=WALLET),
    Served("GET /clob/auth/api-keys", "The API keys of a wallet", ApiKeysMessage, login=KEY),
    Served("DELETE /clob/auth/api-key", "Delete the API key that asks", TEXT, login=KEY),
    Served("POST /clob/auth/readonly-api-key", "Make a key that may only look", login=KEY),
    Served("GET /clob/auth/readonly-api-keys", "The keys of a wallet that may only look", TEXTS, login=KEY),
    Served("DELETE /clob/auth/readonly-api-key", "Delete a key that may only look", login=KEY),
    Served("GET /clob/auth/validate-readonly-api-key", "Whether a key may look", TEXT, "address key"),
    Served("GET /clob/auth/ban-status/closed-only", "Whether one may only close positions", login=KEY),
    Served("POST /clob/order", "Post an order", SendOrderAnswer, body=SendOrderMessage, login=KEY),
    Served(
        "POST /clob/orders",
        "Post up to 15 orders",
        {"type": "array", "items": {"$ref": "#/components/schemas/SendOrderAnswer"}},
        body={"type": "array", "items": {"$ref": "#/components/schemas/SendOrderMessage"}, "maxItems": 15},
        login=KEY,
    ),
    Served("DELETE /clob/order", "Cancel an order", CancelAnswer, body=CancelOrderBody, login=KEY),
    Served("DELETE /clob/orders", "Cancel orders", CancelAnswer, body=TEXTS, login=KEY),
    Served("DELETE /clob/cancel-all", "Cancel all orders", CancelAnswer, login=KEY),
    Served(
        "DELETE /clob/cancel-market-orders", "Cancel a market's orders", CancelAnswer, body=CancelMarketBody, login=KEY
    ),
    Served("GET /clob/data/order/{order_id}", "One order", OpenOrderMessage, login=KEY),
    Served(
        "GET /clob/data/orders",
        "Open orders, by page",
        PageMessage[OpenOrderMessage],
        "id market asset_id next_cursor",
        login=KEY,
    ),
    Served(
        "GET /clob/data/trades",
        "Trades, by page",
        PageMessage[TradeMessage],
        "id maker_address market asset_id before after next_cursor",
        login=KEY,
    ),
    Served(
        "GET /clob/balance-allowance",
        "A balance",
        BalanceAllowanceMessage,
        "asset_type token_id signature_type",
        login=KEY,
    ),
    Served(
        "GET /clob/balance-allowance/update",
        "Look at a balance anew",
        query="asset_type token_id signature_type",
        login=KEY,
    ),
    Served("GET /clob/notifications", "Notifications", OBJECTS, "signature_type", login=KEY),
    Served("DELETE /clob/notifications", "Drop notifications", TEXT, "ids", login=KEY),
    Served("POST /clob/v1/heartbeats", "Say that one is alive", HeartbeatMessage, body=HeartbeatMessage, login=KEY),
    Served("POST /clob/heartbeats", "Say that one is alive, in the old way", login=KEY),
    Served("GET /clob/order-scoring", "Whether an order earns rewards", query="order_id", login=KEY),
    Served(
        "POST /clob/orders-scoring",
        "Whether orders earn rewards",
        {"type": "object", "additionalProperties": TRUTH},
        body=TEXTS,
        login=KEY,
    ),
)
CONTROLS: tuple[Served, ...] = (
    Served("GET /practice/time", "The exchange's time"),
    Served("GET /practice/status", "What there is, and how fast time passes"),
    Served(
        "POST /practice/advance",
        "Let time pass at once",
        body={"type": "object", "properties": {"seconds": {"type": "number"}}, "required": ["seconds"]},
    ),
    Served("GET /practice/faults", "Faults that wait to strike"),
    Served("POST /practice/faults", "Ask for a fault", body=Fault),
    Served("DELETE /practice/faults", "Call all faults off"),
    Served("GET /practice/faults/catalogue", "Every kind of fault, with its parameters"),
    Served("GET /practice/mode", "What the exchange takes now"),
    Served("GET /practice/limits", "The rate limits"),
)


def describe(world: Exhibit, *, trading: bool) -> dict[str, Any]:
    """Return the document, with examples of ids that this world has; without ``trading`` only what can be read."""
    served = (*CLOB, *GAMMA, *CONTROLS, *(TRADING if trading else ()))
    examples = _examples(world)
    paths: dict[str, dict[str, Any]] = {}
    for each in served:
        method, _, path = each.operation.partition(" ")
        paths.setdefault(path, {})[method.lower()] = _operation(each, path, examples)
    _, components = msgspec.json.schema_components(STRUCTS, ref_template=REFERENCE)
    for name, fields in FIELDS.items():
        components[name]["properties"] |= fields
    # An order for the first contracts has no timestamp; who reads this document makes none of those.
    components["OrderMessage"]["required"].append("timestamp")
    info = {
        "title": "Practice exchange",
        "version": "1",
        "description": "Polymarket's paths as served here. A status of 5xx comes only where a fault or a mode asks for it.",
    }
    return {"openapi": VERSION, "info": info, "paths": paths, "components": {"schemas": components}}


def _operation(each: Served, path: str, examples: dict[str, str]) -> dict[str, Any]:
    names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    parameters = [_parameter(name, "path", examples) for name in names]
    parameters += [_parameter(name, "query", examples) for name in each.query.split()]
    parameters += [
        {"name": name, "in": "header", "required": True, "schema": TEXT} for name in HEADERS.get(each.login, ())
    ]
    described: dict[str, Any] = {
        "summary": each.summary,
        "operationId": each.operation,
        "parameters": parameters,
        "responses": dict(_responses(each, path)),
    }
    if each.body is not None:
        described["requestBody"] = {"required": True, "content": _json(each.body)}
    return described


def _parameter(name: str, place: str, examples: dict[str, str]) -> dict[str, Any]:
    described: dict[str, Any] = {"name": name, "in": place, "required": place == "path"}
    described["schema"] = PARAMETERS.get(name, TEXT)
    if name in examples:
        described["example"] = examples[name]
    return described


def _responses(each: Served, path: str) -> Iterator[tuple[str, Any]]:
    done = "201" if each.operation == "POST /practice/faults" else "200"
    yield done, {"description": "Done", "content": _json(each.answer)}
    # The catalogue says more about a refusal than the rest does.
    refusal = OBJECT if path.startswith(("/gamma", "/practice")) else ErrorMessage
    for status, meaning in (("400", "Refused"), ("404", "Not there"), ("422", "Senseless")):
        yield status, {"description": meaning, "content": _json(refusal)}
    if each.login:
        yield "401", {"description": "Not who it says it is", "content": _json(ErrorMessage)}


def _json(what: Any) -> dict[str, Any]:
    schema = what if isinstance(what, dict) else _reference(what)
    return {"application/json": {"schema": schema}}


def _reference(struct: Any) -> Any:
    (schema,), _ = msgspec.json.schema_components((struct,), ref_template=REFERENCE)
    return schema


def _examples(world: Exhibit) -> dict[str, str]:
    """Ids that exist, so that who reads the document can ask at once."""
    market = next((each for each in world.register.markets.values() if each.trading), None)
    if market is None:
        return {}
    event = world.register.events[market.event_number]
    return {
        "token_id": market.token_ids[0],
        "asset_id": market.token_ids[0],
        "clob_token_ids": market.token_ids[0],
        "condition_id": market.condition_id,
        "market": market.token_ids[0],
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
