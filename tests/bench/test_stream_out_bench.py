"""The short form of the bench of the market stream out: every update reaches its reader once, and nothing piles up."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
TIMEOUT_S = 120


@pytest.mark.slow
def test_every_update_reaches_its_reader() -> None:
    bench = [sys.executable, "-m", "bench.stream_out", "--short"]
    done = subprocess.run(bench, cwd=REPOSITORY, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["updates"] > 0 and result["received"] > result["updates"]
    assert result["missing"] == result["too_many"] == result["lost_connections"] == 0
    assert result["whole"] and result["steady"]
    assert 0 < result["lag_ms"]["p50"] <= result["lag_ms"]["p99"] <= result["lag_ms"]["max"]
