"""What the marker ``fidelity`` says about a test: which rule of the venue it proves, and what stands behind the rule.

    @pytest.mark.fidelity("GTD orders end one minute early", area="Orders", evidence="specification", source="order types")

A test of a known difference says so with ``seam="what practice does instead"``; the rule stays the venue's. A test may
carry several markers, and one case of a table may carry its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

AREAS = (
    "Log-in",
    "Signatures",
    "Orders",
    "Rejections",
    "Cancels",
    "Matching",
    "Fees",
    "Settlement",
    "Account",
    "Market data",
    "Catalogue",
    "Market stream",
    "User stream",
    "Data API",
    "Chain and relayer",
    "Limits and modes",
    "Official clients",
    "Paper",
)
EVIDENCE = {
    "recording": "bytes that the venue itself sent, kept with the project's recorded data (books, catalogue, frames, chain logs)",
    "official client": "the behaviour of `py-clob-client-v2` 1.2.1 or `polymarket-client` 0.14.0, which the venue publishes",
    "specification": "the venue's documentation of August 2026 and its OpenAPI and AsyncAPI files",
    "field report": "what users of the venue observed and published; it goes before the specification where both differ",
    "assumed": "nothing outside this project: the venue does not say, and this is what practice does",
}


class MarkerInvalid(Exception):
    """A fidelity marker that does not say what it must."""


@dataclass(frozen=True)
class Claim:
    """One rule, what is behind it, and the test that proves it."""

    area: str
    rule: str
    evidence: str
    source: str
    seam: str
    test: str

    @property
    def key(self) -> tuple[str, ...]:
        return (self.area, self.rule, self.evidence, self.source, self.seam, self.test)


def claims_of(item: pytest.Item) -> Iterator[Claim]:
    """The claims of one collected test. A marker on the function names the function, one on a case names the case."""
    callspec = getattr(item, "callspec", None)
    own = {id(marker) for marker in callspec.marks} if callspec is not None else set()
    for marker in item.iter_markers("fidelity"):
        test = item.nodeid if callspec is None or id(marker) in own else item.nodeid.partition("[")[0]
        yield _read(marker, test)


def _read(marker: pytest.Mark, test: str) -> Claim:
    given = dict(marker.kwargs)
    try:
        (rule,) = marker.args
        claim = Claim(
            given.pop("area"), rule, given.pop("evidence"), given.pop("source", ""), given.pop("seam", ""), test
        )
    except (KeyError, ValueError) as error:
        raise MarkerInvalid(f"{test}: a fidelity marker has one rule, area= and evidence=") from error
    if given or claim.area not in AREAS or claim.evidence not in EVIDENCE:
        raise MarkerInvalid(f"{test}: {marker} does not fit; see AREAS and EVIDENCE in tests/fidelity.py")
    return claim


class Collector:
    """A pytest plugin that takes down the claims of all collected tests, and how these tests ended."""

    def __init__(self) -> None:
        self.claims: dict[Claim, None] = {}
        self.failed: set[str] = set()
        self.skipped: set[str] = set()
        self.passed: set[str] = set()

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        for item in session.items:
            self.claims.update(dict.fromkeys(claims_of(item)))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed.add(report.nodeid)
        elif report.skipped:
            self.skipped.add(report.nodeid)
        elif report.when == "call":
            self.passed.add(report.nodeid)

    def verdict(self, claim: Claim) -> str:
        """What happened to a claim's test: passed only if all its cases did."""

        def among(tests: set[str]) -> bool:
            return any(test == claim.test or test.startswith(f"{claim.test}[") for test in tests)

        if among(self.failed):
            return "failed"
        return "skipped" if among(self.skipped) or not among(self.passed) else "passed"
