"""Everything that a strategy of your own imports, in one module: ``from prescient.strategy import Proposal, Side``.

The rest of the product may move; these names stay (docs/strategies.md).
"""

from __future__ import annotations

from polymarket_kit.fees import taker_fee
from polymarket_kit.model import FeeSchedule, Level, Side
from polymarket_kit.values import MICRO, micro_to_text, multiply_up, parse_micro
from prescient.domain.market import Market, OrderBook, Outcome, PricePoint
from prescient.domain.signal import MarketView, Pass, Proposal
from prescient.ports.strategy import Parameter, Strategy

__all__ = [
    "MICRO",
    "FeeSchedule",
    "Level",
    "Market",
    "MarketView",
    "OrderBook",
    "Outcome",
    "Parameter",
    "Pass",
    "PricePoint",
    "Proposal",
    "Side",
    "Strategy",
    "micro_to_text",
    "multiply_up",
    "parse_micro",
    "taker_fee",
]
