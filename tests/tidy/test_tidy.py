"""The house rules that a machine can hold: sizes, first lines, the clock and chance, modes, fakes, secrets."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
SOURCE = REPOSITORY / "src"
FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
NESTING_MAX = 3
BLOCKS = (ast.For, ast.AsyncFor, ast.While, ast.If, ast.With, ast.AsyncWith, ast.Try, ast.Match)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)

# Time, chance and ids come through ports everywhere below the entry points and adapters.
FORBIDDEN_CALLS = {
    "datetime.now",
    "datetime.utcnow",
    "date.today",
    "time.time",
    "time.monotonic",
    "time.sleep",
    "uuid.uuid4",
    "uuid4",
    "asyncio.sleep",
}
FORBIDDEN_MODULES = {"random", "secrets", "uuid"}
# Packages that live in our time: entry points, adapters, and the practice exchange's running half.
OUTER = (
    "prescient/adapters",
    "prescient/api",
    "prescient/cli",
    "prescient/worker",
    "prescient/supervisor",
    "prescient/python_api.py",
    "prescient/tcp_ports.py",
    "practice_exchange/app",
    "practice_exchange/faults",
    "practice_exchange/clob",
    "practice_exchange/streams",
    "practice_exchange/web",
    "practice_exchange/chain",
    "practice_exchange/data",
)
MODE_WORDS = {"practice", "polymarket", "paper", "live", "backtest"}


def python_files(*folders: str) -> list[Path]:
    found = [path for folder in folders for path in sorted((REPOSITORY / folder).rglob("*.py"))]
    assert found, "no files to check"
    return found


def name_of(path: Path) -> str:
    return str(path.relative_to(REPOSITORY))


def all_code() -> list[Path]:
    return python_files("src", "tests", "bench")


def is_outer(path: Path) -> bool:
    return path.relative_to(SOURCE).as_posix().startswith(OUTER)


@pytest.mark.parametrize("path", all_code(), ids=name_of)
def test_file_is_small_and_says_where_it_stands(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    assert len(text.splitlines()) <= FILE_LINES_MAX
    docstring = ast.get_docstring(tree)
    assert docstring, "a module opens with one to three lines that say where it stands"
    for node in ast.walk(tree):
        if isinstance(node, FUNCTIONS):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= FUNCTION_LINES_MAX, f"{node.name} has {length} lines"


def nesting(node: ast.AST, depth: int = 0) -> int:
    deepest = depth
    for child in ast.iter_child_nodes(node):
        if isinstance(child, FUNCTIONS):
            continue
        # `elif` is an If inside an If's orelse: it reads as the same depth.
        chained = isinstance(node, ast.If) and isinstance(child, ast.If) and child in node.orelse
        step = 1 if isinstance(child, BLOCKS) and not chained else 0
        deepest = max(deepest, nesting(child, depth + step))
    return deepest


@pytest.mark.parametrize("path", python_files("src"), ids=name_of)
def test_nesting_is_shallow(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, FUNCTIONS):
            assert nesting(node) <= NESTING_MAX, f"{node.name} nests {nesting(node)} deep"


def calls_and_imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func)
        elif isinstance(node, ast.Import):
            yield from (f"import {alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield f"import {node.module}"


@pytest.mark.parametrize("path", [path for path in python_files("src") if not is_outer(path)], ids=name_of)
def test_core_reads_no_clock_and_throws_no_dice(path: Path) -> None:
    used = set(calls_and_imports(ast.parse(path.read_text(encoding="utf-8"))))
    assert not used & FORBIDDEN_CALLS
    # The practice world's chance is drawn from its seed, which is part of its state.
    if not path.is_relative_to(SOURCE / "practice_exchange" / "world"):
        assert not used & {f"import {module}" for module in FORBIDDEN_MODULES}


@pytest.mark.parametrize(
    "path", [path for path in python_files("src/prescient") if path.name != "wiring.py"], ids=name_of
)
def test_no_branch_on_a_mode_outside_wiring(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Compare | ast.MatchValue):
            # A collection that is searched for a mode compares as well.
            words = {part.value for part in ast.walk(node) if isinstance(part, ast.Constant)}
            assert not words & MODE_WORDS, f"line {node.lineno} compares with a mode word"


def test_only_the_engine_touches_its_core() -> None:
    outside = [path for path in python_files("src") if not path.is_relative_to(SOURCE / "practice_exchange" / "engine")]
    touching = [
        f"{name_of(path)}:{node.lineno}"
        for path in outside
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if (isinstance(node, ast.Attribute) and node.attr == "core")
        or (isinstance(node, ast.ImportFrom) and node.module == "practice_exchange.engine.core")
    ]
    assert touching == []


def test_only_the_risk_gate_approves_orders() -> None:
    makers = [
        name_of(path)
        for path in python_files("src")
        if "ApprovedOrder" in {call.split(".")[-1] for call in calls_and_imports(ast.parse(path.read_text("utf-8")))}
    ]
    assert makers == ["src/prescient/domain/risk.py"]


@pytest.mark.parametrize("path", python_files("tests"), ids=name_of)
def test_fakes_are_real_small_implementations(path: Path) -> None:
    used = set(calls_and_imports(ast.parse(path.read_text(encoding="utf-8"))))
    assert not {"import unittest.mock", "import mock"} & used
    assert not any(call.endswith("mock.patch") for call in used)


def text_files() -> list[Path]:
    endings = {".py", ".md", ".toml", ".sh", ".bat", ".txt", ".in", ".example", ".yml"}
    skipped = {".venv", ".uv", ".git", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis"}
    return [
        path
        for path in sorted(REPOSITORY.rglob("*"))
        if path.is_file() and path.suffix in endings and not skipped & set(path.relative_to(REPOSITORY).parts)
    ]


# The well-known key of the local test chain may be named in tests; anything else of that shape is a leak.
SECRET = re.compile(r"0x[0-9a-fA-F]{64}\b|-----BEGIN [A-Z ]*PRIVATE KEY-----")


def test_no_private_key_anywhere() -> None:
    for path in text_files():
        if path.is_relative_to(REPOSITORY / "tests") or path.is_relative_to(REPOSITORY / "requirements"):
            continue
        assert not SECRET.search(path.read_text(encoding="utf-8")), f"{name_of(path)} holds something like a key"
