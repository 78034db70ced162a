"""Routes that need a log-in or a signature: keys, orders and accounts, the relayer and the chain."""

from __future__ import annotations

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
from practice_exchange.app.chain_and_data_routes import ChainAndDataRoutes
from practice_exchange.app.openapi import OBJECTS, TEXT, TEXTS, TRUTH
from practice_exchange.chain.relayer import Relayer
from practice_exchange.chain.rpc import RpcSide
from practice_exchange.clob.account_routes import AccountRoutes
from practice_exchange.clob.key_routes import KeyRoutes
from practice_exchange.clob.order_gateway import OrderGateway
from practice_exchange.web.route import OBJECT, Effect, Login, Metered, Route

READS, CHANGES = Effect.READS, Effect.CHANGES
L1, L2, READ_ONLY = Login.WALLET, Login.KEY, Login.KEY_OR_READ_ONLY
KEYS = "keys"

TRADING: tuple[Route, ...] = (
    Route("POST /clob/auth/api-key", KeyRoutes.create, CHANGES, ApiKeyMessage, login=L1, limits=KEYS),
    Route("GET /clob/auth/derive-api-key", KeyRoutes.derive, READS, ApiKeyMessage, login=L1, limits=KEYS),
    Route("GET /clob/auth/api-keys", KeyRoutes.keys, READS, ApiKeysMessage, login=Login.KEY_OR_WALLET, limits=KEYS),
    Route("DELETE /clob/auth/api-key", KeyRoutes.delete, CHANGES, TEXT, login=L2, limits=KEYS),
    Route("POST /clob/auth/readonly-api-key", KeyRoutes.create_read_only, CHANGES, login=L2, limits=KEYS),
    Route("GET /clob/auth/readonly-api-keys", KeyRoutes.read_only_keys, READS, {}, login=L2, limits=KEYS),
    Route(
        "DELETE /clob/auth/readonly-api-key",
        KeyRoutes.delete_read_only,
        CHANGES,
        {},
        body=OBJECT,
        login=L2,
        limits=KEYS,
    ),
    Route(
        "GET /clob/auth/validate-readonly-api-key", KeyRoutes.validate_read_only, READS, {}, "address key", limits=KEYS
    ),
    Route("POST /clob/auth/builder-api-key", ChainAndDataRoutes.create_builder_key, CHANGES, login=L2, limits=KEYS),
    Route("GET /clob/auth/builder-api-key", ChainAndDataRoutes.builder_keys, READS, {}, login=L2, limits=KEYS),
    Route(
        "DELETE /clob/auth/builder-api-key",
        ChainAndDataRoutes.revoke_builder_key,
        CHANGES,
        TEXT,
        login=Login.BUILDER,
        limits=KEYS,
    ),
    Route("GET /clob/auth/ban-status/closed-only", AccountRoutes.closed_only, READS, login=READ_ONLY, limits=KEYS),
    Route(
        "POST /clob/order",
        OrderGateway.post_one,
        CHANGES,
        SendOrderAnswer,
        body=SendOrderMessage,
        login=L2,
        limits="post order",
        metered=Metered.ORDER,
    ),
    Route(
        "POST /clob/orders",
        OrderGateway.post_many,
        CHANGES,
        {"type": "array", "items": {"$ref": "#/components/schemas/SendOrderAnswer"}},
        body={"type": "array", "items": {"$ref": "#/components/schemas/SendOrderMessage"}, "maxItems": 15},
        login=L2,
        limits="post orders",
        metered=Metered.ORDERS,
    ),
    Route(
        "DELETE /clob/order",
        OrderGateway.cancel_one,
        CHANGES,
        CancelAnswer,
        body=CancelOrderBody,
        login=L2,
        limits="cancel order",
        metered=Metered.CANCEL,
    ),
    Route(
        "DELETE /clob/orders",
        OrderGateway.cancel_many,
        CHANGES,
        CancelAnswer,
        body=TEXTS,
        login=L2,
        limits="cancel orders",
        metered=Metered.CANCELS,
    ),
    Route(
        "DELETE /clob/cancel-all",
        OrderGateway.cancel_all,
        CHANGES,
        CancelAnswer,
        login=L2,
        limits="cancel-all",
        metered=Metered.CANCEL_ALL,
    ),
    Route(
        "DELETE /clob/cancel-market-orders",
        OrderGateway.cancel_market,
        CHANGES,
        CancelAnswer,
        body=CancelMarketBody,
        login=L2,
        limits="cancel-market-orders",
        metered=Metered.CANCEL_ALL,
    ),
    Route(
        "GET /clob/data/order/{order_id}",
        AccountRoutes.order,
        READS,
        OpenOrderMessage,
        login=READ_ONLY,
        limits="ledger",
    ),
    Route(
        "GET /clob/data/orders",
        AccountRoutes.orders,
        READS,
        PageMessage[OpenOrderMessage],
        "id market asset_id next_cursor",
        login=READ_ONLY,
        limits="data/orders, ledger",
    ),
    Route(
        "GET /clob/data/trades",
        AccountRoutes.trades,
        READS,
        PageMessage[TradeMessage],
        "id maker_address market asset_id before after next_cursor",
        login=READ_ONLY,
        limits="data/trades, ledger",
    ),
    Route(
        "GET /clob/balance-allowance",
        AccountRoutes.balance,
        READS,
        BalanceAllowanceMessage,
        "asset_type token_id signature_type",
        login=READ_ONLY,
        limits="balance-allowance",
    ),
    Route(
        "GET /clob/balance-allowance/update",
        AccountRoutes.update_balance,
        CHANGES,
        query="asset_type token_id signature_type",
        login=L2,
        limits="balance-allowance/update",
    ),
    Route(
        "PUT /clob/balance-allowance",
        AccountRoutes.update_balance,
        CHANGES,
        query="asset_type token_id signature_type",
        login=L2,
    ),
    Route(
        "GET /clob/data/pre-migration-orders", AccountRoutes.pre_migration_orders, READS, query="next_cursor", login=L2
    ),
    Route(
        "GET /clob/notifications",
        AccountRoutes.unread_notifications,
        READS,
        OBJECTS,
        "signature_type",
        login=READ_ONLY,
        limits="ledger, notifications",
    ),
    Route(
        "DELETE /clob/notifications",
        AccountRoutes.drop_notifications,
        CHANGES,
        TEXT,
        "ids",
        login=L2,
        limits="ledger, notifications",
    ),
    Route(
        "POST /clob/v1/heartbeats", AccountRoutes.heartbeat, CHANGES, HeartbeatMessage, body=HeartbeatMessage, login=L2
    ),
    Route("POST /clob/heartbeats", AccountRoutes.old_heartbeat, CHANGES, login=L2),
    Route("GET /clob/order-scoring", AccountRoutes.order_scoring, READS, query="order_id", login=READ_ONLY),
    Route("GET /clob/orders-scoring", AccountRoutes.queried_scoring, READS, query="order_ids", login=L2),
    Route(
        "POST /clob/orders-scoring",
        AccountRoutes.posted_scoring,
        READS,
        {"type": "object", "additionalProperties": TRUTH},
        body=TEXTS,
        login=READ_ONLY,
    ),
    Route(
        "PUT /clob/balance-allowance/update",
        AccountRoutes.update_balance,
        CHANGES,
        query="asset_type token_id signature_type",
        login=L2,
        limits="balance-allowance/update",
    ),
)
CHAIN: tuple[Route, ...] = (
    Route("GET /relayer/deployed", Relayer.deployed, READS, query="address type"),
    Route("GET /relayer/relay-payload", Relayer.nonce, READS, query="address type"),
    Route("GET /relayer/v1/account/transactions/params", Relayer.nonce, READS, query="address type"),
    Route("GET /relayer/v1/account/transactions/{transaction_id}", Relayer.transaction, READS),
    Route("POST /relayer/submit", Relayer.submit, CHANGES, body=OBJECT, login=Login.RELAYER, limits="relayer submit"),
    Route("POST /rpc", RpcSide.answer, Effect.SENDS_TRANSACTIONS, {}, body=OBJECT),
)
