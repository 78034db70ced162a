"""The practice exchange's market stream under load: 2,000 tokens, 20 clients of 100 each, 5,000 updates per second in all.

Run `python -m bench.stream_out`. The exchange runs in this process as it does for users, its makers quote afresh in one market
after another; the clients run in another. Nothing may be lost, and the exchange's memory may not grow.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import random
import sys
import tempfile
import time
from array import array
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import uvloop
from bench.machinery import Partner, machine

from practice_exchange.app.server import PracticeServer
from practice_exchange.world.state import MarketState
from practice_exchange.world.world import World

START = datetime(2026, 7, 1, 6, 0, tzinfo=UTC)
SEED = 7
BREADTH = 3.3
PAUSE_S = 0.002
# How long the clients may take to catch up at the end.
CATCH_UP_S = 10.0
WARM_UP_S = 2.0
MEMORY_GROWTH_MAX_MIB = 8.0


@dataclass(frozen=True)
class Load:
    """How much is asked: markets have two tokens each and are split evenly over the clients."""

    markets: int = 1_000
    clients: int = 20
    updates_per_s: int = 5_000
    seconds: float = 30.0


FULL = Load()
SHORT = Load(markets=60, clients=3, updates_per_s=300, seconds=2.0)


class Quotes:
    """The maker of one market, with one level on each side: each update moves the size of one of them."""

    def __init__(self, market: MarketState, chance: random.Random) -> None:
        self._market = market
        self._chance = chance
        tick, middle = market.tick_micro, 500_000
        self._levels = [(middle - tick, 100_000_000), (middle + tick, 100_000_000)]

    def update(self, requote: Callable[[MarketState, list[tuple[int, int]], list[tuple[int, int]]], None]) -> None:
        side = self._chance.randrange(2)
        price, size = self._levels[side]
        self._levels[side] = (price, size + (10_000 if size < 200_000_000 else -100_000_000))
        requote(self._market, self._levels[:1], self._levels[1:])


class Bench:
    """One run of a load."""

    def __init__(self, load: Load, folder: Path) -> None:
        self.load = load
        self.path = folder / "received"
        self.world = make_world(load.markets)
        self.server = PracticeServer(self.world, trading=True)
        self.markets = [m for m in self.world.register.markets.values() if m.trading][: load.markets]
        self.sent = array("i")
        self.moments_ns = array("q")

    async def run(self) -> dict[str, Any]:
        assert self.server.exchange.trading is not None
        venue_engine = self.server.exchange.trading.venue_engine
        await self.server.start()
        readers = Partner("bench.stream_readers", f"--url={self.server.market_ws_url}", f"--path={self.path}")
        try:
            began_s = time.perf_counter()
            books = await asyncio.to_thread(readers.ask, json.dumps(self._readers()))
            first_books_s = time.perf_counter() - began_s
            assert books["books"] == 2 * len(self.markets), books
            chance = random.Random(SEED)
            quotes = [Quotes(market, chance) for market in self.markets]
            for each in quotes:
                each.update(venue_engine.requote)
            await asyncio.sleep(0.5)
            already = (await asyncio.to_thread(readers.ask, "count"))["received"]
            assert already == len(quotes), already
            self.sent.extend(range(len(quotes)))
            self.moments_ns.extend([0] * len(quotes))
            await self._drive(quotes, WARM_UP_S)
            gc.collect()
            start_mib, cpu_s, wall_s, warm = _memory_mib(), time.process_time(), time.perf_counter(), len(self.sent)
            await self._drive(quotes, self.load.seconds)
            cpu_s, wall_s = time.process_time() - cpu_s, time.perf_counter() - wall_s
            await self._catch_up(readers)
            gc.collect()
            noted_mib = (len(self.sent) - warm) * 12 / 2**20
            figures = await asyncio.to_thread(readers.ask, "stop")
            return {
                "updates": len(self.sent) - warm,
                "updates_per_s": round((len(self.sent) - warm) / wall_s),
                "server_cpu_share": round(cpu_s / wall_s, 3),
                "first_books_s": round(first_books_s, 2),
                "memory_start_mib": round(start_mib, 1),
                "memory_end_mib": round(_memory_mib(), 1),
                "of_which_this_bench_mib": round(noted_mib, 1),
                **figures,
                **self._compare(warm),
            }
        finally:
            readers.end()
            await self.server.stop()

    def _readers(self) -> dict[str, Any]:
        per_client = len(self.markets) // self.load.clients
        shares = [self.markets[start : start + per_client] for start in range(0, len(self.markets), per_client)]
        return {
            "conditions": [market.condition_id for market in self.markets],
            "clients": [[token_id for market in share for token_id in market.token_ids] for share in shares],
        }

    async def _drive(self, quotes: list[Quotes], seconds: float) -> None:
        """Let one maker after another quote, so many a second; what is behind is made up for."""
        assert self.server.exchange.trading is not None
        requote = self.server.exchange.trading.venue_engine.requote
        began_s, done, count = time.perf_counter(), 0, len(quotes)
        while (passed_s := time.perf_counter() - began_s) < seconds:
            due = int(passed_s * self.load.updates_per_s)
            for number in range(done, min(due, done + 200)):
                self.sent.append(number % count)
                self.moments_ns.append(time.monotonic_ns())
                quotes[number % count].update(requote)
            done = min(due, done + 200)
            await asyncio.sleep(PAUSE_S)

    async def _catch_up(self, readers: Partner) -> None:
        for _ in range(int(CATCH_UP_S / 0.1)):
            if (await asyncio.to_thread(readers.ask, "count"))["received"] >= len(self.sent):
                return
            await asyncio.sleep(0.1)

    def _compare(self, warm: int) -> dict[str, Any]:
        """Match the n-th change of each market with the n-th that was made: what is missing, and how late they came."""
        total = self.path.stat().st_size // 12
        markets, moments_ns = array("i"), array("q")
        with self.path.open("rb") as file:
            markets.fromfile(file, total)
            moments_ns.fromfile(file, total)
        received: dict[int, list[int]] = {}
        for market, moment_ns in zip(markets, moments_ns, strict=True):
            received.setdefault(market, []).append(moment_ns)
        sent, late_us = Counter(self.sent), []
        places: Counter[int] = Counter()
        for index, market in enumerate(self.sent):
            place = places[market]
            places[market] += 1
            if index >= warm and place < len(received.get(market, ())):
                late_us.append((received[market][place] - self.moments_ns[index]) / 1_000)
        late_us.sort()
        return {
            "missing": sum((sent - Counter(markets)).values()),
            "too_many": sum((Counter(markets) - sent).values()),
            "lag_ms": {
                "p50": round(late_us[len(late_us) // 2] / 1_000, 2),
                "p99": round(late_us[len(late_us) * 99 // 100] / 1_000, 2),
                "max": round(late_us[-1] / 1_000, 2),
            },
        }


def make_world(markets: int) -> World:
    """A world that stands still, with at least so many markets that are traded."""
    events = max(8, markets // 4)
    while True:
        world = World(SEED, events, START, static=True, breadth=BREADTH)
        if sum(market.trading for market in world.register.markets.values()) >= markets:
            return world
        events += events // 4


def _memory_mib() -> float:
    return float(psutil.Process().memory_info().rss) / 2**20


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="a small load, for the tests")
    load = SHORT if parser.parse_args().short else FULL
    with (
        tempfile.TemporaryDirectory(prefix="prescient-bench-") as folder,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        figures = runner.run(Bench(load, Path(folder)).run())
    grown_mib = figures["memory_end_mib"] - figures["memory_start_mib"] - figures["of_which_this_bench_mib"]
    print(f"{2 * load.markets:,} tokens, {load.clients} clients, {load.updates_per_s:,} updates per second wanted")
    print(f"sent {figures['updates']:,} at {figures['updates_per_s']:,} per second, missing {figures['missing']}")
    print(f"lag p50 {figures['lag_ms']['p50']} ms, p99 {figures['lag_ms']['p99']} ms; memory {grown_mib:+.1f} MiB")
    whole = figures["missing"] == figures["too_many"] == figures["lost_connections"] == 0
    steady = grown_mib < MEMORY_GROWTH_MAX_MIB
    print(json.dumps({"load": vars(load), **figures, "whole": whole, "steady": steady, "machine": machine()}))
    return 0 if whole and steady else 1


if __name__ == "__main__":
    sys.exit(main())
