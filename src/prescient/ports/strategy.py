"""What a strategy is: one file, pure, that looks at one market and proposes trades or says why not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from prescient.domain.signal import MarketView, Pass, Proposal


@dataclass(frozen=True, slots=True)
class Parameter:
    """One key of ``strategy_config``. ``kind`` is number, integer, text, boolean or text_list."""

    name: str
    kind: str
    default: Any
    description: str
    minimum: float | None = None
    maximum: float | None = None
    unit: str = ""


class Strategy(Protocol):
    """One file, pure: looks at one market and proposes, or says why not. See strategies/majority.py."""

    name: str
    description: str
    parameters: tuple[Parameter, ...]
    # Hours of price history wanted for each outcome; 0 means none is fetched.
    history_hours: int

    def decide(self, view: MarketView, config: dict[str, Any]) -> Sequence[Proposal] | Pass:
        """Propose trades in this market, or say why not. Pure: no network, no clock, no files.

        ``config`` is the portfolio's ``strategy_config``, complete and checked. Whatever this raises is recorded as
        ``strategy_error`` for this market alone.
        """
        ...
