"""How many signed orders a second the practice exchange takes over HTTP on one core, how fast it answers, and what that costs.

Run `python -m bench.orders_http`. Server and client are processes on a core each; the server is what `prescient practice`
starts, journal included. The lower bound answers the same requests with nothing behind it. Prints one JSON line at the end.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import uvloop
from aiohttp import web
from bench.machinery import machine
from bench.orders_client import Outcome, flood, pace, writer_for
from bench.orders_stages import stages

CONNECTIONS = 8
PACE_CONNECTIONS = 64
PACE_PER_S = 500.0
GOAL_PER_S = 1_000.0
GOAL_P99_MS = 10.0
ROUNDS = 5
STOP_S = 10


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--short", action="store_true", help="a few orders, to see that it runs")
    options.add_argument("--lower-bound", action="store_true", help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.lower_bound:
        uvloop.run(serve_lower_bound())
        return
    count, paced = (200, 100) if chosen.short else (4_000, 5_000)
    pin(os.getpid(), 1)
    result = {"machine": machine(), **measure(count, paced, 1 if chosen.short else ROUNDS)}
    result["stages_us"] = show_stages(
        stages(200 if chosen.short else 3_000), result["lower_bound"]["cpu_us"], result["exchange"]["cpu_us"]
    )
    print(json.dumps(result))


def measure(count: int, paced: int, rounds: int) -> dict[str, Any]:
    with lower_bound_server() as (lower_bound, lower_bound_url), exchange_server() as (exchange, known):
        writer = writer_for(known)
        uvloop.run(flood(known["clob_url"], writer.requests(200), CONNECTIONS))
        ours, empty = [], []
        for _ in range(rounds):
            requests = writer.requests(count // rounds)
            ours.append(timed(exchange, flood(known["clob_url"], requests, CONNECTIONS)))
            empty.append(timed(lower_bound, flood(lower_bound_url, requests, CONNECTIONS)))
        steady_rounds, steady_lower_bound = [], []
        for _ in range(rounds):
            requests = writer.requests(paced // rounds)
            steady_rounds.append(timed(exchange, pace(known["clob_url"], requests, PACE_PER_S, PACE_CONNECTIONS))[0])
            steady_lower_bound.append(
                timed(lower_bound, pace(lower_bound_url, requests, PACE_PER_S, PACE_CONNECTIONS))[0]
            )
        memory_mib = exchange.memory_info().rss / 2**20
    flooded = summary(ours)
    lower_bound_summary = summary(empty)
    print(f"orders over HTTP, signatures verified, journal written, {CONNECTIONS} connections")
    for name, line in (("exchange", flooded), ("empty handler", lower_bound_summary)):
        print(f"  {name:<16}{line['per_s']:>9,.0f}/s{line['cpu_us']:>9.0f} us CPU each  {line['statuses']}")
    print(f"  one core alone could take {1e6 / flooded['cpu_us']:,.0f} orders a second")
    print(f"  the exchange costs {flooded['cpu_us'] / lower_bound_summary['cpu_us']:.1f} times the empty handler")
    held = flooded["per_s"] >= GOAL_PER_S
    print(f"  goal of {GOAL_PER_S:,.0f} a second: {'met' if held else 'missed'}")
    print(f"at {PACE_PER_S:,.0f} a second, {paced:,} orders, ms from the moment at which each was due:")
    steady = {"exchange": latencies(steady_rounds), "empty handler": latencies(steady_lower_bound)}
    for name, figures in steady.items():
        best = figures["best_round"]
        print(f"  {name:<16}all: {figures['all']}  best round: {best}  p99 of each: {figures['p99_of_rounds']}")
    best_ms = steady["exchange"]["best_round"]["p99"]
    print(
        f"  goal of {GOAL_P99_MS:g} ms at p99: {'met' if best_ms <= GOAL_P99_MS else 'missed'}; memory {memory_mib:.0f} MiB"
    )
    return {
        "exchange": flooded,
        "lower_bound": lower_bound_summary,
        "ratio": round(flooded["cpu_us"] / lower_bound_summary["cpu_us"], 2),
        "steady": {"statuses": summary([(each, 0.0) for each in steady_rounds])["statuses"], **steady},
        "memory_mib": round(memory_mib),
    }


def latencies(rounds: list[Outcome]) -> dict[str, Any]:
    """Of all orders together, and of the round that was disturbed least."""
    together = Outcome(0.0, Counter(), [each for outcome in rounds for each in outcome.latencies_s])
    best = min(rounds, key=lambda outcome: outcome.quantile_ms(0.99))
    return {
        "all": _quantiles(together),
        "best_round": _quantiles(best),
        "p99_of_rounds": [round(outcome.quantile_ms(0.99), 1) for outcome in rounds],
    }


def _quantiles(outcome: Outcome) -> dict[str, float]:
    return {name: round(outcome.quantile_ms(part), 2) for name, part in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99))}


def timed(server: psutil.Process, work: Coroutine[Any, Any, Outcome]) -> tuple[Outcome, float]:
    """Run a client's work; return what came out and the server's own microseconds for each request."""
    before = server.cpu_times()
    outcome: Outcome = uvloop.run(work)
    after = server.cpu_times()
    spent_s = after.user + after.system - before.user - before.system
    return outcome, spent_s * 1e6 / len(outcome.latencies_s)


def summary(rounds: list[tuple[Outcome, float]]) -> dict[str, Any]:
    """The best round: what the code does when nobody else uses the machine."""
    best = max(rounds, key=lambda each: len(each[0].latencies_s) / each[0].seconds)[0]
    statuses: dict[int, int] = {}
    for outcome, _ in rounds:
        for status, number in outcome.statuses.items():
            statuses[status] = statuses.get(status, 0) + number
    return {
        "per_s": round(len(best.latencies_s) / best.seconds),
        "rounds_per_s": [round(len(outcome.latencies_s) / outcome.seconds) for outcome, _ in rounds],
        "cpu_us": round(sum(cpu for _, cpu in rounds) / len(rounds), 1),
        "statuses": statuses,
    }


def show_stages(measured: dict[str, float], http_us: float, whole_us: float) -> dict[str, float]:
    """Print where the time of one order goes: each stage by itself, and what the server spent beside them."""
    lines = {"HTTP (the lower bound)": http_us, **measured}
    lines["routing, matches, the world itself"] = max(whole_us - sum(lines.values()), 0.0)
    whole = sum(lines.values())
    print("where the time of one order goes, us:")
    for name, micros in lines.items():
        print(f"  {name:<36}{micros:>8.1f}{100 * micros / whole:>7.0f} %")
    return {name: round(micros, 1) for name, micros in lines.items()}


def pin(process_id: int, core: int) -> None:
    """Give a process a core of its own, where the system lets one choose and there are two."""
    if hasattr(os, "sched_setaffinity") and len(os.sched_getaffinity(0)) > 1:
        os.sched_setaffinity(process_id, {sorted(os.sched_getaffinity(os.getppid()))[core]})


@contextmanager
def exchange_server() -> Iterator[tuple[psutil.Process, dict[str, Any]]]:
    """The product's own command, on a home of its own."""
    with tempfile.TemporaryDirectory(prefix="prescient-bench-") as folder:
        environment = os.environ | {"PRESCIENT_HOME": folder, "PRESCIENT_SPEED": "1", "PRESCIENT_FROZEN": "0"}
        command = [sys.executable, "-m", "prescient", "practice", "--json", "--port", "0"]
        with running(command, environment, Path(folder)) as (process, first_line):
            yield process, json.loads(first_line)


@contextmanager
def lower_bound_server() -> Iterator[tuple[psutil.Process, str]]:
    with running([sys.executable, "-m", "bench.orders_http", "--lower-bound"], dict(os.environ), None) as (
        process,
        url,
    ):
        yield process, url.strip()


@contextmanager
def running(
    command: list[str], environment: dict[str, str], folder: Path | None
) -> Iterator[tuple[psutil.Process, str]]:
    """A server on the first core, from its first line on standard output to its end."""
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=folder
    )
    try:
        pin(process.pid, 0)
        assert process.stdout is not None
        yield psutil.Process(process.pid), process.stdout.readline()
    finally:
        process.terminate()
        process.wait(STOP_S)


async def serve_lower_bound() -> None:
    """Read a request and answer it with as many bytes as an order's answer has."""
    answer = json.dumps({"success": True, "orderID": "0x" + "0" * 64, "status": "live"}).encode()

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        await request.read()
        return web.Response(body=answer, content_type="application/json")

    runner = web.ServerRunner(web.Server(handle, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    sys.stdout.write(f"http://{host}:{port}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    main()
