"""The log alone tells what a cycle did: a line for each step and one for its end, once, even when it is asked again."""

from __future__ import annotations

import re

import pytest
import structlog

from tests.prescient.api.conftest import Clients


@pytest.mark.parametrize("times_asked", [1, 2])
async def test_a_cycle_leaves_a_line_for_each_step_and_one_for_its_end(
    clients: Clients, portfolio_id: int, times_asked: int
) -> None:
    with structlog.testing.capture_logs() as lines:
        for _ in range(times_asked):
            answer = (
                await clients["controller"].post("/trading/run-full-cycle", headers={"Idempotency-Key": "once"})
            ).json()
    told = [line for line in lines if line["log_level"] == "info" and line.get("cycle_id") == answer["cycle_id"]]
    assert [line["event"] for line in told] == [
        "cycle step 1 Export Events",
        "cycle step 2 Filter Events",
        "cycle step 3 Filter Markets",
        "cycle step 4 Generate Signals",
        "cycle step 5 Execute Trades",
        "cycle step 6 Update Prices",
        "cycle step 7 Create Snapshot",
        "cycle completed",
    ]
    assert [(line["count_in"], line["count_out"], line["dropped"]) for line in told[:3]] == [
        (4, 3, 1),
        (3, 2, 1),
        (4, 2, 2),
    ]
    assert told[-1]["summary"] == "2 trades executed from 2 signals"


async def test_a_cycle_that_was_refused_says_why(clients: Clients) -> None:
    with structlog.testing.capture_logs() as lines:
        assert (await clients["controller"].post("/trading/run-full-cycle")).status_code == 409
    ended = [line for line in lines if line["event"] == "cycle ended without a report"]
    assert len(ended) == 1 and "No active portfolios" in ended[0]["error"]


async def test_with_debug_every_order_leaves_a_line(
    clients: Clients, portfolio_id: int, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("DEBUG", logger="prescient.adapters.paper"):
        await clients["controller"].post("/trading/run-full-cycle")
    lines = [record.getMessage() for record in caplog.records if record.name == "prescient.adapters.paper"]
    assert len(lines) == 2
    assert all(
        re.match(r"order \S+ BUY token \S+ limit 0\.\d+: FILLED, [\d.]+ shares in \d+ fills$", line) for line in lines
    )
