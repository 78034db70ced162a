"""docs/fidelity.md lists exactly the tests that are marked for it; nothing is run for that."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from tests.fidelity import Claim, Collector
from tests.fidelity_table import REPOSITORY, TABLE, read_dates, render

CLAIM = Claim("Orders", "Salt is a number or a string", "specification", "POST /order", "", "tests/x.py::test_y")


@pytest.mark.slow
def test_the_table_lists_exactly_the_marked_tests() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.fidelity_table", "--check"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4_000:] + done.stderr[-2_000:]


def test_the_table_speaks_of_this_project_alone() -> None:
    text = TABLE.read_text(encoding="utf-8")
    assert "/work" not in text and "../" not in text
    assert "## Seams" in text and "## Exceptions" in text


def test_a_row_keeps_its_date_until_its_words_change() -> None:
    first = render([CLAIM], {}, "2026-01-01")
    again = render([CLAIM], read_dates(first), "2026-02-02")
    assert again == first and "2026-01-01" in first
    other = replace(CLAIM, source="another source")
    assert "2026-02-02" in render([other], read_dates(first), "2026-02-02")


def test_a_claim_is_proven_only_when_every_case_of_its_test_passed() -> None:
    collector = Collector()
    assert collector.verdict(CLAIM) == "skipped"
    collector.passed = {f"{CLAIM.test}[a]", "tests/x.py::test_yes"}
    assert collector.verdict(CLAIM) == "passed"
    collector.skipped = {f"{CLAIM.test}[b]"}
    assert collector.verdict(CLAIM) == "skipped"
    collector.failed = {f"{CLAIM.test}[c]"}
    assert collector.verdict(CLAIM) == "failed"
