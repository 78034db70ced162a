"""The words and sizes that the code keeps to: retired identifiers stay retired, and each product stays within its budget."""

from __future__ import annotations

import ast
import re
import tokenize
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
GLOSSARY = REPOSITORY / "docs" / "glossary.md"
# Lines of Python, comments and docstrings included. The trading core is what a new developer reads first.
BUDGETS = {
    "the trading core": (
        # 7,000 before a lost answer, a request to the venue, an execution elsewhere and what a venue tells had their own code.
        7_700,
        (
            "src/prescient/domain",
            "src/prescient/strategies",
            "src/prescient/trading",
            "src/prescient/ports",
            "src/prescient/adapters/paper",
            "src/prescient/paper_matching",
        ),
    ),
    "the practice exchange": (16_500, ("src/practice_exchange",)),
    "the kit": (3_000, ("src/polymarket_kit",)),
}


def retired_identifiers(glossary: str) -> dict[str, str]:
    """What the table "Retired" lists in backticks in its first column, with the second column as it stands."""
    _, _, table = glossary.partition("## Retired")
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line.startswith("|")
    ]
    return {name: cells[1] for cells in rows if len(cells) == 2 for name in re.findall(r"`(\w+)`", cells[0])}


def uses_of(path: Path, names: dict[str, str]) -> list[str]:
    """Where a file uses one of these names as a whole identifier, whatever its strings and comments say."""
    with tokenize.open(path) as file:
        found = [token for token in tokenize.generate_tokens(file.readline) if token.type == tokenize.NAME]
    where = path.relative_to(REPOSITORY) if path.is_relative_to(REPOSITORY) else path
    return [
        f"{where}:{token.start[0]} {token.string} (use {names[token.string]})"
        for token in found
        if token.string in names
    ]


def python_files(*folders: str) -> list[Path]:
    found = [path for folder in folders for path in sorted((REPOSITORY / folder).rglob("*.py"))]
    assert found, "no files to check"
    return found


def test_no_retired_identifier_comes_back() -> None:
    names = retired_identifiers(GLOSSARY.read_text(encoding="utf-8"))
    assert len(names) >= 40, "the glossary's table was not read"
    uses = [use for path in python_files("src", "tests", "bench", "tools") for use in uses_of(path, names)]
    assert not uses, "\n".join(uses)


def test_a_word_in_a_text_is_no_identifier(tmp_path: Path) -> None:
    names = retired_identifiers("## Retired\n\n| retired | use instead |\n|---|---|\n| `Old`, `older` | `New` |\n")
    assert names == {"Old": "`New`", "older": "`New`"}
    file = tmp_path / "example.py"
    file.write_text('"""An Old tale."""\nOlder = 1  # the Old one\nprint(Old.value)\n')
    assert uses_of(file, names) == [f"{file}:3 Old (use `New`)"]


@pytest.mark.parametrize("product", BUDGETS)
def test_each_product_stays_within_its_size(product: str) -> None:
    most, folders = BUDGETS[product]
    lines = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in python_files(*folders))
    assert lines <= most, f"{product} has {lines} lines"


OUTCOMES = {"Refused", "Rejected", "Unresolved", "Pass", "Drop"}


def test_reasons_are_members_of_the_enumeration() -> None:
    """A code that is written out where it is used has no text for people."""
    for path in sorted((REPOSITORY / "src" / "prescient").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in OUTCOMES
                and node.args
            ):
                code = node.args[0].value if isinstance(node.args[0], ast.Constant) else None
                written_out = isinstance(code, str) and code != ""
                assert not written_out, f"{path.relative_to(REPOSITORY)}:{node.lineno} writes out a reason's code"
