"""The same seed and steps give the same bytes: in another process, across a checkpoint, and whoever looks meanwhile."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from practice_exchange.app.exchange import PracticeExchange
from practice_exchange.world.world import CheckpointUnreadable, World

from .conftest import START, every_event

HOURS = 16
SCRIPT = """
from tests.exchange.api.test_determinism import lived_world, fingerprint
print(fingerprint(lived_world()))
"""


def lived_world(hours: int = HOURS) -> World:
    world = World(11, 40, START)
    for hour in range(1, hours + 1):
        world.step(START + timedelta(hours=hour))
    return world


def fingerprint(world: World) -> str:
    """A digest of everything that the exchange serves of a world."""
    exchange = PracticeExchange(world)
    digest = sha256(str(world.now_ms).encode())
    paths = ["/gamma/events", "/gamma/markets", "/gamma/tags", "/clob/markets", "/clob/sampling-markets", "/clob/time"]
    for path in paths:
        digest.update(exchange.handle("GET", path, "limit=500").body)
    for token_id in world.register.tokens:
        digest.update(exchange.handle("GET", "/clob/book", f"token_id={token_id}").body)
        digest.update(exchange.handle("GET", "/clob/prices-history", f"market={token_id}&interval=1w").body)
    for condition_id in world.register.markets_by_condition:
        digest.update(exchange.handle("GET", f"/clob/clob-markets/{condition_id}").body)
    return digest.hexdigest()


def in_another_process(hash_seed: str) -> str:
    repository = Path(__file__).resolve().parents[3]
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=repository, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_every_process_serves_the_same_bytes() -> None:
    here = fingerprint(lived_world())
    assert in_another_process("0") == here
    assert in_another_process("4242") == here


def test_another_seed_is_another_world() -> None:
    assert fingerprint(World(11, 20, START)) != fingerprint(World(12, 20, START))


def test_a_checkpoint_continues_as_if_there_had_been_none() -> None:
    whole = lived_world()
    halves = World.load(lived_world(HOURS // 2).save())
    for hour in range(HOURS // 2 + 1, HOURS + 1):
        halves.step(START + timedelta(hours=hour))
    assert fingerprint(halves) == fingerprint(whole)
    assert halves.save() == whole.save()


def test_reading_and_saving_change_nothing() -> None:
    watched, alone = World(11, 20, START), World(11, 20, START)
    for hour in range(1, 7):
        watched.step(START + timedelta(hours=hour))
        every_event(PracticeExchange(watched))
        fingerprint(watched)
        watched.save()
        alone.step(START + timedelta(hours=hour))
    assert watched.save() == alone.save()


def test_one_long_step_is_the_same_as_its_hours() -> None:
    long = World(11, 40, START)
    long.step(START + timedelta(hours=HOURS))
    assert long.save() == lived_world().save()


def test_time_does_not_run_back() -> None:
    world = World(11, 5, START)
    before = world.save()
    world.step(START - timedelta(days=1))
    assert world.now == START
    assert world.save() == before


@pytest.mark.parametrize("damage", [b"", b"\x00garbage", b"\x80"])
def test_a_damaged_checkpoint_is_refused(damage: bytes) -> None:
    with pytest.raises(CheckpointUnreadable):
        World.load(damage)


def test_a_checkpoint_cut_short_is_refused() -> None:
    with pytest.raises(CheckpointUnreadable):
        World.load(World(11, 5, START).save()[:-10])


def test_a_start_without_a_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        World(7, 1, START.replace(tzinfo=None))
