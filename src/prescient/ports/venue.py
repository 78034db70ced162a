"""Where orders go: a venue takes approved orders and nothing else, and says what became of them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from prescient.domain.booking import OrderUpdate
from prescient.domain.order import ApprovedOrder, Submission
from prescient.domain.resting import RestingOrder
from prescient.domain.stream import StreamEvent


class Venue(Protocol):
    """Takes approved orders and nothing else. One for paper, one for the real thing."""

    name: str

    async def submit(self, order: ApprovedOrder) -> Submission:
        """Send an order whose intent is committed. A lost answer is ``Unknown``, never an exception."""

    async def resolve(self, order: ApprovedOrder) -> Submission:
        """Find out what became of an order whose answer was lost. Never sends it again."""


class RestingVenue(Protocol):
    """Where orders rest at a venue that fills them from what it is told. ``turn`` holds one market until all is booked."""

    def turn(self, condition_id: str) -> AbstractAsyncContextManager[None]: ...

    def condition_of(self, event: StreamEvent) -> str | None:
        """The market with orders of ours that an event is about, or None: nobody needs to hear it."""

    def observe(self, event: StreamEvent) -> list[OrderUpdate]: ...

    def sweep(self, condition_id: str) -> list[OrderUpdate]:
        """What has ended by itself: expired orders, and those that an order of ours came to (markets in ``waiting``)."""

    def opened(self, order_id: str) -> list[OrderUpdate]:
        """An accepted order is booked: from now on it may fill. Returns its end if it ended meanwhile."""

    def cancel(self, order_id: str, reason: str) -> OrderUpdate | None:
        """Take an order off the book for this reason; None if it does not rest here (any more)."""

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
