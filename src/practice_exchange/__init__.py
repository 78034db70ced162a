"""The practice exchange: a local Polymarket with a seeded world of markets. Run it with ``python -m practice_exchange``."""

from __future__ import annotations
