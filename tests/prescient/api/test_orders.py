"""Orders by hand over HTTP: placed, listed, cancelled; sets merged and converted; and each refusal with its reason."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from polymarket_kit.values import MICRO
from prescient.ports.context import TradingContext
from prescient.trading.orders.resolve import resolve_all
from tests.prescient.api.conftest import Clients
from tests.prescient.api.test_access import HOSTILE, everything
from tests.prescient.api.world import NOW, SmallMarketData, event, market
from tests.venues import ScriptedVenue

ORDER: dict[str, Any] = {"portfolio_id": 1, "market": "1", "outcome": "Yes", "price": 0.54, "size": 20}


def exclusive() -> SmallMarketData:
    """A negative-risk event of two options."""
    options = [replace(market(number, "100", 550_000), negative_risk=True) for number in ("1", "2")]
    return SmallMarketData([event("100", *options), event("300", market("5", "300", 550_000))])


@pytest.fixture
def market_data() -> SmallMarketData:
    return exclusive()


@pytest.fixture
async def service(clients: Clients, portfolio_id: int) -> Any:
    await clients["events"].post("/events/export")
    return clients["paper-trading"]


async def place(service: Any, status: int = 200, **changes: Any) -> dict[str, Any]:
    answer = await service.post("/paper-trading/orders", json=ORDER | changes)
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_an_order_is_placed_listed_and_cancelled(service: Any) -> None:
    placed = await place(service)
    assert (placed["accepted"], placed["status"], placed["resting"], placed["trade"]) == (True, "OPEN", 20, None)
    listed = (await service.get("/paper-trading/orders", params={"portfolio_id": 1})).json()
    assert listed["count"] == 1
    (one,) = listed["orders"]
    assert (one["order_id"], one["price"], one["size"], one["filled"]) == (placed["order_id"], 0.54, 20, 0)
    assert (one["queue_ahead"], one["order_type"], one["expires"]) == (60, "GTC", None)
    state = (await service.get("/paper-trading/portfolio")).json()
    assert state["available_balance"] == pytest.approx(state["current_balance"] - one["reserved"])
    gone = await service.delete(f"/paper-trading/orders/{placed['order_id']}")
    assert gone.json() == {"order_id": placed["order_id"], "status": "CANCELED", "filled": 0}
    again = await service.delete(f"/paper-trading/orders/{placed['order_id']}")
    assert (again.status_code, again.json()["code"]) == (404, "order_not_open")
    assert (await service.get("/paper-trading/orders")).json() == {"orders": [], "count": 0}


async def test_what_crosses_matches_at_once_and_the_rest_rests(service: Any) -> None:
    placed = await place(service, price=0.55, size=100)
    assert (placed["status"], placed["resting"]) == ("PARTIALLY_FILLED", 40)
    assert placed["trade"]["size"] == 60 and placed["trade"]["fee"] > 0


async def test_an_order_with_an_end(service: Any) -> None:
    soon = NOW.replace(hour=13).isoformat()
    placed = await place(service, order_type="GTD", expiration=soon)
    assert placed["accepted"]
    (one,) = (await service.get("/paper-trading/orders")).json()["orders"]
    assert one["expires"].startswith("2026-05-17T12:59:00")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"price": 0.545}, "price_off_grid"),
        ({"size": 4}, "size_too_small"),
        ({"size": 5.001}, "amount_precision"),
        ({"price": 0.55, "post_only": True}, "post_only_crosses"),
        ({"order_type": "GTD"}, "invalid_expiration"),
        ({"side": "SELL"}, "insufficient_shares"),
        ({"size": 1_000_000}, "insufficient_cash"),
    ],
)
async def test_a_refusal_is_an_answer_with_its_reason(service: Any, changes: dict[str, Any], code: str) -> None:
    refused = await place(service, **changes)
    assert (refused["accepted"], refused["status"], refused["code"]) == (False, "REFUSED", code)
    assert refused["reason"]
    state = (await service.get("/paper-trading/portfolio")).json()
    assert state["available_balance"] == state["current_balance"] == 10_000


async def test_an_order_whose_answer_was_lost_is_named_so_that_it_can_be_followed(
    service: Any, context: TradingContext
) -> None:
    venue = ScriptedVenue(context.venues["paper"], context.clock, name="paper").always("submit", "drop")
    object.__setattr__(context, "venues", {"paper": venue})
    unknown = await place(service)
    assert (unknown["accepted"], unknown["status"], unknown["code"]) == (False, "UNKNOWN", "outcome_unknown")
    ((order, status),) = await context.store.open_orders()
    assert (order.intent.order_id, status) == (unknown["order_id"], "UNKNOWN")
    assert venue.world.arrived == []
    # Placing it again would be another order; this one is asked about, by its own id, until it is known.
    assert await resolve_all(context) == [unknown["order_id"]]
    assert await context.store.open_orders() == []


async def test_a_cancel_that_is_not_answered_says_so_and_the_order_stays_reserved(
    service: Any, context: TradingContext
) -> None:
    placed = await place(service)
    before = (await service.get("/paper-trading/portfolio")).json()["available_balance"]
    venue = ScriptedVenue(context.venues["paper"], context.clock, name="paper").always("cancel", "drop")
    object.__setattr__(context, "venues", {"paper": venue})
    unanswered = await service.delete(f"/paper-trading/orders/{placed['order_id']}")
    assert (unanswered.status_code, unanswered.json()["code"]) == (502, "cancel_unanswered")
    assert "Cancel it again" in unanswered.json()["detail"]
    assert (await service.get("/paper-trading/portfolio")).json()["available_balance"] == before
    assert (await service.get("/paper-trading/orders")).json()["count"] == 1


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"portfolio_id": 99}, 404),
        ({"market": "nothing"}, 404),
        ({"outcome": "Maybe"}, 422),
        ({"price": 1.5}, 422),
        ({"price": 0}, 422),
        ({"size": 0}, 422),
        ({"side": "HOLD"}, 422),
        ({"order_type": "FAK"}, 422),
        ({"expiration": "soon"}, 422),
        ({"limit": 1}, 422),
    ],
)
async def test_what_makes_no_sense_is_refused_by_name(service: Any, changes: dict[str, Any], status: int) -> None:
    await place(service, status, **changes)


async def test_without_a_stream_it_says_what_to_do(service: Any, context: TradingContext) -> None:
    object.__setattr__(context, "resting", None)
    answer = await place(service, 409)
    assert answer["code"] == "no_stream" and "FAK or FOK" in answer["detail"]


async def test_sets_merge_and_no_shares_convert(service: Any) -> None:
    await place(service, outcome="Yes", price=0.55, size=30)
    await place(service, outcome="No", price=0.45, size=50)
    merged = (await service.post("/paper-trading/merge", json={"portfolio_id": 1, "condition_id": "0xc1"})).json()
    assert (merged["size"], merged["paid"], merged["given"]) == (30, 30, ["1-yes", "1-no"])
    again = await service.post("/paper-trading/merge", json={"portfolio_id": 1, "condition_id": "0xc1"})
    assert (again.status_code, again.json()["code"]) == (409, "nothing_to_merge")
    form = {"portfolio_id": 1, "condition_ids": ["0xc1"], "size": 15}
    converted = (await service.post("/paper-trading/convert", json=form)).json()
    assert (converted["size"], converted["paid"], converted["gained"]) == (15, 0, ["2-yes"])
    positions = (await service.get("/paper-trading/portfolio")).json()["positions"]
    assert {one["token_id"]: one["size"] for one in positions} == {"1-no": 5, "2-yes": 15}
    other = form | {"condition_ids": ["0xc5"]}
    refused = await service.post("/paper-trading/convert", json=other)
    assert (refused.status_code, refused.json()["code"]) == (409, "not_convertible")


async def test_a_conversion_is_not_to_be_had_from_another_site(service: Any, context: TradingContext) -> None:
    await place(service, outcome="No", price=0.45, size=50)
    before = await everything(context)
    form = {"portfolio_id": 1, "condition_ids": ["0xc1"]}
    for what, headers in HOSTILE.items():
        answer = await service.post("/paper-trading/convert", json=form, headers=headers)
        assert answer.status_code in (403, 421), what
        assert await everything(context) == before, what
    assert (await service.post("/paper-trading/convert", json=form)).status_code == 200
    assert (await context.store.portfolio(1)).cash_micro < 10_000 * MICRO
