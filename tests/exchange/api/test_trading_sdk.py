"""The venue's newest Python SDK, unpatched but for an environment made with its own means, trades on the practice exchange."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
from polymarket.clients.async_secure import AsyncSecureClient
from polymarket.clients.secure import SecureClient
from polymarket.environments import PRODUCTION, Environment, _create_environment
from polymarket.errors import RequestRejectedError

from practice_exchange.app.server import PracticeServer
from practice_exchange.world.world import World

from .trading_venue import WALLET_TYPES, open_exchange, quiet_market, trading_of, wallet_of_type


@pytest.fixture
async def server() -> AsyncIterator[PracticeServer]:
    async with open_exchange() as served:
        yield served


def environment_of(server: PracticeServer) -> Environment:
    """Every address that the SDK knows points at this exchange; nothing may leave the machine."""
    config = PRODUCTION._config
    names = [field.name for field in dataclasses.fields(config) if field.name.endswith("_url")]
    addresses: dict[str, Any] = {name: f"{server.url}/{name.removesuffix('_url')}" for name in names}
    return _create_environment(name="practice", config=dataclasses.replace(config, **addresses))


def world_of(server: PracticeServer) -> World:
    assert isinstance(server.world, World)
    return server.world


@pytest.mark.fidelity(
    "The SDK logs in and trades with all four wallets",
    area="Official clients",
    evidence="official client",
    source="polymarket-client 0.14.0",
)
@pytest.mark.parametrize("wallet_type", WALLET_TYPES)
async def test_the_sdk_logs_in_and_trades(server: PracticeServer, wallet_type: str) -> None:
    market = quiet_market(world_of(server), negative_risk=wallet_type in ("proxy", "deposit_wallet"))
    wallet = wallet_of_type(trading_of(server), wallet_type)
    token, ask = market.token_ids[0], market.book.best_ask_micro
    client = await AsyncSecureClient.create(
        private_key=wallet.private_key, wallet=wallet.funder, environment=environment_of(server)
    )
    async with client:
        assert await client.get_closed_only_mode() is False
        resting = await client.place_limit_order(token_id=token, price="0.02", size=10, side="BUY")
        assert resting.ok and resting.status == "live"
        bought = await client.place_limit_order(token_id=token, price=Decimal(ask) / 1_000_000, size=10, side="BUY")
        assert bought.ok and bought.status == "matched" and bought.taking_amount == 10
        spent = await client.place_market_order(token_id=token, amount=5, side="BUY")
        assert spent.ok and spent.status == "matched" and spent.making_amount <= 5
        orders = [order async for page in client.list_open_orders() for order in page.items]
        assert [order.id for order in orders] == [resting.order_id]
        trades = [trade async for page in client.list_account_trades() for trade in page.items]
        assert {trade.id for trade in trades} == {*bought.trade_ids, *spent.trade_ids}
        money = await client.get_balance_allowance(asset_type="COLLATERAL")
        assert money.balance == 10_000_000_000
        gone = await client.cancel_all()
        assert list(gone.canceled) == [resting.order_id]


@pytest.mark.fidelity(
    "The SDK finds a deposit wallet by its owner",
    area="Official clients",
    evidence="official client",
    source="polymarket-client 0.14.0",
)
async def test_the_sdk_finds_its_deposit_wallet_by_itself_and_sells_what_it_holds(server: PracticeServer) -> None:
    market = quiet_market(world_of(server))
    wallet = wallet_of_type(trading_of(server), "deposit_wallet")
    token = market.token_ids[0]

    def walk(sell: bool) -> str:
        with SecureClient.create(private_key=wallet.private_key, environment=environment_of(server)) as client:
            if sell:
                sold = client.place_market_order(token_id=token, shares=6, side="SELL", order_type="FOK")
                assert sold.ok, sold
                return str(sold.status)
            bought = client.place_market_order(token_id=token, amount=8, side="BUY", order_type="FOK")
            assert bought.ok, bought
            return str(bought.status)

    assert await asyncio.to_thread(walk, False) == "matched"
    trading = trading_of(server)
    trading.venue_engine.engine.advance(server.world.now_ms + 10_000)
    held = trading.venue_engine.engine.account(wallet.funder).shares[token].balance_micro
    assert held > 8_000_000
    assert await asyncio.to_thread(walk, True) == "matched"


@pytest.mark.fidelity(
    "The SDK cancels in every form",
    area="Cancels",
    evidence="official client",
    source="polymarket-client 0.14.0",
)
async def test_the_sdk_is_refused_and_cancels_in_every_form(server: PracticeServer) -> None:
    market = quiet_market(world_of(server))
    wallet = wallet_of_type(trading_of(server), "eoa")
    client = await AsyncSecureClient.create(
        private_key=wallet.private_key, wallet=wallet.funder, environment=environment_of(server)
    )

    async def rest(price: str) -> str:
        placed = await client.place_limit_order(token_id=market.token_ids[0], price=price, size=10, side="BUY")
        assert placed.ok
        return str(placed.order_id)

    async with client:
        one, two, three = await rest("0.02"), await rest("0.03"), await rest("0.04")
        assert list((await client.cancel_order(order_id=one)).canceled) == [one]
        assert list((await client.cancel_orders(order_ids=[two])).canceled) == [two]
        assert list((await client.cancel_market_orders(market=market.condition_id)).canceled) == [three]
        late = await client.cancel_order(order_id=one)
        assert dict(late.not_canceled) == {one: "Order not found or already canceled"}
        with pytest.raises(RequestRejectedError, match="lower than the minimum: 5"):
            await client.post_order(
                await client.create_limit_order(token_id=market.token_ids[0], price="0.02", size=4, side="BUY")
            )
