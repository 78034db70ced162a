"""How a paper order meets the real book: taking levels, and waiting in a queue. Pure code."""

from __future__ import annotations
