"""The inside of the paper simulator: orders of ours that rest in real markets, moved on by what the stream tells.

Beside ``ports.venue``: a venue of the real world has its own book and needs none of this.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from prescient.domain.booking import OrderUpdate
from prescient.domain.order import ApprovedOrder
from prescient.domain.resting import RestingOrder


class RestingVenue(Protocol):
    """Where paper orders rest: filled from what is told. ``turn`` holds one market until all is booked."""

    def turn(self, condition_id: str) -> AbstractAsyncContextManager[None]: ...

    def updates(self) -> AsyncGenerator[OrderUpdate]:
        """As ``Venue.updates``: each market's turn is held until what happened in it is booked."""
        ...

    def sweep(self, condition_id: str) -> list[OrderUpdate]:
        """What has ended otherwise: expired or cancelled orders, and those that an order of ours came to.

        Its markets are in ``waiting``, unless the time alone ends it.
        """

    def opened(self, order_id: str) -> list[OrderUpdate]:
        """An accepted order is booked: from now on it may fill. Returns its end if it ended meanwhile."""

    def cancel(self, order_id: str, reason: str) -> bool:
        """Take an order off the book, to be told by the next ``sweep``; False if it does not rest here (any more)."""
        ...

    def forget(self, order_id: str) -> None:
        """Let go of an order whose booking failed."""

    async def restore(self, kept: Sequence[tuple[ApprovedOrder, RestingOrder]]) -> None:
        """Own what rests: hold exactly these orders from now on, with a gap before now, and take in others."""

    def release(self) -> None:
        """Own nothing any more, and take in nothing."""

    def states(self) -> dict[str, RestingOrder]: ...
    def waiting(self) -> set[str]: ...
    async def tidy(self) -> None:
        """Let go of the markets in which nothing rests any more."""
