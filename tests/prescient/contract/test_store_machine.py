"""Random portfolios trade on the memory store beside plain arithmetic: the books must agree after every step."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Coroutine
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, precondition, rule

from polymarket_kit.model import Side
from prescient.adapters.memory import MemoryStore
from prescient.domain.booking import Booking
from prescient.domain.errors import InvariantBroken
from prescient.domain.ledger import balances, release
from prescient.domain.order import ApprovedOrder, Rejected
from prescient.domain.order_state import answered
from prescient.domain.portfolio import Mark
from prescient.domain.risk import ALREADY_ORDERED
from prescient.domain.signal import Signal
from tests.prescient.contract.store_examples import USD, fill, filled, funded, intent_of, judged, later, settled, signal

TOKENS = st.sampled_from(["yes", "no", "other"])
MONEY = st.integers(1, 60 * USD)
SIZES = st.integers(1, 80 * USD)
PRICES = st.integers(1, 1_000_000)
FEES = st.integers(0, USD // 10)
Order = tuple[ApprovedOrder, Signal]


@dataclass
class Purse:
    """What one portfolio must have, kept by plain adding and subtracting."""

    initial: int
    cash: int
    held: int = 0
    shares: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    marks: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    # What open SELL orders may still take.
    aside: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    trades: int = 0


def answer(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine of the memory store, which never waits."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("the memory store waited for something")


class Trading(RuleBasedStateMachine):
    orders = Bundle("orders")
    done = Bundle("done")

    def __init__(self) -> None:
        super().__init__()
        self.store = MemoryStore()
        self.purses: dict[int, Purse] = {}
        self.count = 0
        self.settled: set[tuple[int, str]] = set()

    @initialize(capitals=st.lists(st.integers(1, 100 * USD), min_size=1, max_size=3))
    def create(self, capitals: list[int]) -> None:
        for number, capital in enumerate(capitals):
            made = answer(funded(self.store, f"P{number}", capital))
            self.purses[made.portfolio_id] = Purse(capital, capital)

    def _portfolio(self, number: int) -> int:
        return 1 + number % len(self.purses)

    @rule(target=orders, number=st.integers(0, 2), token=TOKENS, side=st.sampled_from(Side), money=MONEY)
    def reserve(self, number: int, token: str, side: Side, money: int) -> Order | None:
        portfolio_id = self._portfolio(number)
        purse = self.purses[portfolio_id]
        self.count += 1
        made = signal(self.count, portfolio_id, token_id=token, side=side)
        answer(self.store.save_signals([made]))
        held = money if side is Side.BUY else 0
        order = ApprovedOrder(intent_of(made), held, money - held)
        free = max(purse.shares[token] - purse.aside[token], 0)
        if held > purse.cash - purse.held or money - held > free:
            with pytest.raises(InvariantBroken):
                answer(judged(self.store, order, later(seconds=self.count)))
            return None
        assert answer(judged(self.store, order, later(seconds=self.count))) == order
        assert answer(judged(self.store, order, later(seconds=self.count))) == ALREADY_ORDERED
        purse.held += held
        purse.aside[token] += money - held
        return order, made

    @rule(target=done, given=consumes(orders), sizes=st.lists(SIZES, max_size=3), price=PRICES, fee=FEES)
    def book(self, given: Order | None, sizes: list[int], price: int, fee: int) -> Booking | None:
        if given is None:
            return None
        order, made = given
        purse = self.purses[made.portfolio_id]
        before = answer(self.store.position(made.portfolio_id, made.token_id))
        matched = [fill(price, size, fee) for size in sizes]
        size = sum(sizes)
        cost, fees = sum(one.cost_micro for one in matched), fee * len(sizes)
        buys = made.side is Side.BUY
        # A position that claims more than is held lets the sale reach the store, which must refuse it.
        claimed = before if buys or before is None else replace(before, size_micro=max(before.size_micro, size))
        impossible = not buys and (before is None or cost < fees)
        if not sizes or impossible:
            moves = release(made.portfolio_id, order.intent.order_id, order.reserved_cash_micro, later())
            closed = answered(order.intent.order_id, Rejected("market_closed", "closed"), later())
            booking = Booking(order.intent.order_id, closed, tuple(moves), None, None, made.signal_id)
            answer(self.store.book(booking, later()))
            purse.held -= order.reserved_cash_micro
            purse.aside[made.token_id] -= order.reserved_shares_micro
            return booking
        booking = filled(order, made, matched, claimed)
        free = purse.cash - purse.held + order.reserved_cash_micro
        overdrawn = free + (-cost if buys else cost) - fees < 0
        oversold = not buys and size > purse.shares[made.token_id]
        if overdrawn or oversold:
            with pytest.raises(InvariantBroken):
                answer(self.store.book(booking, later()))
            return None
        answer(self.store.book(booking, later()))
        purse.held -= order.reserved_cash_micro
        purse.aside[made.token_id] -= order.reserved_shares_micro
        purse.cash += (-cost if buys else cost) - fees
        mark, held = purse.marks[made.token_id], purse.shares[made.token_id]
        purse.marks[made.token_id] = mark + cost + fees if buys else mark * (held - size) // held
        purse.shares[made.token_id] += size if buys else -size
        purse.trades += 1
        return booking

    @rule(booking=done)
    def book_again(self, booking: Booking | None) -> None:
        if booking is not None:
            with pytest.raises(InvariantBroken):
                answer(self.store.book(booking, later()))

    @rule(number=st.integers(0, 2), token=TOKENS, price=PRICES)
    def mark(self, number: int, token: str, price: int) -> None:
        portfolio_id = self._portfolio(number)
        purse = self.purses[portfolio_id]
        value = purse.shares[token] * price // USD
        answer(self.store.save_marks(portfolio_id, [Mark(token, price, value, "bids")], later()))
        purse.marks[token] = value

    @rule(number=st.integers(0, 2), token=TOKENS, payout=st.sampled_from([0, 500_000, 1_000_000]))
    def settle(self, number: int, token: str, payout: int) -> None:
        portfolio_id = self._portfolio(number)
        purse = self.purses[portfolio_id]
        position = answer(self.store.position(portfolio_id, token))
        if position is None or not position.size_micro:
            return
        money = position.size_micro * payout // USD
        first = (portfolio_id, token) not in self.settled
        assert answer(settled(self.store, position, money)) is first
        assert not answer(settled(self.store, position, money))
        if first:
            self.settled.add((portfolio_id, token))
            purse.cash += money
            purse.shares[token] = purse.marks[token] = 0

    @precondition(lambda self: self.purses)
    @rule(number=st.integers(0, 2), hours=st.integers(0, 100))
    def snapshot(self, number: int, hours: int) -> None:
        portfolio_id = self._portfolio(number)
        purse = self.purses[portfolio_id]
        taken = answer(self.store.snapshot(portfolio_id, "c", later(hours=hours)))
        assert (taken.cash_micro, taken.trades) == (purse.cash, purse.trades)
        assert taken.value_micro == purse.cash + sum(purse.marks.values())
        assert taken.value_micro == purse.initial + taken.realized_pnl_micro + taken.unrealized_pnl_micro
        assert answer(self.store.history(portfolio_id, 1000))[0].snapshot_date >= taken.snapshot_date

    @invariant()
    def the_books_agree(self) -> None:
        summed = balances(self.store.transfers())
        by_asset: dict[str, int] = defaultdict(int)
        for (_, account, asset), amount in summed.items():
            by_asset[asset] += amount
            assert amount >= 0 or account not in ("cash", "reserved", "shares")
        assert not any(by_asset.values())
        for portfolio_id, purse in self.purses.items():
            portfolio = answer(self.store.portfolio(portfolio_id))
            assert (portfolio.cash_micro, portfolio.reserved_micro) == (purse.cash, purse.held)
            assert portfolio.value_micro == purse.cash + sum(purse.marks.values())
            assert portfolio.value_micro == purse.initial + portfolio.profit_micro
            positions = answer(self.store.positions(portfolio_id))
            held = {token: size for token, size in purse.shares.items() if size}
            assert {position.token_id: position.size_micro for position in positions} == held
            own = {key[1:]: amount for key, amount in summed.items() if key[0] == portfolio_id}
            assert answer(self.store.ledger_balances(portfolio_id)) == own


Trading.TestCase.settings = settings(
    max_examples=120, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestTrading = Trading.TestCase


def test_the_memory_store_never_waits_for_anything() -> None:
    # The machine above relies on it, and so does every simulation that a seed must reproduce.
    assert asyncio.run(MemoryStore().portfolios()) == answer(MemoryStore().portfolios()) == []
