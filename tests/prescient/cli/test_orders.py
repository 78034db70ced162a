"""Orders that rest on a whole running system: placed by command, kept over a kill of the service that owns them, cancelled."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from tests.prescient.cli.test_system import asked, remove_database, state_of, wait_for, wait_until_ready
from tests.running import Installation

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A world that stands still: what rests is filled by nobody, so what is read before a kill is read after it."""
    installation = Installation(tmp_path_factory.mktemp("orders") / "home")
    try:
        installation.start("up")
        wait_until_ready(installation)
        yield installation
    finally:
        try:
            installation.stop()
        finally:
            installation.run("down")
            remove_database(installation)


def resting(system: Installation) -> list[dict[str, Any]]:
    done = system.run("order", "list", "--json")
    found: list[dict[str, Any]] = json.loads(done.stdout)["orders"] if done.returncode == 0 else []
    return found


def settled(system: Installation) -> bool:
    """Whether the owner of what rests has seen the whole books, and the store knows."""
    listed = resting(system)
    return bool(listed) and not any(one["in_gap"] for one in listed)


def market_with_bids(system: Installation) -> tuple[str, dict[str, Any]]:
    """A screened market's slug and the book of its first outcome."""
    status, page = system.call("GET 8001 /markets?limit=40")
    assert status == 200
    for market in page["markets"]:
        status, books = system.call(f"GET 8001 /markets/{market['market_id']}/book")
        if status == 200 and books["books"] and books["books"][0]["bids"] and books["books"][0]["asks"]:
            return market["slug"], books["books"][0]
    raise AssertionError("no market has bids")


def test_an_order_rests_and_survives_the_kill_of_its_owner(system: Installation) -> None:
    assert asked(system, "cycle", "run")["status"] == "completed"
    before = asked(system, "portfolio", "show", "1")
    slug, book = market_with_bids(system)
    best = book["bids"][0]
    placed = asked(system, "order", "place", slug, book["outcome"], str(best["price"]), "20", "--post-only")
    assert placed["accepted"] and placed["status"] == "OPEN"
    wait_for(lambda: settled(system))
    (one,) = resting(system)
    assert one["queue_ahead"] == pytest.approx(best["size"]) and one["reserved"] >= 20 * best["price"]
    assert "Resting orders" in system.run("order", "list").stdout
    mark = state_of(system).children["api"].process
    assert mark is not None
    api = mark.process()
    assert api is not None
    psutil.Process(api.pid).kill()
    wait_for(lambda: (mark := state_of(system).children["api"].process) is not None and mark.pid != api.pid)
    wait_for(lambda: settled(system))
    assert resting(system) == [one]
    gone = asked(system, "order", "cancel", one["order_id"])
    assert gone == {"order_id": one["order_id"], "status": "CANCELED", "filled": 0}
    after = asked(system, "portfolio", "show", "1")
    assert after["available_balance"] == before["available_balance"]


def test_what_is_refused_says_why_and_ends_with_its_code(system: Installation) -> None:
    slug, book = market_with_bids(system)
    crossing = system.run("order", "place", slug, book["outcome"], str(book["asks"][0]["price"]), "20", "--post-only")
    assert (crossing.returncode, crossing.stdout) == (4, "")
    assert crossing.stderr == "Refused (post_only_crosses): invalid post-only order: order crosses book\n"
    assert system.run("order", "cancel", "order:none").returncode == 5
    assert system.run("order", "place", "no-such-market", "Yes", "0.5", "20").returncode == 5
    assert system.run("order", "merge", "0x01").returncode == 5
