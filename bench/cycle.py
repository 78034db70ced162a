"""How fast a whole trading cycle is: against the usual bot, against the lower bound, and against itself at a tenth of the size.

``python -m bench.cycle`` prints a table and, last, one line of JSON. Contestants take turns, each in its own process, on
its own fresh database of one server, asking the same practice exchange; the best of all rounds counts.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bench.machinery import Exchange, Server, contestant, machine, temporary_home

SIZES = ((500, 3_000), (5_000, 30_000))
SHORT_SIZES = ((20, 100), (100, 600))
CONTESTANTS = ("ours", "lower_bound", "bot")
PHASES = ("first", "second")
BOT_FACTOR, LOWER_BOUND_FACTOR, STRETCH_MS, GROWTH_FACTOR = 10.0, 2.5, 50.0, 1.25

Runs = dict[tuple[str, str], list[dict[str, Any]]]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="a small catalogue, once: does it run, is all there?")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="*", default=CONTESTANTS, choices=CONTESTANTS, help="leave contestants out")
    arguments = parser.parse_args()
    before = machine()
    sizes = SHORT_SIZES if arguments.short else SIZES
    measured = {}
    with temporary_home() as home, Server(home) as server:
        for events, markets in sizes:
            measured[markets] = measure(
                server, home, events, markets, 1 if arguments.short else arguments.rounds, arguments.only
            )
    result = {"machine": before, "load_after": machine()["load"], **summary(measured, short=arguments.short)}
    show(result)
    sys.stdout.write(json.dumps(result) + "\n")
    return 1 if result["incomplete"] else 0


def measure(server: Server, home: Path, events: int, markets: int, rounds: int, names: Iterable[str]) -> Runs:
    """Run everybody in turns, and our own cycle once more under the watch."""
    exchange = Exchange.start(events, markets)
    runs: Runs = defaultdict(list)
    try:
        for number in range(rounds):
            for name in names:
                run_both(server, home, exchange, name, f"{name}_{markets}_{number}", runs)
        run_both(server, home, exchange, "watched", f"watched_{markets}", runs)
    finally:
        exchange.partner.end()
    return runs


def run_both(server: Server, home: Path, exchange: Exchange, name: str, database: str, runs: Runs) -> None:
    """One contestant on an empty database, then again with all rows known and every market's figures moved."""
    with server.database(database) as login:
        partner = contestant(name, exchange, home, login)
        try:
            for phase in PHASES:
                found = partner.ask("go")
                found["wanted"] = {"events": exchange.events, "markets": exchange.markets}
                runs[name, phase].append(found)
                progress(name, phase, exchange.markets, found)
                found["bytes"] = exchange.stir()
                server.settle()
        finally:
            partner.end()


def progress(name: str, phase: str, markets: int, found: dict[str, Any]) -> None:
    sys.stderr.write(f"{markets:>6} markets  {name:<8} {phase:<7} {found['seconds']:8.3f} s\n")


def summary(measured: dict[int, Runs], *, short: bool) -> dict[str, Any]:
    """The best of each contestant and phase, and what follows from them."""
    sizes = sorted(measured)
    result: dict[str, Any] = {"sizes": sizes, "best_s": {}, "ratios": {}, "steps": {}, "incomplete": []}
    for markets, runs in measured.items():
        best = {key: min(found, key=lambda run: run["seconds"]) for key, found in runs.items() if key[0] != "watched"}
        result["best_s"][markets] = {f"{name} {phase}": round(run["seconds"], 3) for (name, phase), run in best.items()}
        result["steps"][markets] = {phase: best["ours", phase]["steps"] for phase in PHASES}
        result["ratios"][markets] = ratios({key: run["seconds"] for key, run in best.items()})
        result["incomplete"] += incomplete(markets, runs)
    large = measured[sizes[-1]]
    result["rounds"] = len(large["ours", "first"])
    result["catalogue_mib"] = round(large["ours", "first"][0]["bytes"] / 2**20, 1)
    result["rows"] = large["ours", "second"][0]["rows"]
    result["peak_mib"] = round(max(run["peak_mib"] for phase in PHASES for run in large["ours", phase]), 1)
    result["loop"] = {phase: large["watched", phase][0]["loop"] for phase in PHASES}
    result["growth"] = {phase: growth(measured, sizes, phase) for phase in PHASES}
    result["short"] = short
    return result


def ratios(seconds: dict[tuple[str, str], float]) -> dict[str, float]:
    found = {}
    for phase in PHASES:
        ours = seconds["ours", phase]
        if ("bot", phase) in seconds:
            found[f"bot / ours {phase}"] = round(seconds["bot", phase] / ours, 2)
        if ("lower_bound", phase) in seconds:
            found[f"ours / lower_bound {phase}"] = round(ours / seconds["lower_bound", phase], 2)
    return found


def growth(measured: dict[int, Runs], sizes: list[int], phase: str) -> float:
    """Time per market in the large catalogue over that in the small one.

    Without execute: a cycle sends a hundred orders at most, which would make the small catalogue look slow.
    """
    per_market = [min(map(without_execute, measured[size]["ours", phase])) / size for size in sizes]
    return round(per_market[-1] / per_market[0], 2)


def without_execute(run: dict[str, Any]) -> float:
    spent: float = sum(step["seconds"] for step in run["steps"] if step["step"] == "execute")
    return float(run["seconds"]) - spent


def incomplete(markets: int, runs: Runs) -> list[str]:
    """What a run did not leave in the database though it should have."""
    missing = []
    for (name, phase), found in runs.items():
        for run in found:
            rows, wanted = run["rows"], run["wanted"]
            if (rows["events"], rows["markets"]) != (wanted["events"], wanted["markets"]):
                missing.append(f"{name} {phase} at {markets} markets: {rows} instead of {wanted}")
            if name == "bot" and phase == "first" and rows["snapshots"] != runs["ours", phase][0]["rows"]["snapshots"]:
                missing.append(f"{name} {phase} at {markets} markets looked at other books than we did: {rows}")
            if name in ("ours", "watched") and not whole(run, phase):
                missing.append(f"{name} {phase} at {markets} markets: {run['status']}, {run['steps']}, {rows}")
    return missing


def whole(run: dict[str, Any], phase: str) -> bool:
    """Whether a cycle completed all seven steps and explained every event and market that it looked at."""
    steps = {step["step"]: step for step in run["steps"]}
    if run["status"] != "completed" or len(steps) != 7:
        return False
    dropped = steps["filter"]["in"] - steps["filter"]["out"]
    explained = dropped + steps["screen"]["in"] + steps["decide"]["in"] + steps["execute"]["in"]
    # The second cycle adds its own to the first one's.
    return bool(explained <= run["rows"]["decisions"] and (phase == "first" or run["rows"]["trades"] > 0))


def show(result: dict[str, Any]) -> None:
    write = sys.stdout.write
    write(
        f"Best of {result['rounds']} rounds, contestants in turns. Catalogue: {result['catalogue_mib']} MiB of JSON.\n"
    )
    write(
        f"{result['machine']['processor']}, {result['machine']['cores']} cores, Python {result['machine']['python']};"
    )
    write(f" load {result['machine']['load'][0]} before, {result['load_after'][0]} after\n\n")
    for markets, best in result["best_s"].items():
        write(f"{markets} markets\n")
        for name, seconds in best.items():
            write(f"  {name:<22}{seconds:>10.3f} s\n")
        for name, ratio in result["ratios"][markets].items():
            write(f"  {name:<22}{ratio:>10.2f} x\n")
        for phase, steps in result["steps"][markets].items():
            listed = "  ".join(f"{step['step']} {step['seconds']:.3f}" for step in steps)
            write(f"  steps {phase}: {listed}\n")
    write("\n")
    # The targets are for the large catalogue.
    for text, value, met in () if result["short"] else verdicts(result):
        write(f"{'met   ' if met else 'MISSED'}  {text}: {value}\n")
    for phase, loop in result["loop"].items():
        write(f"        {phase}: longest stretches (wall ms, own ms, where): {loop['stretches'][:3]}\n")
        write(f"        {phase}: {loop['collections']} collections, {loop['collections_ms']:.0f} ms in all,")
        write(f" the longest {loop['longest_collection_ms']:.1f} ms\n")
    for line in result["incomplete"]:
        write(f"INCOMPLETE  {line}\n")


def verdicts(result: dict[str, Any]) -> Iterable[tuple[str, str, bool]]:
    large = result["ratios"][result["sizes"][-1]]
    for phase in PHASES:
        bot, lower_bound = large.get(f"bot / ours {phase}"), large.get(f"ours / lower_bound {phase}")
        if bot is not None:
            yield f"{phase} cycle faster than the usual bot, at least {BOT_FACTOR:g}x", f"{bot:.1f}x", bot >= BOT_FACTOR
        if lower_bound is not None:
            yield (
                f"{phase} cycle over the lower bound, at most {LOWER_BOUND_FACTOR:g}x",
                f"{lower_bound:.2f}x",
                lower_bound <= LOWER_BOUND_FACTOR,
            )
        grown = result["growth"][phase]
        yield f"{phase} cycle linear, time per market large over small", f"{grown:.2f}", grown <= GROWTH_FACTOR
        loop = result["loop"][phase]
        stretch = f"{loop['longest_ms']:.1f} ms ({loop['longest_own_ms']:.1f} ms of our own processor time)"
        yield (
            f"{phase} cycle's longest stretch of the loop, at most {STRETCH_MS:g} ms",
            stretch,
            loop["longest_ms"] <= STRETCH_MS,
        )
    yield "peak memory of the cycle's process", f"{result['peak_mib']:.0f} MiB", True


if __name__ == "__main__":
    sys.exit(main())
