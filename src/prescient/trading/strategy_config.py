"""Checks and completes a portfolio's ``strategy_config``: the keys all strategies share, and each strategy's own."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from polymarket_kit.errors import InvalidRequest
from prescient.ports.strategy import Parameter, Strategy

TEXT_LENGTH_MAX = 100
LIST_LENGTH_MAX = 100

# Parameters of the portfolio rather than of one strategy (runbook: min_confidence, market_types, trade size $100).
COMMON: tuple[Parameter, ...] = (
    Parameter("trade_size_usd", "number", 100, "Dollars per trade, fees on top", 1, 10_000_000, "USD"),
    Parameter("min_confidence", "number", 0, "Floor on the strategy's score (not on the price)", 0, 1),
    Parameter("market_types", "text_list", [], "Tags of events to trade, such as politics or crypto; empty means all"),
    Parameter("max_slippage_pct", "number", 2, "How much worse than the quoted price a fill may be", 0, 50, "%"),
    Parameter("add_to_positions", "boolean", False, "Whether to buy more of a market that is already held"),
    Parameter("max_trades_per_cycle", "integer", 100, "Most orders that one cycle may send", 1, 10_000),
)


def parameters_of(strategy: Strategy) -> tuple[Parameter, ...]:
    """Every key that a portfolio of this strategy understands."""
    return COMMON + tuple(strategy.parameters)


def complete(strategy: Strategy, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the configuration with defaults filled in. Raises InvalidRequest naming the key, never its value."""
    known = {parameter.name: parameter for parameter in parameters_of(strategy)}
    for name in given:
        if name not in known:
            listed = ", ".join(known)
            raise InvalidRequest(
                "strategy_config", f"unknown key for strategy {strategy.name}; it understands {listed}"
            )
    return {name: _checked(parameter, given.get(name, parameter.default)) for name, parameter in known.items()}


def check(strategy: Strategy, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the given keys alone, checked: what is stored, so that later defaults apply to old portfolios."""
    completed = complete(strategy, given)
    return {name: completed[name] for name in given}


def _checked(parameter: Parameter, value: Any) -> Any:
    field = f"strategy_config.{parameter.name}"
    if parameter.kind in ("number", "integer"):
        return _number(field, parameter, value)
    if parameter.kind == "boolean":
        if not isinstance(value, bool):
            raise InvalidRequest(field, "must be true or false")
        return value
    if parameter.kind == "text":
        return _text(field, value)
    if not isinstance(value, list | tuple) or len(value) > LIST_LENGTH_MAX:
        raise InvalidRequest(field, f"must be a list of at most {LIST_LENGTH_MAX} texts")
    return [_text(field, item) for item in value]


def _number(field: str, parameter: Parameter, value: Any) -> int | float:
    kind = "a whole number" if parameter.kind == "integer" else "a number"
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InvalidRequest(field, f"must be {kind}")
    if parameter.kind == "integer" and value != int(value):
        raise InvalidRequest(field, f"must be {kind}")
    if (parameter.minimum is not None and value < parameter.minimum) or (
        parameter.maximum is not None and value > parameter.maximum
    ):
        raise InvalidRequest(
            field, f"must be from {parameter.minimum} to {parameter.maximum} {parameter.unit}".rstrip()
        )
    return int(value) if parameter.kind == "integer" else value


def _text(field: str, value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= TEXT_LENGTH_MAX or not value.isprintable():
        raise InvalidRequest(field, f"must be printable text of 1 to {TEXT_LENGTH_MAX} characters")
    return value
