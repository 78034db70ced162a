"""Sets on both stores: complete ones pay a dollar at once, NO shares convert as on the venue, disputed markets hold their money."""

from __future__ import annotations

from dataclasses import replace

import pytest

from polymarket_kit.errors import InvalidRequest
from polymarket_kit.model import NO_FEES, Payout, Side
from polymarket_kit.values import MICRO
from prescient.domain.errors import PositionMoved
from prescient.domain.ledger import USD, swapped
from prescient.domain.market import Market, MarketState, Resolution
from prescient.domain.order import OrderStatus
from prescient.domain.portfolio import NewPortfolio, Position
from prescient.ports.context import TradingContext
from prescient.ports.store import Store
from prescient.trading.mark import mark_positions
from prescient.trading.positions.merge import NotConvertible, NothingToMerge, convert_no_shares, merge_all, merge_sets
from prescient.trading.positions.settling import settle_fills
from prescient.trading.resting import LimitForm, PlacedOrder, place_limit, restore
from tests.fakes import START, StaticMarketData, advance, binary_market
from tests.prescient.contract.store_examples import event, pages
from tests.prescient.faults.house import check_books
from tests.streams import streaming_context

SHARE = MICRO
CENT = 10_000


class Hall:
    """An event of three exclusive options, each with a book; a portfolio with a thousand dollars."""

    def __init__(self, store: Store) -> None:
        self.data = StaticMarketData()
        self.markets = [self._market(number) for number in (1, 2, 3)]
        for market in self.markets:
            self.data.add(market, [("0.30", "500")], [("0.32", "500")])
        self.context, self.stream = streaming_context(self.data, store)
        self.store = store

    def _market(self, number: int) -> Market:
        made = binary_market(number, 310_000, NO_FEES)
        return replace(made, event_id="e1", negative_risk=True)

    async def open(self) -> Hall:
        await self.store.save_events(pages([event(1, *self.markets, event_id="e1")]), "cycle-1", START)
        made = await self.store.create_portfolio(NewPortfolio("One", "majority", 1_000 * MICRO), START)
        self.portfolio_id = made.portfolio_id
        await restore(self.context)
        return self

    async def buy(
        self, number: int, outcome: str, size: int = 50, cents: int = 0, side: Side = Side.BUY
    ) -> PlacedOrder:
        price = (cents or (32 if outcome == "Yes" else 70)) * CENT
        form = LimitForm(self.portfolio_id, f"will-it-happen-{number}", outcome, side, price, size * SHARE)
        placed = await place_limit(self.context, form)
        assert isinstance(placed, PlacedOrder), placed
        advance(self.context, 10)
        await settle_fills(self.context)
        return placed

    async def shares(self) -> dict[str, int]:
        return {one.token_id: one.size_micro // SHARE for one in await self.store.positions(self.portfolio_id)}

    async def cash(self) -> int:
        return (await self.store.portfolio(self.portfolio_id)).cash_micro

    def dispute(self, number: int, resolution: Resolution, *, closed: bool = False, payout: bool = False) -> None:
        market = self.markets[number - 1]
        tokens = tuple(one.token_id for one in market.outcomes)
        paid = Payout(market.condition_id, tokens, (MICRO, 0)) if payout else None
        self.data.states[market.condition_id] = MarketState(market.condition_id, resolution, closed, paid)


@pytest.fixture
async def hall(store: Store) -> Hall:
    return await Hall(store).open()


@pytest.mark.fidelity(
    "A YES and a NO of one market merge into a dollar at any time",
    area="Paper",
    evidence="specification",
    source="positions: merge",
    seam="paper merges by itself whenever positions are marked",
)
async def test_complete_sets_pay_a_dollar_at_once(hall: Hall) -> None:
    await hall.buy(1, "Yes", 50)
    await hall.buy(1, "No", 30)
    before = await hall.cash()
    merged = await merge_sets(hall.context, hall.portfolio_id, "0xc1")
    assert (merged.size_micro, merged.paid_micro, merged.given) == (30 * SHARE, 30 * MICRO, ("11", "12"))
    assert await hall.cash() == before + 30 * MICRO
    assert await hall.shares() == {"11": 20}
    portfolio = await hall.store.portfolio(hall.portfolio_id)
    # Thirty sets cost 1.02 each.
    assert portfolio.realized_pnl_micro == -600_000
    no = await hall.store.position(hall.portfolio_id, "12")
    assert no is not None and no.status == "closed"
    with pytest.raises(NothingToMerge):
        await merge_sets(hall.context, hall.portfolio_id, "0xc1")
    await check_books(hall.store, START)


async def test_a_part_may_be_merged_and_no_more_than_there_is(hall: Hall) -> None:
    await hall.buy(1, "Yes", 50)
    await hall.buy(1, "No", 30)
    assert (await merge_sets(hall.context, hall.portfolio_id, "0xc1", 10 * SHARE)).paid_micro == 10 * MICRO
    for size in (0, -1, 21 * SHARE):
        with pytest.raises(InvalidRequest):
            await merge_sets(hall.context, hall.portfolio_id, "0xc1", size)
    assert await hall.shares() == {"11": 40, "12": 20}


async def test_shares_set_aside_for_resting_orders_do_not_merge(hall: Hall) -> None:
    await hall.buy(1, "Yes", 50)
    await hall.buy(1, "No", 50)
    rests = await hall.buy(1, "Yes", 45, 40, Side.SELL)
    assert rests.status is OrderStatus.OPEN
    assert (await merge_sets(hall.context, hall.portfolio_id, "0xc1")).size_micro == 5 * SHARE


async def test_the_sets_of_a_portfolio_merge_when_it_is_marked(hall: Hall) -> None:
    await hall.buy(1, "Yes", 50)
    await hall.buy(1, "No", 50)
    await hall.buy(2, "Yes", 10)
    report = await mark_positions(hall.context, hall.portfolio_id)
    assert report.amounts["merged"] == 1 and report.count_out == 1
    assert await hall.shares() == {"21": 10}
    assert await merge_all(hall.context, hall.portfolio_id, await hall.store.positions(hall.portfolio_id)) == []
    await check_books(hall.store, START)


@pytest.mark.fidelity(
    "NO of m markets of a negative-risk event converts into YES of all others and m-1 dollars",
    area="Paper",
    evidence="assumed",
    source="the neg-risk adapter's contract; its fee is taken to be zero",
)
async def test_no_shares_of_two_options_become_the_third_and_a_dollar(hall: Hall) -> None:
    await hall.buy(1, "No", 40)
    await hall.buy(2, "No", 60)
    before = await hall.store.portfolio(hall.portfolio_id)
    made = await convert_no_shares(hall.context, hall.portfolio_id, ["0xc1", "0xc2"])
    assert (made.size_micro, made.paid_micro, made.gained) == (40 * SHARE, 40 * MICRO, ("31",))
    assert await hall.shares() == {"22": 20, "31": 40}
    yes = await hall.store.position(hall.portfolio_id, "31")
    # Two NO cost 1.40: a dollar came back, the rest is what the third option's shares cost.
    assert yes is not None and yes.cost_micro == 40 * 400_000
    after = await hall.store.portfolio(hall.portfolio_id)
    assert after.cash_micro == before.cash_micro + 40 * MICRO
    assert after.realized_pnl_micro == before.realized_pnl_micro
    await check_books(hall.store, START)


async def test_one_no_becomes_all_other_options_without_a_dollar(hall: Hall) -> None:
    await hall.buy(1, "No", 40)
    made = await convert_no_shares(hall.context, hall.portfolio_id, ["0xc1"], 15 * SHARE)
    assert (made.paid_micro, made.gained) == (0, ("21", "31"))
    assert await hall.shares() == {"12": 25, "21": 15, "31": 15}
    await check_books(hall.store, START)


async def test_the_no_of_every_option_is_all_dollars_but_one(hall: Hall) -> None:
    for number in (1, 2, 3):
        await hall.buy(number, "No", 40)
    before = await hall.cash()
    made = await convert_no_shares(hall.context, hall.portfolio_id, ["0xc1", "0xc2", "0xc3"])
    assert made.paid_micro == 80 * MICRO and made.gained == ()
    assert await hall.cash() == before + 80 * MICRO
    portfolio = await hall.store.portfolio(hall.portfolio_id)
    assert portfolio.realized_pnl_micro == 80 * MICRO - 84 * MICRO
    assert await hall.shares() == {}
    await check_books(hall.store, START)


async def test_what_does_not_convert_says_why(hall: Hall) -> None:
    await hall.buy(1, "Yes", 40)
    with pytest.raises(NotConvertible, match="no free NO shares"):
        await convert_no_shares(hall.context, hall.portfolio_id, ["0xc1"])
    await hall.buy(1, "No", 40)
    hall.dispute(2, Resolution.RESOLVED, closed=True, payout=True)
    with pytest.raises(NotConvertible, match="resolved already"):
        await convert_no_shares(hall.context, hall.portfolio_id, ["0xc1"])
    alone = replace(binary_market(9), event_id="e9")
    await hall.store.save_events(pages([event(9, alone, event_id="e9")]), "cycle-2", START)
    with pytest.raises(NotConvertible, match="negative-risk"):
        await convert_no_shares(hall.context, hall.portfolio_id, ["0xc9"])
    assert await hall.shares() == {"11": 40, "12": 40}


@pytest.mark.fidelity(
    "Ended, proposed and disputed markets hold their money until the resolution is final",
    area="Paper",
    evidence="specification",
    source="resolution",
)
@pytest.mark.parametrize("resolution", [Resolution.ENDED, Resolution.PROPOSED, Resolution.DISPUTED])
async def test_a_market_without_a_final_resolution_holds_its_money(hall: Hall, resolution: Resolution) -> None:
    await hall.buy(1, "Yes", 40)
    before = await hall.cash()
    # Even with the payout that was proposed, and even closed.
    hall.dispute(1, resolution, closed=True, payout=True)
    report = await mark_positions(hall.context, hall.portfolio_id)
    assert report.amounts["settled"] == 0 and await hall.cash() == before
    assert await hall.shares() == {"11": 40}
    hall.dispute(1, Resolution.RESOLVED, closed=False, payout=True)
    assert (await mark_positions(hall.context, hall.portfolio_id)).amounts["settled"] == 0
    hall.dispute(1, Resolution.RESOLVED, closed=True, payout=True)
    assert (await mark_positions(hall.context, hall.portfolio_id)).amounts["settled"] == 1
    assert await hall.cash() == before + 40 * MICRO


async def test_a_swap_is_whole_or_not_at_all(hall: Hall) -> None:
    await hall.buy(1, "Yes", 50)
    await hall.buy(1, "No", 50)
    context: TradingContext = hall.context
    held = [await hall.store.position(hall.portfolio_id, token_id) for token_id in ("11", "12")]
    assert all(isinstance(one, Position) for one in held)
    await merge_sets(context, hall.portfolio_id, "0xc1", 10 * SHARE)
    moves = swapped(hall.portfolio_id, "merge:again", "merge", [("11", SHARE), ("12", SHARE)], [(USD, MICRO)], START)
    stale = [(one, one.reduced(SHARE, 500_000, START)) for one in held if one is not None]
    with pytest.raises(PositionMoved):
        await hall.store.swap(hall.portfolio_id, moves, stale, START)
    now = [await hall.store.position(hall.portfolio_id, token_id) for token_id in ("11", "12")]
    fresh = [(one, one.reduced(SHARE, 500_000, START)) for one in now if one is not None]
    assert await hall.store.swap(hall.portfolio_id, moves, fresh, START)
    again = [(after, after) for _, after in fresh]
    assert not await hall.store.swap(hall.portfolio_id, moves, again, START)
    assert await hall.shares() == {"11": 39, "12": 39}
