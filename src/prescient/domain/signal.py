"""Signals: what a strategy proposes, and the reasons for which a market is passed over."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from polymarket_kit.model import Side
from prescient.domain.market import Market, OrderBook, PricePoint

# The cycle, and the strategy, of signals that no cycle decided on.
BY_HAND = "by_hand"


class Step(StrEnum):
    """The seven steps of the runbook's cycle under the name of their verb; collect has two."""

    COLLECT = "collect"
    FILTER = "filter"
    SCREEN = "screen"
    DECIDE = "decide"
    EXECUTE = "execute"
    MARK = "mark"
    SNAPSHOT = "snapshot"


@dataclass(frozen=True, slots=True)
class MarketView:
    """All that a strategy may look at: one market, its fresh books by token id, and price history where asked for."""

    market: Market
    books: dict[str, OrderBook]
    history: dict[str, tuple[PricePoint, ...]] = field(default_factory=dict)
    now: datetime | None = None


@dataclass(frozen=True, slots=True)
class Proposal:
    """One leg that a strategy wants. ``score_micro`` is its confidence, 0..1,000,000; it is not a price.

    ``size_micro`` may cap the shares (a complete set needs equal legs); zero leaves the size to the portfolio.
    """

    token_id: str
    side: Side
    score_micro: int
    reference_price_micro: int
    reason: str
    size_micro: int = 0


@dataclass(frozen=True, slots=True)
class Pass:
    """The strategy looked and does not trade: the code, the number and the setting that decided."""

    code: str
    number: str = ""
    setting: str = ""


@dataclass(frozen=True, slots=True)
class Signal:
    """A stored proposal of one portfolio in one cycle."""

    signal_id: str
    cycle_id: str
    portfolio_id: int
    strategy: str
    market_id: str
    condition_id: str
    token_id: str
    market_question: str
    outcome: str
    side: Side
    score_micro: int
    catalogue_price_micro: int | None
    price_micro: int
    size_micro: int
    group_id: str
    reason: str
    time: datetime


class Decision(NamedTuple):
    """Why one event or market went on or was dropped at one step: the code, the number and the setting.

    A cycle makes one for each of tens of thousands of markets, so it is the cheapest value there is.
    """

    step: Step
    subject_kind: str
    subject_id: str
    passed: bool
    code: str
    number: str = ""
    setting: str = ""
    portfolio_id: int | None = None
