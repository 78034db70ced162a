"""One contestant of the cycle bench in a process of its own: ours, the lower bound or the usual bot, started by standard input.

Each line of its standard input asks for one more run on the same database; each run answers one line of JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import uvloop
from bench.loop_watch import LoopWatch
from bench.lower_bound import LowerBound
from bench.usual_bot import UsualBot

from prescient import wiring
from prescient.administration.portfolios import ensure_first_portfolio
from prescient.domain.cycle import CycleReport, CycleRequest
from prescient.settings import PORT_PRACTICE, Settings
from prescient.supervisor.gc_tuning import tune_garbage_collection
from prescient.trading.cycle import start_cycle

Run = Callable[[], Awaitable[dict[str, Any]]]


@asynccontextmanager
async def our_cycle(settings: Settings, *, watched: bool) -> AsyncIterator[Run]:
    """The whole cycle over the context that the API process opens, with one portfolio and the default filters."""
    async with wiring.open_context(settings) as context:
        await ensure_first_portfolio(context)
        steps = wiring.local_cycle_steps(context)
        tune_garbage_collection()

        async def run() -> dict[str, Any]:
            watch = LoopWatch() if watched else None
            request = CycleRequest(context.ids.new("cycle"), ())
            if watch is not None:
                watch.start()
            started_s = time.perf_counter()
            report = await start_cycle(context.store, steps, context.clock, request)
            elapsed_s = time.perf_counter() - started_s
            found: dict[str, Any] = {"seconds": elapsed_s, "steps": steps_of(report), "status": report.status.value}
            if watch is not None:
                found["loop"] = watch.stop()
            return found

        yield run


def steps_of(report: CycleReport) -> list[dict[str, Any]]:
    return [
        {"step": step.step.value, "in": step.count_in, "out": step.count_out, "seconds": step.seconds}
        for step in report.steps
    ]


@asynccontextmanager
async def other(contestant: LowerBound | UsualBot) -> AsyncIterator[Run]:
    await contestant.open()
    # What helps us there helps everybody.
    tune_garbage_collection()

    async def run() -> dict[str, Any]:
        started_s = time.perf_counter()
        await contestant.run()
        return {"seconds": time.perf_counter() - started_s}

    yield run
    await contestant.close()


OUR_TABLES = {
    "events": "events",
    "markets": "markets",
    "decisions": "decisions",
    "snapshots": "market_snapshots",
    "signals": "trading_signals",
    "trades": "trades",
}
BOT_TABLES = {name: f"bot_{name}" for name in OUR_TABLES}


async def counts(dsn: str, tables: dict[str, str]) -> dict[str, int]:
    """How many rows a run left, read back by another connection."""
    connection = await asyncpg.connect(dsn)
    found = {name: await connection.fetchval(f"SELECT count(*) FROM {table}") for name, table in tables.items()}
    await connection.close()
    return found


async def serve_runs(open_run: Any, dsn: str, tables: dict[str, str]) -> None:
    async with open_run as run:
        say({"ready": True})
        while (await asyncio.to_thread(sys.stdin.readline)).strip():
            found = await run()
            # ru_maxrss is in KiB on Linux; what reading the counts takes is not the cycle's.
            found["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            found["rows"] = await counts(dsn, tables)
            say(found)


def say(fields: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("contestant", choices=("ours", "watched", "lower_bound", "bot"))
    parser.add_argument("--practice-port", type=int, required=True)
    # The connection's parts, as JSON on the first line of standard input: a password is no argument.
    arguments = parser.parse_args()
    login = json.loads(sys.stdin.readline())
    settings = Settings(
        PRESCIENT_HOME=Path(login["home"]),
        PRESCIENT_PORT_SHIFT=arguments.practice_port - PORT_PRACTICE,
        POSTGRES_HOST=login["host"],
        POSTGRES_PORT=login["port"],
        POSTGRES_DB=login["database"],
        POSTGRES_USER=login["user"],
        POSTGRES_PASSWORD=login["password"],
        PYTHON_LOG_LEVEL="WARNING",
        _env_file=None,
    )
    dsn = wiring.connection(settings).dsn()
    if arguments.contestant == "bot":
        runs = serve_runs(other(UsualBot(wiring.practice_url(settings), dsn)), dsn, BOT_TABLES)
    elif arguments.contestant == "lower_bound":
        runs = serve_runs(other(LowerBound(wiring.gamma_url(settings), dsn)), dsn, OUR_TABLES)
    else:
        watched = arguments.contestant == "watched"
        runs = serve_runs(our_cycle(settings, watched=watched), dsn, OUR_TABLES)
    # The watch sees every callback of asyncio's own loop; uvloop, on which the product runs, hides some.
    factory = asyncio.new_event_loop if arguments.contestant == "watched" else uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(runs)


if __name__ == "__main__":
    main()
