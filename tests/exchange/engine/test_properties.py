"""Random flows: money and shares are conserved, nothing goes below zero, priority holds, a restart changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polymarket_kit.model import NO_FEES, FeeSchedule, OrderType, Payout, Side
from polymarket_kit.values import MICRO
from practice_exchange.engine.events import LevelChanged, TradeEvent
from practice_exchange.engine.matching import Exchange
from practice_exchange.engine.orders import OrderRequest, Placed
from practice_exchange.engine.settlement import SettlementPlan, Trade
from practice_exchange.engine.snapshot import SnapshotUnusable, load, save
from tests.exchange.engine.harness import (
    MARKET,
    NO,
    NOW_MS,
    SPORTS,
    YES,
    EngineHarness,
    check_books,
    outstanding,
    wealth,
)

PEOPLE = ("ann", "bob", "cat", "dan")
TICKS = (100_000, 10_000, 5_000, 2_500, 1_000, 100)


def settlement_policy(trade: Trade) -> SettlementPlan:
    """A mixture of everything, decided by the trade's number."""
    number = trade.trade_id
    return SettlementPlan(mined_after_ms=number * 37 % 4_000, retries=number % 4 // 2, fails=number % 3 == 0)


@dataclass(frozen=True)
class Step:
    """One thing that somebody does; all numbers are drawn, most of it makes sense."""

    who: str
    what: str
    token: str
    side: Side
    order_type: OrderType
    price: int
    size: int
    wait_ms: int


steps = st.lists(
    st.builds(
        Step,
        who=st.sampled_from(PEOPLE),
        what=st.sampled_from(
            ["place"] * 12 + ["cancel", "cancel all", "withdraw", "split", "merge", "tick", "transfer"]
        ),
        token=st.sampled_from([YES, NO]),
        side=st.sampled_from(list(Side)),
        order_type=st.sampled_from([OrderType.GTC] * 4 + [OrderType.GTD, OrderType.FOK, OrderType.FAK]),
        price=st.integers(1, 99),
        size=st.integers(1, 4_000),
        wait_ms=st.sampled_from([0, 0, 0, 10, 700, 200_000]),
    ),
    min_size=1,
    max_size=60,
)


def new_exchange(fees: FeeSchedule, **terms: Any) -> Exchange:
    harness = EngineHarness(fees, settlement_policy=settlement_policy, **terms)
    harness.fund(*PEOPLE, dollars=60, sets=40)
    return harness.exchange


def request_of(step: Step, number: int, now_ms: int) -> OrderRequest:
    """Prices crowd around the middle, sizes have two decimals; market orders have odd amounts."""
    price_micro = (40 + step.price % 20) * 10_000
    shares = step.size * 10_000
    dollars = shares * price_micro // MICRO
    made, taken = (dollars, shares) if step.side is Side.BUY else (shares, dollars)
    if step.order_type in (OrderType.FOK, OrderType.FAK):
        made = made // 10_000 * 10_000
        taken = (made * MICRO // price_micro if step.side is Side.BUY else made * price_micro // MICRO) // 100 * 100
    expiration_s = now_ms // 1000 + 200 if step.order_type is OrderType.GTD else 0
    return OrderRequest(
        f"o{number}", step.who, "k", step.token, step.side, step.order_type, made, taken, expiration_s, step.price > 95
    )


def do(exchange: Exchange, step: Step, number: int, now_ms: int) -> object:
    """Carry out a step; return the answer."""
    amount = step.size * 7_919
    if step.what == "place":
        return exchange.place(request_of(step, number, now_ms), now_ms)
    if step.what == "cancel":
        return exchange.cancel(step.who, f"o{step.size % max(number, 1)}", now_ms)
    if step.what == "cancel all":
        return exchange.cancel_all(step.who, now_ms)
    if step.what == "withdraw":
        return exchange.withdraw(step.who, amount, now_ms)
    if step.what == "split":
        return exchange.split(step.who, MARKET, amount, now_ms)
    if step.what == "merge":
        return exchange.merge(step.who, MARKET, amount, now_ms)
    if step.what == "transfer":
        return exchange.transfer(step.who, PEOPLE[step.price % 4], step.token, amount, now_ms)
    exchange.change_tick(MARKET, TICKS[step.size % 6], now_ms)
    return None


TERMS = st.sampled_from([{}, {"taker_delay": True}, {"seconds_delay": 2}])


@settings(max_examples=250, deadline=None)
@given(steps, st.sampled_from([NO_FEES, SPORTS, FeeSchedule(rate_micro=70_000)]), TERMS)
def test_whatever_people_do_the_books_are_right(flow: list[Step], fees: FeeSchedule, terms: dict[str, int]) -> None:
    exchange = new_exchange(fees, **terms)
    rich, now_ms, gone = wealth(exchange), NOW_MS, 0
    for number, step in enumerate(flow):
        now_ms += step.wait_ms
        answer = do(exchange, step, number, now_ms)
        gone += step.size * 7_919 if step.what == "withdraw" and answer is None else 0
        check_books(exchange)
        assert wealth(exchange) == rich - gone
        locked = exchange.market(MARKET).state.locked_micro
        assert outstanding(exchange, YES) == outstanding(exchange, NO) == locked
        # Each fill may leave a micro-dollar of rounding with the venue, or lack one.
        assert abs(exchange.core.rounding_micro) <= 2 * sum(1 + len(t.makers) for t in exchange.core.trades.values())
    exchange.advance(now_ms + 10**6)
    check_books(exchange)
    for name in PEOPLE:
        exchange.cancel_all(name, now_ms + 10**6)
    for account in exchange.core.accounts.values():
        for holding in (account.collateral, *account.shares.values()):
            assert holding.active_micro == holding.matched_micro == 0
    exchange.resolve_market(Payout(MARKET, (YES, NO), (MICRO, 0)), now_ms + 10**6)
    for name in PEOPLE:
        exchange.redeem(name, MARKET, now_ms + 10**6)
    assert wealth(exchange) == rich - gone
    assert exchange.market(MARKET).state.locked_micro == 0


@settings(max_examples=120, deadline=None)
@given(steps, st.integers(0, 59), TERMS)
def test_a_restart_in_the_middle_changes_nothing(flow: list[Step], cut: int, terms: dict[str, int]) -> None:
    """The same steps on an exchange that is saved and loaded at some point: same answers, events and final bytes."""
    straight, broken = new_exchange(SPORTS, **terms), new_exchange(SPORTS, **terms)
    now_ms = NOW_MS
    for number, step in enumerate(flow):
        now_ms += step.wait_ms
        if number == cut:
            broken = load(save(broken), settlement_policy)
            straight.drain_events()
            assert save(broken) == save(straight)
        assert do(straight, step, number, now_ms) == do(broken, step, number, now_ms)
        assert msgspec.json.encode(straight.drain_events()) == msgspec.json.encode(broken.drain_events())
    for exchange in (straight, broken):
        exchange.advance(now_ms + 10**6)
    assert save(straight) == save(broken)


class Naive:
    """A matcher that anybody can check: a plain list, searched from end to end for the best and oldest each time."""

    def __init__(self) -> None:
        self.resting: list[list[object]] = []

    def place(self, order_id: str, who: str, buys_yes: bool, price: int, size: int) -> list[tuple[str, int, int]]:
        """``price`` is of YES, in cents; a BUY of NO at q is a sale of YES at 1-q here. Returns (maker, price, size)."""
        fills: list[tuple[str, int, int]] = []
        while size:
            facing = [
                order
                for order in self.resting
                if order[2] is not buys_yes and (order[3] <= price if buys_yes else order[3] >= price)  # type: ignore[operator]  # integers
            ]
            if not facing:
                break
            best = min(facing, key=lambda order: order[3] if buys_yes else -order[3])  # type: ignore[operator, arg-type, return-value]  # integers
            if best[1] == who:
                self.resting.remove(best)
                continue
            taken = min(size, int(str(best[4])))
            fills.append((str(best[0]), int(str(best[3])), taken))
            size -= taken
            best[4] = int(str(best[4])) - taken
            if best[4] == 0:
                self.resting.remove(best)
        if size:
            self.resting.append([order_id, who, buys_yes, price, size])
        return fills


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(PEOPLE),
            st.sampled_from([YES, NO]),
            st.sampled_from(list(Side)),
            st.integers(45, 55),
            st.integers(5, 50),
        ),
        max_size=80,
    )
)
def test_price_then_time_as_a_plain_list_would_have_it(flow: list[tuple[str, str, Side, int, int]]) -> None:
    harness, naive = EngineHarness(), Naive()
    harness.fund(*PEOPLE, dollars=100_000, sets=100_000)
    for who, token, side, cents, size in flow:
        request = harness.request(who, side, f"0.{cents}", size, token)
        expected = naive.place(
            request.order_id, who, (side is Side.BUY) == (token == YES), cents if token == YES else 100 - cents, size
        )
        placed = harness.taken(request)
        trades = [harness.exchange.trade(number) for number in placed.trade_ids]
        fills = []
        for trade in trades:
            assert trade is not None
            cents_yes = trade.price_micro // 10_000 if token == YES else 100 - trade.price_micro // 10_000
            fills += [(maker.order_id, cents_yes, maker.size_micro // MICRO) for maker in trade.makers]
        assert fills == expected
    resting = sorted(str(order[0]) for order in naive.resting)
    live = sorted(order.order_id for name in PEOPLE for order in harness.exchange.open_orders(name))
    assert live == resting


@settings(max_examples=60, deadline=None)
@given(steps)
def test_the_level_events_alone_rebuild_both_books(flow: list[Step]) -> None:
    exchange = new_exchange(SPORTS, taker_delay=True)
    books: dict[int, dict[tuple[Side, int], int]] = {0: {}, 1: {}}
    now_ms = NOW_MS
    for number, step in enumerate(flow):
        now_ms += step.wait_ms
        do(exchange, step, number, now_ms)
        for event in exchange.drain_events():
            for level in event.sides() if isinstance(event, LevelChanged) else ():
                books[level.token_index][level.side, level.price_micro] = level.size_micro
        for token_index, token_id in enumerate((YES, NO)):
            bids, asks = exchange.levels(token_id)
            shown = {(Side.BUY, level.price_micro): level.size_micro for level in bids}
            shown |= {(Side.SELL, level.price_micro): level.size_micro for level in asks}
            assert {key: size for key, size in books[token_index].items() if size} == shown


def test_the_same_flow_gives_the_same_bytes() -> None:
    runs = []
    for _ in range(2):
        random, exchange, now_ms, told = Random(5), new_exchange(SPORTS), NOW_MS, b""
        for number in range(400):
            step = Step(
                random.choice(PEOPLE),
                random.choice(["place", "place", "cancel", "split"]),
                random.choice([YES, NO]),
                random.choice(list(Side)),
                random.choice([OrderType.GTC, OrderType.FAK]),
                random.randrange(1, 99),
                random.randrange(500, 3_000),
                random.randrange(300),
            )
            now_ms += step.wait_ms
            do(exchange, step, number, now_ms)
            told += msgspec.json.encode(exchange.drain_events())
        assert b"MATCHED" in told and b"FAILED" in told
        runs.append((told, save(exchange)))
    assert runs[0] == runs[1]


def test_a_restored_book_keeps_the_order_of_time() -> None:
    harness = EngineHarness()
    harness.fund("ann", "bob")
    first = [harness.sell("ann", "0.50", 5).order_id for _ in range(12)]
    harness.exchange = load(save(harness.exchange))
    placed = harness.buy("bob", "0.50", 60)
    trade = harness.exchange.trade(placed.trade_ids[0])
    assert trade is not None and [maker.order_id for maker in trade.makers] == first


def test_bytes_that_are_no_snapshot_are_refused() -> None:
    exchange = Exchange()
    with pytest.raises(SnapshotUnusable, match="start without it"):
        load(b"nonsense")
    state = msgspec.msgpack.decode(save(exchange))
    state["version"] = 0
    with pytest.raises(SnapshotUnusable, match="version 0"):
        load(msgspec.msgpack.encode(state))


def test_events_are_plain_and_readable_from_outside() -> None:
    harness = EngineHarness(SPORTS)
    harness.fund("ann", "bob")
    harness.sell("ann", "0.50", 10)
    placed = harness.buy("bob", "0.50", 10)
    assert isinstance(placed, Placed)
    [told] = [
        msgspec.json.decode(msgspec.json.encode(event)) for event in harness.events() if isinstance(event, TradeEvent)
    ]
    assert told["trade"]["makers"][0]["account_id"] == "ann" and told["status"] == "MATCHED"
