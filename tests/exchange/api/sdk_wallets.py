"""The venue's newest SDK for wallets of a practice exchange, with a relayer's key, and markets brought to their resolution."""

from __future__ import annotations

from collections.abc import Sequence

from polymarket.auth import RelayerApiKey
from polymarket.clients.async_secure import AsyncSecureClient

from polymarket_kit.signing.eip712 import SigningKey
from practice_exchange.app.chain_and_data_routes import ChainAndDataRoutes
from practice_exchange.app.server import PracticeServer
from practice_exchange.venue.accounts import PracticeWallet
from practice_exchange.world.state import EventState, MarketState

from .test_trading_sdk import environment_of, world_of


def outside_of(server: PracticeServer) -> ChainAndDataRoutes:
    assert server.exchange.chain_and_data is not None
    return server.exchange.chain_and_data


async def sdk_client(server: PracticeServer, private_key: str, wallet: str | None) -> AsyncSecureClient:
    """The client as its manual makes it, for a wallet of this key (or the one that it finds by itself)."""
    address = SigningKey(private_key).address
    key = outside_of(server).keys.relayer_key(address)
    return await AsyncSecureClient.create(
        private_key=private_key,
        wallet=wallet,
        environment=environment_of(server),
        api_key=RelayerApiKey(key=key, address=address),
    )


async def client_of_wallet(server: PracticeServer, wallet: PracticeWallet) -> AsyncSecureClient:
    return await sdk_client(server, wallet.private_key, wallet.funder)


def resolve(server: PracticeServer, markets: Sequence[MarketState], winner: int = 0) -> None:
    """Close markets as the world does, with this outcome as the winner of each."""
    world = world_of(server)
    for market in markets:
        market.payouts_micro = [1_000_000 * (index == winner) for index in range(2)]
        market.stage, market.accepting_orders = "resolved", False
        market.closed, market.closed_ms = True, world.now_ms
        market.revision += 1
    world.revision += 1


def event_of(server: PracticeServer, market: MarketState) -> EventState:
    return world_of(server).register.events[market.event_number]
