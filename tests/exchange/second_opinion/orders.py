"""An order as the second opinion sees it, and the rules an order can break all by itself."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

from tests.exchange.second_opinion import reasons
from tests.exchange.second_opinion.flow import BUY, FAK, FOK, GTD, MICRO, SELL, PlaceOrder

MARKET_TYPES = (FOK, FAK)
AMOUNT_DECIMALS = {
    Fraction("0.1"): 3,
    Fraction("0.01"): 4,
    Fraction("0.005"): 5,
    Fraction("0.0025"): 6,
    Fraction("0.001"): 5,
    Fraction("0.0001"): 6,
}
GTD_AHEAD_MS = 180_000
GTD_EARLY_MS = 60_000
LEAST_DOLLARS = MICRO
LEAST_SHARES = 5 * MICRO


@dataclass
class Order:
    """An order at work: its limit, what is left of it, what it made, and what it holds back."""

    order_id: str
    account: str
    token: str
    side: str
    limit: Fraction
    left: int
    arrived: int
    dies_at_ms: int | None = None
    made: int = 0
    holds: int = 0

    def maker_money(self, made: int) -> int:
        """All that the order has paid (or been paid) once so many shares were made."""
        exact = made * self.limit
        return ceil(exact) if self.side == BUY else floor(exact)


def dollars_of(place: PlaceOrder) -> int:
    """The dollars among the two signed amounts."""
    return place.maker_amount if place.side == BUY else place.taker_amount


def shares_of(place: PlaceOrder) -> int:
    """The shares among the two signed amounts."""
    return place.taker_amount if place.side == BUY else place.maker_amount


def is_market(place: PlaceOrder) -> bool:
    """Whether the order fills now or never."""
    return place.order_type in MARKET_TYPES


def limit_of(place: PlaceOrder, tick: Fraction) -> Fraction:
    """The order's limit: as signed, or for a market order the next grid price inside it."""
    signed = Fraction(dollars_of(place), shares_of(place))
    if not is_market(place):
        return signed
    steps = floor(signed / tick) if place.side == BUY else ceil(signed / tick)
    return steps * tick


def fits(micro: int, decimals: int) -> bool:
    """Whether an amount has no more than so many decimals."""
    return micro % int(10 ** (6 - decimals)) == 0


def own_reasons(place: PlaceOrder, tick: Fraction, now_ms: int) -> set[str]:
    """Every rule that the order breaks whatever the book and the wallets hold."""
    found: set[str] = set()
    if place.order_type == GTD:
        if place.expiration * 1000 < now_ms + GTD_AHEAD_MS:
            found.add(reasons.EXPIRATION)
    elif place.expiration:
        found.add(reasons.EXPIRATION)
    if is_market(place) and place.post_only:
        found.add(reasons.PAYLOAD)
    if place.maker_amount <= 0 or place.taker_amount <= 0:
        return found | {reasons.PAYLOAD}
    return found | amount_reasons(place, tick)


def amount_reasons(place: PlaceOrder, tick: Fraction) -> set[str]:
    """Every rule that the order's two amounts break."""
    found: set[str] = set()
    limit = limit_of(place, tick)
    if (limit / tick).denominator != 1 or not tick <= limit <= 1 - tick:
        found.add(reasons.TICK)
    if is_market(place):
        if not fits(place.maker_amount, 2) or not fits(place.taker_amount, 4):
            found.add(reasons.PRECISION_MARKET)
        if place.side == BUY and dollars_of(place) < LEAST_DOLLARS:
            found.add(reasons.NOTIONAL)
    elif not fits(shares_of(place), 2) or not fits(dollars_of(place), AMOUNT_DECIMALS[tick]):
        found.add(reasons.PRECISION_LIMIT)
    return found


def meeting(taker: Order, maker: Order) -> Fraction | None:
    """The price at which a taker would meet a resting order, seen from the taker; None: never.

    One book: a BUY meets a SELL of the same token, or a BUY of the other one (a mint); a SELL
    meets a BUY of the same token, or a SELL of the other one (a merge).
    """
    same_token = taker.token == maker.token
    same_side = taker.side == maker.side
    if same_token == same_side:
        return None
    price = maker.limit if same_token else 1 - maker.limit
    inside = price <= taker.limit if taker.side == BUY else price >= taker.limit
    return price if inside else None


def queue(taker: Order, book: list[Order]) -> list[tuple[Fraction, Order]]:
    """The resting orders a taker crosses: the best price first, then the longest there."""
    met = []
    for maker in book:
        price = meeting(taker, maker)
        if price is not None:
            met.append((price, maker))
    if taker.side == SELL:
        return sorted(met, key=lambda pair: (-pair[0], pair[1].arrived))
    return sorted(met, key=lambda pair: (pair[0], pair[1].arrived))
