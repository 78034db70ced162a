"""The short form of the bench of orders over HTTP: it runs, its orders are taken, and it says where the time goes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
TIMEOUT_S = 120


@pytest.mark.slow
def test_orders_are_taken_and_every_part_of_their_time_is_named() -> None:
    bench = [sys.executable, "-m", "bench.orders_http", "--short"]
    done = subprocess.run(bench, cwd=REPOSITORY, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    # Every request is signed for a market that takes orders: a wrong signature or log-in would show as 400 or 401.
    assert set(result["exchange"]["statuses"]) == {"200"} == set(result["lower_bound"]["statuses"])
    assert result["exchange"]["statuses"] == result["lower_bound"]["statuses"]
    assert result["steady"]["statuses"] == {"200": 100}
    assert result["exchange"]["cpu_us"] > 0 and result["lower_bound"]["cpu_us"] > 0 and result["ratio"] > 1
    assert {"HTTP (the lower bound)", "signature and order id", "engine", "journal"} < set(result["stages_us"])
    assert all(micros >= 0 for micros in result["stages_us"].values())
