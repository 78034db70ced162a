"""The refusals of an order for what it says: its form, its market, its amounts, its money, its match."""

from __future__ import annotations

from polymarket_kit.model import OrderType, Side
from practice_exchange.engine.accounts import COLLATERAL

from .rejection_cases import (
    ALLOWANCE,
    FIELD,
    FUNDS,
    NO_BOOK,
    PAYLOAD,
    PRECISION,
    Case,
    batch,
    body,
    closed_market,
    crossing,
    market_order,
    on_market,
    post,
    suspended_market,
    twice,
    unsigned,
    with_allowance,
    with_promises,
)
from .trading_user import NOW_S

FOK, FAK, GTD = OrderType.FOK, OrderType.FAK, OrderType.GTD

ORDERS = [
    Case("no body", "An order is JSON", PAYLOAD, body("POST", "/order")),
    Case("half a body", "Invalid JSON is refused", PAYLOAD, body("POST", "/order", b'{"order":')),
    Case("an array", "One order is an object", PAYLOAD, body("POST", "/order", b"[]")),
    Case("nothing for nothing", "Amounts are positive", PAYLOAD, post(maker_amount_micro=0)),
    Case("an empty batch", "A batch has at least one order", PAYLOAD, body("POST", "/orders", b"[]")),
    Case(
        "a batch of 16", "A batch has at most 15 orders", "Too many orders in payload: 16, max allowed: 15", batch(16)
    ),
    Case("an unknown token", "The token has a book", NO_BOOK, post(token_id=12345), 404),
    Case("a closed market", "A closed market has no book", NO_BOOK, on_market(closed_market), 404),
    Case(
        "a market that waits",
        "A market that is not open takes no orders",
        "the market is not yet ready to process new orders",
        on_market(suspended_market),
    ),
    Case(
        "off the grid",
        "The price, dollars by shares, is on the tick grid",
        "order {id} is invalid. Price (0.0123) breaks minimum tick size rule: 0.01",
        post(maker_amount_micro=123_000),
    ),
    Case(
        "amounts of a market order posted as GTC",
        "The price is printed with the digits of its division",
        "order {id} is invalid. Price (0.5100011220024684) breaks minimum tick size rule: 0.01",
        post(maker_amount_micro=5_000_000, taker_amount_micro=9_803_900),
        evidence=FIELD,
        source="py-clob-client-v2 issue 59",
    ),
    Case(
        "four shares",
        "An order that rests has at least 5 shares",
        "order {id} is invalid. Size (4) lower than the minimum: 5",
        post(size=4),
    ),
    Case("a duplicate", "The same order is taken once", "order {id} is invalid. Duplicated.", twice),
    Case(
        "post-only that crosses",
        "A post-only order does not take",
        "invalid post-only order: order crosses book",
        crossing(unsigned(post_only=True)),
    ),
    Case(
        "84 cents",
        "A marketable BUY is for at least $1",
        "invalid amount for a marketable BUY order (${n}), min size: $1",
        crossing(size=1),
    ),
    Case(
        "sizes of three decimals",
        "Shares of a limit order have two decimals",
        f"invalid amounts, the buy {PRECISION.format(4, 2)}",
        post(maker_amount_micro=200_100, taker_amount_micro=10_005_000),
    ),
    Case(
        "sales of three decimals",
        "Shares of a limit SELL have two decimals",
        f"invalid amounts, the sell {PRECISION.format(2, 4)}",
        post(maker_amount_micro=10_005_000, taker_amount_micro=200_100, side=Side.SELL),
        evidence=FIELD,
        source="py-clob-client issue 253",
    ),
    Case(
        "a market buy of three and five",
        "A market BUY gives two decimals and takes four",
        f"invalid amounts, the market buy {PRECISION.format(2, 4)}",
        market_order(FAK, 9_980_000, 10_131_970),
        evidence=FIELD,
        source="py-clob-client-v2 issue 99",
    ),
    Case(
        "a market sale of three",
        "A market SELL gives two decimals and takes four",
        f"invalid amounts, the market sell {PRECISION.format(2, 4)}",
        market_order(FOK, 10_005_000, 200_000, Side.SELL),
    ),
    Case(
        "GTD of 179 seconds",
        "GTD ends at least three minutes ahead",
        "invalid expiration",
        post(unsigned(order_type=GTD, expiration_s=NOW_S + 179)),
    ),
    Case(
        "GTC with an end",
        "Only GTD has an expiration",
        "invalid expiration",
        post(unsigned(expiration_s=NOW_S + 600)),
        evidence="assumed",
        source="",
    ),
    Case("more than there is", "Dollars cover the order", FUNDS + "order amount: {n}", post(size=1_000_000)),
    Case(
        "promised already",
        "Open and unsettled orders count",
        FUNDS + "sum of active orders: {n}, sum of matched orders: {n}, order amount (inc. fees): {n}",
        with_promises,
    ),
    Case(
        "shares that are not there",
        "Shares cover a sale",
        FUNDS.replace("{n}", "0") + "order amount: 10000000",
        post(maker_amount_micro=10_000_000, taker_amount_micro=9_000_000, side=Side.SELL),
    ),
    Case("dollars not approved", "The exchange may take the dollars", ALLOWANCE, with_allowance(COLLATERAL, 5, post())),
    Case(
        "a FOK that finds nothing",
        "FOK fills wholly or not at all",
        "order couldn't be fully filled. FOK orders are fully filled or killed.",
        post(unsigned(order_type=FOK), maker_amount_micro=200_000),
    ),
    Case(
        "a FAK that finds nothing",
        "FAK fills something or is killed",
        "no orders found to match with FAK order. FAK orders are partially filled or killed if no match is found.",
        post(unsigned(order_type=FAK), maker_amount_micro=200_000),
    ),
]
