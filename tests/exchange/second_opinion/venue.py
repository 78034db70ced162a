"""One Polymarket market, written naively from the api sheet: lists, linear scans, exact fractions.

A market BUY spends dollars; every other order counts in shares. Whoever trades settles only its
own leg (a buyer gains shares and pays, a seller loses shares and is paid), which covers direct
matches, mints and merges alike.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import ceil

from tests.exchange.second_opinion import reasons
from tests.exchange.second_opinion.fees import taker_fee
from tests.exchange.second_opinion.flow import (
    BUY,
    DIRECT,
    FAK,
    FOK,
    GTD,
    MERGE,
    MINT,
    NO,
    SELL,
    USD,
    YES,
    Advance,
    Cancel,
    ChangeTick,
    Close,
    Deposit,
    Fill,
    Leg,
    Market,
    Merge,
    Operation,
    Outcome,
    PlaceOrder,
    Side,
    Split,
    Wallet,
    Withdraw,
)
from tests.exchange.second_opinion.orders import (
    GTD_EARLY_MS,
    LEAST_DOLLARS,
    LEAST_SHARES,
    Order,
    dollars_of,
    is_market,
    limit_of,
    own_reasons,
    queue,
    shares_of,
)
from tests.exchange.second_opinion.walk import Level, Plan, walk


class Venue:
    """The market's book and its accounts' wallets; apply() does one operation after another."""

    def __init__(self, market: Market) -> None:
        self.market = market
        self.tick = market.tick
        self.now_ms = market.start_ms
        self.closed = False
        self.book: list[Order] = []
        self.owned: dict[str, dict[str, int]] = {}
        self.known: set[str] = set()
        self.matched: set[tuple[str, str]] = set()
        self.removed: set[str] = set()
        self.arrivals = 0

    def apply(self, operation: Operation) -> Outcome:
        """Do one operation and tell what came of it."""
        self.removed = set()
        deeds: dict[type, Callable[..., tuple[set[str], list[Fill]]]] = {
            Deposit: self.deposit,
            Withdraw: self.withdraw,
            Split: self.split,
            Merge: self.merge,
            PlaceOrder: self.place,
            Cancel: self.cancel,
            Advance: self.advance,
            ChangeTick: self.change_tick,
            Close: self.close,
        }
        refused, fills = deeds[type(operation)](operation)
        self.expire()
        self.drop_underfunded()
        return Outcome(
            reasons=frozenset(refused),
            fills=tuple(fills),
            removed=frozenset(self.removed),
            wallets={account: self.shown(account) for account in self.owned},
            resting={order.order_id: order.left for order in self.book},
            books={token: self.shown_book(token) for token in (YES, NO)},
        )

    def shown(self, account: str) -> Wallet:
        """An account as an outcome tells it."""
        amounts = [self.owned[account][asset] for asset in (USD, YES, NO)]
        return Wallet(*amounts, *(self.held_back(account, asset) for asset in (USD, YES, NO)))

    def shown_book(self, token: str) -> tuple[Side, Side]:
        """One token's bids and asks: its own orders, and the other token's seen in the mirror."""
        bids: dict[Fraction, int] = {}
        asks: dict[Fraction, int] = {}
        for order in self.book:
            own = order.token == token
            side = bids if own == (order.side == BUY) else asks
            price = order.limit if own else 1 - order.limit
            side[price] = side.get(price, 0) + order.left
        return tuple(sorted(bids.items(), reverse=True)), tuple(sorted(asks.items()))

    # Wallets

    def wallet(self, account: str) -> dict[str, int]:
        """What an account owns, by asset."""
        return self.owned.setdefault(account, {USD: 0, YES: 0, NO: 0})

    def move(self, account: str, changes: dict[str, int]) -> tuple[set[str], list[Fill]]:
        """Change a wallet, unless that would leave less than nothing of an asset."""
        wallet = self.wallet(account)
        if any(wallet[asset] + change < 0 for asset, change in changes.items()):
            return {reasons.BALANCE}, []
        for asset, change in changes.items():
            wallet[asset] += change
        return set(), []

    def deposit(self, operation: Deposit) -> tuple[set[str], list[Fill]]:
        """Add to a wallet."""
        return self.move(operation.account, {operation.asset: operation.amount})

    def withdraw(self, operation: Withdraw) -> tuple[set[str], list[Fill]]:
        """Take from a wallet."""
        return self.move(operation.account, {operation.asset: -operation.amount})

    def split(self, operation: Split) -> tuple[set[str], list[Fill]]:
        """Dollars into pairs."""
        amount = operation.amount
        return self.move(operation.account, {USD: -amount, YES: amount, NO: amount})

    def merge(self, operation: Merge) -> tuple[set[str], list[Fill]]:
        """Pairs into dollars."""
        amount = operation.amount
        return self.move(operation.account, {USD: amount, YES: -amount, NO: -amount})

    def fee(self, shares: int, price: Fraction) -> int:
        """The market's taker fee."""
        return taker_fee(shares, price, self.market.fee_rate, self.market.fee_exponent)

    def full_hold(self, order: Order) -> int:
        """What an order should hold back: shares of a SELL; dollars and fee at the limit of a BUY."""
        if order.side == SELL:
            return order.left
        money = order.maker_money(order.made + order.left) - order.maker_money(order.made)
        return money + self.fee(order.left, order.limit)

    def holders(self, account: str, asset: str) -> list[Order]:
        """An account's open orders that hold back an asset, the oldest first."""
        mine = [order for order in self.book if order.account == account]
        if asset == USD:
            return [order for order in mine if order.side == BUY]
        return [order for order in mine if order.side == SELL and order.token == asset]

    def available(self, account: str, asset: str) -> int:
        """What an account owns beyond what its open orders hold back."""
        return self.wallet(account)[asset] - self.held_back(account, asset)

    def held_back(self, account: str, asset: str) -> int:
        """What an account's open orders hold back of an asset."""
        return sum(order.holds for order in self.holders(account, asset))

    # What takes orders off the book

    def remove(self, order: Order) -> None:
        """Take an order off the book untraded."""
        self.book.remove(order)
        self.removed.add(order.order_id)

    def drop_underfunded(self) -> None:
        """Cancel the newest orders of whoever can no longer cover all of them."""
        for account in self.owned:
            for asset in (USD, YES, NO):
                while self.available(account, asset) < 0:
                    self.remove(self.holders(account, asset)[-1])

    def expire(self) -> None:
        """Cancel what has expired."""
        for order in list(self.book):
            if order.dies_at_ms is not None and order.dies_at_ms <= self.now_ms:
                self.remove(order)

    def advance(self, operation: Advance) -> tuple[set[str], list[Fill]]:
        """Let time pass."""
        self.now_ms += operation.milliseconds
        return set(), []

    def change_tick(self, operation: ChangeTick) -> tuple[set[str], list[Fill]]:
        """Take the new grid, and cancel the orders that are not on it."""
        self.tick = operation.tick
        for order in list(self.book):
            if (order.limit / self.tick).denominator != 1:
                self.remove(order)
        return set(), []

    def close(self, _: Close) -> tuple[set[str], list[Fill]]:
        """Cancel everything and take no more orders."""
        self.closed = True
        for order in list(self.book):
            self.remove(order)
        return set(), []

    def cancel(self, operation: Cancel) -> tuple[set[str], list[Fill]]:
        """Cancel an account's own open order."""
        asked = (operation.order_id, operation.account)
        for order in self.book:
            if (order.order_id, order.account) == asked:
                self.remove(order)
                return set(), []
        return {reasons.ALREADY_MATCHED if asked in self.matched else reasons.NOT_FOUND}, []

    # Orders

    def place(self, place: PlaceOrder) -> tuple[set[str], list[Fill]]:
        """Refuse an order, or trade what it meets and let the rest of it stand or lapse."""
        self.wallet(place.account)
        refused = own_reasons(place, self.tick, self.now_ms)
        if self.closed:
            refused.add(reasons.CLOSED)
        if place.order_id in self.known:
            refused.add(reasons.DUPLICATE)
        if place.maker_amount <= 0 or place.taker_amount <= 0:
            return refused, []
        order = self.order_from(place)
        plan = walk(order, place, self.book)
        refused |= self.book_reasons(place, order, plan)
        if refused:
            return refused, []
        self.known.add(place.order_id)
        self.arrivals += 1
        fills = []
        for level in plan.levels:
            for own in level.own:
                self.remove(own)
            if level.takes:
                fills.append(self.trade(order, level, is_market(place)))
        if order.left and not is_market(place):
            asset = USD if order.side == BUY else order.token
            order.holds = min(self.full_hold(order), self.available(order.account, asset))
            self.book.append(order)
        elif fills:
            self.matched.add((order.order_id, order.account))
        return set(), fills

    def order_from(self, place: PlaceOrder) -> Order:
        """The order at work that a posted order would be."""
        dies_at_ms = place.expiration * 1000 - GTD_EARLY_MS
        return Order(
            order_id=place.order_id,
            account=place.account,
            token=place.token,
            side=place.side,
            limit=limit_of(place, self.tick),
            left=shares_of(place),
            arrived=self.arrivals,
            dies_at_ms=dies_at_ms if place.order_type == GTD else None,
        )

    def book_reasons(self, place: PlaceOrder, order: Order, plan: Plan) -> set[str]:
        """Every rule that the order breaks against this book and this wallet."""
        found: set[str] = set()
        crosses = bool(queue(order, self.book))
        if is_market(place):
            if place.order_type == FOK and plan.left:
                found.add(reasons.FOK_KILLED)
            if place.order_type == FAK and not plan.trades:
                found.add(reasons.FAK_KILLED)
        elif place.post_only and crosses:
            found.add(reasons.CROSSES)
        elif not crosses and shares_of(place) < LEAST_SHARES:
            found.add(reasons.SIZE)
        elif crosses and place.side == BUY and dollars_of(place) < LEAST_DOLLARS:
            found.add(reasons.NOTIONAL)
        asset = USD if place.side == BUY else place.token
        if self.needed(place, order, plan) > self.available(place.account, asset):
            found.add(reasons.BALANCE)
        return found

    def needed(self, place: PlaceOrder, order: Order, plan: Plan) -> int:
        """What the order must be able to pay: the whole of it at its limit, and the fee there.

        A market BUY spends the same dollars on more shares at better prices: if their fee is the
        higher one, it must be there.
        """
        if place.side == SELL:
            return order.left
        fee = self.fee(order.left, order.limit)
        if is_market(place):
            fee = max(fee, sum(self.fee(level.size, level.price) for level in plan.trades))
        return place.maker_amount + fee

    def trade(self, order: Order, level: Level, spends: bool) -> Fill:
        """Settle all that happens at one price."""
        money, fee = level.money(order.side), self.fee(level.size, level.price)
        order.left -= level.size
        if order.side == BUY and not spends:
            money, fee = self.payable(order, money, fee)
        elif order.side == SELL:
            fee = min(fee, money)
        self.settle(order, level.size, money)
        self.wallet(order.account)[USD] -= fee
        legs = []
        for maker, size in level.takes:
            self.make(maker, size)
            kind = DIRECT if maker.token == order.token else MINT if order.side == BUY else MERGE
            legs.append(Leg(maker.order_id, size, kind))
        return Fill(order.order_id, level.price, level.size, fee, tuple(legs))

    def payable(self, order: Order, money: int, fee: int) -> tuple[int, int]:
        """What a limit BUY really pays at a price: roundings beyond what was checked are let go."""
        most = self.available(order.account, USD) - ceil(order.left * order.limit)
        money = min(money, most)
        return money, min(fee, most - money)

    def make(self, maker: Order, size: int) -> None:
        """Settle a resting order's part: its limit, rounded once over all that it has made."""
        money = maker.maker_money(maker.made + size) - maker.maker_money(maker.made)
        self.settle(maker, size, money)
        maker.made += size
        maker.left -= size
        spent = money if maker.side == BUY else size
        maker.holds = min(self.full_hold(maker), maker.holds - spent)
        if not maker.left:
            self.book.remove(maker)
            self.matched.add((maker.order_id, maker.account))

    def settle(self, order: Order, shares: int, money: int) -> None:
        """Give a buyer shares for money, or a seller money for shares."""
        sign = 1 if order.side == BUY else -1
        wallet = self.wallet(order.account)
        wallet[order.token] += sign * shares
        wallet[USD] -= sign * money
