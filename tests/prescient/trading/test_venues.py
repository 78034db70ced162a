"""A portfolio trades at its own venue, and only at one that exists."""

from __future__ import annotations

from dataclasses import replace

import pytest

from polymarket_kit.errors import InvalidRequest
from prescient.domain.errors import UnknownVenue, VenueElsewhere
from tests.fakes import StaticMarketData, context_over
from tests.prescient.trading.test_cycle import portfolio_of

pytestmark = pytest.mark.asyncio


async def test_a_portfolio_has_the_venue_that_was_asked_for() -> None:
    context = context_over(StaticMarketData())
    paper = context.venues["paper"]
    context = replace(context, venues={"paper": paper, "second": paper}, venues_elsewhere=frozenset({"live"}))
    first = await context.store.portfolio(await portfolio_of(context))
    second = await context.store.portfolio(await portfolio_of(context, name="Second", venue="second"))
    live = await context.store.portfolio(await portfolio_of(context, name="Live", venue="live"))
    assert (first.venue, second.venue, live.venue) == ("paper", "second", "live")
    assert context.venue_of(second) is paper
    with pytest.raises(VenueElsewhere, match="'live' is held by the worker"):
        context.venue_of(live)


async def test_a_venue_that_is_not_there_is_refused_with_those_that_are() -> None:
    context = context_over(StaticMarketData())
    with pytest.raises(InvalidRequest, match="must be one of paper"):
        await portfolio_of(context, venue="plain")
    portfolio = await context.store.portfolio(await portfolio_of(context))
    with pytest.raises(UnknownVenue, match=r"no venue 'gone' here\. Venues: paper\."):
        context.venue_of(replace(portfolio, venue="gone"))
