"""The practice world: seeded markets, simulated traders, and how events resolve."""

from __future__ import annotations
