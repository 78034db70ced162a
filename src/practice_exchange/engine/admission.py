"""A request becomes an order of the engine, if what it says by itself is within the rules (see ``polymarket_kit.rules``)."""

from __future__ import annotations

from polymarket_kit import rules
from polymarket_kit.model import Side
from polymarket_kit.rejections import Rejection
from polymarket_kit.rules import Amounts, limit_expires_ms, refuse_limit
from practice_exchange.engine.markets import Market
from practice_exchange.engine.orders import POINT_MICRO, POINTS, ExchangeRules, Order, OrderRequest

BUY = Side.BUY


def limit_expiry(request: OrderRequest, now_ms: int, terms: ExchangeRules) -> int | Rejection:
    """When an order with an expiration leaves the book, or the refusal of an expiration that it may not have."""
    return limit_expires_ms(
        request.order_type, request.expiration_s, now_ms, terms.expiration_ahead_ms, terms.expires_early_ms
    )


def refusal_of_limit(request: OrderRequest, tick_micro: int) -> Rejection:
    """Say what is wrong with a limit order's amounts, of which ``place_limit`` has seen that something is."""
    amounts = Amounts(request.maker_amount_micro, request.taker_amount_micro)
    refusal = refuse_limit(request.order_id, request.side, amounts, tick_micro)
    assert refusal is not None
    return refusal


def admit_market(
    market: Market, token_index: int, account_id: str, request: OrderRequest, now_ms: int
) -> Order | Rejection:
    """Return a market order (FOK, FAK) as the exchange keeps it, or the venue's refusal.

    Its price is computed as for a limit order, and taken to the next grid price inside its limit.
    """
    side, amounts = request.side, (request.maker_amount_micro, request.taker_amount_micro)
    price_micro = rules.admit_market(
        request.order_id, side, amounts, market.state.tick_micro, request.expiration_s, request.post_only
    )
    if isinstance(price_micro, Rejection):
        return price_micro
    buys = side is BUY
    made, taken = amounts
    points = price_micro // POINT_MICRO
    return Order(
        request.order_id,
        account_id,
        request.owner,
        market.condition_id,
        market.token_ids[token_index],
        side,
        request.order_type,
        token_index if buys else 1 - token_index,
        points if buys else POINTS - points,
        price_micro,
        taken if buys else made,
        made if buys else 0,
        now_ms,
        0,
        False,
        0,
    )
