"""Settles trades in the background and carries out what is owed once they are mined. Runs in Paper trading."""

from __future__ import annotations

from prescient.backoff import Backoff
from prescient.ports.clock import Clock
from prescient.ports.context import TradingContext
from prescient.trading.obligations import settling_round
from prescient.worker.leased_loop import LeasedLoop

NAME = "settling"
INTERVAL_S = 1.0
STANDBY_S = 5.0
BACKOFF_MOST_S = 30.0


class SettlingLoop(LeasedLoop):
    """Looks once a second for trades that are due; ``timer`` is the machine's clock, whatever the world's says."""

    def __init__(self, context: TradingContext, timer: Clock, *, interval_s: float = INTERVAL_S) -> None:
        super().__init__(
            NAME,
            context.store,
            context.clock,
            interval_s=interval_s,
            standby_s=STANDBY_S,
            backoff=Backoff(2 * interval_s, BACKOFF_MOST_S),
            timer=timer,
        )
        self._context = context

    async def round(self) -> None:
        """Settle what is due and carry out what is owed."""
        await settling_round(self._context)
