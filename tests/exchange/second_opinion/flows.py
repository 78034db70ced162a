"""Random flows that meet: few prices around one, few accounts, round sizes, all kinds of order.

The same builder is led by Hypothesis (which can shrink a flow) and by a seeded generator (which
is fast enough for a hundred thousand).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from math import ceil, floor
from random import Random
from typing import Protocol, TypeVar

from hypothesis import strategies as st

from tests.exchange.second_opinion.fees import taker_fee
from tests.exchange.second_opinion.flow import (
    BUY,
    FAK,
    FOK,
    GTC,
    GTD,
    MICRO,
    NO,
    SELL,
    USD,
    YES,
    Advance,
    Cancel,
    ChangeTick,
    Close,
    Deposit,
    Flow,
    Market,
    Merge,
    Operation,
    PlaceOrder,
    Split,
    Withdraw,
)

T = TypeVar("T")

TICKS = [Fraction(t) for t in ("0.01", "0.001", "0.1", "0.005", "0.0025", "0.0001")]
SCHEDULES = [
    (Fraction(0), 1),
    (Fraction("0.04"), 1),
    (Fraction("0.05"), 1),
    (Fraction("0.07"), 1),
    (Fraction("0.25"), 2),
]
ACCOUNTS = ("ann", "bob", "cat")
NEWCOMER = "dan"
SHARES = ("5", "10", "10", "20", "7.5", "5.01", "12.34", "33.33", "100", "2", "0.01", "4.99")
DOLLARS = ("1", "5", "10", "2.5", "3.33", "2", "20", "50", "1.01", "0.99")
FUNDS = {"rich": ("1000", "500"), "mixed": ("1000", "100", "20", "200"), "poor": ("20", "5", "0")}
PAUSES_MS = (1, 250, 999, 1000, 59_999, 60_000, 120_000, 180_000)
AHEAD_S = (*(180, 181, 200, 240, 300, 400) * 4, 179, 0)
START_MS = (1_800_000_000_000, 1_800_000_000_250, 1_800_000_000_999)
LEAST_STEPS, MOST_STEPS = 8, 24
OPENING = 5


class Chooser(Protocol):
    """Whatever makes the choices."""

    def pick(self, items: Sequence[T]) -> T:
        """One of the items."""
        ...


class SeededChooser:
    """Choices of a seeded generator."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)

    def pick(self, items: Sequence[T]) -> T:
        """One of the items."""
        return self.random.choice(items)


class DrawnChooser:
    """Choices that Hypothesis draws."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw

    def pick(self, items: Sequence[T]) -> T:
        """One of the items."""
        return self.draw(st.sampled_from(items))


def micro(amount: str) -> int:
    """An amount in micro-units."""
    return int(Fraction(amount) * MICRO)


class Builder:
    """Makes one flow, keeping what its next operation depends on: the tick, the time, the orders."""

    def __init__(self, chooser: Chooser) -> None:
        self.choose = chooser
        rate, exponent = chooser.pick(SCHEDULES)
        self.tick = chooser.pick(TICKS)
        self.market = Market(self.tick, rate, exponent, chooser.pick(START_MS))
        self.now_ms = self.market.start_ms
        self.centre = chooser.pick(("0.5", "0.5", "0.3", "0.9", "0.1", "0.97", "0.02"))
        self.placed: list[PlaceOrder] = []
        self.funds: dict[tuple[str, str], int] = {}

    def one_in(self, chances: int) -> bool:
        """True once in so many."""
        return self.choose.pick(range(chances)) == chances - 1

    def flow(self) -> Flow:
        """The whole flow: first the funds, then a dozen or so steps."""
        operations: list[Operation] = []
        funds = FUNDS[self.choose.pick(("rich", "rich", "mixed", "mixed", "poor"))]
        for account in ACCOUNTS:
            for asset in (USD, YES, NO):
                amount = micro(self.choose.pick(funds))
                self.funds[account, asset] = amount
                operations.append(Deposit(account, asset, amount))
        for _ in range(self.choose.pick(range(LEAST_STEPS, MOST_STEPS + 1))):
            operations += self.just_enough() if self.one_in(9) else [self.step()]
        return Flow(self.market, tuple(operations))

    def step(self) -> Operation:
        """First some orders that rest; then mostly orders, and now and then something else."""
        kind = self.choose.pick(range(40))
        account = self.choose.pick(ACCOUNTS)
        if kind >= 13 or len(self.placed) < OPENING:
            return self.order(account)
        if kind < 4:
            return self.cancel(account)
        if kind < 6:
            pause = self.choose.pick(PAUSES_MS)
            self.now_ms += pause
            return Advance(pause)
        return self.other(kind, account)

    def just_enough(self) -> list[Operation]:
        """An order of somebody who, at first, has exactly what it needs, or a hair more or less."""
        place = self.order(NEWCOMER)
        if place.order_type == FOK:
            place = replace(place, order_type=GTC)
        if place.account != NEWCOMER or place.taker_amount == 0 or place.side == SELL:
            return [place]
        price = min(Fraction(place.maker_amount, place.taker_amount), Fraction(1))
        fee = taker_fee(place.taker_amount, price, self.market.fee_rate, self.market.fee_exponent)
        hair = self.choose.pick((0, 0, 1, -1, 10))
        return [Deposit(NEWCOMER, USD, max(0, place.maker_amount + fee + hair)), place]

    def cancel(self, account: str) -> Cancel:
        """A cancel, mostly by the order's owner."""
        place = self.choose.pick(self.placed)
        return Cancel(account if self.one_in(8) else place.account, place.order_id)

    def other(self, kind: int, account: str) -> Operation:
        """The rarer operations."""
        if kind == 6:
            self.tick = self.choose.pick(TICKS)
            return ChangeTick(self.tick)
        if kind == 7:
            return Split(account, self.part_of(account, USD))
        if kind == 8:
            return Merge(account, self.part_of(account, YES))
        if kind == 9 and self.one_in(3):
            return Close()
        return self.withdraw()

    def withdraw(self) -> Withdraw:
        """Take away what an order may rely on."""
        place = self.choose.pick(self.placed)
        asset = USD if place.side == BUY else place.token
        return Withdraw(place.account, asset, self.part_of(place.account, asset))

    def part_of(self, account: str, asset: str) -> int:
        """A little, or most of what an account began with, so that its orders lose their cover."""
        if self.one_in(3):
            return micro(self.choose.pick(SHARES))
        most = self.choose.pick(("0.5", "0.8", "0.9", "0.95", "0.98", "0.99"))
        return max(1, int(self.funds.get((account, asset), 0) * Fraction(most)))

    def order(self, account: str) -> PlaceOrder:
        """An order, sometimes spoilt, sometimes one that was posted before."""
        if self.placed and self.one_in(25):
            return self.choose.pick(self.placed)
        opening = len(self.placed) < OPENING
        order_type = self.choose.pick((GTC, GTD) if opening else (GTC, GTC, GTC, GTD, FOK, FAK))
        token, side = self.choose.pick((YES, NO)), self.choose.pick((BUY, SELL))
        price = self.price(token)
        if not opening and self.one_in(2):
            price = self.pushed(side, price)
        if order_type in (FOK, FAK):
            maker, taker = self.market_amounts(side, price)
        else:
            maker, taker = self.limit_amounts(side, price)
        place = PlaceOrder(
            order_id=f"o{len(self.placed)}",
            account=account,
            token=token,
            side=side,
            order_type=order_type,
            maker_amount=maker,
            taker_amount=taker,
            expiration=self.expiration(order_type),
            post_only=self.one_in(60 if order_type in (FOK, FAK) else 10),
        )
        if self.one_in(20):
            place = self.corrupt(place)
        self.placed.append(place)
        return place

    def price(self, token: str) -> Fraction:
        """A grid price within two steps of the centre, mirrored for NO, now and then anywhere."""
        tick = self.tick
        yes = Fraction(self.centre) // tick * tick + self.choose.pick((0, 0, 0, 1, -1, 2, -2)) * tick
        if self.one_in(30):
            yes = self.choose.pick((tick, 1 - tick, tick / 2, 1 - tick / 2, Fraction(1)))
        yes = max(yes, tick / 2)
        return yes if token == YES else 1 - yes

    def pushed(self, side: str, price: Fraction) -> Fraction:
        """A price two steps into the other side, so that a taker reaches several prices."""
        further = price + (2 if side == BUY else -2) * self.tick
        return further if self.tick <= further <= 1 - self.tick else price

    def limit_amounts(self, side: str, price: Fraction) -> tuple[int, int]:
        """The two amounts of a limit order, exactly at its price."""
        shares = micro(self.choose.pick(SHARES)) + (1000 if self.one_in(40) else 0)
        dollars = floor(shares * price)
        return (dollars, shares) if side == BUY else (shares, dollars)

    def market_amounts(self, side: str, price: Fraction) -> tuple[int, int]:
        """The two amounts of a market order, rounded as its clients do (or wish they had)."""
        if side == BUY:
            maker = micro(self.choose.pick(DOLLARS))
            exact = maker / price if price else Fraction(maker)
        else:
            maker = micro(self.choose.pick(SHARES))
            exact = maker * price
        cent = self.choose.pick((100, 100, 100, 100, 10_000, 1))
        rounded = ceil(exact / cent) if self.one_in(6) else floor(exact / cent)
        return maker, rounded * cent

    def expiration(self, order_type: str) -> int:
        """When a GTD dies; now and then an expiration where none may be, or none where one must."""
        stray = self.one_in(40)
        if (order_type == GTD) == stray:
            return 0
        return self.now_ms // 1000 + self.choose.pick(AHEAD_S)

    def corrupt(self, place: PlaceOrder) -> PlaceOrder:
        """An order with an amount that is odd, empty or off the grid."""
        change = self.choose.pick((1, -1, 1000, -1000, 10_000))
        if self.one_in(8):
            return replace(place, taker_amount=0)
        if self.one_in(2):
            return replace(place, maker_amount=max(0, place.maker_amount + change))
        return replace(place, taker_amount=max(0, place.taker_amount + change))


@st.composite
def flows(draw: st.DrawFn) -> Flow:
    """Flows for Hypothesis."""
    return Builder(DrawnChooser(draw)).flow()


def seeded_flow(seed: int) -> Flow:
    """The flow of a seed."""
    return Builder(SeededChooser(seed)).flow()
