"""Matches a crossing order against the opposite ladder, level by level, oldest first, at the makers' prices."""

from __future__ import annotations

from polymarket_kit.model import Side
from practice_exchange.engine.accounts import Account
from practice_exchange.engine.core import LIVE, SETTLEMENT, Core, take_off
from practice_exchange.engine.events import LevelChanged, OrderChange, OrderEvent, TradeEvent
from practice_exchange.engine.markets import Market, dollars_down, dollars_up
from practice_exchange.engine.orders import POINT_MICRO, POINTS, Order, OrderState
from practice_exchange.engine.settlement import MakerFill, MatchKind, Trade, TradeStatus
from practice_exchange.engine.unified import Level

BUY = Side.BUY
MATCHED = OrderState.MATCHED
UPDATE = OrderChange.UPDATE
TRADE_MATCHED = TradeStatus.MATCHED
DIRECT, MINT, MERGE = MatchKind.DIRECT, MatchKind.MINT, MatchKind.MERGE
SELF_MATCH = "order would have matched another order of the same account"


class Sweep:
    """What an order would get now, computed from the levels alone: nothing is touched."""

    __slots__ = ("complete", "fee_micro", "size_micro")

    def __init__(self) -> None:
        self.size_micro = 0
        self.fee_micro = 0
        self.complete = False


def _offered(level: Level, account_id: str, wanted: int) -> int:
    """The shares that others offer at one price, as far as they are wanted: an account cannot match with itself."""
    found = 0
    for order in level.queue:
        if order.status is LIVE and order.account_id != account_id:
            found += order.size_micro - order.matched_micro
            if found >= wanted:
                return wanted
    return found


def sweep(market: Market, account: Account, order: Order) -> Sweep:
    """Walk the levels that an order may take, as the match would, and say what comes out."""
    result = Sweep()
    ladder, buys = market.ladders[1 - order.ladder], order.side is BUY
    has_own = account.open_count > 0
    dollars_left, shares_left = order.amount_micro, order.size_micro
    for best in reversed(ladder.points):
        if best + order.points < POINTS:
            break
        level = ladder.levels[best]
        price = POINTS - best if buys else best
        wanted = dollars_left * POINTS // price if order.amount_micro else shares_left
        size = min(wanted, level.size_micro)
        if has_own:
            size = _offered(level, account.account_id, wanted)
        if size:
            cost = dollars_up(size, price) if buys else dollars_down(size, price)
            result.size_micro += size
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
    prices, levels = ladder.points, ladder.levels
    worst, amount, size_micro = POINTS - order.points, order.amount_micro, order.size_micro
    dollars = shares = 0
    while prices and prices[-1] >= worst:
        best = prices[-1]
        price = POINTS - best if buys else best
        wanted = (amount - dollars) * POINTS // price if amount else size_micro - shares
        if wanted == 0:
            break
        level = levels[best]
        makers: list[MakerFill] = []
        size = _take_level(core, market, order, level, wanted, makers, now_ms)
        if size:
            shares += size
            order.matched_micro = shares
            dollars += _record(core, market, account, order, price, size, makers, now_ms)
            if level.count == 0 and best in levels:
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
    left = wanted
    taker_id, buys = taker.account_id, taker.side is BUY
    while left and level.queue:
        maker = level.queue[0]
        if maker.status is not LIVE:
            level.queue.popleft()
            continue
        if maker.account_id == taker_id:
            take_off(core, maker, OrderState.CANCELED, now_ms, SELF_MATCH)
            continue
        remaining = maker.size_micro - maker.matched_micro
        if left >= remaining:
            size = remaining
            level.queue.popleft()
            level.count -= 1
        else:
            size = left
        left -= size
        level.size_micro -= size
        makers.append(_fill_maker(core, market, maker, size, remaining - size, buys, now_ms))
    return wanted - left


def _fill_maker(
    core: Core, market: Market, maker: Order, size: int, left: int, taker_buys: bool, now_ms: int
) -> MakerFill:
    """Give a maker its part: what it owes moves from held back to matched, at its own price.

    What a maker pays or gets is the difference of the value of all that it made, before and after, so that it has paid
    its limit rounded up once over all its fills, or got it rounded down once, also when the rest is cancelled.
    """
    maker_id, side = maker.account_id, maker.side
    before = maker.made_micro
    maker.made_micro = made = before + size
    account = core.accounts[maker_id]
    if side is BUY:
        points = maker.points
        holding = account.collateral
        paid = -(-made * points // POINTS)
        cost = owed = paid + (-before * points // POINTS)
        reserve = -(-(made + left) * points // POINTS) - paid
        if left and market.has_fees:
            # A fee schedule can change under a resting order; what it holds back never grows by a fill.
            reserve = min(reserve + market.fee(left, points), maker.reserved_micro - cost)
        kind = MINT if taker_buys else DIRECT
    else:
        points = POINTS - maker.points
        holding = account.shares[maker.token_id]
        reserve, owed = left, size
        cost = made * points // POINTS - before * points // POINTS
        kind = DIRECT if taker_buys else MERGE
    holding.active_micro += reserve - maker.reserved_micro
    holding.matched_micro += owed
    maker.reserved_micro = reserve
    maker.matched_micro = matched = maker.size_micro - left
    order_id = maker.order_id
    trade_ids = maker.trade_ids
    if trade_ids is None:
        maker.trade_ids = [core.trade_counter + 1]
    else:
        trade_ids.append(core.trade_counter + 1)
    status = LIVE
    if left == 0:
        maker.status = status = MATCHED
        maker.closed_ms = now_ms
        account.open_count -= 1
        core.closed.append(order_id)
    core.events.append(OrderEvent(UPDATE, maker, status, matched, now_ms))
    return MakerFill(order_id, maker_id, maker.owner, maker.token_id, side, maker.price_micro, size, cost, kind)


def _charge(account: Account, order: Order, cost: int, fee: int) -> tuple[int, int]:
    """Return what a BUY really pays at one price, as dollars and fee.

    Rounding up at every price can ask for a micro-dollar more than the check of the whole order did. What was not
    checked to be there, with the remainder still to be paid at its limit, is not charged.
    """
    left = 0 if order.amount_micro else order.size_micro - order.matched_micro
    most = account.collateral.free_micro - -(-left * order.points // POINTS)
    if cost + fee <= most:
        return cost, fee
    cost = min(cost, most)
    return cost, most - cost


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
    """Charge the taker at one price, record the trade and schedule its settlement; return its dollars without the fee."""
    side = order.side
    fee = market.fee(size, price) if market.has_fees else 0
    if side is BUY:
        cost = -(-size * price // POINTS)
        holding = account.collateral
        # A dollar a share is more than a limit order's remainder can cost: who has that much is not looked at more
        # closely. A market order's dollars and fees were counted price by price before.
        plenty = cost + fee + order.size_micro - order.matched_micro
        if holding.balance_micro - holding.active_micro - holding.matched_micro < plenty:
            cost, fee = _charge(account, order, cost, fee)
        holding.matched_micro += cost + fee
    else:
        cost = size * price // POINTS
        fee = min(fee, cost)
        account.shares[order.token_id].matched_micro += size
    core.trade_counter = trade_id = core.trade_counter + 1
    order_id = order.order_id
    trade = Trade(
        trade_id,
        market.condition_id,
        order.token_id,
        order_id,
        order.account_id,
        order.owner,
        side,
        price * POINT_MICRO,
        size,
        cost,
        fee,
        makers,
        now_ms,
        now_ms,
    )
    if order.trade_ids is None:
        order.trade_ids = [trade_id]
    else:
        order.trade_ids.append(trade_id)
    if core.settlement_policy is not None:
        trade.plan = core.settlement_policy(trade)
    core.trades[trade_id] = market.last_match = trade
    core.events.append(TradeEvent(trade, TRADE_MATCHED, now_ms))
    core.schedule(now_ms + trade.plan.mined_after_ms, SETTLEMENT, trade_id)
    return cost
