"""The paper venue's memory of what our own orders took from real books, by market; the store has it as well."""

from __future__ import annotations

from polymarket_kit.model import Level
from polymarket_kit.values import MICRO
from prescient.domain.order import Consumption
from prescient.paper_matching.book import with_level
from prescient.paper_matching.queue_model import LevelKey
from prescient.ports.store import Orders

MEMORY_SIDES_MAX = 20_000


class Taken:
    """What was taken by (first token, side). One instance per installation."""

    def __init__(self, store: Orders) -> None:
        self._store = store
        self._memory: dict[tuple[str, str], Consumption] = {}
        self._first_tokens: dict[str, str] = {}

    async def of(self, token_id: str, side: str) -> Consumption:
        """What was taken from one side of the book of a market's first token."""
        known = self._memory.get((token_id, side))
        if known is None:
            known = await self._store.consumption(token_id, side)
            if len(self._memory) >= MEMORY_SIDES_MAX:
                # Everything in here is in the store as well: forgetting costs a read, not the memory itself.
                self._memory.clear()
                self._first_tokens.clear()
        return known

    async def load(self, first_token: str) -> None:
        """Have both sides of a market at hand before anything is told of it."""
        for side in ("bids", "asks"):
            memory = await self.of(first_token, side)
            self._memory[first_token, side] = memory

    def put(self, condition_id: str, memory: Consumption) -> None:
        self._memory[memory.token_id, memory.side] = memory
        self._first_tokens[condition_id] = memory.token_id

    def forget(self, condition_id: str) -> None:
        """Read the memory of a market's book again: what an order took that was never booked, it never took."""
        first_token = self._first_tokens.pop(condition_id, None)
        if first_token is not None:
            for side in ("bids", "asks"):
                self._memory.pop((first_token, side), None)

    def see(self, first_token: str, place: LevelKey, displayed_micro: int, places: dict[LevelKey, int]) -> None:
        """Take in one level's change; ``places`` is all that the unified book displays now."""
        ladder, price = place
        memory = self._memory.get((first_token, "asks" if ladder else "bids"))
        if memory is None or not memory.levels:
            return
        deeper = sorted(
            ((at, size) for (side, at), size in places.items() if side == ladder and at < price), reverse=True
        )
        own = [Level(MICRO - at if ladder else at, size) for at, size in deeper]
        changed = with_level(memory, MICRO - price if ladder else price, displayed_micro, own)
        self._memory[memory.token_id, memory.side] = changed

    def add(self, first_token: str, place: LevelKey, size_micro: int, displayed_micro: int) -> None:
        """Count shares that a level displays as taken, though no order of ours walked to them."""
        ladder, price = place
        side, own = ("asks", MICRO - price) if ladder else ("bids", price)
        memory = self._memory.get((first_token, side)) or Consumption(first_token, side, {})
        taken = min(memory.levels.get(own, (0, 0))[0] + size_micro, displayed_micro)
        self._memory[first_token, side] = Consumption(
            first_token, side, {**memory.levels, own: (taken, displayed_micro)}
        )
