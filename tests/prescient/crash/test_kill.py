"""kill -9 after each write of a cycle, and at random instants; then the next process finds whole books."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from prescient.ports.context import TradingContext
from tests.prescient.crash.life import Life, die
from tests.prescient.faults.house import Tripwire

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="forks its children from a warm process"),
]

# Every write of a cycle, in its order; the number says which of several calls.
STEPS = (
    ("claim_cycle", 1),
    ("save_events", 1),
    ("save_cycle", 1),
    ("save_decisions", 2),
    ("save_screened", 1),
    ("save_snapshots", 1),
    ("save_signals", 1),
    ("lease", 1),
    ("approve", 1),
    ("approve", 3),
    ("book", 1),
    ("book", 3),
    ("save_marks", 1),
    ("snapshot", 1),
    ("finish_cycle", 1),
)
RANDOM_KILLS = 30
SEED = 20_260_517
# About as long as a child needs to connect and to run its whole cycle.
LONGEST_LIFE_S = 0.5


@pytest.fixture
def life(postgres_dsn: str) -> Life:
    return Life(postgres_dsn, seed=2)


def deadly_store(method: str, number: int, *, after: bool) -> Callable[[TradingContext], Any]:
    """A wiring whose store kills its own process at one call."""

    def wire(context: TradingContext) -> Any:
        wired = Tripwire(context.store, method, die, number=number, after=after)
        object.__setattr__(context, "store", wired)
        return wired

    return wire


def deadly_venue(number: int, *, after: bool) -> Callable[[TradingContext], Any]:
    """A wiring whose venue kills its own process around one order."""

    def wire(context: TradingContext) -> Any:
        wired = Tripwire(context.venues["paper"], "submit", die, number=number, after=after)
        object.__setattr__(context, "venues", {"paper": wired})
        return context.store

    return wire


def test_killed_after_every_write_of_a_cycle(life: Life) -> None:
    """After each write is before the next one."""
    for method, number in STEPS:
        child = life.fork(deadly_store(method, number, after=True))
        assert life.wait(child), f"{method} was not called {number} times"
        life.look()
    assert life.killed == len(STEPS)


def test_killed_before_the_first_write_of_a_cycle(life: Life) -> None:
    child = life.fork(deadly_store("claim_cycle", 1, after=False))
    assert life.wait(child)
    life.look()


@pytest.mark.parametrize("after", [False, True])
def test_killed_between_the_venue_and_the_books(life: Life, *, after: bool) -> None:
    child = life.fork(deadly_venue(2, after=after))
    assert life.wait(child)
    life.look()


@pytest.mark.parametrize("after", [False, True])
def test_killed_around_a_payout(life: Life, *, after: bool) -> None:
    life.pass_to_a_resolution()
    child = life.fork(deadly_store("settle", 1, after=after))
    assert life.wait(child)
    life.look()


def test_killed_at_random_instants(life: Life) -> None:
    random = Random(SEED)
    lives = 0
    while life.killed < RANDOM_KILLS:
        lives += 1
        assert lives < 5 * RANDOM_KILLS, "the children end before they can be killed"
        child = life.fork()
        time.sleep(random.uniform(0, LONGEST_LIFE_S))
        os.kill(child, signal.SIGKILL)
        life.wait(child)
        life.look()
    # How many is chance and the machine's speed; all at one place would prove little.
    assert len(life.stages_reached) >= 3, f"the kills met the same few stages: {life.stages_reached}"
