"""The practice exchange's engine, tested through its own front door."""

from __future__ import annotations
