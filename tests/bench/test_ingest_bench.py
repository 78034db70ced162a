"""The short form of the ingest bench: every contestant receives every frame and ends with the server's own best prices."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
TIMEOUT_S = 120


@pytest.mark.slow
def test_every_contestant_ends_with_the_same_best_prices() -> None:
    bench = [sys.executable, "-m", "bench.ingest", "--short"]
    done = subprocess.run(bench, cwd=REPOSITORY, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["wrong"] == {"ours": 0, "sdk": 0, "lower_bound": 0}
    # Both tokens of every frame were seen, by us as changes of books and by the SDK's user as events.
    assert result["changes"] == {"ours": 2 * result["frames"], "sdk": 2 * result["frames"], "lower_bound": 0}
    assert all(result[figure][name] > 0 for figure in ("cpu_us", "wall_us") for name in ("ours", "sdk", "lower_bound"))
    assert result["ratio_cpu"] > 0 and result["ratio_wall"] > 0
