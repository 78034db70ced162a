"""Several at once: cycles, keys, the price updater and settlements meet on the same portfolio, and the books stay right."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest

from polymarket_kit.model import Side
from polymarket_kit.values import MICRO
from prescient.administration.portfolios import PortfolioForm, create_portfolio
from prescient.domain.cycle import CycleReport, CycleRequest, CycleStatus
from prescient.domain.errors import CycleAlreadyRunning, ExecutionRunning, IdempotencyKeyReused
from prescient.domain.market import Market, MarketState, OrderBook, Resolution
from prescient.domain.portfolio import Mark, Position
from prescient.domain.settlement import SettlementModel
from prescient.domain.signal import MarketView, Pass, Proposal, Step
from prescient.ports.context import TradingContext
from prescient.ports.store import Store
from prescient.ports.strategy import Parameter
from prescient.steps.local import LocalCycleSteps
from prescient.trading.cycle import start_cycle
from prescient.trading.execute import execute_signals
from prescient.trading.mark import mark_positions, update_prices
from prescient.trading.orders.portfolio_lock import executing
from prescient.trading.recover import recover
from tests.fakes import StaticMarketData, binary_market, context_over
from tests.prescient.faults.house import House, Tripwire, check_books


async def founded(store: Store) -> House:
    house = House(store, seed=2)
    await house.found()
    return house


async def test_a_second_cycle_on_one_portfolio_is_refused_with_the_first_ones_id(store: Store) -> None:
    house = await founded(store)
    first, second = await asyncio.gather(
        house.cycle(1, cycle_id="one"), house.cycle(1, 2, cycle_id="two"), return_exceptions=True
    )
    refused, done = (first, second) if isinstance(first, BaseException) else (second, first)
    assert isinstance(refused, CycleAlreadyRunning)
    assert isinstance(done, CycleReport) and done.status is CycleStatus.COMPLETED
    assert refused.cycle_id == done.cycle_id and done.cycle_id in str(refused)
    # The refused one held nothing: its other portfolio is free.
    assert (await house.cycle(2)).status is CycleStatus.COMPLETED
    await check_books(store, house.clock.now())


async def test_two_portfolios_in_two_cycles_at_once(store: Store) -> None:
    house = await founded(store)
    reports = await asyncio.gather(house.cycle(1), house.cycle(2))
    assert [report.status for report in reports] == [CycleStatus.COMPLETED] * 2
    assert all(report.total(Step.EXECUTE).count_out > 0 for report in reports)
    await check_books(store, house.clock.now())


async def test_one_key_from_ten_tasks_runs_once(store: Store) -> None:
    house = await founded(store)
    reports = await asyncio.gather(*(house.cycle(key="morning") for _ in range(10)))
    assert len({report.cycle_id for report in reports}) == 1
    assert len(await store.cycles(20)) == 1
    trades = await store.trades(None, 1000)
    assert trades and {trade.cycle_id for trade in trades} == {reports[0].cycle_id}
    replay = await house.cycle(key="morning")
    assert (replay.cycle_id, replay.status) == (reports[0].cycle_id, CycleStatus.COMPLETED)
    await check_books(store, house.clock.now())


async def test_a_key_means_the_same_request_though_portfolios_came_and_went(store: Store) -> None:
    """ "All active portfolios" is one request, whoever they are by the time it is asked again."""
    house = await founded(store)
    first = await house.cycle(key="morning")
    await create_portfolio(house.context, PortfolioForm("Third", 100 * MICRO))
    await store.change_portfolio(2, {"status": "paused"}, house.clock.now())
    again = await house.cycle(key="morning")
    assert (again.cycle_id, again.request.portfolio_ids) == (first.cycle_id, (1, 2))
    with pytest.raises(IdempotencyKeyReused):
        await house.cycle(1, key="morning")


async def test_the_price_updater_beside_cycles_keeps_the_books_right(store: Store) -> None:
    house = await founded(store)
    settled = 0
    for _ in range(6):
        rounds = await asyncio.gather(
            house.cycle(1), update_prices(house.context), house.cycle(2), update_prices(house.context)
        )
        for updated in (rounds[1], rounds[3]):
            settled += sum(report.amounts["settled"] for report in updated)
        await check_books(store, house.clock.now())
        house.pass_hours(12)
    assert settled > 0


async def test_one_execution_of_a_portfolio_at_a_time(store: Store) -> None:
    house = await founded(store)
    async with executing(store, 1):
        with pytest.raises(ExecutionRunning, match="portfolio 1 are being executed"):
            async with executing(store, 1, wait_s=0.1):
                raise AssertionError("two at once")
        await execute_signals(house.context, "cycle", 2)
    await execute_signals(house.context, "cycle", 1)


async def test_an_execution_waits_for_a_recovery_to_end(store: Store) -> None:
    house = await founded(store)
    began = asyncio.Event()

    async def recovery() -> None:
        async with executing(store, 1):
            began.set()
            for _ in range(3):
                await asyncio.sleep(0)

    recovering = asyncio.create_task(recovery())
    await began.wait()
    await execute_signals(house.context, "cycle", 1)
    await recovering


async def test_recovery_leaves_the_orders_of_a_running_execution_alone(store: Store) -> None:
    house = await founded(store)
    found: list[tuple[list[str], list[str]]] = []

    async def recover_now() -> None:
        assert await store.open_orders()
        found.append(await recover(house.context))

    wired = Tripwire(house.context.venues["paper"], "submit", recover_now, number=2, after=False)
    house.live_in(house.world, store)
    object.__setattr__(house.context, "venues", {"paper": wired})
    report = await house.cycle(1)
    assert found == [([], [])]
    assert report.total(Step.EXECUTE).count_out == 4
    await check_books(store, house.clock.now())


# --- one position, two hands


@dataclass
class Bidder:
    """Buys for ten dollars in its first cycles, then sells what it was told to."""

    name: str = "bidder"
    description: str = "Does what the test says"
    parameters: tuple[Parameter, ...] = ()
    history_hours: int = 0
    sell_micro: int = 0

    def decide(self, view: MarketView, config: dict[str, Any]) -> Sequence[Proposal] | Pass:
        token = view.market.outcomes[0].token_id
        if not view.books:
            return Pass("no_book")
        if self.sell_micro:
            return [Proposal(token, Side.SELL, MICRO, 540_000, "told to sell", self.sell_micro)]
        return [Proposal(token, Side.BUY, MICRO, 550_000, "told to buy")]


@dataclass
class Bench:
    """One portfolio in one market, and two contexts on the same rows: one trades, the other gets between."""

    data: StaticMarketData
    market: Market
    bidder: Bidder
    trading: TradingContext
    other: TradingContext
    book: OrderBook

    @property
    def token(self) -> str:
        return self.market.outcomes[0].token_id

    async def cycle(self, context: TradingContext | None = None) -> CycleReport:
        """A whole cycle of the other context, or of the one that is given."""
        used = context or self.other
        request = CycleRequest(used.ids.new("cycle"), ())
        return await start_cycle(used.store, LocalCycleSteps(used), used.clock, request)

    def resolve(self) -> None:
        self.data.resolve(self.market, (MICRO, 0))

    @contextmanager
    def reopened(self) -> Iterator[None]:
        """The market as it was while orders still matched that are booked only now."""
        was = self.data.states[self.market.condition_id]
        self.data.states[self.market.condition_id] = MarketState(
            self.market.condition_id, Resolution.OPEN, closed=False
        )
        self.data.set_book(self.book, self.market.outcomes[1].token_id)
        yield
        if was.closed:
            self.resolve()

    async def held(self) -> Position:
        position = await self.other.store.position(1, self.token)
        assert position is not None
        return position


async def bench(store: Store, method: str, between: Callable[[Bench], Awaitable[Any]], *, after: bool = False) -> Bench:
    """A bench whose trading context is interrupted once, at its next call of a method of the store."""
    data, market, bidder = StaticMarketData(), binary_market(1), Bidder()
    data.add(market, [("0.54", "3000")], [("0.55", "5000")])
    made: list[Bench] = []
    wired: Any = Tripwire(store, method, lambda: between(made[0]), after=after)
    at_once = SettlementModel(mined_after_s=0)
    trading, other = (replace(context_over(data, each), settlement=at_once) for each in (wired, store))
    for number, context in enumerate((trading, other)):
        context.strategies["bidder"] = bidder
        for _ in range(100 * number):
            context.ids.new("skipped")
    config = {"add_to_positions": True, "trade_size_usd": 11}
    await create_portfolio(other, PortfolioForm("One", 1_000 * MICRO, "bidder", strategy_config=config))
    made.append(Bench(data, market, bidder, trading, other, data.book_by_token[market.outcomes[0].token_id]))
    # 11 / 0.55 = 20 shares.
    await made[0].cycle()
    assert (await made[0].held()).size_micro == 20 * MICRO
    return made[0]


async def buy_more(at: Bench) -> None:
    """A purchase of the other context that was under way already: its answer is booked now."""
    with at.reopened():
        await at.cycle()


async def test_shares_bought_while_a_payout_is_computed_are_paid_too(store: Store) -> None:
    at = await bench(store, "settle", buy_more)
    before = await store.portfolio(1)
    at.resolve()
    report = await mark_positions(at.trading, 1)
    assert report.amounts["settled"] == 1
    after = await store.portfolio(1)
    # 20 more shares cost 11 dollars and their fee; all 40 pay a dollar.
    assert (await at.held()).size_micro == 0
    spent = (await store.trades(1, 1))[0]
    assert after.cash_micro == before.cash_micro - spent.amount_micro - spent.fee_micro + 40 * MICRO
    await check_books(store, at.other.clock.now())


async def test_shares_booked_after_the_payout_are_paid_later_and_once(store: Store) -> None:
    async def settle(at: Bench) -> None:
        at.resolve()
        await mark_positions(at.other, 1)

    at = await bench(store, "book", settle)
    before = await store.portfolio(1)
    report = await at.cycle(at.trading)
    assert report.total(Step.EXECUTE).count_out == 1
    # The cycle's own mark pays what was booked after the first payout: 20 shares each time.
    spent = (await store.trades(1, 1))[0]
    after = await store.portfolio(1)
    assert after.cash_micro == before.cash_micro - spent.amount_micro - spent.fee_micro + 40 * MICRO
    for _ in range(3):
        await mark_positions(at.other, 1)
    assert (await store.portfolio(1)).cash_micro == after.cash_micro
    assert await store.positions(1) == []
    await check_books(store, at.other.clock.now())


async def test_shares_of_a_sale_on_its_way_are_not_paid_out_as_well(store: Store) -> None:
    async def settle(at: Bench) -> None:
        at.resolve()
        await mark_positions(at.other, 1)

    at = await bench(store, "book", settle)
    at.bidder.sell_micro = 20 * MICRO
    before = await store.portfolio(1)
    report = await at.cycle(at.trading)
    assert report.total(Step.EXECUTE).count_out == 1
    sale = (await store.trades(1, 1))[0]
    after = await store.portfolio(1)
    assert (sale.side, sale.size_micro) == (Side.SELL, 20 * MICRO)
    assert after.cash_micro == before.cash_micro + sale.amount_micro - sale.fee_micro
    assert await store.positions(1) == []
    await check_books(store, at.other.clock.now())


async def test_a_sale_and_a_purchase_in_between_keep_cost_and_profit(store: Store) -> None:
    """The same number of shares as before, but not at the same cost: the ledger's shares alone would not tell."""

    async def sell_and_buy_back(at: Bench) -> None:
        with at.reopened():
            at.bidder.sell_micro = 20 * MICRO
            await at.cycle()
            at.bidder.sell_micro = 0
            await at.cycle()
        assert (await at.held()).size_micro == 20 * MICRO

    at = await bench(store, "settle", sell_and_buy_back)
    at.resolve()
    await mark_positions(at.trading, 1)
    assert await store.positions(1) == []
    bought, sold, again = reversed(await store.trades(1, 10))
    paid = [trade.amount_micro + trade.fee_micro for trade in (bought, again)]
    expected = sold.amount_micro - sold.fee_micro + 20 * MICRO - sum(paid)
    assert (await store.portfolio(1)).realized_pnl_micro == expected
    await check_books(store, at.other.clock.now())


async def test_marks_of_other_shares_than_are_held_by_now_change_nothing(store: Store) -> None:
    at = await bench(store, "save_marks", buy_more)
    await mark_positions(at.trading, 1)
    held = await at.held()
    assert held.size_micro == 40 * MICRO
    # Valued by the other context's own mark of all 40 shares, not by this one's of 20: 40 x 0.54 less the fee.
    assert held.mark_value_micro > 20 * MICRO
    await check_books(store, at.other.clock.now())


async def test_a_booking_keeps_the_mark_that_was_written_meanwhile(store: Store) -> None:
    async def mark(at: Bench) -> None:
        await store.save_marks(1, [Mark(at.token, 900_000, 18 * MICRO, "bids")], at.other.clock.now())

    at = await bench(store, "book", mark)
    request = CycleRequest("buying", (1,))
    cycle_steps = LocalCycleSteps(at.trading)
    await cycle_steps.collect("buying")
    await cycle_steps.screen("buying", request.event_filter, request.market_filter)
    await cycle_steps.decide("buying", 1, request.market_filter)
    await cycle_steps.execute("buying", 1)
    held = await at.held()
    trade = (await store.trades(1, 1))[0]
    assert held.size_micro == 40 * MICRO
    assert held.mark_value_micro == 18 * MICRO + trade.amount_micro + trade.fee_micro
    await check_books(store, at.other.clock.now())
