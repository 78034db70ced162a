"""A market's book whose orders are in the matching engine; the world's traders use it like any other book."""

from __future__ import annotations

from bisect import bisect_left
from operator import neg
from typing import Protocol, cast

from polymarket_kit.values import MICRO
from practice_exchange.world.book import Take, UnifiedBook
from practice_exchange.world.state import MarketState


class Counterparty(Protocol):
    """What passes the actions of the world's traders to the engine."""

    def requote(self, market: MarketState, bids: list[tuple[int, int]], asks: list[tuple[int, int]]) -> None: ...

    def take(self, market: MarketState, is_buy: bool, size_micro: int, limit_micro: int) -> Take: ...


class EngineBook(UnifiedBook, dict=True):
    """A world's book whose truth is in the engine; the lists are what it shows now, and what a checkpoint keeps."""

    def attach(self, venue_engine: Counterparty, market: MarketState) -> None:
        self.__dict__["venue_engine"], self.__dict__["market"] = venue_engine, market

    @property
    def _venue_engine(self) -> Counterparty:
        return cast("Counterparty", self.__dict__["venue_engine"])

    @property
    def _market(self) -> MarketState:
        return cast("MarketState", self.__dict__["market"])

    def quote(self, bid_prices: list[int], bid_sizes: list[int], ask_prices: list[int], ask_sizes: list[int]) -> None:
        """The makers take down what they showed and put up this instead."""
        bids = list(zip(bid_prices, bid_sizes, strict=True))
        self._venue_engine.requote(self._market, bids, list(zip(ask_prices, ask_sizes, strict=True)))

    def take(self, is_buy: bool, size_micro: int, limit_micro: int) -> Take:
        """A taker of the world matches whatever rests, users' orders among them."""
        return self._venue_engine.take(self._market, is_buy, size_micro, limit_micro)

    def show(self, bids: list[tuple[int, int]], asks: list[tuple[int, int]]) -> None:
        """Copy the engine's levels, best first."""
        self.bid_prices, self.bid_sizes = [price for price, _ in reversed(bids)], [size for _, size in reversed(bids)]
        self.ask_prices, self.ask_sizes = [price for price, _ in reversed(asks)], [size for _, size in reversed(asks)]

    def change(self, ladder: int, price_micro: int, size_micro: int) -> None:
        """Copy one level: of the first outcome's bids (ladder 0), or of the second's, which are offers of the first."""
        if ladder == 0:
            prices, sizes = self.bid_prices, self.bid_sizes
            place = bisect_left(prices, price_micro)
        else:
            prices, sizes, price_micro = self.ask_prices, self.ask_sizes, MICRO - price_micro
            place = bisect_left(prices, -price_micro, key=neg)
        known = place < len(prices) and prices[place] == price_micro
        if not size_micro:
            if known:
                del prices[place], sizes[place]
        elif known:
            sizes[place] = size_micro
        else:
            prices.insert(place, price_micro)
            sizes.insert(place, size_micro)
