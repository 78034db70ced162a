"""Where the practice exchange differs from the venue's official specifications on purpose, each with its reason.

The conformance tests demand exactly these: a difference that is not listed fails, and so does one that is listed and no
longer there. docs/fidelity.md shows them.
"""

from __future__ import annotations

from typing import NamedTuple


class Deviation(NamedTuple):
    """``file`` is the specification, ``where`` the fault as tests/exchange/api/specifications.py names it."""

    file: str
    operation: str
    where: str
    reason: str


class Unserved(NamedTuple):
    """Documented operations that are not there, and why."""

    file: str
    operations: tuple[str, ...]
    reason: str


LIVE = "as observed on the live venue"
CLOB: tuple[tuple[str, str, str], ...] = (
    ("GET /midpoint", "200 (whole): mid_price is missing", f"`mid`, {LIVE}"),
    ("GET /price", "200 price: type number", f"a string, {LIVE}"),
    ("POST /prices", "200 */BUY: type number", f"strings, {LIVE}"),
    ("POST /prices", "200 */SELL: type number", f"strings, {LIVE}"),
    ("GET /last-trade-price", "404: not documented", "assumed: an unknown token is told as at the other paths"),
    ("GET /sampling-markets", "200 data/*/game_start_time: type string", "null where nothing starts, as recorded"),
    ("GET /simplified-markets", "200 data/*/rewards/rates: type array", "null where there are no rewards, as recorded"),
    (
        "POST /orders",
        "200 */status: enum",
        "a leg that is refused has an empty status, as both official clients expect",
    ),
    ("GET /data/orders", "200 data/*/status: enum", f"`LIVE` without the prefix `ORDER_STATUS_`, {LIVE}"),
    ("GET /data/order/{orderID}", "200 status: enum", f"`LIVE` without the prefix `ORDER_STATUS_`, {LIVE}"),
    ("GET /balance-allowance/update", "200 (whole): allowances is missing", f"an empty object, {LIVE}"),
    ("GET /balance-allowance/update", "200 (whole): balance is missing", f"an empty object, {LIVE}"),
)
USER: tuple[tuple[str, str, str], ...] = (
    ("order", "order_type: enum", "the file is older than FAK, which the venue and its clients know"),
)
DEVIATIONS: tuple[Deviation, ...] = (
    *(Deviation("clob-openapi", *each) for each in CLOB),
    *(Deviation("asyncapi-user", *each) for each in USER),
)
# Every documented operation that is there, by file. The conformance tests hold this to the files and to the exchange.
SERVED: dict[str, tuple[str, ...]] = {
    "clob-openapi": (
        "DELETE /auth/api-key",
        "POST /auth/api-key",
        "GET /auth/api-keys",
        "GET /auth/ban-status/closed-only",
        "DELETE /auth/builder-api-key",
        "GET /auth/builder-api-key",
        "POST /auth/builder-api-key",
        "GET /auth/derive-api-key",
        "GET /balance-allowance",
        "PUT /balance-allowance",
        "GET /balance-allowance/update",
        "GET /book",
        "GET /books",
        "POST /books",
        "DELETE /cancel-all",
        "DELETE /cancel-market-orders",
        "GET /clob-markets/{condition_id}",
        "GET /data/order/{orderID}",
        "GET /data/orders",
        "GET /data/trades",
        "GET /fee-rate",
        "GET /fee-rate/{token_id}",
        "POST /heartbeats",
        "GET /last-trade-price",
        "GET /last-trades-prices",
        "POST /last-trades-prices",
        "GET /markets-by-token/{token_id}",
        "GET /midpoint",
        "GET /midpoints",
        "POST /midpoints",
        "GET /neg-risk",
        "GET /neg-risk/{token_id}",
        "DELETE /notifications",
        "GET /notifications",
        "DELETE /order",
        "POST /order",
        "GET /order-scoring",
        "DELETE /orders",
        "POST /orders",
        "GET /orders-scoring",
        "POST /orders-scoring",
        "GET /price",
        "GET /prices",
        "POST /prices",
        "GET /prices-history",
        "GET /sampling-markets",
        "GET /sampling-simplified-markets",
        "GET /simplified-markets",
        "GET /spread",
        "POST /spreads",
        "GET /tick-size",
        "GET /tick-size/{token_id}",
        "GET /time",
        "POST /v1/heartbeats",
    ),
    "gamma-openapi": (
        "GET /events",
        "GET /events/keyset",
        "GET /events/slug/{slug}",
        "GET /events/{id}",
        "GET /markets",
        "GET /markets/keyset",
        "GET /markets/slug/{slug}",
        "GET /markets/{id}",
        "GET /public-search",
        "GET /status",
        "GET /tags",
        "GET /tags/slug/{slug}",
        "GET /tags/{id}",
    ),
    "data-openapi": (
        "GET /",
        "GET /activity",
        "GET /closed-positions",
        "GET /positions",
        "GET /trades",
        "GET /value",
    ),
    "relayer-openapi": (
        "GET /deployed",
        "GET /relay-payload",
        "POST /submit",
    ),
}
UNSERVED: tuple[Unserved, ...] = (
    Unserved(
        "clob-openapi",
        (
            "GET /rewards/user",
            "GET /rewards/user/total",
            "GET /rewards/user/percentages",
            "GET /rewards/user/markets",
            "GET /rewards/markets/current",
            "GET /rewards/markets/{condition_id}",
            "GET /rewards/markets/multi",
            "GET /rebates/current",
        ),
        "nobody is paid liquidity rewards here; rebates are credited without a report",
    ),
    Unserved("clob-openapi", ("GET /builder/trades",), "orders take a builder's code; trades by code are not kept"),
    Unserved(
        "clob-openapi",
        ("POST /markets/live-activity", "GET /markets/live-activity/{condition_id}"),
        "for the venue's own pages",
    ),
    Unserved("clob-openapi", ("POST /batch-prices-history",), "one token at a time is answered"),
    Unserved(
        "gamma-openapi",
        (
            "GET /comments",
            "GET /comments/{id}",
            "GET /comments/user_address/{user_address}",
            "GET /events/{id}/comments/count",
            "GET /series/{id}/comments/count",
            "GET /events/{id}/tweet-count",
            "GET /profiles/user_address/{user_address}",
            "GET /public-profile",
            "GET /events/creators",
            "GET /events/creators/{id}",
        ),
        "the practice world has no people who talk",
    ),
    Unserved(
        "gamma-openapi",
        (
            "GET /series",
            "GET /series/{id}",
            "GET /series-summary/{id}",
            "GET /series-summary/slug/{slug}",
            "GET /sports",
            "GET /sports/market-types",
            "GET /teams",
            "GET /teams/{id}",
            "GET /tags/{id}/related-tags",
            "GET /tags/{id}/related-tags/tags",
            "GET /tags/slug/{slug}/related-tags",
            "GET /tags/slug/{slug}/related-tags/tags",
        ),
        "for browsing; series and tags stand in events and markets",
    ),
    Unserved(
        "gamma-openapi",
        (
            "GET /events/pagination",
            "GET /events/results",
            "GET /events/{id}/tags",
            "GET /markets/{id}/tags",
            "GET /markets/{id}/description",
            "POST /markets/information",
            "POST /markets/abridged",
        ),
        "the same is told by `/events`, `/markets` and their keyset forms",
    ),
    Unserved(
        "data-openapi",
        (
            "GET /v1/accounting/snapshot",
            "GET /v1/activity/combos",
            "GET /v1/positions/combos",
            "GET /revisions",
            "GET /other",
            "GET /v1/builders/leaderboard",
            "GET /v1/builders/volume",
            "GET /v1/leaderboard",
            "GET /live-volume",
            "GET /oi",
            "GET /holders",
            "GET /traded",
            "GET /v1/market-positions",
            "GET /v1/approvals",
        ),
        "positions, trades, activity and value are what a trading client asks for; approvals stand under `/v2`",
    ),
    Unserved(
        "relayer-openapi",
        ("GET /nonce", "GET /transaction", "GET /transactions", "GET /relayer/api/keys"),
        "the official clients ask the newer `/v1/account/transactions`",
    ),
)
