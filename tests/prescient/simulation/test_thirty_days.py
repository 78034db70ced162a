"""Thirty simulated days with trades that settle late or fail: every invariant, and twice the same from one seed."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.conftest import REPOSITORY

pytestmark = pytest.mark.both_cores

SEED, DAYS, FAILED_SHARE = 7, 30, 0.05


def start(hash_seed: str) -> subprocess.Popen[str]:
    """Run the simulation in a process of its own, with another order of Python's own hashing."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.prescient.simulation.run", str(SEED), str(DAYS), str(FAILED_SHARE)],
        env=os.environ | {"PYTHONHASHSEED": hash_seed},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
    )


def test_thirty_days_hold_every_invariant_and_are_equal_twice() -> None:
    runs = [start("1"), start("2")]
    outcomes = []
    for run in runs:
        output, errors = run.communicate()
        assert run.returncode == 0, errors[-3000:]
        outcomes.append(json.loads(output.splitlines()[-1]))
    first, second = outcomes
    assert first == second
    assert first["cycles"] == DAYS * 24
    assert first["strategies"]["majority"] > 50
    assert first["strategies"]["momentum"] > 20
    assert first["settled"] > 100
    assert first["half_payouts"] >= 1
    # Shares that the chain gave and took back again leave no trace in any of the sums that were checked.
    assert 0.02 < first["failed"] / first["trades"] < 0.08
    # One unified book per market has no set of both outcomes below a dollar: the strategy must not find any.
    assert first["strategies"]["complete_set"] == 0
