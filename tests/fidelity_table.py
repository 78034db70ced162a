"""Writes docs/fidelity.md: runs every test marked ``fidelity`` and puts down what passed.

``python -m tests.fidelity_table`` runs and writes; ``--check`` runs nothing and says whether the file lists the marked
tests exactly. A row keeps its date, the day on which it was first proven, until its words change.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.exchange.api.deviations import DEVIATIONS, SERVED, UNSERVED
from tests.fidelity import AREAS, EVIDENCE, Claim, Collector, MarkerInvalid

REPOSITORY = Path(__file__).resolve().parents[1]
TABLE = REPOSITORY / "docs" / "fidelity.md"
HEAD = """# Fidelity

Written by `make fidelity`; do not edit. Each line is a rule of the venue with the test that proves that the practice
exchange keeps it, the day since when, and the evidence for the rule itself. What no test proves does not stand here.
Where practice and the venue are known to differ, a test pins the difference and the line says what practice does
instead: those are the seams.
"""
DATED = re.compile(r"^\|.*\| (?P<date>\d{4}-\d\d-\d\d) \|$")


def marked_files() -> list[str]:
    """The test files that carry markers, so that nothing else need be imported."""
    found = sorted((REPOSITORY / "tests").rglob("test_*.py"))
    marked = [path for path in found if "mark.fidelity(" in path.read_text(encoding="utf-8")]
    return [str(path.relative_to(REPOSITORY)) for path in marked]


def collect(*options: str) -> Collector:
    """Run pytest on the marked tests. Raises MarkerInvalid; exits when tests cannot be collected."""
    collector = Collector()
    code = pytest.main(["-q", "-m", "fidelity", "-p", "no:cacheprovider", *options, *marked_files()], [collector])
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        raise SystemExit(f"pytest ended with {code!r}: fix what it says above.")
    return collector


def render(claims: Iterable[Claim], dates: dict[str, str], today: str) -> str:
    """The whole file. ``dates`` holds the lines of the present file without their dates."""
    ordered = sorted(claims, key=lambda claim: (AREAS.index(claim.area), *claim.key[1:]))
    parts = [HEAD, _legend(ordered)]
    for area in AREAS:
        kept = [claim for claim in ordered if claim.area == area and not claim.seam]
        if kept:
            parts.append(_section(area, kept, dates, today))
    seams = [claim for claim in ordered if claim.seam]
    if seams:
        parts.append(_seams(seams, dates, today))
    parts += [_endpoints(dates, today), _deviations(), _unserved()]
    return "\n".join(parts)


def _legend(claims: list[Claim]) -> str:
    counts = {kind: sum(claim.evidence == kind for claim in claims) for kind in EVIDENCE}
    seams = sum(bool(claim.seam) for claim in claims)
    lines = [f"{len(claims) - seams} rules are kept, {seams} seams are known. By evidence:", ""]
    lines += [f"- **{kind}** ({counts[kind]}): {meaning}" for kind, meaning in EVIDENCE.items()]
    return "\n".join([*lines, ""])


def _section(title: str, claims: list[Claim], dates: dict[str, str], today: str) -> str:
    lines = [f"## {title}", "", "| rule | conformant | evidence | test | since |", "|---|---|---|---|---|"]
    lines += [
        _dated(f"| {_cell(claim.rule)} | yes | {_evidence(claim)} | `{claim.test}` |", dates, today) for claim in claims
    ]
    return "\n".join([*lines, ""])


def _seams(claims: list[Claim], dates: dict[str, str], today: str) -> str:
    lines = [
        "## Seams: where practice is not the venue",
        "",
        "| area | the venue | practice | conformant | evidence | test | since |",
        "|---|---|---|---|---|---|---|",
    ]
    for claim in claims:
        line = (
            f"| {claim.area} | {_cell(claim.rule)} | {_cell(claim.seam)} | no | {_evidence(claim)} | `{claim.test}` |"
        )
        lines.append(_dated(line, dates, today))
    return "\n".join([*lines, ""])


def _endpoints(dates: dict[str, str], today: str) -> str:
    """Every documented operation that is served: one test for each file asks them all and validates every answer."""
    tests = {
        "clob-openapi": "test_the_order_book_api_is_as_documented",
        "gamma-openapi": "test_the_catalogue_is_as_documented",
        "data-openapi": "test_the_data_api_is_as_documented",
        "relayer-openapi": "test_the_relayer_is_as_documented",
    }
    lines = ["## Endpoints", "", "| endpoint | conformant | evidence | test | since |", "|---|---|---|---|---|"]
    for file, operations in SERVED.items():
        test = f"`tests/exchange/api/test_openapi_conformance.py::{tests[file]}`"
        for name in operations:
            exceptions = sum(each.file == file and each.operation == name for each in DEVIATIONS)
            plural = "s" if exceptions > 1 else ""
            verdict = f"yes, with {exceptions} exception{plural} below" if exceptions else "yes"
            lines.append(_dated(f"| `{name}` | {verdict} | specification: {file} | {test} |", dates, today))
    return "\n".join([*lines, ""])


def _deviations() -> str:
    lines = [
        "## Exceptions to the official specifications",
        "",
        "Answers and frames are validated against the venue's OpenAPI and AsyncAPI files",
        "(`tests/exchange/api/test_openapi_conformance.py`, `tests/exchange/api/test_asyncapi_conformance.py`). These differ from",
        "them on purpose; the tests fail when one is not needed any more.",
        "",
        "| file | operation | where | why |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {each.file} | `{each.operation}` | `{_cell(each.where)}` | {_cell(each.reason)} |"
        for each in sorted(DEVIATIONS)
    ]
    return "\n".join([*lines, ""])


def _unserved() -> str:
    lines = [
        "## Documented, and not served",
        "",
        "Operations of the official specifications that practice refuses, most with 404; held by",
        "`tests/exchange/api/test_openapi_conformance.py::test_what_is_said_not_to_be_served_is_not_served`.",
        "",
        "| file | operations | why |",
        "|---|---|---|",
    ]
    lines += [
        f"| {each.file} | {', '.join(f'`{name}`' for name in each.operations)} | {_cell(each.reason)} |"
        for each in UNSERVED
    ]
    return "\n".join([*lines, ""])


def _evidence(claim: Claim) -> str:
    return f"{claim.evidence}: {_cell(claim.source)}" if claim.source else claim.evidence


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _dated(line: str, dates: dict[str, str], today: str) -> str:
    return f"{line} {dates.get(line, today)} |"


def read_dates(text: str) -> dict[str, str]:
    """Each line of the present file without its date, and that date."""
    dates = {}
    for line in text.splitlines():
        found = DATED.match(line)
        if found is not None:
            dates[line[: found.start("date") - 1]] = found["date"]
    return dates


def check(text: str) -> list[str]:
    """Lines that should stand in the file and do not, with a plus, and lines that should not, with a minus."""
    wanted = render(collect("--collect-only", "-q").claims, read_dates(text), "0000-00-00").splitlines()
    there = text.splitlines()
    missing, spare = [line for line in wanted if line not in there], [line for line in there if line not in wanted]
    order = [] if missing or spare or wanted == there else ["the lines are in another order"]
    return [f"+ {line}" for line in missing] + [f"- {line}" for line in spare] + order


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="run nothing; say whether docs/fidelity.md is up to date")
    wanted = parser.parse_args()
    text = TABLE.read_text(encoding="utf-8") if TABLE.exists() else ""
    try:
        if wanted.check:
            wrong = check(text)
            print("\n".join([*wrong, "Run: make fidelity"]) if wrong else "docs/fidelity.md lists the marked tests.")
            return 1 if wrong else 0
        collector = collect()
    except MarkerInvalid as error:
        print(error, file=sys.stderr)
        return 2
    unproven = [claim for claim in collector.claims if collector.verdict(claim) != "passed"]
    if unproven:
        lines = [f"{collector.verdict(claim)}: {claim.rule} ({claim.test})" for claim in unproven]
        print("\n".join(["Nothing was written; every marked test must pass:", *lines]), file=sys.stderr)
        return 1
    TABLE.write_text(render(collector.claims, read_dates(text), datetime.now(UTC).date().isoformat()), encoding="utf-8")
    print(f"{TABLE.relative_to(REPOSITORY)}: {len(collector.claims)} claims.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
