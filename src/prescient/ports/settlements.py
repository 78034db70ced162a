"""The store's roles for what is under way after a trade was booked: its settlement, and what is owed once it settled."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from prescient.domain.obligation import Obligation
from prescient.domain.settlement import Reversal, TradeSettlement


class Settlements(Protocol):
    """Trades on their way to the chain: what is not mined yet may neither be sold, nor merged, nor spent."""

    async def due_settlements(self, now: datetime, portfolio_id: int | None, limit: int) -> list[TradeSettlement]:
        """Settlements whose next step is due, by portfolio, the oldest first; at most ``limit``. None: of all portfolios."""
        ...

    async def save_settled(self, portfolio_id: int, settled: Sequence[TradeSettlement], now: datetime) -> None:
        """Keep how far a portfolio's trades have settled, with its facts; one that is at its end already stays."""
        ...

    async def reverse(self, reversal: Reversal, now: datetime) -> bool:
        """Undo a failed trade once; False if it is settled, one way or the other, already.

        Raises PositionMoved like ``book``, InvariantBroken.
        """
        ...


class Obligations(Protocol):
    """What is owed once shares are mined; kept until it is done, over any restart."""

    async def owe(self, obligations: Sequence[Obligation]) -> None:
        """Keep obligations. One that is known stays as it is, but a merge that was done may be owed again.

        Raises PortfolioNotFound.
        """
        ...

    async def obligations(self, portfolio_id: int | None, due_by: datetime | None, limit: int) -> list[Obligation]:
        """What is not done, the one due first first; at most ``limit``. None: of all portfolios, and due at any time."""
        ...

    async def save_obligation(self, obligation: Obligation) -> None:
        """Keep what became of an attempt. Raises NotFoundError."""
        ...
