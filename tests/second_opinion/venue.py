"""One Polymarket market, written naively from the api sheet: lists, linear scans, exact fractions.

A market BUY spends dollars; every other order counts in shares. Whoever trades settles only its
own leg (a buyer gains shares and pays, a seller loses shares and is paid), which covers direct
matches, mints and merges alike.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil, floor

from tests.second_opinion import reasons
from tests.second_opinion.fees import taker_fee
from tests.second_opinion.flow import (
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
    Place,
    Split,
    Wallet,
    Withdraw,
)
from tests.second_opinion.orders import (
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


@dataclass
class Level:
    """What a taker would take at one price."""

    price: Fraction
    takes: list[tuple[Order, int]] = field(default_factory=list)

    @property
    def size(self) -> int:
        """All shares taken at this price."""
        return sum(size for _, size in self.takes)

    def money(self, side: str) -> int:
        """What the taker pays (rounded up) or is paid (rounded down), once for the price."""
        exact = self.size * self.price
        return ceil(exact) if side == BUY else floor(exact)


@dataclass
class Plan:
    """What a taker would do: its levels, its own orders in the way, and what is left of it."""

    levels: list[Level]
    own: list[Order]
    left: int


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
            Place: self.place,
            Cancel: self.cancel,
            Advance: self.advance,
            ChangeTick: self.change_tick,
            Close: self.close,
        }
        refused, fills = deeds[type(operation)](operation)
        self.expire()
        self.drop_underfunded()
        wallets = {
            account: Wallet(cash=owned[USD], yes=owned[YES], no=owned[NO]) for account, owned in self.owned.items()
        }
        return Outcome(
            reasons=frozenset(refused),
            fills=tuple(fills),
            removed=frozenset(self.removed),
            wallets=wallets,
            resting={order.order_id: order.left for order in self.book},
        )

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

    def held(self, order: Order) -> int:
        """What an order holds back: shares of a SELL; dollars and fee at the limit of a BUY."""
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
        held = sum(self.held(order) for order in self.holders(account, asset))
        return self.wallet(account)[asset] - held

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
        if self.closed:
            return {reasons.CLOSED}, []
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

    def place(self, place: Place) -> tuple[set[str], list[Fill]]:
        """Refuse an order, or trade what it meets and let the rest of it stand or lapse."""
        self.wallet(place.account)
        if place.maker_amount <= 0 or place.taker_amount <= 0:
            return {reasons.PAYLOAD}, []
        refused = own_reasons(place, self.tick, self.now_ms)
        if self.closed:
            refused.add(reasons.CLOSED)
        if place.order_id in self.known:
            refused.add(reasons.DUPLICATE)
        order = self.order_from(place)
        plan = self.plan(order, place)
        refused |= self.book_reasons(place, order, plan)
        if refused:
            return refused, []
        self.known.add(place.order_id)
        self.arrivals += 1
        for own in plan.own:
            self.remove(own)
        fills = [self.trade(order, level) for level in plan.levels]
        order.left = plan.left
        if order.left and not is_market(place):
            self.book.append(order)
        elif fills:
            self.matched.add((order.order_id, order.account))
        return set(), fills

    def order_from(self, place: Place) -> Order:
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

    def plan(self, order: Order, place: Place) -> Plan:
        """Walk the queue price by price, until the order's shares (or dollars) are used up."""
        spends = is_market(place) and place.side == BUY
        left = place.maker_amount if spends else order.left
        crossed = queue(order, self.book)
        plan = Plan([], [], left)
        for price in dict.fromkeys(price for price, _ in crossed):
            level = Level(price)
            wanted = floor(plan.left / price) if spends else plan.left
            for maker in [maker for at, maker in crossed if at == price]:
                if not wanted:
                    break
                if maker.account == order.account:
                    plan.own.append(maker)
                    continue
                size = min(wanted, maker.left)
                level.takes.append((maker, size))
                wanted -= size
            if level.takes:
                plan.levels.append(level)
                plan.left -= level.money(BUY) if spends else level.size
        return plan

    def book_reasons(self, place: Place, order: Order, plan: Plan) -> set[str]:
        """Every rule that the order breaks against this book and this wallet."""
        found: set[str] = set()
        crosses = bool(queue(order, self.book))
        if is_market(place):
            if place.order_type == FOK and plan.left:
                found.add(reasons.FOK_KILLED)
            if place.order_type == FAK and not plan.levels:
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

    def needed(self, place: Place, order: Order, plan: Plan) -> int:
        """What the order must be able to pay: the whole of it at its limit, fee included.

        And no less than what its fills come to, where small roundings or the higher fee of a
        better price make that the larger sum.
        """
        if place.side == SELL:
            return order.left
        at_limit = place.maker_amount + self.fee(order.left, order.limit)
        spent = sum(level.money(BUY) + self.fee(level.size, level.price) for level in plan.levels)
        if is_market(place):
            return max(at_limit, spent)
        rest = ceil(plan.left * order.limit) + self.fee(plan.left, order.limit)
        return max(at_limit, spent + rest)

    def trade(self, order: Order, level: Level) -> Fill:
        """Settle all that happens at one price."""
        fee = self.fee(level.size, level.price)
        self.settle(order, level.size, level.money(order.side))
        self.wallet(order.account)[USD] -= fee
        legs = []
        for maker, size in level.takes:
            money = maker.maker_money(maker.made + size) - maker.maker_money(maker.made)
            self.settle(maker, size, money)
            maker.made += size
            maker.left -= size
            if not maker.left:
                self.book.remove(maker)
                self.matched.add((maker.order_id, maker.account))
            kind = DIRECT if maker.token == order.token else MINT if order.side == BUY else MERGE
            legs.append(Leg(maker.order_id, size, kind))
        return Fill(order.order_id, level.price, level.size, fee, tuple(legs))

    def settle(self, order: Order, shares: int, money: int) -> None:
        """Give a buyer shares for money, or a seller money for shares."""
        sign = 1 if order.side == BUY else -1
        wallet = self.wallet(order.account)
        wallet[order.token] += sign * shares
        wallet[USD] -= sign * money
