"""The grounds for refusing, as short stable codes, with the venue's words (api sheet, 2.7)."""

from __future__ import annotations

CLOSED = "closed"
DUPLICATE = "duplicate"
PAYLOAD = "payload"
EXPIRATION = "expiration"
TICK = "tick"
PRECISION_LIMIT = "precision-limit"
PRECISION_MARKET = "precision-market"
SIZE = "size"
NOTIONAL = "notional"
CROSSES = "crosses"
BALANCE = "balance"
FOK_KILLED = "fok"
FAK_KILLED = "fak"
ALREADY_MATCHED = "already-matched"
NOT_FOUND = "not-found"

VENUE_WORDS = {
    CLOSED: "No orderbook exists for the requested token id",
    DUPLICATE: "order {id} is invalid. Duplicated.",
    PAYLOAD: "Invalid order payload",
    EXPIRATION: "invalid expiration",
    TICK: "order {id} is invalid. Price ({p}) breaks minimum tick size rule: {tick}",
    PRECISION_LIMIT: (
        "invalid amounts, the buy orders maker amount supports a max accuracy of 4 decimals, "
        "taker amount a max of 2 decimals"
    ),
    PRECISION_MARKET: (
        "invalid amounts, the market buy orders maker amount supports a max accuracy of "
        "2 decimals, taker amount a max of 4 decimals"
    ),
    SIZE: "order {id} is invalid. Size ({s}) lower than the minimum: 5",
    NOTIONAL: "invalid amount for a marketable BUY order ($0.84), min size: $1",
    CROSSES: "invalid post-only order: order crosses book",
    BALANCE: "not enough balance / allowance: the balance is not enough -> balance: {b}, ...",
    FOK_KILLED: "order couldn't be fully filled. FOK orders are fully filled or killed.",
    FAK_KILLED: (
        "no orders found to match with FAK order. FAK orders are partially filled or killed if no match is found."
    ),
    ALREADY_MATCHED: "order already matched",
    NOT_FOUND: "Order not found or already canceled",
}
