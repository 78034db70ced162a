"""The paths that the practice exchange serves, one line each: what they are for, what they take and what they answer."""

from __future__ import annotations

from typing import Any, NamedTuple

from polymarket_kit.messages.order_messages import (
    ApiKeyMessage,
    ApiKeysMessage,
    BalanceAllowanceMessage,
    CancelAnswer,
    CancelMarketBody,
    CancelOrderBody,
    HeartbeatMessage,
    OpenOrderMessage,
    PageMessage,
    SendOrderAnswer,
    SendOrderMessage,
    TradeMessage,
)
from practice_exchange.books.shapes import BookShape, ClobMarketShape, InfoShape
from practice_exchange.faults.order import Fault
from practice_exchange.gamma.shapes import TagShape

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
# An answer that is not JSON.
PLAIN = {"type": "string", "contentMediaType": "text/plain"}
BY_TOKEN = {"type": "object", "additionalProperties": TEXT}
# Who may ask: anybody, who signs with a wallet (L1), who signs with an API key (L2).
ANYBODY, WALLET, KEY = "", "wallet", "key"


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
    Served("GET /gamma/status", "Whether the catalogue answers, as plain text", PLAIN),
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
    Served("POST /clob/auth/readonly-api-key", "Make a key that may only look", login=KEY),
    Served("GET /clob/auth/readonly-api-keys", "The keys that may only look", {}, login=KEY),
    Served("DELETE /clob/auth/readonly-api-key", "Delete a key that may only look", {}, body=OBJECT, login=KEY),
    Served("GET /clob/auth/validate-readonly-api-key", "Whose key may only look", {}, "address key"),
    Served("POST /clob/auth/builder-api-key", "Make a builder's key", login=KEY),
    Served("GET /clob/auth/builder-api-key", "A builder's keys", {}, login=KEY),
    Served("DELETE /clob/auth/builder-api-key", "Revoke a builder's key", TEXT, login=KEY),
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
    Served(
        "PUT /clob/balance-allowance", "Look at a balance anew", query="asset_type token_id signature_type", login=KEY
    ),
    Served(
        "GET /clob/data/pre-migration-orders", "Orders of the first contracts: none", query="next_cursor", login=KEY
    ),
    Served("GET /clob/notifications", "Notifications", OBJECTS, "signature_type", login=KEY),
    Served("DELETE /clob/notifications", "Drop notifications", TEXT, "ids", login=KEY),
    Served("POST /clob/v1/heartbeats", "Say that one is alive", HeartbeatMessage, body=HeartbeatMessage, login=KEY),
    Served("POST /clob/heartbeats", "Say that one is alive, in the old way", login=KEY),
    Served("GET /clob/order-scoring", "Whether an order earns rewards", query="order_id", login=KEY),
    Served("GET /clob/orders-scoring", "Whether orders earn rewards", query="order_ids", login=KEY),
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
    Served("GET /practice/openapi.json", "This document"),
    Served("GET /practice/mode", "What the exchange takes"),
    Served("POST /practice/mode", "Restart, restrict or open the exchange", body=OBJECT),
    Served("GET /practice/limits", "Which rate limits hold"),
    Served("POST /practice/limits", "Set the rate limits", body=OBJECT),
    Served("POST /practice/deposit", "Give an account play money", body=OBJECT),
    Served("POST /practice/withdraw", "Take play money back", body=OBJECT),
    Served("POST /practice/resolve", "Resolve a market now", body=OBJECT),
    Served("POST /practice/relayer-key", "A key for the relayer", body=OBJECT),
    Served("POST /practice/resolve", "Resolve a market at once", body=OBJECT),
    Served("POST /practice/watch", "Bring the markets of some tokens into the trading floor", body=OBJECT),
    Served("GET /practice/faults", "Faults that wait to strike"),
    Served("GET /practice/faults/catalogue", "Every kind of fault that can be asked for"),
    Served("POST /practice/faults", "Ask for a fault", body=Fault),
    Served("DELETE /practice/faults", "Call all faults off"),
)
DATA: tuple[Served, ...] = (
    Served("GET /data/", "Whether the Data API answers"),
    Served(
        "GET /data/positions",
        "What an account holds",
        OBJECTS,
        "user market eventId sizeThreshold redeemable mergeable includeArchived limit offset sortBy sortDirection title",
    ),
    Served(
        "GET /data/closed-positions",
        "What an account held",
        OBJECTS,
        "user market title eventId limit offset sortBy sortDirection",
    ),
    Served(
        "GET /data/trades",
        "Trades of an account or of all",
        OBJECTS,
        "user market eventId takerOnly filterType filterAmount side start end limit offset",
    ),
    Served(
        "GET /data/activity",
        "All that an account did",
        OBJECTS,
        "user market eventId type excludeDepositsWithdrawals start end side limit offset sortBy sortDirection",
    ),
    Served("GET /data/value", "What an account's positions are worth", OBJECTS, "user market"),
    Served(
        "GET /data/v2/positions", "Positions in the newer form", query="user condition_id event_id status limit cursor"
    ),
    Served(
        "GET /data/v2/trades",
        "Trades in the newer form",
        query="user condition_id side filter_type filter_amount limit",
    ),
    Served("GET /data/v2/activity", "Activity in the newer form", query="user type side start end limit cursor"),
    Served("GET /data/v2/value", "Worth in the newer form", query="user condition_id"),
    Served(
        "GET /data/v2/prices-history",
        "A token's price over time in the newer form",
        query="token_id interval start end as_of bucket_seconds limit cursor",
    ),
    Served("GET /data/v2/approvals", "What an account has approved", query="user"),
)
RELAYER: tuple[Served, ...] = (
    Served("GET /relayer/deployed", "Whether a wallet exists", query="address type"),
    Served("GET /relayer/relay-payload", "What a proxy's owner signs for", query="address type"),
    Served("GET /relayer/v1/account/transactions/params", "The next nonce of a wallet", query="address type"),
    Served("GET /relayer/v1/account/transactions/{transaction_id}", "What became of a transaction"),
    Served("POST /relayer/submit", "Send a wallet's signed batch", body=OBJECT),
    Served("POST /rpc", "The chain's JSON-RPC", {}, body=OBJECT),
)
