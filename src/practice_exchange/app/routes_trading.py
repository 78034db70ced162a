"""Routes that need a log-in or a signature: keys, orders and accounts, the relayer and the chain."""

from __future__ import annotations

from typing import Any

from polymarket_kit.messages import order_messages as wire
from practice_exchange.app.chain_and_data_routes import ChainAndDataRoutes
from practice_exchange.app.openapi import OBJECTS, TEXT, TEXTS, TRUTH
from practice_exchange.chain.relayer import Relayer
from practice_exchange.chain.rpc import RpcSide
from practice_exchange.clob.account_routes import AccountRoutes
from practice_exchange.clob.key_routes import KeyRoutes
from practice_exchange.clob.order_gateway import OrderGateway
from practice_exchange.web.route import OBJECT, Effect, Handler, Login, Metered, Route

READS, CHANGES = Effect.READS, Effect.CHANGES
L1, L2 = Login.WALLET, Login.KEY
BALANCE = "asset_type token_id signature_type"
OPEN_ORDERS, TRADES = wire.PageMessage[wire.OpenOrderMessage], wire.PageMessage[wire.TradeMessage]
OF_ORDERS, OF_TRADES = "id market asset_id next_cursor", "id maker_address market asset_id before after next_cursor"
NOTIFICATIONS = "ledger, notifications"
BEAT = wire.HeartbeatMessage


def key(
    operation: str,
    handler: Handler,
    effect: Effect,
    login: Login = Login.NONE,
    answer: Any = OBJECT,
    query: str = "",
    body: Any = None,
) -> Route:
    """A route about API keys."""
    return Route(operation, handler, effect, answer, query, body, login, "keys")


def order(
    operation: str, handler: Handler, metered: Metered, limits: str, body: Any = None, answer: Any = wire.CancelAnswer
) -> Route:
    """A route that posts or cancels orders."""
    return Route(operation, handler, CHANGES, answer, "", body, L2, limits, metered)


def own(
    operation: str, handler: Handler, answer: Any = OBJECT, query: str = "", *, limits: str = "", body: Any = None
) -> Route:
    """A route that reads what belongs to a key's owner; a read-only key will do."""
    return Route(operation, handler, READS, answer, query, body, Login.KEY_OR_READ_ONLY, limits)


KEYS: tuple[Route, ...] = (
    key("POST /clob/auth/api-key", KeyRoutes.create, CHANGES, L1, wire.ApiKeyMessage),
    key("GET /clob/auth/derive-api-key", KeyRoutes.derive, READS, L1, wire.ApiKeyMessage),
    key("GET /clob/auth/api-keys", KeyRoutes.keys, READS, Login.KEY_OR_WALLET, wire.ApiKeysMessage),
    key("DELETE /clob/auth/api-key", KeyRoutes.delete, CHANGES, L2, TEXT),
    key("POST /clob/auth/readonly-api-key", KeyRoutes.create_read_only, CHANGES, L2),
    key("GET /clob/auth/readonly-api-keys", KeyRoutes.read_only_keys, READS, L2, {}),
    key("DELETE /clob/auth/readonly-api-key", KeyRoutes.delete_read_only, CHANGES, L2, {}, body=OBJECT),
    key(
        "GET /clob/auth/validate-readonly-api-key", KeyRoutes.validate_read_only, READS, answer={}, query="address key"
    ),
    key("POST /clob/auth/builder-api-key", ChainAndDataRoutes.create_builder_key, CHANGES, L2),
    key("GET /clob/auth/builder-api-key", ChainAndDataRoutes.builder_keys, READS, L2, {}),
    key("DELETE /clob/auth/builder-api-key", ChainAndDataRoutes.revoke_builder_key, CHANGES, Login.BUILDER, TEXT),
    key("GET /clob/auth/ban-status/closed-only", AccountRoutes.closed_only, READS, Login.KEY_OR_READ_ONLY),
)
ORDERS: tuple[Route, ...] = (
    order(
        "POST /clob/order",
        OrderGateway.post_one,
        Metered.ORDER,
        "post order",
        wire.SendOrderMessage,
        wire.SendOrderAnswer,
    ),
    order(
        "POST /clob/orders",
        OrderGateway.post_many,
        Metered.ORDERS,
        "post orders",
        {"type": "array", "items": {"$ref": "#/components/schemas/SendOrderMessage"}, "maxItems": 15},
        {"type": "array", "items": {"$ref": "#/components/schemas/SendOrderAnswer"}},
    ),
    order("DELETE /clob/order", OrderGateway.cancel_one, Metered.CANCEL, "cancel order", wire.CancelOrderBody),
    order("DELETE /clob/orders", OrderGateway.cancel_many, Metered.CANCELS, "cancel orders", TEXTS),
    order("DELETE /clob/cancel-all", OrderGateway.cancel_all, Metered.CANCEL_ALL, "cancel-all"),
    order(
        "DELETE /clob/cancel-market-orders",
        OrderGateway.cancel_market,
        Metered.CANCEL_ALL,
        "cancel-market-orders",
        wire.CancelMarketBody,
    ),
)
ACCOUNT: tuple[Route, ...] = (
    own("GET /clob/data/order/{order_id}", AccountRoutes.order, wire.OpenOrderMessage, limits="ledger"),
    own("GET /clob/data/orders", AccountRoutes.orders, OPEN_ORDERS, OF_ORDERS, limits="data/orders, ledger"),
    own("GET /clob/data/trades", AccountRoutes.trades, TRADES, OF_TRADES, limits="data/trades, ledger"),
    own(
        "GET /clob/balance-allowance",
        AccountRoutes.balance,
        wire.BalanceAllowanceMessage,
        BALANCE,
        limits="balance-allowance",
    ),
    *(
        Route(
            operation, AccountRoutes.update_balance, CHANGES, query=BALANCE, login=L2, limits="balance-allowance/update"
        )
        for operation in ("GET /clob/balance-allowance/update", "PUT /clob/balance-allowance/update")
    ),
    Route("PUT /clob/balance-allowance", AccountRoutes.update_balance, CHANGES, query=BALANCE, login=L2),
    Route(
        "GET /clob/data/pre-migration-orders", AccountRoutes.pre_migration_orders, READS, query="next_cursor", login=L2
    ),
    own("GET /clob/notifications", AccountRoutes.unread_notifications, OBJECTS, "signature_type", limits=NOTIFICATIONS),
    Route(
        "DELETE /clob/notifications",
        AccountRoutes.drop_notifications,
        CHANGES,
        TEXT,
        "ids",
        login=L2,
        limits=NOTIFICATIONS,
    ),
    Route("POST /clob/v1/heartbeats", AccountRoutes.heartbeat, CHANGES, BEAT, body=BEAT, login=L2),
    Route("POST /clob/heartbeats", AccountRoutes.old_heartbeat, CHANGES, login=L2),
    own("GET /clob/order-scoring", AccountRoutes.order_scoring, query="order_id"),
    Route("GET /clob/orders-scoring", AccountRoutes.queried_scoring, READS, query="order_ids", login=L2),
    own(
        "POST /clob/orders-scoring",
        AccountRoutes.posted_scoring,
        {"type": "object", "additionalProperties": TRUTH},
        body=TEXTS,
    ),
)
TRADING = (*KEYS, *ORDERS, *ACCOUNT)
CHAIN: tuple[Route, ...] = (
    Route("GET /relayer/deployed", Relayer.deployed, READS, query="address type"),
    Route("GET /relayer/relay-payload", Relayer.nonce, READS, query="address type"),
    Route("GET /relayer/v1/account/transactions/params", Relayer.nonce, READS, query="address type"),
    Route("GET /relayer/v1/account/transactions/{transaction_id}", Relayer.transaction, READS),
    Route("POST /relayer/submit", Relayer.submit, CHANGES, body=OBJECT, login=Login.RELAYER, limits="relayer submit"),
    Route("POST /rpc", RpcSide.answer, Effect.SENDS_TRANSACTIONS, {}, body=OBJECT),
)
