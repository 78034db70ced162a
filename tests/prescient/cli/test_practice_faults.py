"""`prescient practice faults`: what people and programs get from it, with an exchange that runs and without one."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from practice_exchange.app.server import PracticeServer
from practice_exchange.world.world import World
from tests.conftest import free_port
from tests.exchange.api.conftest import START
from tests.running import Installation


@pytest.fixture
def user(tmp_path: Path) -> Installation:
    installation = Installation(tmp_path / "a home")
    installation.home.mkdir(parents=True)
    installation.extra = {"PRESCIENT_HOME": str(tmp_path / "data"), "COLUMNS": "200"}
    return installation


@pytest.fixture
def server() -> Iterator[PracticeServer]:
    """An exchange that runs in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    served = PracticeServer(World(7, 5, START), trading=True)
    asyncio.run_coroutine_threadsafe(served.start(), loop).result(20)
    yield served
    asyncio.run_coroutine_threadsafe(served.stop(), loop).result(20)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(20)
    loop.close()


def test_faults_are_set_listed_and_cleared(user: Installation, server: PracticeServer) -> None:
    port = f"--port={server.port}"
    done = user.run("practice", "faults", "list", port)
    assert done.returncode == 0 and "No faults are set." in done.stdout
    done = user.run("practice", "faults", "set", "held", "seconds=20", "--path", "/clob/order", "--count", "3", port)
    assert done.returncode == 0, done.stderr
    assert [line.split() for line in done.stdout.splitlines()][-1] == ["held", "/clob/order", "3", "seconds=20"]
    waiting = server.exchange.faults.waiting()[0]
    assert (waiting.kind, waiting.count, waiting.seconds) == ("held", 3, 20)
    done = user.run("practice", "faults", "set", "failed_settlement", "rate=0.35", port)
    # It is not used up by a request, so no number of them is left.
    assert [line.split() for line in done.stdout.splitlines()][-1] == ["failed_settlement", "*", "holds", "rate=0.35"]
    answer = json.loads(user.run("practice", "faults", "list", "--json", port).stdout)
    assert [(fault["kind"], fault.get("rate")) for fault in answer["faults"]] == [
        ("held", None),
        ("failed_settlement", 0.35),
    ]
    assert user.run("practice", "faults", "clear", "held", port).returncode == 0
    assert [fault.kind for fault in server.exchange.faults.waiting()] == ["failed_settlement"]
    assert user.run("practice", "faults", "clear", port).returncode == 0
    assert server.exchange.faults.waiting() == []


def test_weather_is_drawn_from_a_seed(user: Installation, server: PracticeServer) -> None:
    port = f"--port={server.port}"
    done = user.run("practice", "faults", "set", "--seed", "7", "--rate", "0.02", "--kinds", "429,500", port)
    assert done.returncode == 0, done.stderr
    assert "0.02" in done.stdout and "429, 500" in done.stdout
    random_faults = server.exchange.faults.random_faults
    assert random_faults is not None and (random_faults.order.seed, random_faults.order.rate) == (7, 0.02)
    answer = json.loads(user.run("practice", "faults", "list", "--json", port).stdout)
    assert answer["weather"] == {"seed": 7, "rate": 0.02, "path": "*", "kinds": ["429", "500"], "requests": 0}


def test_every_kind_is_listed_with_its_bounds(user: Installation, server: PracticeServer) -> None:
    done = user.run("practice", "faults", "kinds", f"--port={server.port}")
    listed = {line.split()[0]: line for line in done.stdout.splitlines() if line}
    assert {"429", "late", "failed_settlement", "stale_balance", "stalled_token", "tick"} <= set(listed)
    assert "rate=1 (0 to 1), retries=1 (0 to 10)" in listed["failed_settlement"]
    answer = json.loads(user.run("practice", "faults", "kinds", "--json", f"--port={server.port}").stdout)
    assert all(kind["does"] and kind["imitates"] for kind in answer["kinds"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("meteor",), "Choose one of"),
        (("held", "seconds=1000"), "between 0 and 120"),
        (("held", "seconds=soon"), "must be a number"),
        (("429", "seconds=3"), "429 has no seconds"),
        (("held", "seconds"), "NAME=VALUE"),
        ((), "Name a kind"),
        (("--seed", "7"), "--rate"),
        (("--seed", "7", "--rate", "0.1", "--kinds", "tick"), "cannot have tick"),
    ],
)
def test_nonsense_is_refused_with_what_would_do(
    user: Installation, server: PracticeServer, arguments: tuple[str, ...], said: str
) -> None:
    done = user.run("practice", "faults", "set", *arguments, f"--port={server.port}")
    assert done.returncode == 2 and said in done.stderr and not done.stdout
    assert server.exchange.faults.waiting() == [] and server.exchange.faults.random_faults is None


@pytest.mark.parametrize("command", [("list",), ("kinds",), ("set", "429"), ("clear",)])
def test_without_an_exchange_the_cure_is_said(user: Installation, command: tuple[str, ...]) -> None:
    port = free_port()
    done = user.run("practice", "faults", *command, f"--port={port}")
    assert done.returncode == 3
    assert done.stderr.strip().splitlines() == [
        f"No practice exchange runs on port {port}. Start one: `prescient practice` (or `prescient up`)."
    ]
