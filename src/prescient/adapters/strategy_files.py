"""A user's own strategies: Python files named in PRESCIENT_STRATEGIES by whoever runs the machine, never through the API."""

from __future__ import annotations

import ast
import os
from pathlib import Path
from types import ModuleType

import structlog

from polymarket_kit.errors import PrescientError
from prescient import strategy as public
from prescient.ports.strategy import Parameter, Strategy

log = structlog.get_logger(__name__)

REQUIRED = ("name", "description", "parameters", "history_hours", "decide")
HISTORY_HOURS_MAX = 24 * 90


class StrategyFileError(PrescientError):
    """A strategy file cannot be used; the message names the file and what it lacks."""

    code = "strategy_file"
    permanent = True


def load_strategies(paths: str) -> list[Strategy]:
    """Load the ``STRATEGY`` object of each file; paths are separated as in PATH. Raises StrategyFileError."""
    return [_load(Path(text).expanduser()) for text in paths.split(os.pathsep) if text.strip()]


def _load(path: Path) -> Strategy:
    if not path.is_file():
        raise StrategyFileError(f"Strategy file {path} does not exist. Correct PRESCIENT_STRATEGIES.")
    if path.suffix != ".py":
        raise StrategyFileError(f"Strategy file {path} is not a Python file. Its name must end in .py.")
    module = ModuleType(f"prescient_user_strategy_{path.stem}")
    module.__file__ = str(path)
    try:
        tree = ast.parse(path.read_bytes(), filename=str(path))
        _use_public_names(path, tree)
        exec(compile(tree, str(path), "exec"), module.__dict__)  # noqa: S102 # the user's own file, as any import
    except StrategyFileError:
        raise
    except Exception as error:
        raise StrategyFileError(f"Strategy file {path} does not load: {type(error).__name__}: {error}") from error
    strategy: Strategy | None = getattr(module, "STRATEGY", None)
    if strategy is None:
        raise StrategyFileError(f"Strategy file {path} defines no STRATEGY. End it with: STRATEGY = YourClass()")
    missing = [name for name in REQUIRED if not hasattr(strategy, name)]
    if missing:
        raise StrategyFileError(
            f"STRATEGY in {path} lacks {', '.join(missing)}. See docs/strategies.md for a whole example."
        )
    hours, parameters = strategy.history_hours, strategy.parameters
    if not isinstance(hours, int) or not 0 <= hours <= HISTORY_HOURS_MAX:
        raise StrategyFileError(
            f"STRATEGY in {path}: history_hours must be a whole number from 0 to {HISTORY_HOURS_MAX}."
        )
    if not isinstance(parameters, tuple) or not all(isinstance(parameter, Parameter) for parameter in parameters):
        raise StrategyFileError(f"STRATEGY in {path}: parameters must be a tuple of Parameter, () for none.")
    return strategy


def _use_public_names(path: Path, tree: ast.Module) -> None:
    """Take names that the file imports from inside the product from the public module instead, and say so.

    Raises StrategyFileError for a name that the public module does not have.
    """
    for node in ast.walk(tree):
        module = node.module or "" if isinstance(node, ast.ImportFrom) else ""
        if not isinstance(node, ast.ImportFrom) or not _is_inside(module):
            continue
        names = ", ".join(alias.name for alias in node.names)
        unknown = [alias.name for alias in node.names if alias.name not in public.__all__]
        if unknown:
            raise StrategyFileError(
                f"Strategy file {path}, line {node.lineno}: {', '.join(unknown)} cannot be imported from {module}. "
                f"Strategies import from prescient.strategy, which has: {', '.join(public.__all__)}."
            )
        log.warning("strategy imports from an old path", file=str(path), line=node.lineno, old=module, names=names)
        log.warning("write this instead", line=f"from {public.__name__} import {names}")
        node.module = public.__name__


def _is_inside(module: str) -> bool:
    package = module.partition(".")[0]
    return package in ("prescient", "polymarket_kit") and module != public.__name__
