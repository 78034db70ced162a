"""The checks of an order that need no book and no account: amounts, precision, grid, expiration."""

from __future__ import annotations

from polymarket_kit.model import OrderType, Side
from polymarket_kit.values import MICRO_MAX
from practice_exchange.engine.markets import GRIDS, Market
from practice_exchange.engine.orders import POINT_MICRO, POINTS, SIZE_STEP_MICRO, ExchangeRules, Order, OrderRequest
from practice_exchange.engine.rejections import (
    INVALID_EXPIRATION,
    INVALID_PAYLOAD,
    Rejection,
    amount_precision,
    price_off_grid,
)

BUY = Side.BUY
GTD = OrderType.GTD
# Decimals of dollars by tick, for limit orders: the price's decimals and the two of a size.
DOLLAR_DECIMALS = {100_000: 3, 10_000: 4, 5_000: 5, 2_500: 6, 1_000: 5, 100: 6}
# Market orders, whatever the tick: what is given has two decimals, what is taken four.
MARKET_MAKER_STEP_MICRO = 10_000
MARKET_TAKER_STEP_MICRO = 100


def limit_expiry(request: OrderRequest, now_ms: int, rules: ExchangeRules) -> int:
    """When an order with an expiration leaves the book, or 0 for an expiration that the venue refuses."""
    expiration_ms = request.expiration_s * 1000
    if request.order_type is not GTD or expiration_ms < now_ms + rules.expiration_ahead_ms:
        return 0
    return expiration_ms - rules.expires_early_ms


def refuse_limit(request: OrderRequest, dollars_micro: int, shares_micro: int, tick_points: int) -> Rejection:
    """Say what is wrong with a limit order's amounts, in the venue's words.

    The price is computed from the two amounts, as the venue does, and must be on the grid exactly. The grid comes
    before the precision: that is the refusal seen for amounts that break both.
    """
    if not (0 < dollars_micro <= MICRO_MAX and 0 < shares_micro <= MICRO_MAX):
        return INVALID_PAYLOAD
    points, rest = divmod(dollars_micro * POINTS, shares_micro)
    tick_micro = tick_points * POINT_MICRO
    if rest or points not in GRIDS[tick_points]:
        return price_off_grid(request.order_id, dollars_micro, shares_micro, tick_micro)
    assert shares_micro % SIZE_STEP_MICRO
    decimals = DOLLAR_DECIMALS[tick_micro]
    return amount_precision("buy", decimals, 2) if request.side is BUY else amount_precision("sell", 2, decimals)


def admit_market(
    market: Market, token_index: int, account_id: str, request: OrderRequest, now_ms: int
) -> Order | Rejection:
    """Return a market order (FOK, FAK) as the exchange keeps it, or the venue's refusal.

    Its price is computed as for a limit order, and taken to the next grid price inside its limit.
    """
    if request.expiration_s:
        return INVALID_EXPIRATION
    if request.post_only:
        return INVALID_PAYLOAD
    buys = request.side is BUY
    made, taken = request.maker_amount_micro, request.taker_amount_micro
    dollars, shares = (made, taken) if buys else (taken, made)
    if not (0 < dollars <= MICRO_MAX and 0 < shares <= MICRO_MAX):
        return INVALID_PAYLOAD
    if made % MARKET_MAKER_STEP_MICRO or taken % MARKET_TAKER_STEP_MICRO:
        return amount_precision("market buy" if buys else "market sell", 2, 4)
    tick = market.tick_points
    points = market_points(request.side, dollars, shares, tick)
    if points not in market.grid:
        return price_off_grid(request.order_id, dollars, shares, tick * POINT_MICRO)
    return Order(
        request.order_id,
        account_id,
        request.owner,
        market.condition_id,
        market.token_ids[token_index],
        request.side,
        request.order_type,
        token_index if buys else 1 - token_index,
        points if buys else POINTS - points,
        points * POINT_MICRO,
        shares,
        dollars if buys else 0,
        now_ms,
        0,
        False,
        0,
    )


def market_points(side: Side, dollars_micro: int, shares_micro: int, tick_points: int) -> int:
    """The worst grid price inside a market order's own limit: down for a BUY, up for a SELL.

    An order whose shares were rounded up has a limit a hair below the price that was meant, and never fills there.
    """
    scaled, step = dollars_micro * POINTS, shares_micro * tick_points
    if side is BUY:
        return scaled // step * tick_points
    return -(-scaled // step) * tick_points
