"""Floor 0: what a prediction market is. Standard library only; no I/O, no clock, no randomness."""

from __future__ import annotations
