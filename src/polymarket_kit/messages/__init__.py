"""The messages that both sides of the wire read and write: orders, trades, amounts and numbers."""

from __future__ import annotations
