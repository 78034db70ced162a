"""A practice exchange that takes orders, on a free port, and the venue's own order-book client for its test wallets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from py_clob_client_v2.client import ClobClient

from practice_exchange.app.server import PracticeServer
from practice_exchange.clob.trading_routes import TradingSide
from practice_exchange.venue.accounts import PracticeWallet
from practice_exchange.world.state import MarketState
from practice_exchange.world.world import World, WorldView

from .conftest import START

WALLET_TYPES = ("eoa", "proxy", "safe", "deposit_wallet")


@asynccontextmanager
async def open_exchange(events: int = 60) -> AsyncIterator[PracticeServer]:
    """Serve a small world that stands still unless it is told to go on."""
    server = PracticeServer(World(7, events, START), trading=True)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


def trading_of(server: PracticeServer) -> TradingSide:
    assert server.exchange.trading is not None
    return server.exchange.trading


def wallet_of_type(trading: TradingSide, wallet_type: str) -> PracticeWallet:
    return next(wallet for wallet in trading.wallets if wallet.wallet_type == wallet_type)


def client_of(server: PracticeServer, wallet: PracticeWallet) -> ClobClient:
    """The client as its own manual makes it, logged in."""
    client = ClobClient(
        server.clob_url,
        137,
        key=wallet.private_key,
        signature_type=wallet.signature_type,
        funder=wallet.funder,
    )
    client.set_api_creds(client.create_or_derive_api_key())
    return client


def quiet_market(world: WorldView, negative_risk: bool = False) -> MarketState:
    """A market with a deep book on both sides, a tick of one cent, fees and no delays."""
    return next(
        market
        for market in world.register.markets.values()
        if market.trading
        and market.negative_risk is negative_risk
        and market.fees.kind
        and market.tick_micro == 10_000
        and not market.seconds_delay
        and not market.taker_delay
        and 300_000 < market.book.best_bid_micro < market.book.best_ask_micro < 700_000
        and market.book.ask_sizes[-1] > 20_000_000
        and market.book.bid_sizes[-1] > 20_000_000
    )
