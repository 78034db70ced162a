"""The venue's restricted modes as a control sets them: a restart and its post-only window, cancel-only, disabled."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from polymarket_kit.messages.orders import encode_order
from practice_exchange.app.exchange import PracticeExchange
from practice_exchange.world.world import World

from .conftest import START
from .trading_user import NOW_S, Venue

RESTARTING = (425, {"error": "service not ready"})
DISABLED = (503, {"error": "Trading is currently disabled. Check polymarket.com for updates"})
CANCEL_ONLY = (
    503,
    {"error": "Trading is currently cancel-only. New orders are not accepted, but cancels are allowed."},
)
POST_ONLY = "post-only mode: only post-only orders and cancels are allowed"
CANCELS = [
    ("DELETE", "/order", b'{"orderID":"0x' + b"a" * 64 + b'"}'),
    ("DELETE", "/orders", b'["0x' + b"a" * 64 + b'"]'),
    ("DELETE", "/cancel-all", b""),
    ("DELETE", "/cancel-market-orders", b'{"asset_id":"1"}'),
]


def set_mode(venue: Venue, mode: str, seconds: float | None = None) -> Any:
    wanted = {"mode": mode} if seconds is None else {"mode": mode, "seconds": seconds}
    answer = venue.exchange.handle("POST", "/practice/mode", "", json.dumps(wanted).encode())
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


def mode_of(venue: Venue) -> Any:
    return json.loads(venue.exchange.handle("GET", "/practice/mode").body)


def pass_time(venue: Venue, seconds: float) -> None:
    """Move the exchange's time; this machine's stays near that of the log-ins."""
    venue.machine_s = float(NOW_S)
    venue.world.step(venue.world.now + timedelta(seconds=seconds))


def batch(venue: Venue) -> tuple[int, Any]:
    return venue.send("POST", "/orders", b"[" + encode_order(venue.order()) + b"]")


@pytest.mark.fidelity(
    "A restart answers 425 at every order endpoint, then two minutes take post-only orders and cancels alone",
    area="Limits and modes",
    evidence="specification",
    source="matching engine restarts",
)
def test_a_restart_with_its_post_only_window() -> None:
    venue = Venue()
    resting = venue.post(venue.order())[1]["orderID"]
    assert set_mode(venue, "restart", 90) == {"mode": "restart", "seconds_left": 90.0}
    assert venue.post(venue.order()) == RESTARTING
    assert batch(venue) == RESTARTING
    for method, path, body in CANCELS:
        assert venue.send(method, path, body) == RESTARTING
    assert venue.exchange.handle("POST", "/clob/order", "", b"nonsense").status == 425, "before anybody looks who asks"
    assert [order["id"] for order in venue.send("GET", "/data/orders")[1]["data"]] == [resting]
    pass_time(venue, 89)
    assert mode_of(venue) == {"mode": "restart", "seconds_left": 1.0}
    pass_time(venue, 2)
    assert mode_of(venue) == {"mode": "post_only", "seconds_left": 119.0}
    status, refused = venue.post(venue.order())
    assert (status, refused) == (503, {"error": POST_ONLY, "code": "post_only_mode", "retry_after_seconds": 119})
    status, [leg] = batch(venue)
    assert (status, leg["success"], leg["errorMsg"], leg["orderID"]) == (200, True, POST_ONLY, "")
    assert venue.post(msgspec.structs.replace(venue.order(), post_only=True))[1]["status"] == "live"
    assert len(venue.send("DELETE", "/cancel-all")[1]["canceled"]) == 2
    pass_time(venue, 119)
    assert mode_of(venue) == {"mode": "open", "seconds_left": None}
    assert venue.post(venue.order())[0] == 200


@pytest.mark.fidelity(
    "Cancel-only refuses orders and batches with 503 and takes cancels",
    area="Limits and modes",
    evidence="specification",
    source="matching engine",
)
def test_cancel_only_lasts_until_another_mode_is_set() -> None:
    venue = Venue()
    resting = venue.post(venue.order())[1]["orderID"]
    assert set_mode(venue, "cancel_only") == {"mode": "cancel_only", "seconds_left": None}
    pass_time(venue, 3600)
    assert venue.post(venue.order()) == CANCEL_ONLY
    assert batch(venue) == CANCEL_ONLY
    assert venue.send("DELETE", "/cancel-all") == (200, {"canceled": [resting], "not_canceled": {}})
    assert set_mode(venue, "open")["mode"] == "open"
    assert venue.post(venue.order())[0] == 200


@pytest.mark.fidelity(
    "Disabled trading refuses orders and cancels with 503; what may be read can still be read",
    area="Limits and modes",
    evidence="specification",
    source="matching engine",
)
def test_disabled_refuses_cancels_too_and_ends_by_itself_if_told() -> None:
    venue = Venue()
    resting = venue.post(venue.order())[1]["orderID"]
    set_mode(venue, "disabled", 30)
    assert venue.post(venue.order()) == DISABLED
    assert batch(venue) == DISABLED
    for method, path, body in CANCELS:
        assert venue.send(method, path, body) == DISABLED
    assert [order["id"] for order in venue.send("GET", "/data/orders")[1]["data"]] == [resting]
    assert venue.exchange.handle("GET", "/clob/book", f"token_id={venue.market.token_ids[0]}").status == 200
    pass_time(venue, 31)
    assert venue.send("DELETE", "/cancel-all")[1]["canceled"] == [resting]


@pytest.mark.parametrize("wanted", [{}, {"mode": "lunch"}, {"mode": "restart", "seconds": -1}, {"mode": 1}, []])
def test_senseless_modes_are_refused(wanted: object) -> None:
    venue = Venue()
    answer = venue.exchange.handle("POST", "/practice/mode", "", json.dumps(wanted).encode())
    assert answer.status == 422 and json.loads(answer.body)["error"]
    assert mode_of(venue)["mode"] == "open"


def test_a_mode_is_kept_over_a_restart_of_the_exchange_itself() -> None:
    venue, later = Venue(), Venue()
    set_mode(venue, "restart", 60)
    later.trading.load_state(venue.trading.dump_state())
    assert mode_of(later) == {"mode": "restart", "seconds_left": 60.0}
    assert later.post(later.order()) == RESTARTING


def test_what_can_only_be_read_has_no_modes() -> None:
    exchange = PracticeExchange(World(7, 3, START))
    assert exchange.handle("GET", "/practice/mode").status == 404
    status = json.loads(Venue().exchange.handle("GET", "/practice/status").body)
    assert status["mode"] == "open"
