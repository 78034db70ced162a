"""One fetch serves the portfolios of one cycle, and nobody after two seconds."""

from __future__ import annotations

from collections.abc import Sequence

from prescient.adapters.clock import SimulatedClock
from prescient.adapters.recent import RecentMarketData
from prescient.domain.market import OrderBook
from tests.fakes import START, StaticMarketData, binary_market


class Counted(StaticMarketData):
    """Counts the tokens that were asked for."""

    asked: list[str]

    async def books(self, token_ids: Sequence[str]) -> dict[str, OrderBook]:
        self.asked += token_ids
        return await super().books(token_ids)


async def test_books_are_shared_for_two_seconds_and_no_longer() -> None:
    source, clock = Counted(), SimulatedClock(START)
    source.asked = []
    source.add(binary_market(1), [("0.54", "1")], [("0.55", "1")])
    recent = RecentMarketData(source, clock)
    assert set(await recent.books(["11", "12", "unknown"])) == {"11", "12"}
    assert set(await recent.books(["11", "unknown"])) == {"11"}
    assert source.asked == ["11", "12", "unknown"]
    clock.advance(2.1)
    assert set(await recent.books(["11"])) == {"11"}
    assert source.asked == ["11", "12", "unknown", "11"]
