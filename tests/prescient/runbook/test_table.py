"""The table covers the runbook: each of its addresses, commands, queries and messages has a row with a proof or a reason."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[2]
PROOFS = {"call", "sql", "test", "replaced"}


def rows() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = tomllib.loads((HERE / "table.toml").read_text(encoding="utf-8"))["row"]
    return found


@pytest.fixture(scope="module")
def runbook(recorded_data: Path) -> str:
    return (recorded_data.parent / "runbooks" / "prescient-os.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("row", rows(), ids=lambda row: row["says"][:60])
def test_every_row_has_exactly_one_proof(row: dict[str, Any]) -> None:
    assert len(PROOFS & row.keys()) == 1
    if "test" in row:
        path, _, name = row["test"].partition("::")
        file = REPOSITORY / path
        assert file.is_file(), path
        assert name.startswith("test_"), "a row names the one test that proves it"
        assert re.search(rf"^(async )?def {name}\(", file.read_text(encoding="utf-8"), re.M), name


def covered(text: str) -> bool:
    folded = re.sub(r"\s+", " ", text)
    return any(folded in re.sub(r"\s+", " ", row["says"]) for row in rows())


def test_every_address_has_a_row(runbook: str) -> None:
    addresses = {address.rstrip(').:`"') for address in re.findall(r"http://localhost:\d+/[^\s`)\"]*", runbook)}
    assert len(addresses) > 10
    assert [address for address in sorted(addresses) if not covered(address)] == []


def test_every_query_has_a_row(runbook: str) -> None:
    queries = [block for block in re.findall(r"```sql\n(.*?)```", runbook, re.S)]
    assert len(queries) == 3
    assert [query for query in queries if not covered(query.strip())] == []


def test_every_command_has_a_row(runbook: str) -> None:
    blocks = re.findall(r"```(?:bash|batch)\n(.*?)```", runbook, re.S)
    commands = [line.strip() for block in blocks for line in block.splitlines()]
    # Comments, folders, and addresses (covered above) are no commands.
    said = [line for line in commands if line and not line.startswith(("#", "cd ", "@echo", "http"))]
    assert len(said) > 15
    missing = [line for line in said if not covered(re.sub(r"\s+#.*$", "", line))]
    assert missing == []


def test_every_import_of_the_product_has_a_row(runbook: str) -> None:
    blocks = re.findall(r"```python\n(.*?)```", runbook, re.S)
    imports = [line.strip() for block in blocks for line in block.splitlines() if re.match(r"(from|import)\b", line)]
    assert imports
    assert [line for line in imports if not covered(line)] == []


def test_every_message_of_the_troubleshooting_has_a_row(runbook: str) -> None:
    messages = re.findall(r'### Problem: .*?"(.+?)"', runbook)
    assert len(messages) >= 4
    assert [message for message in messages if not covered(message)] == []
