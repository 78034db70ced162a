"""The real venue's public data: Gamma for the catalogue and results, the CLOB for books, rules and price history."""

from __future__ import annotations

from prescient.adapters.polymarket.data import PolymarketData
from prescient.adapters.polymarket.transport import AiohttpTransport

__all__ = ["AiohttpTransport", "PolymarketData"]
