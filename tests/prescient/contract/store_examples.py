"""Small whole examples for the store's tests: markets, signals, orders and the bookings that fill them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from polymarket_kit.model import FeeSchedule, Level, OrderType, Side
from polymarket_kit.values import MICRO, multiply_up
from prescient.domain.booking import Booking
from prescient.domain.cycle import CycleRequest
from prescient.domain.ledger import fills as fill_transfers
from prescient.domain.ledger import release, settlement
from prescient.domain.market import Event, Market, OrderBook, Outcome
from prescient.domain.order import Accepted, ApprovedOrder, Fill, OrderIntent, OrderStatus, Refused, Trade
from prescient.domain.order_state import answered
from prescient.domain.portfolio import NewPortfolio, Portfolio, Position
from prescient.domain.signal import Signal
from prescient.ports.market_data import EventPage
from prescient.ports.store import Store

NOW = datetime(2026, 5, 17, 12, 30, 15, 123456, tzinfo=UTC)
USD = MICRO
# Real token ids are numbers of up to 78 digits.
YES = "71321045679252212594626385532706912750332728571942532289631379312455583992563"
NO = "52114319501245915516055106046884209969926127482827954674443846427813813222426"


@dataclass
class House:
    """One empty database. Each store opened on it stands for one process."""

    open: Callable[[], Awaitable[Store]]


def later(**units: float) -> datetime:
    return NOW + timedelta(**units)


def market(number: int, event_id: str = "100", **changes: Any) -> Market:
    made = Market(
        market_id=str(1000 + number),
        event_id=event_id,
        condition_id=f"0x{number:064x}",
        question=f"Will it happen {number} times? Ünïcode ✓ 'quoted' \\ \t",
        slug=f"will-it-happen-{number}",
        outcomes=(Outcome(f"yes-{number}", "Yes", 550_000), Outcome(f"no-{number}", "No", None)),
        active=True,
        closed=False,
        accepting_orders=True,
        order_book_enabled=True,
        liquidity_micro=12_345_678_901,
        volume_micro=98_765_432_109_876,
        volume_24h_micro=1,
        tick_micro=10_000,
        minimum_size_micro=5 * USD,
        fees=FeeSchedule(50_000, 1, True, 250_000),
        negative_risk=True,
        best_bid_micro=540_000,
        best_ask_micro=None,
        last_trade_micro=545_000,
        end_time=later(days=30),
        game_start_time=None,
        seconds_delay=3,
        category="politics",
        group_title="Group",
        placeholder=False,
    )
    return replace(made, **changes)


def event(number: int, *markets: Market, **changes: Any) -> Event:
    made = Event(
        event_id=str(number),
        title=f"Event {number} ✓",
        slug=f"event-{number}",
        active=True,
        closed=False,
        liquidity_micro=20_000 * USD,
        volume_micro=60_000 * USD + 1,
        volume_24h_micro=7,
        start_time=NOW,
        end_time=None,
        negative_risk=True,
        tags=("politics", "us-election"),
        markets=markets,
    )
    return replace(made, **changes)


async def pages(*batches: Sequence[Event], error: Exception | None = None) -> AsyncIterator[EventPage]:
    """One page a batch, then the error if there is one: a listing that breaks off in the middle."""
    for batch in batches:
        yield EventPage(list(batch), [])
    if error is not None:
        raise error


def book(token_id: str, condition_id: str = "0x1") -> OrderBook:
    return OrderBook(
        token_id,
        condition_id,
        bids=(Level(540_000, 10 * USD), Level(530_000, 20 * USD)),
        asks=(Level(560_000, 7 * USD),),
        time_ms=1_800_000_000_000,
        tick_micro=10_000,
        minimum_size_micro=5 * USD,
    )


def cycle_request(cycle_id: str, *portfolio_ids: int, key: str = "") -> CycleRequest:
    return CycleRequest(cycle_id, portfolio_ids, idempotency_key=key)


async def funded(store: Store, name: str = "One", cash_micro: int = 1_000 * USD) -> Portfolio:
    return await store.create_portfolio(NewPortfolio(name, "majority", cash_micro), NOW)


def signal(
    number: int,
    portfolio_id: int,
    *,
    cycle_id: str = "cycle-1",
    side: Side = Side.BUY,
    token_id: str = YES,
    time: datetime = NOW,
) -> Signal:
    return Signal(
        signal_id=f"{cycle_id}:{portfolio_id}:{number:04d}",
        cycle_id=cycle_id,
        portfolio_id=portfolio_id,
        strategy="majority",
        market_id="1001",
        condition_id="0x1",
        token_id=token_id,
        market_question="Will it happen?",
        outcome="Yes",
        side=side,
        score_micro=612_345,
        catalogue_price_micro=None,
        price_micro=560_000,
        size_micro=0,
        group_id="",
        reason="highest price 0.56",
        time=time,
    )


def intent_of(of: Signal) -> OrderIntent:
    return OrderIntent(
        order_id=f"order:{of.signal_id}",
        portfolio_id=of.portfolio_id,
        signal_id=of.signal_id,
        condition_id=of.condition_id,
        token_id=of.token_id,
        side=of.side,
        order_type=OrderType.FAK,
        limit_price_micro=570_000,
        amount_micro=100 * USD if of.side is Side.BUY else 0,
        size_micro=0 if of.side is Side.BUY else 10 * USD,
    )


async def reserved(
    store: Store, of: Signal, hold_micro: int = 0, shares_micro: int = 0, time: datetime = NOW
) -> ApprovedOrder:
    """Save the signal and reserve its order."""
    await store.save_signals([of])
    order = ApprovedOrder(intent_of(of), hold_micro, shares_micro)
    assert await judged(store, order, time) is order
    return order


async def judged(
    store: Store, verdict: ApprovedOrder | Refused, time: datetime = NOW, intent: OrderIntent | None = None
) -> ApprovedOrder | Refused:
    """Let a gate that has made up its mind answer the store; ``intent`` is what was refused."""
    asked = verdict.intent if isinstance(verdict, ApprovedOrder) else intent
    assert asked is not None
    return await store.approve(asked, lambda _: verdict, time)


def empty_position(of: Signal) -> Position:
    return Position(
        portfolio_id=of.portfolio_id,
        token_id=of.token_id,
        condition_id=of.condition_id,
        market_id=of.market_id,
        market_question=of.market_question,
        outcome=of.outcome,
        size_micro=0,
        cost_micro=0,
        realized_pnl_micro=0,
        mark_price_micro=None,
        mark_value_micro=0,
        mark_source="cost",
        mark_time=None,
        opened_at=of.time,
    )


def fill(price_micro: int, size_micro: int, fee_micro: int = 0) -> Fill:
    return Fill(price_micro, size_micro, multiply_up(size_micro, price_micro), fee_micro)


def filled(
    order: ApprovedOrder, of: Signal, matched: Sequence[Fill], before: Position | None = None, time: datetime = NOW
) -> Booking:
    """What a filled order changes: the reservation back, the fills, the position and the trade."""
    intent = order.intent
    size = sum(one.size_micro for one in matched)
    cost = sum(one.cost_micro for one in matched)
    fee = sum(one.fee_micro for one in matched)
    transfers = release(of.portfolio_id, intent.order_id, order.reserved_cash_micro, time)
    transfers += fill_transfers(of.portfolio_id, intent.order_id, of.token_id, of.side, matched, time)
    position = before or empty_position(of)
    if of.side is Side.BUY:
        after, profit = position.bought(size, cost + fee), 0
    else:
        after = position.reduced(size, cost - fee, time)
        profit = after.realized_pnl_micro - position.realized_pnl_micro
    trade = Trade(
        trade_id=f"trade:{intent.order_id}",
        order_id=intent.order_id,
        portfolio_id=of.portfolio_id,
        signal_id=of.signal_id,
        cycle_id=of.cycle_id,
        condition_id=of.condition_id,
        token_id=of.token_id,
        market_question=of.market_question,
        outcome=of.outcome,
        side=of.side,
        size_micro=size,
        amount_micro=cost,
        fee_micro=fee,
        price_micro=cost * MICRO // size,
        realized_pnl_micro=profit,
        status="filled",
        time=time,
        model=(("latency_ms", "250"), ("book", "0xabc")),
        fills=tuple(matched),
    )
    answer = Accepted(intent.order_id, OrderStatus.FILLED, tuple(matched), time)
    return Booking(
        intent.order_id, answered(intent.order_id, answer, time), tuple(transfers), trade, after, of.signal_id
    )


async def bought(store: Store, of: Signal, *matched: Fill, time: datetime = NOW) -> Position:
    """Reserve and book a purchase; returns the position after it."""
    hold = sum(one.cost_micro + one.fee_micro for one in matched)
    order = await reserved(store, of, hold, time=time)
    before = await store.position(of.portfolio_id, of.token_id)
    booking = filled(order, of, matched, before, time)
    await store.book(booking, time)
    assert booking.position is not None
    return booking.position


async def sold(store: Store, of: Signal, *matched: Fill, time: datetime = NOW) -> Position:
    """Reserve and book a sale; returns the position after it."""
    order = await reserved(store, of, 0, sum(one.size_micro for one in matched), time=time)
    before = await store.position(of.portfolio_id, of.token_id)
    booking = filled(order, of, matched, before, time)
    await store.book(booking, time)
    assert booking.position is not None
    return booking.position


async def settled(store: Store, position: Position, payout_micro: int, time: datetime = NOW) -> bool:
    """Pay a resolved position whole; ``payout_micro`` is the money for all of it."""
    transfers = settlement(
        position.portfolio_id, position.condition_id, position.token_id, position.size_micro, payout_micro, time
    )
    after = position.reduced(position.size_micro, payout_micro, time)
    return await store.settle(position.portfolio_id, transfers, after, time)


async def trace(store: Store, portfolio_id: int) -> object:
    """All that a booking could change: compared before and after one that is refused."""
    return (
        await store.portfolio(portfolio_id),
        await store.ledger_balances(portfolio_id),
        await store.positions(portfolio_id, open_only=False),
        await store.trades(portfolio_id, 1000),
        await store.open_orders(),
        await store.signals(pending_only=True),
    )
