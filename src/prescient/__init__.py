"""Prescient: an honest trading system for prediction markets."""

from __future__ import annotations

__version__ = "0.1.0"
