"""Prescient: an honest trading system for prediction markets."""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """``from prescient import create_portfolio`` loads what it needs only then: most of the product never asks for it."""
    if name == "create_portfolio":
        return import_module("prescient.python_api").create_portfolio
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
