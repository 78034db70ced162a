"""Paper gives what the exchange gives: the same order flow to both, order by order, to the micro-dollar."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from random import Random

import pytest

from polymarket_kit.model import OrderType, Side
from polymarket_kit.values import MICRO
from practice_exchange.app.server import PracticeServer
from practice_exchange.engine.settlement import SettlementPlan
from practice_exchange.venue.venue_engine import VenueEngine
from prescient.adapters.clock import SystemClock
from prescient.adapters.polymarket import PolymarketData
from prescient.adapters.polymarket.stream.assets import StreamLimits
from prescient.adapters.polymarket.stream.stream import PolymarketStream
from prescient.domain.settlement import SettlementModel
from prescient.domain.stream import GapSeen, StreamEvent
from prescient.trading.resting import OrderNotOpen, cancel_order
from tests.exchange.api.trading_venue import trading_of
from tests.streams import hear

from .parity import ACCOUNT, Outcome, Pair
from .parity_flow import Flow

ROUNDS = 16
ORDERS_PER_MARKET = 4


async def check_makers(pair: Pair, flow: Flow) -> None:
    for order_id in flow.resting:
        paper, real = await pair.filled_on_paper(order_id), pair.filled_on_exchange(order_id)
        assert paper <= real, f"{order_id}: paper filled {paper}, the exchange {real}"


async def cancel_some(pair: Pair, flow: Flow) -> None:
    """Take back one order in eight, both ways."""
    for order_id in flow.resting:
        if flow.random.random() < 0.12:
            pair.traded.engine.cancel(ACCOUNT, order_id, pair.traded.now_ms)
            try:
                await cancel_order(pair.context, order_id)
            except OrderNotOpen:
                continue


@pytest.mark.fidelity(
    "A resting order on paper is never filled more, at any time, than the same order on the exchange",
    area="Paper",
    evidence="assumed",
    source="two copies of one seeded exchange, the same orders, traders who do not react",
    seam="a quote that crosses our order without a trade fills it on the exchange and not on paper",
)
@pytest.mark.fidelity(
    "A taker order on paper gets what the exchange gives: the same matches, dollars and fees, order by order",
    area="Paper",
    evidence="assumed",
    source="two copies of one seeded exchange, the same orders, traders who do not react",
)
@pytest.mark.fidelity(
    "Paper gives takers the practice exchange's fills and fees to the micro-dollar, and resting orders never more",
    area="Paper",
    evidence="assumed",
    source="paper and practice hold the same rules; what backs these stands above",
)
@pytest.mark.parametrize("seed", [7, 11, 21, 38])
async def test_takers_get_the_same_and_makers_never_more(seed: int) -> None:
    seen = await run(seed)
    assert seen["alike"] == seen["orders"] > 300
    assert min(seen["refused"], seen["matched"], seen["rested"]) > 10


@pytest.mark.fidelity(
    "Where paper cannot know what the exchange knows, its takers get less, never more",
    area="Paper",
    evidence="assumed",
    source="two copies of one seeded exchange, the same orders, traders who do not react",
    seam="unknown are the limits of others' takers who found less after us, and orders of ours that a quote filled unprinted",
)
@pytest.mark.parametrize("seed", [23, 27, 32])
async def test_where_paper_cannot_know_it_gives_less(seed: int) -> None:
    """Worlds in which that happens, found by trying many."""
    seen = await run(seed)
    assert seen["orders"] * 9 // 10 < seen["alike"] < seen["orders"]


async def run(seed: int) -> Counter[str]:
    """Let the world go on and send orders both ways; counts what happened. Nobody may get more on paper."""
    pair = await Pair(seed).open()
    flow = Flow(pair, Random(f"parity {seed}"))
    seen: Counter[str] = Counter()
    for market in pair.markets:
        _, paper, real = await flow.endow(market)
        assert paper == real and paper.matches
    for _ in range(ROUNDS):
        await pair.step(flow.random.choice((1, 5, 30, 120)))
        await check_makers(pair, flow)
        for market in pair.markets:
            for _ in range(ORDERS_PER_MARKET):
                order_id, paper, real = await flow.next(market)
                said = f"{order_id} in {market.slug}: paper {paper}, the exchange {real}"
                assert paper == real or shares_of(paper) <= shares_of(real), said
                assert paper.text == real.text or paper != real, said + paper.text + " / " + real.text
                seen["orders"] += 1
                seen["alike"] += paper == real
                seen["refused" if paper.refused else "matched" if paper.matches else "rested"] += 1
        await check_makers(pair, flow)
        await cancel_some(pair, flow)
    filled = sum([await pair.filled_on_paper(order_id) for order_id in flow.resting])
    real_filled = sum(pair.filled_on_exchange(order_id) for order_id in flow.resting)
    print(f"seed {seed}: {dict(seen)}; makers: paper {filled}, exchange {real_filled} micro-shares")
    # Resting orders do fill on paper, or this would prove nothing.
    assert filled > real_filled // 2
    return seen


class Streamed(Pair):
    """The watched copy behind its own websocket: the paper venue hears frames, through our adapter of the venue's stream."""

    def make_floor(self) -> VenueEngine:
        self.server = PracticeServer(self.world, trading=True)
        return trading_of(self.server).venue_engine

    async def start(self) -> None:
        """Serve the copy, follow its markets, and take what the stream tells as it comes."""
        await self.server.start()
        clock = SystemClock()
        self.rest = PolymarketData(gamma_url=self.server.gamma_url, clob_url=self.server.clob_url, clock=clock)
        limits = StreamLimits(future_s=None, quiet_s=600.0)
        self.frames = PolymarketStream(url=self.server.market_ws_url, books=self.rest.books, clock=clock, limits=limits)
        self.told: list[StreamEvent] = []
        self._listening = asyncio.create_task(self._take())

    async def _take(self) -> None:
        async for event in self.frames.events():
            self.told.append(event)

    def wire(self) -> None:
        self.make_context(self.frames)

    async def listen(self) -> None:
        """Wait until the stream's books are the exchange's, then hear all that it told."""
        deadline_s = time.monotonic() + 10
        while self.frames.waiting or not self._agrees():
            assert time.monotonic() < deadline_s, "the stream did not catch up"
            await asyncio.sleep(0.002)
        told, self.told = self.told, []
        assert not [event for event in told if isinstance(event, GapSeen)]
        for event in told:
            await hear(self.context, event)

    def _agrees(self) -> bool:
        for token_id in (token for market in self.markets for token in market.token_ids):
            book, true = self.frames.book(token_id), self.data.book(token_id)
            if book is None or (book.bids, book.asks) != (true.bids, true.asks):
                return False
        return True

    async def stop(self) -> None:
        await self.frames.close()
        await self._listening
        await self.rest.close()
        await self.server.stop()


@pytest.mark.fidelity(
    "Fed by the market websocket alone, paper gives neither takers nor makers more than the exchange",
    area="Paper",
    evidence="assumed",
    source="two copies of one seeded exchange, one behind its own websocket",
    seam="the stream tells the last word of each step: a quote taken down and put up again alike goes unseen, against us",
)
async def test_fed_by_the_exchanges_own_stream_paper_is_never_more_generous() -> None:
    """Frames tell the last word of each step: a quote taken down and put up again alike goes unseen, against us."""
    pair = Streamed(7, number_of_markets=4)
    await pair.start()
    try:
        await pair.open()
        flow = Flow(pair, Random("streamed parity"))
        same = total = 0
        for market in pair.markets:
            _, paper, real = await flow.endow(market)
            assert paper == real and paper.matches
        for _ in range(12):
            await pair.step(flow.random.choice((1, 5, 20)))
            await check_makers(pair, flow)
            for market in pair.markets:
                for _ in range(3):
                    order_id, paper, real = await flow.next(market)
                    total += 1
                    same += paper == real
                    assert shares_of(paper) <= shares_of(real), f"{order_id}: paper {paper}, the exchange {real}"
            await check_makers(pair, flow)
            await cancel_some(pair, flow)
        filled = sum([await pair.filled_on_paper(order_id) for order_id in flow.resting])
        real_filled = sum(pair.filled_on_exchange(order_id) for order_id in flow.resting)
        print(f"{same} of {total} takers alike; makers: paper {filled}, exchange {real_filled} micro-shares")
        assert filled > 0 and same > total * 3 // 4
    finally:
        await pair.stop()


def shares_of(outcome: Outcome) -> int:
    return sum(size for _, size, _, _ in outcome.matches)


@pytest.mark.fidelity(
    "Shares may be sold, and proceeds spent, once their trade is mined: two seconds after the match, and not before",
    area="Paper",
    evidence="assumed",
    source="two copies of one seeded exchange, the same orders; the exchange's own plan",
)
@pytest.mark.parametrize("seed", [7, 11])
async def test_a_sale_of_shares_that_are_not_mined_is_refused_by_both(seed: int) -> None:
    plan, model = SettlementPlan(), SettlementModel()
    assert (plan.mined_after_ms, plan.confirmed_after_ms, plan.retry_after_ms) == (
        model.mined_after_s * 1000,
        model.confirmed_after_s * 1000,
        model.retry_after_s * 1000,
    )
    pair = await Pair(seed).open()
    sold = 0
    for market in pair.markets:
        _, paper, real = await pair.order(market, 0, Side.BUY, OrderType.FAK, price=990_000, amount=50 * MICRO)
        assert paper == real and paper.matches
        book = pair.data.book(market.token_ids[0])
        limit, size = book.best_bid_micro, 10 * MICRO
        assert limit is not None
        for _ in range(2):
            _, paper, real = await pair.order(market, 0, Side.SELL, OrderType.FAK, price=limit, size=size)
            assert (paper.refused, real.refused, paper.matches) == (True, True, real.matches)
            assert "balance" in real.text
    await pair.step(1)
    for market in pair.markets:
        limit = pair.data.book(market.token_ids[0]).best_bid_micro or 10_000
        _, paper, real = await pair.order(market, 0, Side.SELL, OrderType.FAK, price=limit, size=10 * MICRO)
        assert paper == real
        sold += bool(paper.matches)
    assert sold == len(pair.markets)
