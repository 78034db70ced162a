"""One order's way in: the book decides whether it rests, waits out a delay, matches, or is refused."""

from __future__ import annotations

from polymarket_kit import rejections, rules
from polymarket_kit.model import OrderType, Side
from polymarket_kit.rejections import Rejection
from polymarket_kit.rules import SIZE_STEP_MICRO, Amounts, killed, limit_expires_ms, refuse_at_book, refuse_limit
from polymarket_kit.values import MICRO, MICRO_MAX
from practice_exchange.engine.accounts import Account, Holding
from practice_exchange.engine.core import LIVE, Core, Due, end_delayed
from practice_exchange.engine.events import LevelChanged, MarketStage, OrderChange, OrderEvent
from practice_exchange.engine.execution import match, sweep
from practice_exchange.engine.markets import Market
from practice_exchange.engine.orders import (
    POINT_MICRO,
    POINTS,
    ExchangeRules,
    Mode,
    Order,
    OrderRequest,
    OrderState,
    Placed,
)

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
    )


BUY = Side.BUY
GTC, GTD, FOK = OrderType.GTC, OrderType.GTD, OrderType.FOK
MATCHED, DELAYED, UNMATCHED = OrderState.MATCHED, OrderState.DELAYED, OrderState.UNMATCHED
PLACEMENT, UPDATE, CANCELLATION = OrderChange.PLACEMENT, OrderChange.UPDATE, OrderChange.CANCELLATION


def place_limit(
    core: Core, market: Market, token_index: int, account: Account, request: OrderRequest, now_ms: int
) -> Placed | Rejection:
    """Take in a GTC or GTD order; a rejection has changed nothing. The busiest path: the rulebook is asked to refuse alone."""
    side = request.side
    dollars, shares = request.maker_amount_micro, request.taker_amount_micro
    if side is not BUY:
        dollars, shares = shares, dollars
    points, off = divmod(dollars * POINTS, shares) if shares > 0 else (0, 0)
    if off or points not in market.grid or shares % SIZE_STEP_MICRO or shares > MICRO_MAX:
        return refusal_of_limit(request, market.state.tick_micro)
    expires_ms = 0
    if request.expiration_s or request.order_type is not GTC:
        expiry = limit_expiry(request, now_ms, core.rules)
        if isinstance(expiry, Rejection):
            return expiry
        expires_ms = expiry
    order_points = points
    if side is BUY:
        # On the grid and with two decimals, size times price is the dollars, exactly.
        ladder, holding, needed = token_index, account.collateral, dollars
        if market.has_fees:
            needed += market.fee(shares, points)
    else:
        ladder, needed, points = 1 - token_index, shares, POINTS - points
        holding = account.shares.get(request.token_id) or account.holding(request.token_id)
    free = holding.balance_micro - holding.active_micro - holding.matched_micro
    if free < needed or holding.allowance_micro is not None:
        refusal = holding.refuse(needed)
        if refusal is not None:
            return refusal
    opposite = market.ladders[1 - ladder].points
    crosses = opposite and opposite[-1] + points >= POINTS
    if not crosses and shares < market.minimum_size_micro:
        return rejections.size_too_small(request.order_id, shares, market.minimum_size_micro)
    core.counter = sequence = core.counter + 1
    order = Order(
        request.order_id,
        account.account_id,
        request.owner,
        # Shared, so that a full book holds each text once.
        market.condition_id,
        market.token_ids[token_index],
        side,
        request.order_type,
        ladder,
        points,
        order_points * POINT_MICRO,
        shares,
        0,
        now_ms,
        expires_ms,
        request.post_only,
        request.expiration_s,
        needed,
        sequence,
    )
    if crosses:
        return _enter_crossing(core, market, account, order, holding, now_ms)
    return _rest_new(core, market, account, order, holding, now_ms)


def _rest_new(core: Core, market: Market, account: Account, order: Order, holding: Holding, now_ms: int) -> Placed:
    """Put a new order on the book: ``rest``, written out for the usual case, in which nothing has matched."""
    order_id, number, points = order.order_id, order.ladder, order.points
    core.orders[order_id] = order
    holding.active_micro += order.reserved_micro
    account.open_count += 1
    account.open_list.append(order)
    if len(account.open_list) > account.open_limit:
        account.sweep()
    ladder = market.ladders[number]
    level = ladder.levels.get(points) or ladder.open_level(points)
    level.queue.append(order)
    level.count += 1
    level.size_micro = total = level.size_micro + order.size_micro
    events = core.events
    events.append(OrderEvent(PLACEMENT, order, LIVE, 0, now_ms))
    events.append(LevelChanged(market.condition_id, number, points, total, order_id, now_ms))
    if order.expires_ms:
        core.schedule_expiry(order)
    return Placed(order_id)


def place_market(
    core: Core, market: Market, token_index: int, account: Account, request: OrderRequest, now_ms: int
) -> Placed | Rejection:
    """Take in a FOK or FAK order. Nothing has changed when this answers with a rejection."""
    order = admit_market(market, token_index, account.account_id, request, now_ms)
    if isinstance(order, Rejection):
        return order
    if order.side is BUY:
        holding = account.collateral
        needed = order.amount_micro + market.fee(order.size_micro, order.points)
    else:
        holding = account.holding(order.token_id)
        needed = order.size_micro
    refusal = holding.refuse(needed)
    if refusal is not None:
        return refusal
    order.reserved_micro = needed
    opposite = market.ladders[1 - order.ladder].points
    if opposite and opposite[-1] + order.points >= POINTS:
        return _enter_crossing(core, market, account, order, holding, now_ms)
    return _killed(core, order, killed(order.order_type), now_ms)


def rest(core: Core, market: Market, order: Order, holding: Holding, now_ms: int, change: OrderChange) -> None:
    """Put what is left of an order on the book and hold back what it reserves."""
    core.counter = order.sequence = core.counter + 1
    holding.active_micro += order.reserved_micro
    total = market.ladders[order.ladder].add(order)
    core.events += (
        OrderEvent(change, order, LIVE, order.matched_micro, now_ms),
        LevelChanged(order.condition_id, order.ladder, order.points, total, order.order_id, now_ms),
    )
    if order.expires_ms:
        core.schedule_expiry(order)


def _killed(core: Core, order: Order, refusal: Rejection, now_ms: int) -> Rejection:
    """Refuse an order; the owner of a killed market order gets a message on the user channel as well."""
    if refusal is rejections.KILLED_FOK or refusal is rejections.KILLED_FAK:
        core.events.append(OrderEvent(CANCELLATION, order, OrderState.CANCELED, 0, now_ms, refusal.text))
    return refusal


def _enter_crossing(
    core: Core, market: Market, account: Account, order: Order, holding: Holding, now_ms: int
) -> Placed | Rejection:
    """Take in an order that meets another one at once, or after the market's delay."""
    if order.post_only and core.mode is Mode.POST_ONLY:
        # In the post-only window of a restart the refusal names the order (assumed: the venue has both texts).
        return rejections.crosses_the_book(order.order_id)
    least_micro = core.rules.marketable_minimum_micro if order.side is BUY else 0
    dollars = order.amount_micro or order.size_micro * order.points // POINTS
    if order.post_only or dollars < least_micro:
        refusal = refuse_at_book(
            order.order_id,
            order.side,
            order.order_type,
            dollars,
            order.size_micro,
            market.minimum_size_micro,
            least_micro,
            crosses=True,
            post_only=order.post_only,
        )
        assert refusal is not None
        return refusal
    if market.delay_ms == 0:
        if order.order_type is not GTC:
            refusal = refuse_now(market, account, order, holding)
            if refusal is not None:
                return _killed(core, order, refusal, now_ms)
        core.orders[order.order_id] = order
        order.reserved_micro = 0
        return take(core, market, account, order, holding, now_ms)
    core.orders[order.order_id] = order
    order.status = DELAYED
    core.counter = order.sequence = core.counter + 1
    holding.active_micro += order.reserved_micro
    account.add_open(order)
    due_ms = now_ms + market.delay_ms
    core.events.append(OrderEvent(PLACEMENT, order, DELAYED, 0, now_ms))
    core.schedule(due_ms, Due.DELAYED_ORDER, order.order_id)
    return Placed(order.order_id, DELAYED, due_ms=due_ms, waits=market.state.spec.seconds_delay == 0)


def refuse_now(market: Market, account: Account, order: Order, holding: Holding) -> Rejection | None:
    """What a look at the levels says against a market order: nothing there, not all there, or the fees not covered."""
    if order.order_type is GTC or order.order_type is GTD:
        return None
    found = sweep(market, account, order)
    if found.size_micro == 0 or (order.order_type is FOK and not found.complete):
        return killed(order.order_type)
    if order.side is BUY and order.amount_micro + found.fee_micro > holding.free_micro:
        # Dollars spent at better prices buy more shares and carry more fees than at the limit.
        needed = order.amount_micro + found.fee_micro
        return rejections.balance_too_small(holding.balance_micro, holding.active_micro, holding.matched_micro, needed)
    return None


def take(
    core: Core, market: Market, account: Account, order: Order, holding: Holding, now_ms: int, waited: bool = False
) -> Placed:
    """Match, then rest what is left of a limit order. A market order's remainder is gone."""
    dollars = match(core, market, account, order, now_ms)
    shares = order.matched_micro
    left = order.size_micro - shares
    limited = order.order_type is GTC or order.order_type is GTD
    change = UPDATE if waited else PLACEMENT
    if limited and left > 0:
        order.reserved_micro = left
        if order.side is BUY:
            # Fees are rounded once more for the remainder: never hold back what is not there.
            reserve = -(-left * order.points // POINTS) + market.fee(left, order.points)
            order.reserved_micro = min(reserve, holding.free_micro)
        if not waited:
            account.add_open(order)
        order.status = LIVE
        rest(core, market, order, holding, now_ms, change)
    else:
        if waited:
            account.open_count -= 1
        order.status = MATCHED
        order.closed_ms = now_ms
        core.closed.append(order.order_id)
        core.events.append(OrderEvent(change, order, MATCHED, shares, now_ms))
    if shares == 0:
        return Placed(order.order_id, UNMATCHED if waited else LIVE)
    making, taking = (dollars, shares) if order.side is BUY else (shares, dollars)
    return Placed(order.order_id, MATCHED, making, taking, tuple(order.trade_ids or ()))


def run_delayed(core: Core, order_id: str, now_ms: int) -> Placed | Rejection:
    """Act for an order whose delay is over, looking at everything afresh."""
    order = core.orders.get(order_id)
    if order is None or order.status is not DELAYED:
        # Ended while it waited: its market closed.
        return rejections.MARKET_CLOSED
    market, account = core.markets[order.condition_id], core.accounts[order.account_id]
    holding = core.reserved_holding(order)
    if market.state.stage is not MarketStage.OPEN:
        end_delayed(core, order, OrderState.CANCELED_MARKET_NOT_FOUND, now_ms)
        return rejections.NOT_READY
    if order.price_micro // POINT_MICRO not in market.grid:
        end_delayed(core, order, OrderState.INVALID, now_ms)
        return rejections.price_off_grid(order_id, order.price_micro, MICRO, market.state.tick_micro)
    # From here on it is a fresh order: what it held back is free again.
    reserved, order.reserved_micro = order.reserved_micro, 0
    holding.active_micro -= reserved
    refusal = holding.refuse(reserved)
    status = OrderState.CANCELED_NOT_ENOUGH_BALANCE
    if refusal is None:
        refusal = refuse_now(market, account, order, holding)
        status = OrderState.CANCELED
    if refusal is not None:
        end_delayed(core, order, status, now_ms, refusal.text)
        return refusal
    return take(core, market, account, order, holding, now_ms, waited=True)
