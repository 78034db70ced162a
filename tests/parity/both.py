"""One market, two venues: an order goes to the exchange's engine and to the paper venue that watches the same engine.

Small beside parity.py, which runs whole worlds: here a test sets the state of one market and sends one order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from polymarket_kit.model import Level, OrderType, Side
from polymarket_kit.rejections import Rejection
from polymarket_kit.values import MICRO
from practice_exchange.engine.events import DelayOver, MarketStage
from practice_exchange.engine.markets import MarketSpec
from practice_exchange.engine.matching import Exchange
from practice_exchange.engine.orders import Order, OrderRequest, Placed
from prescient.domain import risk
from prescient.domain.booking import OrderUpdate
from prescient.domain.market import OrderBook, TradingRules
from prescient.domain.order import ApprovedOrder, OrderIntent, Rejected
from prescient.domain.portfolio import NewPortfolio
from prescient.domain.signal import Signal
from prescient.domain.stream import StreamEvent
from prescient.trading.orders.approve import approve_intent
from prescient.trading.resting import PlacedOrder, send
from tests.fakes import START, StaticMarketData
from tests.parity.parity import ACCOUNT, RICH_MICRO, request_of
from tests.streams import hear, streaming_context

MARKET, YES, NO = "0xc1", "11", "12"
START_MS = round(START.timestamp() * 1000)
Said = tuple[str, str] | None


@dataclass
class EngineData(StaticMarketData):
    """What the venue publishes of the engine's market: its book while it has one, its rules while it is known."""

    engine: Exchange = field(default_factory=Exchange)
    known: bool = True

    async def books(self, token_ids: Sequence[str]) -> dict[str, OrderBook]:
        market = self.engine.market(MARKET)
        if market.state.stage in (MarketStage.CLOSED, MarketStage.RESOLVED):
            return {}
        found = {}
        for token_id in token_ids:
            bids, asks = (tuple(Level(*level) for level in side) for side in self.engine.levels(token_id))
            found[token_id] = OrderBook(
                token_id, MARKET, bids, asks, START_MS, market.state.tick_micro, market.state.minimum_size_micro
            )
        return found

    async def rules(self, condition_ids: Sequence[str]) -> dict[str, TradingRules]:
        state = self.engine.market(MARKET).state
        spec, is_open = state.spec, state.stage is MarketStage.OPEN
        made = TradingRules(
            MARKET,
            spec.token_ids,
            is_open,
            state.tick_micro,
            state.minimum_size_micro,
            state.fees,
            taker_delay_enabled=spec.taker_delay,
            seconds_delay=spec.seconds_delay,
            game_start_ms=spec.game_start_ms,
        )
        return {condition_id: made for condition_id in condition_ids if self.known and condition_id == MARKET}


class Both:
    """A market with a hundred shares at 54 and at 56 cents; one account with plenty, on both sides."""

    def __init__(self, **terms: int | bool) -> None:
        self.engine = Exchange()
        self.engine.list_market(MarketSpec(MARKET, (YES, NO), **terms))  # type: ignore[arg-type] # the spec's other fields
        self.now_ms = START_MS
        for account_id in ("house", ACCOUNT):
            self.engine.deposit(account_id, 2 * RICH_MICRO)
            assert self.engine.split(account_id, MARKET, RICH_MICRO, self.now_ms) is None
        self.quotes = [self._quote(Side.BUY, 540_000), self._quote(Side.SELL, 560_000)]
        self.data = EngineData(engine=self.engine)
        self.context, self.stream = streaming_context(self.data)
        self.portfolio_id = 0

    async def open(self) -> Both:
        made = await self.context.store.create_portfolio(NewPortfolio("Rich", "majority", RICH_MICRO), START)
        self.portfolio_id = made.portfolio_id
        return self

    def _quote(self, side: Side, price_micro: int) -> Order:
        shares, dollars = 100 * MICRO, 100 * price_micro
        made, taken = (dollars, shares) if side is Side.BUY else (shares, dollars)
        request = OrderRequest(f"quote {side}", "house", "", YES, side, OrderType.GTC, made, taken)
        assert isinstance(self.engine.place(request, self.now_ms), Placed)
        order = self.engine.order(request.order_id)
        assert order is not None
        return order

    def intent(self, side: Side, order_type: OrderType, price_micro: int, **given: object) -> OrderIntent:
        made = OrderIntent("order:1", self.portfolio_id, "signal:1", MARKET, YES, side, order_type, price_micro)
        return replace(made, **given)  # type: ignore[arg-type] # fields of the intent

    def at_the_exchange(self, intent: OrderIntent) -> Said:
        """The refusal of an order, at once or when its delay is over; None when it is taken."""
        answer = self.engine.place(request_of(intent), self.now_ms)
        if isinstance(answer, Placed) and answer.due_ms:
            self.engine.drain_events()
            self.engine.advance(answer.due_ms)
            (answer,) = [event.answer for event in self.engine.drain_events() if isinstance(event, DelayOver)]
        return (answer.code, answer.text) if isinstance(answer, Rejection) else None

    async def holdings(self) -> risk.Holdings:
        """The portfolio's cash, and as many shares of any token as there are dollars to be rich."""
        portfolio = await self.context.store.portfolio(self.portfolio_id)
        cash_micro, reserved_micro = portfolio.cash_micro, portfolio.reserved_micro
        return risk.Holdings(self.portfolio_id, portfolio.status, cash_micro, reserved_micro, RICH_MICRO)

    async def on_paper(self, intent: OrderIntent) -> Said:
        """The same on paper, which is asked first: it changes nothing at the exchange."""
        assert self.context.resting is not None
        await self.context.resting.restore([])
        rules = TradingRules(MARKET, (YES, NO), True, 10_000, 5 * MICRO)
        portfolio = await self.context.store.portfolio(self.portfolio_id)
        order = risk.check(intent, rules, await self.holdings())
        assert isinstance(order, ApprovedOrder), order
        answer = await self.context.venue_of(portfolio).submit(order)
        return (answer.code, answer.reason) if isinstance(answer, Rejected) else None

    async def rest(self, intent: OrderIntent) -> Order:
        """Let one order rest on both sides; returns it as the exchange has it."""
        assert isinstance(self.engine.place(request_of(intent), self.now_ms), Placed)
        assert self.context.resting is not None
        await self.context.resting.restore([])
        time = self.context.clock.now()
        signal = Signal(
            intent.signal_id, "parity", intent.portfolio_id, "parity", "1", MARKET, intent.token_id, "?", "", intent.side,
            MICRO, None, intent.limit_price_micro, 0, "", "", time,
        )  # fmt: skip
        await self.context.store.save_signals([signal])
        rules = (await self.data.rules([MARKET]))[MARKET]
        order = await approve_intent(self.context, intent, rules)
        assert isinstance(order, ApprovedOrder), order
        placed = await send(self.context, order, signal)
        assert isinstance(placed, PlacedOrder) and placed.resting is not None
        await self.hear(*self.stream.told())
        found = self.engine.order(intent.order_id)
        assert found is not None
        return found

    async def hear(self, *events: StreamEvent) -> list[OrderUpdate]:
        """Let paper hear what the venue tells; returns what it did to our orders."""
        return [update for event in events for update in await hear(self.context, event)]
