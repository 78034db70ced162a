"""A seeded flow of orders of every type, sent to both copies of a world (see parity.py)."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from polymarket_kit.model import OrderType, Side
from polymarket_kit.values import MICRO
from practice_exchange.world.state import MarketState
from prescient.domain.market import OrderBook

from .parity import Outcome, Pair


@dataclass
class Flow:
    """A seeded flow of orders of every type. In each market one side is taken and the other rested on, so that our own
    orders never meet one another, and what our fills leave to others is never what we take next.
    """

    pair: Pair
    random: Random
    resting: list[str] = field(default_factory=list)

    def side_of(self, market: MarketState) -> int:
        """The token that is bought in this market, by takers and by orders that rest."""
        return self.pair.markets.index(market) % 2

    async def endow(self, market: MarketState) -> tuple[str, Outcome, Outcome]:
        """Buy shares of the other token, to have something to sell."""
        bought = 1 - self.side_of(market)
        return await self.pair.order(market, bought, Side.BUY, OrderType.FAK, price=990_000, amount=400 * MICRO)

    async def next(self, market: MarketState) -> tuple[str, Outcome, Outcome]:
        """One order of any type, at a price around the touch."""
        random, token = self.random, self.side_of(market)
        book = self.pair.data.book(market.token_ids[token])
        other = self.pair.data.book(market.token_ids[1 - token])
        tick = book.tick_micro
        kind = random.choice(
            ("buy", "buy", "kill", "sell", "rest", "rest", "rest", "rest", "cross", "offer", "timed", "wrong")
        )
        cents = random.randrange(100, 30_000) * 10_000
        best_bid, best_ask = book.best_bid_micro or tick, book.best_ask_micro or MICRO - tick

        def inside(price_micro: int) -> int:
            return min(max(price_micro // tick * tick, tick), MICRO - tick)

        size = random.randrange(500, 30_000) * 10_000
        if kind in ("buy", "kill"):
            limit = inside(best_ask + random.randrange(-1, 6) * tick)
            order_type = OrderType.FAK if kind == "buy" else OrderType.FOK
            return await self.pair.order(market, token, Side.BUY, order_type, price=limit, amount=cents)
        if kind in ("sell", "offer"):
            return await self._sell(market, 1 - token, other, kind, min(size, 20 * MICRO))
        if kind == "cross":
            return await self._rests(market, token, inside(best_ask + random.randrange(3) * tick), size)
        if kind == "timed":
            end_s = int(self.pair.clock.now().timestamp()) + random.choice((100, 181, 400, 4_000))
            price = inside(best_bid - random.randrange(2) * tick)
            return await self._rests(market, token, price, size, OrderType.GTD, expiration_s=end_s)
        if kind == "wrong":
            price, size = random.choice(
                (
                    (inside(best_bid) + 50, 20 * MICRO),
                    (inside(best_bid), 4 * MICRO),
                    (inside(best_bid), size + 1_000),
                    (0, size),
                )
            )
            return await self._rests(market, token, price or inside(best_ask), size, post_only=int(price == 0))
        price = inside(best_bid + random.randrange(-4, 2) * tick)
        return await self._rests(market, token, price, size, post_only=random.randrange(2))

    async def _sell(
        self, market: MarketState, token: int, book: OrderBook, kind: str, size: int
    ) -> tuple[str, Outcome, Outcome]:
        """Sell what was bought at first: to the bids, or as an offer behind the best one."""
        tick = book.tick_micro
        if kind == "offer":
            price = min((book.best_ask_micro or MICRO - tick) + self.random.randrange(2) * tick, MICRO - tick)
            return await self._rests(market, token, price, size, side=Side.SELL)
        limit = max((book.best_bid_micro or tick) - self.random.randrange(3) * tick, tick)
        return await self.pair.order(market, token, Side.SELL, OrderType.FAK, price=limit, size=size)

    async def _rests(
        self,
        market: MarketState,
        token: int,
        price: int,
        size: int,
        order_type: OrderType = OrderType.GTC,
        side: Side = Side.BUY,
        **given: int,
    ) -> tuple[str, Outcome, Outcome]:
        answered = await self.pair.order(market, token, side, order_type, price=price, size=size, **given)
        self.resting.append(answered[0])
        return answered
