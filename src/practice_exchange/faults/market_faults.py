"""Faults of a whole market: its tick, terms, end or resolution change, or its makers quote something else."""

from __future__ import annotations

from polymarket_kit.model import FeeSchedule
from polymarket_kit.rules import TICKS_MICRO
from polymarket_kit.values import MICRO
from practice_exchange.clob.trading_routes import TradingSide
from practice_exchange.faults.kinds import Fault, FaultRefused
from practice_exchange.world import state
from practice_exchange.world.state import MarketState
from practice_exchange.world.timestamps import MINUTE_MS
from practice_exchange.world.world import WorldView


class MarketFaults:
    """Does to the world's markets what MARKET faults ask for; the world goes on from there."""

    def __init__(self, world: WorldView, trading: TradingSide) -> None:
        self._world = world
        self._trading = trading

    def apply(self, fault: Fault) -> MarketState:
        """Apply the fault and return its market. Raises FaultRefused if the market does not exist or cannot have this fault."""
        market = self._market(fault.words("market"))
        if market.stage == state.RESOLVED:
            raise FaultRefused(f"{market.slug} is resolved; name an open market")
        self._trading.venue_engine.enter(market)
        self._change(fault, market)
        market.revision += 1
        market.changed_ms = max(market.changed_ms, self._world.now_ms)
        self._world.revision += 1
        self._trading.advance()
        return market

    def _change(self, fault: Fault, market: MarketState) -> None:
        kind = fault.kind
        if kind == "tick":
            market.tick_micro = self._tick_micro(fault)
        elif kind == "terms":
            self._change_terms(fault, market)
        elif kind in ("suspend", "reopen"):
            if market.stage != state.OPEN:
                raise FaultRefused(f"{market.slug} has ended; name an open market")
            market.accepting_orders = kind == "reopen"
            if kind == "reopen":
                market.active, market.archived, market.order_book_enabled = True, False, True
        elif kind == "delist":
            market.active, market.archived, market.order_book_enabled = False, True, False
            market.accepting_orders = False
        elif kind == "end":
            self._end(market)
        elif kind == "dispute":
            market.disputes += 1
        elif kind == "void":
            market.void = True
        else:
            self._requote(fault, market)

    def _end(self, market: MarketState) -> None:
        """As a market ends by itself, a minute before it is proposed."""
        if market.stage == state.OPEN:
            now_ms = self._world.now_ms
            market.stage, market.accepting_orders = state.ENDED, False
            market.end_ms, market.next_stage_ms = min(market.end_ms, now_ms), now_ms + MINUTE_MS

    def _market(self, name: str) -> MarketState:
        register = self._world.register
        if name:
            found = register.markets_by_condition.get(name) or register.markets_by_slug.get(name)
            if found is None:
                raise FaultRefused(f"there is no market {name!r}; name one by condition id or slug")
            return found
        first = next((market for market in register.markets.values() if market.trading), None)
        if first is None:
            raise FaultRefused("no market is open")
        return first

    def _tick_micro(self, fault: Fault) -> int:
        micro = round(fault.number("tick_size") * MICRO)
        if micro not in TICKS_MICRO:
            raise FaultRefused(f"tick_size must be one of {', '.join(f'{tick / MICRO:g}' for tick in TICKS_MICRO)}")
        return micro

    def _change_terms(self, fault: Fault, market: MarketState) -> None:
        market.minimum_size = int(fault.number("minimum_size"))
        rate = fault.number("fee_rate")
        market.fees = state.Fees(market.fees.kind or "changed", rate, market.fees.rebate_rate, market.fees.exponent)
        fees = FeeSchedule(
            round(rate * MICRO), int(market.fees.exponent), rebate_rate_micro=round(market.fees.rebate_rate * MICRO)
        )
        venue_engine = self._trading.venue_engine
        venue_engine.engine.change_terms(
            market.condition_id, venue_engine.now_ms, fees=fees, minimum_size_micro=market.minimum_size * MICRO
        )

    def _requote(self, fault: Fault, market: MarketState) -> None:
        """Replace the makers' quotes until they next quote: around another price, or by none."""
        if fault.kind == "empty_book":
            market.book.quote([], [], [], [])
            return
        tick = market.tick_micro
        middle = round(fault.number("price") * MICRO) // tick * tick
        size = 100 * MICRO
        bids = [middle - 3 * tick, middle - 2 * tick, middle - tick]
        asks = [middle + 3 * tick, middle + 2 * tick, middle + tick]
        kept_bids = [price for price in bids if price >= tick]
        kept_asks = [price for price in asks if price <= MICRO - tick]
        market.book.quote(kept_bids, [size] * len(kept_bids), kept_asks, [size] * len(kept_asks))
