"""The whole store in plain Python: what backtests and simulations run on, refusing what PostgreSQL refuses."""

from __future__ import annotations

from prescient.adapters.memory.store import MemoryStore

__all__ = ["MemoryStore"]
