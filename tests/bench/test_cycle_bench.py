"""The short form of the cycle bench: every contestant runs, on both sizes and twice, and leaves the rows it must leave."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
TIMEOUT_S = 300


@pytest.mark.slow
def test_every_contestant_does_its_whole_work() -> None:
    bench = [sys.executable, "-m", "bench.cycle", "--short"]
    done = subprocess.run(bench, cwd=REPOSITORY, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["incomplete"] == []
    large = str(result["sizes"][-1])
    assert result["rows"]["events"] == 100 and result["rows"]["markets"] == 600
    assert result["rows"]["trades"] > 0 and result["rows"]["snapshots"] > 0
    assert set(result["best_s"][large]) == {
        f"{name} {phase}" for name in ("ours", "lower_bound", "bot") for phase in ("first", "second")
    }
    assert all(seconds > 0 for seconds in result["best_s"][large].values())
    assert set(result["ratios"][large]) == {
        *(f"bot / ours {phase}" for phase in ("first", "second")),
        *(f"ours / lower_bound {phase}" for phase in ("first", "second")),
    }
    for phase in ("first", "second"):
        steps = [step["step"] for step in result["steps"][large][phase]]
        assert steps == ["collect", "filter", "screen", "decide", "execute", "mark", "snapshot"]
        # What the watch saw is at least the cycle's own steps.
        assert result["loop"][phase]["callbacks"] > 100 and result["loop"][phase]["longest_ms"] > 0
        assert result["growth"][phase] > 0
    assert result["peak_mib"] > 0
