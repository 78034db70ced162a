"""Routes that need no log-in: market data of the order-book API, the catalogue, the Data API."""

from __future__ import annotations

from practice_exchange.app.openapi import BY_TOKEN, OBJECTS, PLAIN, TEXT, TOKENS
from practice_exchange.books.shapes import BookShape, ClobMarketShape, InfoShape
from practice_exchange.clob.public_routes import ClobRoutes
from practice_exchange.data.routes import DataRoutes
from practice_exchange.data.routes_v2 import NewerDataRoutes
from practice_exchange.gamma.routes import GammaRoutes
from practice_exchange.gamma.shapes import TagShape
from practice_exchange.web.route import Effect, Route

READS = Effect.READS
EVENTS, MARKETS = "events, events and markets", "markets, events and markets"

CLOB: tuple[Route, ...] = (
    Route("GET /clob/ok", ClobRoutes.ok, READS, TEXT, limits="ok"),
    Route("GET /clob/time", ClobRoutes.time, READS, {"type": "integer"}),
    Route("GET /clob/version", ClobRoutes.version, READS),
    Route("GET /clob/book", ClobRoutes.book, READS, BookShape, "token_id", limits="book"),
    Route("GET /clob/price", ClobRoutes.price, READS, BY_TOKEN, "token_id side", limits="price"),
    Route("GET /clob/midpoint", ClobRoutes.midpoint, READS, BY_TOKEN, "token_id", limits="midpoint"),
    Route("GET /clob/spread", ClobRoutes.spread, READS, BY_TOKEN, "token_id"),
    Route("GET /clob/last-trade-price", ClobRoutes.last_trade_price, READS, BY_TOKEN, "token_id"),
    Route("GET /clob/tick-size", ClobRoutes.tick_size, READS, query="token_id", limits="tick-size"),
    Route("GET /clob/tick-size/{token_id}", ClobRoutes.tick_size, READS, limits="tick-size"),
    Route("GET /clob/neg-risk", ClobRoutes.neg_risk, READS, query="token_id"),
    Route("GET /clob/neg-risk/{token_id}", ClobRoutes.neg_risk, READS),
    Route("GET /clob/fee-rate", ClobRoutes.fee_rate, READS, query="token_id"),
    Route("GET /clob/fee-rate/{token_id}", ClobRoutes.fee_rate, READS),
    Route("POST /clob/books", ClobRoutes.books, READS, {"type": "array"}, body=TOKENS, limits="books"),
    Route("POST /clob/prices", ClobRoutes.prices, READS, body=TOKENS, limits="prices"),
    Route("POST /clob/midpoints", ClobRoutes.midpoints, READS, BY_TOKEN, body=TOKENS, limits="midpoints"),
    Route("POST /clob/spreads", ClobRoutes.spreads, READS, BY_TOKEN, body=TOKENS),
    Route("POST /clob/last-trades-prices", ClobRoutes.last_trades_prices, READS, OBJECTS, body=TOKENS),
    Route(
        "GET /clob/prices-history",
        ClobRoutes.prices_history,
        READS,
        query="market interval fidelity startTs endTs",
        limits="prices-history",
    ),
    Route("GET /clob/markets", ClobRoutes.markets, READS, query="next_cursor"),
    Route("GET /clob/simplified-markets", ClobRoutes.simplified_markets, READS, query="next_cursor"),
    Route("GET /clob/sampling-markets", ClobRoutes.sampling_markets, READS, query="next_cursor"),
    Route("GET /clob/sampling-simplified-markets", ClobRoutes.sampling_simplified_markets, READS, query="next_cursor"),
    Route("GET /clob/markets/{condition_id}", ClobRoutes.market, READS, ClobMarketShape),
    Route("GET /clob/clob-markets/{condition_id}", ClobRoutes.market_info, READS, InfoShape),
    Route("GET /clob/markets-by-token/{token_id}", ClobRoutes.market_of_token, READS, BY_TOKEN),
    Route("GET /clob/", ClobRoutes.ok, READS, TEXT),
    Route("GET /clob/books", ClobRoutes.refuse_batch, READS, limits="books"),
    Route("GET /clob/prices", ClobRoutes.refuse_batch, READS, limits="prices"),
    Route("GET /clob/midpoints", ClobRoutes.refuse_batch, READS, limits="midpoints"),
    Route("GET /clob/spreads", ClobRoutes.refuse_batch, READS),
    Route("GET /clob/last-trades-prices", ClobRoutes.refuse_batch, READS),
)
GAMMA: tuple[Route, ...] = (
    Route("GET /gamma/status", GammaRoutes.status, READS, PLAIN),
    Route(
        "GET /gamma/events",
        GammaRoutes.events,
        READS,
        OBJECTS,
        "limit offset order ascending id slug tag_id tag_slug closed exclude_tag_id",
        limits=EVENTS,
    ),
    Route(
        "GET /gamma/events/keyset",
        GammaRoutes.events_keyset,
        READS,
        query="limit after_cursor order ascending closed tag_slug",
        limits=EVENTS,
    ),
    Route("GET /gamma/events/{id}", GammaRoutes.event, READS, limits=EVENTS),
    Route("GET /gamma/events/slug/{slug}", GammaRoutes.event_by_slug, READS, limits=EVENTS),
    Route(
        "GET /gamma/markets",
        GammaRoutes.markets,
        READS,
        OBJECTS,
        "limit offset order ascending id slug clob_token_ids closed include_tag",
        limits=MARKETS,
    ),
    Route(
        "GET /gamma/markets/keyset",
        GammaRoutes.markets_keyset,
        READS,
        query="limit after_cursor order ascending closed decimalized",
        limits=MARKETS,
    ),
    Route("GET /gamma/markets/{id}", GammaRoutes.market, READS, limits=MARKETS),
    Route("GET /gamma/markets/slug/{slug}", GammaRoutes.market_by_slug, READS, limits=MARKETS),
    Route("GET /gamma/tags", GammaRoutes.tags, READS, OBJECTS, "limit offset", limits="tags"),
    Route("GET /gamma/tags/{id}", GammaRoutes.tag, READS, TagShape, limits="tags"),
    Route("GET /gamma/tags/slug/{slug}", GammaRoutes.tag_by_slug, READS, TagShape, limits="tags"),
    Route(
        "GET /gamma/public-search",
        GammaRoutes.search,
        READS,
        query="q events_status limit_per_type page",
        limits="search",
    ),
)
DATA: tuple[Route, ...] = (
    Route("GET /data/", DataRoutes.status, READS),
    Route(
        "GET /data/positions",
        DataRoutes.positions,
        READS,
        OBJECTS,
        "user market eventId sizeThreshold redeemable mergeable includeArchived limit offset sortBy sortDirection title",
        limits="positions",
    ),
    Route(
        "GET /data/closed-positions",
        DataRoutes.closed_positions,
        READS,
        OBJECTS,
        "user market title eventId limit offset sortBy sortDirection",
        limits="positions",
    ),
    Route(
        "GET /data/trades",
        DataRoutes.trades,
        READS,
        OBJECTS,
        "user market eventId takerOnly filterType filterAmount side start end limit offset",
        limits="trades",
    ),
    Route(
        "GET /data/activity",
        DataRoutes.activity,
        READS,
        OBJECTS,
        "user market eventId type excludeDepositsWithdrawals start end side limit offset sortBy sortDirection",
    ),
    Route("GET /data/value", DataRoutes.value, READS, OBJECTS, "user market"),
    Route(
        "GET /data/v2/positions",
        NewerDataRoutes.positions,
        READS,
        query="user condition_id event_id status limit cursor",
    ),
    Route(
        "GET /data/v2/trades",
        NewerDataRoutes.trades,
        READS,
        query="user condition_id side filter_type filter_amount limit",
    ),
    Route("GET /data/v2/activity", NewerDataRoutes.activity, READS, query="user type side start end limit cursor"),
    Route("GET /data/v2/value", NewerDataRoutes.value, READS, query="user condition_id"),
    Route(
        "GET /data/v2/prices-history",
        NewerDataRoutes.prices_history,
        READS,
        query="token_id interval start end as_of bucket_seconds limit cursor",
    ),
    Route("GET /data/v2/approvals", NewerDataRoutes.approvals, READS, query="user"),
)
