"""The market stream against the practice exchange's own websocket: after many steps and trades its books are those of REST."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest
from py_clob_client_v2.clob_types import OrderArgsV2, OrderPayload

from polymarket_kit.model import Side
from polymarket_kit.values import parse_micro
from practice_exchange.app.server import PracticeServer
from practice_exchange.world.state import MarketState
from practice_exchange.world.world import World
from prescient import wiring
from prescient.adapters.clock import SystemClock
from prescient.adapters.polymarket import PolymarketData
from prescient.adapters.polymarket.stream.assets import StreamLimits
from prescient.adapters.polymarket.stream.stream import PolymarketStream
from prescient.domain.stream import BookSeen, GapSeen, LevelSeen, PrintSeen
from prescient.settings import PORT_PRACTICE, Settings
from tests.exchange.api.trading_venue import client_of, trading_of, wallet_of_type
from tests.prescient.polymarket.fake_stream import SHORT, Consumer

START = datetime(2026, 1, 5, 12, tzinfo=UTC)
TOKENS_MAX = 40
PATIENT = StreamLimits(future_s=None)


class Rig:
    """A small world that takes orders, our REST adapter and our stream, following its busiest markets."""

    def __init__(self, server: PracticeServer, limits: StreamLimits) -> None:
        self.server = server
        clock = SystemClock()
        self.data = PolymarketData(gamma_url=server.gamma_url, clob_url=server.clob_url, clock=clock)
        url = f"ws://{server.host}:{server.port}/ws/market"
        self.stream = PolymarketStream(url=url, books=self.data.books, clock=clock, limits=limits)
        self.consumer = Consumer(self.stream)
        assert isinstance(server.world, World)
        traded = [market for market in server.world.register.markets.values() if market.trading]
        self.markets = traded[: TOKENS_MAX // 2]
        self.tokens = [token for market in self.markets for token in market.token_ids]

    async def advance(self, seconds: float) -> None:
        async with aiohttp.ClientSession() as session:
            answer = await session.post(f"{self.server.url}/practice/advance", json={"seconds": seconds})
            assert answer.status == 200

    async def busiest_market(self) -> MarketState:
        """The one that changes most often."""
        changes = dict.fromkeys(range(len(self.markets)), 0)
        for _ in range(6):
            before = [market.changed_ms for market in self.markets]
            await self.advance(600)
            for number, market in enumerate(self.markets):
                changes[number] += market.changed_ms != before[number]
        return self.markets[max(changes, key=changes.__getitem__)]

    async def differences(self) -> list[str]:
        """Tokens whose book, as the stream or as its events tell it, is not that of REST at this moment."""
        true = await self.data.books(self.tokens)
        return [token for token in self.tokens if token not in true or not self.consumer.has(true[token])]

    async def agrees(self, within_s: float = 5.0) -> None:
        for _ in range(round(within_s / 0.05)):
            if not await self.differences():
                return
            await asyncio.sleep(0.05)
        assert await self.differences() == []

    async def close(self) -> None:
        await self.stream.close()
        await self.consumer.stop()
        await self.data.close()


@pytest.fixture
async def server() -> AsyncIterator[PracticeServer]:
    served = PracticeServer(World(7, 60, START), trading=True)
    await served.start()
    yield served
    await served.stop()


@pytest.fixture
async def rig(server: PracticeServer, request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    made = Rig(server, getattr(request, "param", SHORT))
    try:
        await made.stream.follow(made.tokens)
        await made.agrees()
        yield made
    finally:
        await made.close()


@pytest.mark.parametrize("rig", [PATIENT], indirect=True)
async def test_books_equal_rest_after_many_steps_and_trades(rig: Rig) -> None:
    """No gap, no doubt, nothing by REST: the stream alone says all, the trades of an official client included."""
    wallet = wallet_of_type(trading_of(rig.server), "eoa")
    client = await asyncio.to_thread(client_of, rig.server, wallet)
    market = next(market for market in rig.markets if _is_calm(market))
    rig_token, other = market.token_ids

    def trade(step: int) -> int:
        """Rest on the book, take from it, and take back what rests; returns the shares taken, in micro."""
        price = market.book.best_bid_micro / 1e6
        resting = client.create_and_post_order(OrderArgsV2(token_id=rig_token, price=price, size=10 + step, side="BUY"))
        fetch = market.book.best_ask_micro / 1e6
        taken = client.create_and_post_order(OrderArgsV2(token_id=rig_token, price=fetch, size=7, side="BUY"))
        assert taken["status"] == "matched", taken
        if step % 2:
            client.cancel_order(OrderPayload(orderID=resting["orderID"]))
        return parse_micro(taken["takingAmount"])

    taken_micro = 0
    for step in range(12):
        await rig.advance(20)
        taken_micro += await asyncio.to_thread(trade, step)
        await rig.agrees()
    consumer, counts = rig.consumer, rig.stream.counts
    prints = [seen for seen in consumer.of(PrintSeen) if seen.token_id == rig_token and seen.side is Side.BUY]
    assert len(prints) >= 12 and sum(seen.size_micro for seen in prints) >= taken_micro > 40_000_000
    assert any(level.token_id == other for level in consumer.of(LevelSeen)) and len(consumer.of(LevelSeen)) > 200
    assert len(consumer.of(BookSeen)) == len(rig.tokens) and not consumer.of(GapSeen), dict(counts)
    assert not counts["best price mismatches"] and not counts["missing books"] and not counts["invalidations"]


def _is_calm(market: MarketState) -> bool:
    best_bid, best_ask = market.book.best_bid_micro, market.book.best_ask_micro
    return 200_000 < best_bid < best_ask < 800_000 and not market.seconds_delay and not market.taker_delay


async def test_doubled_and_swapped_frames_end_in_the_books_of_rest(rig: Rig) -> None:
    faults = trading_of(rig.server).streams.faults
    faults.doubled_share = faults.reordered_share = 0.3
    for _ in range(15):
        await rig.advance(20)
    faults.clear()
    await rig.advance(20)
    await rig.agrees()
    counts = rig.stream.counts
    assert counts["late changes"] + counts["best price mismatches"] + counts["repeated trades"] > 0, dict(counts)


async def test_sockets_that_stall_or_break_are_replaced(rig: Rig) -> None:
    faults = trading_of(rig.server).streams.faults
    assert faults.stall_sockets("market") == 1
    await rig.advance(120)
    await rig.agrees()
    assert rig.stream.counts["stalled sockets"] >= 1
    assert faults.drop_sockets("market") == 1
    await rig.advance(60)
    await rig.agrees()
    assert rig.stream.counts["lost connections"] >= 2
    assert {token for gap in rig.consumer.of(GapSeen) for token in gap.token_ids} == set(rig.tokens)


async def test_a_token_that_stalls_is_followed_all_the_same(rig: Rig) -> None:
    """It climbs the whole ladder, for the exchange sends nothing of it on any socket; its market's other token stays."""
    faults = trading_of(rig.server).streams.faults
    stalled, other = (await rig.busiest_market()).token_ids
    faults.stall_token(stalled)
    for _ in range(60):
        if rig.stream.counts["stalled assets"] >= 3:
            break
        await rig.advance(600)
        await asyncio.sleep(0.1)
    await rig.agrees()
    assert rig.stream.counts["stalled assets"] >= 3
    assert not [reason for reason in rig.consumer.gaps(other) if "socket" not in reason]
    faults.clear()
    await rig.advance(300)
    await rig.agrees()


async def test_books_that_a_subscription_does_not_bring_come_by_rest(server: PracticeServer) -> None:
    faults = trading_of(server).streams.faults
    faults.skip_snapshots = 1
    rig = Rig(server, SHORT)
    try:
        await rig.stream.follow(rig.tokens)
        await rig.agrees()
        assert rig.stream.counts["missing books"] == len(rig.tokens)
        await rig.advance(60)
        await rig.agrees()
    finally:
        await rig.close()


async def test_tokens_that_a_subscription_loses_are_noticed(server: PracticeServer) -> None:
    faults = trading_of(server).streams.faults
    faults.lost_share = 0.2
    rig = Rig(server, SHORT)
    try:
        await rig.stream.follow(rig.tokens)
        await rig.agrees()
        assert 0 < rig.stream.counts["missing books"] < len(rig.tokens)
        faults.clear()
        for _ in range(5):
            await rig.advance(600)
            await rig.agrees()
        assert rig.stream.counts["stalled assets"] + rig.stream.counts["stalled sockets"] > 0
    finally:
        await rig.close()


async def test_wiring_opens_the_stream_of_the_source_that_is_set(server: PracticeServer, tmp_path: Path) -> None:
    settings = Settings(
        PRESCIENT_HOME=tmp_path,
        _env_file=None,
        PRESCIENT_GAMMA_URL=server.gamma_url,
        PRESCIENT_CLOB_URL=server.clob_url,
        PRESCIENT_STREAM_URL=f"ws://{server.host}:{server.port}/ws/market",
    )
    assert isinstance(server.world, World)
    market = next(market for market in server.world.register.markets.values() if market.trading)
    async with wiring.open_stream(settings, SystemClock()) as stream:
        await stream.follow(list(market.token_ids))
        events = stream.events()
        books = [await anext(events), await anext(events)]
    assert {book.book.token_id for book in books if isinstance(book, BookSeen)} == set(market.token_ids)
    assert [event async for event in events] == []
    practice = Settings(PRESCIENT_HOME=tmp_path, _env_file=None, PRESCIENT_PORT_SHIFT=3)
    assert wiring.stream_url(practice) == f"ws://127.0.0.1:{PORT_PRACTICE + 3}/ws/market"
    real = Settings(PRESCIENT_HOME=tmp_path, _env_file=None, PRESCIENT_VENUE="polymarket")
    assert wiring.stream_url(real) == "wss://ws-subscriptions-clob.polymarket.com/ws/market"
