"""How fast ``price_change`` frames become best prices: our stream, the venue's official SDK, and the bare bytes, in one run.

Run `python -m bench.ingest`. A server in a process of its own renders all frames beforehand and sends them over loopback; each
contestant runs alone on one core, and must end with the very best prices that the server's books have.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import sys
import time
from collections.abc import Sequence
from typing import Any

import msgspec
import uvloop
from bench.ingest_frames import MARKETS, Facts, settle_on_core
from bench.machinery import Partner, machine
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect
from polymarket.clients.async_public import AsyncPublicClient
from polymarket.environments import PRODUCTION, _create_environment
from polymarket.models.clob.market_events import MarketPriceChangeEvent
from polymarket.streams import MarketSpec

from polymarket_kit.values import parse_micro
from prescient.adapters.clock import SystemClock
from prescient.adapters.polymarket.messages.stream_messages import subscription
from prescient.adapters.polymarket.stream.assets import StreamLimits
from prescient.adapters.polymarket.stream.stream import PolymarketStream
from prescient.domain.market import OrderBook
from prescient.domain.stream import BookSeen, LevelSeen

GOAL = 4.0
FRAMES, FRAMES_SHORT = 60_000, 2_000
MARKETS_SHORT = 5
ROUNDS = 5
CONTESTANTS = ("ours", "sdk", "lower_bound")
NAMES = {"ours": "ours", "sdk": "official SDK 0.14", "lower_bound": "lower bound: bytes received"}
CORE = 1
Bests = dict[str, tuple[int, int]]


class Watch:
    """From the first change to the last: seconds that passed, and seconds of this process's own."""

    def __init__(self) -> None:
        self._began: tuple[float, float] | None = None

    def start(self) -> None:
        if self._began is None:
            self._began = time.perf_counter(), time.process_time()

    def stop(self) -> dict[str, float]:
        assert self._began is not None, "not one change arrived"
        return {"seconds": time.perf_counter() - self._began[0], "cpu_s": time.process_time() - self._began[1]}


async def ours(url: str, facts: Facts) -> dict[str, Any]:
    """Books of our own, held against the message's best prices, and every change handed to a consumer."""

    async def no_witness(_: Sequence[str]) -> dict[str, OrderBook]:
        return {}

    # There is no REST side to ask whether a quiet book is right.
    limits = StreamLimits(quiet_s=3_600.0)
    stream = PolymarketStream(url=url, books=no_witness, clock=SystemClock(), limits=limits)
    await stream.follow(facts.tokens)
    watch, books, changes = Watch(), 0, 0
    async for event in stream.events():
        if type(event) is LevelSeen:
            watch.start()
            changes += 1
            if event.time_ms == facts.last_ms and event.token_id == facts.last_token:
                break
        elif type(event) is BookSeen:
            books += 1
    taken = watch.stop()
    assert books == len(facts.tokens) and not stream.counts["gaps"], f"{books} books, {dict(stream.counts)}"
    bests: Bests = {}
    for token in facts.tokens:
        book = stream.book(token)
        assert book is not None
        bests[token] = book.best_bid_micro or 0, book.best_ask_micro or 0
    await stream.close()
    return {**taken, "bests": bests, "changes": changes}


async def sdk(url: str, facts: Facts) -> dict[str, Any]:
    """The SDK's own market stream, unpatched: a user takes the best prices out of each of its events."""
    addresses: dict[str, Any] = {
        field.name: url for field in dataclasses.fields(PRODUCTION._config) if field.name.endswith("_url")
    }
    config = dataclasses.replace(PRODUCTION._config, **addresses)
    client = AsyncPublicClient(environment=_create_environment(name="bench", config=config))
    handle = await client.subscribe(MarketSpec(token_ids=facts.tokens))
    watch, changes = Watch(), 0
    latest: dict[str, Any] = {}
    done = False
    async for event in handle:
        if not isinstance(event, MarketPriceChangeEvent):
            continue
        watch.start()
        for change in event.payload.price_changes:
            latest[change.asset_id] = change
            changes += 1
        stamp = event.payload.timestamp
        if stamp is not None and round(stamp.timestamp() * 1000) == facts.last_ms:
            done = True
            break
    assert done, "the stream ended too soon"
    taken = watch.stop()
    await handle.close()
    await client.close()
    bests = {token: (parse_micro(change.best_bid), parse_micro(change.best_ask)) for token, change in latest.items()}
    return {**taken, "bests": bests, "changes": changes}


async def lower_bound(url: str, facts: Facts) -> dict[str, Any]:
    """Nothing but receiving: the websocket library hands over each frame and nobody looks into it."""
    done = asyncio.get_running_loop().create_future()

    class Receiver(WSListener):
        frames = 0
        watch = Watch()

        def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
            # The first frame is the books.
            self.frames += 1
            if self.frames == 2:
                self.watch.start()
            if self.frames == facts.frames + 1 and not done.done():
                done.set_result(None)

    transport, receiver = await ws_connect(Receiver, url, max_frame_size=1 << 24)
    assert isinstance(receiver, Receiver)
    transport.send(WSMsgType.TEXT, subscription(facts.tokens))
    await done
    taken = receiver.watch.stop()
    transport.disconnect()
    return {**taken, "bests": facts.bests, "changes": 0}


def contest(name: str) -> None:
    """Run one contestant in this process, as the line on its input says, and print what it took."""
    facts = msgspec.json.decode(sys.stdin.readline(), type=Facts)
    settle_on_core(CORE)
    work = {"ours": ours, "sdk": sdk, "lower_bound": lower_bound}[name]
    result = uvloop.run(work(f"ws://127.0.0.1:{facts.port}/ws/market", facts))
    wrong = [token for token, best in result.pop("bests").items() if best != facts.bests[token]]
    print(json.dumps({**result, "wrong": len(wrong), "frames": facts.frames}), flush=True)


def measure(frames: int, markets: int, rounds: int) -> dict[str, Any]:
    """Let everyone run ``rounds`` times in turn; returns the best figures of each."""
    server = Partner("bench.ingest_frames", str(frames), str(markets))
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in CONTESTANTS}
    try:
        facts = json.dumps(server.receive())
        for _ in range(rounds):
            for name in CONTESTANTS:
                partner = Partner("bench.ingest", "--contestant", name)
                partner.send(facts)
                runs[name].append(partner.receive())
                partner.end()
    finally:
        server.end()
    best = {name: min(run["cpu_s"] for run in all_runs) / frames * 1e6 for name, all_runs in runs.items()}
    passed = {name: min(run["seconds"] for run in all_runs) / frames * 1e6 for name, all_runs in runs.items()}
    return {
        "frames": frames,
        "cpu_us": best,
        "wall_us": passed,
        "ratio_cpu": best["sdk"] / best["ours"],
        "ratio_wall": passed["sdk"] / passed["ours"],
        "wrong": {name: sum(run["wrong"] for run in all_runs) for name, all_runs in runs.items()},
        "changes": {name: max(run["changes"] for run in all_runs) for name, all_runs in runs.items()},
        "machine": machine(),
    }


def report(result: dict[str, Any]) -> None:
    print(f"{result['frames']:,} price_change frames, two tokens each, on one core; best of the rounds")
    print(f"  {'':<26}{'us a frame':>12}{'frames/s':>12}{'elapsed us':>12}{'frames/s':>12}")
    for name in CONTESTANTS:
        cpu, wall = result["cpu_us"][name], result["wall_us"][name]
        print(f"  {NAMES[name]:<26}{cpu:>12.2f}{1e6 / cpu:>12,.0f}{wall:>12.2f}{1e6 / wall:>12,.0f}")
    ratio = result["ratio_cpu"]
    print(f"  ours is {ratio:.1f} times the SDK by the core's own time, {result['ratio_wall']:.1f} times by the clock")
    print(f"  goal of {GOAL:g} times on one core: {'met' if ratio >= GOAL else 'missed'}")
    print(
        "  ours keeps whole books, checks each message's best prices against them and hands every change to a consumer;"
    )
    print("  the SDK's user takes the best prices that the message names, and keeps no book")


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="a few frames, to see that everything runs")
    parser.add_argument("--contestant", choices=CONTESTANTS, help=argparse.SUPPRESS)
    parser.add_argument("--frames", type=int, default=0)
    parser.add_argument("--markets", type=int, default=0)
    chosen = parser.parse_args(arguments)
    frames = chosen.frames or (FRAMES_SHORT if chosen.short else FRAMES)
    markets = chosen.markets or (MARKETS_SHORT if chosen.short else MARKETS)
    if chosen.contestant:
        contest(chosen.contestant)
        return
    result = measure(frames, markets, 1 if chosen.short else ROUNDS)
    report(result)
    print(json.dumps(result))


if __name__ == "__main__":
    main(sys.argv[1:])
