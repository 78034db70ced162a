"""How much memory a whole running system takes, and how soon it is there: ``python -m bench.memory``.

Installs into a fresh home, stops, starts again against the clock, runs one default cycle, waits a minute, and adds up
the proportional set size (PSS) of every process: what they share is counted once. Linux only.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import psutil
from bench.machinery import machine, temporary_home
from tests.running import Installation

PSS_MAX_MB, READY_MAX_S, STOP_MAX_S = 350.0, 5.0, 10.0
SETTLED_S = 60.0
MEGABYTE = 1_000_000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--wait", type=float, default=SETTLED_S, help="seconds between the cycle's end and the measuring"
    )
    parser.add_argument("--starts", type=int, default=3, help="starts of the installed system; the best counts")
    arguments = parser.parse_args()
    with temporary_home() as home:
        installation = Installation(home)
        try:
            result = measure(installation, arguments.starts, arguments.wait)
        finally:
            installation.kill_everything()
    result["machine"] = machine()
    show(result)
    sys.stdout.write(json.dumps(result) + "\n")
    return 0


def measure(installation: Installation, starts: int, wait_s: float) -> dict[str, Any]:
    result: dict[str, Any] = {"install_s": start(installation), "stop_s": [stop(installation)], "ready_s": []}
    for number in range(starts):
        result["ready_s"].append(start(installation))
        if number < starts - 1:
            result["stop_s"].append(stop(installation))
    status, cycle = installation.call("POST 8004 /trading/run-full-cycle", timeout_s=300)
    assert status == 200 and cycle["status"] == "completed", cycle
    result["cycle"] = {"steps": [(step["name"], step["in"], step["out"]) for step in cycle["steps"]]}
    time.sleep(wait_s)
    result["wait_s"] = wait_s
    result["pss_mb"] = by_role(installation)
    result["sum_mb"] = round(sum(part for role, part in result["pss_mb"].items() if role != "practice"), 1)
    result["stop_s"].append(stop(installation))
    return result


def start(installation: Installation) -> float:
    """Seconds from the command to the last service's healthy answer."""
    started_s = time.perf_counter()
    installation.start("up")
    installation.wait_ready()
    return round(time.perf_counter() - started_s, 2)


def stop(installation: Installation) -> float:
    """Seconds from SIGTERM to the end of every process."""
    started_s = time.perf_counter()
    installation.stop()
    return round(time.perf_counter() - started_s, 2)


def by_role(installation: Installation) -> dict[str, float]:
    """PSS of every process in megabytes, added up by what it does."""
    found: dict[str, float] = defaultdict(float)
    for process in installation.family():
        found[role_of(process)] += pss_bytes(process.pid) / MEGABYTE
    return {role: round(size, 1) for role, size in sorted(found.items())}


def role_of(process: psutil.Process) -> str:
    command = process.cmdline()
    if "postgres" in process.name():
        return "database"
    return command[-1] if "prescient.supervisor.supervised_entry" in command else "supervisor"


def pss_bytes(process_id: int) -> int:
    for line in Path(f"/proc/{process_id}/smaps_rollup").read_text(encoding="utf-8").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("this system does not report the proportional set size")


def show(result: dict[str, Any]) -> None:
    write = sys.stdout.write
    for role, size in result["pss_mb"].items():
        write(f"  {role:<12}{size:>8.1f} MB{'   (apart)' if role == 'practice' else ''}\n")
    for text, value, most, unit in (
        (f"sum of PSS {result['wait_s']:g} s after the first default cycle", result["sum_mb"], PSS_MAX_MB, "MB"),
        (
            "ready to serve once installed, best of " + str(len(result["ready_s"])),
            min(result["ready_s"]),
            READY_MAX_S,
            "s",
        ),
        ("stopped, slowest", max(result["stop_s"]), STOP_MAX_S, "s"),
    ):
        write(f"{'met   ' if value <= most else 'MISSED'}  {text}: {value} {unit}, at most {most:g} {unit}\n")
    write(f"        first start with installation: {result['install_s']} s; all starts: {result['ready_s']}\n")


if __name__ == "__main__":
    sys.exit(main())
