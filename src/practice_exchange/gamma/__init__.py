"""The catalogue API (Gamma): events, markets, tags and search."""

from __future__ import annotations
