"""The refusals that have nothing to do with an order's terms: log-ins, people, the venue's modes, reads."""

from __future__ import annotations

from practice_exchange.engine.orders import Mode, Restriction

from .rejection_cases import (
    CANCEL_ONLY,
    DEPOSIT,
    DISABLED,
    FIELD,
    L1,
    L2,
    NO_BOOK,
    PAYLOAD,
    POST_ONLY,
    REGION,
    SIGNATURE,
    SIGNER,
    STRANGER,
    Case,
    body,
    crossing,
    first_version,
    forged,
    from_fresh_wallet,
    in_mode,
    other_protocol,
    others_wallet,
    post,
    replayed,
    restricted,
    signed_l1,
    signed_l2,
    spoilt,
    stolen_key,
    unsigned,
    wrong_secret,
)
from .trading_user import NOW_S

FILE = "clob-openapi"
LOG_INS = [
    Case("no log-in", "A request without L2 headers is refused", L2, signed_l2("GET", "/", POLY_ADDRESS=""), 401),
    Case("a key of another", "An API key is good with its own address only", L2, stolen_key, 401),
    Case("a wrong secret", "The HMAC must be made with the key's secret", L2, wrong_secret, 401),
    Case("an unknown key", "The API key must exist", L2, signed_l2("GET", "/data/orders", POLY_API_KEY="x"), 401),
    Case("a replay elsewhere", "A log-in is good for one method and path", L2, signed_l2("DELETE", "/cancel-all"), 401),
    Case("a replay with another body", "A log-in is good for one body", L2, replayed, 401),
    Case(
        "a log-in of yesterday",
        "A log-in is good for 60 seconds",
        L2,
        signed_l2("GET", "/data/orders", NOW_S - 86_400),
        401,
        evidence="assumed",
        source="the venue has a tolerance and does not say which",
    ),
    Case("no claim", "Making a key takes an L1 signature", L1, signed_l1(POLY_SIGNATURE=""), 401),
    Case(
        "a claim of another",
        "The L1 signature must be of the address",
        L1,
        signed_l1(POLY_ADDRESS=STRANGER.address),
        401,
    ),
    Case("a claim of yesterday", "An L1 signature grows old", L1, signed_l1(NOW_S - 86_400), 401),
    Case(
        "a key that is not there",
        "Only a key that was made can be derived",
        "Could not derive api key!",
        signed_l1(method="GET"),
    ),
    Case("a key twice", "A key is made once per address and nonce", "Could not create api key", signed_l1(nonce=0)),
]

PEOPLE = [
    Case(
        "another owner",
        "The owner is the API key",
        "the order owner has to be the owner of the API KEY",
        post(unsigned(owner="00000000-0000-0000-0000-000000000000")),
    ),
    Case("another signer", "The signer is the API key's address", SIGNER, post(forged(signer=STRANGER.address))),
    Case("another's wallet", "The maker is a wallet of the signer", DEPOSIT, others_wallet),
    Case(
        "a fresh wallet", "New accounts trade through deposit wallets only", DEPOSIT, from_fresh_wallet, evidence=FIELD
    ),
    Case("another salt", "The salt is under the signature", SIGNATURE, post(forged(salt=999))),
    Case(
        "another amount", "The amounts are under the signature", SIGNATURE, post(forged(taker_amount_micro=20_000_000))
    ),
    Case("no signature", "An order is signed", SIGNATURE, post(unsigned(signature="0x"))),
    Case(
        "the first contracts",
        "Orders for the first contracts are refused",
        "order_version_mismatch",
        first_version,
        evidence=FIELD,
    ),
    Case(
        "the next contracts",
        "An order signed for the exchange of version 3 is refused on a market of version 1",
        "invalid order version",
        other_protocol,
        evidence="assumed",
        source="the text is the venue's; when it is said is not known",
    ),
    Case(
        "a banned address", "A banned address is refused", "'{address}' address banned", restricted(Restriction.BANNED)
    ),
    Case(
        "closed only",
        "An address in closed-only mode buys nothing",
        "'{address}' address in closed only mode",
        restricted(Restriction.CLOSED_ONLY),
    ),
]

MODES = [
    Case(
        "a restart",
        "During a restart order endpoints answer 425",
        "service not ready",
        in_mode(Mode.RESTARTING, post()),
        425,
        "Limits and modes",
        FIELD,
    ),
    Case(
        "disabled", "Trading disabled refuses orders", DISABLED, in_mode(Mode.DISABLED, post()), 503, "Limits and modes"
    ),
    Case(
        "cancels while disabled",
        "Trading disabled refuses cancels too",
        DISABLED,
        in_mode(Mode.DISABLED, body("DELETE", "/order", b'{"orderID":"0x' + b"a" * 64 + b'"}')),
        503,
        "Limits and modes",
    ),
    Case(
        "cancel-only",
        "Cancel-only refuses new orders",
        CANCEL_ONLY,
        in_mode(Mode.CANCEL_ONLY, post()),
        503,
        "Limits and modes",
    ),
    Case(
        "post-only",
        "After a restart only post-only orders are taken",
        POST_ONLY,
        in_mode(Mode.POST_ONLY, post()),
        503,
        "Limits and modes",
    ),
    Case(
        "post-only that crosses then",
        "In the post-only window a crossing order is named",
        "order {id} crosses the book",
        in_mode(Mode.POST_ONLY, crossing(unsigned(post_only=True))),
        400,
        "Limits and modes",
        "assumed",
        "the venue has both texts and does not say when which",
    ),
]

READS = [
    Case(
        "an id that is none", "An order id is 32 bytes", "Invalid orderID", body("DELETE", "/order", b'{"orderID":"x"}')
    ),
    Case(
        "a cancel of no market",
        "A market or a token is named",
        PAYLOAD,
        body("DELETE", "/cancel-market-orders", b"{}"),
        source=FILE,
    ),
    Case("a cancel of nothing", "A cancel names its order", PAYLOAD, body("DELETE", "/order", b"{}"), source=FILE),
    Case("cancels that are none", "Cancels are an array of ids", PAYLOAD, body("DELETE", "/orders", b"x"), source=FILE),
    Case(
        "1001 cancels",
        "1,000 orders are cancelled at once",
        "Too many orders in payload, max allowed: 1000",
        body("DELETE", "/orders", b"[" + b",".join([b'"0x1"'] * 1_001) + b"]"),
        source=FILE,
    ),
    Case(
        "an order by no id", "An order is read by its id", "Invalid orderID", body("GET", "/data/order/x"), source=FILE
    ),
    Case(
        "orders from nowhere",
        "Orders are listed from a cursor",
        "invalid order params payload",
        body("GET", "/data/orders", query="next_cursor=!"),
        source=FILE,
    ),
    Case(
        "trades since nothing",
        "Times of trades are seconds",
        "Invalid trade params payload",
        body("GET", "/data/trades", query="after=x"),
        source=FILE,
    ),
    Case(
        "a wallet of no kind",
        "There are four signature types",
        "Invalid signature_type",
        body("GET", "/balance-allowance", query="asset_type=COLLATERAL&signature_type=4"),
        source=FILE,
    ),
    Case(
        "an asset of no kind",
        "Assets are collateral or conditional",
        "Invalid asset type",
        body("GET", "/balance-allowance", query="asset_type=GOLD"),
        source=FILE,
    ),
    Case(
        "scoring of no order",
        "Scoring is asked by an order's id",
        "Invalid order_id",
        body("GET", "/order-scoring", query="order_id=x"),
        source=FILE,
    ),
    Case(
        "scoring of no orders",
        "Scoring is asked by orders' ids",
        "Invalid orderID",
        body("POST", "/orders-scoring", b'["x"]'),
        source=FILE,
    ),
    Case(
        "scoring of nothing",
        "Scoring of many takes an array",
        "Invalid payload",
        body("POST", "/orders-scoring", b"{}"),
        source=FILE,
    ),
    Case(
        "an unknown order",
        "Others' and unknown orders are not found",
        "Order not found",
        body("GET", "/data/order/0x" + "a" * 64),
        404,
        evidence=FIELD,
        source="",
    ),
    Case(
        "the last cursor",
        "The end marker is no cursor",
        "next item should be greater than or equal to 0",
        body("GET", "/data/orders", query="next_cursor=LTE="),
        evidence=FIELD,
        source="",
    ),
    Case("a book of nothing", "Only known tokens have a book", NO_BOOK, body("GET", "/book", query="token_id=1"), 404),
    Case(
        "a token that is none", "A token id is a number", "Invalid token id", body("GET", "/book", query="token_id=x")
    ),
    Case(
        "a side that is none",
        "The side is BUY or SELL",
        "Invalid side",
        body("GET", "/price", query="token_id=1&side=LEFT"),
    ),
    Case(
        "books by GET",
        "Batches are read by POST",
        "Invalid payload",
        body("GET", "/books", query="token_ids=1"),
        evidence=FIELD,
        source="",
    ),
    Case(
        "501 books",
        "A batch has at most 500 tokens",
        "Payload exceeds the limit",
        body("POST", "/books", b"[" + b",".join([b'{"token_id":"1"}'] * 501) + b"]"),
    ),
    Case(
        "an unknown market",
        "A condition id names a market",
        "market not found",
        body("GET", "/markets/0x" + "a" * 64),
        404,
    ),
    Case("a market that is none", "A condition id is 32 bytes", "Invalid market", body("GET", "/markets/x")),
]
FAULTS = [
    Case(
        "a region",
        "Some regions may not trade; that is said before the log-in is looked at",
        REGION,
        spoilt("403"),
        403,
        "Limits and modes",
        source="error codes; how the text ends is assumed",
    ),
    Case("too many", "Too many requests", "Too Many Requests", spoilt("429"), 429, "Limits and modes"),
    Case(
        "a gate that restarts",
        "A restart is told by 425",
        "service not ready",
        spoilt("425"),
        425,
        "Limits and modes",
        FIELD,
    ),
    Case(
        "an order that timed out",
        "The venue's own trouble",
        "order timed out",
        spoilt("refused", "order timed out"),
        500,
    ),
    Case(
        "an execution",
        "The venue's own trouble",
        "could not run the execution",
        spoilt("refused", "could not run the execution"),
        500,
    ),
    Case(
        "an insert",
        "The venue's own trouble",
        "could not insert order",
        spoilt("refused", "could not insert order"),
        500,
    ),
    Case(
        "no matches",
        "The venue's own trouble",
        "there are no matching orders",
        spoilt("refused", "there are no matching orders"),
        500,
    ),
    Case(
        "a rounding",
        "The venue's own trouble",
        "the trade contains rounding issues",
        spoilt("refused", "the trade contains rounding issues"),
        500,
    ),
]
