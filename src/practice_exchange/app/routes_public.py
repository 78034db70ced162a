"""Routes that need no log-in: market data of the order-book API, the catalogue, the Data API."""

from __future__ import annotations

from typing import Any

from practice_exchange.app.openapi import BY_TOKEN, OBJECTS, PLAIN, TEXT, TOKENS
from practice_exchange.books.shapes import BookShape, ClobMarketShape, InfoShape
from practice_exchange.clob.public_routes import ClobRoutes
from practice_exchange.data.routes import DataRoutes
from practice_exchange.data.routes_v2 import NewerDataRoutes
from practice_exchange.gamma.routes import GammaRoutes
from practice_exchange.gamma.shapes import TagShape
from practice_exchange.web.route import OBJECT, Effect, Handler, Route

# Limits and parameters that rows share, and the parameters of those that have many.
EVENTS, MARKETS = "events, events and markets", "markets, events and markets"
OF_USER, SORTED = "user market eventId", "limit offset sortBy sortDirection"
KEYSET = "limit after_cursor order ascending closed"
GAMMA_EVENTS = "limit offset order ascending id slug tag_id tag_slug closed exclude_tag_id"
GAMMA_MARKETS = "limit offset order ascending id slug clob_token_ids closed include_tag"
POSITIONS = f"{OF_USER} sizeThreshold redeemable mergeable includeArchived {SORTED} title"
CLOSED_POSITIONS = f"user market title eventId {SORTED}"
TRADES = f"{OF_USER} takerOnly filterType filterAmount side start end limit offset"
PRICES = "market interval fidelity startTs endTs"
NEWER_PRICES = "token_id interval start end as_of bucket_seconds limit cursor"
ACTIVITY = f"{OF_USER} type excludeDepositsWithdrawals start end side {SORTED}"


def read(
    operation: str, handler: Handler, answer: Any = OBJECT, query: str = "", *, body: Any = None, limits: str = ""
) -> Route:
    """A route that anybody may ask and that changes nothing."""
    return Route(operation, handler, Effect.READS, answer, query, body, limits=limits)


CLOB: tuple[Route, ...] = (
    read("GET /clob/ok", ClobRoutes.ok, TEXT, limits="ok"),
    read("GET /clob/time", ClobRoutes.time, {"type": "integer"}),
    read("GET /clob/version", ClobRoutes.version),
    read("GET /clob/book", ClobRoutes.book, BookShape, "token_id", limits="book"),
    read("GET /clob/price", ClobRoutes.price, BY_TOKEN, "token_id side", limits="price"),
    read("GET /clob/midpoint", ClobRoutes.midpoint, BY_TOKEN, "token_id", limits="midpoint"),
    read("GET /clob/spread", ClobRoutes.spread, BY_TOKEN, "token_id"),
    read("GET /clob/last-trade-price", ClobRoutes.last_trade_price, BY_TOKEN, "token_id"),
    read("GET /clob/tick-size", ClobRoutes.tick_size, query="token_id", limits="tick-size"),
    read("GET /clob/tick-size/{token_id}", ClobRoutes.tick_size, limits="tick-size"),
    read("GET /clob/neg-risk", ClobRoutes.neg_risk, query="token_id"),
    read("GET /clob/neg-risk/{token_id}", ClobRoutes.neg_risk),
    read("GET /clob/fee-rate", ClobRoutes.fee_rate, query="token_id"),
    read("GET /clob/fee-rate/{token_id}", ClobRoutes.fee_rate),
    read("POST /clob/books", ClobRoutes.books, {"type": "array"}, body=TOKENS, limits="books"),
    read("POST /clob/prices", ClobRoutes.prices, body=TOKENS, limits="prices"),
    read("POST /clob/midpoints", ClobRoutes.midpoints, BY_TOKEN, body=TOKENS, limits="midpoints"),
    read("POST /clob/spreads", ClobRoutes.spreads, BY_TOKEN, body=TOKENS),
    read("POST /clob/last-trades-prices", ClobRoutes.last_trades_prices, OBJECTS, body=TOKENS),
    read("GET /clob/prices-history", ClobRoutes.prices_history, query=PRICES, limits="prices-history"),
    read("GET /clob/markets", ClobRoutes.markets, query="next_cursor"),
    read("GET /clob/simplified-markets", ClobRoutes.simplified_markets, query="next_cursor"),
    read("GET /clob/sampling-markets", ClobRoutes.sampling_markets, query="next_cursor"),
    read("GET /clob/sampling-simplified-markets", ClobRoutes.sampling_simplified_markets, query="next_cursor"),
    read("GET /clob/markets/{condition_id}", ClobRoutes.market, ClobMarketShape),
    read("GET /clob/clob-markets/{condition_id}", ClobRoutes.market_info, InfoShape),
    read("GET /clob/markets-by-token/{token_id}", ClobRoutes.market_of_token, BY_TOKEN),
    read("GET /clob/", ClobRoutes.ok, TEXT),
    read("GET /clob/books", ClobRoutes.refuse_batch, limits="books"),
    read("GET /clob/prices", ClobRoutes.refuse_batch, limits="prices"),
    read("GET /clob/midpoints", ClobRoutes.refuse_batch, limits="midpoints"),
    read("GET /clob/spreads", ClobRoutes.refuse_batch),
    read("GET /clob/last-trades-prices", ClobRoutes.refuse_batch),
)
GAMMA: tuple[Route, ...] = (
    read("GET /gamma/status", GammaRoutes.status, PLAIN),
    read("GET /gamma/events", GammaRoutes.events, OBJECTS, GAMMA_EVENTS, limits=EVENTS),
    read("GET /gamma/events/keyset", GammaRoutes.events_keyset, query=f"{KEYSET} tag_slug", limits=EVENTS),
    read("GET /gamma/events/{id}", GammaRoutes.event, limits=EVENTS),
    read("GET /gamma/events/slug/{slug}", GammaRoutes.event_by_slug, limits=EVENTS),
    read("GET /gamma/markets", GammaRoutes.markets, OBJECTS, GAMMA_MARKETS, limits=MARKETS),
    read("GET /gamma/markets/keyset", GammaRoutes.markets_keyset, query=f"{KEYSET} decimalized", limits=MARKETS),
    read("GET /gamma/markets/{id}", GammaRoutes.market, limits=MARKETS),
    read("GET /gamma/markets/slug/{slug}", GammaRoutes.market_by_slug, limits=MARKETS),
    read("GET /gamma/tags", GammaRoutes.tags, OBJECTS, "limit offset", limits="tags"),
    read("GET /gamma/tags/{id}", GammaRoutes.tag, TagShape, limits="tags"),
    read("GET /gamma/tags/slug/{slug}", GammaRoutes.tag_by_slug, TagShape, limits="tags"),
    read("GET /gamma/public-search", GammaRoutes.search, query="q events_status limit_per_type page", limits="search"),
)
DATA: tuple[Route, ...] = (
    read("GET /data/", DataRoutes.status),
    read("GET /data/positions", DataRoutes.positions, OBJECTS, POSITIONS, limits="positions"),
    read("GET /data/closed-positions", DataRoutes.closed_positions, OBJECTS, CLOSED_POSITIONS, limits="positions"),
    read("GET /data/trades", DataRoutes.trades, OBJECTS, TRADES, limits="trades"),
    read("GET /data/activity", DataRoutes.activity, OBJECTS, ACTIVITY),
    read("GET /data/value", DataRoutes.value, OBJECTS, "user market"),
    read("GET /data/v2/positions", NewerDataRoutes.positions, query="user condition_id event_id status limit cursor"),
    read("GET /data/v2/trades", NewerDataRoutes.trades, query="user condition_id side filter_type filter_amount limit"),
    read("GET /data/v2/activity", NewerDataRoutes.activity, query="user type side start end limit cursor"),
    read("GET /data/v2/value", NewerDataRoutes.value, query="user condition_id"),
    read("GET /data/v2/prices-history", NewerDataRoutes.prices_history, query=NEWER_PRICES),
    read("GET /data/v2/approvals", NewerDataRoutes.approvals, query="user"),
)
