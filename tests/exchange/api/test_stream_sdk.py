"""The venue's own Python SDK, unpatched, reads both websockets of the practice exchange while it trades there."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from typing import Any

import pytest
from polymarket.clients.async_public import AsyncPublicClient
from polymarket.clients.async_secure import AsyncSecureClient
from polymarket.environments import Environment, _create_environment
from polymarket.streams import MarketSpec, UserSpec

from polymarket_kit.values import MICRO
from practice_exchange.app.server import PracticeServer
from practice_exchange.world.state import MarketState
from practice_exchange.world.world import World

from .stream_client import advance, eventually
from .test_trading_sdk import environment_of
from .trading_venue import open_exchange, quiet_market, trading_of, wallet_of_type

WAIT_S = 10.0


@pytest.fixture
async def server() -> AsyncIterator[PracticeServer]:
    async with open_exchange() as served:
        yield served


@pytest.fixture
def market(server: PracticeServer) -> MarketState:
    assert isinstance(server.world, World)
    return quiet_market(server.world)


def streaming(server: PracticeServer) -> Environment:
    """Like the environment for trading, with the addresses of both websockets."""
    config = environment_of(server)._config
    config = dataclasses.replace(config, clob_market_ws_url=server.market_ws_url, clob_user_ws_url=server.user_ws_url)
    return _create_environment(name="practice", config=config)


async def until(handle: Any, wanted: Callable[[Any], bool]) -> Any:
    """The next event that is wanted."""
    async with asyncio.timeout(WAIT_S):
        async for event in handle:
            if wanted(event):
                return event
    raise AssertionError("the subscription ended")


async def of_type(handle: Any, kind: str) -> Any:
    return (await until(handle, lambda event: event.type == kind)).payload


@pytest.mark.fidelity(
    "The SDK reads books, changes, prints and best prices",
    area="Official clients",
    evidence="official client",
    source="polymarket-client",
)
async def test_the_sdk_reads_books_changes_and_prints(server: PracticeServer, market: MarketState) -> None:
    wallet = wallet_of_type(trading_of(server), "eoa")
    environment, (first, second) = streaming(server), market.token_ids
    ask = Decimal(market.book.best_ask_micro) / MICRO
    trader = await AsyncSecureClient.create(
        private_key=wallet.private_key, wallet=wallet.funder, environment=environment
    )
    async with AsyncPublicClient(environment) as reader, trader:
        handle = await reader.subscribe(MarketSpec(asset_ids=[first, second], custom_feature_enabled=True))
        book = await of_type(handle, "book")
        assert book.asset_id == first and book.tick_size == Decimal("0.01") and book.last_trade_price is None
        assert book.asks[-1].price == ask and book.bids[-1].price < ask
        assert (await of_type(handle, "book")).asset_id == second
        placed = await trader.place_limit_order(token_id=first, price="0.02", size=10, side="BUY")
        assert placed.ok
        change = await of_type(handle, "price_change")
        assert [leg.asset_id for leg in change.price_changes] == [first, second]
        assert [(leg.price, leg.side) for leg in change.price_changes] == [
            (Decimal("0.02"), "BUY"),
            (Decimal("0.98"), "SELL"),
        ]
        assert change.price_changes[0].best_ask == ask and change.condition_id == market.condition_id
        bought = await trader.place_limit_order(token_id=first, price=ask, size=10, side="BUY")
        assert bought.ok and bought.status == "matched"
        printed = await of_type(handle, "last_trade_price")
        assert (printed.price, printed.size, printed.side) == (ask, 10, "BUY")
        assert printed.transaction_hash is not None
        assert (await of_type(handle, "book")).tick_size is None
        better = await trader.place_limit_order(token_id=first, price=ask - Decimal("0.01"), size=10, side="BUY")
        assert better.ok
        best = await of_type(handle, "best_bid_ask")
        assert (best.best_bid, best.best_ask, best.spread) == (ask - Decimal("0.01"), ask, Decimal("0.01"))
        await handle.close()


@pytest.mark.fidelity(
    "The SDK hears of new ticks, new markets and resolutions",
    area="Official clients",
    evidence="official client",
    source="polymarket-client",
)
async def test_the_sdk_hears_news_of_the_venue_and_new_ticks(server: PracticeServer, market: MarketState) -> None:
    async with AsyncPublicClient(streaming(server)) as reader:
        handle = await reader.subscribe(MarketSpec(asset_ids=market.token_ids, custom_feature_enabled=True))
        await of_type(handle, "book")
        market.tick_micro = 1_000
        server.world.revision += 1
        trading_of(server).advance()
        tick = await of_type(handle, "tick_size_change")
        assert (tick.old_tick_size, tick.new_tick_size) == (Decimal("0.01"), Decimal("0.001"))
        await advance(server, (market.end_ms - server.world.now_ms) / 1000 + 20 * 86_400)
        listed = await of_type(handle, "new_market")
        assert listed.asset_ids is not None and listed.outcomes is not None and listed.active is False
        assert server.world.register.tokens[listed.asset_ids[0]][0].condition_id == listed.condition_id
        resolved = await of_type(handle, "market_resolved")
        assert resolved.condition_id == market.condition_id and market.closed
        if MICRO in market.payouts_micro:
            assert resolved.winning_asset_id == market.token_ids[market.payouts_micro.index(MICRO)]
        await handle.close()


@pytest.mark.fidelity(
    "The SDK changes its subscriptions on one socket and comes back after it broke",
    area="Official clients",
    evidence="official client",
    source="polymarket-client",
)
async def test_the_sdk_changes_its_subscriptions_and_comes_back_by_itself(
    server: PracticeServer, market: MarketState
) -> None:
    streams = trading_of(server).streams
    other = quiet_market(server.world, negative_risk=True)
    async with AsyncPublicClient(streaming(server)) as reader:
        one = await reader.subscribe(MarketSpec(asset_ids=market.token_ids))
        assert (await of_type(one, "book")).asset_id in market.token_ids
        two = await reader.subscribe(MarketSpec(asset_ids=other.token_ids, custom_feature_enabled=True))
        assert {(await of_type(two, "book")).asset_id for _ in (0, 1)} == set(other.token_ids)
        (seen,) = streams.faults.sockets()
        assert seen.tokens == 4
        # The connection breaks; the SDK opens another and asks for everything again.
        streams.faults.drop_sockets("market")
        assert (await of_type(two, "book")).asset_id in other.token_ids
        (again,) = streams.faults.sockets()
        assert again.number > seen.number and again.tokens == 4
        await one.close()
        await eventually(lambda: streams.faults.sockets()[0].tokens == 2)
        await two.close()


@pytest.mark.fidelity(
    "The SDK follows its own orders and trades on the user channel",
    area="Official clients",
    evidence="official client",
    source="polymarket-client",
)
@pytest.mark.parametrize("wallet_type", ["eoa", "deposit_wallet"])
async def test_the_sdk_follows_its_own_orders_and_trades(
    server: PracticeServer, market: MarketState, wallet_type: str
) -> None:
    wallet = wallet_of_type(trading_of(server), wallet_type)
    ask = Decimal(market.book.best_ask_micro) / MICRO
    client = await AsyncSecureClient.create(
        private_key=wallet.private_key, wallet=wallet.funder, environment=streaming(server)
    )
    token_id = market.token_ids[0]
    async with client:
        handle = await client.subscribe(UserSpec())
        await eventually(lambda: bool(trading_of(server).streams.user._readers))
        resting = await client.place_limit_order(token_id=token_id, price="0.02", size=10, side="BUY")
        assert resting.ok
        placed = await of_type(handle, "order")
        assert (placed.id, placed.order_event_type, placed.status) == (resting.order_id, "PLACEMENT", "LIVE")
        assert placed.maker_address == wallet.funder and placed.size_matched == 0 and placed.created_at is not None
        bought = await client.place_limit_order(token_id=token_id, price=ask, size=10, side="BUY")
        assert bought.ok
        trade = await of_type(handle, "trade")
        assert (trade.id, trade.status, trade.trader_side) == (bought.trade_ids[0], "MATCHED", "TAKER")
        assert trade.transaction_hash and trade.maker_orders and trade.size == 10
        filled = await of_type(handle, "order")
        assert (filled.id, filled.status, filled.associate_trades) == (bought.order_id, "MATCHED", (trade.id,))
        await advance(server, 10)
        for status in ("MINED", "CONFIRMED"):
            moved = await of_type(handle, "trade")
            assert (moved.id, moved.status) == (trade.id, status)
        # A killed order is told of without a size, which the SDK cannot read and drops; the next event comes.
        market_order = await client.create_market_order(
            token_id=token_id, amount=10, side="BUY", max_price="0.02", order_type="FOK"
        )
        with pytest.raises(Exception, match="FOK orders are fully filled or killed"):
            await client.post_order(market_order)
        assert list((await client.cancel_order(order_id=resting.order_id)).canceled) == [resting.order_id]
        gone = await of_type(handle, "order")
        assert (gone.id, gone.order_event_type, gone.status) == (resting.order_id, "CANCELLATION", "CANCELED")
        await handle.close()
