"""A user's own strategies: Python files named in PRESCIENT_STRATEGIES by whoever runs the machine, never through the API."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

from polymarket_kit.errors import PrescientError
from prescient.ports import Parameter, Strategy

REQUIRED = ("name", "description", "parameters", "history_hours", "decide")
HISTORY_HOURS_MAX = 24 * 90


class StrategyFileError(PrescientError):
    """A strategy file cannot be used; the message names the file and what it lacks."""

    code = "strategy_file"


def load_strategies(paths: str) -> list[Strategy]:
    """Load the ``STRATEGY`` object of each file; paths are separated as in PATH. Raises StrategyFileError."""
    return [_load(Path(text).expanduser()) for text in paths.split(os.pathsep) if text.strip()]


def _load(path: Path) -> Strategy:
    if not path.is_file():
        raise StrategyFileError(f"Strategy file {path} does not exist. Correct PRESCIENT_STRATEGIES.")
    spec = importlib.util.spec_from_file_location(f"prescient_user_strategy_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise StrategyFileError(f"Strategy file {path} is not a Python file. Its name must end in .py.")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
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
