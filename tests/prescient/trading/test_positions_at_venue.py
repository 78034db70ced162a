"""Merge, redeem and convert go through the portfolio's venue: only what it says was done is booked, and once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from polymarket_kit.model import NO_FEES
from polymarket_kit.values import MICRO
from prescient.domain.market import Market
from prescient.ports.context import TradingContext
from prescient.trading.execute import execute_signals
from prescient.trading.mark import mark_positions
from prescient.trading.positions.merge import NothingToMerge, convert_no_shares, merge_sets
from prescient.trading.positions.requests import RequestRefused, RequestUnanswered
from prescient.trading.positions.settle import settle_resolved
from prescient.trading.positions.settling import settle_fills
from prescient.trading.recover import recover
from tests.fakes import StaticMarketData, advance, binary_market
from tests.prescient.contract.store_examples import pages
from tests.prescient.faults.house import Tripwire, check_books
from tests.prescient.trading.test_cycle import portfolio_of
from tests.prescient.trading.test_lost_answers import held, leg, scripted
from tests.venues import ScriptedVenue

pytestmark = pytest.mark.asyncio

TEN = 10 * MICRO
KINDS = ["merge", "redeem", "convert"]


class House:
    """A portfolio at the scripted venue with ten YES and ten NO of one of two negative-risk markets."""

    def __init__(self) -> None:
        self.data = StaticMarketData()
        self.markets = [self._listed(number) for number in (1, 2)]
        self.context, self.venue = scripted(self.data)
        self.portfolio_id = 0

    def _listed(self, number: int) -> Market:
        market = replace(binary_market(number, fees=NO_FEES), negative_risk=True, event_id="e1")
        self.data.add(market, [("0.54", "500")], [("0.55", "500")])
        event = self.data.events.pop()
        if self.data.events:
            self.data.events[0].markets += event.markets
        else:
            self.data.events.append(event)
        return market

    async def open(self) -> House:
        await self.context.store.save_events(pages(self.data.events), "cycle", self.context.clock.now())
        self.portfolio_id = await portfolio_of(self.context, venue="scripted", strategy_config={"max_slippage_pct": 5})
        yes = replace(leg(1, self.portfolio_id, self.context), group_id="")
        no = replace(yes, signal_id="no", token_id="12", outcome="No", price_micro=460_000)
        await self.context.store.save_signals([yes, no])
        await execute_signals(self.context, "cycle", self.portfolio_id)
        # Only shares that are mined can be merged, redeemed or converted.
        advance(self.context, 10)
        await settle_fills(self.context)
        assert await self.held() == {"11": TEN, "12": TEN}
        return self

    async def held(self) -> dict[str, int]:
        return await held(self.context, self.portfolio_id)

    async def cash(self) -> int:
        return (await self.context.store.portfolio(self.portfolio_id)).cash_micro

    async def change(self, kind: str) -> None:
        if kind == "merge":
            await merge_sets(self.context, self.portfolio_id, "0xc1")
        elif kind == "convert":
            await convert_no_shares(self.context, self.portfolio_id, ["0xc1"])
        else:
            self.data.resolve(self.markets[0], (MICRO, 0))
            positions = await self.context.store.positions(self.portfolio_id)
            await settle_resolved(self.context, self.portfolio_id, positions)

    async def changed(self, kind: str, cash: int) -> bool:
        """Whether the change is booked, whole."""
        now, dollars = await self.held(), await self.cash()
        if kind == "convert":
            return now == {"11": TEN, "21": TEN} and dollars == cash
        return now == {} and dollars == cash + TEN


@pytest.mark.parametrize("kind", KINDS)
async def test_the_venue_is_asked_and_what_it_did_is_booked_once(kind: str) -> None:
    house = await House().open()
    cash = await house.cash()
    await house.change(kind)
    assert await house.changed(kind, cash)
    assert house.venue.calls[kind] == (2 if kind == "redeem" else 1)
    await recover(house.context)
    assert await house.changed(kind, cash)
    await check_books(house.context.store, house.context.clock.now())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mishap", ["lose", "raise", "drop"])
async def test_an_unknown_change_keeps_its_shares_aside_and_is_resolved_by_its_id(kind: str, mishap: str) -> None:
    house = await House().open()
    cash = await house.cash()
    house.venue.always(kind, mishap)
    if kind == "redeem":
        await house.change(kind)
    else:
        with pytest.raises(RequestUnanswered, match="set aside"):
            await house.change(kind)
    assert (await house.held(), await house.cash()) == ({"11": TEN, "12": TEN}, cash)
    asked = len(house.venue.world.arrived)
    with pytest.raises(NothingToMerge):
        await merge_sets(house.context, house.portfolio_id, "0xc1")
    assert len(house.venue.world.arrived) == asked
    house.venue.well()
    await recover(house.context)
    assert len(house.venue.world.arrived) == asked
    assert await house.context.store.open_requests(None) == []
    if mishap == "drop":
        assert (await house.held(), await house.cash()) == ({"11": TEN, "12": TEN}, cash)
        await house.change(kind)
    assert await house.changed(kind, cash)
    await check_books(house.context.store, house.context.clock.now())


@pytest.mark.parametrize("kind", KINDS)
async def test_a_refused_change_books_nothing_and_frees_the_shares(kind: str) -> None:
    house = await House().open()
    cash = await house.cash()
    house.venue.always(kind, "refuse")
    if kind == "redeem":
        await house.change(kind)
    else:
        with pytest.raises(RequestRefused, match="reverted"):
            await house.change(kind)
    assert (await house.held(), await house.cash()) == ({"11": TEN, "12": TEN}, cash)
    assert await house.context.store.open_requests(None) == []
    house.venue.well()
    await house.change(kind)
    assert await house.changed(kind, cash)


async def test_a_change_of_a_process_that_died_before_booking_is_booked_by_the_next() -> None:
    house = await House().open()
    cash = await house.cash()

    def die() -> None:
        raise KeyboardInterrupt

    dying: Any = Tripwire(house.context.store, "swap", die, after=False)
    with pytest.raises(KeyboardInterrupt):
        await merge_sets(replace(house.context, store=dying), house.portfolio_id, "0xc1")
    next_one: TradingContext = replace(house.context, venues={"scripted": house.venue.restarted()})
    await recover(next_one)
    assert await house.changed("merge", cash)
    assert isinstance(next_one.venues["scripted"], ScriptedVenue)
    assert house.venue.calls["merge"] == 1


async def test_a_portfolio_whose_venue_is_held_elsewhere_is_marked_and_left_alone() -> None:
    house = await House().open()
    elsewhere = replace(house.context, venues={}, venues_elsewhere=frozenset({"scripted"}))
    report = await mark_positions(elsewhere, house.portfolio_id)
    assert report.count_out == 2
    assert await house.held() == {"11": TEN, "12": TEN}
