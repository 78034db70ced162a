"""The match itself: a crossing order takes the other ladder level by level, oldest first, at the makers' prices."""

from __future__ import annotations

from prescient.domain.market import Side
from prescient.exchange.accounts import Account, Holding
from prescient.exchange.core import LIVE, Core, Due, take_off
from prescient.exchange.events import LevelChanged, OrderChange, OrderEvent, TradeEvent
from prescient.exchange.markets import Market, dollars_down, dollars_up
from prescient.exchange.orders import POINT_MICRO, POINTS, Order, OrderState
from prescient.exchange.settlement import SMOOTH, MakerFill, MatchKind, Trade, TradeStatus
from prescient.exchange.unified import Level

BUY = Side.BUY
MATCHED = OrderState.MATCHED
UPDATE = OrderChange.UPDATE
TRADE_MATCHED = TradeStatus.MATCHED
DIRECT, MINT, MERGE = MatchKind.DIRECT, MatchKind.MINT, MatchKind.MERGE
SELF_MATCH = "order would have matched another order of the same account"


class Sweep:
    """What an order would get now, computed from the levels alone: nothing is touched."""

    __slots__ = ("complete", "cost_micro", "fee_micro", "size_micro")

    def __init__(self) -> None:
        self.size_micro = 0
        self.cost_micro = 0
        self.fee_micro = 0
        self.complete = False


def own_sizes(market: Market, account: Account, ladder: int) -> dict[int, int]:
    """What an account itself has resting on a ladder, by price: it cannot be matched with."""
    sizes: dict[int, int] = {}
    for order in account.open_orders.get(market.condition_id, {}).values():
        if order.ladder == ladder and order.status is LIVE:
            sizes[order.points] = sizes.get(order.points, 0) + order.size_micro - order.matched_micro
    return sizes


def sweep(market: Market, account: Account, order: Order) -> Sweep:
    """Walk the levels that an order may take, as the match would, and say what comes out."""
    result = Sweep()
    other = 1 - order.ladder
    own = own_sizes(market, account, other)
    ladder, buys = market.ladders[other], order.side is BUY
    dollars_left, shares_left = order.amount_micro, order.size_micro
    for best in reversed(ladder.points):
        if best + order.points < POINTS:
            break
        price = POINTS - best if buys else best
        wanted = dollars_left * POINTS // price if order.amount_micro else shares_left
        size = min(wanted, ladder.levels[best].size_micro - own.get(best, 0))
        if size:
            cost = dollars_up(size, price) if buys else dollars_down(size, price)
            result.size_micro += size
            result.cost_micro += cost
            result.fee_micro += market.fee(size, price)
            dollars_left -= cost
            shares_left -= size
        if size == wanted:
            result.complete = True
            break
    return result


def match(core: Core, market: Market, account: Account, order: Order, now_ms: int) -> int:
    """Match a crossing order as far as it goes; return the dollars that changed hands, without fees, in micro.

    The caller has checked that the account can pay for the whole order at its limit, fees included. One trade is made
    for each price; it settles as a whole.
    """
    other = 1 - order.ladder
    ladder, buys = market.ladders[other], order.side is BUY
    worst, amount = POINTS - order.points, order.amount_micro
    dollars = 0
    while ladder.points and ladder.points[-1] >= worst:
        best = ladder.points[-1]
        price = POINTS - best if buys else best
        wanted = (amount - dollars) * POINTS // price if amount else order.size_micro - order.matched_micro
        if wanted == 0:
            break
        level = ladder.levels[best]
        makers: list[MakerFill] = []
        size = _take_level(core, market, order, level, wanted, makers, now_ms)
        if size:
            dollars += _record(core, market, account, order, price, size, makers, now_ms)
            if level.count == 0 and best in ladder.levels:
                ladder.drop(best)
            core.events.append(LevelChanged(market.condition_id, other, best, level.size_micro, order.order_id, now_ms))
        if size == wanted:
            break
    return dollars


def _take_level(
    core: Core, market: Market, taker: Order, level: Level, wanted: int, makers: list[MakerFill], now_ms: int
) -> int:
    """Fill from the oldest order of one price on; return the shares taken.

    An account does not trade with itself: its own resting order is cancelled when the match comes to it (assumed; the
    venue documents nothing).
    """
    taken = 0
    while taken < wanted and level.queue:
        maker = level.queue[0]
        if maker.status is not LIVE:
            level.queue.popleft()
        elif maker.account_id == taker.account_id:
            take_off(core, maker, OrderState.CANCELED, now_ms, SELF_MATCH)
        else:
            remaining = maker.size_micro - maker.matched_micro
            size = wanted - taken
            if size >= remaining:
                size = remaining
                level.queue.popleft()
                level.count -= 1
            level.size_micro -= size
            taken += size
            makers.append(_fill_maker(core, market, taker, maker, size, remaining, now_ms))
    taker.matched_micro += taken
    return taken


def _fill_maker(
    core: Core, market: Market, taker: Order, maker: Order, size: int, remaining: int, now_ms: int
) -> MakerFill:
    """Give a maker its part: what it owes moves from held back to matched, at its own price.

    What a maker pays or gets is the difference of its remainder's value before and after, so that over all its fills
    it pays its limit rounded up once, or gets it rounded down once.
    """
    account = core.accounts[maker.account_id]
    left = remaining - size
    side = maker.side
    if side is BUY:
        holding: Holding = account.collateral
        points = maker.points
        cost_left = -(-left * points // POINTS)
        cost = owed = -(-remaining * points // POINTS) - cost_left
        # A fee schedule can change under a resting order; what it holds back never grows by a fill.
        reserve = min(cost_left + market.fee(left, points), maker.reserved_micro - cost) if left else 0
        kind = DIRECT if taker.side is not BUY else MINT
    else:
        holding = account.shares[maker.token_id]
        points = POINTS - maker.points
        cost = remaining * points // POINTS - left * points // POINTS
        owed = size
        reserve = left
        kind = DIRECT if taker.side is BUY else MERGE
    holding.active_micro += reserve - maker.reserved_micro
    holding.matched_micro += owed
    maker.reserved_micro = reserve
    maker.matched_micro = matched = maker.matched_micro + size
    status = LIVE
    if left == 0:
        maker.status = status = MATCHED
        maker.closed_ms = now_ms
        del account.open_orders[maker.condition_id][maker.order_id]
        core.closed.append(maker.order_id)
    trade_id = core.trade_counter + 1
    if maker.trade_ids is None:
        maker.trade_ids = [trade_id]
    else:
        maker.trade_ids.append(trade_id)
    core.events.append(OrderEvent(UPDATE, maker, status, matched, now_ms))
    return MakerFill(
        maker.order_id, maker.account_id, maker.owner, maker.token_id, side, maker.price_micro, size, cost, kind
    )


def _charge(market: Market, account: Account, order: Order, price: int, size: int) -> tuple[int, int]:
    """Return a taker's dollars and fee at one price, and hold what it owes as matched.

    Rounding up at every price can ask for a micro-dollar more than the check of the whole order did. What was not
    checked to be there, with the remainder still to be paid at its limit, is not charged.
    """
    fee = market.fee(size, price)
    if order.side is not BUY:
        account.shares[order.token_id].matched_micro += size
        cost = size * price // POINTS
        return cost, fee if fee < cost else cost
    holding = account.collateral
    left = 0 if order.amount_micro else order.size_micro - order.matched_micro
    most = holding.balance_micro - holding.active_micro - holding.matched_micro - -(-left * order.points // POINTS)
    cost = -(-size * price // POINTS)
    if cost + fee > most:
        cost = min(cost, most)
        fee = most - cost
    holding.matched_micro += cost + fee
    return cost, fee


def _record(
    core: Core,
    market: Market,
    account: Account,
    order: Order,
    price: int,
    size: int,
    makers: list[MakerFill],
    now_ms: int,
) -> int:
    """Write down one trade, charge its taker and note when it settles; return its dollars without the fee."""
    cost, fee = _charge(market, account, order, price, size)
    core.trade_counter = trade_id = core.trade_counter + 1
    if order.trade_ids is None:
        order.trade_ids = [trade_id]
    else:
        order.trade_ids.append(trade_id)
    trade = Trade(
        trade_id,
        market.condition_id,
        order.token_id,
        order.order_id,
        order.account_id,
        order.owner,
        order.side,
        price * POINT_MICRO,
        size,
        cost,
        fee,
        makers,
        now_ms,
        now_ms,
    )
    plan = SMOOTH
    if core.fate is not None:
        trade.plan = plan = core.fate(trade)
    core.trades[trade_id] = market.last_match = trade
    core.events.append(TradeEvent(trade, TRADE_MATCHED, now_ms))
    core.schedule(now_ms + plan.mined_after_ms, Due.SETTLEMENT, trade_id)
    return cost
