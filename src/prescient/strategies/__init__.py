"""Floor 1: one file a strategy, pure: looks at one market and proposes, or says why not."""

from __future__ import annotations

from prescient.ports.strategy import Strategy
from prescient.strategies.complete_set import CompleteSet
from prescient.strategies.majority import Majority
from prescient.strategies.momentum import Momentum

BUILT_IN: tuple[Strategy, ...] = (Majority(), Momentum(), CompleteSet())
