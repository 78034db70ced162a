"""The venue's own order-book client, unpatched, trades on the practice exchange over loopback, with every type of wallet."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import aiohttp
import pytest
from py_clob_client_v2.clob_types import (
    AssetType,
    BalanceAllowanceParams,
    MarketOrderArgsV2,
    OpenOrderParams,
    OrderArgsV2,
    OrderMarketCancelParams,
    OrderPayload,
    OrderScoringParams,
    OrdersScoringParams,
    OrderType,
    PostOrdersV2Args,
    TradeParams,
)
from py_clob_client_v2.exceptions import PolyApiException

from practice_exchange.app.server import PracticeServer
from practice_exchange.world.world import World

from .conftest import START
from .trading_venue import WALLET_TYPES, client_of, open_exchange, quiet_market, trading_of, wallet_of_type


@pytest.fixture
async def server() -> AsyncIterator[PracticeServer]:
    async with open_exchange() as served:
        yield served


def world_of(server: PracticeServer) -> World:
    assert isinstance(server.world, World)
    return server.world


async def advance(server: PracticeServer, seconds: float) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{server.url}/practice/advance", json={"seconds": seconds}) as response,
    ):
        assert response.status == 200


@pytest.mark.fidelity(
    "All four wallets buy and sell through the client, in plain and negative-risk markets",
    area="Official clients",
    evidence="official client",
    source="py-clob-client-v2 1.2.1",
)
@pytest.mark.parametrize("wallet_type", WALLET_TYPES)
@pytest.mark.parametrize("negative_risk", [False, True])
async def test_a_wallet_buys_and_sells_what_it_bought(
    server: PracticeServer, wallet_type: str, negative_risk: bool
) -> None:
    market = quiet_market(world_of(server), negative_risk)
    token, ask, size = market.token_ids[0], market.book.best_ask_micro, market.book.ask_sizes[-1]
    client = await asyncio.to_thread(client_of, server, wallet_of_type(trading_of(server), wallet_type))

    def buy() -> tuple[dict[str, Any], dict[str, Any], list[dict[str, Any]]]:
        placed = client.create_and_post_order(OrderArgsV2(token_id=token, price=ask / 1e6, size=10, side="BUY"))
        return placed, client.get_order(placed["orderID"]), client.get_trades(TradeParams(id=placed["tradeIDs"][0]))

    placed, order, trades = await asyncio.to_thread(buy)
    assert placed["success"] and placed["status"] == "matched"
    assert Decimal(placed["takingAmount"]) == 10
    assert Decimal(placed["makingAmount"]) == 10 * Decimal(ask) / 1_000_000
    assert placed["transactionsHashes"] == [trades[0]["transaction_hash"]]
    assert (
        order["status"] == "MATCHED"
        and order["size_matched"] == "10"
        and order["associate_trades"] == placed["tradeIDs"]
    )
    assert len(trades) == 1 and trades[0]["trader_side"] == "TAKER"
    assert sum(Decimal(maker["matched_amount"]) for maker in trades[0]["maker_orders"]) == 10
    assert market.book.ask_sizes[-1] == size - 10_000_000 and market.last_trade_micro == ask

    await advance(server, 30)

    def sell() -> tuple[str, dict[str, Any], str]:
        held = BalanceAllowanceParams(asset_type=AssetType.CONDITIONAL, token_id=token)
        before = client.get_balance_allowance(held)["balance"]
        sold = client.create_and_post_market_order(
            MarketOrderArgsV2(token_id=token, amount=10, side="SELL", order_type=OrderType.FAK)
        )
        return before, sold, client.get_balance_allowance(held)["balance"]

    before, sold, unsettled = await asyncio.to_thread(sell)
    assert (before, sold["status"], unsettled) == ("10000000", "matched", "10000000")
    assert Decimal(sold["makingAmount"]) == 10


@pytest.mark.fidelity(
    "Cancels name what went and what did not",
    area="Cancels",
    evidence="official client",
    source="py-clob-client-v2 1.2.1",
)
async def test_an_order_rests_is_seen_and_is_cancelled_in_every_form(server: PracticeServer) -> None:
    market = quiet_market(world_of(server))
    token = market.token_ids[0]
    client = await asyncio.to_thread(client_of, server, wallet_of_type(trading_of(server), "deposit_wallet"))

    def rest(cents: int) -> str:
        placed = client.create_and_post_order(OrderArgsV2(token_id=token, price=cents / 100, size=7, side="BUY"))
        assert placed["status"] == "live" and placed["tradeIDs"] == [] and placed["makingAmount"] == ""
        return str(placed["orderID"])

    def walk() -> None:
        ids = [rest(cents) for cents in (2, 3, 4, 5, 6)]
        assert [order["id"] for order in client.get_open_orders()] == ids
        levels = {level["price"]: level["size"] for level in client.get_order_book(token)["bids"]}
        assert Decimal(levels["0.02"]) >= 7
        assert client.cancel_order(OrderPayload(orderID=ids[0])) == {"canceled": [ids[0]], "not_canceled": {}}
        again = client.cancel_order(OrderPayload(orderID=ids[0]))
        assert again == {"canceled": [], "not_canceled": {ids[0]: "Order not found or already canceled"}}
        assert client.cancel_orders([ids[1], ids[1]])["canceled"] == [ids[1]]
        assert client.cancel_market_orders(OrderMarketCancelParams(asset_id=market.token_ids[1]))["canceled"] == []
        assert client.cancel_market_orders(OrderMarketCancelParams(market=market.condition_id))["canceled"] == ids[2:]
        last = rest(3)
        assert client.cancel_all()["canceled"] == [last]
        assert client.get_open_orders() == []
        with pytest.raises(PolyApiException, match="Order not found"):
            client.get_order(last)

    await asyncio.to_thread(walk)


@pytest.mark.fidelity(
    "A refused leg of a batch says `success: true` with its message and no id",
    area="Orders",
    evidence="field report",
    source="both official clients",
)
async def test_a_batch_is_posted_and_asked_for_its_rewards(server: PracticeServer) -> None:
    market = quiet_market(world_of(server))
    client = await asyncio.to_thread(client_of, server, wallet_of_type(trading_of(server), "safe"))

    def walk() -> None:
        def signed(cents: int, size: int) -> PostOrdersV2Args:
            args = OrderArgsV2(token_id=market.token_ids[0], price=cents / 100, size=size, side="BUY")
            return PostOrdersV2Args(order=client.create_order(args), orderType=OrderType.GTC)

        answers = client.post_orders([signed(2, 8), signed(3, 4), signed(4, 8)])
        assert [answer["status"] for answer in answers] == ["live", "", "live"]
        assert "lower than the minimum: 5" in answers[1]["errorMsg"]
        ids = [answers[0]["orderID"], answers[2]["orderID"]]
        assert client.is_order_scoring(OrderScoringParams(orderId=ids[0])) == {"scoring": False}
        assert client.are_orders_scoring(OrdersScoringParams(orderIds=ids)) == dict.fromkeys(ids, False)
        assert client.get_trades() == []
        assert len(client.get_open_orders(OpenOrderParams(asset_id=market.token_ids[1]))) == 0
        assert len(client.get_open_orders(OpenOrderParams(market=market.condition_id))) == 2

    await asyncio.to_thread(walk)


@pytest.mark.fidelity(
    "Keys are made, derived, listed and deleted",
    area="Log-in",
    evidence="official client",
    source="py-clob-client-v2 1.2.1",
)
async def test_the_log_in_is_made_once_and_derived_after(server: PracticeServer) -> None:
    wallet = wallet_of_type(trading_of(server), "eoa")

    def walk() -> None:
        client = client_of(server, wallet)
        first = client.creds
        assert client.create_or_derive_api_key() == first == client.derive_api_key()
        with pytest.raises(PolyApiException, match="Could not create api key"):
            client.create_api_key()
        with pytest.raises(PolyApiException, match="Could not derive api key!"):
            client.derive_api_key(nonce=5)
        assert client.get_api_keys() == {"apiKeys": [first.api_key]}
        assert client.get_closed_only_mode() == {"closed_only": False}
        money = client.get_balance_allowance(BalanceAllowanceParams(asset_type=AssetType.COLLATERAL))
        assert money["balance"] == "10000000000" and len(money["allowances"]) == 3
        client.update_balance_allowance(BalanceAllowanceParams(asset_type=AssetType.COLLATERAL))
        assert client.get_notifications() == []
        beat = client.post_heartbeat()["heartbeat_id"]
        with pytest.raises(PolyApiException, match=beat):
            client.post_heartbeat("another")
        assert client.post_heartbeat(beat)["heartbeat_id"] != beat
        assert client.delete_api_key() == "OK"
        with pytest.raises(PolyApiException, match="Unauthorized/Invalid api key"):
            client.get_api_keys()

    await asyncio.to_thread(walk)


@pytest.mark.fidelity(
    "Shares of a match arrive within seconds",
    area="Settlement",
    evidence="specification",
    source="trade status",
)
async def test_shares_arrive_by_themselves_while_time_passes() -> None:
    server = PracticeServer(World(7, 60, START), speed=20.0, trading=True)
    await server.start()
    try:
        market = quiet_market(world_of(server))
        wallet = wallet_of_type(trading_of(server), "deposit_wallet")
        client = await asyncio.to_thread(client_of, server, wallet)

        def buy() -> dict[str, Any]:
            args = MarketOrderArgsV2(token_id=market.token_ids[0], amount=5, side="BUY", order_type=OrderType.FOK)
            return dict(client.create_and_post_market_order(args))

        def holds() -> int:
            params = BalanceAllowanceParams(asset_type=AssetType.CONDITIONAL, token_id=market.token_ids[0])
            return int(client.get_balance_allowance(params)["balance"])

        assert (await asyncio.to_thread(buy))["status"] == "matched"
        for _ in range(40):
            if await asyncio.to_thread(holds):
                break
            await asyncio.sleep(0.1)
        assert await asyncio.to_thread(holds) > 5_000_000
        statuses = {trade["status"] for trade in await asyncio.to_thread(client.get_trades)}
        assert statuses <= {"TRADE_STATUS_MINED", "TRADE_STATUS_CONFIRMED"}
    finally:
        await server.stop()


async def test_a_body_beyond_all_measure_is_refused_on_the_wire(server: PracticeServer) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{server.clob_url}/order", data=io.BytesIO(b"x" * 10_000_000)) as response,
    ):
        assert response.status == 413
    async with aiohttp.ClientSession() as session, session.get(f"{server.clob_url}/ok") as response:
        assert response.status == 200
