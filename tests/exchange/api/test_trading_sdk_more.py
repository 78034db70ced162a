"""The rest of the venue's SDK: every kind of order and what it makes of a refusal, settlement, heartbeats, keys, estimates."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from decimal import Decimal

import pytest
from polymarket.clients.async_secure import AsyncSecureClient
from polymarket.clients.secure import SecureClient
from polymarket.errors import OrderHeartbeatMismatchError, RequestRejectedError
from polymarket.models.clob.order_response import AcceptedOrder

from practice_exchange.app.server import PracticeServer
from practice_exchange.world.state import MarketState
from practice_exchange.world.world import World

from .conftest import START
from .test_trading_sdk import environment_of
from .trading_venue import quiet_market, trading_of, wallet_of_type

SDK = "polymarket-client 0.14.0"


@pytest.fixture
async def server() -> AsyncIterator[PracticeServer]:
    served = PracticeServer(World(7, 60, START), speed=20.0, trading=True)
    await served.start()
    yield served
    await served.stop()


@pytest.fixture
async def client(server: PracticeServer) -> AsyncIterator[AsyncSecureClient]:
    wallet = wallet_of_type(trading_of(server), "deposit_wallet")
    made = await AsyncSecureClient.create(private_key=wallet.private_key, environment=environment_of(server))
    async with made:
        yield made


@pytest.fixture
def market(server: PracticeServer) -> MarketState:
    return quiet_market(server.world)


def ask_of(market: MarketState) -> Decimal:
    return Decimal(market.book.best_ask_micro) / 1_000_000


@pytest.mark.fidelity(
    "Limit, GTD, post-only, FAK and FOK orders of the SDK are taken; market orders by dollars, shares and worst price",
    area="Official clients",
    evidence="official client",
    source=SDK,
)
async def test_every_kind_of_order(client: AsyncSecureClient, market: MarketState) -> None:
    token = market.token_ids[0]
    # The SDK measures by this machine's clock, the exchange by its world's, which is behind.
    until = int(time.time()) + 3_600
    ending = await client.place_limit_order(token_id=token, price="0.02", size=10, side="BUY", expiration=until)
    passive = await client.place_limit_order(token_id=token, price="0.03", size=10, side="BUY", post_only=True)
    assert ending.ok and passive.ok and (ending.status, passive.status) == ("live", "live")
    told = await client.get_order(order_id=ending.order_id)
    assert (told.order_type, int(told.original_size), told.price) == ("GTD", 10, Decimal("0.02"))
    for kind in ("FAK", "FOK"):
        spent = await client.place_market_order(token_id=token, amount=5, side="BUY", order_type=kind)
        assert spent.ok and spent.status == "matched"
        await client.wait_for_order_fill_settlement(spent)
        sold = await client.place_market_order(token_id=token, shares=5, side="SELL", order_type=kind)
        assert sold.ok and sold.status == "matched" and sold.making_amount == 5
    protected = await client.place_market_order(token_id=token, amount=20, side="BUY", max_price=ask_of(market))
    assert protected.ok and protected.making_amount <= 20


@pytest.mark.fidelity(
    "A market BUY that names the best ask as its worst price fills, whatever cents it spends",
    area="Matching",
    evidence="official client",
    source=f"{SDK}, which repaired its rounding after py-sdk issue 291",
)
async def test_market_buys_reach_the_price_that_they_name(client: AsyncSecureClient, market: MarketState) -> None:
    for cents in range(101, 121):
        spent = await client.place_market_order(
            token_id=market.token_ids[0], amount=Decimal(cents) / 100, side="BUY", max_price=ask_of(market)
        )
        assert spent.ok and spent.status == "matched", cents


@pytest.mark.fidelity(
    "The refusals of a batch's legs are the texts that the SDK knows, each with its own code",
    area="Rejections",
    evidence="official client",
    source=f"{SDK}, OrderResponseErrorCode",
)
async def test_the_sdk_knows_each_refusal_by_its_text(client: AsyncSecureClient, market: MarketState) -> None:
    token, ask = market.token_ids[0], ask_of(market)
    signed = [
        await client.create_limit_order(token_id=token, price=ask, size=10, side="BUY", post_only=True),
        await client.create_market_order(token_id=token, amount=5, side="BUY", max_price="0.02", order_type="FOK"),
        await client.create_market_order(token_id=token, amount=5, side="BUY", max_price="0.02", order_type="FAK"),
        await client.create_limit_order(token_id=token, price="0.02", size=9_000_000, side="BUY"),
        await client.create_limit_order(token_id=token, price="0.02", size=10, side="BUY"),
    ]
    answers = await client.post_orders(signed)
    assert [answer.code for answer in answers if not answer.ok] == [
        "post_only_would_cross",
        "fok_not_filled",
        "fak_not_filled",
        "not_enough_balance",
    ]
    assert answers[-1].ok and answers[-1].status == "live"


@pytest.mark.fidelity(
    "A trade that matched is MINED and CONFIRMED within seconds, with its transaction's hash",
    area="Settlement",
    evidence="official client",
    source=f"{SDK}, wait_for_order_fill_settlement",
)
async def test_a_fill_settles_while_the_sdk_waits(client: AsyncSecureClient, market: MarketState) -> None:
    bought = await client.place_limit_order(token_id=market.token_ids[0], price=ask_of(market), size=10, side="BUY")
    assert isinstance(bought, AcceptedOrder) and bought.trade_ids
    hashes = await client.wait_for_order_fill_settlement(bought, timeout_s=10)
    assert len(hashes) == 1 and len(str(hashes[0])) == 66
    trades = [trade async for page in client.list_account_trades() for trade in page.items]
    assert {trade.status for trade in trades} == {"CONFIRMED"}
    held = await client.get_balance_allowance(asset_type="CONDITIONAL", token_id=market.token_ids[0])
    assert held.balance == 10_000_000


@pytest.mark.fidelity(
    "A heartbeat answers with the next id; a wrong id is refused with the one that was expected, under `error_msg`",
    area="Limits and modes",
    evidence="official client",
    source=f"{SDK}, send_order_heartbeat; the OpenAPI file calls it `error`",
)
async def test_heartbeats_go_from_id_to_id(client: AsyncSecureClient) -> None:
    first = await client.send_order_heartbeat()
    second = await client.send_order_heartbeat(heartbeat_id=first.heartbeat_id)
    assert first.heartbeat_id != second.heartbeat_id
    with pytest.raises(OrderHeartbeatMismatchError) as caught:
        await client.send_order_heartbeat(heartbeat_id=first.heartbeat_id)
    assert caught.value.heartbeat_id == second.heartbeat_id


async def test_what_else_an_account_asks(client: AsyncSecureClient, market: MarketState) -> None:
    token = market.token_ids[0]
    assert len(await client.fetch_api_keys()) == 1
    resting = await client.place_limit_order(token_id=token, price="0.02", size=10, side="BUY")
    assert resting.ok
    assert await client.get_order_scoring(order_id=resting.order_id) is False
    assert await client.get_orders_scoring(order_ids=[resting.order_id]) == {resting.order_id: False}
    assert await client.estimate_market_price(token_id=token, side="BUY", amount=1) == ask_of(market)
    await client.drop_notifications(ids=[1])
    assert list((await client.cancel_all()).canceled) == [resting.order_id]
    await client.delete_api_key()
    with pytest.raises(RequestRejectedError):
        await client.fetch_api_keys()


@pytest.mark.fidelity(
    "The synchronous SDK trades as the asynchronous one does",
    area="Official clients",
    evidence="official client",
    source=SDK,
)
async def test_the_synchronous_sdk_trades_as_well(server: PracticeServer, market: MarketState) -> None:
    wallet = wallet_of_type(trading_of(server), "safe")

    def walk() -> None:
        made = SecureClient.create(
            private_key=wallet.private_key, wallet=wallet.funder, environment=environment_of(server)
        )
        with made as client:
            token = market.token_ids[0]
            resting = client.place_limit_order(token_id=token, price="0.02", size=10, side="BUY")
            assert resting.ok and resting.status == "live"
            assert [order.id for page in client.list_open_orders() for order in page.items] == [resting.order_id]
            bought = client.place_limit_order(token_id=token, price=ask_of(market), size=6, side="BUY")
            assert bought.ok and bought.status == "matched"
            assert len(client.wait_for_order_fill_settlement(bought, timeout_s=10)) == 1
            assert list(client.cancel_order(order_id=resting.order_id).canceled) == [resting.order_id]

    await asyncio.to_thread(walk)
