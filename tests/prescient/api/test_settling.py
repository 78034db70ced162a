"""Settlement over HTTP: what is not mined is shown apart, what is owed is listed, and a failed trade shows what came back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from prescient.domain.settlement import SettlementModel
from prescient.ports.context import TradingContext
from prescient.trading.mark import mark_positions
from prescient.trading.obligations import settling_round
from tests.fakes import advance
from tests.prescient.api.conftest import Clients
from tests.prescient.api.test_orders import place
from tests.prescient.api.world import SmallMarketData, small_context


@pytest.fixture
def context(request: pytest.FixtureRequest, market_data: SmallMarketData) -> TradingContext:
    share = getattr(request, "param", 0.0)
    return replace(small_context(market_data=market_data), settlement=SettlementModel(failed_share=share))


@pytest.fixture
async def service(clients: Clients, portfolio_id: int) -> Any:
    await clients["events"].post("/events/export")
    return clients["paper-trading"]


async def test_shares_and_proceeds_are_shown_apart_until_they_are_mined(service: Any, context: TradingContext) -> None:
    placed = await place(service, price=0.55, size=30)
    assert (placed["trade"]["settlement"], placed["trade"]["reversed_amount"]) == ("matched", 0)
    assert placed["trade"]["model"]["settlement"] == "2000 ms to mined, assumed"
    state = (await service.get("/paper-trading/portfolio")).json()
    assert [(one["size"], one["settling_size"]) for one in state["positions"]] == [(30, 30)]
    refused = await place(service, side="SELL", price=0.54, size=10)
    assert (refused["accepted"], refused["code"]) == (False, "insufficient_shares")
    advance(context, 2)
    sold = await place(service, side="SELL", price=0.54, size=10)
    assert sold["accepted"] and sold["trade"]["settlement"] == "matched"
    state = (await service.get("/paper-trading/portfolio")).json()
    assert [(one["size"], one["settling_size"]) for one in state["positions"]] == [(20, 0)]
    assert state["settling_balance"] == pytest.approx(sold["trade"]["amount"] - sold["trade"]["fee"])
    assert state["available_balance"] == pytest.approx(state["current_balance"] - state["settling_balance"])
    trades = (await service.get("/paper-trading/trades-history")).json()["trades"]
    assert [trade["settlement"] for trade in trades] == ["matched", "mined"]


async def test_a_set_to_merge_is_listed_until_it_is_merged(service: Any, context: TradingContext) -> None:
    await place(service, price=0.55, size=30)
    await place(service, outcome="No", price=0.46, size=30)
    await mark_positions(context, 1)
    (owed,) = (await service.get("/paper-trading/portfolio")).json()["obligations"]
    assert (owed["kind"], owed["about"], owed["attempts"]) == ("merge", "0xc1", 0)
    advance(context, 2)
    await settling_round(context)
    state = (await service.get("/paper-trading/portfolio")).json()
    assert (state["obligations"], state["positions"]) == ([], [])


@pytest.mark.parametrize("context", [1.0], indirect=True)
async def test_a_failed_trade_shows_what_came_back(service: Any, context: TradingContext) -> None:
    placed = await place(service, price=0.55, size=30)
    advance(context, 5)
    await settling_round(context)
    (trade,) = (await service.get("/paper-trading/trades-history")).json()["trades"]
    assert (trade["status"], trade["settlement"]) == ("failed", "failed")
    assert trade["reversed_amount"] == placed["trade"]["amount"] > 0
    state = (await service.get("/paper-trading/portfolio")).json()
    assert (state["current_balance"], state["positions"]) == (10_000, [])
