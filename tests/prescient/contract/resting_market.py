"""A harness for resting orders: one market, one portfolio, a stream that a test feeds, on whatever store is under test."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from polymarket_kit.model import FeeSchedule, Side
from polymarket_kit.values import MICRO
from prescient.domain.order import OrderStatus, Refused, Unresolved
from prescient.domain.portfolio import NewPortfolio
from prescient.domain.stream import PrintSeen, StreamEvent
from prescient.ports.store import Store
from prescient.trading.positions.settling import settle_fills
from prescient.trading.resting import LimitForm, PlacedOrder, place_limit, restore
from tests.fakes import START, StaticMarketData, advance, binary_market
from tests.prescient.contract.store_examples import pages
from tests.streams import hear, streaming_context

YES, NO = "11", "12"
SHARE = MICRO
CENT = 10_000
START_MS = round(START.timestamp() * 1000)
START_S = START_MS // 1000


class RestingHarness:
    """One market with a book of 100 at each of three prices a side, a portfolio, and a context on the store under test."""

    def __init__(self, store: Store, fees: FeeSchedule = FeeSchedule(50_000)) -> None:
        self.market = binary_market(1, fees=fees)
        self.data = StaticMarketData()
        bids = [("0.54", "100"), ("0.53", "100"), ("0.52", "100")]
        self.data.add(self.market, bids, [("0.56", "100"), ("0.57", "100"), ("0.58", "100")])
        self.context, self.stream = streaming_context(self.data, store)
        self.store = store
        self.time_ms = START_MS
        self.portfolio_id = 0

    async def open(self, cash: int = 1_000) -> RestingHarness:
        if not await self.store.active_events():
            await self.store.save_events(pages(self.data.events), "cycle-1", START)
        made = await self.store.create_portfolio(NewPortfolio("One", "majority", cash * MICRO), START)
        self.portfolio_id = made.portfolio_id
        await restore(self.context)
        return self

    async def restarted(self, store: Store) -> RestingHarness:
        """Another process on the same rows: what rests is taken over."""
        again = RestingHarness(store, self.market.fees)
        again.portfolio_id, again.time_ms = self.portfolio_id, self.time_ms + 60_000
        await restore(again.context)
        return again

    async def place(self, cents: int = 54, size: int = 50, side: Side = Side.BUY, **changes: Any) -> PlacedOrder:
        placed = await self.try_place(cents, size, side, **changes)
        assert isinstance(placed, PlacedOrder), placed
        await self.listen()
        return placed

    async def try_place(
        self, cents: int = 54, size: int = 50, side: Side = Side.BUY, outcome: str = "Yes", **changes: Any
    ) -> PlacedOrder | Refused | Unresolved:
        form = LimitForm(self.portfolio_id, self.market.slug, outcome, side, cents * CENT, size * SHARE)
        return await place_limit(self.context, replace(form, **changes))

    async def listen(self, *events: StreamEvent) -> list[tuple[str, int]]:
        """Hear what waits in the stream and these; return (status, shares) of what it did."""
        updates = []
        for event in [*self.stream.told(), *events]:
            updates += await hear(self.context, event)
        return [(one.status.value, one.fill.size_micro // SHARE if one.fill else 0) for one in updates]

    def printed(self, size: int, cents: int = 54, side: Side = Side.SELL, token_id: str = YES) -> PrintSeen:
        self.time_ms += 1
        return PrintSeen(token_id, cents * CENT, size * SHARE, side, self.time_ms)

    async def held(self) -> tuple[int, int]:
        """Reserved dollars in cents, and shares of the first outcome."""
        portfolio = await self.store.portfolio(self.portfolio_id)
        position = await self.store.position(self.portfolio_id, YES)
        return portfolio.reserved_micro // CENT, position.size_micro // SHARE if position else 0

    async def with_shares(self, size: int = 60) -> RestingHarness:
        """Buy at the ask, as a taker."""
        placed = await self.place(56, size)
        assert placed.status is OrderStatus.FILLED
        await self.mined()
        return self

    async def mined(self) -> None:
        """Let time pass until all that matched is mined and confirmed."""
        advance(self.context, 10)
        await settle_fills(self.context)
