"""The long comparison: `python -m tests.exchange.second_opinion.campaign --flows 100000` runs flows by seed over processes."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from multiprocessing import Pool

from tests.exchange.second_opinion.bridge import first_difference, shortened
from tests.exchange.second_opinion.flows import seeded_flow

BATCH = 250
SHOWN = 5


@dataclass
class Report:
    """What a run of flows has tried, and where the two sides differ, by seed."""

    counts: Counter[str] = field(default_factory=Counter)
    differences: dict[int, str] = field(default_factory=dict)

    def add(self, other: Report) -> None:
        """Take in the report of other flows."""
        self.counts.update(other.counts)
        self.differences.update(other.differences)


def run(seeds: Iterable[int]) -> Report:
    """Compare the flows of some seeds."""
    report = Report()
    for seed in seeds:
        report.counts["flows"] += 1
        found = first_difference(seeded_flow(seed), report.counts)
        if found:
            report.differences[seed] = found
    return report


def explain(seed: int) -> str:
    """A seed's difference with no more operations than it needs."""
    flow = shortened(seeded_flow(seed))
    lines = [f"seed {seed}: {flow.market}", *(f"  {operation}" for operation in flow.operations)]
    return "\n".join([*lines, first_difference(flow, Counter())])


def main() -> int:
    """Run the campaign, print its figures; 1 where anything differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flows", type=int, default=100_000)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    chosen = parser.parse_args()
    last = chosen.first_seed + chosen.flows
    batches = [range(start, min(start + BATCH, last)) for start in range(chosen.first_seed, last, BATCH)]
    report, started = Report(), time.monotonic()
    with Pool(chosen.processes) as pool:
        for done, part in enumerate(pool.imap_unordered(run, batches), 1):
            report.add(part)
            if done % 40 == 0 or done == len(batches):
                rate = report.counts["flows"] / (time.monotonic() - started)
                found = len(report.differences)
                print(f"{report.counts['flows']:,} flows, {found} differences, {rate:,.0f} flows/s", flush=True)
    for name, count in sorted(report.counts.items()):
        print(f"{name:28} {count:>12,}")
    for seed in sorted(report.differences)[:SHOWN]:
        print(explain(seed))
    print(f"differences: {len(report.differences)} of {report.counts['flows']:,} flows")
    return 1 if report.differences else 0


if __name__ == "__main__":
    sys.exit(main())
